// The live mirror: what an edit changes follows the face in the camera's picture, and the camera is on only while the
// visitor sees it.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { film } from "./film.mjs";
import { CAMERA, SCRIPTED_CAMERA, SCRIPTED_CLOCK } from "./scripted-camera.mjs";
import {
  accessible,
  difference,
  inverted,
  launch,
  modelReady,
  PATIENCE,
  pixels,
  root,
  shared,
  showWholePhoto,
  slide,
  visit,
} from "./support.mjs";
import { discard, temporary } from "./temporary.mjs";

/** @import { Page } from "playwright-core" */

const MARK = "compositeWithTrainedAlgorithmicMedia";
/** Side of the pictures in which the face stays in its place. */
const VIEW = 96;
/** Where the mouth is in them, and a corner: left, top, right, bottom. */
const MOUTH = [34, 52, 62, 66];
const CORNER = [0, 0, 8, 8];
/** Wall beside the jaw, where it would be dragged along, and the face: likewise. */
const WALLS = [
  [20, 56, 28, 68],
  [68, 56, 76, 68],
];
const FACE = [36, 34, 60, 62];

/** @param {string} problem that is not of the test's own making */
const ours = (problem) => !problem.includes("Service Worker registration blocked by Playwright");

const here = shared(async () => path.join(root, "weights"), { readable: true });

/**
 * A visitor with a camera that the test moves.
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
async function visitor(options) {
  const visited = await visit(here.browser, here.site.url, { script: SCRIPTED_CAMERA, ...options });
  visited.page.setDefaultTimeout(PATIENCE); // networks are loaded and faces are rebuilt behind most of what is awaited
  await modelReady(visited.page);
  return visited;
}

/**
 * Sets the scene before the camera.
 * @param {Page} page
 * @param {Record<string, unknown>} changes
 */
function stage(page, changes) {
  return page.evaluate((changes) => void Object.assign(/** @type {any} */ (globalThis).scene, changes), changes);
}

/**
 * A mirror whose still is taken, and can be edited.
 * @param {Page} page
 * @param {string} [button]
 */
async function mirrored(page, button = "#mirror-start") {
  await page.click(button);
  await page.locator("#mirror-word", { hasText: "Move a slider" }).waitFor({ timeout: PATIENCE });
}

/**
 * Waits until the camera's picture has as much of the edit on it.
 * @param {Page} page
 * @param {string} share
 */
async function shows(page, share) {
  await page.locator(`#mirror-picture[data-shown="${share}"]`).waitFor({ timeout: PATIENCE });
}

/**
 * What the mirror adds to the camera's picture, seen from where the face is, or from where it was.
 * @param {Page} page
 * @param {Record<string, number>} [from] of the scene
 * @returns {Promise<number[]>}
 */
function change(page, from) {
  return page.evaluate(
    ({ from, size }) => {
      const { scene } = /** @type {any} */ (globalThis);
      const { x, y, side, tilt, squeeze } = { ...scene, ...from };
      const seen = (/** @type {CanvasImageSource} */ picture) => {
        const canvas = new OffscreenCanvas(size, size);
        const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
        context.translate(size / 2, size / 2);
        context.scale(size / side / squeeze, size / side);
        context.rotate(-tilt);
        context.translate(-x, -y);
        context.drawImage(picture, 0, 0);
        return context.getImageData(0, 0, size, size).data;
      };
      const mirror = seen(/** @type {HTMLCanvasElement} */ (document.querySelector("#mirror-picture")));
      const camera = seen(scene.canvas);
      return Array.from(mirror, (value, i) => value - camera[i]).filter((_, i) => i % 4 < 3);
    },
    { from, size: VIEW },
  );
}

/**
 * All pixels of the mirror, or of the camera.
 * @param {Page} page
 * @param {"mirror" | "camera"} what
 */
