// One model and one photo, and what can be asked of them. It lives in the worker: the page never touches pixels.

import { blurBackground } from "./background.js";
import { CUTS, VIEWS } from "./compositing.js";
import { readDescription } from "./description.js";
import { DemoError } from "./errors.js";
import { Foreground } from "./foreground.js";
import { Network } from "./network.js";
import { Photo, decodePhoto, drawingSurface } from "./photo.js";
import { ResizedMap, resizePicture } from "./resize.js";

const ROWS = 256; // composed at a time: the floats of a large photo would not fit into a phone's memory
const BACKDROP = 256; // the longer side at which the background is blurred

export class Session {
  /**
   * Loads a model in place of the one before, which stays if this one fails.
   *
   * @param {{name: string, bytes: ArrayBuffer, json: unknown, jsonName: string}} model
   * @returns {Promise<object>} its description and the milliseconds that loading took.
   */
  async open({ name, bytes, json, jsonName }) {
    const start = performance.now();
    const description = readDescription(json, jsonName);
    const network = await Network.load(description, new Uint8Array(bytes), name);
    this.network?.release();
    this.network = network;
    return { description, milliseconds: performance.now() - start };
  }

  /**
   * Finds the salient object in a photo or camera frame; with neither, in the last photo again (by another model).
   *
   * @param {{file?: Blob, frame?: ImageBitmap, name?: string}} source
   * @returns {Promise<object>} the photo's size, the size of results, the network's own map and the milliseconds.
   */
  async find({ file, frame, name }) {
    if (!this.network) throw new DemoError("Choose a model first.");
    const started = performance.now();
    if (file || frame) {
      const photo = new Photo(frame ?? (await decodePhoto(file, name)));
      this.photo?.release();
      [this.photo, this.file, this.map] = [photo, file, null];
    } else if (!this.photo) {
      throw new DemoError("Choose a photo first.");
    } else if (this.photo.isShrunk) {
      const photo = new Photo(await decodePhoto(this.file, name));
      this.photo.release();
      this.photo = photo;
    }
    const decoded = performance.now();
    const pixels = resizePicture(this.photo.rowReader(), this.photo, this.network.description.preprocessing);
    const prepared = performance.now();
    this.map = await this.network.run(pixels);
    const found = performance.now();
    await this.photo.shrinkToResult();
    const { width, height, resultSize } = this.photo;
    return {
      photo: { width, height },
      result: resultSize,
      map: this.map,
      milliseconds: { read: decoded - started, prepare: prepared - decoded, network: found - prepared },
    };
  }

  /** A view of the last photo for the screen, as an ImageBitmap. */
  draw({ view }) {
    return this.compose(view, this.photo.displaySize).transferToImageBitmap();
  }

  /** A view of the last photo as a PNG file, at the photo's size unless that is too large for a phone. */
  save({ view }) {
    return this.compose(view, this.photo.resultSize).convertToBlob({ type: "image/png" });
  }

  compose(view, size) {
    if (!this.map) throw new DemoError("Choose a photo first.");
    const { canvas, context } = this.photo.drawn(size);
    const map = new ResizedMap(this.map, size);
    const backdrop = view === "blur" ? this.backdrop() : null;
    const foreground = CUTS.includes(view) ? new Foreground(...readersOf(context, map, size), size) : null;
    for (let top = 0; top < size.height; top += ROWS) {
      const bottom = Math.min(top + ROWS, size.height);
      const rows = context.getImageData(0, top, size.width, bottom - top);
      const values = map.rows(top, bottom);
      foreground?.clean(rows.data, values, top);
      VIEWS[view](rows.data, values, backdrop && enlargedRows(backdrop, size, top, bottom));
      context.putImageData(rows, 0, top);
    }
    return canvas;
  }

  backdrop() {
    const { width, height } = this.photo;
    const factor = Math.min(1, BACKDROP / Math.max(width, height));
    const size = { width: Math.max(1, Math.round(width * factor)), height: Math.max(1, Math.round(height * factor)) };
    const { canvas, context } = this.photo.drawn(size);
    const pixels = context.getImageData(0, 0, size.width, size.height);
    blurBackground(pixels.data, new ResizedMap(this.map, size).rows(0, size.height), size.width, size.height);
    context.putImageData(pixels, 0, 0);
    return canvas;
  }
}

// Rows of a canvas, and of a map in grey, as RGBA: functions for `Foreground`.
function readersOf(context, map, { width }) {
  const readPhoto = (rows) => joined(rows.map((row) => context.getImageData(0, row, width, 1).data));
  const readLevels = (rows) =>
    joined(
      rows.map((row) => {
        const grey = new Uint8ClampedArray(4 * width);
        VIEWS.map(grey, map.rows(row, row + 1));
        return grey;
      }),
    );
  return [readPhoto, readLevels];
}

function joined(parts) {
  const all = new Uint8ClampedArray(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function enlargedRows(canvas, { width, height }, top, bottom) {
  const { context } = drawingSurface(width, bottom - top);
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, 0, -top, width, height);
  return context.getImageData(0, 0, width, bottom - top).data;
}
