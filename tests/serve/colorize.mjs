// Runs the page's modules on arrays that test_js.py wrote: node colorize.mjs FOLDER, whose task.json says what to do.
import { readFileSync, writeFileSync } from "node:fs";
import { join as path } from "node:path";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
const load = (name) => import(pathToFileURL(path(folder, "web", name)));
const bytes = (name) => new Uint8Array(readFileSync(path(folder, name)));
const floats = (name) => new Float32Array(bytes(name).buffer);
const write = (name, array) => writeFileSync(path(folder, name), new Uint8Array(array.buffer, 0, array.byteLength));

const { lightness, rgbToLab } = await load("color.js");
const { join, look, resize, workingSize } = await load("planes.js");
const { Distribution } = await load("decode.js");
const { suggestionsAt } = await load("suggest.js");
const { readMetadata } = await load("metadata.js");

const task = JSON.parse(readFileSync(path(folder, "task.json"), "utf8"));
const answer = {};
if (task.onnx) {
  const network = readMetadata(bytes(task.onnx));
  answer.sizes = task.sizes.map(([height, width]) => workingSize(height, width, network));
  for (const { name, channels, size, padded, decodings } of task.pictures) {
    const pixels = bytes(`${name}.pixels`);
    const seen = look(pixels, channels, size, network);
    answer[name] = { size: seen.size, grid: seen.grid };
    write(`${name}.seen`, seen.lightness);
    const predicted = new Distribution(floats(`${name}.logits`), padded, seen, network);
    const light = lightness(pixels, channels);
    write(`${name}.entropy`, predicted.entropy());
    answer[name].suggestions = task.places.map(([x, y]) => suggestionsAt(predicted, seen, x, y, 5));
    decodings.forEach((decoding, number) => {
      const ab = predicted.chroma(decoding);
      write(`${name}.${number}.ab`, ab);
      write(`${name}.${number}.rgba`, join(light, size, ab, seen.grid));
    });
  }
}
for (const { name, channels, from, to } of task.resizes ?? []) {
  write(`${name}.resized`, resize(bytes(`${name}.pixels`), channels, from, to));
}
for (const { name, size, grid } of task.joins ?? []) {
  write(`${name}.rgba`, join(floats(`${name}.light`), size, floats(`${name}.ab`), grid));
}
answer.lab = (task.colors ?? []).map((color) => rgbToLab(...color));
answer.errors = (task.damaged ?? []).map((name) => {
  try {
    return readMetadata(bytes(name));
  } catch (error) {
    return error.message;
  }
});
writeFileSync(path(folder, "answer.json"), JSON.stringify(answer));
