/**
 * Hints on the grid of a network's output, and the guarantee that they are met exactly. The same as
 * artcolor/engine/observations.py and artcolor/engine/hints_on_picture.py, for points and strokes.
 */

import { rgbToLab } from "./color.js";
import { Failure } from "./failure.js";
import { cholesky, solve } from "./linear.js";
import { chromaTaps, roundHalfEven } from "./planes.js";
import { addLimited } from "./spread.js";

const CELLS_OF_HINT = 48;
const CELLS = 600;
const EXACT = 2000;
const VARIANCE = 0.02;
const ROUNDS = 3;
const LARGEST = 1.2;
const UNKNOWN = [NaN, NaN];
const STROKE_POINTS = 48;
const STROKE_STEP = 1 / 64;
const SURVIVING = 5;

/**
 * Rasterizes hints.
 *
 * @param {import("./hint_files.js").Hint[]} hints where several say something of one cell, the last one counts
 * @param {[number, number]} grid height and width
 * @returns {import("./spread.js").Observations}
 */
export function observe(hints, grid) {
  const colors = new Map();
  for (const { points, radius, ab } of hints) {
    for (const cell of thinned(cellsNear(points, radius, grid), CELLS_OF_HINT)) colors.set(cell, ab ?? UNKNOWN);
  }
  const cells = thinned(
    [...colors.keys()].sort((one, other) => one - other),
    CELLS,
  );
  return { cells, ab: cells.map((cell) => colors.get(cell)) };
}

/**
 * Changes chroma around points and strokes, as little as possible, so that the full-size picture meets them.
 *
 * @param {Float32Array} ab `(2, h, w)` in Lab units, already near the colors of the hints; changed in place
 * @param {import("./hint_files.js").Hint[]} hints
 * @param {[number, number]} grid h and w
 * @param {[number, number]} size height and width of the picture in pixels
 * @returns {Float32Array} the same array
 */
export function enforce(ab, hints, grid, size) {
  const colors = new Map();
  for (const hint of hints) {
    if (hint.ab) for (const [x, y] of hint.points) colors.set(`${x} ${y}`, { x, y, ab: hint.ab });
  }
  const places = oneACell([...colors.values()], grid);
  const chosen = thinned(places, EXACT);
  const n = chosen.length;
  if (!n) return ab;
  const count = grid[0] * grid[1];
  const rows = chosen.map((place) => weightsOf(place, grid, size));
  const missing = [new Float64Array(n), new Float64Array(n)];
  chosen.forEach((place, at) => {
    const row = rows[at];
    const length = Math.hypot(...row.weights);
    for (let c = 0; c < 2; c += 1) {
      let sum = 0;
      row.cells.forEach((cell, tap) => {
        sum += row.weights[tap] * ab[c * count + cell];
      });
      missing[c][at] = (place.ab[c] - sum) / length;
    }
    row.weights = row.weights.map((weight) => weight / length);
  });
  const factor = cholesky(products(rows), n);
  const change = new Float64Array(2 * count);
  // Repeated, it meets points that stand alone; those that contradict each other stay a compromise.
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let c = 0; c < 2; c += 1) {
      const rest = missing[c].map((value, at) => {
        const { cells, weights } = rows[at];
        return cells.reduce((left, cell, tap) => left - weights[tap] * change[c * count + cell], value);
      });
      solve(factor, n, rest).forEach((value, at) => {
        const { cells, weights } = rows[at];
        cells.forEach((cell, tap) => {
          change[c * count + cell] += weights[tap] * value;
        });
      });
    }
  }
  let most = 0;
  for (let at = 0; at < n; at += 1) most = Math.max(most, Math.hypot(missing[0][at], missing[1][at]));
  addLimited(ab, change, LARGEST * most);
  return ab;
}

/**
 * Gives hints the colors of the picture where they ask for them.
 *
 * @param {import("./hint_files.js").Hint[]} hints
 * @param {Uint8Array|Uint8ClampedArray} pixels RGBA
 * @param {[number, number]} size height and width
 * @returns {import("./hint_files.js").Hint[]} a stroke becomes points, because its color differs along it
 */
