/** Keeps hints and settings in this browser, for each picture that was opened. */

import { checkedExtras, checkedHints } from "./guidance.js";

const PREFIX = "artcolor:";
const MOST_PICTURES = 100;
// Of large files, the first and the last part are enough to tell them apart.
const PART = 1 << 20;
const SETTINGS = ["vividness", "temperature", "strength"];

/**
 * A name for the content of a file, to find again what was kept for it. Not for security.
 *
 * @param {Blob} file
 * @returns {Promise<string>}
 */
export async function keyOf(file) {
  const parts = file.size > 2 * PART ? [file.slice(0, PART), file.slice(-PART)] : [file];
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  // FNV-1a, twice with other beginnings; `crypto.subtle` is missing on pages without https.
  let [one, other] = [0x811c9dc5, 0x2f0b4c47];
  for (const byte of bytes) {
    one = Math.imul(one ^ byte, 0x01000193);
    other = Math.imul(other ^ byte, 0x01000193) ^ (other >>> 13);
  }
  return [file.size, one >>> 0, other >>> 0].map((value) => value.toString(36)).join("-");
}

/** What was kept for a picture, or `null`. What is damaged is removed. */
export function restored(key) {
  try {
    const content = localStorage.getItem(PREFIX + key);
    const state = content === null ? null : readState(content);
    if (content !== null && !state) forget(key);
    return state;
  } catch {
    // Asking is not allowed.
    return null;
  }
}

/**
 * Reads what was kept.
 *
 * @param {string} content as `keep` writes it
 * @returns {{hints: object[], extras: object, decoding: object, seed: number|null}|null} `null` if it is damaged
 */
export function readState(content) {
  try {
    const { hints, extras = {}, decoding, seed = null } = JSON.parse(content).state;
    const isDecoding = decoding !== null && typeof decoding === "object" && Object.entries(decoding).every(isSetting);
    const isSeed = seed === null || (Number.isSafeInteger(seed) && seed >= 0);
    if (!isDecoding || !isSeed || !Array.isArray(hints)) return null;
    return { hints: checkedHints(hints), extras: checkedExtras(extras), decoding, seed };
  } catch {
    return null;
  }
}

function isSetting([name, value]) {
  const isPossible = name === "temperature" ? value > 0 : value >= 0;
  return SETTINGS.includes(name) && typeof value === "number" && isPossible;
}

/** Keeps the state for a picture. */
export function keep(key, state) {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify({ time: Date.now(), state }));
    forgetOld();
  } catch {
    // Not allowed, or full. The hints file can still be saved.
  }
}

/** Forgets a picture. */
export function forget(key) {
  try {
    localStorage.removeItem(PREFIX + key);
  } catch {
    // Then nothing was kept, either.
  }
}

function forgetOld() {
  const keys = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
  if (keys.length <= MOST_PICTURES) return;
  const times = new Map(keys.map((key) => [key, timeOf(localStorage.getItem(key))]));
  keys.sort((one, other) => times.get(one) - times.get(other));
  for (const key of keys.slice(0, keys.length - MOST_PICTURES)) localStorage.removeItem(key);
}

/** Damaged entries are as good as the oldest. */
function timeOf(content) {
  try {
    const { time } = JSON.parse(content);
    return Number.isFinite(time) ? time : 0;
  } catch {
    return 0;
  }
}
