// What a .tflite file says of itself: `sodkeras convert` puts the JSON that lies beside it into its metadata as well. Its
// keys are in docs/file_format.md.

const NAME = "sodkeras";
// The places of the fields in the tables of LiteRT's schema (schema.fbs).
const MODEL = { buffers: 4, metadata: 6 };
const METADATA = { name: 0, buffer: 1 };
const BUFFER = { data: 0 };

/** This project's JSON inside a .tflite file; null if there is none. */
export function readMetadata(bytes) {
  try {
    const file = new Flatbuffer(bytes);
    const model = file.pointer(0);
    for (const entry of file.tables(file.field(model, MODEL.metadata))) {
      if (file.text(file.field(entry, METADATA.name)) !== NAME) continue;
      const index = file.field(entry, METADATA.buffer);
      const buffer = file.tables(file.field(model, MODEL.buffers))[index ? file.number(index) : 0];
      return JSON.parse(file.text(file.field(buffer, BUFFER.data)));
    }
  } catch (error) {
    // A file that is cut off, or none of LiteRT's, leads outside of itself or to what is no JSON.
    if (!(error instanceof RangeError || error instanceof SyntaxError)) throw error;
  }
  return null;
}

/** As much of the format as is needed: positions are of bytes, and 0 is a field that is not there. */
class Flatbuffer {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  number(position) {
    return this.view.getUint32(position, true);
  }

  pointer(position) {
    return position + this.number(position);
  }

  field(table, index) {
    const layout = table - this.view.getInt32(table, true);
    const place = 4 + 2 * index;
    const offset = place < this.view.getUint16(layout, true) ? this.view.getUint16(layout + place, true) : 0;
    return offset && table + offset;
  }

  tables(position) {
    if (!position) return [];
    const start = this.pointer(position);
    const count = this.number(start);
    if (start + 4 + 4 * count > this.bytes.length) throw new RangeError("the vector ends behind the file");
    return Array.from({ length: count }, (_, index) => this.pointer(start + 4 + 4 * index));
  }

  text(position) {
    if (!position) return "";
    const start = this.pointer(position);
    return new TextDecoder().decode(this.bytes.subarray(start + 4, start + 4 + this.number(start)));
  }
}
