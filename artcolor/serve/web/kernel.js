/**
 * How the color of one cell tells of the color of another. The same as artcolor/models/kernel.py; what the network knows
 * of each cell, the embedding, comes from the ONNX file.
 */

// Columns of cells that are no longer observed, but may be again, when a hint is moved back.
const SPARE_COLUMNS = 64;

export class Kernel {
  /**
   * @param {Float32Array} embedding `(C, h, w)` of one picture, padding included
   * @param {[number, number]} padded h and w
   * @param {[number, number]} grid height and width of the part that the picture covers
   * @param {{near: number[], rank: number, mixing: number[][][], objects: [number, number][]}} stated in the ONNX file
   */
  constructor(embedding, padded, grid, { near, rank, mixing, objects }) {
    this.grid = grid;
    this.cells = grid[0] * grid[1];
    this.rank = rank;
    this.objects = objects;
    const planes = planesOf(embedding, padded, grid);
    const take = (count) => planes.splice(0, count);
    this.near = near.map(take);
    this.amplitude = take(near.length);
    // Of a and of b.
    this.shared = [take(rank), take(rank)];
    this.scale = take(4);
    [this.noise] = take(1);
    this.mean = take(2);
    // Each is symmetric: the covariance of a, that of a and b, and that of b.
    this.parts = mixing.map(([[a, b], [c, d]]) => [a * a + b * b, a * c + b * d, c * c + d * d]);
    this.columns = new Map();
  }

  /**
   * How all cells are related to one.
   *
   * @param {number} cell
   * @returns {{aa: Float32Array, ab: Float32Array, bb: Float32Array, squared: Float32Array}} the covariance without the
   *   part of low rank, and the squared distance by which objects are told apart
   */
  column(cell) {
    let found = this.columns.get(cell);
    if (found) return found;
    found = Object.fromEntries(["aa", "ab", "bb", "squared"].map((name) => [name, new Float32Array(this.cells)]));
    const { aa, ab, bb, squared } = found;
    const distance = new Float32Array(this.cells);
    this.parts.forEach(([inA, inBoth, inB], part) => {
      this.#distances(part, cell, distance);
      const factor = this.objects.find(([number]) => number === part)?.[1];
      if (factor) for (let at = 0; at < distance.length; at += 1) squared[at] += factor * distance[at];
      const amplitude = this.amplitude[part];
      const own = amplitude[cell];
      for (let at = 0; at < distance.length; at += 1) {
        const alike = own * amplitude[at] * Math.exp(-0.5 * distance[at]);
        aa[at] += inA * alike;
        ab[at] += inBoth * alike;
        bb[at] += inB * alike;
      }
    });
    this.columns.set(cell, found);
    return found;
  }

  /** Forgets columns that were needed long ago. Called with the cells that are needed now. */
  forgetAllBut(cells) {
    const needed = new Set(cells);
    for (const cell of this.columns.keys()) {
      if (this.columns.size <= needed.size + SPARE_COLUMNS) return;
      if (!needed.has(cell)) this.columns.delete(cell);
    }
  }

  /** The part of low rank of the covariance of two cells: of channels `one` and `other`, 0 for a and 1 for b. */
  sharedBetween(cell, one, otherCell, other) {
    let sum = 0;
    const [first, second] = [this.shared[one], this.shared[other]];
    for (let at = 0; at < this.rank; at += 1) sum += first[at][cell] * second[at][otherCell];
    return sum;
  }

  /** The covariance of a cell's own a and b: `[aa, ab, ba, bb]`. */
  ownCovariance(cell) {
    const found = [0, 0, 0, 0];
    this.parts.forEach(([aa, ab, bb], part) => {
      const variance = this.amplitude[part][cell] ** 2;
      [aa, ab, ab, bb].forEach((value, at) => {
        found[at] += variance * value;
      });
    });
    return found.map((value, at) => value + this.sharedBetween(cell, at >> 1, cell, at & 1));
  }

  /** The square root of the predicted covariance of a cell, `[aa, ab, ba, bb]`. */
  scaleAt(cell) {
    return this.scale.map((plane) => plane[cell]);
  }

  /** Squared distances of a part's coordinates. */
  #distances(part, cell, out) {
    out.fill(0);
    for (const plane of this.near[part]) {
      const own = plane[cell];
      for (let at = 0; at < out.length; at += 1) {
        const gap = plane[at] - own;
        out[at] += gap * gap;
      }
    }
  }
}

/** The part of each plane that the picture covers. */
function planesOf(values, [height, width], [rows, columns]) {
  const count = values.length / (height * width);
  return Array.from({ length: count }, (_, plane) => {
    if (height === rows && width === columns) return values.subarray(plane * rows * columns, (plane + 1) * rows * columns);
    const result = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row += 1) {
      const start = (plane * height + row) * width;
      result.set(values.subarray(start, start + columns), row * columns);
    }
    return result;
  });
}
