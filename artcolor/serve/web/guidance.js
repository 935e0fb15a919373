/** What a person says of the colors of a picture, as the page holds it: entries of a hints file. */

import { Failure } from "./failure.js";
import { parseColor, readHints } from "./hint_files.js";

const LARGEST_PALETTE = 16;
const SETTINGS = ["vividness", "temperature", "strength"];

/** Whether a hint is a point. */
export function isPoint(hint) {
  return hint.x !== undefined;
}

/** Whether a hint is a polygon or a mask. */
export function isRegion(hint) {
  return (hint?.polygon ?? hint?.mask) !== undefined;
}

/**
 * Whether the chosen model takes an option, such as "hints" or "vividness", or tells its "uncertainty". What says
 * nothing of it takes all.
 */
export function takes(info, name) {
  if (name === "uncertainty") return info.uncertainty ?? true;
  return (SETTINGS.includes(name) ? info.decoding : info.accepts)?.includes(name) ?? true;
}

/** What an engine is asked for: without what the chosen model does not take. */
export function wantedOf({ hints, extras, decoding, seed }, info) {
  const taken = Object.entries(decoding).filter(([name]) => takes(info, name));
  const usable = takes(info, "hints") ? sendable(hints, info) : [];
  // The file of a reference is not here.
  const { palette } = info.palette && takes(info, "palette") ? extras : {};
  return {
    decoding: Object.fromEntries(taken),
    hints: palette ? { hints: usable, palette } : usable,
    seed: takes(info, "seed") ? seed : null,
  };
}

/** The hints that an engine understands: masks are other files, which the page does not have. */
export function sendable(hints, info) {
  return hints.filter((hint) => hint.mask === undefined && (info.regions || hint.polygon === undefined));
}

/**
 * Reads a hints file.
 *
 * @param {string} file its text
 * @param {{width: number, height: number}} picture that the hints are for
 * @returns {{hints: object[], extras: object}} `extras` may hold palette and reference
 * @throws {Failure} it is no hints file, or one for another picture
 */
export function readGuidance(file, { width, height }) {
  let content;
  try {
    content = JSON.parse(file);
  } catch (error) {
    throw new Failure("hintsNotJson", error.message);
  }
  if (Array.isArray(content)) content = { hints: content };
  const isObject = content !== null && typeof content === "object";
  if (isObject && !Object.keys(content).length) throw new Failure("hints", "the file is empty; it must hold 'hints'");
  const { palette, reference, ...rest } = isObject ? content : {};
  const hints = checkedHints(isObject ? rest : content, [height, width]);
  return { hints, extras: checkedExtras({ palette, reference }) };
}

/**
 * The hints of a hints file or of a list, without entries that are null.
 *
 * @param {unknown} content
 * @param {[number, number]} [size] height and width of the picture
 * @returns {object[]}
 * @throws {Failure} an entry makes no sense
 */
export function checkedHints(content, size) {
  // The kernel of this page takes no regions; a server does.
  readHints(content, size, { regions: true });
  const hints = Array.isArray(content) ? content : (content.hints ?? []);
  return hints.map((hint) => Object.fromEntries(Object.entries(hint).filter(([, value]) => value !== null)));
}

/**
 * What a hints file says beside the hints.
 *
 * @param {{palette?: unknown, reference?: unknown}} extras
 * @returns {{palette?: (string|[number, number])[], reference?: string}} those that are there
 * @throws {Failure} one of them makes no sense
 */
export function checkedExtras({ palette, reference }) {
  const found = {};
  if (palette != null) {
    if (!Array.isArray(palette) || palette.length < 2 || palette.length > LARGEST_PALETTE) {
      throw new Failure("hints", `palette must be a list of 2 to ${LARGEST_PALETTE} colors`);
    }
    palette.forEach((color, number) => parseColor(color, `palette[${number}]`));
    found.palette = palette;
  }
  if (reference != null) {
    const isPath = typeof reference === "string" && reference !== "";
    if (!isPath) throw new Failure("hints", "reference must be the path of a picture");
    found.reference = reference;
  }
  return found;
}
