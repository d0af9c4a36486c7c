// Everything that can go wrong ends in a sentence, and the page goes on.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
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
  root,
  slide,
  tinyWithSample,
  visit,
} from "./support.mjs";

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {string} */
let weights;
/** @type {Awaited<ReturnType<typeof host>>} */
let site;

before(async () => {
  weights = await tinyWithSample({
    change: (manifest) => {
      manifest.directions.find((/** @type {any} */ { name }) => name === "third").range = [0, 4];
    },
  });
  [browser, site] = await Promise.all([
    launch(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]),
    host(weights),
  ]);
});

after(async () => {
  await browser?.close();
  await site?.remove();
});

/**
 * Offers a file and returns the sentence that the page answers with.
 * @param {import("playwright-core").Page} page
 * @param {string} name
 * @param {Uint8Array} bytes
 * @param {string} kind class of the notice waited for
 */
async function answer(page, name, bytes, kind = "failure") {
  await page.evaluate(() => document.querySelector("#notices")?.replaceChildren());
  await page.setInputFiles("#file", { name, mimeType: "image/png", buffer: Buffer.from(bytes) });
  const box = page.locator(`.notice.${kind}`).first();
  await box.waitFor({ timeout: 60_000 });
  return box.locator("p").innerText();
}

test("files that are no usable picture get a sentence each, and a good one still opens afterwards", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  const jpeg = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(640, 480);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.fillStyle = "teal";
    context.fillRect(0, 0, 640, 480);
    return [...new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg" })).arrayBuffer())];
  });
  assert.match(
    await answer(page, "bomb.png", pictures.bomb()),
    /too large to open safely \(30000\s×\s30000\spixels\)/,
  );
  assert.match(await answer(page, "photo.jpg", pictures.pdf()), /is a PDF, whatever its name says/);
  assert.match(await answer(page, "cut.jpg", Uint8Array.from(jpeg.slice(0, 300))), /damaged or cut off/);
  assert.match(await answer(page, "iphone.heic", pictures.heic()), /cannot open HEIC photos.*share it as JPEG/s);
  assert.match(await answer(page, "dot.png", pictures.gradient(1, 1)), /only 1\s×\s1\spixels/);
  assert.match(await answer(page, "empty.jpg", new Uint8Array()), /file is empty/);
  assert.match(await answer(page, "notes.txt", Buffer.from("remember the milk")), /not a picture/);
  assert.match(await answer(page, "drawing.svg", Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>")), /drawing/);
  const spoiled = Uint8Array.from(pictures.gradient(96, 96)).fill(0, 60, 400);
  assert.match(await answer(page, "spoiled.png", spoiled), /damaged or cut off/);
  assert.ok(await page.locator("#start").isVisible(), "still at the start");
  await accessible(page, "a failure");

  await page.locator("#sample-list button").click();
  await inverted(page);
  assert.deepEqual(problems, []);
  await context.close();
});

test("a slider ends at 0 where its range does", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  for (const [name, min] of [
    ["tilt", "-100"],
    ["third", "0"],
  ]) {
    const slider = page.locator(`[id="slider-${name}"]`);
    assert.deepEqual(
      [await slider.getAttribute("min"), await slider.getAttribute("max"), await slider.inputValue()],
      [min, "100", "0"],
      name,
    );
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test("unusual but whole pictures open: 16 bit, moving, four inks, AVIF, 100 megapixels", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  const size = () =>
    page.evaluate(() => {
      const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector("sdic-align .field canvas"));
      return [canvas.width, canvas.height];
    });
  const halves = () =>
    page.evaluate(() => {
      const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector("sdic-align .field canvas"));
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(4, 1).getContext("2d"));
      context.drawImage(canvas, 0, 0, 4, 1);
      const { data } = context.getImageData(0, 0, 4, 1);
      return [[...data.subarray(0, 4)], [...data.subarray(12, 16)]];
    });
  const open = async (/** @type {string} */ name, /** @type {Uint8Array} */ bytes, /** @type {RegExp} */ sentence) => {
    await page.evaluate(() => document.querySelector("#notices")?.replaceChildren());
    await page.setInputFiles("#file", { name, mimeType: "image/png", buffer: Buffer.from(bytes) });
    await page.locator(".notice", { hasText: sentence }).waitFor({ timeout: 60_000 });
    await page.locator("#align-dialog[open]").waitFor({ timeout: 60_000 });
    const shown = await size();
    await page.keyboard.press("Escape");
    return shown;
  };
  assert.deepEqual(await open("deep.png", pictures.gradient(96, 80, { depth: 16 }), /No face was found/), [96, 80]);
  assert.deepEqual(await open("moving.png", pictures.animatedPng(), /first frame/), [96, 96]);
  assert.deepEqual(await open("moving.gif", pictures.animatedGif(), /first frame/), [64, 64]);
  for (const [name, bytes] of /** @type {const} */ ([
    ["inks.jpg", pictures.cmykJpeg],
    ["phone.avif", pictures.avif],
  ])) {
    assert.deepEqual(await open(name, bytes, /No face was found/), [64, 48], name);
    const [left, right] = await halves();
    assert.ok(left[0] > 150 && left[2] < 80 && right[2] > 150 && right[0] < 80, `${name}: ${left} ${right}`);
  }
  const [width, height] = await open("huge.png", pictures.hundredMegapixels(), /100 megapixels; it was reduced to 24/);
  assert.ok(Math.abs(width * height - 24e6) < 1e5, `${width} × ${height}`);
  assert.deepEqual(problems, []);
  await context.close();
});

