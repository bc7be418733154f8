// What lies beside the page since it was built, and the models that a visitor brings.

import { DemoError } from "./errors.js";
import { readMetadata } from "./metadata.js";

/**
 * The list that build.mjs wrote: [{label, model, description, bytes}], the one for photos first; the one that shall
 * follow the camera has `isForCamera`, and where none has, the first does that, too.
 */
export async function listModels() {
  return (await get("models.json")).json();
}

/** The paths of the example photos. */
export async function listExamples() {
  return (await get("examples.json")).json();
}

/** An example photo as if a visitor had chosen it. */
export async function fetchPhoto(path) {
  return new File([await (await get(path)).blob()], fileName(path));
}

/** A model of the list, as `Session.open` takes it. */
export async function fetchModel({ model, description }) {
  const [bytes, json] = await Promise.all([
    get(model).then((response) => response.arrayBuffer()),
    get(description).then((response) => response.json()),
  ]);
  return { name: fileName(model), bytes, json, jsonName: fileName(description) };
}

/**
 * A model from a visitor's files: a .tflite that says what it is, or one and the .json beside it.
 *
 * @throws {DemoError} if they are neither, or the JSON is none.
 */
export async function readModel(files) {
  const received = files.map((file) => file.name).join(", ") || "nothing";
  const ending = (suffix) => files.filter((file) => file.name.toLowerCase().endsWith(suffix));
  const [[model, ...others], [description, ...more]] = [ending(".tflite"), ending(".json")];
  const foreign = new DemoError(
    `Choose two files together: a .tflite and the .json that sodkeras convert wrote beside it. Received: ${received}`,
  );
  if (!model || others.length || more.length) throw foreign;
  let json = null;
  try {
    if (description) json = JSON.parse(await description.text());
  } catch {
    throw new DemoError(`The file is not JSON. Received: ${description.name}`);
  }
  const bytes = await model.arrayBuffer();
  json ??= readMetadata(new Uint8Array(bytes));
  if (!json) throw foreign;
  return { name: model.name, bytes, json, jsonName: (description ?? model).name };
}

async function get(path) {
  let response;
  try {
    response = await fetch(path);
  } catch {
    throw new DemoError(`The server does not answer; connect once to load what is missing. Received: ${path}`);
  }
  if (!response.ok) throw new DemoError(`The server does not have a file of this page. Received: ${path}`);
  return response;
}

function fileName(path) {
  return path.split("/").pop();
}
