// The picture of the page in the documentation: node tests/screenshot.mjs DIST FILE.jpg, with DIST built
// with the model that is to be shown.

import { writeFile } from "node:fs/promises";

import { launch, serve } from "./chromium.mjs";

const [dist, file] = process.argv.slice(2);
const SCREENS = [
  { viewport: { width: 1060, height: 790 }, photo: "astronaut", view: "Overlay", colorScheme: "light" },
  { viewport: { width: 360, height: 790 }, photo: "coffee", view: "Cut-out", colorScheme: "light" },
  { viewport: { width: 360, height: 790 }, photo: "rocket", view: "Blur", colorScheme: "dark" },
];

const server = await serve(dist);
const pictures = [];
for (const { photo, view, ...options } of SCREENS) {
  const { page, close } = await launch(options);
  await page.goto(server.url);
  await page.getByText(/is ready/).waitFor();
  await page.getByAltText(photo).click();
  await page.getByText(new RegExp(`^${photo}.*stands out`)).waitFor();
  await page.getByRole("radio", { name: view, exact: true }).check();
  await page.getByRole("img", { name: `${view} of ${photo}` }).waitFor();
  // The milliseconds of the machine that makes the picture would mislead.
  await page.evaluate(() => {
    document.activeElement.blur();
    document.getElementById("times").hidden = true;
  });
  pictures.push((await page.screenshot()).toString("base64"));
  await close();
}
server.stop();

const { page, close } = await launch({ viewport: { width: 1860, height: 830 } });
const images = pictures.map((picture) => `<img src="data:image/png;base64,${picture}">`).join("");
await page.setContent(
  `<style>body { display: flex; gap: 20px; margin: 0; padding: 20px; background: #8a979b }
   img { border-radius: 12px }</style>${images}`,
);
await writeFile(file, await page.screenshot({ type: "jpeg", quality: 76 }));
await close();
