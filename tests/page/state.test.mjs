// The page and its workers speak of the same photo, crop and edit, whatever goes wrong in between.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import * as pictures from "./pictures.mjs";
import {
  difference,
  host,
  inverted,
  launch,
  modelReady,
  npy,
  openSample,
  pixels,
  settled,
  slide,
  tinyWithSample,
  visit,
} from "./support.mjs";
import { temporary } from "./temporary.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {string} */
let weights;
/** @type {Awaited<ReturnType<typeof host>>} */
let site;

before(async () => {
  weights = await tinyWithSample();
  [browser, site] = await Promise.all([launch(), host(weights)]);
});

after(async () => {
  await browser?.close();
  await site?.remove();
});

/**
 * @param {Page} page
 * @param {string} name
 * @param {Uint8Array} bytes
 */
async function offer(page, name, bytes) {
  await page.setInputFiles("#file", { name, mimeType: "image/png", buffer: Buffer.from(bytes) });
}

/**
 * Waits for a sentence of the page, and takes it away.
 * @param {Page} page
 * @param {RegExp} sentence
 */
async function told(page, sentence) {
  const notice = page.locator(".notice", { hasText: sentence }).first();
  await notice.waitFor({ timeout: 60_000 });
  await notice.getByRole("button", { name: "Dismiss" }).click();
}

/**
 * Opens a photo without a face and crops it as the tool proposes.
 * @param {Page} page
 * @param {Uint8Array} bytes
 */
async function openByHand(page, bytes) {
  await offer(page, "hill.png", bytes);
  await page.locator("#align-dialog[open]").waitFor();
  await page.getByRole("button", { name: "Use this crop" }).click();
  await inverted(page);
}

/**
 * The worker that runs a script.
 * @param {Page} page
 * @param {string} name
 */
function workerOf(page, name) {
  const worker = page.workers().find((each) => each.url().endsWith(`/workers/${name}.js`));
  assert.ok(worker, name);
  return worker;
}

/**
 * Makes a worker fail as a trapped engine does.
 * @param {Page} page
 * @param {string} name
 */
async function crash(page, name) {
  await workerOf(page, name).evaluate(() => {
    setTimeout(() => {
      throw new WebAssembly.RuntimeError("unreachable");
    });
  });
}

/**
 * Has the page keep back calls of a method to its workers, or send them with one argument replaced, until `letGo`.
 * @param {Page} page
 * @param {string} method
 * @param {{ at: number, value: any }} [replacement] in the list of arguments; calls are kept back without one
 */
async function hold(page, method, replacement) {
  await page.evaluate(
    ({ method, replacement }) => {
      const { postMessage } = Worker.prototype;
      /** @type {(() => void)[]} */
      const held = [];
      Worker.prototype.postMessage = function (/** @type {any} */ message, /** @type {any} */ ...rest) {
        if (message.method !== method) return postMessage.call(this, message, ...rest);
        if (!replacement) return void held.push(() => postMessage.call(this, message, ...rest));
        const args = message.args.with(replacement.at, replacement.value);
        return postMessage.call(this, { ...message, args }, ...rest);
      };
      Object.assign(globalThis, {
        held,
        letGo() {
          Worker.prototype.postMessage = postMessage;
          for (const send of held) send();
        },
      });
    },
    { method, replacement },
  );
}

/** @param {Page} page */
async function letGo(page) {
  await page.evaluate(() => /** @type {any} */ (globalThis).letGo());
}

/**
 * Saves, and returns the picture's size.
 * @param {Page} page
 */
async function savedSize(page) {
  await page.click("#save");
  const download = page.waitForEvent("download");
  await page.click("#save-file");
  const bytes = await readFile(await (await download).path());
  return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
}

/**
 * Drops something from the disk on the page, as a file manager would.
 * @param {Page} page
 * @param {string} file
 */
async function drop(page, file) {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [file], dragOperationsMask: 1 };
  for (const type of /** @type {const} */ (["dragEnter", "dragOver", "drop"])) {
    await session.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
  }
  await session.detach();
}

// ---- Opening fails without harm