async function shot(page, what) {
  const text = await page.evaluate((what) => {
    const { canvas } = /** @type {any} */ (globalThis).scene;
    const picture = what === "camera" ? canvas : document.querySelector("#mirror-picture");
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (copy.getContext("2d"));
    context.drawImage(picture, 0, 0);
    const { data } = context.getImageData(0, 0, copy.width, copy.height);
    let binary = "";
    for (let i = 0; i < data.length; i += 0x8000) binary += String.fromCharCode(...data.subarray(i, i + 0x8000));
    return btoa(binary);
  }, what);
  return { ...CAMERA, data: new Uint8Array(Buffer.from(text, "base64")) };
}

/**
 * The part of the camera's picture where the mouth of a face is that has not moved.
 * @param {{ data: Uint8Array }} picture
 */
function mouthOf({ data }) {
  const { width } = CAMERA;
  const rows = Array.from({ length: 50 }, (_, y) =>
    data.subarray(4 * ((y + 260) * width + 270), 4 * ((y + 260) * width + 370)),
  );
  return { data: Uint8Array.from(rows.flatMap((row) => [...row])) };
}

/**
 * Mean absolute change in a part of the view.
 * @param {number[]} change
 * @param {number[]} part
 */
function meanIn(change, [left, top, right, bottom]) {
  const inside = change.filter((_, i) => {
    const [x, y] = [Math.floor(i / 3) % VIEW, Math.floor(i / 3 / VIEW)];
    return x >= left && x < right && y >= top && y < bottom;
  });
  return inside.reduce((sum, value) => sum + Math.abs(value), 0) / inside.length;
}

/**
 * How alike two changes are, from -1 to 1.
 * @param {number[]} a
 * @param {number[]} b
 */
function alike(a, b) {
  const dot = (/** @type {number[]} */ a, /** @type {number[]} */ b) => a.reduce((sum, v, i) => sum + v * b[i], 0);
  return dot(a, b) / (Math.sqrt(dot(a, a) * dot(b, b)) || 1);
}

/**
 * Looks at one picture after another until it is as it should be.
 * @template T
 * @param {Page} page
 * @param {() => Promise<T>} look
 * @param {(seen: T) => boolean} good
 * @param {string} what for the message
 */
async function until(page, look, good, what) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const seen = await look();
    if (good(seen)) return seen;
    assert.ok(Date.now() < end, `${what}: ${JSON.stringify(seen)}`);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
  }
}

/** @param {Page} page */
function lights(page) {
  return page.evaluate(() =>
    /** @type {any} */ (globalThis).scene.tracks.map((/** @type {MediaStreamTrack} */ track) => track.readyState),
  );
}

/**
 * Hides the page, or shows it again.
 * @param {Page} page
 * @param {boolean} hidden
 */
function hide(page, hidden) {
  return page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
}

/**
 * All that a browser keeps of the page, by name.
 * @param {Page} page
 */
function kept(page) {
  return page.evaluate(async () => {
    const names = Object.keys(localStorage);
    for (const cache of await caches.keys()) {
      for (const { url } of await (await caches.open(cache)).keys()) names.push(url);
    }
    for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name);
    for (const { name = "" } of await indexedDB.databases()) names.push(name);
    return names.sort();
  });
}

