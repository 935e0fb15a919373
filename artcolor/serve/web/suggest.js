/**
 * The likeliest colors of a place. The same as `suggest_at` in artcolor/engine/suggest.py.
 */

import { writeRgb } from "./color.js";
import { inverse2, times2 } from "./linear.js";
import { plausible, Whole } from "./spread.js";

// Bins are squares of 10 × 10 units, so a distribution over them knows no finer differences.
const BIN_VARIANCE = 25;
const LEAST_VARIANCE = 0.01;
const ROUNDS = 12;
const DISTINCT = 10;
const LEAST_PROBABILITY = 0.005;

/**
 * Finds the likeliest distinct colors of a place of a picture.
 *
 * @param {import("./decode.js").Distribution} predicted
 * @param {{lightness: Float32Array, size: [number, number]}} seen from `look`
 * @param {number} x fraction of the width
 * @param {number} y fraction of the height
 * @param {number} k number of colors
 * @param {import("./spread.js").Observations|null} observations what hints say
 * @param {import("./kernel.js").Kernel|null} kernel needed with observations
 * @returns {{color: string, ab: [number, number], probability: number}[]} at most k, the likeliest first; where a hint is,
 *   its color alone
 */
export function suggestionsAt(predicted, seen, x, y, k = 5, observations = null, kernel = null) {
  const [rows, columns] = predicted.grid;
  const side = predicted.network.out_stride;
  const row = Math.min(Math.trunc(y * rows), rows - 1);
  const column = Math.min(Math.trunc(x * columns), columns - 1);
  const cell = row * columns + column;
  const logits = Float64Array.from({ length: predicted.bins }, (_, bin) => predicted.logits[bin * predicted.cells + cell]);
  const light = seen.lightness[row * side * seen.size[1] + column * side];
  const known = observations?.ab[observations.cells.indexOf(cell)];
  if (known && !known.some(Number.isNaN)) return [{ color: hexadecimal(light, known), ab: known.map(rounded), probability: 1 }];
  const telling = observations && plausible(kernel, observations);
  const message = telling ? messageAt(kernel, telling, cell) : null;
  return likeliestColors(logits, predicted.network.codebook, light, k, message);
}

/**
 * What observations say of one cell, as the factor exp(η · d - ½ dᵀ Λ d) of the probability of the distance d from the
 * mean.
 *
 * @param {import("./kernel.js").Kernel} kernel
 * @param {import("./spread.js").Observations} observations
 * @param {number} cell
 * @returns {{eta: [number, number], precision: [number, number, number, number]}} η, and Λ row by row, in Lab units
 */
export function messageAt(kernel, observations, cell) {
  const whole = new Whole(kernel, observations);
  const { cells, ab } = observations;
  const residual = ab.map((color, at) =>
    color.map((value, c) => (Number.isNaN(value) ? 0 : value - kernel.mean[c][cells[at]])),
  );
  const scale = kernel.scaleAt(cell);
  const [mean, explained] = whole.at(residual, cell);
  // What the observations add is the quotient of the Gaussians after and before, widened by the bins.
  const prior = kernel.ownCovariance(cell);
  const [before, after] = [prior, prior.map((value, at) => value - explained[at])].map((each) =>
    plusIdentity(times2(times2(scale, each), transposed(scale)), LEAST_VARIANCE),
  );
  const [sharp, blunt] = [inverse2(after), inverse2(before)];
  const added = sharp.map((value, at) => value - blunt[at]);
  const widened = inverse2(
    plusIdentity(
      added.map((value) => BIN_VARIANCE * value),
      1,
    ),
  );
  return { eta: applied(times2(widened, sharp), mean), precision: times2(widened, added) };
}

function plusIdentity([a, b, c, d], value) {
  return [a + value, b, c, d + value];
}

function transposed([a, b, c, d]) {
  return [a, c, b, d];
}

function applied([a, b, c, d], [x, y]) {
  return [a * x + b * y, c * x + d * y];
}

/**
 * Finds the likeliest distinct colors of a distribution, by weighted k-means over bins (Lloyd 1982).
 *
 * @param {Float64Array} logits of each bin
 * @param {[number, number][]} centers a and b of each bin in Lab units
 * @param {number} light L of the place, 0..100
 * @param {number} k number of colors
 * @param {{eta: number[], precision: number[]}|null} message what hints say, from `messageAt`
 * @returns {{color: string, ab: [number, number], probability: number}[]} at most k, the likeliest first
 */
export function likeliestColors(logits, centers, light, k, message = null) {
  const p = message ? softmax(withMessage(logits, centers, message)) : softmax(logits);
  let means = firstMeans(p, centers, k);
  let weights = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const sums = means.map(() => [0, 0, 0]);
    centers.forEach((center, bin) => {
      const sum = sums[indexOfMost(means.map((mean) => -distance(center, mean)))];
      sum[0] += p[bin] * center[0];
      sum[1] += p[bin] * center[1];
      sum[2] += p[bin];
    });
    weights = sums.map((sum) => sum[2]);
    means = sums.map(([a, b, weight], number) => (weight > 0 ? [a / weight, b / weight] : means[number]));
  }
  return merged(means, weights)
    .map(({ mean, probability }) => ({ color: hexadecimal(light, mean), ab: mean.map(rounded), probability }))
    .sort((one, other) => other.probability - one.probability);
}

function withMessage(logits, centers, { eta, precision }) {
  const p = softmax(logits);
  const mean = [0, 1].map((c) => centers.reduce((sum, center, bin) => sum + p[bin] * center[c], 0));
  return logits.map((value, bin) => {
    const distance = centers[bin].map((at, c) => at - mean[c]);
    const [a, b] = applied(precision, distance);
    return value + eta[0] * distance[0] + eta[1] * distance[1] - 0.5 * (a * distance[0] + b * distance[1]);
  });
}

function softmax(logits) {
  const most = Math.max(...logits);
  const likely = logits.map((value) => Math.exp(value - most));
  const total = likely.reduce((sum, value) => sum + value, 0);
  return likely.map((value) => value / total);
}

/** The likeliest bin, and then bins that are likely and far from those before. */
function firstMeans(p, centers, k) {
  const chosen = [indexOfMost(p)];
  while (chosen.length < Math.min(k, p.length)) {
    const gains = centers.map((center, bin) => {
      const gap = Math.min(...chosen.map((other) => distance(center, centers[other])));
      return gap > DISTINCT ? p[bin] * gap * gap : 0;
    });
    chosen.push(indexOfMost(gains));
  }
  return chosen.map((bin) => centers[bin]);
}

/** Leaves out means that are rare, and adds the weights of those that are near a likelier one to it. */
function merged(means, weights) {
  const found = [];
  const order = means.map((_, number) => number).sort((one, other) => weights[other] - weights[one]);
  for (const number of order) {
    const near = found.find(({ mean }) => distance(mean, means[number]) < DISTINCT);
    if (near) near.probability += weights[number];
    else if (weights[number] >= LEAST_PROBABILITY) found.push({ mean: means[number], probability: weights[number] });
  }
  return found;
}

function rounded(value) {
  return Math.round(100 * value) / 100;
}

function indexOfMost(values) {
  let found = 0;
  for (let at = 1; at < values.length; at += 1) if (values[at] > values[found]) found = at;
  return found;
}

function distance(one, other) {
  return Math.hypot(one[0] - other[0], one[1] - other[1]);
}

function hexadecimal(light, [a, b]) {
  const rgb = new Uint8Array(3);
  writeRgb(light, a, b, rgb, 0);
  return `#${Array.from(rgb, (value) => value.toString(16).padStart(2, "0")).join("")}`;
}
