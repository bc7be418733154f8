// The object's own colours where its edge is half transparent, without the old background's: those of
// sodkeras/pictures/foreground.py, to a step of 255.

import { boxSums } from "./boxes.js";
import { resizePicture } from "./resize.js";
import { roundHalfToEven } from "./rounding.js";

const SIDE = 512; // the longer side of the small picture that colours are averaged on
const RADII = [51, 17, 6, 2]; // of the averages there, each a finer look at what the one before found
const TRUST = 1e-3; // pixels' worth of the colour itself, where hardly anything of the object is near

export class Foreground {
  /**
   * @param {(rows: number[]) => Uint8ClampedArray} readPhoto rows of the photo as RGBA, as in `resizePicture`.
   * @param {(rows: number[]) => Uint8ClampedArray} readLevels the same of the map in grey.
   * @param {{width: number, height: number}} size of both.
   */
  constructor(readPhoto, readLevels, size) {
    this.size = size;
    const scale = Math.min(1, SIDE / Math.max(size.width, size.height));
    const small = (length) => Math.max(1, roundHalfToEven(length * scale));
    const target = { width: small(size.width), height: small(size.height), interpolation: "area" };
    [this.width, this.height] = [target.width, target.height];
    const pixels = resizePicture(readPhoto, size, target);
    const levels = resizePicture(readLevels, size, target);
    const share = Float32Array.from({ length: this.width * this.height }, (_, index) => levels[3 * index] / 255);
    const rest = share.map((value) => 1 - value);
    this.channels = [0, 1, 2].map((channel) => this.estimate(share.map((_, at) => pixels[3 * at + channel]), share, rest));
  }

  // The object's and the background's values of one channel around each pixel of the small picture.
  estimate(colours, share, rest) {
    let [foreground, background, seen] = [colours, colours, null];
    for (const of512 of RADII) {
      const radius = Math.max(1, roundHalfToEven((of512 * Math.max(this.width, this.height)) / SIDE));
      const [front, back] = [this.average(foreground, share, radius), this.average(background, rest, radius)];
      foreground = colours.map((colour, at) => {
        const unexplained = colour - share[at] * front[at] - rest[at] * back[at];
        return Math.min(Math.max(front[at] + share[at] * unexplained, 0), 255);
      });
      background = back;
      seen = [front, back];
    }
    return seen;
  }

  average(colours, weights, radius) {
    const summed = boxSums(colours.map((colour, at) => colour * weights[at]), this.width, this.height, radius);
    const counted = boxSums(weights, this.width, this.height, radius);
    return summed.map((sum, at) => (sum + TRUST * colours[at]) / (counted[at] + TRUST));
  }

  /** Gives rows of the photo, RGBA, the object's own colours in place, where the map is neither 0 nor 1. */
  clean(pixels, values, top) {
    const { width } = this.size;
    const columns = Array.from({ length: width }, (_, column) => between(column, width, this.width));
    for (let index = 0; index < values.length; index++) {
      const level = roundHalfToEven(255 * values[index]);
      if (level === 0 || level === 255) continue;
      const share = level / 255;
      const x = columns[index % width];
      const y = between(top + Math.floor(index / width), this.size.height, this.height);
      this.channels.forEach((planes, channel) => {
        const [front, back] = planes.map((plane) => this.sample(plane, x, y));
        const at = 4 * index + channel;
        const unexplained = pixels[at] - share * front - (1 - share) * back;
        pixels[at] = front + share * unexplained; // rounded and clamped by the array
      });
    }
  }

  sample(plane, x, y) {
    const row = (at) => plane[at * this.width + x.first] * (1 - x.share) + plane[at * this.width + x.second] * x.share;
    return row(y.first) * (1 - y.share) + row(y.second) * y.share;
  }
}

// For a pixel along one axis, the two of the small picture that it lies between, and how far from the first.
function between(place, count, smallCount) {
  const position = Math.min(Math.max((place + 0.5) * (smallCount / count) - 0.5, 0), smallCount - 1);
  const first = Math.floor(position);
  return { first, second: Math.min(first + 1, smallCount - 1), share: position - first };
}
