/**
 * Spreads the colors of some cells over a picture. The same as artcolor/models/spread.py and
 * artcolor/models/conditioning.py.
 */

import { cholesky, inverse2, solve, solveLower } from "./linear.js";
import { roundHalfEven } from "./planes.js";

const LEAST_NOISE = 1e-5;
const LOCAL_NOISE = 0.03;
const FEW = 5;
const SHADE = 10;
const LARGEST = 1.5;
const UNLIKELY = 3;
const UNLIKELY_RANGE = 2;
const MOSTLY = 0.5;

/**
 * @typedef {object} Observations what a person says of the colors of a picture
 * @property {number[]} cells numbers of the observed cells, row by row, each once
 * @property {[number, number][]} ab in Lab units; NaN where the prediction is kept
 */

/**
 * Spreads what is known over a prediction.
 *
 * @param {import("./kernel.js").Kernel} kernel
 * @param {Float32Array} ab `(2, h, w)` in Lab units; changed in place
 * @param {Observations} observations
 * @returns {Float32Array} the same array
 */
export function conditioned(kernel, ab, observations) {
  const { cells } = observations;
  if (!cells.length) return ab;
  const count = kernel.cells;
  const now = cells.map((cell) => [ab[cell], ab[count + cell]]);
  const wanted = observations.ab.map((color, at) => color.map((value, c) => (Number.isNaN(value) ? now[at][c] : value)));
  const difference = wanted.map((color, at) => color.map((value, c) => value - now[at][c]));
  const whole = new Whole(kernel, observations);
  const share = likelyShare(whole, kernel, observations);
  const spread = whole.spread(difference.map((color, at) => color.map((value) => share[at] * value)));
  addLimited(ab, spread, LARGEST * longest(difference));
  const rest = wanted.map((color, at) => color.map((value, c) => value - ab[c * count + cells[at]]));
  addLimited(ab, spreadLocally(kernel, observations, rest), longest(rest));
  kernel.forgetAllBut(cells);
  return ab;
}

/** The observations that tell of the whole picture, and not only of one object; null if there are none. */
export function plausible(kernel, observations) {
  if (!observations.cells.length) return null;
  const share = likelyShare(new Whole(kernel, observations), kernel, observations);
  const likely = (_, at) => share[at] >= MOSTLY;
  const cells = observations.cells.filter(likely);
  return cells.length ? { cells, ab: observations.ab.filter(likely) } : null;
}

/** The Gaussian process of the kernel, given some cells. */
export class Whole {
  constructor(kernel, observations) {
    const { cells } = observations;
    this.kernel = kernel;
    this.observations = observations;
    this.size = 2 * cells.length;
    const n = this.size;
    const matrix = new Float64Array(n * n);
    const shared = cells.map((cell) => kernel.shared.map((planes) => Float64Array.from(planes, (plane) => plane[cell])));
    this.shared = shared;
    this.deviation = new Float64Array(n);
    cells.forEach((cell, row) => {
      const { aa, ab, bb } = kernel.column(cell);
      for (let column = 0; column <= row; column += 1) {
        const other = cells[column];
        const at = 2 * row * n + 2 * column;
        const [ownA, ownB] = shared[row];
        const [otherA, otherB] = shared[column];
        matrix[at] = aa[other] + dot(ownA, otherA);
        matrix[at + 1] = ab[other] + dot(ownA, otherB);
        matrix[at + n] = ab[other] + dot(ownB, otherA);
        matrix[at + n + 1] = bb[other] + dot(ownB, otherB);
      }
      const variance = kernel.noise[cell] ** 2 + LEAST_NOISE;
      for (const at of [2 * row, 2 * row + 1]) {
        matrix[at * n + at] += variance;
        this.deviation[at] = Math.sqrt(matrix[at * n + at]);
      }
    });
    this.factor = cholesky(matrix, n);
  }

  /** Divides differences `(k, 2)` in Lab units by the scale of their cells: `(2 · k)`. */
  scaled(residual) {
    const { cells } = this.observations;
    return Float64Array.from(
      residual.flatMap(([a, b], at) => {
        const [p, q, r, s] = inverse2(this.kernel.scaleAt(cells[at]));
        return [p * a + q * b, r * a + s * b];
      }),
    );
  }

  /** How far differences are from what is expected, in standard deviations. */
  surprise(residual) {
    const scaled = this.scaled(residual).map((value, at) => value / this.deviation[at]);
    return residual.map((_, at) => Math.hypot(scaled[2 * at], scaled[2 * at + 1]));
  }

  /** The mean of the process given differences `(k, 2)` in Lab units: `(2, h, w)`. */
  spread(residual) {
    const { kernel } = this;
    const weights = solve(this.factor, this.size, this.scaled(residual));
    const [a, b] = [new Float64Array(kernel.cells), new Float64Array(kernel.cells)];
    const common = new Float64Array(kernel.rank);
    this.observations.cells.forEach((cell, at) => {
      const { aa, ab, bb } = kernel.column(cell);
      const [forA, forB] = [weights[2 * at], weights[2 * at + 1]];
      for (let place = 0; place < a.length; place += 1) {
        a[place] += aa[place] * forA + ab[place] * forB;
        b[place] += ab[place] * forA + bb[place] * forB;
      }
      const [sharedA, sharedB] = this.shared[at];
      for (let rank = 0; rank < common.length; rank += 1) common[rank] += sharedA[rank] * forA + sharedB[rank] * forB;
    });
    // What the whole picture has in common is summed over the cells first.
    common.forEach((weight, rank) => {
      const [planeA, planeB] = kernel.shared.map((planes) => planes[rank]);
      for (let place = 0; place < a.length; place += 1) {
        a[place] += planeA[place] * weight;
        b[place] += planeB[place] * weight;
      }
    });
    return inLab(kernel, a, b);
  }

