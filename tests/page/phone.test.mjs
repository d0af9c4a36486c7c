// Telephones: fingers on sliders, the page either way up, screens with notches, photos that are too large for them.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { photoOf } from "./people.mjs";
import { png } from "./pictures.mjs";
import {
  accessible,
  difference,
  host,
  inverted,
  launch,
  modelReady,
  root,
  settled,
  showWholePhoto,
  visit,
  weightsLike,
} from "./support.mjs";

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof host>>} */
let site;

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
/** Screens of telephones, upright and lying. */
const SCREENS = [
  [390, 844],
  [844, 390],
  [320, 640],
  [568, 320],
];

before(async () => {
  const file = "samples/05.webp";
  const weights = await weightsLike("tests/golden/tiny", {
    change: (manifest) => {
      manifest.samples = [{ file, label: "Somebody" }];
    },
    files: { [file]: await readFile(path.join(root, "weights", file)) },
  });
  [browser, site] = await Promise.all([launch(), host(weights)]);
});

after(async () => {
  await browser?.close();
  await site?.remove();
});

/**
 * A phone with a sample portrait that is being edited, and its screen.
 * @param {import("playwright-core").BrowserContextOptions & { script?: string }} [options]
 */
async function phone(options) {
  const visitor = await visit(browser, site.url, { ...PHONE, ...options });
  const { page } = visitor;
  await modelReady(page);
  await page.locator("#sample-list button").first().tap();
  await inverted(page);
  return { ...visitor, screen: await page.context().newCDPSession(page) };
}

/**
 * Draws a finger over the screen.
 * @param {import("playwright-core").CDPSession} screen
 * @param {[number, number][]} way
 */
async function drag(screen, [from, ...way]) {
  const at = ([x, y] = from) => ({ touchPoints: [{ x, y }] });
  await screen.send("Input.dispatchTouchEvent", { type: "touchStart", ...at(from) });
  let [x, y] = from;
  for (const [toX, toY] of way) {
    for (let step = 1; step <= 20; step++) {
      const point = /** @type {[number, number]} */ ([x + ((toX - x) * step) / 20, y + ((toY - y) * step) / 20]);
      await screen.send("Input.dispatchTouchEvent", { type: "touchMove", ...at(point) });
    }
    [x, y] = [toX, toY];
  }
  await screen.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
}

/**
 * The first slider, in the middle of the screen, and where its positions are on it.
 * @param {import("playwright-core").Page} page
 */
async function firstSlider(page) {
  const slider = page.locator("#sliders input[type=range]").first();
  await slider.evaluate((input) => input.scrollIntoView({ block: "center" }));
  const { x, y, width, height } = /** @type {{ x: number, y: number, width: number, height: number }} */ (
    await slider.boundingBox()
  );
  const thumb = await slider.evaluate((input) => Number.parseFloat(getComputedStyle(input).fontSize) * 1.6);
  /** @param {number} position */
  const at = (position) =>
    /** @type {[number, number]} */ ([x + thumb / 2 + ((position + 100) / 200) * (width - thumb), y + height / 2]);
  return { slider, at };
}

test("a finger moves a slider, which comes to rest at 0 with a tick", async () => {
  const script = "globalThis.ticks = []; navigator.vibrate = (time) => Boolean(globalThis.ticks.push(time));";
  const { page, screen, problems, context } = await phone({ script });
  const { slider, at } = await firstSlider(page);
  const place = () => page.evaluate(() => scrollY);
  const start = await place();
  assert.ok(start > 100, "there is something to scroll to");
  const ticks = () => page.evaluate(() => /** @type {any} */ (globalThis).ticks.length);
  await drag(screen, [at(0), at(60)]);
  await settled(page);
  const moved = Number(await slider.inputValue());
  assert.ok(Math.abs(moved - 60) < 8, `the slider is at ${moved}`);
  assert.equal(await ticks(), 0);
  // A thumb goes in an arc: once it moves the slider, it does not scroll the page.
  const [x, y] = at(20);
  await drag(screen, [at(moved), at(50), [x, y + 60], [...at(70)]]);
  await settled(page);
  assert.ok(Number(await slider.inputValue()) > 60, "the slider goes with it");
  assert.deepEqual(await place(), start, "the page stays where it is");
  await drag(screen, [at(70), at(3)]);
  assert.equal(await slider.inputValue(), "0", "near 0 it comes to rest");
  assert.equal(await ticks(), 1, "which is felt");
  await drag(screen, [at(0), at(-40), at(40)]);
  assert.ok(Number(await slider.inputValue()) > 30, "it does not stick");
  assert.equal(await ticks(), 2, "on its way it passes 0");
  assert.deepEqual(await place(), start, "nothing has scrolled");
  await slider.dblclick();
  await slider.press("ArrowLeft");
  await slider.press("ArrowLeft");
  assert.equal(await slider.inputValue(), "-2", "keys reach every position");
  assert.deepEqual(problems, []);
  await context.close();
});

