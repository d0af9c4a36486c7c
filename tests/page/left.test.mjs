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
  npy,
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
 * Opens the sample, whatever is open, and waits until it can be edited.
 * @param {Page} page
 */
async function another(page) {
  await page.evaluate(() => {
    /** @type {HTMLElement} */ (document.activeElement).blur();
    /** @type {HTMLElement} */ (document.querySelector("#sample-list button")).click();
  });
  await page.waitForFunction(() => document.activeElement?.id === "work-title"); // a photo that is opened is told so
  await inverted(page);
}

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
  await sample.click();
  await inverted(page);
  await another(page);
  assert.equal(await page.locator(".notice").count(), 0, "there was no edit");
  await slide(page, "tilt", 60);
  await page.click("#save");
  const download = page.waitForEvent("download");
  await page.click("#save-file");
  await download;
  await another(page);
  assert.equal(await page.locator(".notice").count(), 0, "it was saved");
  await slide(page, "tilt", 60);
  await slide(page, "tilt", 70);
  await another(page);
  await left(page, "one").waitFor();
  await settled(page);
  assert.deepEqual(problems, []);
  await context.close();
});

test("photos that are called alike are each offered, without the sliders that are gone since", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  const lean = { name: "lean.npy", mimeType: "", buffer: npy(Array.from({ length: 24 }, (_, i) => Math.cos(i))) };
  await page.setInputFiles("#direction-files", lean);
  const added = page.locator('[id="slider-own/lean.npy/lean"]');
  await added.waitFor({ state: "attached" });
  await page.locator("#sample-list button").click();
  await inverted(page);
  await slide(page, "tilt", 60);
  const tilted = await pixels(page);
  await slide(page, "own/lean.npy/lean", 40);
  await another(page);
  await slide(page, "tilt", 30);
  await another(page);
  assert.equal(await left(page, "one").count(), 2);
  await page.getByRole("button", { name: "Remove lean.npy", includeHidden: true }).evaluate((button) => {
    /** @type {HTMLElement} */ (button).click();
  });
  await added.waitFor({ state: "detached" });
  await left(page, "one").first().getByRole("button", { name: "Bring them back" }).click();
  await stands(page, "tilt", "60");
  assert.equal(difference(await pixels(page), tilted), 0);
  assert.deepEqual(problems, []);
  await context.close();
});

test("of a file that is shared late, what it holds counts as saved, not what was edited since", async () => {
  const script = `navigator.canShare = () => true;
    let asked = 0;
    navigator.share = async () => {
      if (asked++ === 0) throw new DOMException("not just after a press", "NotAllowedError");
    };`;
  const { page, problems, context } = await visit(browser, site.url, { script });
  await modelReady(page);
  await page.locator("#sample-list button").click();
  await inverted(page);
  const share = async () => {
    await page.click("#share");
    const ready = page.locator(".notice", { hasText: "is ready to be shared." });
    await ready.waitFor();
    return ready;
  };
  await slide(page, "tilt", 60);
  const ready = await share();
  await slide(page, "tilt", 70);
  await ready.getByRole("button", { name: "Share" }).click();
  await ready.waitFor({ state: "detached" });
  await another(page);
  await left(page, "one").waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test("who leaves with edits that are in no file is asked", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  /** @type {string[]} */
  const asked = [];
  page.on("dialog", async (dialog) => {
    asked.push(dialog.type());
    await dialog.dismiss();
  });
  const sample = page.locator("#sample-list button");
  await sample.click();
  await inverted(page);
  await page.reload();
  assert.deepEqual(asked, [], "there was no edit");
  await modelReady(page);
  await sample.click();
  await inverted(page);
  await slide(page, "tilt", 60);
  await Promise.all([page.waitForEvent("dialog"), page.evaluate(() => location.reload())]);
  await stands(page, "tilt", "60");
  assert.deepEqual(asked, ["beforeunload"]);
  await page.click("#save");
  const download = page.waitForEvent("download");
  await page.click("#save-file");
  await download;
  await page.reload();
  await modelReady(page);
  assert.deepEqual(asked, ["beforeunload"], "it was saved");
  assert.deepEqual(problems, []);
  await context.close();
});
