// What a saliency map is looked at with, as sodkeras/pictures/ does it: each view turns rows of the photo, RGBA, into
// rows of the result in place. Writing into a Uint8ClampedArray rounds half to even, as NumPy does.

import { roundHalfToEven } from "./rounding.js";

const TINT = [255, 64, 0];
const TINT_STRENGTH = 0.6;

/**
 * The views: (pixels, map, backdrop) => void. `pixels` holds rows of the photo as RGBA, `map` as many floats in [0, 1]
 * as there are pixels, `backdrop` the same rows of the blurred background, which "blur" alone needs.
 */
export const VIEWS = { map, overlay, cutout, blur };

/** The views that show the object without its background, and so need clean edges. */
export const CUTS = ["cutout", "blur"];

/** The map in grey: 0 background, 255 salient; values are rounded, never stretched. */
function map(pixels, values) {
  for (let index = 0, at = 0; index < values.length; index++, at += 4) {
    pixels[at] = pixels[at + 1] = pixels[at + 2] = 255 * values[index];
    pixels[at + 3] = 255;
  }
}

/** The photo, desaturated and dimmed where nothing is salient, tinted where something is. */
function overlay(pixels, values) {
  for (let index = 0, at = 0; index < values.length; index++, at += 4) {
    const salient = values[index];
    const weight = salient * TINT_STRENGTH;
    const dimmed = grey(pixels, at) * (1 - TINT_STRENGTH / 2) * (1 - salient);
    for (let channel = 0; channel < 3; channel++) {
      const tinted = pixels[at + channel] * (1 - weight) + TINT[channel] * weight;
      pixels[at + channel] = tinted * salient + dimmed;
    }
    pixels[at + 3] = 255;
  }
}

/** The photo with the map as its transparency; its edges were cleaned before (foreground.js). */
function cutout(pixels, values) {
  for (let index = 0; index < values.length; index++) pixels[4 * index + 3] = 255 * values[index];
}

/** The photo in front of its blurred background. */
function blur(pixels, values, backdrop) {
  for (let index = 0, at = 0; index < values.length; index++, at += 4) {
    const salient = roundHalfToEven(255 * values[index]) / 255;
    for (let channel = 0; channel < 3; channel++) {
      pixels[at + channel] = pixels[at + channel] * salient + backdrop[at + channel] * (1 - salient);
    }
    pixels[at + 3] = 255;
  }
}

// OpenCV's grey of RGB, in its fixed point.
function grey(pixels, at) {
  return (pixels[at] * 9798 + pixels[at + 1] * 19235 + pixels[at + 2] * 3735 + 16384) >> 15;
}
