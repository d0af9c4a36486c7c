// Looking closely: wheel, double click, pinch, dragging and keys; both pictures in step.
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { accessible, inverted, modelReady, root, shared, visit, weightsLike } from "./support.mjs";

const here = shared(() => weightsLike("tests/golden/tiny"));

const sample = path.join(root, "weights/samples/01.webp");

/** @param {import("playwright-core").BrowserContextOptions} [options] */
async function ready(options) {
  const { page, problems, context } = await visit(here.browser, here.site.url, options);
  await modelReady(page);
  await page.setInputFiles("#file", sample);
  await inverted(page);
  return { page, problems, context };
}

/**
 * Where frame and pictures are.
 * @param {import("playwright-core").Page} page
 */
const places = (page) =>
  page.evaluate(() => {
    const box = (/** @type {string} */ selector) => {
      const { left, top, width, height } = /** @type {Element} */ (
        document.querySelector(selector)
      ).getBoundingClientRect();
      return { left, top, width, height };
    };
    return { frame: box("sdic-compare"), after: box("sdic-compare .after"), before: box("sdic-compare .before") };
  });

/**
 * The spot of the picture, from 0 to 1, that lies under a point of the page.
 * @param {{ left: number, top: number, width: number, height: number }} picture
 * @param {number} x
 * @param {number} y
 */
const spot = (picture, x, y) => [(x - picture.left) / picture.width, (y - picture.top) / picture.height];

/**
 * @param {number[]} a
 * @param {number[]} b
 * @param {string} what
 */
function near(a, b, what) {
  for (const [i, value] of a.entries()) assert.ok(Math.abs(value - b[i]) < 0.01, `${what}: ${a} and ${b}`);
}

