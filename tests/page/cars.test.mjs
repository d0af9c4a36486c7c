// A model of the visitor's own whose pictures are wide and show no faces: what it takes of a photo, where its edits go,
// and that nothing is said or offered that is of faces.
import assert from "node:assert/strict";
import { cp, readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { tensorsIn, values } from "./foreign.mjs";
import { converted, offer } from "./interruptions.mjs";
import * as pictures from "./pictures.mjs";
import {
  accessible,
  difference,
  host,
  inverted,
  launch,
  modelReady,
  pixels,
  restarts,
  root,
  showWholePhoto,
  slide,
  visit,
  weightsLike,
} from "./support.mjs";

/** @import { Page } from "playwright-core" */

const golden = path.join(root, "tests/golden");
/** The whole photo, wider than the model's pictures, which are of 4:3. */
const [WIDE, HIGH] = [96, 60];

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof host>>} */
let site;

before(async () => {
  const weights = await weightsLike("tests/golden/tiny", {
    change(manifest) {
      manifest.samples = [{ file: "samples/01.webp", label: "Studio portrait, short curls" }];
    },
  });
  await cp(path.join(root, "weights/samples/01.webp"), path.join(weights, "samples/01.webp"), { recursive: true });
  [site, browser] = await Promise.all([host(weights), launch()]);
});

after(async () => {
  await browser?.close();
  await site?.remove();
});

/** A golden picture as bytes of RGB. @param {string} name */
async function picture(name) {
  const tensors = new Map(tensorsIn(await readFile(path.join(golden, "cars_trace.safetensors"))));
  const stored = /** @type {import("./foreign.mjs").Stored} */ (tensors.get(name));
  const [, height, width] = stored.shape;
  const planes = values(stored);
  const byte = (/** @type {number} */ value) => Math.min(255, Math.max(0, Math.round((value + 1) * 127.5)));
  const rows = Uint8Array.from({ length: 3 * width * height }, (_, i) =>
    byte(planes[(i % 3) * width * height + Math.floor(i / 3)]),
  );
  return { width, height, rows };
}

/**
 * @param {Page} page
 * @param {Buffer} buffer
 */
const open = (page, buffer) => page.setInputFiles("#file", { name: "car.png", mimeType: "image/png", buffer });

/** A page that goes by the model. @param {import("playwright-core").BrowserContextOptions} [options] */
async function drive(options) {
  const opened = await visit(browser, site.url, options);
  /** @type {string[]} */
  const asked = [];
  // The service worker keeps all files of the page, whoever needs them.
  opened.context.on("request", (request) => {
    if (!request.serviceWorker()) asked.push(new URL(request.url()).pathname);
  });
  await modelReady(opened.page);
  await offer(opened.page, path.join(golden, "cars.pt"));
  await converted(opened.page);
  await modelReady(opened.page);
  return { ...opened, asked };
}

/**
 * @param {Page} page
 * @param {string} language
 */
async function speak(page, language) {
  await page.click("#about-button");
  await page.selectOption("#language", language);
  await page.keyboard.press("Escape");
  await page.locator("#about-dialog").waitFor({ state: "hidden" });
}

/** Every word that can be seen. @param {Page} page */
const words = (page) => page.locator("body").innerText();

/**
 * Corners of the frame in the open dialog, once it is drawn where its points are.
 * @param {Page} page
 */
async function frame(page) {
  const points = await page.waitForFunction(
    ([width, height]) => {
      const text = document.querySelector("sdic-align polygon")?.getAttribute("points");
      if (!text) return undefined;
      const [from, , to] = text.split(" ").map((point) => point.split(",").map(Number));
      const follows = (/** @type {string} */ name, /** @type {number} */ x, /** @type {number} */ y) => {
        const { style } = /** @type {HTMLElement} */ (document.querySelector(`sdic-align .point.${name}`));
        const [left, top] = ["--x", "--y"].map((axis) => Number.parseFloat(style.getPropertyValue(axis)));
        return Math.hypot(left - (100 * x) / width, top - (100 * y) / height) < 1e-6;
      };
      const there = follows("corner", to[0], to[1]) && follows("middle", (from[0] + to[0]) / 2, (from[1] + to[1]) / 2);
      return there ? text : undefined;
    },
    [WIDE, HIGH],
  );
  const text = /** @type {string} */ (await points.jsonValue());
  const [[left, top], , [right, bottom]] = text.split(" ").map((point) => point.split(",").map(Number));
  return { left, top, right, bottom };
}

