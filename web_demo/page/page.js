// The page itself: what is pressed, dropped and shown. Pixels and tensors are the worker's.

import { Camera } from "./camera.js";
import { DemoError, sentence } from "./errors.js";
import { fetchModel, fetchPhoto, listExamples, listModels, readModel } from "./files.js";
import { keepOffline } from "./offline.js";
import { Requests } from "./requests.js";

const element = (id) => document.getElementById(id);
const canvas = element("canvas");
const camera = new Camera(element("video"));

let requests;
let choices = []; // {label, photos, camera}, as the list of models shows them: the models, {label, load}, for each
let choice; // the one of them that holds
let current = null; // the model that is open
let photoName = null; // null until a photo has gone through
let share = 0; // of the photo that is salient, in percent
let isCameraOpen = false;

function say(message) {
  element("error").textContent = "";
  element("status").textContent = message;
}

function complain(error) {
  element("status").textContent = "";
  element("error").textContent = sentence(error);
}

function view() {
  return document.querySelector("input[name=view]:checked").value;
}

// Whatever goes wrong becomes one sentence in the page.
async function shown(task) {
  try {
    await task();
  } catch (error) {
    complain(error);
  }
  element("stage").classList.remove("busy");
}

// One thing after another, once the page has started: else the camera's model could take the place of a photo's.
function inTurn(task) {
  const done = last.then(task);
  last = done.catch(() => {});
  return done;
}

// Does what a visitor asked for. Not to be called from within a turn, whose end it waits for.
function attempt(task) {
  return shown(() => inTurn(task));
}

async function openModel(model) {
  if (model === current) return;
  say("Loading the runtime and the model…");
  const { description, milliseconds } = await requests.open(await model.load());
  current = model;
  const { name, licence } = description;
  element("licence").textContent = licence ? `Weights: ${licence}` : "";
  const next = isCameraOpen ? "The result follows what the camera sees." : "Choose a photo.";
  say(`${name} is ready (${Math.round(milliseconds)} ms to load). ${next}`);
}

function forBoth(model) {
  return { label: model.label, photos: model, camera: model };
}

async function choose(chosen) {
  try {
    await openModel(isCameraOpen ? chosen.camera : chosen.photos);
    choice = chosen;
    if (!choices.includes(chosen)) choices.push(chosen);
  } finally {
    if (choice) showChoice(); // after a failure the one that still holds
  }
  if (photoName !== null && !isCameraOpen) await find({ name: photoName });
}

function showChoice() {
  element("model").replaceChildren(...choices.map((one) => new Option(one.label, "", false, one === choice)));
  const { photos, camera } = choice;
  element("uses").textContent =
    photos === camera ? `Photos and camera: ${photos.label}` : `Photos: ${photos.label}. Camera: ${camera.label}`;
}

async function find(source) {
  if (!choice) throw new DemoError("The page has not loaded; reload it.");
  const isLive = Boolean(source.frame) && isCameraOpen;
  await openModel(isLive ? choice.camera : choice.photos);
  if (!isLive) say("Looking…");
  element("stage").classList.toggle("busy", !isLive);
  const { photo, result, map, milliseconds } = await requests.find(source);
  photoName = source.name;
  // A map has no parts to put in words, but how much of the photo it calls salient can be said.
  const salient = map.values.filter((value) => value > 0.5).length;
  share = Math.round((100 * salient) / map.values.length);
  await show();
  showTimes(milliseconds);
  element("views").disabled = false;
  element("save").disabled = false;
  element("times").hidden = false;
  if (isLive) return; // two announcements a second would drown a screen reader
  const isReduced = result.width !== photo.width;
  say(
    `${source.name}, ${photo.width}×${photo.height} pixels: ${share} % stands out.` +
      (isReduced ? ` The PNG will have ${result.width}×${result.height}, which every phone can hold.` : ""),
  );
  element("stage").scrollIntoView({ block: "nearest" });
}

async function show() {
  const start = performance.now();
  const bitmap = await requests.draw(view());
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const shown = document.querySelector("input[name=view]:checked").nextElementSibling.textContent;
  canvas.setAttribute("aria-label", `${shown} of ${photoName}: ${share} % stands out`);
  canvas.getContext("bitmaprenderer").transferFromImageBitmap(bitmap);
  element("time-draw").textContent = milliseconds(performance.now() - start);
}

