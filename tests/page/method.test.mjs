// The method, step by step, on the visitor's own face: its pictures, its numbers, and what follows the sliders.
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import {
  accessible,
  difference,
  inverted,
  modelReady,
  pixels,
  root,
  settled,
  shared,
  slide,
  visit,
  weightsLike,
} from "./support.mjs";

const here = shared(() => weightsLike("tests/golden/tiny"));

const STEPS = ["original", "initial", "discrepancy", "reconstruction", "edited"];

/** @param {number} number */
const sample = (number) => path.join(root, `weights/samples/0${number}.webp`);

/** @param {import("playwright-core").BrowserContextOptions} [options] */
async function ready(options) {
  const visitor = await visit(here.browser, here.site.url, options);
  await modelReady(visitor.page);
  assert.equal(await visitor.page.locator("#method-toggle").isHidden(), true, "nothing to explain yet");
  await visitor.page.setInputFiles("#file", sample(1));
  await inverted(visitor.page);
  // Then all pictures are as large as the model's own, and numbers about them can be checked without scaling.
  await visitor.page.selectOption("#paste-mode", "face");
  await settled(visitor.page);
  return visitor;
}

/**
 * Opens the steps, and waits for their numbers.
 * @param {import("playwright-core").Page} page
 */
async function open(page) {
  await page.locator("#method-toggle").focus();
  await page.keyboard.press("Enter");
  for (let step = 0; step < STEPS.length; step++) {
    await page.locator("#method .number").nth(step).filter({ hasText: /\w/ }).waitFor();
  }
}

/**
 * The pixels of a step's picture.
 * @param {import("playwright-core").Page} page
 * @param {string} view
 */
async function picture(page, view) {
  const canvas = page.locator("#method canvas").nth(STEPS.indexOf(view));
  const { width, height, values } = await canvas.evaluate((element) => {
    const { width, height } = /** @type {HTMLCanvasElement} */ (element);
    const copy = /** @type {OffscreenCanvasRenderingContext2D} */ (
      new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })
    );
    copy.drawImage(/** @type {HTMLCanvasElement} */ (element), 0, 0);
    return { width, height, values: Array.from(copy.getImageData(0, 0, width, height).data) };
  });
  return { width, height, data: Uint8Array.from(values) };
}

/** @param {import("playwright-core").Page} page @param {string} view */
const number = (page, view) => page.locator("#method .number").nth(STEPS.indexOf(view)).innerText();

/**
 * Errors between two pictures, squared, in the mean.
 * @param {{ data: Uint8Array }} a
 * @param {{ data: Uint8Array }} b
 */
function squaredError(a, b) {
  assert.equal(a.data.length, b.data.length);
  const colours = [...a.data.keys()].filter((i) => i % 4 !== 3);
  return colours.reduce((sum, i) => sum + (a.data[i] - b.data[i]) ** 2, 0) / colours.length;
}

test("five pictures of this face, each with what was measured in it, by keyboard", async () => {
  const { page, problems, context } = await ready();
  const sizes = () => page.locator("#method canvas").evaluateAll((all) => all.map((canvas) => canvas.clientWidth));
  const drawn = () =>
    page
      .locator("#method canvas")
      .evaluateAll((all) => all.map((canvas) => /** @type {HTMLCanvasElement} */ (canvas).width));
  assert.deepEqual(await drawn(), [0, 0, 0, 0, 0], "closed, nothing is made");
  await open(page);
  assert.equal(await page.locator("#method-toggle").getAttribute("aria-expanded"), "true");
  assert.ok((await sizes()).every((width) => width > 60));

  const [original, plain, lost, compensated] = await Promise.all(STEPS.slice(0, 4).map((view) => picture(page, view)));
  const decibels = (/** @type {number} */ error) => 10 * Math.log10(255 ** 2 / error);
  const near = (/** @type {string} */ text, /** @type {number} */ value, /** @type {string} */ what) => {
    const said = Number(/[\d.]+/.exec(text)?.[0]);
    assert.ok(Math.abs(said - value) <= 0.051, `${what}: ${text}, measured ${value}`);
  };
  near(await number(page, "initial"), decibels(squaredError(original, plain)), "plain");
  near(await number(page, "reconstruction"), decibels(squaredError(original, compensated)), "compensated");
  const grey = { data: new Uint8Array(lost.data.length).fill(127) };
  const deviation = Number(/[\d.]+/.exec(await number(page, "discrepancy"))?.[0]);
  assert.ok(deviation > 1 && Math.abs(deviation - difference(lost, grey)) < 0.6, `${deviation}, half a step off grey`);
  assert.equal(await number(page, "original"), `${original.width}\u00a0×\u00a0${original.height}\u00a0pixels`);
  assert.equal(await number(page, "edited"), "Nothing changed");
  assert.match(await page.locator("#method-note").innerText(), /whole square, at \d+\s×\s\d+\spixels/);
  await accessible(page, "the method");

  await page.locator("#method-toggle").press("Enter");
  assert.equal(await page.locator("#method").isHidden(), true);
  assert.deepEqual(await drawn(), [0, 0, 0, 0, 0], "closed, nothing is kept");
  assert.deepEqual(problems, []);
  await context.close();
});

