// The built page in Chromium, as a visitor meets it. $DIST is the page, built with two models; $PICTURES holds what
// tests/web_demo/conftest.py wrote.

import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, test } from "node:test";

import { FLAGS, launch, serve } from "./chromium.mjs";

const { DIST, PICTURES } = process.env;
const picture = (name) => path.join(PICTURES, name);

let server;
let browser;
let page;

beforeEach(async () => {
  server = await serve(DIST);
});

afterEach(async () => {
  await browser.close();
  server.stop();
  assert.deepEqual([...browser.requested], ["127.0.0.1"], "a request left this machine");
  assert.deepEqual(browser.complaints, [], "the console has errors");
});

async function open(options) {
  browser = await launch(options);
  page = browser.page;
  await page.goto(server.url);
}

const text = (id) => page.locator(`#${id}`).textContent();

async function status(pattern) {
  await page.waitForFunction(
    (source) =>
      new RegExp(source).test(document.getElementById("status").textContent) ||
      document.getElementById("error").textContent,
    pattern.source,
  );
  assert.equal(await text("error"), "");
  assert.match(await text("status"), pattern);
}

async function complaint(pattern) {
  await page.waitForFunction(
    (source) => new RegExp(source).test(document.getElementById("error").textContent),
    pattern.source,
  );
  const sentence = await text("error");
  assert.doesNotMatch(sentence, /\n|undefined|\[object/);
  assert.equal(await text("status"), "");
}

test("a photo gives four views, and each a PNG of the photo's size", async () => {
  await open({ acceptDownloads: true });
  await status(/tiny is ready/);
  await page.locator("#file").setInputFiles(picture("photo.jpg"));
  await status(/^photo\.jpg, 80×60 pixels: \d+ % stands out\.$/);
  for (const [view, name] of Object.entries({ map: "Map", overlay: "Overlay", cutout: "Cut-out", blur: "Blur" })) {
    await page.getByRole("radio", { name, exact: true }).check();
    await page.getByRole("img", { name: `${name} of photo.jpg` }).waitFor();
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#save").click()]);
    assert.equal(download.suggestedFilename(), `photo-${view}.png`);
    const content = await readFile(await download.path());
    assert.deepEqual([content.readUInt32BE(16), content.readUInt32BE(20)], [80, 60]);
  }
  for (const name of ["read", "prepare", "network", "draw"]) assert.match(await text(`time-${name}`), /^[\d.]+ ms$/);
});

test("another model looks at the same photo", async () => {
  await open();
  await status(/ready/);
  await page.locator("#file").setInputFiles(picture("photo.jpg"));
  await status(/^photo\.jpg/);
  await page.locator("#model").selectOption({ index: 1 });
  await status(/^photo\.jpg/);
});

test("a photo can be dropped anywhere, and an example taken by keyboard", async () => {
  await open();
  await status(/ready/);
  const content = (await readFile(picture("photo.jpg"))).toString("base64");
  await page.evaluate((content) => {
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], "dropped.jpg"));
    const drop = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
    document.querySelector("footer").dispatchEvent(drop);
  }, content);
  await status(/^dropped\.jpg/);
  await page.locator("#camera").focus();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await status(/^astronaut\.jpg, 512×512/);
  await page.locator("input[value=overlay]").focus();
  await page.keyboard.press("ArrowRight");
  await page.getByRole("img", { name: "Cut-out of astronaut.jpg" }).waitFor();
});