test("EXIF orientation is honoured", async () => {
  const { page, context } = await visit(browser, site.url);
  await modelReady(page);
  const jpeg = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(320, 200);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.fillStyle = "red";
    context.fillRect(0, 0, 160, 200);
    context.fillStyle = "blue";
    context.fillRect(160, 0, 160, 200);
    return [...new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg" })).arrayBuffer())];
  });
  await page.setInputFiles("#file", {
    name: "turned.jpg",
    mimeType: "image/jpeg",
    buffer: pictures.withExif(Uint8Array.from(jpeg), 6),
  });
  await page.locator("#align-dialog[open]").waitFor();
  const { size, top } = await page.evaluate(() => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector("sdic-align .field canvas"));
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    return { size: [canvas.width, canvas.height], top: [...context.getImageData(100, 40, 1, 1).data] };
  });
  assert.deepEqual(size, [200, 320]);
  assert.ok(top[0] > 200 && top[2] < 60, `the top is red: ${top}`);
  await context.close();
});

test("a photo without a face is placed by hand, by keyboard alone", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await page.setInputFiles("#file", { name: "hill.png", mimeType: "image/png", buffer: pictures.gradient(400, 300) });
  await page.locator("#align-dialog[open]").waitFor();
  await accessible(page, "the manual crop");
  const outline = () => page.locator("sdic-align polygon").getAttribute("points");
  await page.waitForFunction(() => document.querySelector("sdic-align polygon")?.hasAttribute("points"));
  const start = await outline();
  await page.locator(".point.leftEye").focus();
  for (let i = 0; i < 4; i++) await page.keyboard.press("Shift+ArrowLeft");
  await page.waitForFunction(
    (before) => document.querySelector("sdic-align polygon")?.getAttribute("points") !== before,
    start,
  );
  await page.getByRole("button", { name: "Use this crop" }).press("Enter");
  await inverted(page);
  assert.ok(await page.locator("#scope").isVisible(), "the face is part of a larger photo");
  assert.deepEqual(problems, []);
  await context.close();
});

test("a crash of the engine costs nothing: photo and sliders come back", async () => {
  const { page, context } = await visit(browser, site.url);
  await modelReady(page);
  await page.locator("#sample-list button").click();
  await inverted(page);
  await slide(page, "tilt", 80);
  await page.setInputFiles("#direction-files", {
    name: "lean.npy",
    mimeType: "",
    buffer: npy(Array.from({ length: 24 }, (_, i) => Math.cos(i))),
  });
  await page.getByRole("slider", { name: "Lean" }).waitFor();
  await slide(page, "own/lean.npy/lean", 60);
  const before = await pixels(page);
  const worker = page.workers().find((each) => each.url().endsWith("/workers/engine.js"));
  assert.ok(worker);
  await worker.evaluate(
    () =>
      void setTimeout(() => {
        throw new WebAssembly.RuntimeError("unreachable");
      }),
  );
  await page.locator(".notice", { hasText: "started again" }).waitFor();
  await modelReady(page);
  await page.waitForFunction(() => document.querySelector("#progress")?.hasAttribute("hidden"));
  await inverted(page);
  assert.equal(await page.locator('[id="slider-tilt"]').inputValue(), "80");
  assert.equal(await page.locator('[id="slider-own/lean.npy/lean"]').inputValue(), "60");
  assert.equal(difference(await pixels(page), before), 0);
  await context.close();
});