  /**
   * The process at one cell.
   *
   * @param {[number, number][]} residual differences of the observed cells in Lab units
   * @param {number} cell
   * @returns {[[number, number], number[]]} its mean in Lab units, and the covariance that the observations explain, in
   *   scaled units
   */
  at(residual, cell) {
    const { kernel, size } = this;
    const rows = [0, 1].map((own) => {
      const row = new Float64Array(size);
      this.observations.cells.forEach((other, at) => {
        const { aa, ab, bb } = kernel.column(other);
        row[2 * at] = (own ? ab : aa)[cell] + kernel.sharedBetween(cell, own, other, 0);
        row[2 * at + 1] = (own ? bb : ab)[cell] + kernel.sharedBetween(cell, own, other, 1);
      });
      return row;
    });
    const weights = solve(this.factor, size, this.scaled(residual));
    const [p, q, r, s] = kernel.scaleAt(cell);
    const [a, b] = rows.map((row) => dot(row, weights));
    const [first, second] = rows.map((row) => solveLower(this.factor, size, row));
    const both = dot(first, second);
    return [[p * a + q * b, r * a + s * b], [dot(first, first), both, both, dot(second, second)]];
  }
}

/** Spreads differences that are peculiar to objects, nearly without noise. The more colors, the smaller the objects. */
function spreadLocally(kernel, { cells, ab }, rest) {
  const n = cells.length;
  const factor = 3 * Math.max(1, colorsOf(ab) / FEW);
  const alike = (squared) => {
    const distance = Math.sqrt(factor * squared);
    return (1 + distance) * Math.exp(-distance);
  };
  const matrix = new Float64Array(n * n);
  cells.forEach((cell, row) => {
    const { squared } = kernel.column(cell);
    for (let column = 0; column <= row; column += 1) matrix[row * n + column] = alike(squared[cells[column]]);
    matrix[row * n + row] += LOCAL_NOISE ** 2 + LEAST_NOISE;
  });
  cholesky(matrix, n);
  // a and b do not tell of each other.
  const scaled = new Float64Array(2 * n);
  rest.forEach(([a, b], at) => {
    const [p, q, r, s] = inverse2(kernel.scaleAt(cells[at]));
    scaled[at] = p * a + q * b;
    scaled[n + at] = r * a + s * b;
  });
  const [weightsA, weightsB] = [scaled.subarray(0, n), scaled.subarray(n)].map((half) => solve(matrix, n, half));
  const [a, b] = [new Float64Array(kernel.cells), new Float64Array(kernel.cells)];
  cells.forEach((cell, at) => {
    const { squared } = kernel.column(cell);
    const [forA, forB] = [weightsA[at], weightsB[at]];
    for (let place = 0; place < a.length; place += 1) {
      const share = alike(squared[place]);
      a[place] += share * forA;
      b[place] += share * forB;
    }
  });
  return inLab(kernel, a, b);
}

/** The share of each observation that tells of the whole picture: not that of a color that the model finds impossible. */
function likelyShare(whole, kernel, { cells, ab }) {
  const residual = ab.map((color, at) =>
    color.map((value, c) => (Number.isNaN(value) ? 0 : value - kernel.mean[c][cells[at]])),
  );
  const start = UNLIKELY + Math.log(Math.max(1, colorsOf(ab)));
  return whole.surprise(residual).map((surprise) => Math.min(1, Math.max(0, 1 - (surprise - start) / UNLIKELY_RANGE)));
}

function colorsOf(ab) {
  const known = ab.filter((color) => !color.some(Number.isNaN));
  const shade = (value) => roundHalfEven(Math.fround(Math.fround(value) / SHADE));
  return new Set(known.map((color) => `${color.map(shade)}`)).size;
}

function longest(differences) {
  return Math.max(...differences.map(([a, b]) => Math.hypot(a, b)));
}

/** Adds changes, the longest of them shortened. */
export function addLimited(ab, change, most) {
  const count = ab.length / 2;
  for (let at = 0; at < count; at += 1) {
    const [a, b] = [change[at], change[count + at]];
    const factor = Math.min(1, most / Math.max(1e-6, Math.sqrt(a * a + b * b)));
    ab[at] += factor * a;
    ab[count + at] += factor * b;
  }
}

/** From scaled units to Lab units: `(2, h, w)`. */
function inLab({ scale: [p, q, r, s], cells }, a, b) {
  const found = new Float32Array(2 * cells);
  for (let at = 0; at < cells; at += 1) {
    found[at] = p[at] * a[at] + q[at] * b[at];
    found[cells + at] = r[at] * a[at] + s[at] * b[at];
  }
  return found;
}

function dot(one, other) {
  let sum = 0;
  for (let at = 0; at < one.length; at += 1) sum += one[at] * other[at];
  return sum;
}
