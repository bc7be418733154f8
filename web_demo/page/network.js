// A .tflite file in LiteRT.js: description and bytes in, then pixels in and a map out. Nothing else knows of tensors.
//
// LiteRT.js 2.5.3 wraps float32, int32 and uint8 tensors only; its WebAssembly takes int8 as well. So this module
// speaks to the WebAssembly's own bindings, which the package declares in its types (`LiteRtWasm`), for every type.

import { loadLiteRt } from "@litertjs/core";

import { DemoError } from "./errors.js";
import { networkInput, saliencyMap } from "./preprocessing.js";

// LiteRT's numbers for the types of tensors, and the arrays that hold them.
const TYPES = {
  float32: { number: 1, array: Float32Array },
  uint8: { number: 3, array: Uint8Array },
  int8: { number: 9, array: Int8Array },
};

let runtime;

async function loadRuntime() {
  if (runtime) return;
  if (typeof WebAssembly !== "object") {
    throw new DemoError("This browser has no WebAssembly, or it is switched off; take a current browser.");
  }
  const folder = new URL("litert/", self.location).href;
  self.Module = {
    locateFile: (name) => folder + name, // else it would look for its .wasm beside the worker
    printErr: (line) => console.debug(line), // it tells what it does as if that were errors
  };
  runtime = await loadLiteRt(folder);
}

export class Network {
  /**
   * Loads a model; makes the runtime ready first.
   *
   * @param {object} description what `readDescription` gave.
   * @param {Uint8Array} bytes the .tflite file.
   * @param {string} name what to call the file in an error.
   * @throws {DemoError} if the bytes are no .tflite file, or not the one that is described.
   */
  static async load(description, bytes, name) {
    if (String.fromCharCode(...bytes.subarray(4, 8)) !== "TFL3") {
      throw new DemoError(`The file is not a .tflite model. Received: ${name}`);
    }
    await loadRuntime();
    const network = new Network(description);
    try {
      await network.compile(bytes, name);
    } catch (error) {
      network.release();
      if (error instanceof DemoError || error instanceof RangeError) throw error;
      const message = String(error?.message ?? error).split("\n")[0].replace(/\.+$/, "");
      throw new DemoError(`LiteRT cannot load it; make it with sodkeras convert (${message}). Received: ${name}`);
    }
    return network;
  }

  constructor(description) {
    this.description = description;
    this.wasm = runtime.liteRtWasm;
    this.environment = runtime.getDefaultEnvironment().liteRtEnvironment;
    this.owned = []; // what lives in the WebAssembly's memory and must be deleted, in the order it was made
  }

  async compile(bytes, name) {
    const { wasm, environment, description } = this;
    const address = wasm._malloc(bytes.byteLength);
    this.own({ delete: () => wasm._free(address) });
    wasm.HEAPU8.set(bytes, address);
    const model = this.own(wasm.loadModel(environment, address, bytes.byteLength));
    this.checkTensors(model, name);
    const options = { accelerator: "wasm", cpuOptions: { numThreads: wasm.getThreadCount() } };
    this.compiled = this.own(
      await wasm.compileModel(environment, model, { ...options, gpuOptions: {}, webNNOptions: {} }),
    );
    this.input = this.own(this.buffer(description.input));
  }

  own(handle) {
    this.owned.push(handle);
    return handle;
  }

  checkTensors(model, name) {
    const { input, output } = this.description;
    const isDescribed =
      this.isOf(model.getInputTensorType(0, 0), input) && this.isOf(model.getOutputTensorType(0, 0), output);
    if (!isDescribed) {
      throw new DemoError(`The JSON belongs to another model; give the one beside the .tflite. Received: ${name}`);
    }
  }

  isOf(tensorType, { type, shape }) {
    const layout = tensorType.layout();
    const dimensions = layout.dimensions();
    const found = Array.from({ length: dimensions.size() }, (_, index) => dimensions.get(index));
    const isSame = tensorType.elementType().value === TYPES[type].number && found.join() === shape.join();
    for (const handle of [dimensions, layout, tensorType]) handle.delete();
    return isSame;
  }

  buffer({ type, shape }) {
    const { wasm } = this;
    const dimensions = new wasm.VectorInt32();
    for (const size of shape) dimensions.push_back(size);
    const layout = wasm.LiteRtLayout.create(dimensions);
    const tensorType = wasm.LiteRtRankedTensorType.create({ value: TYPES[type].number }, layout);
    const host = wasm.LiteRtTensorBufferType.HOST_MEMORY;
    const result = wasm.LiteRtTensorBuffer.createManaged(this.environment, host, tensorType, tensorType.bytes());
    for (const handle of [dimensions, layout, tensorType]) handle.delete();
    return result;
  }

  // Gives `use` the buffer's memory as an array, which is valid only then: the WebAssembly's memory may move.
  withMemory(buffer, { type, shape }, mode, use) {
    const address = buffer.lock(this.wasm.LiteRtTensorBufferLockMode[mode]);
    try {
      const count = shape.reduce((product, size) => product * size, 1);
      return use(new TYPES[type].array(this.wasm.HEAPU8.buffer, address, count));
    } finally {
      buffer.unlock();
    }
  }

  /** The saliency map of a picture of the network's size, RGB, Uint8Array [height, width, 3]. */
  async run(pixels) {
    const { input, output } = this.description;
    const values = networkInput(pixels, this.description);
    this.withMemory(this.input, input, "WRITE", (memory) => memory.set(values));
    const buffers = await this.compiled.run(0, [this.input]);
    try {
      return this.withMemory(buffers[0], output, "READ", (memory) => saliencyMap(memory, this.description));
    } finally {
      for (const buffer of buffers) buffer.delete();
    }
  }

  /** Gives the memory back. */
  release() {
    while (this.owned.length) this.owned.pop().delete();
  }
}