test("what is wrong is said in one sentence, and the page works on", async () => {
  await open();
  await status(/ready/);
  await page.locator("#file").setInputFiles(picture("text.jpg"));
  await complaint(/not a photo; .* Received: text\.jpg$/);
  await page.locator("#file").setInputFiles(picture("cut.jpg"));
  await complaint(/cut off in the middle; .* Received: cut\.jpg$/);
  await page.locator("#file").setInputFiles(picture("damaged.png"));
  await complaint(/cannot read the photo.* Received: damaged\.png$/);
  const own = page.locator("#own");
  await own.setInputFiles([picture("foreign.tflite")]);
  await complaint(/Choose two files together.* Received: foreign\.tflite$/);
  await own.setInputFiles([picture("foreign.tflite"), picture("foreign.json")]);
  await complaint(/not one that sodkeras convert wrote.* Received: foreign\.json$/);
  await own.setInputFiles([picture("foreign.tflite"), picture("text.json")]);
  await complaint(/not JSON. Received: text\.json$/);
  await own.setInputFiles([picture("foreign.tflite"), picture("other.json")]);
  await complaint(/not a \.tflite model. Received: foreign\.tflite$/);
  await own.setInputFiles([picture("damaged.tflite"), picture("other.json")]);
  await complaint(/Received: damaged\.tflite$/);
  await own.setInputFiles([picture("other.tflite"), picture("swapped.json")]);
  await complaint(/belongs to another model.* Received: other\.tflite$/);
  await page.locator("#file").setInputFiles(picture("photo.jpg"));
  await status(/^photo\.jpg/);
  await own.setInputFiles([picture("other.tflite"), picture("other.json")]);
  await status(/^photo\.jpg/);
  assert.equal(await page.locator("#model option:checked").textContent(), "other.tflite (yours)");
  await page.locator("#model").selectOption({ index: 0 });
  await status(/^photo\.jpg/);
  await own.setInputFiles([picture("other.tflite")]); // what the JSON would say stands in the file, too
  await status(/^photo\.jpg/);
  assert.equal(await page.locator("#model option:checked").textContent(), "other.tflite (yours)");
});

test("the camera shows what it sees until a picture is kept", async () => {
  await open({ permissions: ["camera"] });
  await status(/ready/);
  await page.locator("#camera").click();
  await page.getByRole("img", { name: "Overlay of camera" }).waitFor();
  await page.locator("#keep").click();
  await status(/^camera, \d+×\d+ pixels/);
  assert.ok(await page.locator("#viewfinder").isHidden());
  assert.ok(await page.locator("#save").isEnabled());
});

// The page with a model of its own for the camera, as with the networks that come with sodkeras; its licence tells it.
async function openWithTwo() {
  const folder = await mkdtemp(path.join(os.tmpdir(), "web-demo-"));
  await cp(DIST, folder, { recursive: true });
  server.stop();
  server = await serve(folder);
  const [first, second, ...others] = JSON.parse(await readFile(path.join(folder, "models.json"), "utf8"));
  const quick = { ...second, label: "quick", isForCamera: true };
  await writeFile(path.join(folder, "models.json"), JSON.stringify([first, quick, ...others]));
  const description = JSON.parse(await readFile(path.join(folder, quick.description), "utf8"));
  description.licence = "for the camera";
  await writeFile(path.join(folder, quick.description), JSON.stringify(description));
  await open({ permissions: ["camera"] });
  await status(/ready/);
  return { first, folder };
}

test("the camera has a model of its own, and what is kept of it is a photo", async () => {
  const { first, folder } = await openWithTwo();
  assert.equal(await page.locator("#model option:checked").textContent(), "Automatic");
  assert.equal(await text("uses"), `Photos: ${first.label}. Camera: quick`);
  for (let round = 0; round < 2; round++) {
    assert.doesNotMatch(await text("licence"), /for the camera/);
    await page.locator("#camera").click();
    await status(/ready .* The result follows what the camera sees\.$/);
    assert.equal(await text("licence"), "Weights: for the camera");
    await page.getByRole("img", { name: "Overlay of camera" }).waitFor();
    if (round === 0) await page.locator("#keep").click();
    else await page.locator("#file").setInputFiles(picture("photo.jpg"));
    await status(round === 0 ? /^camera, \d+×\d+ pixels/ : /^photo\.jpg/);
  }
  assert.doesNotMatch(await text("licence"), /for the camera/);
  await rm(folder, { recursive: true });
});

test("the model that a visitor chooses is for photos and camera, until the choice is taken back", async () => {
  const { first, folder } = await openWithTwo();
  await page.locator("#model").selectOption({ label: first.label });
  await page.getByText(`Photos and camera: ${first.label}`).waitFor();
  await page.locator("#camera").click();
  await status(/^The camera is open; /);
  await page.getByRole("img", { name: "Overlay of camera" }).waitFor();
  assert.doesNotMatch(await text("licence"), /for the camera/);
  await page.locator("#model").selectOption({ label: "Automatic" });
  await page.getByText("Weights: for the camera").waitFor();
  await page.locator("#model").selectOption({ label: "quick" });
  await page.getByText("Photos and camera: quick").waitFor();
  await page.locator("#keep").click();
  await status(/^camera, /);
  assert.equal(await text("licence"), "Weights: for the camera");
  await rm(folder, { recursive: true });
});