test("a wide photo is rebuilt as PyTorch rebuilds it, between black bars that nobody sees", async () => {
  const { page, problems, context, asked } = await drive();
  // Of 64 x 60 pixels the model sees the middle 64 x 48, four as one.
  const seen = await picture("picture");
  const rows = Uint8Array.from({ length: 3 * 64 * 60 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % 64, Math.floor(i / 192) - 6];
    return y < 0 || y >= 48 ? 4 * x : seen.rows[3 * ((y >> 1) * seen.width + (x >> 1)) + (i % 3)];
  });
  await open(page, pictures.png({ width: 64, height: 60, depth: 8, colour: 2, rows }));
  await inverted(page);
  const shown = await pixels(page);
  const { width, height, rows: expected } = await picture("reconstruction");
  assert.deepEqual([shown.width, shown.height], [width, height]);
  const farthest = expected.reduce((most, value, i) => {
    return Math.max(most, Math.abs(value - shown.data[4 * Math.floor(i / 3) + (i % 3)]));
  }, 0);
  assert.ok(farthest <= 1, `${farthest} steps`);
  const box = await page.locator("#compare").boundingBox();
  assert.ok(box && Math.abs(box.width / box.height - 4 / 3) < 0.01, JSON.stringify(box));
  assert.deepEqual(
    asked.filter((file) => file.includes("/weights/face/")),
    [],
    "nobody looks for faces",
  );
  assert.deepEqual(problems, []);
  await context.close();
});

test("what its pictures differ in most becomes sliders, without the face networks", async () => {
  const { page, problems, context, asked } = await drive();
  await page.locator(".notice", { hasText: /The model now has \d+ sliders, made of what its pictures/ }).waitFor();
  await open(page, pictures.gradient(WIDE, HIGH));
  await inverted(page);
  const still = await pixels(page);
  await slide(page, "ganspace-0", 100);
  // Codes of random weights differ by little.
  assert.notEqual(difference(still, await pixels(page)), 0, "the slider's edit");
  assert.equal(await page.locator("#search").isVisible(), false, "there is nothing more to say of it");
  assert.doesNotMatch(await words(page), /\bface|portrait/i);
  assert.deepEqual(
    asked.filter((file) => file.includes("/weights/face/")),
    [],
  );

  // They are kept with the model.
  await page.reload();
  await modelReady(page);
  await open(page, pictures.gradient(WIDE, HIGH));
  await inverted(page);
  await slide(page, "ganspace-1", 100);
  assert.deepEqual(problems, []);
  await context.close();
});

test("nothing is said or offered that is of faces, until a model of faces is chosen again", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await page.locator("#samples").waitFor();
  await offer(page, path.join(golden, "cars.pt"));
  await converted(page);
  await page.locator("#samples").waitFor({ state: "hidden" });
  await page.locator("#mirror-start").waitFor({ state: "hidden" });
  await modelReady(page);
  assert.equal(await page.locator("#start-title").innerText(), "Change the picture. Keep what it shows.");
  await accessible(page, "the start page of a model of cars");

  await open(page, pictures.gradient(WIDE, HIGH));
  await inverted(page);
  await page.locator(".notice", { hasText: "The middle of the photo is used" }).waitFor();
  await page.getByRole("radio", { name: "Part", exact: true }).waitFor();
  await page.click("#method-toggle");
  await page.locator("#method-steps .number", { hasText: "64 × 48" }).waitFor();
  await page.click("#save");
  await page.locator("#save-dialog[open]").getByText("The edited part, 64 × 48 pixels").waitFor();
  assert.doesNotMatch(await words(page), /\bface|portrait/i);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#looks").isVisible(), false);
  assert.equal(await page.locator("#search-text").isVisible(), false);
  await speak(page, "de");
  assert.doesNotMatch(await words(page), /gesicht|porträt/i);
  await speak(page, "en");
  await accessible(page, "a model of cars");

  // With a model of faces the photo is looked through for one, and the sentences are those of before.
  await page.click("#engine-button");
  await restarts(page, () => page.locator("#own-choices").getByText("Bundled with this page").click());
  await page.locator("#align-dialog[open]").getByText("Place the face").waitFor();
  assert.equal(await page.locator(".point").count(), 4);
  await page.getByRole("button", { name: "Use this crop" }).click();
  await inverted(page);
  const square = await pixels(page);
  assert.equal(square.width, square.height);
  await page.locator("#looks").waitFor();
  // And back: the square makes way for the frame.
  await page.click("#engine-button");
  await restarts(page, () => page.locator("#own-choices").getByText("SDIC model, imported").click());
  await page.waitForFunction(() => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector("#compare .after"));
    return canvas.width === 64 && canvas.height === 48;
  });
  await inverted(page);
  assert.deepEqual(problems, []);
  await context.close();
});