test("what cannot be opened leaves the portrait being edited as it is, and it can be edited on", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await openSample(page);
  const none = await pixels(page);
  await slide(page, "tilt", 60);
  const tilted = await pixels(page);
  const folder = await temporary("folder");
  /** @type {[RegExp, () => Promise<void>][]} */
  const offers = [
    [/is a PDF/, () => offer(page, "photo.jpg", pictures.pdf())],
    [/cannot open HEIC/, () => offer(page, "iphone.heic", pictures.heic())],
    [/damaged or cut off/, () => offer(page, "cut.png", pictures.gradient(96, 96).subarray(0, 300))],
    [/it is a folder/, () => drop(page, folder)],
  ];
  for (const [sentence, make] of offers) {
    await make();
    await told(page, sentence);
    assert.equal(await page.locator('[id="slider-tilt"]').inputValue(), "60");
    assert.equal(difference(await pixels(page), tilted), 0, `shown as before: ${sentence}`);
    await slide(page, "tilt", 0);
    assert.equal(difference(await pixels(page), none), 0, `the slider still edits: ${sentence}`);
    await slide(page, "tilt", 60);
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test("a file that cannot be opened does not stop the inversion under way", async () => {
  const { page, context } = await visit(browser, site.url);
  await modelReady(page);
  await hold(page, "invert");
  await page.locator("#sample-list button").click();
  await page.waitForFunction(() => /** @type {any} */ (globalThis).held.length === 1);
  await offer(page, "photo.jpg", pictures.pdf());
  await told(page, /is a PDF/);
  await letGo(page);
  await inverted(page);
  await context.close();
});

test("a file that is dropped is answered within a tenth of a second", async () => {
  const { page, context } = await visit(browser, site.url);
  await modelReady(page);
  const { hidden, text, seen } = await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(["a photo"], "photo.jpg", { type: "image/jpeg" }));
    dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
    const opening = /** @type {HTMLElement} */ (document.querySelector("#opening"));
    const ends = opening.getAnimations().map(({ effect }) => Number(effect?.getComputedTiming().endTime));
    return { hidden: opening.hidden, text: opening.textContent, seen: Math.max(0, ...ends) };
  });
  assert.deepEqual([hidden, text], [false, "Opening photo.jpg…"], "before anything else is done");
  assert.ok(seen <= 50, `to be seen after ${seen} ms, and the frame that shows it`);
  await context.close();
});

test("a sample that is slow to come is answered at once, and gives way to what is chosen after it", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await page.evaluate(() => {
    const { fetch } = globalThis;
    const slow = { letGo: () => {}, come: false };
    globalThis.fetch = async (...args) => {
      await new Promise((resolve) => Object.assign(slow, { letGo: resolve }));
      const response = await fetch(...args);
      const blob = response.blob.bind(response);
      response.blob = async () => {
        const all = await blob();
        setTimeout(() => Object.assign(slow, { come: true }));
        return all;
      };
      return response;
    };
    Object.assign(globalThis, { slow });
  });
  await page.locator("#sample-list button").click();
  assert.equal(await page.locator("#opening").textContent(), "Opening one…");
  await offer(page, "hill.png", pictures.gradient(400, 300));
  await page.locator("#align-dialog[open]").waitFor();
  await page.evaluate(() => /** @type {any} */ (globalThis).slow.letGo());
  await page.waitForFunction(() => /** @type {any} */ (globalThis).slow.come);
  assert.ok(await page.locator("#opening").isHidden(), "nothing else is opened");
  await page.getByRole("button", { name: "Use this crop" }).click();
  await inverted(page);
  assert.deepEqual(await savedSize(page), [400, 300]);
  assert.deepEqual(problems, []);
  await context.close();
});

test("a sample that does not come says why, and the page goes on", async () => {
  const { page, context } = await visit(browser, site.url);
  await modelReady(page);
  await page.evaluate(() => {
    const { fetch } = globalThis;
    const answers = [
      () => Promise.reject(new TypeError("Failed to fetch")),
      async () => new Response("", { status: 404 }),
    ];
    globalThis.fetch = (...args) => (answers.shift() ?? (() => fetch(...args)))();
  });
  const sample = page.locator("#sample-list button");
  await sample.click();
  await told(page, /samples\/one\.png could not be loaded: the network is not reachable/);
  await sample.click();
  await told(page, /samples\/one\.png could not be loaded \(status 404\)/);
  await openSample(page);
  await context.close();
});

