// What the page says of faces on which edits will not work: with the bundled model, whose losses were measured.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { host, inverted, modelReady, root, shared, visit, weightsLike } from "./support.mjs";

/** @import { Page } from "playwright-core" */

const here = shared(async () => path.join(root, "weights"));

const samples = path.join(root, "weights/samples");
const SAID = /over the eyes|cover the mouth|unlike the faces/;

/**
 * Paints over the third sample portrait, where its eyes and its mouth are.
 * @param {Page} page
 * @param {"sunglasses" | "mask" | "poster"} what
 */
async function painted(page, what) {
  const file = (await readFile(path.join(samples, "03.webp"))).toString("base64");
  const text = await page.evaluate(
    async ({ file, what }) => {
      const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
      const face = await createImageBitmap(new Blob([bytes]));
      const side = face.width;
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
        new OffscreenCanvas(side, side).getContext("2d")
      );
      context.drawImage(face, 0, 0);
      if (what === "sunglasses") {
        context.fillStyle = "#0b0b0d";
        context.beginPath();
        for (const x of [0.325, 0.525]) context.roundRect(x * side, 0.33 * side, 0.16 * side, 0.1 * side, 0.03 * side);
        context.fillRect(0.48 * side, 0.36 * side, 0.05 * side, 0.015 * side);
        context.fill();
      }
      if (what === "mask") {
        context.fillStyle = "#ecebe7";
        context.beginPath();
        context.roundRect(0.31 * side, 0.47 * side, 0.39 * side, 0.25 * side, 0.08 * side);
        context.fill();
      }
      if (what === "poster") {
        const pixels = context.getImageData(0, 0, side, side);
        pixels.data.forEach((value, i) => {
          if (i % 4 < 3) pixels.data[i] = value < 85 ? 25 : value < 150 ? 120 : 235;
        });
        context.putImageData(pixels, 0, 0);
      }
      const blob = await context.canvas.convertToBlob();
      return btoa(Array.from(new Uint8Array(await blob.arrayBuffer()), (byte) => String.fromCharCode(byte)).join(""));
    },
    { file, what },
  );
  return { name: `${what}.png`, mimeType: "image/png", buffer: Buffer.from(text, "base64") };
}

/**
 * What the page says of a photo that is opened in it, by the time that it can be edited.
 * @param {string} url
 * @param {(page: Page) => Promise<Parameters<Page["setInputFiles"]>[1]>} file
 */
async function said(url, file) {
  const { page, problems, context } = await visit(here.browser, url);
  await modelReady(page);
  await page.setInputFiles("#file", await file(page));
  await inverted(page);
  await page.locator("#progress").waitFor({ state: "hidden" });
  const texts = await page.locator("#notices .notice p").allInnerTexts();
  assert.deepEqual(problems, []);
  await context.close();
  return texts.filter((text) => SAID.test(text));
}

for (const [what, wanted] of /** @type {const} */ ([
  ["sunglasses", /Something dark seems to lie over the eyes/],
  ["mask", /Something seems to cover the mouth/],
  ["poster", /unlike the faces that the model knows/],
])) {
  test(`${what}: told before anything is edited`, async () => {
    const texts = await said(here.site.url, (page) => painted(page, what));
    assert.equal(texts.length, 1);
    assert.match(texts[0], wanted);
  });
}

test("of portraits as they are nothing is said", async () => {
  for (const name of ["01.webp", "03.webp", "06.webp", "09.webp"]) {
    assert.deepEqual(await said(here.site.url, async () => path.join(samples, name)), [], name);
  }
});

test("of a model whose losses nobody has measured, nothing is said", async () => {
  const other = await host(await weightsLike("tests/golden/tiny"));
  assert.deepEqual(await said(other.url, (page) => painted(page, "poster")), []);
  await other.remove();
});
