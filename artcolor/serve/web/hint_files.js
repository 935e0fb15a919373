/**
 * Reads and writes hints: the JSON of a hints file. The same as artcolor/engine/hint_files.py and
 * artcolor/engine/hints.py; polygons and masks need a server. Their number is limited, so that each change stays quick.
 */

import { rgbToLab } from "./color.js";
import { CSS_COLORS } from "./css_colors.js";
import { Failure } from "./failure.js";

const SCHEMA = 1;
const ASPECT = 0.05;
const LARGEST_AB = 150;
const LONG = 80;
const MOST_HINTS = 200;
// Of all hints together.
const MOST_POINTS = 10_000;
const ENTRIES = ["schema", "size", "hints", "palette", "reference"];
const FIELDS = ["x", "y", "polyline", "polygon", "mask", "radius", "color", "keep", "frame"];
/** As a fraction of the short side, of hints that do not say one. */
export const RADIUS = 0.01;

/**
 * @typedef {object} Hint
 * @property {string} where what messages call it
 * @property {object} entry of the file
 * @property {[number, number][]} points the place of a point, or the corners of a stroke or polygon, as fractions
 * @property {number} radius as a fraction of the short side
 * @property {[number, number]|null} ab in Lab units; null keeps what the network predicts
 * @property {boolean} fromPicture it has the color of the picture there
 */

/**
 * Reads hints for a picture.
 *
 * @param {object|object[]} given the content of a hints file, or the list of its hints
 * @param {[number, number]} [size] height and width of the picture that they are for
 * @param {{regions?: boolean}} [allowed] whether polygons and masks are
 * @returns {Hint[]} those of the first page or frame
 * @throws {Failure} an entry makes no sense; the message names it
 */
export function readHints(given, size, { regions = false } = {}) {
  const content = Array.isArray(given) ? { hints: given } : given;
  if (content === null || typeof content !== "object") fail("The file must contain a JSON object with 'schema' and 'hints'");
  const schema = content.schema ?? SCHEMA;
  if (schema !== SCHEMA) fail(`The hints have schema ${shown(schema)}; this page reads schema ${SCHEMA}`);
  const unknown = Object.keys(content).filter((key) => !ENTRIES.includes(key));
  if (unknown.length) fail(`unknown keys: ${unknown.join(", ")}; the keys are ${ENTRIES.join(", ")}`);
  for (const entry of ["palette", "reference"]) {
    if (content[entry] != null) fail(`${entry} is not supported in the browser; \`artcolor serve\` takes it`);
  }
  const hints = content.hints ?? [];
  if (!Array.isArray(hints)) fail("hints must be a list");
  if (content.size != null) checkSize(content.size, size);
  if (hints.length > MOST_HINTS) fail(`there are ${hints.length} hints; the page takes up to ${MOST_HINTS}`);
  const read = hints.map((hint, number) => readHint(hint, `hint ${number + 1}`, regions));
  const count = read.reduce((sum, { points }) => sum + points.length, 0);
  if (count > MOST_POINTS) fail(`the hints have ${count} points; the page takes up to ${MOST_POINTS}`);
  return read.filter(({ frame }) => !frame);
}

/**
 * The content of a hints file.
 *
 * @param {object[]} hints entries of the list
 * @param {[number, number]} size height and width of the picture
 * @param {object} [extras] palette and reference
 * @returns {string} JSON
 */
export function writeHints(hints, [height, width], extras = {}) {
  const entries = hints.map((hint) => `    ${JSON.stringify(hint)}`);
  const list = entries.length ? `[\n${entries.join(",\n")}\n  ]` : "[]";
  const others = Object.entries(extras).map(([name, value]) => `,\n  "${name}": ${JSON.stringify(value)}`);
  return `{\n  "schema": ${SCHEMA},\n  "size": [${width}, ${height}],\n  "hints": ${list}${others.join("")}\n}\n`;
}

/**
 * Reads the chroma of a color.
 *
 * @param {string|[number, number]} color hexadecimal, a CSS name, `lab(L a b)`, `rgb(r, g, b)`, or a and b
 * @param {string} where what messages call it
 * @returns {[number, number]} a and b in Lab units
 */
export function parseColor(color, where = "color") {
  if (Array.isArray(color)) {
    if (color.length !== 2) fail(`a color must be a string or two numbers, a and b, not ${shown(color)}`, where);
    return color.map((value) => rounded(checkNumber("a and b of a color", value, -LARGEST_AB, LARGEST_AB, where)));
  }
  if (typeof color !== "string") fail(`a color must be a string or two numbers, a and b, not ${shown(color)}`, where);
  const text = color.trim().toLowerCase();
  const lab = /^lab\(\s*([^\s,]+)[\s,]+([^\s,]+)[\s,]+([^\s,]+)\s*\)$/.exec(text);
  if (lab) {
    const values = lab.slice(1).map(Number);
    if (values.some(Number.isNaN)) fail(`${shown(color)} is not a color: lab() takes three numbers, L a b`, where);
    checkNumber(`L of ${shown(color)}`, values[0], 0, 100, where);
    return parseColor(values.slice(1), where);
  }
  const rgb = rgbOf(text);
  if (!rgb) fail(`${shown(color)} is not a color; give one such as '#27408b', 'navy' or 'lab(40 10 -45)'`, where);
  return rgbToLab(...rgb).slice(1).map(rounded);
}

