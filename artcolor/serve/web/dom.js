/** Small helpers for the elements of the page. */

import { writeRgb } from "./color.js";
import { parseColor } from "./hint_files.js";

// Lightness at which colors are shown that are given by a and b alone.
const LIGHTNESS = 60;

const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

/** The element with this id. */
export function element(id) {
  return document.getElementById(id);
}

/** A new element with properties, `data-` attributes and children. */
export function make(tag, { data = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

/** Draws ImageData or an ImageBitmap on a canvas, which gets its size. */
export function draw(canvas, picture) {
  canvas.width = picture.width;
  canvas.height = picture.height;
  const context = canvas.getContext("2d");
  if (picture instanceof ImageData) context.putImageData(picture, 0, 0);
  else context.drawImage(picture, 0, 0);
}

/** The color of one pixel of a canvas as `#rrggbb`; x and y are fractions. */
export function colorOn(canvas, x, y) {
  const column = Math.min(Math.floor(x * canvas.width), canvas.width - 1);
  const row = Math.min(Math.floor(y * canvas.height), canvas.height - 1);
  probe.clearRect(0, 0, 1, 1);
  probe.drawImage(canvas, -column, -row);
  return readProbe();
}

/**
 * A color of a hint as `#rrggbb`.
 *
 * @param {string | [number, number]} color as the hints file has it
 * @returns {string | null} `null` if it is that of the picture
 */
export function hexOf(color) {
  if (typeof color === "string" && color.trim().toLowerCase() === "picture") return null;
  if (typeof color !== "string" || !CSS.supports("color", color.trim())) {
    const rgb = new Uint8Array(3);
    writeRgb(LIGHTNESS, ...parseColor(color), rgb, 0);
    return hexadecimal(rgb);
  }
  probe.clearRect(0, 0, 1, 1);
  probe.fillStyle = color.trim();
  probe.fillRect(0, 0, 1, 1);
  return readProbe();
}

function readProbe() {
  return hexadecimal(probe.getImageData(0, 0, 1, 1).data.slice(0, 3));
}

function hexadecimal(rgb) {
  return `#${Array.from(rgb, (value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** Offers content as a file. */
export function offer(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  // Some browsers read the content only after the click.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The name of a file without its suffix. */
export function stem(name) {
  return name.replace(/\.\w+$/, "");
}

/** Runs `action` when files are chosen with an input; the same files may be chosen once more. */
export function onFile(input, action) {
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (file) action(file);
    // Otherwise, choosing the same file again would be no change.
    input.value = "";
  });
}
