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

test("two fingers enlarge the spot between them and move it along", async () => {
  const { page, context } = await ready({ hasTouch: true, viewport: { width: 390, height: 844 } });
  const { frame } = await places(page);
  const session = await context.newCDPSession(page);
  const at = (/** @type {number} */ x, /** @type {number} */ y) => ({
    x: frame.left + x * frame.width,
    y: frame.top + y * frame.height,
  });
  const touch = (/** @type {string} */ type, /** @type {{ x: number, y: number }[]} */ ...touchPoints) =>
    session.send("Input.dispatchTouchEvent", {
      type: /** @type {"touchStart"} */ (type),
      touchPoints: touchPoints.map((point, id) => ({ ...point, id })),
    });
  await touch("touchStart", at(0.4, 0.5));
  await touch("touchStart", at(0.4, 0.5), at(0.6, 0.5));
  for (let i = 1; i <= 5; i++) await touch("touchMove", at(0.4 - 0.04 * i, 0.5), at(0.6 + 0.04 * i, 0.5));
  await touch("touchEnd");
  await page.locator("sdic-compare.zoomed").waitFor();
  const { after } = await places(page);
  near([after.width / frame.width], [3], "as far apart as the fingers");
  near(spot(after, at(0.5, 0.5).x, at(0.5, 0.5).y), [0.5, 0.5], "around their middle");
  await context.close();
});
