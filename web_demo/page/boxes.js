/**
 * Sums over the part of a square around each value that lies in the picture.
 *
 * @param {Float32Array} plane [height, width].
 * @param {number} radius the square's side is 2 * radius + 1.
 */
export function boxSums(plane, width, height, radius) {
  const result = new Float32Array(plane.length);
  const across = new Float64Array(plane.length);
  for (let row = 0; row < height; row++) slide(plane, across, row * width, 1, width, radius);
  for (let column = 0; column < width; column++) slide(across, result, column, width, height, radius);
  return result;
}

function slide(source, target, start, stride, count, radius) {
  let sum = 0;
  for (let index = -radius; index < count; index++) {
    if (index + radius < count) sum += source[start + (index + radius) * stride];
    if (index - radius - 1 >= 0) sum -= source[start + (index - radius - 1) * stride];
    if (index >= 0) target[start + index * stride] = sum;
  }
}