test("the edited picture follows the sliders, each opens large, and another photo brings its own", async () => {
  const { page, problems, context } = await ready();
  await open(page);
  const rested = await picture(page, "edited");
  await slide(page, "tilt", 80);
  await page
    .locator("#method .number")
    .nth(4)
    .filter({ hasText: /of 255 steps changed/ })
    .waitFor();
  const edited = await picture(page, "edited");
  assert.deepEqual(edited, await pixels(page), "as large above");
  const changed = Number(/[\d.]+/.exec(await number(page, "edited"))?.[0]);
  const measured = difference(rested, edited);
  assert.ok(measured > 0.1 && Math.abs(changed - measured) <= 0.051, `${changed}, measured ${measured}`);

  for (const view of ["initial", "discrepancy"]) {
    await page.locator("#method button").nth(STEPS.indexOf(view)).focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.locator(`#views input[value=${view}]`).isChecked(), true);
    assert.deepEqual(await pixels(page), await picture(page, view), `${view}, large`);
    assert.equal(await page.locator("#method button[aria-pressed=true]").count(), 1);
  }
  await slide(page, "tilt", 0);
  await page.locator("#method .number").nth(4).filter({ hasText: "Nothing changed" }).waitFor();
  await page.selectOption("#paste-mode", "difference");
  await slide(page, "tilt", 80);
  await page.locator("#method .sentence").nth(4).filter({ hasText: "the photo’s own pixels" }).waitFor();
  assert.deepEqual(await picture(page, "edited"), await pixels(page), "the photo's own pixels");

  const first = await number(page, "initial");
  await page.setInputFiles("#file", sample(2));
  await page.locator("#method").waitFor({ state: "hidden" });
  await inverted(page);
  await open(page);
  await settled(page);
  assert.notEqual(await number(page, "initial"), first, "measured anew");
  assert.deepEqual(await picture(page, "edited"), await pixels(page));
  assert.deepEqual(problems, []);
  await context.close();
});

test("on a phone the steps are one row that snaps, and the page does not grow wider", async () => {
  for (const [width, height] of [
    [390, 844],
    [320, 844],
    [320, 640],
    [320, 568],
  ]) {
    const { page, problems, context } = await ready({ hasTouch: true, viewport: { width, height } });
    await open(page);
    const title = await page.evaluate(() => {
      const { top, bottom } = /** @type {Element} */ (document.querySelector("#method h2")).getBoundingClientRect();
      const frame = /** @type {Element} */ (document.querySelector(".frame")).getBoundingClientRect();
      return { below: top - frame.bottom, above: innerHeight - bottom };
    });
    assert.ok(title.below >= 0, `the heading lies ${-title.below} pixels under the picture at ${width} × ${height}`);
    assert.ok(title.above >= 0, `the heading is in sight at ${width} × ${height}`);
    const row = await page.locator("#method-steps").evaluate((list) => {
      const tops = new Set(Array.from(list.children, (step) => step.getBoundingClientRect().top));
      return { rows: tops.size, room: list.clientWidth, needed: list.scrollWidth };
    });
    assert.equal(row.rows, 1);
    assert.ok(row.needed > 1.5 * row.room, "further steps lie beyond the edge");
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width);
    // Let go between two steps, the row comes to rest at one of them.
    const at = await page.locator("#method-steps").evaluate(async (list) => {
      const step = list.children[1].getBoundingClientRect().left - list.children[0].getBoundingClientRect().left;
      const rested = new Promise((resolve) => list.addEventListener("scrollend", resolve, { once: true }));
      list.scrollBy({ left: 0.8 * step });
      await rested;
      return list.scrollLeft / step;
    });
    assert.ok(Math.abs(at - 1) < 0.02, `rests ${at} steps on`);
    await accessible(page, `the method at ${width} px`);
    assert.deepEqual(problems, []);
    await context.close();
  }
});
