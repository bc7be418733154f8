// OpenCV's resizing by area, to the bit for 8-bit pictures: what cv2.resize with INTER_AREA gives Python.
//
// A picture that shrinks along both axes becomes the mean over the covered pixels, computed in float32; whole numbers of
// pixels are summed exactly. Any other is resized linearly between samples of its own places.

import { roundHalfToEven } from "./rounding.js";

const { fround } = Math;

const LEAST = 1e-3; // of a pixel: what covers less is left out

/** As `positions` of resize.js, where a picture grows along an axis and is resized by area. */
export function areaPositions(source, target) {
  const scale = source / target;
  const inverse = target / source;
  const first = new Int32Array(target);
  const second = new Int32Array(target);
  const fraction = new Float32Array(target);
  for (let index = 0; index < target; index++) {
    const below = Math.floor(index * scale);
    const part = fround(index + 1 - (below + 1) * inverse);
    fraction[index] = part <= 0 || below >= source - 1 ? 0 : part - Math.floor(part);
    first[index] = Math.min(below, source - 1);
    second[index] = Math.min(below + 1, source - 1);
  }
  return { first, second, fraction };
}

// For each of `target` cells, the pixels it covers of `source` ones, from `first` on, and their weights, of sum 1.
function cells(source, target) {
  const scale = source / target;
  return Array.from({ length: target }, (_, index) => {
    const start = index * scale;
    const end = start + scale;
    const extent = Math.min(scale, source - start);
    const lastWhole = Math.min(Math.floor(end), source - 1);
    const firstWhole = Math.min(Math.ceil(start), lastWhole);
    const weights = new Array(lastWhole - firstWhole).fill(fround(1 / extent));
    const isCut = firstWhole - start > LEAST;
    if (isCut) weights.unshift(fround((firstWhole - start) / extent));
    if (end - lastWhole > LEAST) weights.push(fround(Math.min(end - lastWhole, 1, extent) / extent));
    return { first: firstWhole - isCut, weights };
  });
}

/**
 * Resizes an 8-bit picture to the means over the pixels that each of the result's covers.
 *
 * @param {(rows: number[]) => Uint8ClampedArray} readRows as in `resizePicture`.
 * @param {{width: number, height: number}} source the picture's size, along both axes at least that of the result.
 * @param {{width: number, height: number}} target the result's size.
 * @returns {Uint8Array} RGB, [height, width, 3].
 */
export function shrinkByArea(readRows, source, target) {
  const [across, down] = [source.width / target.width, source.height / target.height];
  const row = Number.isInteger(across) && Number.isInteger(down) ? rowOfSums(across, down) : rowOfMeans;
  const columns = cells(source.width, target.width);
  const result = new Uint8Array(target.height * target.width * 3);
  cells(source.height, target.height).forEach(({ first, weights }, index) => {
    const pixels = readRows(weights.map((_, offset) => first + offset));
    result.set(row(pixels, source.width, columns, weights), index * target.width * 3);
  });
  return result;
}

// A row of the result where each cell is of whole pixels: exact sums, rounded once.
function rowOfSums(across, down) {
  const share = fround(1 / (across * down));
  const round = across === 2 && down === 2 ? (sum) => (sum + 2) >> 2 : (sum) => roundHalfToEven(fround(sum * share));
  return (pixels, width, columns, rows) => {
    const result = new Uint8ClampedArray(columns.length * 3);
    for (let at = 0; at < result.length; at++) {
      let sum = 0;
      const left = Math.floor(at / 3) * across * 4 + (at % 3);
      for (let row = 0; row < rows.length; row++) {
        for (let column = 0; column < across; column++) sum += pixels[row * width * 4 + left + column * 4];
      }
      result[at] = round(sum);
    }
    return result;
  };
}

// A row of the result where cells cut pixels: along rows first, in float32, in the order of the pixels.
function rowOfMeans(pixels, width, columns, rows) {
  const sums = new Float32Array(columns.length * 3);
  rows.forEach((rowWeight, row) => {
    let at = 0;
    for (const { first, weights } of columns) {
      for (let channel = 0; channel < 3; channel++, at++) {
        let sum = 0;
        let from = (row * width + first) * 4 + channel;
        for (let index = 0; index < weights.length; index++, from += 4) {
          sum = fround(sum + fround(pixels[from] * weights[index]));
        }
        sums[at] = sums[at] + fround(sum * rowWeight);
      }
    }
  });
  return Uint8ClampedArray.from(sums, roundHalfToEven);
}
