// OpenCV's resizing, to the bit for 8-bit pictures: what cv2.resize with INTER_LINEAR gives Python; with INTER_AREA, for
// what shrinks, see area.js.
//
// 8-bit pictures are resized in fixed point, with weights of 11 bits; an exact halving of both axes is the mean of
// four pixels. Half-pixel centres, no smoothing when shrinking.

import { areaPositions, shrinkByArea } from "./area.js";
import { roundHalfToEven } from "./rounding.js";

const WEIGHT_ONE = 2048;

// Where each of `target` samples lies among `source` ones: two neighbours and the weight of the second. OpenCV clamps
// the weights at the picture's edge along rows only.
function positions(source, target, clampsWeights) {
  const scale = 1 / (target / source);
  const first = new Int32Array(target);
  const second = new Int32Array(target);
  const fraction = new Float32Array(target);
  for (let index = 0; index < target; index++) {
    const position = Math.fround((index + 0.5) * scale - 0.5);
    const below = Math.floor(position);
    const isOutside = below < 0 || below >= source - 1;
    fraction[index] = clampsWeights && isOutside ? 0 : Math.fround(position - below);
    first[index] = Math.min(Math.max(below, 0), source - 1);
    second[index] = Math.min(Math.max(below + 1, 0), source - 1);
  }
  return { first, second, fraction };
}

function fixedPoint(fraction) {
  return {
    ofFirst: Int32Array.from(fraction, (value) => roundHalfToEven(Math.fround(1 - value) * WEIGHT_ONE)),
    ofSecond: Int32Array.from(fraction, (value) => roundHalfToEven(value * WEIGHT_ONE)),
  };
}

/**
 * Resizes an 8-bit picture that is read a few rows at a time: of a huge photo not all rows are needed at once.
 *
 * @param {(rows: number[]) => Uint8ClampedArray} readRows gives the asked rows, one after another, as RGBA.
 * @param {{width: number, height: number}} source the picture's size.
 * @param {{width: number, height: number, interpolation: string}} target the result's size, and "bilinear" or "area".
 * @returns {Uint8Array} RGB, [height, width, 3].
 */
export function resizePicture(readRows, source, target) {
  const isByArea = target.interpolation === "area";
  if (isByArea && source.width >= target.width && source.height >= target.height) {
    return shrinkByArea(readRows, source, target);
  }
  const x = isByArea ? areaPositions(source.width, target.width) : positions(source.width, target.width, true);
  const y = isByArea ? areaPositions(source.height, target.height) : positions(source.height, target.height, false);
  const [xWeights, yWeights] = [fixedPoint(x.fraction), fixedPoint(y.fraction)];
  const isHalved = source.width === 2 * target.width && source.height === 2 * target.height;
  const result = new Uint8Array(target.height * target.width * 3);
  const rowsAtOnce = 16;
  for (let top = 0; top < target.height; top += rowsAtOnce) {
    const bottom = Math.min(top + rowsAtOnce, target.height);
    const wanted = [];
    for (let row = top; row < bottom; row++) wanted.push(y.first[row], y.second[row]);
    const pixels = readRows(wanted);
    for (let row = top; row < bottom; row++) {
      const upper = (row - top) * 2 * source.width * 4;
      const lower = upper + source.width * 4;
      const upperWeight = yWeights.ofFirst[row];
      const lowerWeight = yWeights.ofSecond[row];
      let at = row * target.width * 3;
      for (let column = 0; column < target.width; column++) {
        const left = x.first[column] * 4;
        const right = x.second[column] * 4;
        const leftWeight = xWeights.ofFirst[column];
        const rightWeight = xWeights.ofSecond[column];
        for (let channel = 0; channel < 3; channel++) {
          const upperLeft = pixels[upper + left + channel];
          const upperRight = pixels[upper + right + channel];
          const lowerLeft = pixels[lower + left + channel];
          const lowerRight = pixels[lower + right + channel];
          if (isHalved) {
            result[at++] = (upperLeft + upperRight + lowerLeft + lowerRight + 2) >> 2;
            continue;
          }
          const above = (upperLeft * leftWeight + upperRight * rightWeight) >> 4;
          const below = (lowerLeft * leftWeight + lowerRight * rightWeight) >> 4;
          result[at++] = (((upperWeight * above) >> 16) + ((lowerWeight * below) >> 16) + 2) >> 2;
        }
      }
    }
  }
  return result;
}

/** A map of floats, resized bilinearly, that gives its rows one by one: the whole of it may not fit into memory. */
export class ResizedMap {
  /**
   * @param {{values: Float32Array, width: number, height: number}} map
   * @param {{width: number, height: number}} target the size to give rows of.
   */
  constructor(map, target) {
    this.width = target.width;
    const x = positions(map.width, target.width, true);
    this.y = positions(map.height, target.height, false);
    this.wide = new Float32Array(map.height * target.width);
    let at = 0;
    for (let row = 0; row < map.height; row++) {
      const start = row * map.width;
      for (let column = 0; column < target.width; column++) {
        const left = map.values[start + x.first[column]];
        const right = map.values[start + x.second[column]];
        this.wide[at++] = left * (1 - x.fraction[column]) + right * x.fraction[column];
      }
    }
  }

  /** Writes rows `top` to `bottom` (exclusive) into a Float32Array and returns it. */
  rows(top, bottom, result = new Float32Array((bottom - top) * this.width)) {
    let at = 0;
    for (let row = top; row < bottom; row++) {
      const upper = this.y.first[row] * this.width;
      const lower = this.y.second[row] * this.width;
      const fraction = this.y.fraction[row];
      for (let column = 0; column < this.width; column++) {
        result[at++] = this.wide[upper + column] * (1 - fraction) + this.wide[lower + column] * fraction;
      }
    }
    return result;
  }
}
