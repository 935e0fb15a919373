/**
 * One picture and what a network predicts of it, kept so that each change of a setting or hint costs little. The same as
 * artcolor/engine/session.py. Needs neither a page nor a worker.
 */

import { lightness } from "./color.js";
import { Distribution, effective } from "./decode.js";
import { Failure } from "./failure.js";
import { RADIUS, readHints } from "./hint_files.js";
import { unshown } from "./gamut.js";
import { enforce, observe, withOwnColors } from "./hints.js";
import { Kernel } from "./kernel.js";
import { bilinear, join, look, resize } from "./planes.js";
import { isOpaque } from "./pixels.js";
import { drawing } from "./samples.js";
import { conditioned } from "./spread.js";
import { suggestionsAt } from "./suggest.js";

/** L of a layer that holds color alone, as in artcolor/engine/painting.py. */
const LAYER_LIGHTNESS = 60;
// What seeds add, kept: that of some alternatives.
const MOST_FIELDS = 12;

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
    this.transparent = !isOpaque(pixels);
    this.reduced = new Map();
  }

  /**
   * Takes what the network computed from `seen`.
   *
   * @param {Float32Array} logits `(Q, h, w)`, padding included
   * @param {Float32Array|null} embedding `(C, h, w)`; null if the file has none, and hints are refused
   * @param {[number, number]} padded h and w
   */
  predicted(logits, embedding, padded) {
    this.distribution = new Distribution(logits, padded, this.seen, this.network);
    this.kernel = embedding && new Kernel(embedding, padded, this.seen.grid, this.network.kernel);
    this.fields = new Map();
  }

  /**
   * Computes chroma.
   *
   * @param {{decoding?: object, hints?: object[], seed?: number|null}} wanted
   * @param {[number, number]} [size] height and width at which hints are met exactly
   * @returns {Float32Array} ab `(2, h, w)` in Lab units
   */
  chroma({ decoding = {}, hints = [], seed = null }, size = this.size) {
    const read = this.#read(hints);
    const { grid } = this.seen;
    const ab = this.distribution.chroma(decoding);
    if (seed !== null) {
      const field = this.#fieldOf(seed);
      for (let at = 0; at < ab.length; at += 1) ab[at] += field[at];
    }
    if (!read.length) return ab;
    conditioned(this.kernel, ab, observe(read, grid));
    return enforce(ab, read, grid, size);
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
  stated({ decoding = {}, hints, seed = null }) {
    const read = this.#read(hints);
    return {
      ...(read.length ? { hints: read.map(({ entry }) => changed(entry, { radius: RADIUS })) } : {}),
      ...changed({ seed }),
      ...changed(decoding, { strength: 1 }),
      size: this.network.size,
    };
  }

  used({ decoding = {} }) {
    return { strength: decoding.strength ?? 1, ...effective(decoding, this.network) };
  }

  /** Sentences about hints whose colors cannot be shown. */
  warnings({ hints }) {
    return unshown(readHints(hints ?? [], this.size), this.light, this.size);
  }

  /** A small picture of another coloring. */
  preview(wanted, side) {
    const small = this.#reducedTo(side);
    const ab = this.chroma(wanted, small.size);
    return { pixels: join(small.light, small.size, ab, this.seen.grid, small.pixels.slice()), size: small.size };
  }

  /** Computes what a seed adds, with pauses; afterwards, it takes no time. */
  *prepare(seed) {
    this.#checkKernel();
    const found = this.fields.get(seed) ?? (yield* drawing(this.kernel, this.network.kernel.mixing, seed));
    // The newest last; sliders move and hints change more often than seeds.
    this.fields.delete(seed);
    this.fields.set(seed, found);
    if (this.fields.size > MOST_FIELDS) this.fields.delete(this.fields.keys().next().value);
  }

  suggest(x, y, k, hints = []) {
    const read = this.#read(hints);
    const observations = read.length ? observe(read, this.seen.grid) : null;
    return suggestionsAt(this.distribution, this.seen, x, y, k, observations, this.kernel);
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

  /** Hints for this picture, with its own colors where they ask for them. */
  #read(hints) {
    const read = withOwnColors(readHints(hints ?? [], this.size), this.pixels, this.size);
    if (read.length) this.#checkKernel();
    return read;
  }

  #fieldOf(seed) {
    const making = this.prepare(seed);
    while (!making.next().done);
    return this.fields.get(seed);
  }

  #checkKernel() {
    if (!this.kernel) throw new Failure("failed", "the network was exported without --hints");
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

/** The entries that are there and differ from the defaults. */
function changed(entries, defaults = {}) {
  return Object.fromEntries(Object.entries(entries).filter(([name, value]) => value != null && value !== defaults[name]));
}