function showTimes(times) {
  for (const [name, value] of Object.entries(times)) element(`time-${name}`).textContent = milliseconds(value);
}

function milliseconds(value) {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

function findInFile(file) {
  closeCamera();
  return attempt(() => find({ file, name: file.name || "the picture" }));
}

// One frame after another, as fast as the network goes, until the camera is closed.
async function watch() {
  say("Opening the camera…");
  await camera.open();
  say("The camera is open; the result follows what it sees.");
  isCameraOpen = true;
  element("viewfinder").hidden = false;
  element("camera").hidden = true;
  const look = async () => isCameraOpen && find({ frame: await camera.frame(), name: "camera" });
  while (isCameraOpen) await inTurn(look);
}

// What the camera sees becomes a photo, and is looked at as one.
async function keep() {
  const frame = await camera.frame();
  closeCamera();
  await attempt(() => find({ frame, name: "camera" }));
}

function closeCamera() {
  if (!isCameraOpen) return;
  isCameraOpen = false;
  camera.close();
  const hadFocus = document.activeElement === element("keep");
  element("viewfinder").hidden = true;
  element("camera").hidden = false;
  if (hadFocus) element("camera").focus(); // a hidden button would let it fall to the page's top
}

async function save() {
  say("Making the PNG…");
  const file = await requests.save(view());
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `${photoName.replace(/\.\w+$/, "")}-${view()}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  say(`${link.download}: ${(file.size / 1e6).toFixed(1)} MB.`);
}

function listen() {
  element("file").addEventListener("change", ({ target }) => {
    if (target.files.length) findInFile(target.files[0]);
    target.value = ""; // so that the same photo may be chosen again
  });
  element("model").addEventListener("change", ({ target }) => {
    attempt(() => choose(choices[target.selectedIndex]));
  });
  element("own").addEventListener("change", ({ target }) => {
    const files = [...target.files];
    const label = `${files.map(({ name }) => name).find((name) => name.endsWith(".tflite"))} (yours)`;
    if (files.length) attempt(() => choose(forBoth({ label, load: () => readModel(files) })));
    target.value = "";
  });
  element("views").addEventListener("change", () => attempt(show));
  element("save").addEventListener("click", () => attempt(save));
  element("camera").addEventListener("click", () => shown(() => last.then(watch)).finally(closeCamera));
  element("keep").addEventListener("click", () => shown(keep));
  document.addEventListener("paste", ({ clipboardData }) => {
    if (clipboardData.files.length) findInFile(clipboardData.files[0]);
  });
  // The whole page takes drops: a photo that misses the frame would else replace the page.
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    element("drop").classList.add("over");
  });
  document.addEventListener("dragleave", () => element("drop").classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    element("drop").classList.remove("over");
    if (event.dataTransfer.files.length) findInFile(event.dataTransfer.files[0]);
  });
}

async function offerExamples() {
  for (const path of await listExamples()) {
    const name = path.split("/").pop();
    const button = document.createElement("button");
    button.type = "button";
    const image = document.createElement("img");
    image.src = path;
    image.alt = name.replace(/\.\w+$/, "");
    button.append(image);
    button.addEventListener("click", () => shown(async () => findInFile(await fetchPhoto(path))));
    const item = document.createElement("li");
    item.append(button);
    element("examples").append(item);
  }
}

async function start() {
  const isKept = await keepOffline(() => {
    // A newer build took over: its models may be others. A visitor at work is not disturbed.
    if (photoName === null) location.reload();
  });
  requests = new Requests(() => {
    current = null;
    photoName = null;
    element("views").disabled = true;
    element("save").disabled = true;
  });
  await offerExamples();
  const entries = await listModels();
  const models = entries.map((entry) => ({ label: entry.label, load: () => fetchModel(entry) }));
  choices = models.map(forBoth);
  const forCamera = entries.findIndex(({ isForCamera }) => isForCamera);
  if (forCamera > 0) choices.unshift({ label: "Automatic", photos: models[0], camera: models[forCamera] });
  choice = choices[0];
  showChoice();
  await openModel(choice.photos);
  if (isKept) keepCameraModel();
}

// The camera shall work without a network, too; a photo does not wait for that.
async function keepCameraModel() {
  try {
    await choice.camera.load();
    element("offline").textContent = "From now on this page works without a network.";
  } catch {
    // It is loaded when the camera is used, which says what is wrong.
  }
}

listen();
let last = shown(start); // what a visitor asked for last
