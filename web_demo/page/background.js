// The background alone, blurred: the salient object is left out of the mean, so that it casts no glow around itself.

import { boxSums } from "./boxes.js";

const PASSES = 3; // of a box filter: close to a Gaussian
const RADIUS = 0.03; // of the longer side
const LEAST = 1e-3; // what a wholly salient pixel counts: something must stand there

/**
 * Blurs what the map calls background, as sodkeras/pictures/cut_out.py does it.
 *
 * @param {Uint8ClampedArray} pixels RGBA, [height, width, 4], of a small picture; changed in place.
 * @param {Float32Array} map [height, width] in [0, 1].
 */
export function blurBackground(pixels, map, width, height) {
  const radius = Math.max(1, Math.round(Math.max(width, height) * RADIUS));
  const weights = map.map((value) => 1 - value + LEAST);
  const blurredWeights = blurred(weights, width, height, radius);
  for (let channel = 0; channel < 3; channel++) {
    const plane = weights.map((weight, index) => weight * pixels[4 * index + channel]);
    const result = blurred(plane, width, height, radius);
    for (let index = 0; index < result.length; index++) {
      pixels[4 * index + channel] = result[index] / blurredWeights[index];
    }
  }
}

function blurred(plane, width, height, radius) {
  const share = 1 / (2 * radius + 1) ** 2; // keeps the numbers small
  for (let pass = 0; pass < PASSES; pass++) {
    plane = boxSums(plane, width, height, radius).map((sum) => sum * share);
  }
  return plane;
}
