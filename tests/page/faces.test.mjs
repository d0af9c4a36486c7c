// Several people in one photo, and faces that do not take all of a slider.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { gradient } from "./pictures.mjs";
import {
  accessible,
  decoded,
  difference,
  host,
  inverted,
  launch,
  modelReady,
  pixels,
  root,
  settled,
  showWholePhoto,
  slide,
  tinyWithSample,
  visit,
} from "./support.mjs";

/** The photo: two portraits side by side, the first one larger. */
const PHOTO = {
  width: 1200,
  height: 760,
  places: [
    { x: 20, y: 20, side: 720 },
    { x: 760, y: 180, side: 420 },
  ],
};
/** One of six people, each a little smaller than the one before. */
const GROUP = {
  width: 1500,
  height: 1000,
  places: [0, 1, 2, 3, 4, 5].map((i) => ({
    x: 20 + 500 * (i % 3),
    y: 20 + 500 * Math.floor(i / 3),
    side: 460 - 12 * i,
  })),
};

/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

/**
 * A photo of several people, made in the page from sample portraits.
 * @param {import("playwright-core").Page} page
 * @param {typeof PHOTO} [photo]
 */
async function couple(page, photo = PHOTO) {
  const text = await page.evaluate(async ({ width, height, places }) => {
    const canvas = new OffscreenCanvas(width, height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.fillStyle = "#8fa3b5";
    context.fillRect(0, 0, width, height);
    const samples = [...document.querySelectorAll("#sample-list button")];
    for (const [i, { x, y, side }] of places.entries()) {
      const src = samples[i].getAttribute("data-src") ?? "";
      context.drawImage(await createImageBitmap(await (await fetch(src)).blob()), x, y, side, side);
    }
    const bytes = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  }, photo);
  return { name: "couple.png", mimeType: "image/png", buffer: Buffer.from(text, "base64") };
}

/**
 * How much two pictures of the whole photo differ at the heart of each person, in 8-bit steps.
 * @param {{ width: number, data: Uint8Array }} a
 * @param {{ width: number, data: Uint8Array }} b
 */
function changes(a, b) {
  assert.deepEqual([a.width, b.width], [PHOTO.width, PHOTO.width]);
  return PHOTO.places.map(({ x, y, side }) => {
    let [sum, count] = [0, 0];
    for (let row = Math.round(y + side / 4); row < y + (3 * side) / 4; row++) {
      for (let at = Math.round(x + side / 4); at < x + (3 * side) / 4; at++, count += 3) {
        for (const c of [0, 1, 2]) {
          const i = 4 * (row * PHOTO.width + at) + c;
          sum += Math.abs(a.data[i] - b.data[i]);
        }
      }
    }
    return sum / count;
  });
}

test("every face keeps its edits, and the whole photo holds them all", async () => {
  const site = await host(path.join(root, "weights"));
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  const faces = page.locator("#faces input");
  const smile = page.locator('[id="slider-smile"]');
  await page.setInputFiles("#file", await couple(page));
  await inverted(page);
  assert.equal(await faces.count(), 2);

  await slide(page, "smile", 100);
  const first = await pixels(page);
  await faces.nth(1).check();
  await inverted(page);
  assert.equal(await smile.inputValue(), "0", "the other face is as it was");
  assert.ok(await page.locator("#undo").isDisabled(), "with no step to undo");
  assert.match((await page.locator("#faces label").first().getAttribute("title")) ?? "", /edited/);
  await accessible(page, "two faces, one edited");
  await slide(page, "light-hair", 100);
  await slide(page, "smile", -60);

  // The first face comes back as it was left, without being inverted again.
  await page.evaluate(() => {
    const progress = /** @type {HTMLElement} */ (document.querySelector("#progress"));
    const note = () => progress.hidden || progress.setAttribute("data-seen", "");
    new MutationObserver(note).observe(progress, { attributes: true, attributeFilter: ["hidden"] });
  });
  await faces.nth(0).check();
  await settled(page);
  assert.equal(difference(await pixels(page), first), 0, "the first face is as it was left");
  assert.equal(await page.locator("#progress[data-seen]").count(), 0, "nothing is done again");
  assert.equal(await smile.inputValue(), "100");

  await showWholePhoto(page, PHOTO.width);
  const both = await pixels(page);
  const original = await pixels(page, "before");
  for (const change of changes(both, original)) assert.ok(change > 0.5, `both faces are edited: ${change}`);

  const download = page.waitForEvent("download");
  await page.keyboard.press("Control+s");
  await page.click("#save-file");
  const file = await download;
  assert.equal(file.suggestedFilename(), "couple-sdic.png");
  assert.equal(difference(await decoded(page, await readFile(await file.path())), both), 0, "saved as shown");

  // Undoing is each face's own.
  await page.click("#undo");
  await settled(page);
  const [one, other] = changes(await pixels(page), original);
  assert.ok(one < 0.1, `the first face is as in the photo: ${one}`);
  assert.ok(other > 0.5, `the second keeps its edit: ${other}`);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("of six faces the four used last come back at once, and an older one is worked out again, as it was left", async () => {
  const site = await host(path.join(root, "weights"));
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await page.evaluate(() => {
    const { postMessage } = Worker.prototype;
    const seen = Object.assign(globalThis, { inversions: 0 });
    Worker.prototype.postMessage = function (/** @type {any} */ message, /** @type {any} */ ...rest) {
      if (message.method === "invert") seen.inversions++;
      return postMessage.call(this, message, ...rest);
    };
  });
  const inversions = () => page.evaluate(() => /** @type {any} */ (globalThis).inversions);
  const faces = page.locator("#faces input");
  const smile = page.locator('[id="slider-smile"]');
  /** The pictures of the first two, edited. */
  const left = [];
  await page.setInputFiles("#file", await couple(page, GROUP));
  for (let i = 0; i < 6; i++) {
    if (i > 0) await faces.nth(i).check();
    await inverted(page);
    if (i > 1) continue;
    await slide(page, "smile", 100 - 40 * i);
    left.push(await pixels(page));
  }
  assert.equal(await faces.count(), 6);
  assert.equal(await inversions(), 6, "each face once");

  // The second one is among the four before the last; the first one is older.
  await faces.nth(1).check();
  await settled(page);
  assert.equal(difference(await pixels(page), left[1]), 0, "the second as it was left");
  assert.equal(await inversions(), 6, "at no cost");
  await faces.nth(0).check();
  await page.waitForFunction(() => /** @type {any} */ (globalThis).inversions === 7);
  await inverted(page);
  assert.equal(await smile.inputValue(), "100");
  assert.equal(difference(await pixels(page), left[0]), 0, "the first as it was left, worked out again");
  for (const i of [3, 4, 5, 1, 0]) {
    await faces.nth(i).check();
    await inverted(page);
  }
  assert.equal(await inversions(), 7, "those used last are kept, whatever their place in the photo");
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("what is above the sliders stands in rows: undo and reset, and what goes to everyone", async () => {
  const site = await host(path.join(root, "weights"));
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await page.setInputFiles("#file", await couple(page));
  await page.locator("#apply-to-all").waitFor();
  await inverted(page);
  const middle = async (/** @type {string} */ id) => {
    const { y, height } = /** @type {{ y: number, height: number }} */ (await page.locator(`#${id}`).boundingBox());
    return y + height / 2;
  };
  for (const language of ["en", "de"]) {
    await page.locator("#language").evaluate((select, language) => {
      /** @type {HTMLSelectElement} */ (select).value = language;
      select.dispatchEvent(new Event("change", { bubbles: true }));
    }, language);
    await page.locator(`html[lang=${language}]`).waitFor();
    await page.setViewportSize({ width: 1280, height: 860 });
    const [undo, reset, apply] = await Promise.all(["undo", "reset-all", "apply-to-all"].map(middle));
    assert.ok(Math.abs(undo - reset) < 2, `${language}: reset is ${reset - undo} pixels below undo`);
    assert.ok(apply > reset + 10, `${language}: what goes to everyone is below both`);
  }
  await page.locator("#language").evaluate((select) => {
    /** @type {HTMLSelectElement} */ (select).value = "en";
    select.dispatchEvent(new Event("change", { bubbles: true }));
  });
  await page.locator("html[lang=en]").waitFor();
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 844 });
    const [reset, apply] = await Promise.all(["reset-all", "apply-to-all"].map(middle));
    assert.ok(Math.abs(reset - apply) < 2, `one row at ${width} pixels`);
  }
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("everyone can be edited alike, also faces that were never looked at", async () => {
  const site = await host(path.join(root, "weights"));
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  const apply = page.locator("#apply-to-all");
  const hair = page.locator('[id="slider-light-hair"]');
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  assert.ok(await apply.isHidden(), "with one face there is nobody else");
  await page.setInputFiles("#file", await couple(page));
  await apply.waitFor();
  await inverted(page);
  assert.ok(await apply.isDisabled(), "nothing to apply yet");
  await slide(page, "light-hair", 100);
  await apply.click();
  await page.locator(".notice", { hasText: "The other face has these sliders now" }).waitFor();
  await accessible(page, "sliders applied to everyone");
  assert.match((await page.locator("#faces label").nth(1).getAttribute("title")) ?? "", /edited/);

  await showWholePhoto(page, PHOTO.width);
  const original = await pixels(page, "before");
  for (const change of changes(await pixels(page), original)) assert.ok(change > 0.5, `both are edited: ${change}`);
  assert.ok(await page.locator("#progress").isHidden(), "no stage of the face that nobody sees is told of");

  await page.locator("#faces input").nth(1).check();
  await inverted(page);
  await settled(page);
  assert.equal(await hair.inputValue(), "100");
  await page.click("#undo");
  await settled(page);
  assert.equal(await hair.inputValue(), "0", "each face undoes it by itself");
  await showWholePhoto(page, PHOTO.width);
  const [one, other] = changes(await pixels(page), original);
  assert.ok(one > 0.5 && other < 0.1, `only the first is edited now: ${one}, ${other}`);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("a slider that would tear the face says how much of it is used", async () => {
  const weights = await tinyWithSample({
    files: { "samples/one.png": gradient(96, 96) },
    change: (manifest) => {
      manifest.directions[0].range = [-300, 300];
    },
  });
  const site = await host(weights);
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  const note = page.locator('[id="slider-tilt-note"]');
  assert.ok(await note.isHidden());
  await slide(page, "tilt", 100);
  assert.match((await note.textContent()) ?? "", /takes \d+\s?% of this/);
  await accessible(page, "a slider held back");
  await slide(page, "tilt", 0);
  assert.ok(await note.isHidden());
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});