test("over an open dialog, too, it is seen that a file is opened, and what is told can be dismissed", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await openSample(page);
  await page.click("#engine-button");
  await page.locator("#engine-dialog[open]").waitFor();
  await hold(page, "open");
  await offer(page, "photo.jpg", pictures.pdf());
  const opening = page.locator("#opening", { hasText: "Opening photo.jpg" });
  await opening.waitFor();
  assert.ok(
    await opening.evaluate((element) => {
      const { left, top, width, height } = element.getBoundingClientRect();
      return document.elementFromPoint(left + width / 2, top + height / 2) === element;
    }),
    "in front",
  );
  await letGo(page);
  await told(page, /is a PDF/);
  await page.keyboard.press("Escape");
  await offer(page, "photo.jpg", pictures.pdf());
  await told(page, /is a PDF/);
  assert.deepEqual(problems, []);
  await context.close();
});

test("what was asked about one photo is not saved of the next", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await openSample(page);
  await page.click("#save");
  await page.locator("#save-dialog[open]").waitFor();
  await offer(page, "hill.png", pictures.gradient(400, 300));
  await page.locator("#align-dialog[open]").waitFor();
  assert.equal(await page.locator("dialog[open]").count(), 1, "the dialog about the photo before is gone");
  assert.deepEqual(problems, []);
  await context.close();
});

// ---- Every call names what it is about

test("a slow photo that was overtaken by a bad one is not pasted into", async () => {
  const { page, context } = await visit(browser, site.url);
  await modelReady(page);
  await openByHand(page, pictures.gradient(400, 300));
  await page.evaluate(() => {
    const { postMessage } = Worker.prototype;
    const counts = { opening: 0, answered: 0 };
    Object.assign(globalThis, { counts });
    Worker.prototype.postMessage = function (/** @type {any} */ message, /** @type {any} */ ...rest) {
      if (message.method === "open") {
        counts.opening++;
        this.addEventListener("message", ({ data }) => {
          if (data.id === message.id) counts.answered++;
        });
      }
      return postMessage.call(this, message, ...rest);
    };
  });
  const slow = { name: "huge.png", mimeType: "image/png", buffer: Buffer.from(pictures.hundredMegapixels()) };
  await page.setInputFiles("#file", slow);
  await page.locator("#opening", { hasText: "Opening huge.png" }).waitFor();
  await offer(page, "photo.jpg", pictures.pdf());
  await told(page, /is a PDF/);
  await page.waitForFunction(() => {
    const { opening, answered } = /** @type {any} */ (globalThis).counts;
    return opening === 2 && answered === 2;
  });
  assert.ok(await page.locator("#opening").isHidden());
  assert.deepEqual(await savedSize(page), [400, 300]);
  await context.close();
});

// ---- Calls always settle

test("a photo worker that crashes while it has nothing to do is replaced, and the photo goes on", async () => {
  const { page, context } = await visit(browser, site.url);
  await modelReady(page);
  await openByHand(page, pictures.gradient(400, 300));
  await slide(page, "tilt", 60);
  const tilted = await pixels(page);
  await crash(page, "photo");
  await told(page, /Something went wrong inside/);
  await settled(page);
  await slide(page, "bend", 50);
  await slide(page, "bend", 0);
  assert.equal(difference(await pixels(page), tilted), 0, "the same picture from the new worker");
  assert.deepEqual(await savedSize(page), [400, 300]);
  await context.close();
});

