// Edits that give way to another photo: that is said, and they can be brought back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as pictures from "./pictures.mjs";
import {
  accessible,
  difference,
  host,
  inverted,
  launch,
  modelReady,
  pixels,
  settled,
  slide,
  tinyWithSample,
  visit,
} from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof host>>} */
let site;

before(async () => {
  const weights = await tinyWithSample();
  [browser, site] = await Promise.all([launch(), host(weights)]);
});

after(async () => {
  await browser?.close();
  await site?.remove();
});

const hill = { name: "hill.png", mimeType: "image/png", buffer: pictures.gradient(400, 300) };

/** @param {Page} page @param {string} name */
const left = (page, name) => page.locator(".notice", { hasText: `The edits of “${name}” were not saved.` });

/** @param {Page} page @param {string} name */
const back = (page, name) => left(page, name).getByRole("button", { name: "Bring them back" }).click();

/**
 * Waits until a slider stands there, and its picture is shown.
 * @param {Page} page
 * @param {string} name
 * @param {string} position
 */
async function stands(page, name, position) {
  await page.waitForFunction(
    ([id, value]) => /** @type {HTMLInputElement | null} */ (document.getElementById(id))?.value === value,
    [`slider-${name}`, position],
  );
  await page.waitForFunction(() => document.querySelector("#progress")?.hasAttribute("hidden"));
  await inverted(page);
}

test("unsaved edits of a photo come back with it, also those of a face that was placed by hand", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await page.locator("#sample-list button").click();
  await inverted(page);
  await slide(page, "tilt", 60);
  const tilted = await pixels(page);

  await page.setInputFiles("#file", hill);
  await page.locator("#align-dialog[open]").waitFor();
  await accessible(page, "edits that were left");
  await page.getByRole("button", { name: "Use this crop" }).click();
  await inverted(page);
  await slide(page, "bend", 50);
  const bent = await pixels(page);

  await back(page, "one");
  await stands(page, "tilt", "60");
  assert.equal(await page.locator('[id="slider-bend"]').inputValue(), "0");
  assert.equal(difference(await pixels(page), tilted), 0);

  await back(page, "hill.png");
  await stands(page, "bend", "50");
  assert.equal(await page.locator("dialog[open]").count(), 0, "where the face is, is known");
  assert.equal(difference(await pixels(page), bent), 0);
  assert.deepEqual(problems, []);
  await context.close();
});

test("nothing is said of edits that were saved, or of a photo without any", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  const sample = page.locator("#sample-list button");
  const another = async () => {
    await sample.evaluate((button) => /** @type {HTMLElement} */ (button).click());
    await page.waitForFunction(() => document.querySelector("#undo:disabled"));
    await inverted(page);
  };
  await sample.click();
  await inverted(page);
  await another();
  assert.equal(await page.locator(".notice").count(), 0, "there was no edit");
  await slide(page, "tilt", 60);
  await page.click("#save");
  const download = page.waitForEvent("download");
  await page.click("#save-file");
  await download;
  await another();
  assert.equal(await page.locator(".notice").count(), 0, "it was saved");
  await slide(page, "tilt", 60);
  await slide(page, "tilt", 70);
  await another();
  await left(page, "one").waitFor();
  await settled(page);
  assert.deepEqual(problems, []);
  await context.close();
});
