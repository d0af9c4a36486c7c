// Looking closely at a large photo: what is seen are the photo's own pixels, in every view that shows the photo.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { inverted, modelReady, root, settled, shared, showWholePhoto, slide, visit, weightsLike } from "./support.mjs";

/** @import { Page } from "playwright-core" */

const here = shared(() => weightsLike("tests/golden/tiny"));

/** A photo of 12 megapixels, the face in it larger than any picture of a face that the page shows. */
const [WIDTH, HEIGHT, SIDE] = [4000, 3000, 2600];

/** Notes every crop's quad and the close-ups that are asked for, as the page tells its workers. */
const watch = () => {
  const watched = Object.assign(globalThis, { quad: undefined, closeUps: 0 });
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (/** @type {any} */ message, /** @type {any} */ options) {
    if (message?.method === "crop") watched.quad = message.args[2];
    if (message?.method === "closeUp") watched.closeUps++;
    return postMessage.call(this, message, options);
  };
};

/** @param {import("playwright-core").BrowserContextOptions} [options] */
async function ready(options) {
  const visitor = await visit(here.browser, here.site.url, { ...options, script: `(${watch})()` });
  const { page } = visitor;
  await modelReady(page);
  const portrait = (await readFile(path.join(root, "weights/samples/01.webp"))).toString("base64");
  // A tilted portrait in fine stripes, which a picture of 1024 pixels a side cannot show.
  const text = await page.evaluate(
    async ({ portrait, width, height, side }) => {
      const file = Uint8Array.from(atob(portrait), (letter) => letter.charCodeAt(0));
      const face = await createImageBitmap(new Blob([file]));
      const canvas = new OffscreenCanvas(width, height);
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
      context.fillStyle = "#8fa5b8";
      context.fillRect(0, 0, width, height);
      context.save();
      context.translate(width / 2, height / 2);
      context.rotate(0.07);
      context.drawImage(face, -side / 2, -side / 2, side, side);
      context.restore();
      context.fillStyle = "#0003";
      for (let x = 0; x < width; x += 4) context.fillRect(x, 0, 2, height);
      const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
      const bitmap = await createImageBitmap(blob);
      context.drawImage(bitmap, 0, 0);
      Object.assign(globalThis, { photo: context.getImageData(0, 0, width, height) });
      return btoa(Array.from(new Uint8Array(await blob.arrayBuffer()), (byte) => String.fromCharCode(byte)).join(""));
    },
    { portrait, width: WIDTH, height: HEIGHT, side: SIDE },
  );
  await page.setInputFiles("#file", {
    name: "stripes.jpg",
    mimeType: "image/jpeg",
    buffer: Buffer.from(text, "base64"),
  });
  await inverted(page);
  return visitor;
}

/**
 * Zooms to the photo's own pixels at a place of the frame, and waits for what is seen there.
 * @param {Page} page
 * @param {number} x
 * @param {number} y
 */
async function lookAt(page, x, y) {
  await page.locator("#compare").dblclick({ position: await within(page, x, y) });
  await page.locator("sdic-compare.zoomed .close-after:not([hidden])").waitFor();
}

/** @param {Page} page @param {number} x @param {number} y */
async function within(page, x, y) {
  const box = await page.locator("#compare").boundingBox();
  assert.ok(box);
  return { x: x * box.width, y: y * box.height };
}

/**
 * How a close-up differs from the photo there, bilinearly taken between its pixels; runs in the page.
 * @param {string} selector
 */
function compareWithPhoto(selector) {
  const { photo, quad } = /** @type {any} */ (globalThis);
  const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector(selector));
  const frame = /** @type {HTMLElement} */ (document.querySelector("#compare"));
  const base = /** @type {HTMLElement} */ (frame.querySelector(".after")).getBoundingClientRect();
  const { left, top, width, height } = frame.getBoundingClientRect();
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
    new OffscreenCanvas(canvas.width, canvas.height).getContext("2d")
  );
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const [[qx, qy], [lx, ly], , [rx, ry]] = quad;
  /** @type {number[]} */
  const errors = [];
  let [sum, squares, count] = [0, 0, 0];
  for (let y = 5; y < canvas.height - 5; y += 7) {
    for (let x = 5; x < canvas.width - 5; x += 7) {
      const u = (left + ((x + 0.5) / canvas.width) * width - base.left) / base.width;
      const v = (top + ((y + 0.5) / canvas.height) * height - base.top) / base.height;
      const px = qx + u * (rx - qx) + v * (lx - qx) - 0.5;
      const py = qy + u * (ry - qy) + v * (ly - qy) - 0.5;
      const [x0, y0] = [Math.floor(px), Math.floor(py)];
      if (x0 < 0 || y0 < 0 || x0 + 1 >= photo.width || y0 + 1 >= photo.height) continue;
      const at = (/** @type {number} */ dx, /** @type {number} */ dy) =>
        photo.data[4 * ((y0 + dy) * photo.width + x0 + dx) + 1];
      const [fx, fy] = [px - x0, py - y0];
      const wanted = (1 - fy) * ((1 - fx) * at(0, 0) + fx * at(1, 0)) + fy * ((1 - fx) * at(0, 1) + fx * at(1, 1));
      errors.push(Math.abs(data[4 * (y * canvas.width + x) + 1] - wanted));
      // A pixel beside the next but one: the stripes.
      const step = data[4 * (y * canvas.width + x) + 1] - data[4 * (y * canvas.width + x + 2) + 1];
      [sum, squares, count] = [sum + step, squares + step * step, count + 1];
    }
  }
  const error = errors.reduce((all, each) => all + each, 0) / errors.length;
  const stripes = Math.sqrt(squares / count);
  const screen = [Math.round(width * devicePixelRatio), Math.round(height * devicePixelRatio)];
  return { error, stripes, size: [canvas.width, canvas.height], screen, points: errors.length };
}