test("spoiled bytes in the cache are noticed and loaded again", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await page.evaluate(async () => {
    const { WEIGHTS_CACHE } = await import(new URL("shared/cache.js", location.href).href);
    const cache = await caches.open(WEIGHTS_CACHE);
    const [key] = await cache.keys();
    const bytes = new Uint8Array((await (await cache.match(key))?.arrayBuffer()) ?? []);
    bytes[bytes.length >> 1] ^= 1;
    await cache.put(key, new Response(bytes, { headers: { "Content-Length": String(bytes.length) } }));
  });
  await page.reload();
  await modelReady(page);
  await page.locator("#sample-list button").click();
  await inverted(page);
  assert.deepEqual(problems, []);
  await context.close();
});

test("a spoiled or missing shard on the host is named, and can be tried again", async () => {
  const own = await host(weights);
  const shard = path.join(own.folder, "weights/shard-000.safetensors");
  const good = await readFile(shard);
  const bad = Buffer.from(good);
  bad[bad.length >> 1] ^= 1;
  await writeFile(shard, bad);
  const { page, context } = await visit(browser, own.url);
  await page.waitForSelector('#engine-button[data-state="failed"]');
  assert.match(await page.locator(".notice.failure").first().innerText(), /shard-000\.safetensors/);
  await writeFile(shard, good);
  await page.locator(".notice.failure .link").first().click();
  await modelReady(page);
  await page.locator("#sample-list button").click();
  await inverted(page);
  await context.close();
  await own.remove();
});

test("the camera's picture goes the same way", async () => {
  const { page, problems, context } = await visit(browser, site.url, { permissions: ["camera"] });
  await modelReady(page);
  await page.click("#camera");
  await page.locator("#camera-dialog[open]").waitFor();
  await accessible(page, "the camera");
  await page.getByRole("button", { name: "Take the photo" }).click();
  await page.locator("#align-dialog[open]").waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test("paste and drop open a picture too", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  const bytes = [...pictures.gradient(120, 90)];
  for (const type of /** @type {const} */ (["paste", "drop"])) {
    await page.evaluate(
      ({ type, bytes }) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(bytes)], "clip.png", { type: "image/png" }));
        const event =
          type === "paste"
            ? new ClipboardEvent("paste", { clipboardData: data })
            : new DragEvent("drop", { dataTransfer: data, cancelable: true });
        dispatchEvent(event);
      },
      { type, bytes },
    );
    await page.locator("#align-dialog[open]").waitFor();
    await page.keyboard.press("Escape");
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test("a checkpoint that is none is refused with its reason, and leaves nothing behind", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await page.click("#engine-button");
  await accessible(page, "the engine dialog");
  const hostile = path.join(root, "tests/import/hostile.pt");
  await page.setInputFiles("#checkpoint", hostile);
  const refusal = page.locator(".notice.failure");
  await refusal.waitFor();
  assert.match(await refusal.innerText(), /pickle/i);
  assert.ok(await page.locator("#model-bar").isHidden());
  const kept = await page.evaluate(async () => {
    const names = [];
    for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name);
    return names;
  });
  assert.deepEqual(kept, []);
  await page.keyboard.press("Escape");
  await page.locator("#sample-list button").click();
  await inverted(page);
  assert.deepEqual(problems, []);
  await context.close();
});

test("the about panel tells what is stored and removes it", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await page.click("#about-button");
  await accessible(page, "the about panel");
  assert.match((await page.locator("#about-model").textContent()) ?? "", /Tiny random model/);
  await page.locator("#about-storage", { hasText: /0\.6\u00a0MB/ }).waitFor();
  await page.click("#about-remove");
  await page.waitForFunction(() => document.querySelector("#about-storage")?.textContent?.startsWith("0\u00a0kB"));
  assert.deepEqual(problems, []);
  await context.close();
});