test("face networks that could not be loaded are loaded when that is tried again, by the same engine", async () => {
  const { page, context } = await visit(browser, site.url, { serviceWorkers: "block" });
  await modelReady(page);
  const networks = "**/weights/face/manifest.json";
  await context.route(networks, (route) => route.abort());
  await offer(page, "hill.png", pictures.gradient(400, 300));
  await page.locator(".notice", { hasText: /manifest\.json could not be loaded/ }).waitFor();
  await context.unroute(networks);
  const engines = () => page.workers().filter((worker) => /engine\.js/.test(worker.url()));
  const before = engines();
  assert.equal(before.length, 1);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator("#align-dialog[open]").waitFor();
  assert.deepEqual(engines(), before);
  await context.close();
});

test("a cache that cannot be cleaned of spoiled bytes does not keep the page loading for ever", async () => {
  const { page, context } = await visit(browser, site.url, { serviceWorkers: "block" });
  await modelReady(page);
  await page.evaluate(async () => {
    for (const name of (await caches.keys()).filter((each) => each.includes("weights"))) {
      const cache = await caches.open(name);
      for (const key of await cache.keys()) {
        const bytes = new Uint8Array((await (await cache.match(key))?.arrayBuffer()) ?? []);
        bytes[bytes.length >> 1] ^= 1;
        await cache.put(key, new Response(bytes, { headers: { "Content-Length": String(bytes.length) } }));
      }
    }
  });
  await context.route("**/workers/engine.js", async (route) => {
    const response = await route.fetch();
    const sticky = "Cache.prototype.delete = async () => false;";
    await route.fulfill({ response, body: sticky + (await response.text()) });
  });
  await page.reload();
  await modelReady(page);
  await context.close();
});

// ---- What is saved

test("a picture that could not be made is not saved as if it had been", async () => {
  const { page, context } = await visit(browser, site.url, { permissions: ["clipboard-read", "clipboard-write"] });
  await modelReady(page);
  await openSample(page);
  const at = await editArgument(page);
  await hold(page, "edit", { at, value: { "no such slider": 1 } });
  await slide(page, "tilt", 60);
  await page.locator(".notice.failure").first().waitFor();
  await page.evaluate(() => document.querySelector("#notices")?.replaceChildren());
  await page.click("#save");
  await page.click("#save-file");
  await told(page, /Not saved: there is no picture of what the sliders say now/);
  await page.click("#copy");
  await told(page, /Not saved: there is no picture of what the sliders say now/);
  await letGo(page);
  await slide(page, "tilt", 70);
  await page.click("#copy");
  await page.locator(".notice", { hasText: "Copied." }).waitFor();
  await context.close();
});

/**
 * Which argument of an edit holds the strengths.
 * @param {Page} page
 */
async function editArgument(page) {
  await page.evaluate(() => {
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (/** @type {any} */ message, /** @type {any} */ ...rest) {
      if (message.method === "edit") {
        const at = message.args.findIndex((/** @type {unknown} */ argument) => typeof argument === "object");
        Object.assign(globalThis, { at });
        Worker.prototype.postMessage = postMessage;
      }
      return postMessage.call(this, message, ...rest);
    };
  });
  await slide(page, "bend", 20);
  return page.evaluate(() => /** @type {any} */ (globalThis).at);
}

// ---- The crop tool

test("the crop that is used is that of the points as they are", async () => {
  const { page, context } = await visit(browser, site.url);
  await modelReady(page);
  await offer(page, "hill.png", pictures.gradient(400, 300));
  await page.locator("#align-dialog[open]").waitFor();
  const outline = page.locator("sdic-align polygon");
  const drawn = () => page.waitForFunction(() => document.querySelector("sdic-align polygon")?.getAttribute("points"));
  await drawn();
  const before = await outline.getAttribute("points");
  await hold(page, "quadFromPoints");
  await page.locator(".point").first().focus();
  for (let i = 0; i < 4; i++) await page.keyboard.press("Shift+ArrowLeft");
  await page.getByRole("button", { name: "Use this crop" }).press("Enter");
  await letGo(page);
  await inverted(page);
  await page.click("#adjust");
  await drawn();
  assert.notEqual(await outline.getAttribute("points"), before);
  await context.close();
});

