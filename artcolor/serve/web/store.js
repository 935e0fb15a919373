/** Keeps hints and settings in this browser, for each picture that was opened. */

const PREFIX = "artcolor:";
const MOST_PICTURES = 100;
// Of large files, the first and the last part are enough to tell them apart.
const PART = 1 << 20;

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

/** What was kept for a picture, or `null`. */
export function restored(key) {
  try {
    const { hints, decoding, seed } = JSON.parse(localStorage.getItem(PREFIX + key)).state;
    return Array.isArray(hints) ? { hints, decoding, seed } : null;
  } catch {
    // Nothing was kept, it is damaged, or asking is not allowed.
    return null;
  }
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
  const times = new Map(keys.map((key) => [key, JSON.parse(localStorage.getItem(key)).time]));
  keys.sort((one, other) => times.get(one) - times.get(other));
  for (const key of keys.slice(0, keys.length - MOST_PICTURES)) localStorage.removeItem(key);
}
