/** Hints whose colors sRGB cannot show, in words. The same as `unshown` in artcolor/engine/hints_on_picture.py. */

import { toGamut } from "./color.js";

// A smaller difference in ab does not need to be mentioned.
const NOTABLE = 2;
const MOST = 5;

/**
 * Finds hints whose color sRGB cannot show at the lightness of the picture there.
 *
 * @param {import("./hint_files.js").Hint[]} hints those with the color of the picture are left out
 * @param {Float32Array} light L of the picture
 * @param {[number, number]} size height and width
 * @returns {string[]} warnings, which name the hint, its color, and the color that is shown
 */
export function unshown(hints, light, [height, width]) {
  const found = [];
  for (const { where, entry, points, ab } of hints) {
    if (!ab) continue;
    const places = points.map(([x, y]) => {
      const [row, column] = [Math.min(Math.trunc(y * height), height - 1), Math.min(Math.trunc(x * width), width - 1)];
      const lightness = light[row * width + column];
      const shown = toGamut(lightness, ...ab);
      return { lightness, shown, lost: Math.hypot(shown[0] - ab[0], shown[1] - ab[1]) };
    });
    // Of a stroke, the worst place speaks for all.
    const worst = places.reduce((one, other) => (other.lost >= one.lost ? other : one));
    if (worst.lost <= NOTABLE) continue;
    const { color } = entry;
    const name = typeof color === "string" ? `'${color}'` : `[${color.join(", ")}]`;
    found.push(
      `${where}: sRGB cannot show ${name} (${inWords(ab)}) at lightness ${worst.lightness.toFixed(0)}; ` +
        `it is shown as ${inWords(worst.shown)}`,
    );
  }
  const rest = found.length - MOST;
  return rest > 0 ? [...found.slice(0, MOST), `sRGB cannot show the colors of ${rest} further hints either`] : found;
}

function inWords(ab) {
  const [a, b] = ab.map((value) => Math.round(100 * value) / 100 + 0);
  return `a ${a}, b ${b}`;
}
