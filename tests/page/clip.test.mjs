// Before and after in one picture, and as a clip.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { film } from "./film.mjs";
import { photoOf } from "./people.mjs";
import { betrays, withMetadata } from "./pictures.mjs";
import {
  accessible,
  difference,
  inverted,
  modelReady,
  PATIENCE,
  pixels,
  root,
  settled,
  shared,
  showWholePhoto,
  slide,
  visit,
} from "./support.mjs";

/** @import { Page } from "playwright-core" */
/** @typedef {{ width: number, height: number, data: Uint8Array }} Pixels */

/** A photo that is wide, with a face in it. */
const WIDE = { width: 1000, height: 700 };
/** One that is larger than a video of it, with odd sides. */
const LARGE = { width: 2401, height: 1601 };
/** Side of the squares of which `coarse` takes means. */
const BLOCK = 8;
const MARK = "compositeWithTrainedAlgorithmicMedia";

const here = shared(async () => path.join(root, "weights"));

/**
 * Presses "Save" in the dialog, and returns the file.
 * @param {Page} page
 */
async function saved(page) {
  const coming = page.waitForEvent("download", { timeout: PATIENCE });
  await page.click("#save-file");
  const download = await coming;
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

/**
 * The pixels of a picture file.
 * @param {Page} page
 * @param {Buffer} bytes
 * @returns {Promise<Pixels>}
 */
async function decoded(page, bytes) {
  const { text, ...size } = await page.evaluate(async (file) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(file), (c) => c.charCodeAt(0))]));
    const { width, height } = bitmap;
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
      new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })
    );
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    let binary = "";
    for (let i = 0; i < data.length; i += 0x8000) binary += String.fromCharCode(...data.subarray(i, i + 0x8000));
    return { width, height, text: btoa(binary) };
  }, bytes.toString("base64"));
  return { ...size, data: new Uint8Array(Buffer.from(text, "base64")) };
}

/**
 * @param {Pixels} picture
 * @param {number} x
 * @param {number} y
 * @param {{ width: number, height: number }} size
 * @returns {Pixels}
 */
function part(picture, x, y, { width, height }) {
  const data = new Uint8Array(4 * width * height);
  for (let row = 0; row < height; row++) {
    const from = 4 * ((y + row) * picture.width + x);
    data.set(picture.data.subarray(from, from + 4 * width), 4 * row * width);
  }
  return { width, height, data };
}

