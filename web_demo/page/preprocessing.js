// From 8-bit pixels to a network's input and from its output to a map, in Python's arithmetic to the bit:
// float32 throughout, as sodkeras/preprocessing.py and sodkeras/runtimes.py do with NumPy.

import { roundHalfToEven } from "./rounding.js";

const ARRAYS = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array };
const LIMITS = { int8: [-128, 127], uint8: [0, 255] };
const { fround } = Math;

/**
 * The network's input of a resized picture.
 *
 * @param {Uint8Array} pixels RGB, [height, width, 3], at the network's size.
 * @param {object} description what `readDescription` gave.
 * @returns {Float32Array | Int8Array | Uint8Array} [1, height, width, 3].
 */
export function networkInput(pixels, { preprocessing, input }) {
  // A black picture has no maximum to speak of and stays black.
  const divisor = preprocessing.divisor === "maximum" ? Math.max(largest(pixels), 1) : 255;
  const tables = [0, 1, 2].map((channel) => inputsOfBytes(divisor, channel, preprocessing, input));
  const result = new ARRAYS[input.type](pixels.length);
  for (let index = 0; index < pixels.length; index++) result[index] = tables[index % 3][pixels[index]];
  return result;
}

// A pixel is one of 256 values: what each becomes is computed once.
function inputsOfBytes(divisor, channel, { mean, standardDeviation }, input) {
  const deviation = fround(standardDeviation[channel]);
  const factor = fround(fround(1 / divisor) / deviation);
  const offset = fround(fround(mean[channel]) / deviation);
  const table = new ARRAYS[input.type](256);
  for (let byte = 0; byte < 256; byte++) {
    const value = fround(fround(byte * factor) - offset);
    table[byte] = input.type === "float32" ? value : quantize(value, input);
  }
  return table;
}

function quantize(value, { type, scale, zeroPoint }) {
  const [lowest, highest] = LIMITS[type];
  const level = roundHalfToEven(fround(value / fround(scale))) + zeroPoint;
  return Math.min(Math.max(level, lowest), highest);
}

/**
 * A network's output as a map of floats in [0, 1], [height, width].
 *
 * The largest integer stands for 1: LiteRT's sigmoid has steps of 1/256, and no pixel would be wholly salient.
 */
export function saliencyMap(output, { preprocessing, output: tensor }) {
  const { width, height } = preprocessing;
  if (tensor.type === "float32") return { values: Float32Array.from(output), width, height };
  const scale = fround(tensor.scale);
  const largest = LIMITS[tensor.type][1] - tensor.zeroPoint;
  const end = fround(largest * scale);
  const endsShort = end < 1 && fround(end + scale) >= 1;
  const value = endsShort ? (steps) => steps / largest : (steps) => steps * scale;
  return { values: Float32Array.from(output, (level) => value(level - tensor.zeroPoint)), width, height };
}

function largest(pixels) {
  let maximum = 0;
  for (const value of pixels) if (value > maximum) maximum = value;
  return maximum;
}