export function withOwnColors(hints, pixels, size) {
  return hints.flatMap((hint) => {
    if (!hint.fromPicture) return [hint];
    const made = alongStroke(hint.points, size).map(([x, y]) => {
      const ab = colorAround([x, y], pixels, size);
      const entry = { ...hint.entry, polyline: null, x, y, color: ab };
      return { ...hint, entry, fromPicture: false, points: [[x, y]], ab };
    });
    // Python also tells a tone from colors, by the whole picture.
    if (made.some(({ ab }) => Math.hypot(...ab) > SURVIVING)) return made;
    throw new Failure(
      "hints",
      `${hint.where}: its color is "picture", but the picture is gray there; give a color such as '#27408b'`,
    );
  });
}

/** The median color of three by three pixels. */
function colorAround([x, y], pixels, [height, width]) {
  const column = Math.min(Math.trunc(x * width), width - 1);
  const row = Math.min(Math.trunc(y * height), height - 1);
  const colors = [];
  for (const down of [-1, 0, 1]) {
    for (const across of [-1, 0, 1]) {
      const from = Math.min(height - 1, Math.max(0, row + down)) * width;
      const at = 4 * (from + Math.min(width - 1, Math.max(0, column + across)));
      colors.push(rgbToLab(pixels[at], pixels[at + 1], pixels[at + 2]));
    }
  }
  return [1, 2].map((channel) => Math.round(100 * colors.map((lab) => lab[channel]).sort((a, b) => a - b)[4]) / 100 + 0);
}

/** Points along a stroke, or the place of a point. */
function alongStroke(points, [height, width]) {
  const sides = [width, height].map((side) => side / Math.min(height, width));
  const path = along(
    points.map((point) => point.map((at, axis) => at * sides[axis])),
    STROKE_STEP,
  );
  const count = Math.min(path.length, STROKE_POINTS);
  const step = count > 1 ? (path.length - 1) / (count - 1) : 0;
  return Array.from({ length: count }, (_, number) =>
    path[roundHalfEven(number * step)].map((at, axis) => Math.min(1, Math.max(0, at / sides[axis]))),
  );
}

/** Fills the corners of a stroke up to a line of points. */
function along(path, spacing) {
  const filled = [path[0]];
  for (let corner = 1; corner < path.length; corner += 1) {
    const [start, stop] = [path[corner - 1], path[corner]];
    const gap = stop.map((at, axis) => at - start[axis]);
    const count = Math.max(1, Math.ceil(Math.hypot(...gap) / spacing));
    for (let number = 1; number <= count; number += 1) {
      filled.push(start.map((at, axis) => at + (number === count ? 1 : number * (1 / count)) * gap[axis]));
    }
  }
  return filled;
}

/** Cells whose centers are within a radius of a path, and those that the path passes through. */
function cellsNear(points, radius, [rows, columns]) {
  const near = new Uint8Array(rows * columns);
  const reach = radius * Math.min(rows, columns);
  for (const line of lines(points.map(([x, y]) => [x * columns, y * rows]))) {
    for (const [x, y] of line) near[Math.min(Math.trunc(y), rows - 1) * columns + Math.min(Math.trunc(x), columns - 1)] = 1;
    const [[x, y], [endX, endY]] = [line[0], line.at(-1)];
    const parts = Math.max(1, line.length - 1);
    const [across, down] = [(endX - x) / parts, (endY - y) / parts];
    const squared = Math.max(across ** 2 + down ** 2, 1e-12);
    const bottom = Math.min(rows, Math.max(y, endY) + reach + 1);
    for (let row = Math.max(0, Math.floor(Math.min(y, endY) - reach - 1)); row < bottom; row += 1) {
      // Where the line is within reach of this row.
      const level = row + 0.5 - y;
      const bounds = [-1, 1].map((side) => (down ? (level + side * (reach + 1)) / down : side * Infinity));
      const [from, to] = bounds.map((at) => x + Math.min(parts, Math.max(0, at)) * across);
      const right = Math.min(columns, Math.max(from, to) + reach + 1);
      for (let column = Math.max(0, Math.floor(Math.min(from, to) - reach - 1)); column < right; column += 1) {
        const cell = row * columns + column;
        if (near[cell]) continue;
        // The points of the line are evenly spaced: one of two is the nearest.
        const before = Math.trunc(((column + 0.5 - x) * across + level * down) / squared);
        for (let number = before; number <= before + 1; number += 1) {
          const point = line[Math.min(Math.max(number, 0), line.length - 1)];
          if ((column + 0.5 - point[0]) ** 2 + (row + 0.5 - point[1]) ** 2 <= reach ** 2) near[cell] = 1;
        }
      }
    }
  }
  return Array.from(near.keys()).filter((cell) => near[cell]);
}