test("a swipe along the page that begins on a slider scrolls, and leaves the slider", async () => {
  const { page, screen, problems, context } = await phone();
  const { slider, at } = await firstSlider(page);
  const before = await page.evaluate(() => scrollY);
  const [x, y] = at(60);
  await drag(screen, [
    [x, y],
    [x + 4, y + 160],
  ]);
  await page.waitForFunction((before) => scrollY < before - 50, before);
  assert.equal(await slider.inputValue(), "0");
  await settled(page);
  assert.ok(await page.locator("#undo").isDisabled(), "nothing was edited");
  assert.deepEqual(problems, []);
  await context.close();
});

test("with one hand: picture, sliders, undo and saving are on the screen together, either way up", async () => {
  const { page, problems, context } = await phone();
  for (const [width, height] of SCREENS) {
    await page.setViewportSize({ width, height });
    const screen = `${width} × ${height}`;
    await firstSlider(page);
    const box = async (/** @type {string} */ selector) => {
      const found = await page.locator(selector).first().boundingBox();
      assert.ok(found, `${selector} is on the screen of ${screen}`);
      return found;
    };
    const [picture, slider, save, undo] = await Promise.all(
      ["#compare", "#sliders input[type=range]", "#save", "#undo"].map(box),
    );
    for (const [what, { x, y, width: wide, height: high }] of Object.entries({ picture, slider, save, undo })) {
      assert.ok(x >= 0 && x + wide <= width, `${what} is not cut off at the side of ${screen}`);
      assert.ok(y > -1 && y + high < height + 1, `${what} is in sight on ${screen}: ${y} to ${y + high}`);
    }
    for (const { y } of [save, undo]) assert.ok(y > 0.7 * height, `the thumb reaches it on ${screen}`);
    const beside = slider.x >= picture.x + picture.width;
    const below = slider.y >= picture.y + picture.height;
    assert.equal(beside, width > height, `the slider is beside the picture on ${screen}, if that lies`);
    assert.equal(below, width < height, `the slider is below the picture on ${screen}, if that stands`);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${screen} fits`);
    await accessible(page, `the editor on ${screen}`);
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test("undo and saving are in sight from the first, also where the sliders begin below the screen", async () => {
  const { page, problems, context } = await phone();
  await page.setInputFiles("#file", await photoOf(page, { width: 1200, height: 640 }, { count: 2 }));
  await page.locator("#faces input").nth(1).waitFor({ state: "attached" });
  await inverted(page);
  for (const [width, height] of SCREENS) {
    await page.setViewportSize({ width, height });
    for (const place of [0, 1e6]) {
      await page.evaluate((place) => scrollTo(0, place), place);
      for (const id of ["#save", "#undo"]) {
        const found = await page.locator(id).boundingBox();
        assert.ok(found && found.y >= 0 && found.y + found.height <= height, `${id} on ${width} × ${height}`);
      }
      const covered = await page.evaluate(() => {
        const bar = /** @type {HTMLElement} */ (document.getElementById("model-bar"));
        bar.hidden = false; // as long as a model is on its way
        const { x, y, width, height } = /** @type {HTMLElement} */ (
          document.getElementById("save")
        ).getBoundingClientRect();
        const over = bar.contains(document.elementFromPoint(x + width / 2, y + height / 2));
        bar.hidden = true;
        return over;
      });
      assert.equal(covered, false, `the bar of a model on its way lies over saving on ${width} × ${height}`);
    }
    if (width > height) continue;
    const [last, bar] = await Promise.all(["#timing", ".save"].map((part) => page.locator(part).boundingBox()));
    assert.ok(last && bar && last.y + last.height <= bar.y + 1, `nothing ends below the bar on ${width} × ${height}`);
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test("what Tab leads to lies neither under the picture nor under the buttons, forth and back", async () => {
  const { page, problems, context } = await phone();
  for (const [width, height] of SCREENS.filter(([width, height]) => width < height)) {
    await page.setViewportSize({ width, height });
    const covered = () =>
      page.evaluate(() => {
        const element = /** @type {HTMLElement} */ (document.activeElement);
        if (!element.closest("#work") || element.closest(".frame, .save")) return undefined;
        const { left, right, top, bottom } = element.getBoundingClientRect();
        const seen = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
        const free = seen !== null && (element.contains(seen) || element.parentElement?.contains(seen));
        return { name: element.id || element.textContent, free };
      });
    /** @type {Set<string>[]} */
    const [reached, hidden] = [new Set(), new Set()];
    await page.locator("#compare").focus();
    for (const key of ["Tab", "Shift+Tab"]) {
      for (let step = 0; step < 40; step++) {
        await page.keyboard.press(key);
        const found = await covered();
        if (!found) continue;
        reached.add(`${found.name}`);
        if (!found.free) hidden.add(`${found.name}, by ${key}`);
      }
    }
    assert.ok(reached.size > 10, `Tab led to ${[...reached]}`);
    assert.deepEqual([...hidden], [], `on ${width} × ${height}`);
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test("nothing lies under a notch or the corners of the screen", async () => {
  const { page, screen, problems, context } = await phone();
  const insets = { top: 47, bottom: 34, left: 44, right: 44 };
  await screen.send("Emulation.setSafeAreaInsetsOverride", { insets });
  /** What can be pressed or read and lies outside of the safe area, at this place of the page. */
  const outside = () =>
    page.evaluate(({ top, bottom, left, right }) => {
      const found = [];
      for (const element of document.querySelectorAll("button, a, input, select, summary, h1, h2, p, label")) {
        const { x, y, width, height } = element.getBoundingClientRect();
        const [middle, centre] = [y + height / 2, x + width / 2];
        if (width < 2 || !element.checkVisibility({ visibilityProperty: true })) continue;
        if (centre < 0 || centre > innerWidth || middle < 0 || middle > innerHeight) continue;
        const seen = document.elementFromPoint(centre, middle);
        if (!seen || !(element.contains(seen) || seen.contains(element))) continue; // scrolled below something
        const aside = x < left - 1 || x + width > innerWidth - right + 1;
        const tall = element.closest(".top, .save, .model-bar, dialog");
        const cut = tall && (y < top - 1 || y + height > innerHeight - bottom + 1);
        if (aside && !element.closest(".viewer-tools, .place, .look-list, .hidden")) found.push(element.outerHTML);
        if (cut) found.push(element.outerHTML);
      }
      return found;
    }, insets);
  for (const [width, height] of SCREENS.slice(0, 2)) {
    await page.setViewportSize({ width, height });
    for (const place of [0, 1e6]) {
      await page.evaluate((place) => scrollTo(0, place), place);
      assert.deepEqual(await outside(), [], `the editor on ${width} × ${height}, at ${place}`);
    }
    await page.evaluate(() => scrollTo(0, 300));
    const picture = await page.locator("#compare").boundingBox();
    assert.ok(picture && picture.y >= insets.top - 1, `the picture stays below the notch: ${picture?.y}`);
    await page.evaluate(() => document.getElementById("about-button")?.click());
    assert.deepEqual(await outside(), [], `a dialog on ${width} × ${height}`);
    await page.keyboard.press("Escape");
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test("where there is little memory, a smaller copy of a large photo is worked on, which is said", async () => {
  const rows = new Uint8Array((5000 / 8) * 4000);
  const file = Buffer.from(png({ width: 5000, height: 4000, depth: 1, colour: 0, rows }));
  for (const { memory, agent, lean } of [
    { memory: 8, agent: "Android", lean: false },
    { memory: 4, agent: "Desktop", lean: true },
    { memory: undefined, agent: "Android", lean: true },
    { memory: undefined, agent: "Desktop", lean: false },
  ]) {
    const script = `
      Object.defineProperty(Navigator.prototype, "deviceMemory", { get: () => ${memory} });
      Object.defineProperty(Navigator.prototype, "userAgent", { get: () => "Mozilla/5.0 (${agent})" });
    `;
    const { page, context, problems } = await visit(browser, site.url, { ...PHONE, script });
    await page.setInputFiles("#file", { name: "large.png", mimeType: "image/png", buffer: file });
    if (lean) await page.getByText("20 megapixels. This device has little memory, so 12 of them").waitFor();
    await page.locator("#align-dialog[open]").waitFor({ timeout: 60_000 });
    const size = await page.evaluate(() => {
      const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector("sdic-align .field canvas"));
      return [canvas.width, canvas.height];
    });
    assert.deepEqual(size, lean ? [3872, 3098] : [5000, 4000], `${memory} GB, ${agent}`);
    assert.deepEqual(problems, []);
    await context.close();
  }
});

/**
 * A picture of the comparison, or of a file, brought to 40 × 30 pixels; and its own sizes.
 * @param {import("playwright-core").Page} page
 * @param {".before" | ".after" | { file: string }} what
 */
async function small(page, what) {
  const { data, ...sizes } = await page.evaluate(async (what) => {
    const picture =
      typeof what === "string"
        ? /** @type {HTMLCanvasElement} */ (document.querySelector(`#compare ${what}`))
        : await createImageBitmap(new Blob([Uint8Array.from(atob(what.file), (c) => c.charCodeAt(0))]));
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(40, 30).getContext("2d"));
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, 0, 0, 40, 30);
    const { width, height } = picture;
    return { width, height, data: [...context.getImageData(0, 0, 40, 30).data] };
  }, what);
  return { ...sizes, data: Uint8Array.from(data) };
}

