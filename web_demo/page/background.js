// The background alone, blurred: the salient object is left out of the mean, so that it casts no glow around itself.

const PASSES = 3; // of a box filter: close to a Gaussian
const RADIUS = 1 / 50; // of the longer side

/**
 * Blurs what the map calls background.
 *
 * @param {Uint8ClampedArray} pixels RGBA, [height, width, 4], of a small picture; changed in place.
 * @param {Float32Array} map [height, width] in [0, 1].
 */
export function blurBackground(pixels, map, width, height) {
  const radius = Math.max(1, Math.round(Math.max(width, height) * RADIUS));
  // Pixels inside the object still get a little weight: something must stand there.
  const weights = map.map((value) => Math.max(1 - value, 1e-3));
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
  let [now, next] = [plane.slice(), new Float32Array(plane.length)];
  for (let pass = 0; pass < PASSES; pass++) {
    for (let row = 0; row < height; row++) slide(now, next, row * width, 1, width, radius);
    for (let column = 0; column < width; column++) slide(next, now, column, width, height, radius);
  }
  return now;
}

// The mean of the 2 * radius + 1 samples around each one of a line, which goes on at its ends as it ends.
function slide(source, target, start, stride, count, radius) {
  const sample = (index) => source[start + Math.min(Math.max(index, 0), count - 1) * stride];
  let sum = 0;
  for (let index = -radius; index <= radius; index++) sum += sample(index);
  for (let index = 0; index < count; index++) {
    target[start + index * stride] = sum / (2 * radius + 1);
    sum += sample(index + radius + 1) - sample(index - radius);
  }
}