/** The points of each straight part of a path, each part once. */
function* lines(corners) {
  yield corners.slice(0, 1);
  const seen = new Set();
  for (let corner = 1; corner < corners.length; corner += 1) {
    const part = corners.slice(corner - 1, corner + 1);
    if (!seen.has(`${part}`)) yield along(part, 0.5).slice(1);
    seen.add(`${part}`);
  }
}

/** At most so many of the values, scattered evenly but not on a lattice: as their numbers, hashed, decide. */
function thinned(values, count) {
  if (values.length <= count) return values;
  const order = values.map((_, number) => ({ number, hash: mixed(number) })).sort((one, other) => one.hash - other.hash);
  const chosen = order.slice(0, count).map(({ number }) => number);
  return chosen.sort((one, other) => one - other).map((number) => values[number]);
}

/** A hash of 32 bits (lowbias32 by Chris Wellons, public domain). */
function mixed(number) {
  let hash = Math.imul(number ^ (number >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Averages places and colors of points of different colors in one cell, which cannot have both. */
function oneACell(places, [rows, columns]) {
  const cells = new Map();
  for (const place of places) {
    const cell = `${Math.trunc(place.y * rows)} ${Math.trunc(place.x * columns)}`;
    cells.set(cell, [...(cells.get(cell) ?? []), place]);
  }
  return [...cells.values()].flatMap((group) => {
    if (new Set(group.map(({ ab }) => `${ab}`)).size === 1) return group;
    const mean = (get) => group.reduce((sum, place) => sum + get(place), 0) / group.length;
    return [{ x: mean(({ x }) => x), y: mean(({ y }) => y), ab: [0, 1].map((c) => mean(({ ab }) => ab[c])) }];
  });
}

/** How the pixel of a place is made of cells. */
function weightsOf({ x, y }, grid, size) {
  const [down, across] = [y, x].map((at, axis) => {
    const pixel = Math.min(Math.trunc(at * size[axis]), size[axis] - 1);
    return chromaTaps(grid[axis], size[axis], [pixel])[0];
  });
  const found = new Map();
  down.columns.forEach((row, one) => {
    across.columns.forEach((column, other) => {
      const cell = row * grid[1] + column;
      found.set(cell, (found.get(cell) ?? 0) + down.weights[one] * across.weights[other]);
    });
  });
  return { cells: [...found.keys()], weights: [...found.values()] };
}

/** The products of all rows with each other, and the variance on the diagonal. */
function products(rows) {
  const n = rows.length;
  const matrix = new Float64Array(n * n);
  const users = new Map();
  rows.forEach(({ cells, weights }, at) => {
    cells.forEach((cell, tap) => {
      if (!users.has(cell)) users.set(cell, []);
      users.get(cell).push([at, weights[tap]]);
      for (const [other, weight] of users.get(cell)) matrix[at * n + other] += weights[tap] * weight;
    });
    matrix[at * n + at] += VARIANCE;
  });
  return matrix;
}
