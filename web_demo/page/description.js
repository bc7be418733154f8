// The JSON that `sodkeras convert` writes beside a .tflite file: what the network expects, and what its numbers mean.

import { DemoError } from "./errors.js";

const TYPES = ["float32", "int8", "uint8"];

/**
 * Checks a description and returns it in the shape that the other modules use.
 *
 * @param {unknown} json what the file held.
 * @param {string} name what to call the file in an error.
 * @throws {DemoError} if the file is of something else, or asks for what this page cannot do.
 */
export function readDescription(json, name) {
  const foreign = (what) =>
    new DemoError(
      `The JSON is not one that sodkeras convert wrote beside a .tflite: ${what} is missing or odd. Received: ${name}`,
    );
  const preprocessing = json?.preprocessing;
  if (!preprocessing) throw foreign("preprocessing");
  const [height, width] = readNumbers(preprocessing.size, 2, (value) => Number.isInteger(value) && value > 0) ?? [];
  if (!height) throw foreign("preprocessing.size");
  const mean = readNumbers(preprocessing.mean, 3, Number.isFinite);
  if (!mean) throw foreign("preprocessing.mean");
  const standardDeviation = readNumbers(preprocessing.standard_deviation, 3, (value) => value > 0);
  if (!standardDeviation) throw foreign("preprocessing.standard_deviation");
  const { interpolation } = preprocessing;
  if (!["bilinear", "area"].includes(interpolation)) {
    throw new DemoError(
      `This page resizes by bilinear or area. Received: interpolation ${interpolation} in ${name}`,
    );
  }
  if (!["255", "maximum"].includes(preprocessing.divisor)) throw foreign("preprocessing.divisor");
  const values = json.output_values ?? "probabilities";
  if (values !== "probabilities") {
    throw new DemoError(
      `This page shows maps; convert with the sigmoid inside the graph. Received: output values ${values} in ${name}`,
    );
  }
  const input = readTensor(json.input_tensor, [1, height, width, 3]);
  if (!input) throw foreign("input_tensor");
  const output = readTensor(json.output_tensor, [1, height, width, 1]);
  if (!output) throw foreign("output_tensor");
  return {
    name: String(json.name ?? name),
    numerics: String(json.numerics ?? input.type),
    licence: json.licence ? String(json.licence) : null,
    preprocessing: { height, width, interpolation, mean, standardDeviation, divisor: preprocessing.divisor },
    input,
    output,
  };
}

function readNumbers(values, count, isGood) {
  return Array.isArray(values) && values.length === count && values.every(isGood) ? values : null;
}

function readTensor(tensor, shape) {
  const isGood =
    tensor &&
    TYPES.includes(tensor.type) &&
    Array.isArray(tensor.shape) &&
    tensor.shape.join() === shape.join() &&
    (tensor.type === "float32" || (tensor.scale > 0 && Number.isInteger(tensor.zero_point)));
  return isGood ? { type: tensor.type, shape, scale: tensor.scale, zeroPoint: tensor.zero_point } : null;
}