test("the edit is on the camera's picture as on a photo, and goes where the face goes", async () => {
  const { page, problems, context } = await visitor();
  await mirrored(page);
  assert.ok(meanIn(await change(page), MOUTH) < 1, "nothing is edited yet");
  await slide(page, "smile", 100);
  await shows(page, "1.00");
  const still = { x: 320, y: 240, side: 400, tilt: 0 };
  const mouth = async () => meanIn(await change(page), MOUTH);
  await until(page, mouth, (seen) => seen > 8, "the mouth has changed");
  // While a slider moves the change is drawn coarsely: the fine one is there when it stays as it is.
  let first = await change(page);
  let same = 0;
  const unchanged = async () => {
    const before = first;
    first = await change(page);
    same = alike(first, before) > 0.999 ? same + 1 : 0;
    return same;
  };
  await until(page, unchanged, (seen) => seen === 3, "the change is drawn finely");
  const asFirst = async () => alike(await change(page), first);
  assert.ok(meanIn(first, CORNER) < 0.5, "the surroundings have not");
  await page.locator("#mirror-word:empty").waitFor({ state: "attached" });
  await accessible(page, "the mirror");

  // The head moves, comes nearer and tilts: so does the change, and where the mouth was there is none.
  for (const scene of [
    { x: 400, y: 250, side: 360, tilt: 0.2 },
    { x: 230, y: 235, side: 440, tilt: -0.15 },
  ]) {
    await stage(page, scene);
    await until(page, asFirst, (seen) => seen > 0.8, "the change has gone along");
    assert.ok(alike(await change(page, still), first) < 0.3, "it has not stayed behind");
  }
  // A wider face has a wider mouth.
  await stage(page, { ...still, squeeze: 1.1 });
  await until(page, asFirst, (seen) => seen > 0.8, "the change is bent as the face is");

  // A slider that moves changes the mirror.
  await stage(page, { ...still, squeeze: 1 });
  await slide(page, "smile", -100);
  await until(page, asFirst, (seen) => seen < 0, "the other way");
  await slide(page, "smile", 100);
  await until(page, asFirst, (seen) => seen > 0.95, "and back");

  // It is the edit that the page makes of the still.
  const mirror = await shot(page, "mirror");
  await page.click("#mirror-close");
  await showWholePhoto(page, CAMERA.width);
  const [before, after] = [await pixels(page, "before"), await pixels(page)];
  const [off, whole] = [difference(mirror, after), difference(before, after)];
  assert.ok(off < whole / 4, `${off} from the photo with the edit in it, which is ${whole} from the one without`);
  assert.deepEqual(problems, []);
  await context.close();
});

test("what is behind stays when the head turns", async () => {
  const { page, problems, context } = await visitor();
  await mirrored(page);
  // Bars on the wall.
  await page.evaluate(
    async ({ walls, view }) => {
      const { scene } = /** @type {any} */ (globalThis);
      const canvas = new OffscreenCanvas(scene.face.width, scene.face.height);
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
      context.drawImage(scene.face, 0, 0);
      context.scale(canvas.width / view, canvas.height / view);
      context.fillStyle = "#c8d2dc";
      for (const [left, top, right, bottom] of walls)
        for (let x = left; x < right; x += 2) context.fillRect(x, top - 4, 1, bottom - top + 8);
      scene.face = await createImageBitmap(canvas);
    },
    { walls: WALLS, view: VIEW },
  );
  await slide(page, "yaw", 100);
  await shows(page, "1.00");
  const seen = async () => {
    const seen = await change(page);
    return { face: meanIn(seen, FACE), walls: WALLS.map((wall) => meanIn(seen, wall)) };
  };
  const good = (/** @type {Awaited<ReturnType<typeof seen>>} */ { face, walls }) =>
    face > 8 && walls.every((wall) => wall < 1.5);
  await until(page, seen, good, "the face has turned, and the wall has not");
  assert.deepEqual(problems, []);
  await context.close();
});

test("a face that is gone takes the edit along, and one that looks different can be taken again", async () => {
  const { page, problems, context } = await visitor();
  // The face, turned to either side by the page itself.
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  for (const [name, strength] of /** @type {const} */ ([
    ["right", 100],
    ["left", -100],
  ])) {
    await slide(page, "yaw", strength);
    await page.evaluate(async (name) => {
      const { scene } = /** @type {any} */ (globalThis);
      scene[name] = await createImageBitmap(
        /** @type {HTMLCanvasElement} */ (document.querySelector("#compare .after")),
      );
      scene.turn = (/** @type {string} */ side) => Object.assign(scene, { face: scene[side] });
    }, name);
  }
  await page.click("#reset-all");
  const turn = (/** @type {string} */ side) =>
    page.evaluate((side) => void (/** @type {any} */ (globalThis).scene.turn(side)), side);
  await page.click("#mirror-toggle");
  await page.locator("#mirror-dialog[open]").waitFor();
  await page.keyboard.press("Escape");
  await turn("left");
  await mirrored(page, "#mirror-toggle");
  await slide(page, "smile", 100);
  await shows(page, "1.00");
  await stage(page, { there: false });
  await shows(page, "0.00");
  await page.locator("#mirror-word", { hasText: "No face is seen" }).waitFor();
  const most = async () => Math.max(...(await change(page)).map(Math.abs));
  await until(page, most, (seen) => seen < 8, "nothing is left of it");
  await stage(page, { there: true, x: 260 });
  await shows(page, "1.00");

  await stage(page, { x: 320 });
  await turn("right");
  await shows(page, "0.00");
  await page.locator("#mirror-word", { hasText: "looks different from the still" }).waitFor();
  assert.ok(meanIn(await change(page), MOUTH) < 2);
  await page.click("#mirror-again");
  await shows(page, "1.00");
  assert.equal(await page.locator('[id="slider-smile"]').inputValue(), "100", "the sliders are carried over");
  assert.equal(await page.locator(".notice", { hasText: "were not saved" }).count(), 0);
  await until(
    page,
    async () => meanIn(await change(page), MOUTH),
    (seen) => seen > 4,
    "the edit of the new still",
  );
  assert.deepEqual(await lights(page), ["ended", "live"], "the camera was on all the time");
  assert.deepEqual(problems, []);
  await context.close();
});