test("before and after: both pictures in one, beside or above each other, with words or without", async () => {
  const { page, problems, context } = await visit(here.browser, here.site.url);
  await modelReady(page);
  await page.setInputFiles("#file", await photoOf(page, WIDE));
  await inverted(page);
  await slide(page, "smile", 80);
  const face = { before: await pixels(page, "before"), after: await pixels(page) };
  await showWholePhoto(page, WIDE.width);
  const whole = { before: await pixels(page, "before"), after: await pixels(page) };
  assert.ok(difference(whole.before, whole.after) > 0.2, "the edit is seen");

  // The whole photo is wide: one above the other.
  await page.click("#save");
  await page.locator("#save-both").check();
  await page.locator("#save-words").uncheck();
  await page.locator("#save-size", { hasText: /1000\s×\s1411/ }).waitFor();
  await accessible(page, "before and after");
  const above = await saved(page);
  assert.equal(above.name, "holiday-sdic-before-after.png");
  assert.ok(above.bytes.includes(MARK), "marked");
  const pair = await decoded(page, above.bytes);
  assert.deepEqual([pair.width, pair.height], [1000, 2 * 700 + 11]);
  assert.equal(difference(part(pair, 0, 0, WIDE), whole.before), 0);
  assert.equal(difference(part(pair, 0, 711, WIDE), whole.after), 0);

  // The face is square: side by side, under words.
  await page.click("#save");
  assert.ok(!(await page.locator("#save-both").isChecked()), "asked anew each time");
  await page.locator("#save-choices input[value=face]").check();
  await page.locator("#save-both").check();
  await page.locator("#save-words").check();
  await page.locator("#save-size", { hasText: /\d\sMB/ }).waitFor();
  const beside = await saved(page);
  const labelled = await decoded(page, beside.bytes);
  const side = face.before.width;
  const band = labelled.height - side;
  const gap = labelled.width - 2 * side;
  assert.ok(band > 0.05 * side && band < 0.12 * side && gap > 0 && gap < 0.03 * side, `${band}, ${gap}`);
  assert.equal(difference(part(labelled, 0, band, face.before), face.before), 0);
  assert.equal(difference(part(labelled, side + gap, band, face.after), face.after), 0);
  for (const x of [0, side + gap]) {
    const strip = part(labelled, x, 0, { width: side, height: band });
    const dark = strip.data.filter((value, i) => i % 4 === 0 && value < 100).length;
    assert.ok(dark > 0.005 * side * band && dark < 0.1 * side * band, `${dark} dark points are a word`);
  }

  // All types.
  for (const [type, ending] of [
    ["image/jpeg", "jpg"],
    ["image/webp", "webp"],
  ]) {
    await page.click("#save");
    await page.locator("#save-both").check();
    await page.locator(`#save-types input[value="${type}"]`).check();
    const file = await saved(page);
    assert.equal(file.name, `holiday-sdic-before-after.${ending}`);
    assert.ok(file.bytes.includes(MARK), `${type} is marked`);
    const { width, height } = await decoded(page, file.bytes);
    assert.deepEqual([width, height > 2 * 700 + 11], [1000, true], type);
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test("a file is made once for its size and for saving, and anew after an edit", async () => {
  const { page, problems, context } = await visit(here.browser, here.site.url);
  await page.evaluate(() => {
    const { postMessage } = Worker.prototype;
    const seen = Object.assign(globalThis, { writes: 0 });
    Worker.prototype.postMessage = function (/** @type {any} */ message, /** @type {any} */ ...rest) {
      if (message.method === "save") seen.writes++;
      return postMessage.call(this, message, ...rest);
    };
  });
  const writes = () => page.evaluate(() => /** @type {any} */ (globalThis).writes);
  await modelReady(page);
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  await slide(page, "smile", 50);
  await page.click("#save");
  await page.locator("#save-size", { hasText: /\d/ }).waitFor();
  assert.equal(await writes(), 1);
  const first = await saved(page);
  assert.equal(await writes(), 1, "the file whose size was told is the one that is saved");

  await page.click("#save");
  await page.locator("#save-types input[value='image/webp']").check();
  await page.locator("#save-size", { hasText: /\d/ }).waitFor();
  await page.keyboard.press("Escape");
  const before = await writes();
  await slide(page, "smile", -50);
  await page.click("#save");
  const second = await saved(page);
  assert.equal(await writes(), before + 1, "an edit came in between");
  assert.ok(!first.bytes.equals(second.bytes), "the file shows it");
  await slide(page, "smile", 50);
  await page.click("#save");
  await page.locator("#save-types input[value='image/png']").check();
  const third = await saved(page);
  assert.ok(first.bytes.equals(third.bytes), "as it was at first");
  assert.deepEqual(problems, []);
  await context.close();
});

test("a clip goes from the photo to the edit and back, and tells nothing that the photo's metadata told", async () => {
  const { page, problems, context } = await visit(here.browser, here.site.url);
  await modelReady(page);
  const photo = await photoOf(page, { width: 520, height: 600 }, { type: "image/jpeg" });
  const buffer = withMetadata(photo.buffer, 1);
  assert.equal(betrays(buffer).length, 6);
  await page.setInputFiles("#file", { ...photo, buffer });
  await inverted(page);
  await slide(page, "smile", 100);
  await slide(page, "age", 60);
  const [from, to] = [await pixels(page, "before"), await pixels(page)];
  await page.click("#save");
  await page.locator("#save-choices input[value=clip]").check();
  await page.locator("#clip-seconds input[value='2']").check();
  await page.locator("#save-size", { hasText: /pictures are computed/ }).waitFor();
  await accessible(page, "the choice of a clip");
  const { name, bytes } = await saved(page);
  assert.equal(name, "holiday-sdic.mp4");
  assert.ok(await page.locator("#save-dialog").isHidden());
  for (const mark of [MARK, "Edited by an AI model"]) assert.ok(bytes.includes(mark), mark);
  assert.deepEqual(betrays(bytes), []);

  const { duration, width, height, pictures } = await film(here.browser, bytes, [0, 1.01, 0.5, 1.98]);
  assert.ok(Math.abs(duration - 2) < 0.01, `${duration} s`);
  const even = from.width - (from.width % 2);
  assert.deepEqual([width, height], [even, even]);
  const size = { width: even, height: even };
  const [start, middle, between, end] = pictures;
  const distance = (/** @type {Pixels} */ a, /** @type {Pixels} */ b) => difference(part(a, 0, 0, size), b);
  const whole = distance(from, part(to, 0, 0, size));
  const table = { whole, start: distance(from, start), middle: distance(to, middle), end: distance(from, end) };
  for (const at of /** @type {const} */ (["start", "middle", "end"])) {
    assert.ok(table[at] < whole / 2, JSON.stringify(table));
  }
  // Only details are lost: colours are the same on the whole.
  for (const channel of [0, 1, 2]) {
    const mean = (/** @type {Pixels} */ { data }) => {
      const values = data.filter((_, i) => i % 4 === channel);
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    };
    for (const [a, b] of [
      [from, start],
      [to, middle],
    ]) {
      assert.ok(Math.abs(mean(part(a, 0, 0, size)) - mean(b)) < 1.5, `channel ${channel}: ${mean(a)}, ${mean(b)}`);
    }
  }
  for (const end of [from, to]) assert.ok(distance(end, between) > 1.3 * table.start, "on its way");

  // The sliders are as they were, and the picture, too.
  await settled(page);
  assert.equal(difference(await pixels(page), to), 0);
  assert.equal(await page.locator('[id="slider-smile"]').inputValue(), "100");
  assert.deepEqual(problems, []);
  await context.close();
});

/**
 * The whole photo as the page shows it, brought to a size.
 * @param {Page} page
 * @param {{ width: number, height: number }} size
 * @returns {Promise<Pixels>}
 */
async function wholePhotoAt(page, size) {
  await showWholePhoto(page, LARGE.width);
  const text = await page.evaluate(({ width, height }) => {
    const shown = /** @type {HTMLCanvasElement} */ (document.querySelector("#compare .after"));
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
      new OffscreenCanvas(width, height).getContext("2d")
    );
    context.imageSmoothingQuality = "high";
    context.drawImage(shown, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    let binary = "";
    for (let i = 0; i < data.length; i += 0x8000) binary += String.fromCharCode(...data.subarray(i, i + 0x8000));
    return btoa(binary);
  }, size);
  return { ...size, data: new Uint8Array(Buffer.from(text, "base64")) };
}

/**
 * A picture of means, without the finest details, of which a video loses most.
 * @param {Pixels} picture
 * @returns {Pixels}
 */
function coarse({ width, height, data }) {
  const [across, down] = [width, height].map((side) => Math.floor(side / BLOCK));
  const means = new Uint8Array(4 * across * down);
  for (let i = 0; i < means.length; i++) {
    const [x, y, channel] = [Math.floor(i / 4) % across, Math.floor(i / 4 / across), i % 4];
    let sum = 0;
    for (let row = 0; row < BLOCK; row++)
      for (let at = 0; at < BLOCK; at++) sum += data[4 * ((y * BLOCK + row) * width + x * BLOCK + at) + channel];
    means[i] = sum / BLOCK ** 2;
  }
  return { width: across, height: down, data: means };
}

test("a clip of the whole photo moves one face in it, at most as large as full HD", async () => {
  const { page, problems, context } = await visit(here.browser, here.site.url);
  await modelReady(page);
  await page.setInputFiles("#file", await photoOf(page, LARGE, { count: 2 }));
  await inverted(page);
  await slide(page, "smile", 100);
  await page.locator("#faces input").nth(1).check();
  await inverted(page);
  await slide(page, "smile", 100);
  await slide(page, "age", 60);

  await page.click("#save");
  // By keyboard: the choice behind the face alone.
  await page.locator("#save-choices input[value=face]").check();
  await page.keyboard.press("ArrowDown");
  const choice = page.locator("#save-choices label", { has: page.locator("input[value=photo-clip]:checked") });
  const label = await choice.innerText();
  assert.match(label, /^A video of the whole photo, there and back, \d+\s×\s\d+\spixels$/);
  await page.locator("#clip-seconds input[value='2']").check();
  await page.locator("#save-size", { hasText: /pictures are computed/ }).waitFor();
  await accessible(page, "the choice of a clip of the whole photo");
  const { name, bytes } = await saved(page);
  assert.equal(name, "holiday-sdic.mp4");
  for (const mark of [MARK, "Edited by an AI model"]) assert.ok(bytes.includes(mark), mark);
  await settled(page);

  const { duration, width, height, pictures } = await film(here.browser, bytes, [0, 1.01, 1.98]);
  const size = { width, height };
  assert.ok(Math.abs(duration - 2) < 0.01, `${duration} s`);
  assert.ok(label.includes(`${width}\u00a0×\u00a0${height}`), `${width} × ${height}: ${label}`);
  assert.ok(width % 2 === 0 && height % 2 === 0 && width * height <= 1920 * 1080 + 20_000 && width > 1700, `${width}`);
  assert.ok(Math.abs(width / height - LARGE.width / LARGE.height) < 0.004, "in the photo's shape");

  const edited = await wholePhotoAt(page, size);
  await page.click("#reset-all");
  await settled(page);
  const rest = await wholePhotoAt(page, size);
  const [start, middle, end] = pictures;
  // Where the faces are, each in the middle of its half.
  const heart = { width: Math.round(width / 4), height: Math.round(height / 2) };
  const places = [1 / 8, 5 / 8].map((share) => Math.round(share * width));
  const hearts = (/** @type {Pixels} */ picture) =>
    places.map((x) => coarse(part(picture, x, Math.round(height / 4), heart)));
  const apart = (/** @type {Pixels} */ a, /** @type {Pixels} */ b) => {
    const [of, other] = [hearts(a), hearts(b)];
    return of.map((each, i) => difference(each, other[i]));
  };
  const way = apart(rest, edited);
  const moves = way[0] > way[1] ? 0 : 1;
  assert.equal(way[1 - moves], 0, "only one face is reset");
  const table = { start: apart(rest, start), middle: apart(edited, middle), end: apart(rest, end) };
  const told = JSON.stringify({ moves, way, ...table });
  for (const [moving, standing] of Object.values(table).map((each) => (moves === 0 ? each : each.toReversed()))) {
    assert.ok(moving < way[moves] / 2, `the face that moves: ${told}`);
    // As it was edited; at rest it would be as far off as the other one goes.
    assert.ok(standing < way[moves] / 2, `the other one: ${told}`);
  }
  const corner = { width: 40, height: 40 };
  for (const [i, picture] of pictures.entries())
    assert.ok(difference(part(picture, 0, 0, corner), part(rest, 0, 0, corner)) < 5, `picture ${i}: the sky`);
  assert.deepEqual(problems, []);
  await context.close();
});

test("of the whole photo no clip is offered where the encoder writes none so large", async () => {
  const script = "VideoEncoder.isConfigSupported = async (config) => ({ supported: config.width <= 1024, config })";
  for (const [locale, sentence] of /** @type {const} */ ([
    ["en-GB", /this browser’s encoder writes none so large/],
    ["de-DE", /Der Encoder dieses Browsers schreibt keine so großen/],
  ])) {
    const { page, problems, context } = await visit(here.browser, here.site.url, { script, locale });
    await modelReady(page);
    await page.setInputFiles("#file", await photoOf(page, LARGE));
    await inverted(page);
    await page.click("#save");
    await page.locator("#save-choices input[value=photo-clip]").click();
    await page.locator("#save-no-clip", { hasText: sentence }).waitFor();
    assert.ok(await page.locator("#save-choices input[value=photo]").isChecked());
    assert.equal(await page.locator("#save-choices input[value=photo-clip]").count(), 0);
    await page.locator("#save-choices input[value=clip]").check();
    await page.locator("#save-clip").waitFor();
    await accessible(page, "an encoder of small videos");
    assert.deepEqual(problems, []);
    await context.close();
  }
});

test("a clip that is cancelled leaves nothing behind", async () => {
  const { page, problems, context } = await visit(here.browser, here.site.url);
  /** @type {string[]} */
  const downloads = [];
  page.on("download", (download) => downloads.push(download.suggestedFilename()));
  await modelReady(page);
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  await page.click("#save");
  await page.locator("#save-choices input[value=clip]").check();
  // Nothing is edited: one slider moves.
  assert.ok(!(await page.locator("#clip-moves option[value=all]").count()), "there is no way to an edit");
  await page.locator("#clip-moves").selectOption({ label: "Smile, from end to end" });
  await page.locator("#clip-seconds input[value='6']").check();
  await page.click("#save-file");
  await page.locator("#clip-done", { hasText: /picture [1-9]/ }).waitFor({ timeout: PATIENCE });
  assert.ok(await page.locator("#save-file").isDisabled());
  assert.ok(await page.locator("#save-choices input[value=face]").isDisabled());
  assert.ok(await page.locator("#save-cancel").evaluate((button) => button === document.activeElement));
  await accessible(page, "a clip in the making");
  await page.click("#save-cancel");
  await page.locator(".notice", { hasText: "The video was cancelled. Nothing was saved." }).waitFor();
  assert.ok(await page.locator("#save-dialog").isHidden());

  const before = await pixels(page, "before");
  await slide(page, "smile", 100);
  assert.ok(difference(await pixels(page), before) > 0.3, "the sliders work");
  await page.click("#save");
  assert.ok(await page.locator("#clip-progress").isHidden());
  assert.ok(await page.locator("#save-file").isEnabled());
  const { name } = await saved(page);
  assert.deepEqual(downloads, [name], "no clip came");
  assert.deepEqual(problems, []);
  await context.close();
});

test("an engine that stops takes the clip with it, and comes back", async () => {
  const script = `(() => {
    const { Worker } = globalThis;
    globalThis.workers = [];
    globalThis.Worker = class extends Worker {
      constructor(url, options) {
        super(url, options);
        if (String(url).endsWith("engine.js")) globalThis.workers.push(this);
      }
    };
  })()`;
  const { page, problems, context } = await visit(here.browser, here.site.url, { script });
  await modelReady(page);
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  await slide(page, "smile", 100);
  const picture = await pixels(page);
  await page.click("#save");
  await page.locator("#save-choices input[value=clip]").check();
  await page.click("#save-file");
  await page.locator("#clip-done", { hasText: /picture [1-9]/ }).waitFor({ timeout: PATIENCE });
  await page.evaluate(() => {
    const [engine] = /** @type {any} */ (globalThis).workers;
    engine.dispatchEvent(new ErrorEvent("error", { message: "unreachable", cancelable: true }));
  });
  await page.locator(".notice.failure", { hasText: "The video could not be made." }).waitFor();
  assert.ok(await page.locator("#clip-progress").isHidden());
  assert.ok(await page.locator("#save-choices input[value=clip]").isEnabled(), "it can be tried again");
  await page.click("#save-cancel");
  await page.waitForFunction(() => /** @type {any} */ (globalThis).workers.length === 2);
  // With the second engine the stages are on show again, until the face is inverted.
  await page.locator("#progress").waitFor({ state: "hidden", timeout: PATIENCE });
  await settled(page);
  assert.ok(difference(await pixels(page), picture) < 0.01, "the edit is shown again");
  await slide(page, "smile", 0);
  assert.ok(difference(await pixels(page), picture) > 0.3, "the sliders work");
  assert.deepEqual(problems, []);
  await context.close();
});

test("without an encoder no clip is offered, and the dialog says why", async () => {
  const none = "delete globalThis.VideoEncoder";
  const unfit = "VideoEncoder.isConfigSupported = async (config) => ({ supported: false, config })";
  for (const [script, locale, sentence] of /** @type {const} */ ([
    [none, "en-GB", /this browser has no encoder/],
    [unfit, "de-DE", /Dieser Browser hat keinen Encoder/],
  ])) {
    const { page, problems, context } = await visit(here.browser, here.site.url, { script, locale });
    await modelReady(page);
    await page.locator("#sample-list button").first().click();
    await inverted(page);
    await page.click("#save");
    // An encoder that writes nothing that fits is found out when a clip is wanted.
    const clip = page.locator("#save-choices input[value=clip]");
    if (script === unfit) await clip.click();
    await page.locator("#save-no-clip", { hasText: sentence }).waitFor();
    assert.equal(await clip.count(), 0);
    assert.ok(await page.locator("#save-choices input[value=photo]").isChecked());
    assert.ok(await page.locator("#save-picture").isVisible());
    await accessible(page, "no encoder");
    assert.match((await saved(page)).name, /\.png$/);
    assert.deepEqual(problems, []);
    await context.close();
  }
});

test("AVIF is offered where the browser writes it, and not where PNG comes instead", async () => {
  for (const writes of [true, false]) {
    const script = `(() => {
      const { convertToBlob } = OffscreenCanvas.prototype;
      OffscreenCanvas.prototype.convertToBlob = function (options) {
        const made = convertToBlob.call(this, options);
        if (options?.type !== "image/avif" || !${writes}) return made;
        return made.then((file) => new Blob([file], { type: "image/avif" }));
      };
    })()`;
    const { page, problems, context } = await visit(here.browser, here.site.url, { script });
    await modelReady(page);
    await page.locator("#sample-list button").first().click();
    await inverted(page);
    await page.click("#save");
    await page.locator("#save-dialog[open]").waitFor();
    const avif = page.locator("#save-types input[value='image/avif']");
    assert.equal(await avif.count(), writes ? 1 : 0);
    if (writes) {
      await avif.check();
      assert.ok(await page.locator("#save-quality").isVisible());
      await page.locator("#save-note", { hasText: /AVIF/ }).waitFor();
      // Only the page was told that the browser can: the worker sees what has really come.
      await page.click("#save-file");
      await page.locator(".notice.failure", { hasText: "does not write this type" }).waitFor();
    }
    const marked = await page.evaluate(async () => {
      const worker = new Worker(new URL("workers/photo.js", location.href), { type: "module" });
      const avif = new Blob(["\0\0\0\x14ftypavif\0\0\0\0mif1", "\0\0\0\x09mdat!"], { type: "image/avif" });
      const answer = new Promise((resolve) => worker.addEventListener("message", resolve, { once: true }));
      worker.postMessage({ id: 0, method: "mark", args: [avif] });
      const { data } = /** @type {MessageEvent} */ (await answer);
      worker.terminate();
      return { type: data.value.type, text: await data.value.text() };
    });
    // The mark is one more box, as long as it says, behind those there were.
    const end = Buffer.from(marked.text.slice(marked.text.indexOf("uuid") - 4));
    assert.equal(marked.type, "image/avif");
    assert.equal(marked.text.indexOf("uuid"), 20 + 9 + 4);
    assert.ok(end.includes(MARK) && end.includes('<?xpacket end="r"?>'), "all of the packet");
    assert.deepEqual(problems, []);
    await context.close();
  }
});

test("the save dialog fits small screens, in German and in the dark, too", async () => {
  for (const [width, height, colorScheme] of /** @type {const} */ ([
    [390, 844, "light"],
    [320, 568, "dark"],
  ])) {
    const { page, problems, context } = await visit(here.browser, here.site.url, {
      viewport: { width, height },
      locale: "de-DE",
      hasTouch: true,
      isMobile: true,
      colorScheme,
    });
    await modelReady(page);
    await page.locator("#sample-list button").first().click();
    await inverted(page);
    await slide(page, "smile", 60);
    await page.click("#save");
    for (const [state, choose] of /** @type {const} */ ([
      ["pair", "#save-both"],
      ["clip", "#save-choices input[value=clip]"],
    ])) {
      await page.locator(choose).check();
      const words = state === "pair" ? "Mit den Wörtern" : "Was sich bewegt";
      await page.locator("#save-dialog", { hasText: words }).waitFor();
      await accessible(page, `${state}, ${width} px`);
      const { overflow, small } = await page.locator("#save-dialog").evaluate((dialog) => {
        const targets = [...dialog.querySelectorAll("label:has(input), select, button")];
        const low = targets.filter((each) => each.checkVisibility() && each.getBoundingClientRect().height < 44);
        return { overflow: dialog.scrollWidth - dialog.clientWidth, small: low.map((each) => each.textContent) };
      });
      assert.deepEqual({ overflow, small }, { overflow: 0, small: [] }, `${state}, ${width} px`);
    }
    await page.locator("#save-choices input[value=face]").check();
    const { name } = await saved(page);
    assert.match(name, /-sdic-vorher-nachher\.png$/);
    assert.deepEqual(problems, []);
    await context.close();
  }
});
