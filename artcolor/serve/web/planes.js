/**
 * Between pixels and planes: L at the working size for the network, and chroma joined with the full-size L. The same as
 * artcolor/color/planes.py.
 */

import { lightness, writeRgb } from "./color.js";

const KEYS = -0.75;
const WIDEST = 3;
const LONGEST = 32;
const PILLOW_KEYS = -0.5;
// Pillow computes with fixed-point weights of so many bits.
const PRECISION = 2 ** 22;
const BICUBIC = [2, (distance) => cubic(distance, PILLOW_KEYS)];
const BILINEAR = [1, (distance) => Math.max(0, 1 - Math.abs(distance))];

/** As Python rounds: halves to the even number. */
export function roundHalfEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest === 0.5) return below + Math.abs(below % 2);
  return rest < 0.5 ? below : below + 1;
}

/**
 * The size at which a network looks at a picture.
 *
 * @param {number} height of the picture
 * @param {number} width of the picture
 * @param {{size: number, stride: number, out_stride: number}} network what the ONNX file says of itself
 * @returns {[number, number]} height and width
 */
export function workingSize(height, width, { size, stride, out_stride }) {
  let scale = Math.min(size / Math.min(height, width), size * Math.sqrt(WIDEST / (height * width)));
  const short = Math.min(height, width) * scale;
  if (short < 2 * stride) scale *= (2 * stride) / short;
  const side = (pixels) =>
    Math.max(2 * stride, Math.min(LONGEST * size, roundHalfEven((pixels * scale) / out_stride) * out_stride));
  return [side(height), side(width)];
}

