// What lies beside the page since it was built, and the models that a visitor brings.

import { DemoError } from "./errors.js";

/** The list that build.mjs wrote: [{label, model, description, bytes}], the one to begin with first. */
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
 * A model from a visitor's files: a .tflite and the .json beside it.
 *
 * @throws {DemoError} if they are not one of each, or the JSON is none.
 */
export async function readModel(files) {
  const received = files.map((file) => file.name).join(", ") || "nothing";
  const ending = (suffix) => files.filter((file) => file.name.toLowerCase().endsWith(suffix));
  const [models, descriptions] = [ending(".tflite"), ending(".json")];
  if (models.length !== 1 || descriptions.length !== 1) {
    throw new DemoError(
      `Choose two files together: a .tflite and the .json that sodkeras convert wrote beside it. Received: ${received}`,
    );
  }
  let json;
  try {
    json = JSON.parse(await descriptions[0].text());
  } catch {
    throw new DemoError(`The file is not JSON. Received: ${descriptions[0].name}`);
  }
  return { name: models[0].name, bytes: await models[0].arrayBuffer(), json, jsonName: descriptions[0].name };
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