test("wheel, double click and dragging: the spot stays under the pointer, both pictures move together", async () => {
  const { page, problems, context } = await ready();
  const { frame } = await places(page);
  const [x, y] = [frame.left + 0.3 * frame.width, frame.top + 0.6 * frame.height];
  await page.mouse.move(x, y);
  await page.mouse.wheel(0, -500);
  await page.locator("sdic-compare.zoomed").waitFor();
  const wheeled = await places(page);
  near(spot(wheeled.after, x, y), [0.3, 0.6], "under the pointer");
  assert.ok(wheeled.after.width > 2 * frame.width, "e to the 1st");
  assert.deepEqual(wheeled.frame, frame, "the frame stays");

  await page.click("#compare-toggle");
  const { before, after } = await places(page);
  assert.deepEqual(before, after, "both halves in step");
  const cut = await page.locator("sdic-compare .before").evaluate((canvas) => getComputedStyle(canvas).clipPath);
  const right = Number(/inset\(0px (?:calc\(100% - )?([\d.]+)%/.exec(cut)?.[1]);
  const middle = (frame.left + frame.width / 2 - before.left) / before.width;
  near([cut.includes("calc") ? right / 100 : 1 - right / 100], [middle], "cut at the divider");

  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x - 20, y - 30, { steps: 4 });
  await page.mouse.up();
  const dragged = await places(page);
  near([dragged.after.left - wheeled.after.left, dragged.after.top - wheeled.after.top], [-20, -30], "dragged");
  assert.equal(await page.locator("sdic-compare .handle").getAttribute("aria-valuenow"), "50", "the divider stays");
  await page.click("#compare-toggle");

  await page.locator("#views input[value=reconstruction]").check({ force: true });
  near(spot((await places(page)).after, x, y), spot(dragged.after, x, y), "kept from view to view");
  assert.match(await page.locator("#zoom").innerText(), /^Fit \(\d+.?%\)$/);
  await accessible(page, "an enlarged picture");
  await page.click("#zoom");
  assert.deepEqual((await places(page)).after, frame, "fits again");
  assert.equal(await page.locator("#zoom").innerText(), "Look closer");

  await page.mouse.dblclick(x, y);
  near(spot((await places(page)).after, x, y), [0.3, 0.6], "double click");
  await page.mouse.dblclick(x, y);
  assert.deepEqual((await places(page)).after, frame, "and back");
  assert.deepEqual(problems, []);
  await context.close();
});

test("every view is enlarged to its pixels, and fits again", async () => {
  const { page, problems, context } = await ready();
  const { frame } = await places(page);
  const [x, y] = [frame.left + 0.4 * frame.width, frame.top + 0.7 * frame.height];
  const views = await page
    .locator("#views input")
    .evaluateAll((inputs) => inputs.map((input) => /** @type {HTMLInputElement} */ (input).value));
  assert.deepEqual(views, ["edited", "reconstruction", "initial", "discrepancy", "original"]);
  const shown = () =>
    page.locator("sdic-compare .after").evaluate((canvas) => getComputedStyle(canvas).imageRendering);
  for (const view of views) {
    await page.locator(`#views input[value=${view}]`).check({ force: true });
    assert.notEqual(await shown(), "pixelated", `${view}, whole`);
    await page.mouse.move(x, y);
    for (let i = 0; i < 8; i++) await page.mouse.wheel(0, -500);
    await page.locator("sdic-compare.pixels").waitFor();
    assert.equal(await shown(), "pixelated", `${view} shows its pixels`);
    near(spot((await places(page)).after, x, y), [0.4, 0.7], view);
    await page.keyboard.press("0");
    assert.deepEqual((await places(page)).after, frame, `${view} fits again`);
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test("pressing still shows the original, until the enlarged picture is dragged", async () => {
  const { page, context } = await ready();
  const { frame } = await places(page);
  const [x, y] = [frame.left + frame.width / 2, frame.top + frame.height / 2];
  const original = () =>
    page.locator("sdic-compare .before").evaluate((canvas) => !(/** @type {HTMLElement} */ (canvas).hidden));
  await page.click("#zoom");
  await page.mouse.move(x, y);
  await page.mouse.down();
  assert.equal(await original(), true, "pressed");
  await page.mouse.move(x + 2, y);
  assert.equal(await original(), true, "hardly moved");
  await page.mouse.move(x + 30, y);
  assert.equal(await original(), false, "dragged");
  await page.mouse.up();
  await context.close();
});

test("keys enlarge, move and fit the picture; another photo begins whole", async () => {
  const { page, problems, context } = await ready();
  const { frame } = await places(page);
  await page.keyboard.press("+");
  await page.keyboard.press("+");
  const larger = (await places(page)).after;
  near([larger.width / frame.width], [1.5 ** 2], "twice");
  await page.locator("#compare").focus();
  await page.keyboard.press("ArrowRight");
  near([(await places(page)).after.left - larger.left], [-0.15 * frame.width], "looks to the right");
  await page.keyboard.press("-");
  assert.ok((await places(page)).after.width < larger.width);
  await page.keyboard.press("0");
  assert.deepEqual((await places(page)).after, frame);
  await page.keyboard.press("+");
  await page.setInputFiles("#file", path.join(root, "weights/samples/02.webp"));
  await page.locator("sdic-compare:not(.zoomed)").waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

/** A telephone with a photo on it, and fingers: points are in sides of the frame. */
async function touched() {
  const visitor = await ready({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 844 } });
  const { frame } = await places(visitor.page);
  const session = await visitor.context.newCDPSession(visitor.page);
  const at = (/** @type {number} */ x, /** @type {number} */ y) => ({
    x: frame.left + x * frame.width,
    y: frame.top + y * frame.height,
  });
  const touch = (/** @type {string} */ type, /** @type {{ x: number, y: number }[]} */ ...touchPoints) =>
    session.send("Input.dispatchTouchEvent", {
      type: /** @type {"touchStart"} */ (type),
      touchPoints: touchPoints.map((point, id) => ({ ...point, id })),
    });
  return { ...visitor, frame, at, touch };
}

test("two fingers enlarge the spot between them and move it along", async () => {
  const { page, problems, context, frame, at, touch } = await touched();
  await touch("touchStart", at(0.4, 0.5));
  await touch("touchStart", at(0.4, 0.5), at(0.6, 0.5));
  for (let i = 1; i <= 5; i++) await touch("touchMove", at(0.4 - 0.04 * i, 0.5), at(0.6 + 0.04 * i, 0.5));
  await page.waitForFunction((width) => {
    const canvas = /** @type {Element} */ (document.querySelector("sdic-compare .after"));
    return canvas.getBoundingClientRect().width > 2.99 * width;
  }, frame.width);
  const { after } = await places(page);
  near([after.width / frame.width], [3], "as far apart as the fingers");
  near(spot(after, at(0.5, 0.5).x, at(0.5, 0.5).y), [0.5, 0.5], "around their middle");

  // Both go the same way: the picture comes along, and stays as large.
  for (let i = 1; i <= 5; i++) {
    await touch("touchMove", at(0.2 + 0.04 * i, 0.5 - 0.02 * i), at(0.8 + 0.04 * i, 0.5 - 0.02 * i));
  }
  await touch("touchEnd");
  const moved = (await places(page)).after;
  near([moved.width / frame.width], [3], "no larger for that");
  near(spot(moved, at(0.7, 0.4).x, at(0.7, 0.4).y), [0.5, 0.5], "their middle leads the spot below it");
  assert.equal(await page.evaluate(() => visualViewport?.scale), 1, "the page itself is not enlarged");
  assert.deepEqual(problems, []);
  await context.close();
});

test("two taps enlarge the spot below the finger; one finger moves it; two taps more fit it again", async () => {
  const { page, problems, context, frame, at, touch } = await touched();
  const twice = async (/** @type {{ x: number, y: number }} */ point) => {
    for (let i = 0; i < 2; i++) {
      await touch("touchStart", point);
      await touch("touchEnd");
    }
  };
  const finger = at(0.3, 0.6);
  await twice(finger);
  await page.locator("sdic-compare.zoomed").waitFor();
  const tapped = (await places(page)).after;
  near(spot(tapped, finger.x, finger.y), [0.3, 0.6], "below the finger");
  assert.ok(tapped.width >= 2 * frame.width, "twice as large, at least");

  const scrolled = await page.evaluate(() => scrollY);
  await touch("touchStart", finger);
  for (let i = 1; i <= 5; i++) await touch("touchMove", at(0.3 - 0.02 * i, 0.6 - 0.04 * i));
  await touch("touchEnd");
  const end = at(0.2, 0.4);
  near(spot((await places(page)).after, end.x, end.y), [0.3, 0.6], "the spot goes with the finger");
  assert.equal(await page.evaluate(() => scrollY), scrolled, "and the page stays");

  await twice(finger);
  await page.locator("sdic-compare:not(.zoomed)").waitFor();
  assert.deepEqual((await places(page)).after, frame, "whole again");
  assert.equal(await page.evaluate(() => visualViewport?.scale), 1, "the page itself is not enlarged");
  assert.deepEqual(problems, []);
  await context.close();
});
