// What the page's worker makes of pictures, for Python to compare with: reads a job as JSON from stdin,
// {dist, pictures, rounds, out}, writes each map to `out` as float32 and prints a JSON list of what it did.

import { writeFile } from "node:fs/promises";
import path from "node:path";
import { text } from "node:stream/consumers";

import { launch, serve } from "./chromium.mjs";

const job = JSON.parse(await text(process.stdin));
const server = await serve(job.dist);
const { page, context, close } = await launch();
// A document of the same origin that does nothing itself.
await page.goto(`${server.url}models.json`);
await page.evaluate(() => {
  document.body.innerHTML = "<input type=file multiple>";
  const worker = new Worker("worker.js");
  const waiting = new Map();
  worker.onmessage = ({ data }) => waiting.get(data.id)(data);
  globalThis.ask = async (action, request) => {
    const id = waiting.size;
    const answer = await new Promise((resolve) => {
      waiting.set(id, resolve);
      worker.postMessage({ id, action, ...request });
    });
    if (answer.error) throw new Error(answer.error);
    return answer.result;
  };
});
await page.locator("input").setInputFiles(job.pictures);
const models = await page.evaluate(async () => (await fetch("models.json")).json());
const done = [];
for (const { model, description } of models) {
  await page.evaluate(
    async ([model, description]) => {
      const bytes = await (await fetch(model)).arrayBuffer();
      await ask("open", { name: model, bytes, json: await (await fetch(description)).json(), jsonName: description });
    },
    [model, description],
  );
  for (const [index, picture] of job.pictures.entries()) {
    const found = await page.evaluate(
      async ([index, rounds]) => {
        const file = document.querySelector("input").files[index];
        const results = [];
        for (let round = 0; round < rounds; round++) results.push(await ask("find", { file, name: file.name }));
        const png = new Uint8Array(await (await ask("save", { view: "map" })).arrayBuffer());
        const { photo, result, map } = results.at(-1);
        const inText = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
        return {
          photo,
          result,
          height: map.height,
          width: map.width,
          map: btoa(inText(new Uint8Array(map.values.buffer))),
          png: btoa(inText(png)),
          milliseconds: results.map(({ milliseconds }) => milliseconds),
        };
      },
      [index, job.rounds],
    );
    const name = `${path.parse(model).name}-${path.basename(picture)}`;
    await writeFile(path.join(job.out, `${name}.f32`), Buffer.from(found.map, "base64"));
    await writeFile(path.join(job.out, `${name}.png`), Buffer.from(found.png, "base64"));
    done.push({ ...found, model, picture, map: `${name}.f32`, png: `${name}.png` });
  }
}
console.log(JSON.stringify({ browser: `Chromium ${context.browser()?.version() ?? ""}`.trim(), maps: done }));
await close();
server.stop();
