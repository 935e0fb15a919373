/**
 * One picture and what a network predicts of it, kept so that each change of a setting or hint costs little. The same as
 * artcolor/engine/session.py. Needs neither a page nor a worker.
 */

import { lightness } from "./color.js";
import { Distribution, effective } from "./decode.js";
import { bilinear, join, look, resize } from "./planes.js";
import { suggestionsAt } from "./suggest.js";

/** L of a layer that holds color alone, as in artcolor/engine/painting.py. */
const LAYER_LIGHTNESS = 60;

export class Coloring {
  /**
   * @param {Uint8Array|Uint8ClampedArray} pixels RGBA, row by row; kept, not changed
   * @param {[number, number]} size height and width
   * @param {object} network what the ONNX file says of itself, from `readMetadata`
   */
  constructor(pixels, size, network) {
    this.pixels = pixels;
    this.size = size;
    this.network = network;
    this.seen = look(pixels, 4, size, network);
    this.light = lightness(pixels, 4);
    this.reduced = new Map();
  }

  /**
   * Takes what the network computed from `seen`.
   *
   * @param {Float32Array} logits `(Q, h, w)`, padding included
   * @param {[number, number]} padded h and w
   */
  predicted(logits, padded) {
    this.distribution = new Distribution(logits, padded, this.seen, this.network);
  }

  /**
   * Computes chroma.
   *
   * @param {{decoding?: object, hints?: object[], seed?: number|null}} wanted
   * @param {[number, number]} [size] height and width at which hints are met exactly
   * @returns {Float32Array} ab `(2, h, w)` in Lab units
   */
  chroma({ decoding = {} }, size = this.size) {
    return this.distribution.chroma(decoding);
  }

  /** The colored picture at full size: RGBA. `atLightness` replaces its L. */
  render(wanted, atLightness = this.light) {
    return join(atLightness, this.size, this.chroma(wanted), this.seen.grid, this.pixels.slice());
  }

  /** Color alone, as a layer for image editors. */
  layer(wanted) {
    return this.render(wanted, LAYER_LIGHTNESS);
  }

  /** What a picture is made of: the settings that differ from their defaults, for the provenance. */
  stated({ decoding = {}, hints = [], seed = null }) {
    const chosen = Object.entries(decoding).filter(([name, value]) => value != null && !(name === "strength" && value === 1));
    return {
      ...Object.fromEntries(chosen),
      ...(hints.length ? { hints } : {}),
      ...(seed === null ? {} : { seed }),
      size: this.network.size,
    };
  }

  used({ decoding = {} }) {
    return { strength: decoding.strength ?? 1, ...effective(decoding, this.network) };
  }

  /** A small picture of another coloring. */
  preview(wanted, side) {
    const small = this.#reducedTo(side);
    const ab = this.chroma(wanted, small.size);
    return { pixels: join(small.light, small.size, ab, this.seen.grid, small.pixels.slice()), size: small.size };
  }

  suggest(x, y, k, hints = []) {
    return suggestionsAt(this.distribution, this.seen, x, y, k);
  }

  /** How uncertain the colors are, in gray: RGBA at full size. */
  uncertainty() {
    const small = Uint8Array.from(this.distribution.entropy(), (value) => Math.round(value * 255));
    const gray = bilinear(small, this.seen.grid, this.size);
    const result = new Uint8ClampedArray(4 * gray.length);
    for (let at = 0; at < gray.length; at += 1) result.fill(gray[at], 4 * at, 4 * at + 3);
    for (let at = 3; at < result.length; at += 4) result[at] = 255;
    return result;
  }

  #reducedTo(side) {
    if (!this.reduced.has(side)) {
      const scale = Math.min(1, side / Math.max(...this.size));
      const size = this.size.map((length) => Math.max(1, Math.round(length * scale)));
      const pixels = resize(this.pixels, 4, this.size, size);
      this.reduced.set(side, { pixels, size, light: lightness(pixels, 4) });
    }
    return this.reduced.get(side);
  }
}