test("the camera goes off with the page, by itself only then, and with another photo", async () => {
  const { page, problems, context } = await visitor({ serviceWorkers: "block" });
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  const before = await kept(page);
  await mirrored(page, "#mirror-toggle");
  await slide(page, "smile", 100);
  await shows(page, "1.00");
  await hide(page, true);
  assert.deepEqual(await lights(page), ["ended"]);
  assert.ok(await page.locator("#mirror").isHidden());
  await hide(page, false);
  assert.deepEqual(await lights(page), ["ended"], "it does not come back by itself");
  const { wishes } = await page.evaluate(() => ({ wishes: /** @type {any} */ (globalThis).scene.wishes }));
  assert.deepEqual(
    wishes.map((/** @type {MediaStreamConstraints} */ { audio }) => audio),
    [false],
  );

  // The visitor asks for it: with the still that is there.
  await page.locator(".notice .link", { hasText: "Turn it on again" }).click();
  await shows(page, "1.00");
  assert.ok(await page.locator("#mirror-dialog").isHidden());
  assert.deepEqual(await lights(page), ["ended", "live"]);
  await page.click("#mirror-close");
  assert.deepEqual(await lights(page), ["ended", "ended"]);
  assert.ok(await page.locator("#mirror-toggle").evaluate((button) => button === document.activeElement));
  assert.ok(await page.locator("#compare").isVisible(), "the still is there to be edited");

  await page.keyboard.press("Enter");
  await shows(page, "1.00");
  assert.ok(await page.locator("#mirror-close").evaluate((button) => button === document.activeElement));
  const text = await page.evaluate(async () => {
    const { canvas } = /** @type {any} */ (globalThis).scene;
    const blob = /** @type {Blob} */ (await new Promise((resolve) => canvas.toBlob(resolve)));
    return btoa(Array.from(new Uint8Array(await blob.arrayBuffer()), (byte) => String.fromCharCode(byte)).join(""));
  });
  await page.setInputFiles("#file", {
    name: "other.png",
    mimeType: "image/png",
    buffer: Buffer.from(text, "base64"),
  });
  await page.locator("#mirror").waitFor({ state: "hidden" });
  assert.deepEqual(await lights(page), ["ended", "ended", "ended"]);
  await inverted(page);
  assert.deepEqual(await kept(page), before, "nothing is kept");

  // For this photo a still has to be taken; thinking better of it changes nothing.
  await page.click("#mirror-toggle");
  await page.locator("#mirror-dialog[open]").waitFor();
  await page.keyboard.press("Escape");
  await page.locator("#mirror-dialog").waitFor({ state: "hidden" });
  assert.equal((await lights(page)).filter((/** @type {string} */ state) => state === "live").length, 0);
  assert.deepEqual(problems.filter(ours), []);
  await context.close();
});

