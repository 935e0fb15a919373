/**
 * Colors pictures away from the thread that draws the page, for local.js. Messages are `{id, method, content}`; each is
 * answered by `{id, answer}` or `{id, failure: {reason, detail}}`, whose reason is a key of the strings. While the
 * network is fetched, `{progress: {done, total}}` says how many bytes have come.
 */

import { Coloring } from "./coloring.js";
import { effective } from "./decode.js";
import { Failure } from "./failure.js";
import { readMetadata } from "./metadata.js";
import { pngOf, readPixels } from "./pixels.js";
import { InferenceSession, Tensor, env } from "./vendor/ort.wasm.bundle.min.mjs";

const MODEL = new URL("./model.onnx", import.meta.url);
const WASM = new URL("./vendor/ort-wasm-simd-threaded.wasm", import.meta.url);
// Of JPEG files, as artcolor writes them.
const QUALITY = 95;

let session = null;
let network = null;
let coloring = null;

const handlers = {
  async start() {
    const loaded = [];
    const report = () => {
      const [done, total] = loaded.reduce(([a, b], file) => [a + file.done, b + file.total], [0, 0]);
      postMessage({ progress: { done, total } });
    };
    const [model, wasm] = await Promise.all([fetched(MODEL, loaded, report), fetched(WASM, loaded, report)]);
    network = readMetadata(model);
    // More threads need headers that hosts of static sites cannot send.
    env.wasm.numThreads = 1;
    env.wasm.wasmBinary = wasm;
    session = await InferenceSession.create(model, { executionProviders: ["wasm"] });
    const { tag, model: family, sha256 } = network;
    const accepts = network.kernel ? ["hints", "seed"] : [];
    return { accepts, model: tag || family, sha256, defaults: { strength: 1, ...effective({}, network) } };
  },

  async open({ file }) {
    const { bitmap, pixels, size } = await readPixels(file);
    // Only now: if the file is no picture, the one before stays.
    coloring = null;
    const found = new Coloring(pixels, size, network);
    const { seen } = found;
    const scalar = (value) => new Tensor("float32", [value], []);
    // The logits do not depend on how they are decoded; that is done later, so that sliders are quick.
    const { logits, embedding } = await session.run(
      {
        lightness: new Tensor("float32", seen.lightness, [1, 1, ...seen.size]),
        vividness: scalar(0),
        temperature: scalar(1),
        grid: new Tensor("int64", BigInt64Array.from(seen.grid, BigInt), [2]),
      },
      session.outputNames.filter((name) => name !== "ab"),
    );
    found.predicted(logits.data, embedding?.data ?? null, logits.dims.slice(2));
    coloring = found;
    return { bitmap, height: size[0], width: size[1], transparent: found.transparent };
  },

  render(wanted) {
    const [height, width] = opened().size;
    const pixels = coloring.render(wanted);
    const [used, options, warnings] = [coloring.used(wanted), coloring.stated(wanted), coloring.warnings(wanted)];
    return { pixels, height, width, used, options, warnings };
  },

  suggest: ({ x, y, k, hints }) => opened().suggest(x, y, k, hints),

  colorAt({ x, y }) {
    const { pixels, size } = opened();
    const [row, column] = [y, x].map((at, axis) => Math.min(Math.trunc(at * size[axis]), size[axis] - 1));
    const start = 4 * (row * size[1] + column);
    return `#${Array.from(pixels.subarray(start, start + 3), (value) => value.toString(16).padStart(2, "0")).join("")}`;
  },

  async alternative({ side, ...wanted }) {
    const own = opened();
    const making = wanted.seed === null ? null : own.prepare(wanted.seed);
    while (making && !making.next().done) {
      // Whatever came meanwhile is done first.
      await new Promise((resolve) => setTimeout(resolve));
      await last;
      if (coloring !== own) throw new Failure("outdated");
    }
    const { pixels, size } = own.preview(wanted, side);
    return { pixels, height: size[0], width: size[1] };
  },

  uncertainty() {
    const [height, width] = opened().size;
    return { pixels: coloring.uncertainty(), height, width };
  },

  async save({ what, format, quality, ...wanted }) {
    const [height, width] = opened().size;
    // What is transparent would become black.
    if (coloring.transparent && format === "jpeg") throw new Failure("transparent");
    const pixels = what === "layer" ? coloring.layer(wanted) : coloring.render(wanted);
    const options = coloring.stated(wanted);
    // A canvas would lose the colors of transparent pixels.
    if (format === "png" && coloring.transparent) return { blob: await pngOf(pixels, width, height), options };
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
    const blob = await canvas.convertToBlob({ type: `image/${format}`, quality: (quality ?? QUALITY) / 100 });
    return { blob, options };
  },

  close() {
    coloring = null;
  },
};

function opened() {
  if (!coloring) throw new Failure("failed", "no picture is open");
  return coloring;
}

/** The content of an address. `loaded` gets an entry that counts its bytes. */
async function fetched(url, loaded, report) {
  const file = { done: 0, total: 0 };
  loaded.push(file);
  const answer = await fetch(url).catch((error) => {
    throw new Failure("notLoaded", error.message);
  });
  if (!answer.ok) throw new Failure("notLoaded", `${url.pathname.split("/").pop()}: ${answer.status}`);
  // Of compressed answers, the length is that of the compressed bytes.
  if (!answer.headers.has("Content-Encoding")) file.total = Number(answer.headers.get("Content-Length") ?? 0);
  const parts = [];
  const reader = answer.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    file.done += part.value.length;
    report();
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function answer({ id, method, content }) {
  try {
    const found = await handlers[method](content);
    postMessage({ id, answer: found }, [found?.pixels?.buffer, found?.bitmap].filter(Boolean));
  } catch (error) {
    postMessage({ id, failure: { reason: error.reason ?? "failed", detail: error.message } });
  }
}

// One message after the other: while a picture is opened, none is drawn. Alternatives make room for all others.
let last = Promise.resolve();
let lastAlternative = Promise.resolve();
addEventListener("message", ({ data }) => {
  if (data.method === "alternative") lastAlternative = Promise.all([last, lastAlternative]).then(() => answer(data));
  else last = last.then(() => answer(data));
});
