/**
 * Other colorings: draws from the Gaussian process of a kernel by random Fourier features (Rahimi, Recht 2007). The same
 * as `draw` in artcolor/models/distribution.py.
 */

import { Generator } from "./random.js";

const FEATURES = 512;
const SPREAD = 0.5;
// Waves between pauses, which come every 20 ms or so.
const SLICE = 128;

/**
 * Computes what a seed adds to the most typical coloring, with pauses, in which something else may be done.
 *
 * @param {import("./kernel.js").Kernel} kernel
 * @param {number[][][]} mixing of its parts, from the ONNX file
 * @param {number} seed
 * @returns {Generator<undefined, Float32Array>} `(2, h, w)` in Lab units
 */
export function* drawing(kernel, mixing, seed) {
  const random = new Generator(seed);
  const count = kernel.cells;
  const total = [new Float32Array(count), new Float32Array(count)];
  random.normal(kernel.rank).forEach((weight, rank) => {
    for (let c = 0; c < 2; c += 1) {
      const plane = kernel.shared[c][rank];
      for (let at = 0; at < count; at += 1) total[c][at] += plane[at] * weight;
    }
  });
  for (const [part, [[p, q], [r, s]]] of mixing.entries()) {
    const near = kernel.near[part];
    const [first, second] = near.length ? yield* waves(near, random, count) : constant(random, count);
    const amplitude = kernel.amplitude[part];
    for (let at = 0; at < count; at += 1) {
      total[0][at] += amplitude[at] * (p * first[at] + q * second[at]);
      total[1][at] += amplitude[at] * (r * first[at] + s * second[at]);
    }
  }
  const [p, q, r, s] = kernel.scale;
  const field = new Float32Array(2 * count);
  for (let at = 0; at < count; at += 1) {
    field[at] = SPREAD * (p[at] * total[0][at] + q[at] * total[1][at]);
    field[count + at] = SPREAD * (r[at] * total[0][at] + s[at] * total[1][at]);
  }
  return field;
}

function* waves(near, random, count) {
  const phases = random.uniform(FEATURES);
  const steps = random.normal(near.length * FEATURES);
  const heights = random.normal(2 * FEATURES);
  const sums = [new Float32Array(count), new Float32Array(count)];
  const angle = new Float32Array(count);
  const scale = Math.sqrt(2 / FEATURES);
  for (let wave = 0; wave < FEATURES; wave += 1) {
    angle.fill(2 * Math.PI * phases[wave]);
    near.forEach((plane, dimension) => {
      const step = steps[dimension * FEATURES + wave];
      for (let at = 0; at < count; at += 1) angle[at] += plane[at] * step;
    });
    const [forA, forB] = [scale * heights[2 * wave], scale * heights[2 * wave + 1]];
    for (let at = 0; at < count; at += 1) {
      const value = Math.cos(angle[at]);
      sums[0][at] += forA * value;
      sums[1][at] += forB * value;
    }
    if (wave % SLICE === SLICE - 1) yield;
  }
  return sums;
}

function constant(random, count) {
  return Array.from(random.normal(2), (value) => new Float32Array(count).fill(value));
}
