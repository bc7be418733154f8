// Writes the page into a folder that any server of plain files can serve: node build.mjs --models=DIR [--out=DIR]
//
// DIR holds .tflite files that `sodkeras convert` wrote, or sodkeras/presets. Beside each file the page gets one JSON: that
// of convert, or what the file says of itself, with the name and licence of its network's preset.

import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { build } from "esbuild";

import { readDescription } from "./page/description.js";
import { DemoError } from "./page/errors.js";
import { readMetadata } from "./page/metadata.js";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const NUMERICS = {
  float32: "32-bit float",
  float16: "16-bit float",
  dynamic_wi8_afp32: "8-bit weights",
  static_wi8_ai8: "8-bit",
};
// Of the networks that come with sodkeras: the best, for a photo is waited for, and the quickest, for a frame is not.
const FOR_PHOTOS = "u2netp_int8.tflite";
const FOR_CAMERA = "dnl_small_int8.tflite";
const NO_JSON = Symbol("no JSON");
const STATIC = ["index.html", "style.css", "icon.svg", "manifest.webmanifest"];
// LiteRT.js takes the first where the browser has relaxed SIMD, else the second.
const RUNTIME = ["litert_wasm_internal", "litert_wasm_compat_internal"];

async function main() {
  const { values } = parseArgs({
    options: { models: { type: "string" }, out: { type: "string", default: path.join(HERE, "dist") } },
  });
  if (!values.models) throw new DemoError("Say where sodkeras convert wrote the models, with --models=DIR.");
  const models = await findModels(values.models);
  const out = path.resolve(values.out);
  await rm(out, { recursive: true, force: true });
  await mkdir(path.join(out, "models"), { recursive: true });
  const examples = await copyExamples(out);
  await copyPage(out);
  for (const { file, json } of models) {
    await cp(path.join(values.models, file), path.join(out, "models", file));
    await writeFile(path.join(out, "models", jsonBeside(file)), JSON.stringify(json, null, 2) + "\n");
  }
  const list = models.map(({ file, label, bytes }) => ({
    label,
    model: `models/${file}`,
    description: `models/${jsonBeside(file)}`,
    bytes,
    ...(file === FOR_CAMERA && { isForCamera: true }),
  }));
  await writeFile(path.join(out, "models.json"), JSON.stringify(list, null, 2) + "\n");
  await writeFile(path.join(out, "examples.json"), JSON.stringify(examples) + "\n");
  await writeServiceWorker(out);
  console.log(`${out}: ${list.map(({ label }) => label).join("; ")}`);
}

async function findModels(folder) {
  let names;
  try {
    names = await readdir(folder);
  } catch (error) {
    throw new DemoError(`The folder of models cannot be read (${error.code}). Received: ${folder}`);
  }
  const jsons = new Map();
  for (const name of names.filter((name) => name.endsWith(".json"))) {
    jsons.set(name, parse(await readFile(path.join(folder, name), "utf8")));
  }
  const models = [];
  for (const file of names.filter((name) => name.endsWith(".tflite")).sort()) {
    const content = await readFile(path.join(folder, file));
    if (content.toString("latin1", 4, 8) !== "TFL3") {
      throw new DemoError(`The file is not a .tflite model. Received: ${file}`);
    }
    const beside = jsons.get(jsonBeside(file));
    if (beside === NO_JSON) throw new DemoError(`The file is not JSON. Received: ${jsonBeside(file)}`);
    const preset = [...jsons.values()].find((one) => Object.values(one?.files ?? {}).some((of) => of?.file === file));
    const json = beside ?? withPreset(readMetadata(content), preset);
    if (!json) throw new DemoError(`Put the .json that sodkeras convert wrote beside the model. Received: ${file}`);
    const { name, numerics, preprocessing } = readDescription(json, jsonBeside(file));
    const size = `${preprocessing.height}×${preprocessing.width}`;
    const bytes = content.length;
    // What of the name is said after it is left out.
    const title = name.replace(new RegExp(`_${preprocessing.height}$`), "");
    const label = `${title} ${size}, ${NUMERICS[numerics] ?? numerics}, ${(bytes / 1e6).toFixed(1)} MB`;
    models.push({ file, json, label, bytes, isInteger: numerics === "static_wi8_ai8" });
  }
  if (!models.length) throw new DemoError(`The folder holds no .tflite; run sodkeras convert. Received: ${folder}`);
  // The page begins with the first. Of foreign files 8-bit integer is the quickest, then the smallest.
  const isFirst = ({ file }) => file === FOR_PHOTOS;
  return models.sort(
    (one, other) => isFirst(other) - isFirst(one) || other.isInteger - one.isInteger || one.bytes - other.bytes,
  );
}

/** What a file says of itself, with what its network's preset says of whose it is. */
function withPreset(inside, preset) {
  return inside && preset ? { ...inside, name: preset.name, licence: preset.licence } : inside;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return NO_JSON;
  }
}

function jsonBeside(file) {
  return file.replace(/\.tflite$/, ".json");
}

async function copyExamples(out) {
  const source = path.join(HERE, "..", "examples");
  const names = (await readdir(source)).filter((name) => name.endsWith(".jpg")).sort();
  await mkdir(path.join(out, "examples"));
  for (const name of [...names, "ATTRIBUTION.md"]) {
    await cp(path.join(source, name), path.join(out, "examples", name));
  }
  return names.map((name) => `examples/${name}`);
}

async function copyPage(out) {
  for (const name of STATIC) await cp(path.join(HERE, "page", name), path.join(out, name));
  const options = { bundle: true, target: "es2022", legalComments: "inline", outdir: out, logLevel: "warning" };
  await build({ ...options, entryPoints: [path.join(HERE, "page", "page.js")], format: "esm" });
  // The runtime loads its glue with importScripts, which module workers lack: the worker becomes a classic script.
  await build({ ...options, entryPoints: [path.join(HERE, "page", "worker.js")], format: "iife" });
  const runtime = path.join(HERE, "node_modules", "@litertjs", "core", "wasm");
  for (const name of RUNTIME) {
    for (const suffix of ["js", "wasm"]) {
      await cp(path.join(runtime, `${name}.${suffix}`), path.join(out, "litert", `${name}.${suffix}`));
    }
  }
}

async function writeServiceWorker(out) {
  const files = (await readdir(out, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(out, path.join(entry.parentPath, entry.name)).split(path.sep).join("/"))
    .sort();
  const version = createHash("sha256");
  for (const file of files) version.update(file).update(await readFile(path.join(out, file)));
  // Large and not all needed: kept when first asked for.
  const shell = files.filter((file) => !/^(models|litert|examples)\//.test(file));
  const template = await readFile(path.join(HERE, "page", "service_worker.js"), "utf8");
  const constants = {
    BUILD_VERSION: JSON.stringify(version.digest("hex").slice(0, 12)),
    BUILD_FILES: JSON.stringify(["./", ...shell]),
  };
  const script = template
    .replace(/^\/\* global .*\n\n/m, "")
    .replace(/BUILD_VERSION|BUILD_FILES/g, (name) => constants[name]);
  await writeFile(path.join(out, "service_worker.js"), script);
}

main().catch((error) => {
  console.error(error instanceof DemoError ? `build: ${error.message}` : error);
  process.exitCode = 1;
});
