/**
 * sRGB and CIE Lab, and the gamut of sRGB. The same as artcolor/color/srgb.py, which names the sources.
 */

// Linear sRGB to XYZ. Dividing by the white point that these very numbers give (their row sums) makes gray neutral.
const RGB_TO_XYZ = [
  [0.412453, 0.35758, 0.180423],
  [0.212671, 0.71516, 0.072169],
  [0.019334, 0.119193, 0.950227],
].map((row) => row.map((value) => value / (row[0] + row[1] + row[2])));
const [[RX, RY, RZ], [GX, GY, GZ], [BX, BY, BZ]] = inverse(RGB_TO_XYZ);

const DELTA = 6 / 29;
const CBRT_SLOPE = 1 / (3 * DELTA ** 2);
const STRAIGHT_ZERO = 4 / 29;
const KNEE = 0.0404482362771082;
const LINEAR_KNEE = KNEE / 12.92;
const GAMUT_TOLERANCE = 1e-6;
// A color inside that is so near to the border, in linear light, is on it: a tenth of an 8-bit step near black.
const BORDER = 2e-5;
const FINEST = 1e-5;
const BISECTIONS = 6;
const STEPS = 24;
// Enough that two neighbors lie at most a twentieth of an 8-bit step apart, even near black.
const LEVELS = (1 << 16) - 1;

function inverse([[a, b, c], [d, e, f], [g, h, i]]) {
  const cofactors = [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ];
  const determinant = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0];
  return cofactors.map((row) => row.map((value) => value / determinant));
}

/** Linear light in 0..1 of an sRGB value in 0..1. */
export function srgbToLinear(value) {
  return value > KNEE ? ((value + 0.055) / 1.055) ** 2.4 : value / 12.92;
}

/** The sRGB value in 0..1 of linear light; what lies outside of 0..1 counts as 0 or 1. */
export function linearToSrgb(linear) {
  const value = linear > LINEAR_KNEE ? 1.055 * linear ** (1 / 2.4) - 0.055 : linear * 12.92;
  return Math.min(1, Math.max(0, value));
}

function labCurve(value) {
  return value > DELTA ** 3 ? Math.cbrt(value) : value * CBRT_SLOPE + STRAIGHT_ZERO;
}

function uncurve(f) {
  return f < DELTA ? (f - STRAIGHT_ZERO) / CBRT_SLOPE : f * f * f;
}

const LINEAR_OF_8BIT = Float32Array.from({ length: 256 }, (_, value) => srgbToLinear(value / 255));
const LIGHTNESS_OF_8BIT = LINEAR_OF_8BIT.map((linear) => 116 * labCurve(linear) - 16);
const SRGB_OF_LEVEL = Uint8Array.from({ length: LEVELS + 1 }, (_, level) =>
  Math.round(linearToSrgb((level + 0.5) / (LEVELS + 1)) * 255),
);

/**
 * CIE Lab of an 8-bit sRGB color.
 *
 * @param {number} red 0..255
 * @param {number} green 0..255
 * @param {number} blue 0..255
 * @returns {[number, number, number]} L in 0..100, a and b in Lab units
 */
export function rgbToLab(red, green, blue) {
  const [fx, fy, fz] = RGB_TO_XYZ.map((row) =>
    labCurve(row[0] * LINEAR_OF_8BIT[red] + row[1] * LINEAR_OF_8BIT[green] + row[2] * LINEAR_OF_8BIT[blue]),
  );
  return [116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)];
}

/**
 * L of 8-bit pixels.
 *
 * @param {Uint8Array|Uint8ClampedArray} pixels row by row, channels interleaved
 * @param {1|3|4} channels gray, RGB, or RGB with alpha, which is ignored
 * @returns {Float32Array} L in 0..100
 */