function rgbOf(text) {
  const hexadecimal = CSS_COLORS.get(text) ?? /^#([0-9a-f]+)$/.exec(text)?.[1];
  if (hexadecimal) {
    const long = [3, 4].includes(hexadecimal.length) ? hexadecimal.replace(/./g, "$&$&") : hexadecimal;
    if (![6, 8].includes(long.length)) return null;
    return [0, 2, 4].map((at) => Number.parseInt(long.slice(at, at + 2), 16));
  }
  const values = /^rgb\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(text)?.slice(1).map(Number);
  return values?.every((value) => value <= 255) ? values : null;
}

function readHint(content, where, regions) {
  if (content === null || typeof content !== "object" || Array.isArray(content)) {
    fail(`${where} must be an object, not ${shown(content)}`);
  }
  const unknown = Object.keys(content).filter((key) => !FIELDS.includes(key));
  if (unknown.length) fail(`${where} has unknown keys: ${unknown.join(", ")}; the keys are ${FIELDS.join(", ")}`);
  const { x, y, polyline, polygon, mask, color, keep, frame, radius = RADIUS } = content;
  const given = Object.entries({ "x and y": x ?? y, polyline, polygon, mask }).filter(([, value]) => value != null);
  if (given.length !== 1) {
    const names = given.map(([name]) => name).join(" and ") || "none of them";
    fail(`a hint needs exactly one of x and y, polyline, polygon and mask; this one has ${names}`, where);
  }
  const [[shape, value]] = given;
  const isRegion = shape === "polygon" || shape === "mask";
  if (isRegion && !regions) fail(`the browser takes points and strokes; \`artcolor serve\` takes ${shape}`, where);
  if (shape === "mask" && typeof mask !== "string") fail(`mask must be the path of a picture, not ${shown(mask)}`, where);
  let points = [];
  if (shape === "x and y") points = [[["x", x], ["y", y]].map((each) => checkNumber(...each, 0, 1, where))];
  else if (shape !== "mask") points = readPoints(shape, value, where);
  if (keep != null && !["automatic", "gray"].includes(keep)) {
    fail(`keep must be 'automatic' or 'gray', not ${shown(keep)}`, where);
  }
  if (color != null && keep != null) fail("a hint has either color or keep, not both", where);
  if (color == null && keep == null && !isRegion) fail("a point or polyline needs color or keep", where);
  if (frame != null && !(Number.isInteger(frame) && frame >= 0)) {
    fail(`frame must be an integer of at least 0, not ${shown(frame)}`, where);
  }
  const fromPicture = typeof color === "string" && color.trim().toLowerCase() === "picture";
  let ab = keep === "gray" ? [0, 0] : null;
  if (color != null && !fromPicture) ab = parseColor(color, where);
  return {
    where,
    entry: content,
    points,
    radius: checkNumber("radius", radius, 0, 0.5, where),
    ab,
    fromPicture,
    frame: frame ?? 0,
  };
}

function readPoints(shape, values, where) {
  const least = shape === "polygon" ? 3 : 1;
  if (!Array.isArray(values) || values.length < least) {
    fail(`${shape} must be a list of at least ${least} points [x, y]`, where);
  }
  return values.map((point, number) => {
    const name = `point ${number + 1} of ${shape}`;
    if (!Array.isArray(point) || point.length !== 2) fail(`${name} must be [x, y], not ${shown(point)}`, where);
    return point.map((value) => checkNumber(name, value, 0, 1, where));
  });
}

function checkSize(found, size) {
  const whole = Array.isArray(found) && found.length === 2 && found.every((side) => Number.isInteger(side) && side >= 1);
  if (!whole) fail(`size must be width and height of the picture, two positive integers, not ${shown(found)}`);
  if (!size) return;
  const [[w, h], [height, width]] = [found, size];
  const ratio = (w * height) / (h * width);
  if (Math.max(ratio, 1 / ratio) > 1 + ASPECT + 1 / Math.min(...found, ...size)) {
    fail(
      `the hints were made for a picture of ${w} × ${h} pixels, but this one has ${width} × ${height}, a different ` +
        "aspect ratio; check that they belong together",
    );
  }
}

function checkNumber(name, value, low, high, where) {
  if (typeof value !== "number" || !(low <= value && value <= high)) {
    fail(`${name} must be a number from ${low} to ${high}, not ${shown(value)}`, where);
  }
  return value;
}

function rounded(value) {
  // Not -0.
  return Math.round(100 * value) / 100 + 0;
}

function shown(value) {
  const text = typeof value === "string" ? `'${value.slice(0, LONG)}'` : String(JSON.stringify(value));
  return text.length <= LONG ? text : `${text.slice(0, LONG)}...`;
}

function fail(message, where) {
  throw new Failure("hints", where ? `${where}: ${message}` : message);
}
