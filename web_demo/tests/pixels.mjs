// The page's arithmetic without a browser, for Python to compare with: reads a job as JSON from stdin, whose arrays are
// lists, and prints the result of the step it names.

import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";

import { blurBackground } from "../page/background.js";
import { VIEWS } from "../page/compositing.js";
import { readDescription } from "../page/description.js";
import { readMetadata } from "../page/metadata.js";
import { Foreground } from "../page/foreground.js";
import { networkInput, saliencyMap } from "../page/preprocessing.js";
import { ResizedMap, resizePicture } from "../page/resize.js";

const STEPS = {
  resize({ pixels, width, height, target }) {
    const source = Uint8ClampedArray.from(pixels);
    const readRows = (rows) =>
      Uint8ClampedArray.from(rows.flatMap((row) => [...source.subarray(row * width * 4, (row + 1) * width * 4)]));
    return resizePicture(readRows, { width, height }, target);
  },
  input: ({ pixels, description }) => networkInput(Uint8Array.from(pixels), readDescription(description, "test")),
  output: ({ values, description }) => saliencyMap(values, readDescription(description, "test")).values,
  restore({ values, width, height, target }) {
    return new ResizedMap({ values: Float32Array.from(values), width, height }, target).rows(0, target.height);
  },
  view({ name, pixels, map }) {
    const result = Uint8ClampedArray.from(pixels);
    VIEWS[name](result, Float32Array.from(map));
    return result;
  },
  clean({ pixels, map, width, height }) {
    const result = Uint8ClampedArray.from(pixels);
    const levels = Uint8ClampedArray.from(map.flatMap((value) => [255 * value, 0, 0, 0]));
    const reader = (all) => (rows) =>
      Uint8ClampedArray.from(rows.flatMap((row) => [...all.subarray(row * width * 4, (row + 1) * width * 4)]));
    const foreground = new Foreground(reader(result.slice()), reader(levels), { width, height });
    foreground.clean(result, Float32Array.from(map), 0);
    return result;
  },
  background({ pixels, map, width, height }) {
    const result = Uint8ClampedArray.from(pixels);
    blurBackground(result, Float32Array.from(map), width, height);
    return result;
  },
  describe: ({ description }) => [readDescription(description, "test").name],
  keys({ description }) {
    const read = [];
    const watch = (values, path) =>
      new Proxy(values, {
        get(target, key) {
          read.push(path + key);
          const value = target[key];
          return value && typeof value === "object" && !Array.isArray(value) ? watch(value, `${path}${key}.`) : value;
        },
      });
    readDescription(watch(description, ""), "test");
    return read;
  },
  metadata: ({ file }) => [JSON.stringify(readMetadata(readFileSync(file)))],
};

const { step, ...job } = JSON.parse(await text(process.stdin));
try {
  console.log(JSON.stringify({ result: Array.from(STEPS[step](job)) }));
} catch (error) {
  console.log(JSON.stringify({ error: error.message, kind: error.constructor.name }));
}
