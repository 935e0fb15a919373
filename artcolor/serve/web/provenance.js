/**
 * Where the colors of a picture come from, as XMP in a PNG or JPEG file. The same as artcolor/images/provenance.py, so
 * that `artcolor inspect` reads it.
 */

// Of artcolor; tests compare it with the package's.
const VERSION = "0.2.0";
// The signature and the first chunk, IHDR.
const HEAD = 33;
const KEYWORD = "XML:com.adobe.xmp";
const NAMESPACE = "http://ns.adobe.com/xap/1.0/\0";
// Bytes that a segment of a JPEG file can hold, its length included.
const SEGMENT = 65535;
const [APP0, APP1] = [0xffe0, 0xffe1];

const CRC = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/**
 * Adds where the colors come from to a picture file.
 *
 * @param {Blob} file PNG or JPEG, without XMP
 * @param {{model: string, sha256: string, options: object}} made tag and hash of the weights, and what was chosen
 * @returns {Promise<Blob>}
 */
export async function withProvenance(file, made) {
  const [place, part] = file.type === "image/jpeg" ? await jpegPart(file, made) : [HEAD, textChunk(packet(made))];
  return new Blob([file.slice(0, place), part, file.slice(place)], { type: file.type });
}

/** Where XMP belongs in a JPEG file, and its segment. As in Python, one that is too long has no lists. */
async function jpegPart(file, made) {
  const head = new DataView(await file.slice(0, 6).arrayBuffer());
  // The segment of JFIF comes first.
  const place = head.getUint16(2) === APP0 ? 4 + head.getUint16(4) : 2;
  const whole = segment(packet(made));
  const fits = whole.length <= SEGMENT + 2;
  return [place, fits ? whole : segment(packet({ ...made, options: withoutLists(made.options) }))];
}

function segment(content) {
  const bytes = new TextEncoder().encode(`\0\0\0\0${NAMESPACE}${content}`);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, APP1);
  view.setUint16(2, bytes.length - 2);
  return bytes;
}

function withoutLists(options) {
  const entries = Object.entries(options).map(([name, value]) =>
    Array.isArray(value) ? [`${name}_left_out`, value.length] : [name, value],
  );
  return Object.fromEntries(entries);
}

function packet({ model, sha256, options }) {
  const properties = {
    "Iptc4xmpExt:DigitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced",
    "Iptc4xmpExt:AISystemUsed": "artcolor",
    "Iptc4xmpExt:AISystemVersionUsed": VERSION,
    "artcolor:Model": model,
    "artcolor:WeightsSHA256": sha256,
    "artcolor:Options": JSON.stringify(options),
  };
  const attributes = Object.entries(properties).map(([name, value]) => ` ${name}="${escaped(value)}"`);
  return (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">' +
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""' +
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:artcolor="urn:artcolor:provenance:1#"' +
    `${attributes.join("")}/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`
  );
}

function escaped(value) {
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return value.replace(/[&<>"]/g, (character) => entities[character]);
}

/** An uncompressed iTXt chunk without language. */
function textChunk(content) {
  return pngChunk("iTXt", new TextEncoder().encode(`${KEYWORD}\0\0\0\0\0${content}`));
}

/** A chunk of a PNG file. */
export function pngChunk(type, content) {
  const chunk = new Uint8Array(content.length + 12);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, content.length);
  chunk.set(new TextEncoder().encode(type), 4);
  chunk.set(content, 8);
  const typed = chunk.subarray(4, -4);
  const crc = typed.reduce((rest, byte) => CRC[(rest ^ byte) & 255] ^ (rest >>> 8), 0xffffffff);
  view.setUint32(content.length + 8, (crc ^ 0xffffffff) >>> 0);
  return chunk;
}
