/** Colors pictures in this browser: worker.js computes, so that the page stays responsive. */

import { Failure } from "./failure.js";
import { withProvenance } from "./provenance.js";

const MOST_PIXELS = 16_777_216;
const FORMATS = [
  { format: "png", label: "PNG", lossless: true },
  { format: "jpeg", label: "JPEG", lossless: false },
];
const SUFFIXES = { png: ".png", jpeg: ".jpg" };

export class Engine {
  kind = "browser";

  constructor() {
    this.waiting = new Map();
    this.sent = 0;
    this.newest = 0;
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.worker.addEventListener("message", ({ data }) => this.#answered(data));
    // Its modules could not be loaded.
    this.worker.addEventListener("error", () => this.#failed(new Failure("notLoaded", "worker.js")));
  }

  /** Loads the network. `progress` gets `done` and `total` in bytes. */
  async start(progress = () => {}) {
    this.progress = progress;
    this.network = await this.#ask("start");
    return {
      models: [],
      formats: FORMATS,
      regions: false,
      palette: false,
      folders: false,
      mostPixels: MOST_PIXELS,
      ...this.network,
    };
  }

  async open(file, name = file.name ?? "") {
    const { bitmap, width, height, transparent } = await this.#ask("open", { file });
    this.name = name;
    return { width, height, transparent, shown: [width, height], original: bitmap };
  }

  async render(wanted) {
    const { used, options, warnings, ...picture } = await this.#ask("render", wanted);
    return { picture: imageOf(picture), used, options, warnings };
  }

  suggest(x, y, k = 5, { hints = [] } = {}) {
    return this.#ask("suggest", { x, y, k, hints });
  }

  colorAt(x, y) {
    return this.#ask("colorAt", { x, y });
  }

  /** Small pictures of other colorings. A newer call makes one that is not finished fail as outdated. */
  async alternatives({ decoding, hints }, count = 4, side = 160) {
    this.newest += 1;
    const own = this.newest;
    const found = [];
    for (let seed = 0; seed < count; seed += 1) {
      const picture = await this.#ask("alternative", { decoding, hints, seed, side });
      if (own !== this.newest) throw new Failure("outdated");
      found.push({ seed, picture: await createImageBitmap(imageOf(picture)) });
    }
    return found;
  }

  /** A small picture of the coloring without a seed. */
  async typical({ decoding, hints }, side = 160) {
    const picture = await this.#ask("alternative", { decoding, hints, seed: null, side });
    return createImageBitmap(imageOf(picture));
  }

  async uncertainty() {
    return { picture: imageOf(await this.#ask("uncertainty")) };
  }

  /** The file has its provenance in it; so does the file of a server. */
  async save(wanted, { format = "png", quality, what = "picture" } = {}) {
    const { blob, options } = await this.#ask("save", { ...wanted, format, quality, what });
    const { model, sha256 } = this.network;
    const stem = this.name.replace(/\.\w+$/, "");
    const name = `${stem}.${what === "layer" ? "layer" : "color"}${SUFFIXES[format]}`;
    return { blob: await withProvenance(blob, { model, sha256, options }), name };
  }

  async close() {
    await this.#ask("close");
  }

  #ask(method, content = {}) {
    this.sent += 1;
    const id = this.sent;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, method, content });
    });
  }

  #answered({ id, progress, answer, failure }) {
    if (progress) {
      this.progress(progress);
      return;
    }
    const { resolve, reject } = this.waiting.get(id);
    this.waiting.delete(id);
    if (failure) reject(new Failure(failure.reason, failure.detail));
    else resolve(answer);
  }

  #failed(failure) {
    for (const { reject } of this.waiting.values()) reject(failure);
    this.waiting.clear();
  }
}

function imageOf({ pixels, width, height }) {
  return new ImageData(pixels, width, height);
}
