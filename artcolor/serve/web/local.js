/** Colors pictures in this browser: worker.js computes, so that the page stays responsive. */

import { Failure } from "./failure.js";

const MOST_PIXELS = 16_777_216;

export class Engine {
  kind = "browser";

  constructor() {
    this.waiting = new Map();
    this.sent = 0;
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.worker.addEventListener("message", ({ data }) => this.#answered(data));
    // Its modules could not be loaded.
    this.worker.addEventListener("error", () => this.#failed(new Failure("notLoaded", "worker.js")));
  }

  /** Loads the network. `progress` gets `done` and `total` in bytes. */
  async start(progress = () => {}) {
    this.progress = progress;
    return { mostPixels: MOST_PIXELS, ...(await this.#ask("start", {})) };
  }

  async open(file) {
    const { pixels, width, height } = await this.#ask("open", { file });
    return { width, height, shown: [width, height], original: new ImageData(pixels, width, height) };
  }

  async render(wanted) {
    const { pixels, width, height, used, options } = await this.#ask("render", wanted);
    return { picture: new ImageData(pixels, width, height), used, options };
  }

  #ask(method, content) {
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