test("the enlarged face shows the photo's own pixels, as many as the screen has, in both halves", async () => {
  const { page, problems, context } = await ready();
  assert.equal(await page.locator(".close-after").isHidden(), true, "all of it is seen");
  await page.click("#compare-toggle");
  await page.mouse.move(0, 0);
  await page.click("#zoom");
  await page.locator("sdic-compare.zoomed .close-after:not([hidden])").waitFor();
  assert.match(await page.locator("#zoom").innerText(), /Fit \(100.?%\)/, "the photo's own pixels");
  for (const canvas of [".close-after", ".close-before"]) {
    assert.equal(await page.locator(canvas).isHidden(), false, canvas);
    const { error, stripes, size, screen, points } = await page.evaluate(compareWithPhoto, canvas);
    assert.deepEqual(size, screen, "one pixel for each of the screen");
    assert.ok(points > 5000 && error < 1.5, `${canvas}: off by ${error} at ${points} points`);
    assert.ok(stripes > 15, `${canvas}: stripes of ${stripes}`);
  }
  // Without them the stripes are not to be seen.
  const coarse = await page.locator("#compare .after").evaluate((canvas) => {
    const { width, height } = /** @type {HTMLCanvasElement} */ (canvas);
    return { width, height };
  });
  assert.ok(coarse.width < SIDE / 2, `${coarse.width} pixels of the face's`);

  await page.locator("#compare").focus();
  const asked = await page.evaluate(() => /** @type {any} */ (globalThis).closeUps);
  const matrix = () => page.locator(".close-after").evaluate((canvas) => getComputedStyle(canvas).transform);
  assert.equal(await matrix(), "none");
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction((asked) => /** @type {any} */ (globalThis).closeUps > asked, asked);
  await page.waitForFunction(
    () => getComputedStyle(/** @type {Element} */ (document.querySelector(".close-after"))).transform === "none",
  );
  const moved = await page.evaluate(compareWithPhoto, ".close-after");
  assert.ok(moved.error < 1.5, `after panning off by ${moved.error}`);

  await page.click("#zoom");
  assert.equal(await page.locator(".close-after").isHidden(), true, "all of it is seen again");
  assert.equal(
    await page.locator(".close-after").evaluate((canvas) => /** @type {HTMLCanvasElement} */ (canvas).width),
    0,
    "nothing is kept",
  );
  assert.deepEqual(problems, []);
  await context.close();
});

test("an edit is seen closely as well, follows the sliders, and goes with the photo", async () => {
  const { page, problems, context } = await ready();
  await lookAt(page, 0.5, 0.55);
  const before = await page.evaluate(compareWithPhoto, ".close-after");
  assert.ok(before.error < 1.5, `unedited off by ${before.error}`);
  await slide(page, "tilt", 60);
  await page.locator(".close-after:not([hidden])").waitFor();
  const edited = await page.evaluate(compareWithPhoto, ".close-after");
  assert.ok(edited.error > 2 * before.error + 1, `edited: ${edited.error}, before: ${before.error}`);
  assert.ok(edited.stripes > 0.6 * before.stripes, `the photo's stripes: ${edited.stripes} of ${before.stripes}`);
  await slide(page, "tilt", 0);
  await page.locator(".close-after:not([hidden])").waitFor();
  assert.deepEqual(await page.evaluate(compareWithPhoto, ".close-after"), before, "as it was");

  await page.locator("#views input[value=reconstruction]").check({ force: true });
  await page.locator(".close-after").waitFor({ state: "hidden" });
  await page.locator("#views input[value=edited]").check({ force: true });
  await page.locator(".close-after:not([hidden])").waitFor();
  await page.selectOption("#paste-mode", "face");
  await settled(page);
  await page.locator(".close-after").waitFor({ state: "hidden" });
  assert.deepEqual(problems, []);
  await context.close();
});

test("the whole photo shows its own pixels: outside of the edited face they are exactly the file's", async () => {
  const { page, problems, context } = await ready();
  await slide(page, "tilt", 60);
  await showWholePhoto(page, WIDTH);
  await page.click("#zoom");
  await page.locator("sdic-compare.zoomed").waitFor();
  const { outside, inside, most } = await page.evaluate(() => {
    const { photo, quad } = /** @type {any} */ (globalThis);
    const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector("#compare .after"));
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
      new OffscreenCanvas(canvas.width, canvas.height).getContext("2d")
    );
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const [[qx, qy], [lx, ly], , [rx, ry]] = quad;
    const [ax, ay, bx, by] = [rx - qx, ry - qy, lx - qx, ly - qy];
    let [outside, inside, most] = [0, 0, 0];
    for (let i = 0; i < data.length; i += 4) {
      const [x, y] = [(i / 4) % photo.width, Math.floor(i / 4 / photo.width)];
      const u = ((x - qx) * ax + (y - qy) * ay) / (ax * ax + ay * ay);
      const v = ((x - qx) * bx + (y - qy) * by) / (bx * bx + by * by);
      const error = Math.abs(data[i + 1] - photo.data[i + 1]);
      const margin = 0.01;
      if (u > -margin && u < 1 + margin && v > -margin && v < 1 + margin) inside += error > 4 ? 1 : 0;
      else [outside, most] = [outside + 1, Math.max(most, error)];
    }
    return { outside, inside, most };
  });
  assert.ok(outside > 3e6 && most <= 1, `${outside} pixels outside, off by up to ${most}`);
  assert.ok(inside > 1e4, `${inside} pixels were edited`);
  assert.deepEqual(problems, []);
  await context.close();
});
