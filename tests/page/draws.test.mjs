// A generator alone: it takes no photo, and draws faces that are edited like photos.
import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { converted, offer } from "./interruptions.mjs";
import {
  accessible,
  difference,
  host,
  inverted,
  launch,
  modelReady,
  PATIENCE,
  pixels,
  root,
  settled,
  slide,
  visit,
  weightsLike,
} from "./support.mjs";

const PORTRAIT = path.join(root, "weights/samples/01.webp");

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {string} */
let weights;

before(async () => {
  weights = await weightsLike("tests/golden/tiny");
  browser = await launch();
});

after(async () => {
  await browser?.close();
  if (weights) await rm(weights, { recursive: true });
});

test("a generator alone draws faces, edits them, and takes no photo", async () => {
  const site = await host(weights);
  const { page, problems, context } = await visit(browser, site.url);
  context.setDefaultTimeout(PATIENCE);
  await modelReady(page);
  assert.ok(await page.locator("#draw").isHidden(), "a model without a mapping network draws nothing");
  const buffer = await readFile(path.join(root, "tests/golden/stylegan2.pt"));
  await offer(page, { name: "stylegan2.pt", mimeType: "", buffer });
  await converted(page);
  await modelReady(page);
  await page.locator(".notice", { hasText: "a generator alone" }).waitFor();

  // Nothing else is offered to begin with.
  for (const id of ["choose", "camera", "mirror-start"]) await page.locator(`#${id}`).waitFor({ state: "hidden" });
  await page.click("#draw");
  await inverted(page);
  await settled(page);
  assert.ok(await page.locator("#adjust").isHidden(), "there is nothing around it");
  const shown = await page.locator("#views label:visible .name").allInnerTexts();
  assert.deepEqual(shown, ["Edited", "Plain", "Original"]);
  const first = await pixels(page);
  // Nothing was guessed: what the model makes of its own codes is what it has drawn.
  await page.getByRole("radio", { name: "Plain" }).check();
  await page.locator("#caption", { hasText: "as the model has drawn it" }).waitFor();
  assert.ok(difference(first, await pixels(page)) < 1, "the drawn face comes back");
  await page.getByRole("radio", { name: "Edited" }).check();
  await slide(page, "coarse-1", 80);
  const edited = await pixels(page);
  assert.ok(difference(first, edited) > 0.5, "an edit");
  await accessible(page, "a face that the model has drawn");

  // Another one, and back to the first with its edit.
  await page.click("#draw-another");
  await page.locator(".notice", { hasText: "were not saved" }).waitFor();
  await inverted(page);
  await settled(page);
  assert.ok(difference(first, await pixels(page)) > 0.5, "another face");
  await page.locator(".notice button", { hasText: "Bring them back" }).click();
  await page.waitForFunction(() => {
    const slider = /** @type {HTMLInputElement} */ (document.getElementById("slider-coarse-1"));
    return Number(slider.value) !== 0;
  });
  await settled(page);
  assert.ok(difference(edited, await pixels(page)) < 1, "the first face with its edit");

  await page.setInputFiles("#file", PORTRAIT);
  await page.locator(".notice", { hasText: "no photo can be turned into one of them" }).waitFor();
  // It is there at the next visit, too.
  await page.reload();
  await modelReady(page);
  await page.locator("#draw").waitFor();
  await page.click("#draw");
  await inverted(page);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});