test("points that make no crop are told of, and not used", async () => {
  const { page, context } = await visit(browser, site.url);
  await modelReady(page);
  await offer(page, "hill.png", pictures.gradient(400, 300));
  await page.locator("#align-dialog[open]").waitFor();
  const place = { box: /** @type {any} */ (await page.locator("sdic-align .field").boundingBox()) };
  for (const point of await page.locator(".point").all()) {
    await point.hover();
    await page.mouse.down();
    await page.mouse.move(place.box.x + 50, place.box.y + 50);
    await page.mouse.up();
  }
  await page.locator("sdic-align .problem", { hasText: "These points make no crop" }).waitFor();
  await page.getByRole("button", { name: "Use this crop" }).click();
  assert.ok(await page.locator("#align-dialog[open]").isVisible());
  await context.close();
});

// ---- The visitor's own directions

/** Files kept by an earlier version. @param {Page} page @param {Record<string, Uint8Array>} files */
async function keepAsBefore(page, files) {
  const contents = Object.entries(files).map(([name, bytes]) => /** @type {const} */ ([name, [...bytes]]));
  const { name } = JSON.parse(await readFile(path.join(weights, "manifest.json"), "utf8"));
  await page.evaluate(
    async ([model, list]) => {
      const cache = await caches.open("sdic-directions");
      for (const [file, bytes] of list) {
        const key = `/sdic-directions/${encodeURIComponent(model)}/${encodeURIComponent(file)}`;
        await cache.put(key, new Response(Uint8Array.from(bytes)));
      }
    },
    /** @type {const} */ ([name, contents]),
  );
}

const lean = npy(Array.from({ length: 24 }, (_, i) => Math.cos(i)));

test("a kept file that no longer fits is told of and kept until the visitor removes it", async () => {
  const { page, context } = await visit(browser, site.url);
  await modelReady(page);
  await keepAsBefore(page, { "lean.npy": lean, "short.npy": npy([1, 2, 3]) });
  for (let visits = 0; visits < 2; visits++) {
    await page.reload();
    await modelReady(page);
    await page.locator('[id="slider-own/lean.npy/lean"]').waitFor({ state: "attached" });
    await told(page, /short\.npy is kept, but not used\..*has shape/s);
  }
  await openSample(page);
  await page.getByRole("button", { name: "Remove short.npy" }).click();
  await page.locator(".notice", { hasText: "short.npy was removed" }).waitFor();
  await page.reload();
  await modelReady(page);
  await openSample(page);
  await page.getByRole("slider", { name: "Lean" }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Remove short.npy" }).count(), 0);
  await context.close();
});

test("directions are kept for the weights they were made for, whatever the model is called", async () => {
  const own = await host(weights);
  const { page, context } = await visit(browser, own.url, { serviceWorkers: "block" });
  await modelReady(page);
  await openSample(page);
  await page.setInputFiles("#direction-files", { name: "lean.npy", mimeType: "", buffer: lean });
  const slider = page.getByRole("slider", { name: "Lean" });
  await slider.waitFor();
  await page.waitForFunction(async () => {
    const urls = /** @type {string[]} */ ([]);
    for (const name of await caches.keys())
      for (const { url } of await (await caches.open(name)).keys()) urls.push(url);
    return urls.some((url) => url.endsWith("/lean.npy"));
  });
  const [manifestFile, shardFile] = ["manifest.json", "shard-000.safetensors"].map((name) =>
    path.join(own.folder, "weights", name),
  );
  const [manifest, shard] = await Promise.all([readFile(manifestFile), readFile(shardFile)]);
  const other = Buffer.from(shard);
  other[other.length - 2] ^= 1;
  const renamed = JSON.parse(manifest.toString());
  renamed.shards[0].sha256 = createHash("sha256").update(other).digest("hex");
  await writeFile(shardFile, other);
  await writeFile(manifestFile, JSON.stringify(renamed));
  await page.reload();
  await modelReady(page);
  await openSample(page);
  assert.equal(await slider.count(), 0, "not for other weights of the same name");
  await writeFile(shardFile, shard);
  await writeFile(manifestFile, manifest);
  await page.reload();
  await modelReady(page);
  await openSample(page);
  await slider.waitFor();
  await context.close();
  await own.remove();
});
