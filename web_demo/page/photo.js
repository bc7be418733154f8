// From a file or a camera frame to a decoded photo, and its pixels: turned by EXIF, transparency laid over white.

import { DemoError } from "./errors.js";

// The most that results are made at: phones' browsers give a canvas no more than 16 megapixels.
const LARGEST_RESULT = 4096 * 3072;
const LARGEST_DISPLAY = 1600;
const SIGNATURES = [/^\xff\xd8\xff/, /^\x89PNG/, /^GIF8/, /^BM/, /^RIFF[^]{4}WEBP/, /^[^]{4}ftyp/];

/**
 * Decodes a picture file. The profile for colours is left aside, as Python does.
 *
 * @param {Blob} file
 * @param {string} name what to call it in an error.
 * @returns {Promise<ImageBitmap>}
 * @throws {DemoError} if it is no picture, cut off, or too large for this device.
 */
export async function decodePhoto(file, name) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const head = String.fromCharCode(...bytes.subarray(0, 16));
  if (!SIGNATURES.some((signature) => signature.test(head))) {
    throw new DemoError(`The file is not a photo; choose a JPEG, PNG or WebP file. Received: ${name}`);
  }
  if (head.startsWith("\xff\xd8") && !jpegIsWhole(bytes)) {
    throw new DemoError(`The photo is cut off in the middle; get the whole file. Received: ${name}`);
  }
  try {
    return await createImageBitmap(file, { colorSpaceConversion: "none", imageOrientation: "from-image" });
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new DemoError(
      "This browser cannot read the photo: it is damaged, too large for the memory, or of a kind that the browser " +
        `does not know; save it as JPEG or make it smaller. Received: ${name}`,
    );
  }
}

// Whether the end marker follows the start of the scan: browsers fill what is missing with grey and say nothing.
function jpegIsWhole(bytes) {
  let position = 2;
  while (position + 4 <= bytes.length && bytes[position] === 0xff) {
    const marker = bytes[position + 1];
    if (marker === 0xff) {
      position += 1; // a fill byte
      continue;
    }
    position += 2 + bytes[position + 2] * 256 + bytes[position + 3];
    // In the scan 0xff is always followed by 0 or a restart marker, but by 0xd9 at its end.
    if (marker === 0xda) {
      while ((position = bytes.indexOf(0xff, position)) >= 0) if (bytes[++position] === 0xd9) return true;
      return false;
    }
  }
  return false;
}

/** A decoded photo at the three sizes that are needed: rows of its own for the network, results, display. */
export class Photo {
  /** @param {ImageBitmap} bitmap the decoded photo; `release` closes it. */
  constructor(bitmap) {
    this.bitmap = bitmap;
    this.width = bitmap.width;
    this.height = bitmap.height;
    this.resultSize = fitting(bitmap, Math.min(1, Math.sqrt(LARGEST_RESULT / (bitmap.width * bitmap.height))));
    this.displaySize = fitting(bitmap, Math.min(1, LARGEST_DISPLAY / Math.max(bitmap.width, bitmap.height)));
  }

  /** Whether the photo no longer has its own rows. */
  get isShrunk() {
    return this.bitmap.width !== this.width || this.bitmap.height !== this.height;
  }

  /** Rows of the photo as RGBA, one after another: a function for `resizePicture`. */
  rowReader() {
    const { canvas, context } = drawingSurface(this.width, 1);
    return (rows) => {
      canvas.height = rows.length;
      paintWhite(context);
      context.imageSmoothingEnabled = false;
      rows.forEach((row, index) => context.drawImage(this.bitmap, 0, row, this.width, 1, 0, index, this.width, 1));
      return context.getImageData(0, 0, this.width, rows.length).data;
    };
  }

  /** Gives back the memory of a photo that is larger than results are made at, once the network has its rows. */
  async shrinkToResult() {
    const { width, height } = this.resultSize;
    if (this.bitmap.width === width && this.bitmap.height === height) return;
    const { canvas, context } = drawingSurface(width, height, false);
    context.imageSmoothingQuality = "high";
    context.drawImage(this.bitmap, 0, 0, width, height);
    this.bitmap.close();
    this.bitmap = canvas.transferToImageBitmap();
  }

  /**
   * A canvas with the photo at a size, over white. It is halved step by step: one bilinear step over more than two
   * pixels would skip some.
   */
  drawn({ width, height }) {
    let [source, now] = [this.bitmap, { width: this.bitmap.width, height: this.bitmap.height }];
    for (;;) {
      const next = { width: Math.max(width, now.width >> 1), height: Math.max(height, now.height >> 1) };
      const isLast = next.width === width && next.height === height;
      const { canvas, context } = drawingSurface(next.width, next.height, isLast);
      paintWhite(context);
      context.imageSmoothingQuality = "high";
      context.drawImage(source, 0, 0, next.width, next.height);
      if (isLast) return { canvas, context };
      [source, now] = [canvas, next];
    }
  }

  release() {
    this.bitmap.close();
  }
}

export function drawingSurface(width, height, isRead = true) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: isRead });
  if (!context) throw new RangeError("no canvas of this size");
  return { canvas, context };
}

function paintWhite(context) {
  context.fillStyle = "#fff";
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
}

function fitting({ width, height }, factor) {
  return { width: Math.max(1, Math.floor(width * factor)), height: Math.max(1, Math.floor(height * factor)) };
}