test("without leave to use the camera, the page says so", async () => {
  await open({ permissions: [] });
  await status(/ready/);
  await page.locator("#camera").click();
  await complaint(/^The camera is not allowed; /);
});

// A service worker would answer for worker.js, which these two change on its way.
async function openWithWorker(prologue) {
  browser = await launch({ serviceWorkers: "block" });
  page = browser.page;
  const body = `${prologue}\n${await readFile(path.join(DIST, "worker.js"), "utf8")}`;
  await page.route("**/worker.js", (route) => route.fulfill({ contentType: "text/javascript", body }));
  await page.goto(server.url);
}

test("a browser without WebAssembly is told so", async () => {
  await openWithWorker("delete self.WebAssembly;");
  await complaint(/^This browser has no WebAssembly/);
});

test("when the memory runs out, the page says so and starts anew", async () => {
  await openWithWorker(
    "self.createImageBitmap = async () => { throw new RangeError('Array buffer allocation failed'); };",
  );
  await status(/ready/);
  for (let attempt = 0; attempt < 2; attempt++) {
    await page.locator("#file").setInputFiles(picture("photo.jpg"));
    await complaint(/^The memory does not suffice; /);
  }
});

test("after the first visit it works without a server", async () => {
  await open();
  await status(/ready/);
  await page.getByText(/works without a network/).waitFor();
  server.stop();
  await page.reload();
  await status(/ready/);
  await page.getByAltText("cat").click();
  await status(/^cat\.jpg/);
  await page.locator("#model").selectOption({ index: 1 });
  await complaint(/^The server does not answer; connect once .* Received: models\/tiny.*\.tflite$/);
  assert.match(await page.locator("#model option:checked").textContent(), /8-bit/);
  browser.complaints.length = 0; // Chromium notes the failed request
});

test("a photo chosen while the page still loads is looked at", async () => {
  await open();
  await page.locator("#file").setInputFiles(picture("photo.jpg"));
  await status(/^photo\.jpg/);
});

test("a new build replaces the old one at the next visit", async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "web-demo-"));
  await cp(DIST, folder, { recursive: true });
  server.stop();
  server = await serve(folder);
  await open();
  await status(/ready/);
  const list = await readFile(path.join(folder, "models.json"), "utf8");
  await writeFile(path.join(folder, "models.json"), list.replaceAll("tiny 32×48", "newer 32×48"));
  const worker = path.join(folder, "service_worker.js");
  await writeFile(worker, `${await readFile(worker, "utf8")}\n`.replace(/web-demo-\$\{"\w+"\}/, "web-demo-newer"));
  // HTTP's dates have whole seconds: of two builds within one, the server would answer that nothing is new.
  const later = Date.now() / 1000 + 10;
  await utimes(worker, later, later);
  await page.reload();
  await page.getByText(/^newer 32×48, 8-bit/).waitFor({ state: "attached" });
  await rm(folder, { recursive: true });
});

test("over plain http it works without camera and service worker", async () => {
  await open({ args: [...FLAGS, "--host-resolver-rules=MAP demo.test 127.0.0.1"] });
  await status(/ready/);
  const { port } = new URL(server.url);
  await page.goto(`http://demo.test:${port}/`);
  await status(/ready/);
  await page.locator("#camera").click();
  await complaint(/^The browser lends the camera only to pages served by https or localhost; /);
  await page.locator("#file").setInputFiles(picture("photo.jpg"));
  await status(/^photo\.jpg/);
  assert.deepEqual([...browser.requested].sort(), ["127.0.0.1", "demo.test"]);
  browser.requested.delete("demo.test");
});

test("at 360 pixels nothing is cut off and everything can be hit with a thumb", async () => {
  await open({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  await status(/ready/);
  await page.locator("#file").setInputFiles(picture("photo.jpg"));
  await status(/^photo\.jpg/);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  const small = await page.evaluate(() =>
    [...document.querySelectorAll("button, .button, select, fieldset label")]
      .filter((element) => element.checkVisibility())
      .map((element) => ({ text: element.textContent, box: element.getBoundingClientRect() }))
      .filter(({ box }) => box.height < 44 || box.width < 44)
      .map(({ text }) => text),
  );
  assert.deepEqual(small, []);
});