export function lightness(pixels, channels) {
  const found = new Float32Array(pixels.length / channels);
  const [red, green, blue] = RGB_TO_XYZ[1];
  for (let at = 0, from = 0; at < found.length; at += 1, from += channels) {
    const r = pixels[from];
    const g = pixels[from + 1];
    const b = pixels[from + 2];
    if (channels === 1 || (r === g && g === b)) {
      found[at] = LIGHTNESS_OF_8BIT[r];
    } else {
      const y = red * LINEAR_OF_8BIT[r] + green * LINEAR_OF_8BIT[g] + blue * LINEAR_OF_8BIT[b];
      found[at] = 116 * labCurve(y) - 16;
    }
  }
  return found;
}

/** How far a color lies outside of the gamut; negative inside. `x` and `z` are its distances from gray on the curve. */
function excess(fy, x, z) {
  const cubeX = uncurve(fy + x);
  const cubeY = uncurve(fy);
  const cubeZ = uncurve(fy + z);
  const red = Math.abs(RX * cubeX + RY * cubeY + RZ * cubeZ - 0.5);
  const green = Math.abs(GX * cubeX + GY * cubeY + GZ * cubeZ - 0.5);
  const blue = Math.abs(BX * cubeX + BY * cubeY + BZ * cubeZ - 0.5);
  return Math.max(red, green, blue) - 0.5;
}

/**
 * The share of chroma that is within the gamut. Bisection finds the same border as artcolor where a hue leaves the gamut
 * more than once; regula falsi (the Illinois variant) then takes fewer steps.
 */
function largestScale(fy, x, z, beyond) {
  let inside = 0;
  let outside = 1;
  let room = excess(fy, 0, 0) - GAMUT_TOLERANCE;
  if (room >= 0) return 0;
  for (let count = 0; count < STEPS && outside - inside > FINEST; count += 1) {
    const halfway = count < BISECTIONS;
    const scale = halfway ? (inside + outside) / 2 : (inside * beyond - outside * room) / (beyond - room);
    const found = excess(fy, x * scale, z * scale) - GAMUT_TOLERANCE;
    if (found > 0) {
      outside = scale;
      beyond = found;
      if (!halfway) room /= 2;
    } else {
      if (!halfway && found > -BORDER) return scale;
      inside = scale;
      room = found;
      if (!halfway) beyond /= 2;
    }
  }
  return inside;
}

function scaleInside(fy, x, z) {
  const beyond = excess(fy, x, z) - GAMUT_TOLERANCE;
  return beyond > 0 ? largestScale(fy, x, z, beyond) : 1;
}

/** The nearest a and b of the same hue that sRGB can show at an L. */
export function toGamut(light, a, b) {
  const scale = scaleInside((light + 16) / 116, a / 500, b / -200);
  return [a * scale, b * scale];
}

function encode(linear) {
  return SRGB_OF_LEVEL[Math.min(LEVELS, Math.max(0, Math.trunc(linear * LEVELS)))];
}

/**
 * Writes the 8-bit sRGB of a color. Outside of the gamut, chroma is reduced at constant L and hue until it fits.
 *
 * @param {number} light L in 0..100
 * @param {number} a in Lab units
 * @param {number} b in Lab units
 * @param {Uint8Array|Uint8ClampedArray} out gets red, green and blue
 * @param {number} at index of red
 */
export function writeRgb(light, a, b, out, at) {
  const fy = (light + 16) / 116;
  const scale = scaleInside(fy, a / 500, b / -200);
  const x = (a / 500) * scale;
  const z = (b / -200) * scale;
  const cubeX = uncurve(fy + x);
  const cubeY = uncurve(fy);
  const cubeZ = uncurve(fy + z);
  out[at] = encode(RX * cubeX + RY * cubeY + RZ * cubeZ);
  out[at + 1] = encode(GX * cubeX + GY * cubeY + GZ * cubeZ);
  out[at + 2] = encode(BX * cubeX + BY * cubeY + BZ * cubeZ);
}
