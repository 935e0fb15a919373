/**
 * From the logits of a network to chroma. The same as `DistributionHead` in artcolor/models/heads.py and `Codebook` in
 * artcolor/color/codebook.py.
 */

// Bins that are so much less likely than the likeliest, as a logarithm, do not change a mean.
const NEGLIGIBLE = -20;

/**
 * Completes a decoding by the defaults of a network, as artcolor/models/head_settings.py does.
 *
 * @param {{vividness?: number, temperature?: number}} decoding what is wanted
 * @param {{vividness: number, temperature: number}} defaults
 * @returns {{vividness: number, temperature: number}} below the default vividness, the default temperature rises
 */
export function effective(decoding, defaults) {
  const vividness = decoding.vividness ?? defaults.vividness;
  const share = defaults.vividness > 0 ? Math.min(1, vividness / defaults.vividness) : 1;
  return { vividness, temperature: decoding.temperature ?? defaults.temperature ** share };
}

/** The predicted distribution over the colors of a picture, kept so that each change of a setting is quick. */
export class Distribution {
  /**
   * @param {Float32Array} logits `(Q, h, w)` of one picture, padding included
   * @param {[number, number]} padded h and w
   * @param {{lightness: Float32Array, size: [number, number], grid: [number, number]}} seen from `look`
   * @param {object} network what the ONNX file says of itself, from `readMetadata`
   */
  constructor(logits, padded, seen, network) {
    this.network = network;
    this.grid = seen.grid;
    this.cells = seen.grid[0] * seen.grid[1];
    this.bins = network.codebook.length;
    this.logits = cropped(logits, padded, seen.grid, this.bins);
    this.lightBins = lightBins(seen, network, padded);
    this.plain = null;
  }

  /**
   * Computes chroma.
   *
   * @param {{vividness?: number, temperature?: number, strength?: number}} decoding omitted ones are the defaults
   * @returns {Float32Array} ab `(2, rows, columns)` in Lab units, of the size of `grid`
   */
  chroma(decoding = {}) {
    const { vividness, temperature } = effective(decoding, this.network);
    const { limit, cast, offset } = this.network.head;
    const share = Math.min(1, vividness);
    const ab = this.annealedMean(temperature, vividness);
    if (limit && share > 0) limitChroma(ab, limit, share);
    if (cast > 0 && share > 0) {
      this.plain ??= this.annealedMean(1, 0);
      addTint(ab, this.plain, share * cast);
    }
    const strength = decoding.strength ?? 1;
    for (let at = 0; at < ab.length; at += 1) {
      ab[at] = (ab[at] + share * offset[at < this.cells ? 0 : 1]) * strength;
    }
    return ab;
  }

  /** The mean color of the distribution sharpened by T, with class weights to the power of the vividness. */
  annealedMean(temperature, vividness) {
    const { cells, bins, logits, lightBins: rows } = this;
    const { power, log_weights: table } = this.network.head;
    const weights = Float32Array.from(table.flat(), (weight) => vividness * power * weight);
    const scores = new Float32Array(bins * cells);
    const most = new Float32Array(cells).fill(-Infinity);
    for (let bin = 0, at = 0; bin < bins; bin += 1) {
      for (let cell = 0; cell < cells; cell += 1, at += 1) {
        const score = (logits[at] + weights[rows[cell] * bins + bin]) / temperature;
        scores[at] = score;
        if (score > most[cell]) most[cell] = score;
      }
    }
    const sumA = new Float64Array(cells);
    const sumB = new Float64Array(cells);
    const total = new Float64Array(cells);
    for (let bin = 0, at = 0; bin < bins; bin += 1) {
      const [a, b] = this.network.codebook[bin];
      for (let cell = 0; cell < cells; cell += 1, at += 1) {
        const score = scores[at] - most[cell];
        if (score > NEGLIGIBLE) {
          const likely = Math.exp(score);
          sumA[cell] += likely * a;
          sumB[cell] += likely * b;
          total[cell] += likely;
        }
      }
    }
    const ab = new Float32Array(2 * cells);
    for (let cell = 0; cell < cells; cell += 1) {
      ab[cell] = sumA[cell] / total[cell];
      ab[cells + cell] = sumB[cell] / total[cell];
    }
    return ab;
  }

  /**
   * The entropy of the learned distribution relative to the uniform one's.
   *
   * @returns {Float32Array} `(rows, columns)` in 0..1
   */
  entropy() {
    const { cells, bins, logits } = this;
    return Float32Array.from({ length: cells }, (_, cell) => {
      let [most, total, product] = [-Infinity, 0, 0];
      for (let at = cell; at < logits.length; at += cells) most = Math.max(most, logits[at]);
      for (let at = cell; at < logits.length; at += cells) {
        const likely = Math.exp(logits[at] - most);
        total += likely;
        product += likely * (logits[at] - most);
      }
      return Math.min(1, Math.max(0, (Math.log(total) - product / total) / Math.log(bins)));
    });
  }
}

/** The part of `(Q, h, w)` that the picture covers. */
function cropped(logits, [height, width], [rows, columns], bins) {
  if (height === rows && width === columns) return logits;
  const result = new Float32Array(bins * rows * columns);
  for (let line = 0; line < bins * rows; line += 1) {
    const start = (Math.floor(line / rows) * height + (line % rows)) * width;
    result.set(logits.subarray(start, start + columns), line * columns);
  }
  return result;
}

/** For each cell, the row of the class weights that its mean L selects. */
function lightBins({ lightness, size: [, width], grid: [rows, columns] }, { head, out_stride: side }) {
  const count = head.log_weights.length;
  const result = new Uint8Array(rows * columns);
  for (let cell = 0; count > 1 && cell < result.length; cell += 1) {
    const corner = Math.floor(cell / columns) * side * width + (cell % columns) * side;
    let sum = 0;
    for (let at = 0; at < side * side; at += 1) sum += lightness[corner + Math.floor(at / side) * width + (at % side)];
    const mean = sum / (side * side);
    result[cell] = Math.min(count - 1, Math.max(0, Math.trunc(mean / (100 / count))));
  }
  return result;
}

/** Compresses high chroma smoothly, at constant hue, as `limit_chroma` in artcolor/color/lab.py. */
function limitChroma(ab, [knee, limit], share) {
  const cells = ab.length / 2;
  const room = limit - knee;
  for (let cell = 0; cell < cells; cell += 1) {
    const chroma = Math.hypot(ab[cell], ab[cells + cell]);
    if (chroma > knee) {
      const factor = 1 + share * ((knee - room * Math.expm1((knee - chroma) / room)) / chroma - 1);
      ab[cell] *= factor;
      ab[cells + cell] *= factor;
    }
  }
}

/** Moves the mean color of a picture toward another picture's. */
function addTint(ab, plain, share) {
  const cells = ab.length / 2;
  for (const start of [0, cells]) {
    let tint = 0;
    for (let at = start; at < start + cells; at += 1) tint += plain[at] - ab[at];
    for (let at = start; at < start + cells; at += 1) ab[at] += (share * tint) / cells;
  }
}
