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
const { join, look, resize, roundHalfEven, workingSize } = await load("planes.js");
const { Distribution } = await load("decode.js");
const { suggestionsAt } = await load("suggest.js");
const { readMetadata } = await load("metadata.js");
const { Coloring } = await load("coloring.js");
const { readHints, writeHints } = await load("hint_files.js");
const { observe } = await load("hints.js");
const { readGuidance } = await load("guidance.js");
const { readState } = await load("store.js");
const { Generator } = await load("random.js");

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
/** What a call returns, or the message of its error. */
const attempt = (call) => {
  try {
    return call();
  } catch (error) {
    return { error: error.message };
  }
};
for (const { name, network, size, padded, cases, places, side } of task.colorings ?? []) {
  const coloring = new Coloring(bytes(`${name}.rgba`), size, network);
  coloring.predicted(floats(`${name}.logits`), floats(`${name}.embedding`), padded);
  answer[name] = cases.map((wanted, number) => {
    write(`${name}.${number}.rgba`, coloring.render(wanted));
    const preview = coloring.preview(wanted, side);
    write(`${name}.${number}.small`, preview.pixels);
    if (number === 0) write(`${name}.layer`, coloring.layer(wanted));
    return {
      size: preview.size,
      options: coloring.stated(wanted),
      suggestions: places.map(([x, y]) => coloring.suggest(x, y, 5, wanted.hints)),
    };
  });
  write(`${name}.uncertainty`, coloring.uncertainty());
  // Files that were exported without --hints.
  coloring.predicted(floats(`${name}.logits`), null, padded);
  answer.without = cases.map((wanted) => attempt(() => coloring.render(wanted) && {}).error);
}
if (task.random) {
  for (const [number, { seed, calls }] of task.random.entries()) {
    const random = new Generator(seed);
    const values = calls.flatMap(([kind, count]) => [...random[kind](count)]);
    write(`random${number}`, Float32Array.from(values));
  }
}
answer.hints = (task.hints ?? []).map((given) => attempt(() => readHints(given, [300, 200])));
answer.written = (task.hints ?? []).map((given) => attempt(() => writeHints(given.hints ?? given, [300, 200])));
answer.observed = (task.observed ?? []).map(({ hints, grid }) => observe(readHints(hints), grid).cells);
answer.guidance = (task.guidance ?? []).map((text) => attempt(() => readGuidance(text, { width: 200, height: 300 })));
answer.kept = (task.kept ?? []).map(readState);
answer.rounded = (task.numbers ?? []).map(roundHalfEven);
answer.lab = (task.colors ?? []).map((color) => rgbToLab(...color));
answer.errors = (task.damaged ?? []).map((name) => attempt(() => readMetadata(bytes(name))).error);
writeFileSync(path(folder, "answer.json"), JSON.stringify(answer));
