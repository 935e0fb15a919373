/** What a person says of the colors of a picture, as the page holds it: entries of a hints file. */

import { Failure } from "./failure.js";
import { readHints } from "./hint_files.js";

// Stands for an entry that is checked elsewhere, so that messages count as the file does.
const PLACEHOLDER = { x: 0, y: 0, keep: "gray" };

/** Whether a hint is a point. */
export function isPoint(hint) {
  return hint.x !== undefined;
}

/** Whether a hint is a polygon or a mask. */
export function isRegion(hint) {
  return (hint?.polygon ?? hint?.mask) !== undefined;
}

/** The hints that an engine understands: masks are other files, which the page does not have. */
export function sendable(hints, info) {
  return hints.filter((hint) => hint.mask === undefined && (info.regions || hint.polygon === undefined));
}

/**
 * Reads a hints file.
 *
 * @param {Blob} file
 * @param {{width: number, height: number}} picture that the hints are for
 * @returns {Promise<{hints: object[], left: string[]}>} `left` names the entries that this page leaves out
 * @throws {Failure} it is no hints file, or one for another picture
 */
export async function readGuidance(file, { width, height }) {
  let content;
  try {
    content = JSON.parse(await file.text());
  } catch (error) {
    throw new Failure("hintsNotJson", error.message);
  }
  if (Array.isArray(content)) content = { hints: content };
  const { palette, reference, ...rest } = content ?? {};
  const hints = rest.hints ?? [];
  // The kernel of this page takes no regions; a server does.
  const checked = Array.isArray(hints) ? hints.map((hint) => (isRegion(hint) ? PLACEHOLDER : hint)) : hints;
  readHints(content === null ? null : { ...rest, hints: checked }, [height, width]);
  hints.forEach((hint, number) => isRegion(hint) && checkRegion(hint, `hints[${number}]`));
  return { hints, left: Object.keys({ ...(palette && { palette }), ...(reference && { reference }) }) };
}

function checkRegion({ polygon, mask }, where) {
  if (polygon === undefined && typeof mask === "string") return;
  const isFraction = (value) => typeof value === "number" && value >= 0 && value <= 1;
  const isCorner = (corner) => Array.isArray(corner) && corner.length === 2 && corner.every(isFraction);
  if (mask !== undefined || !Array.isArray(polygon) || polygon.length < 3 || !polygon.every(isCorner)) {
    throw new Failure("hints", `${where}: polygon must be a list of at least 3 points [x, y] from 0 to 1`);
  }
}