for (const { memory, size, said } of [
  {
    memory: 4,
    size: [4000, 3000],
    said: "48 megapixels. This device has little memory, so 12 of them are worked on and saved",
  },
  { memory: 8, size: [5656, 4242], said: "48 megapixels; it was reduced to 24" },
])
  test(`a photo of 48 megapixels is edited and saved on a telephone of ${memory} GB, ${size.join(" × ")}`, async () => {
    const script = `Object.defineProperty(Navigator.prototype, "deviceMemory", { get: () => ${memory} });`;
    const { page, problems, context } = await visit(browser, site.url, { ...PHONE, script });
    const screen = await context.newCDPSession(page);
    await modelReady(page);
    const text = await page.evaluate(async () => {
      const { src = "" } = /** @type {HTMLElement} */ (document.querySelector("#sample-list button")).dataset;
      const face = await createImageBitmap(await (await fetch(src)).blob());
      const canvas = new OffscreenCanvas(8000, 6000);
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
      context.fillStyle = "#8fa3b5";
      context.fillRect(0, 0, 8000, 6000);
      context.drawImage(face, 3000, 1500, 2400, 2400);
      const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg" })).arrayBuffer());
      canvas.width = canvas.height = 0;
      return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    });
    await page.setInputFiles("#file", {
      name: "large.jpg",
      mimeType: "image/jpeg",
      buffer: Buffer.from(text, "base64"),
    });
    await page.getByText(said).waitFor();
    await inverted(page);
    await showWholePhoto(page, size[0]);
    const { at } = await firstSlider(page);
    await drag(screen, [at(0), at(90)]);
    await settled(page);
    const shown = await small(page, ".after");

    await page.locator("#save").tap();
    await page.locator('#save-types input[value="image/jpeg"]').check();
    await page.locator("#save-choices", { hasText: size.join(" × ") }).waitFor();
    const coming = page.waitForEvent("download");
    await page.locator("#save-file").tap();
    const file = await readFile(await (await coming).path());
    const { width, height, ...saved } = await small(page, { file: file.toString("base64") });
    assert.deepEqual([width, height], size);
    assert.ok(difference(saved, shown) < 1, `saved as shown: ${difference(saved, shown)}`);

    await page.locator("#compare-toggle").tap();
    const before = await small(page, ".before");
    const changed = [...Array(40 * 30).keys()].filter((i) =>
      [0, 1, 2].some((c) => Math.abs(before.data[4 * i + c] - saved.data[4 * i + c]) > 3),
    );
    assert.ok(changed.length > 10, `the edit is in the file: ${changed}`);
    for (const i of changed) {
      const [x, y] = [i % 40, Math.floor(i / 40)];
      assert.ok(x >= 15 && x < 27 && y >= 7 && y < 20, `at ${x}, ${y} there is no face`);
    }
    assert.deepEqual(problems, []);
    await context.close();
  });
