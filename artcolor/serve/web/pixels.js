/** The exact pixels of picture files, also where they are transparent: a canvas multiplies colors by their alpha. */

import { Failure } from "./failure.js";
import { pngChunk } from "./provenance.js";

// Browsers limit the area and the sides of a canvas, and phones their memory; iOS allows 16.7 million pixels.
const MOST_PIXELS = 16_777_216;
const LONGEST = 16_384;
// Browsers round when they convert colors.
const ROUNDING = 1;
const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
const UP = 2;
// The formats with transparency, and how their files begin: a name that a file has may be wrong.
const TYPES = [
  ["image/png", /^.PNG/s],
  ["image/webp", /^RIFF....WEBP/s],
  ["image/gif", /^GIF8/],
  ["image/avif", /^....ftypavi/s],
];

/**
 * Reads a picture file, turned as its EXIF data say where the browser does that.
 *
 * @param {Blob} file
 * @returns {Promise<{bitmap: ImageBitmap, pixels: Uint8ClampedArray, size: [number, number]}>} `pixels` are RGBA, row by
 *   row; `size` is height and width
 * @throws {Failure} it is no picture, or too large
 */
export async function readPixels(file) {
  const bitmap = await createImageBitmap(file, { premultiplyAlpha: "none" }).catch(() => {
    throw new Failure("notPicture");
  });
  const { height, width } = bitmap;
  if (height * width > MOST_PIXELS || Math.max(height, width) > LONGEST) {
    throw new Failure("tooLarge", `${width} × ${height}`);
  }
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const shown = context.getImageData(0, 0, width, height).data;
  const exact = isOpaque(shown) ? null : await decoded(file, [height, width]).catch(() => null);
  // What is turned or has a color profile is only right as it is shown.
  return { bitmap, pixels: exact && isSame(shown, exact) ? exact : shown, size: [height, width] };
}

/** Whether no pixel is transparent. */
export function isOpaque(pixels) {
  for (let at = 3; at < pixels.length; at += 4) if (pixels[at] !== 255) return false;
  return true;
}

/** RGBA of a file as it is stored; `null` where the browser cannot say, or it is of another size. */
async function decoded(file, [height, width]) {
  const head = String.fromCharCode(...new Uint8Array(await file.slice(0, 12).arrayBuffer()));
  const type = TYPES.find(([, beginning]) => beginning.test(head))?.[0];
  if (!type || !globalThis.ImageDecoder) return null;
  const decoder = new ImageDecoder({ data: file.stream(), type, premultiplyAlpha: "none" });
  try {
    const { image } = await decoder.decode();
    const { codedHeight, codedWidth, format } = image;
    const values = new Uint8ClampedArray(4 * height * width);
    const isWhole = codedHeight === height && codedWidth === width && ["RGBA", "BGRA"].includes(format);
    if (isWhole) await image.copyTo(values);
    image.close();
    if (!isWhole) return null;
    if (format === "BGRA") {
      for (let at = 0; at < values.length; at += 4) [values[at], values[at + 2]] = [values[at + 2], values[at]];
    }
    return values;
  } finally {
    decoder.close();
  }
}

/** Whether the pixels are the same as far as one sees them. */
function isSame(shown, exact) {
  for (let at = 0; at < shown.length; at += 4) {
    if (shown[at + 3] !== exact[at + 3]) return false;
    if (shown[at + 3] !== 255) continue;
    for (let channel = at; channel < at + 3; channel += 1) {
      if (Math.abs(shown[channel] - exact[channel]) > ROUNDING) return false;
    }
  }
  return true;
}

/**
 * A PNG file of the exact pixels.
 *
 * @param {Uint8ClampedArray} pixels RGBA, row by row
 * @param {number} width
 * @param {number} height
 * @returns {Promise<Blob>}
 */
export async function pngOf(pixels, width, height) {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  // 8 bits, RGBA.
  header.set([8, 6], 8);
  const stride = 4 * width;
  const rows = new Uint8Array(height * (stride + 1));
  for (let row = 0, to = 0, at = 0; row < height; row += 1) {
    rows[to] = UP;
    to += 1;
    for (const end = at + stride; at < end; at += 1, to += 1) rows[to] = pixels[at] - (row ? pixels[at - stride] : 0);
  }
  const compressed = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const content = new Uint8Array(await new Response(compressed).arrayBuffer());
  const chunks = Object.entries({ IHDR: header, IDAT: content, IEND: new Uint8Array() });
  return new Blob([SIGNATURE, ...chunks.map((chunk) => pngChunk(...chunk))], { type: "image/png" });
}
