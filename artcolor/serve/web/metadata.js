/**
 * What an ONNX file of artcolor says of itself. onnxruntime-web does not show a file's metadata, so it is read from the
 * bytes: `metadata_props`, field 14 of ModelProto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
 */

const KEY = "artcolor";
const SCHEMA = 1;
const METADATA_PROPS = 14;

/**
 * Reads the metadata of a network.
 *
 * @param {Uint8Array} data content of the ONNX file
 * @returns {object} `model`, `tag`, `sha256`, `size`, `stride`, `out_stride`, `vividness`, `temperature`, `codebook`,
 *   `head` and others, as artcolor/models/export.py writes them
 * @throws {Error} the file does not come from `artcolor export`, or from a version that this page does not know
 */
export function readMetadata(data) {
  const text = new TextDecoder();
  for (const [field, value] of fields(data)) {
    if (field === METADATA_PROPS) {
      const entry = Object.fromEntries(fields(value));
      if (text.decode(entry[1]) === KEY) return checked(JSON.parse(text.decode(entry[2])));
    }
  }
  throw new Error("The network is not an ONNX file that `artcolor export` wrote.");
}

function checked(found) {
  if (found.schema !== SCHEMA || !found.head) {
    throw new Error("The network is of another version of artcolor. Export it again.");
  }
  return found;
}

/** The fields of a protobuf message: number and content; numbers stay undecoded. */
function* fields(data) {
  let at = 0;
  const varint = () => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = data[at];
      if (byte === undefined) throw new Error("The ONNX file is cut off.");
      at += 1;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  };
  while (at < data.length) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === 0) {
      varint();
      continue;
    }
    const length = { 1: 8, 2: null, 5: 4 }[kind];
    if (length === undefined) throw new Error("The ONNX file is damaged.");
    const size = length ?? varint();
    if (at + size > data.length) throw new Error("The ONNX file is cut off.");
    yield [Math.floor(tag / 8), data.subarray(at, at + size)];
    at += size;
  }
}