/** Pillow's weights of a resize: for each target pixel, the first source pixel and the weights from there on. */
function resizing(source, target, [reach, filter] = BICUBIC) {
  const scale = source / target;
  const stretch = Math.max(1, scale);
  const support = reach * stretch;
  return Array.from({ length: target }, (_, number) => {
    const center = (number + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const last = Math.min(source, Math.trunc(center + support + 0.5));
    const weights = new Float64Array(last - first);
    let total = 0;
    for (let tap = 0; tap < weights.length; tap += 1) {
      weights[tap] = filter((tap + first - center + 0.5) / stretch);
      total += weights[tap];
    }
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

/** The cubic convolution kernel of Keys 1981. */
function cubic(distance, a) {
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/**
 * Resizes 8-bit pixels, bicubic with antialiasing, bit for bit as Pillow does. Newer versions of Pillow sometimes begin
 * with the other side, which makes a difference of a step or two, because they round in between.
 *
 * @param {Uint8Array|Uint8ClampedArray} pixels row by row, channels interleaved
 * @param {number} channels
 * @param {[number, number]} from height and width
 * @param {[number, number]} to height and width
 * @returns {Uint8ClampedArray}
 */
export function resize(pixels, channels, [height, width], [rows, columns]) {
  const across = resizedAlong(pixels, height, width, columns, channels);
  return resizedAlong(across, 1, height, rows, columns * channels);
}

/** Resizes an 8-bit plane linearly, as Pillow does; see `resize`. */
export function bilinear(plane, [height, width], [rows, columns]) {
  const across = resizedAlong(plane, height, width, columns, 1, BILINEAR);
  return resizedAlong(across, 1, height, rows, columns, BILINEAR);
}

/** Resizes the middle axis of `(outer, source, inner)`. */
function resizedAlong(pixels, outer, source, target, inner, filter = BICUBIC) {
  if (source === target) return pixels;
  const result = new Uint8ClampedArray(outer * target * inner);
  const taps = resizing(source, target, filter).map(({ first, weights }) => ({
    first,
    weights: weights.map((weight) => Math.trunc(weight * PRECISION + (weight < 0 ? -0.5 : 0.5))),
  }));
  for (let block = 0; block < outer; block += 1) {
    taps.forEach(({ first, weights }, number) => {
      const start = (block * source + first) * inner;
      const at = (block * target + number) * inner;
      for (let place = 0; place < inner; place += 1) {
        let sum = PRECISION / 2;
        for (let tap = 0, index = start + place; tap < weights.length; tap += 1, index += inner) {
          sum += pixels[index] * weights[tap];
        }
        result[at + place] = Math.floor(sum / PRECISION);
      }
    });
  }
  return result;
}

/**
 * What a network gets to see of a picture.
 *
 * @param {Uint8Array|Uint8ClampedArray} pixels row by row, channels interleaved
 * @param {1|3|4} channels
 * @param {[number, number]} size height and width of the picture
 * @param {{size: number, stride: number, out_stride: number}} network what the ONNX file says of itself
 * @returns {{lightness: Float32Array, size: [number, number], grid: [number, number]}} L, padded by its border to
 *   multiples of the stride; its height and width; and those of the part of the output that is not padding
 */
export function look(pixels, channels, size, network) {
  const { stride, out_stride } = network;
  const [height, width] = workingSize(...size, network);
  const seen = lightness(resize(pixels, channels, size, [height, width]), channels);
  const padded = [height, width].map((side) => Math.ceil(side / stride) * stride);
  const result = new Float32Array(padded[0] * padded[1]);
  for (let row = 0; row < padded[0]; row += 1) {
    const start = Math.min(row, height - 1) * width;
    result.set(seen.subarray(start, start + width), row * padded[1]);
    result.fill(seen[start + width - 1], row * padded[1] + width, (row + 1) * padded[1]);
  }
  return { lightness: result, size: padded, grid: [height, width].map((side) => Math.ceil(side / out_stride)) };
}

/**
 * For some of `target` pixels, or all, the source pixels and weights that make each, as artcolor enlarges and reduces
 * chroma.
 *
 * @returns {{columns: number[], weights: ArrayLike<number>}[]}
 */
export function chromaTaps(source, target, chosen = Array.from({ length: target }, (_, number) => number)) {
  if (target < source) {
    const taps = resizing(source, target);
    return chosen.map((number) => {
      const { first, weights } = taps[number];
      return { columns: Array.from(weights, (_, tap) => first + tap), weights };
    });
  }
  return chosen.map((number) => {
    const center = (number + 0.5) * (source / target) - 0.5;
    const before = Math.floor(center);
    const offsets = [-1, 0, 1, 2];
    return {
      // Beyond the border, its own pixels go on.
      columns: offsets.map((offset) => Math.min(source - 1, Math.max(0, before + offset))),
      weights: offsets.map((offset) => cubic(center - before - offset, KEYS)),
    };
  });
}

/**
 * Brings chroma to full size (bicubic) and joins it with L, within the gamut of sRGB.
 *
 * @param {Float32Array|number} light L in 0..100 of each pixel, row by row; or of all
 * @param {[number, number]} size height and width of the picture
 * @param {Float32Array} ab `(2, h, w)` in Lab units
 * @param {[number, number]} grid h and w
 * @param {Uint8Array|Uint8ClampedArray} [out] RGBA pixels to color, whose alpha stays; otherwise new, opaque ones
 * @returns {Uint8Array|Uint8ClampedArray} RGBA
 */
export function join(light, [height, width], ab, [rows, columns], out) {
  const result = out ?? new Uint8ClampedArray(4 * height * width).fill(255);
  const same = typeof light === "number";
  const across = chromaTaps(columns, width);
  const wide = new Float32Array(2 * rows * width);
  for (let row = 0; row < 2 * rows; row += 1) {
    for (let x = 0; x < width; x += 1) {
      const { columns: from, weights } = across[x];
      let sum = 0;
      for (let tap = 0; tap < from.length; tap += 1) sum += ab[row * columns + from[tap]] * weights[tap];
      wide[row * width + x] = sum;
    }
  }
  const line = new Float32Array(2 * width);
  chromaTaps(rows, height).forEach(({ columns: from, weights }, y) => {
    line.fill(0);
    for (let tap = 0; tap < from.length; tap += 1) {
      for (let plane = 0; plane < 2; plane += 1) {
        const start = (plane * rows + from[tap]) * width;
        for (let x = 0; x < width; x += 1) line[plane * width + x] += wide[start + x] * weights[tap];
      }
    }
    for (let x = 0; x < width; x += 1) {
      writeRgb(same ? light : light[y * width + x], line[x], line[width + x], result, 4 * (y * width + x));
    }
  });
  return result;
}