test("a machine that is too slow is told so, and takes a photo instead", async () => {
  const { page, problems, context } = await visitor();
  await stage(page, { haste: 1000 });
  await page.locator("#mirror-start").focus();
  await page.keyboard.press("Enter");
  await page.locator("#mirror-state", { hasText: /A picture takes [\d,]+ ms .* needs 120 ms or less/ }).waitFor();
  await accessible(page, "a slow mirror");
  const shown = await page.evaluate(() => /** @type {any} */ (globalThis).scene.pictures);
  await page.waitForFunction((shown) => /** @type {any} */ (globalThis).scene.pictures > shown + 20, shown);
  assert.ok(await page.locator("#mirror-dialog").isVisible(), "no still is taken, however still the face is");
  await page.getByRole("button", { name: "Only take a photo" }).click();
  await inverted(page);
  assert.deepEqual(await lights(page), ["ended"]);
  assert.ok(await page.locator("#mirror").isHidden());

  // Once it is quick enough, the mirror begins by itself.
  await page.click("#mirror-toggle");
  await page.locator("#mirror-state", { hasText: "needs 120 ms or less" }).waitFor();
  await stage(page, { haste: 0.05 });
  await page.locator("#mirror:visible").waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test("a face that moves, or is not there, is not taken", async () => {
  const { page, problems, context } = await visitor();
  await stage(page, { there: false });
  await page.click("#mirror-start");
  await page.locator("#mirror-state", { hasText: "Look into the camera" }).waitFor();
  await page.evaluate(() => {
    const { scene } = /** @type {any} */ (globalThis);
    scene.there = true;
    const { transferFromImageBitmap } = ImageBitmapRenderingContext.prototype;
    // Each picture that is shown makes for another place in the next.
    ImageBitmapRenderingContext.prototype.transferFromImageBitmap = function (bitmap) {
      if (scene.moving !== false) scene.x = scene.pictures % 2 ? 290 : 350;
      return transferFromImageBitmap.call(this, bitmap);
    };
  });
  await page.locator("#mirror-state", { hasText: "Hold still" }).waitFor();
  const shown = await page.evaluate(() => /** @type {any} */ (globalThis).scene.pictures);
  await page.waitForFunction((shown) => /** @type {any} */ (globalThis).scene.pictures > shown + 30, shown);
  assert.ok(await page.locator("#mirror-dialog").isVisible());
  await stage(page, { moving: false });
  await page.locator("#mirror:visible").waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test("no camera: the reason is said, and what to do", async () => {
  const { page, problems, context } = await visitor();
  for (const [refuse, said] of /** @type {const} */ ([
    ["NotAllowedError", /The camera was refused\..*Allow it in the browser’s settings/s],
    ["NotFoundError", /No camera was found\..*Connect one/s],
    ["NotReadableError", /could not be started\..*Another program/s],
    ["TypeMismatchError", /camera is not available\..*No camera here/s],
  ])) {
    await stage(page, { refuse });
    await page.click("#mirror-start");
    const failure = page.locator(".notice.failure");
    assert.match(await failure.innerText(), said);
    await failure.getByRole("button", { name: "Dismiss" }).click();
    assert.ok(await page.locator("#mirror-dialog").isHidden());
  }
  await stage(page, { refuse: "" });
  await mirrored(page);
  assert.deepEqual(problems, []);
  await context.close();

  // A browser without graphics.
  const blind = await visitor({ locale: "de-DE", serviceWorkers: "block" });
  await blind.context.route(/\/workers\/mirror-canvas\.js$/, async (route) => {
    const body = await (await route.fetch()).text();
    await route.fulfill({
      contentType: "text/javascript",
      body: `OffscreenCanvas.prototype.getContext = ((get) => function (kind, ...rest) {
        return kind === "webgl2" ? null : get.call(this, kind, ...rest);
      })(OffscreenCanvas.prototype.getContext);\n${body}`,
    });
  });
  await blind.page.click("#mirror-start");
  await blind.page.locator(".notice.failure", { hasText: "Dieser Browser hat kein WebGL 2" }).waitFor();
  assert.ok(await blind.page.locator("#mirror-dialog").isHidden());
  assert.deepEqual(await lights(blind.page), ["ended"]);
  assert.deepEqual(blind.problems.filter(ours), []);
  await blind.context.close();
});

test("a clip shows what the mirror showed, for as long, and is marked", async () => {
  const { page, problems, context } = await visitor();
  await mirrored(page);
  await slide(page, "smile", 100);
  await shows(page, "1.00");
  await page.click("#mirror-record");
  await page.locator("#mirror-record[aria-pressed=true]").waitFor();
  await accessible(page, "a mirror that records");
  const from = await page.evaluate(() => /** @type {any} */ (globalThis).scene.pictures);
  await page.waitForFunction((from) => /** @type {any} */ (globalThis).scene.pictures > from + 15, from);
  const coming = page.waitForEvent("download");
  await page.click("#mirror-record");
  const download = await coming;
  assert.equal(download.suggestedFilename(), "camera-sdic-mirror.mp4");
  const bytes = await readFile(await download.path());
  for (const mark of [MARK, "Filmed by a camera and edited by an AI model."]) assert.ok(bytes.includes(mark), mark);
  assert.equal(await page.locator("#mirror-record").innerText(), "Record a clip");

  const { duration, pictures } = await film(here.browser, bytes, [-0.01]);
  const [end] = pictures;
  assert.ok(duration > 0 && Number.isFinite(duration));
  assert.deepEqual({ width: end.width, height: end.height }, CAMERA);
  const [mirror, camera] = [await shot(page, "mirror"), await shot(page, "camera")];
  const off = (/** @type {{ data: Uint8Array }} */ other) => difference(mouthOf(end), mouthOf(other));
  assert.ok(off(mirror) < off(camera) / 2, `${off(mirror)} from the mirror, ${off(camera)} from the camera`);

  // A clip that is under way when the page is hidden is kept.
  await page.click("#mirror-record");
  await page.locator("#mirror-record[aria-pressed=true]").waitFor();
  const now = await page.evaluate(() => /** @type {any} */ (globalThis).scene.pictures);
  await page.waitForFunction((from) => /** @type {any} */ (globalThis).scene.pictures > from + 5, now);
  const second = page.waitForEvent("download");
  await hide(page, true);
  assert.ok((await readFile(await (await second).path())).includes(MARK));
  assert.deepEqual(await lights(page), ["ended"]);
  assert.deepEqual(problems, []);
  await context.close();
});

test("a real camera's film", async () => {
  // Two seconds of a face that is still, two in which it goes to and fro.
  const folder = await temporary("camera");
  const file = path.join(folder, "face.mjpeg");
  const { page: studio, context } = await visitor();
  const pictures = await studio.evaluate(async ({ width, height }) => {
    const { src } = /** @type {HTMLElement} */ (document.querySelector("#sample-list button")).dataset;
    const face = await createImageBitmap(await (await fetch(/** @type {string} */ (src))).blob());
    const canvas = new OffscreenCanvas(width, height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const pictures = [];
    for (let i = 0; i < 120; i++) {
      const x = i < 60 ? 120 : 120 + 60 * Math.sin(((i - 60) / 60) * 2 * Math.PI);
      context.fillStyle = "#8fa7b8";
      context.fillRect(0, 0, width, height);
      context.drawImage(face, x, 40, 400, 400);
      const jpeg = new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg" })).arrayBuffer());
      pictures.push(btoa(Array.from(jpeg, (byte) => String.fromCharCode(byte)).join("")));
    }
    return pictures;
  }, CAMERA);
  await context.close();
  await writeFile(file, Buffer.concat(pictures.map((picture) => Buffer.from(picture, "base64"))));
  const browser = await launch([
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    `--use-file-for-fake-video-capture=${file}`,
  ]);
  const { page, problems } = await visit(browser, here.site.url, { script: SCRIPTED_CLOCK });
  await modelReady(page);
  await mirrored(page);
  await slide(page, "smile", 100);
  await shows(page, "1.00");
  const size = await page.locator("#mirror-picture").evaluate((canvas) => {
    const { width, height } = /** @type {HTMLCanvasElement} */ (canvas);
    return { width, height };
  });
  assert.deepEqual(size, CAMERA);
  assert.deepEqual(problems, []);
  await browser.close();
  await discard(folder);
});
