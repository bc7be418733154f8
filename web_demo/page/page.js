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
let models = []; // {label, load}, as the list of models shows them
let current; // the one of them that is open, or was before the worker started anew
let isModelOpen = false;
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

// Does what a visitor asked for, once the page has started.
function attempt(task) {
  return started.then(() => shown(task));
}

async function openModel(model) {
  say("Loading the runtime and the model…");
  let opened;
  try {
    opened = await requests.open(await model.load());
    current = model;
    isModelOpen = true;
    if (!models.includes(model)) models.push(model);
  } finally {
    // After a failure the list shows the model that stays open.
    element("model").replaceChildren(...models.map((one) => new Option(one.label, "", false, one === current)));
  }
  const { name, licence } = opened.description;
  element("licence").textContent = licence ? `Weights: ${licence}` : "";
  say(`${name} is ready (${Math.round(opened.milliseconds)} ms to load). Choose a photo.`);
  if (photoName !== null) await find({ name: photoName });
}

async function find(source) {
  if (!current) throw new DemoError("The page has not loaded; reload it.");
  if (!isModelOpen) await openModel(current);
  const isLive = Boolean(source.frame);
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
  if (isLive && isCameraOpen) return; // two announcements a second would drown a screen reader
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

// One frame after another, as fast as the network goes, until the camera is closed or a picture is kept.
async function watch() {
  say("Opening the camera…");
  await camera.open();
  say("The camera is open; the result follows what it sees.");
  isCameraOpen = true;
  element("viewfinder").hidden = false;
  element("camera").hidden = true;
  while (isCameraOpen) await find({ frame: await camera.frame(), name: "camera" });
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
    attempt(() => openModel(models[target.selectedIndex]));
  });
  element("own").addEventListener("change", ({ target }) => {
    const files = [...target.files];
    const label = `${files.map(({ name }) => name).find((name) => name.endsWith(".tflite"))} (yours)`;
    if (files.length) attempt(() => openModel({ label, load: () => readModel(files) }));
    target.value = "";
  });
  element("views").addEventListener("change", () => attempt(show));
  element("save").addEventListener("click", () => attempt(save));
  element("camera").addEventListener("click", () => attempt(watch).finally(closeCamera));
  element("keep").addEventListener("click", closeCamera);
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
    button.addEventListener("click", () => attempt(async () => findInFile(await fetchPhoto(path))));
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
    isModelOpen = false;
    photoName = null;
    element("views").disabled = true;
    element("save").disabled = true;
  });
  await offerExamples();
  models = (await listModels()).map((entry) => ({ label: entry.label, load: () => fetchModel(entry) }));
  current = models[0];
  await openModel(current);
  element("offline").textContent = isKept ? "From now on this page works without a network." : "";
}

listen();
const started = shown(start);