test("a frame is placed by hand, and only what is in it is edited", async () => {
  const { page, problems, context } = await drive();
  await open(page, pictures.gradient(WIDE, HIGH));
  await inverted(page);
  await page.click("#adjust");
  await page.locator("#align-dialog[open]").getByText("Choose the part to edit").waitFor();
  assert.deepEqual(await frame(page), { left: 8, top: 0, right: 88, bottom: 60 });
  assert.equal(await page.locator(".point").count(), 2);
  const preview = page.locator("sdic-align .preview");
  await page.waitForFunction(() => document.querySelector("sdic-align .preview")?.getAttribute("height") === "120");
  assert.equal(await preview.getAttribute("width"), "160");
  await accessible(page, "the frame");

  // By keys: smaller, then to the left, and no further than the photo goes.
  const corner = page.getByRole("button", { name: "Lower right corner of the frame" });
  await corner.focus();
  for (let i = 0; i < 8; i++) await page.keyboard.press("Shift+ArrowUp");
  for (let i = 0; i < 8; i++) await page.keyboard.press("Shift+ArrowLeft");
  const small = await frame(page);
  assert.ok(small.right < 80 && small.bottom < 54, JSON.stringify(small));
  await page.getByRole("button", { name: "Middle of the frame" }).focus();
  for (let i = 0; i < 8; i++) await page.keyboard.press("Shift+ArrowLeft");
  const left = await frame(page);
  assert.ok(Math.abs(left.left) < 1e-9 && Math.abs(left.right - left.left - (small.right - small.left)) < 1e-9);

  // By pointer: dragged anywhere inside it goes along, to the edge.
  const box = /** @type {{ x: number, y: number, width: number, height: number }} */ (
    await page.locator("sdic-align .field").boundingBox()
  );
  const at = (/** @type {number} */ x, /** @type {number} */ y) =>
    /** @type {const} */ ([box.x + (x * box.width) / WIDE, box.y + (y * box.height) / HIGH]);
  await page.mouse.move(...at(left.left + 4, left.top + 4));
  await page.mouse.down();
  await page.mouse.move(...at(WIDE - 2, HIGH - 2), { steps: 4 });
  await page.mouse.up();
  const place = await frame(page);
  assert.ok(Math.abs(place.right - WIDE) < 1e-9 && Math.abs(place.bottom - HIGH) < 1e-9, JSON.stringify(place));
  const shape = (place.right - place.left) / (place.bottom - place.top);
  assert.ok(Math.abs(shape - 4 / 3) < 1e-9, `${shape}`);
  await page.getByRole("button", { name: "Use this crop" }).click();
  await inverted(page);

  const still = await pixels(page);
  assert.deepEqual([still.width, still.height], [64, 48]);
  await slide(page, "coarse-1", 60);
  assert.ok(difference(still, await pixels(page)) > 1, "an edit");
  await showWholePhoto(page, WIDE);
  const [whole, edited] = [await pixels(page, "before"), await pixels(page)];
  const changed = (/** @type {number} */ x, /** @type {number} */ y) => {
    const i = 4 * (y * WIDE + x);
    return [0, 1, 2].some((c) => whole.data[i + c] !== edited.data[i + c]);
  };
  let inside = 0;
  for (let y = 0; y < HIGH; y++) {
    for (let x = 0; x < WIDE; x++) {
      const within = x >= Math.floor(place.left) && y >= Math.floor(place.top);
      if (!within) assert.equal(changed(x, y), false, `${x}, ${y}`);
      else if (changed(x, y)) inside++;
    }
  }
  assert.ok(inside > 200, `${inside} pixels`);
  assert.deepEqual(problems, []);
  await context.close();
});

for (const [width, colorScheme] of /** @type {const} */ ([
  [390, "dark"],
  [320, "light"],
])) {
  test(`the frame at ${width} pixels, ${colorScheme}`, async () => {
    const { page, problems, context } = await drive({ viewport: { width, height: 720 }, colorScheme });
    await open(page, pictures.gradient(WIDE, HIGH));
    await inverted(page);
    await accessible(page, "a wide picture");
    await page.click("#adjust");
    await frame(page);
    await accessible(page, "the frame");
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wider <= 0, `${wider} pixels beyond the screen`);
    assert.deepEqual(problems, []);
    await context.close();
  });
}
