// From a photo to a saved, edited photo: the built page with the bundled weights, on the CPU, in a real Chromium.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { besidesPixels, betrays, withMetadata } from "./pictures.mjs";
import {
  accessible,
  decoded,
  difference,
  host,
  inverted,
  launch,
  modelReady,
  npy,
  pixels,
  root,
  settled,
  showWholePhoto,
  slide,
  visit,
} from "./support.mjs";

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof host>>} */
let site;
/** @type {Awaited<ReturnType<typeof visit>>} */
let visitor;
/** @type {{ name: string }[]} */
let directions;
/** @type {number} values in one style */
let width;
/** The test's photo: its sizes in pixels, the middle of the portrait in it, and the side of that. */
let photo = { width: 0, height: 0, x: 0, y: 0, side: 0 };

before(async () => {
  const weights = path.join(root, "weights");
  const { config, ...manifest } = JSON.parse(await readFile(path.join(weights, "manifest.json"), "utf8"));
  [directions, width] = [manifest.directions, config.style_dim];
  // So large that the face in it has more than twice as many pixels a side as the model's pictures.
  const unit = config.image_size;
  photo = { width: 8 * unit, height: 6 * unit, x: 4.25 * unit, y: 3.125 * unit, side: 4 * unit };
  [browser, site] = await Promise.all([launch(), host(weights)]);
  visitor = await visit(browser, site.url);
});

after(async () => {
  await browser?.close();
  await site?.remove();
});

/** What EXIF calls a picture that has to be turned by a quarter, clockwise. */
const LIES_LEFT = 6;

/**
 * A face, tilted a little, in a larger photo, as a telephone writes it: a JPEG that lies on its side, and tells where
 * and when it was taken, and with what. Made in the page from the first sample portrait.
 * @param {import("playwright-core").Page} page
 */
async function photoOf(page) {
  const text = await page.evaluate(async ({ width, height, x, y, side }) => {
    const source = document.querySelector("#sample-list button")?.getAttribute("data-src") ?? "";
    const face = await createImageBitmap(await (await fetch(source)).blob());
    const canvas = new OffscreenCanvas(height, width);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.translate(0, width);
    context.rotate(-Math.PI / 2);
    const sky = context.createLinearGradient(0, 0, width, height);
    sky.addColorStop(0, "#9db4c8");
    sky.addColorStop(1, "#c9b79a");
    context.fillStyle = sky;
    context.fillRect(0, 0, width, height);
    context.translate(x, y);
    context.rotate(0.1);
    context.imageSmoothingQuality = "high";
    context.drawImage(face, -side / 2, -side / 2, side, side);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
    return btoa(Array.from(new Uint8Array(await blob.arrayBuffer()), (byte) => String.fromCharCode(byte)).join(""));
  }, photo);
  const buffer = withMetadata(Buffer.from(text, "base64"), LIES_LEFT);
  return { name: "holiday.jpg", mimeType: "image/jpeg", buffer };
}

test("the start page loads the model and is accessible in both themes", async () => {
  const { page } = visitor;
  await modelReady(page);
  await page.locator("#sample-list button").first().waitFor();
  assert.match((await page.locator("#engine-label").textContent()) ?? "", /^Processor ready$/);
  await accessible(page, "the start, light");
  await page.emulateMedia({ colorScheme: "dark" });
  await accessible(page, "the start, dark");
  await page.emulateMedia({ colorScheme: "light" });
});

test("a photo is aligned, inverted and shown, stage by stage", async () => {
  const { page } = visitor;
  const file = await photoOf(page);
  await page.evaluate(() => {
    const seen = /** @type {any} */ (globalThis);
    seen.stages = new Set();
    new MutationObserver(() => seen.stages.add(document.querySelector("#stages .present")?.textContent)).observe(
      /** @type {Node} */ (document.querySelector("#stages")),
      { subtree: true, attributeFilter: ["class"] },
    );
  });
  await page.setInputFiles("#file", file);
  await inverted(page);
  const stages = await page.evaluate(() => [.../** @type {any} */ (globalThis).stages].filter(Boolean));
  assert.deepEqual(stages, [
    "Align the face",
    "Encode",
    "Generate a plain reconstruction",
    "Predict what it lost",
    "Compensate",
    "Reconstruct",
  ]);
  const timing = await page.locator("#timing").textContent();
  assert.match(timing ?? "", /^Inverted in /);
  console.log(`bundled model, CPU: ${timing}`);
});

/**
 * Every view, by the keys that show them.
 * @param {import("playwright-core").Page} page
 */
async function allViews(page) {
  /** @type {Record<string, Awaited<ReturnType<typeof pixels>>>} */
  const shown = {};
  for (const [key, name] of [
    ["1", "edited"],
    ["2", "compensated"],
    ["3", "plain"],
    ["4", "discrepancy"],
    ["5", "original"],
  ]) {
    await page.keyboard.press(key);
    shown[name] = await pixels(page);
  }
  await page.keyboard.press("1");
  return shown;
}

test("edits go onto the photo's own pixels, or onto the rebuilt face", async () => {
  const { page } = visitor;
  const onPhoto = await allViews(page);
  assert.ok(onPhoto.original.width > 2 * onPhoto.compensated.width, "the face in all its detail");
  assert.equal(difference(onPhoto.edited, onPhoto.original), 0, "nothing is lost while no slider is moved");
  await page.selectOption("#paste-mode", "face");
  const shows = (/** @type {number} */ width) => {
    return page.waitForFunction(
      (width) => /** @type {HTMLCanvasElement} */ (document.querySelector("#compare .after")).width === width,
      width,
    );
  };
  await shows(onPhoto.compensated.width);
  const rebuilt = await allViews(page);
  assert.equal(difference(rebuilt.edited, rebuilt.compensated), 0, "the reconstruction while no slider is moved");
  await page.selectOption("#paste-mode", "difference");
  await shows(onPhoto.original.width);
  assert.equal(difference((await allViews(page)).edited, onPhoto.edited), 0, "back again");
});

test("compensation brings the reconstruction closer to the original", async () => {
  const { page } = visitor;
  await page.selectOption("#paste-mode", "face"); // the original at the model's size
  await settled(page);
  const shown = await allViews(page);
  await page.selectOption("#paste-mode", "difference");
  await settled(page);
  const [plain, compensated] = [shown.plain, shown.compensated].map((picture) => difference(picture, shown.original));
  console.log(
    `mean difference from the original, of 255: plain ${plain.toFixed(2)}, compensated ${compensated.toFixed(2)}`,
  );
  assert.ok(compensated < plain, `compensated ${compensated} against plain ${plain}`);
});

test("sliders change the picture, combine, and can be undone exactly", async () => {
  const { page } = visitor;
  const [first, second] = directions;
  const none = await pixels(page);
  await slide(page, first.name, 70);
  const one = await pixels(page);
  await slide(page, second.name, -60);
  const both = await pixels(page);
  assert.ok(difference(none, one) > 0.3, `first slider: ${difference(none, one)}`);
  assert.ok(difference(one, both) > 0.3, `second slider: ${difference(one, both)}`);
  assert.match((await page.locator("#timing").textContent()) ?? "", /last edit/);
  console.log(`bundled model, CPU: ${await page.locator("#timing").textContent()}`);

  await page.keyboard.press("Control+z");
  await settled(page);
  assert.equal(difference(await pixels(page), one), 0, "undo");
  await page.keyboard.press("Control+Shift+z");
  await settled(page);
  assert.equal(difference(await pixels(page), both), 0, "redo");
  await page.locator(`[id="slider-${second.name}"]`).dblclick({ position: { x: 5, y: 16 } });
  await settled(page);
  assert.equal(await page.locator(`[id="slider-${second.name}"]`).inputValue(), "0", "a double click resets");
  assert.equal(difference(await pixels(page), one), 0, "one slider reset");
  await page.click("#reset-all");
  await settled(page);
  assert.equal(difference(await pixels(page), none), 0, "all sliders reset");
});

/** Name of the slider of `head_tilt.npy`. */
const OWN = "own/head_tilt.npy/head_tilt";

test("a direction dropped on the panel becomes a slider like the others, until it is removed", async () => {
  const { page } = visitor;
  const file = npy(Array.from({ length: width }, (_, i) => Math.sin(i)));
  const none = await pixels(page);
  const data = await page.evaluateHandle(
    (bytes) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(bytes)], "head_tilt.npy"));
      return transfer;
    },
    [...file],
  );
  await page.dispatchEvent("#panel", "dragover", { dataTransfer: data });
  assert.ok(await page.locator("#drop").isHidden(), "no invitation to drop a photo");
  await page.dispatchEvent("#panel", "drop", { dataTransfer: data });
  const slider = page.getByRole("slider", { name: "Head tilt" });
  await slider.waitFor();
  assert.equal(await page.locator("#sliders summary").last().textContent(), "Your own");
  await slide(page, OWN, 70);
  const own = await pixels(page);
  assert.ok(difference(none, own) > 0.3, `own slider: ${difference(none, own)}`);
  await slide(page, directions[0].name, 50);
  const both = await pixels(page);
  assert.ok(difference(own, both) > 0.3, `with another one: ${difference(own, both)}`);
  await accessible(page, "the editor with a direction of one's own");

  await page.keyboard.press("Control+z");
  await settled(page);
  assert.equal(difference(await pixels(page), own), 0, "undo");
  await page.getByRole("button", { name: "Remove head_tilt.npy" }).click();
  await slider.waitFor({ state: "detached" });
  await settled(page);
  assert.equal(difference(await pixels(page), none), 0, "removed with its effect");
  assert.ok(await page.locator("#redo").isEnabled(), "the other slider can still be redone");
  await page
    .locator(".notice", { hasText: "head_tilt.npy was removed" })
    .getByRole("button", { name: "Undo" })
    .click();
  await slider.waitFor();
  assert.equal(await slider.inputValue(), "0");
});

test("files that are no direction of this model get a sentence each", async () => {
  const { page } = visitor;
  await page.setInputFiles("#direction-files", [
    { name: "short.npy", mimeType: "", buffer: npy([1, 2, 3]) },
    { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("remember the milk") },
    { name: "nan.npy", mimeType: "", buffer: npy(Array(width).fill(NaN)) },
  ]);
  for (const [name, reason] of [
    ["short.npy", `has shape [1, 3] instead of [1, ${width}]`],
    ["notes.txt", "not a PyTorch file"],
    ["nan.npy", "value 0 is NaN"],
  ]) {
    const notice = page.locator(".notice.failure", { hasText: `${name} holds no direction for this model` });
    await notice.waitFor();
    assert.ok((await notice.innerText()).includes(reason), await notice.innerText());
    assert.match(await notice.innerText(), /Choose a .npy, .npz, .pt,? or .safetensors file/);
    await notice.getByRole("button", { name: "Dismiss" }).click();
  }
  assert.equal(await page.locator(".row.own").count(), 1);
});

/**
 * Has the page keep a record of its calls to the engine and what became of them.
 * @param {import("playwright-core").Page} page
 * @param {string} method
 * @param {{ holdFirst?: boolean }} [options] `holdFirst`: the engine hears of the first one only when it is cancelled
 */
function recordCalls(page, method, { holdFirst = false } = {}) {
  return page.evaluate(
    ([name, hold]) => {
      /** @type {{ id: number, args: any[], outcome?: string }[]} */
      const calls = [];
      Object.assign(globalThis, { calls });
      const { postMessage } = Worker.prototype;
      /** @type {(() => void) | undefined} */
      let release;
      Worker.prototype.postMessage = function (/** @type {any} */ message, /** @type {any} */ ...rest) {
        if ("cancel" in message) {
          release?.();
          release = undefined;
        }
        if (message.method === name) {
          calls.push(message);
          this.addEventListener("message", ({ data }) => {
            const call = calls.find(({ id }) => id === data.id);
            if (call) call.outcome = data.failure?.code ?? "done";
          });
          if (hold && calls.length === 1) {
            release = () => postMessage.call(this, message, ...rest);
            return;
          }
        }
        return postMessage.call(this, message, ...rest);
      };
      /** @type {any} */ (globalThis).stopRecording = () => (Worker.prototype.postMessage = postMessage);
    },
    /** @type {const} */ ([method, holdFirst]),
  );
}

test("the newest slider position wins: an edit that is overtaken shows nothing", async () => {
  const { page } = visitor;
  const [{ name }] = directions;
  await slide(page, name, 90);
  const expected = await pixels(page);
  await slide(page, name, 0);
  await recordCalls(page, "edit");
  const calls = await page.evaluate(async (id) => {
    const slider = /** @type {HTMLInputElement} */ (document.getElementById(id));
    for (let position = 10; position <= 90; position += 5) {
      slider.value = String(position);
      // The end of a gesture, each time: what a moving slider begins is let through.
      slider.dispatchEvent(new Event("change", { bubbles: true }));
      // Now and then two positions come in one round of the event loop.
      if (position % 10 === 0) await new Promise(requestAnimationFrame);
    }
    const page = /** @type {any} */ (globalThis);
    while (page.calls.some((/** @type {any} */ { outcome }) => !outcome)) await new Promise(requestAnimationFrame);
    page.stopRecording();
    return /** @type {{ args: any[], outcome: string }[]} */ (page.calls);
  }, `slider-${name}`);
  await settled(page);
  const outcomes = calls.map(({ outcome }) => outcome);
  assert.ok(outcomes.includes("superseded"), String(outcomes));
  assert.equal(outcomes.at(-1), "done");
  assert.equal(difference(await pixels(page), expected), 0, "the last position's picture");
  assert.equal(await page.locator(".notice.failure").count(), 0);
  await slide(page, name, 0);
});

test("another photo stops the inversion under way", async () => {
  const { page } = await visit(browser, site.url);
  await modelReady(page);
  await recordCalls(page, "invert", { holdFirst: true });
  const outcomes = await page.evaluate(async () => {
    const page = /** @type {any} */ (globalThis);
    const until = async (/** @type {() => boolean} */ condition) => {
      for (const end = Date.now() + 60_000; !condition(); ) {
        if (Date.now() > end) throw new Error("nothing happened for a minute");
        await new Promise(requestAnimationFrame);
      }
    };
    const samples = /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("#sample-list button"));
    samples[0].click();
    await until(() => page.calls.length === 1);
    samples[1].click();
    await until(() => page.calls.length === 2 && page.calls.every((/** @type {any} */ { outcome }) => outcome));
    return page.calls.map((/** @type {any} */ { outcome }) => outcome);
  });
  await inverted(page);
  assert.deepEqual(outcomes, ["superseded", "done"]);
  assert.equal(await page.locator(".notice.failure").count(), 0);
  await page.context().close();
});

test("the keyboard alone moves sliders and the divider", async () => {
  const { page } = visitor;
  const slider = page.locator(`[id="slider-${directions[0].name}"]`);
  await slider.focus();
  for (let i = 0; i < 10; i++) await page.keyboard.press("PageUp");
  await settled(page);
  assert.equal(await slider.inputValue(), "100");
  assert.match((await slider.getAttribute("aria-valuetext")) ?? "", /\+100$/);
  await page.keyboard.press("c");
  const handle = page.locator("#compare .handle");
  await handle.focus();
  await page.keyboard.press("Home");
  assert.equal(await handle.getAttribute("aria-valuenow"), "0");
  await page.keyboard.press("Shift+ArrowRight");
  assert.equal(await handle.getAttribute("aria-valuenow"), "10");
  await accessible(page, "the editor, comparing");
  await page.keyboard.press("c");
});

test("in the whole photo only the face changes", async () => {
  const { page } = visitor;
  await showWholePhoto(page, photo.width);
  const [original, edited] = [await pixels(page, "before"), await pixels(page)];
  let inside = 0;
  for (let i = 0; i < edited.data.length; i += 4) {
    const same = [0, 1, 2].every((c) => edited.data[i + c] === original.data[i + c]);
    const [x, y] = [(i / 4) % photo.width, Math.floor(i / 4 / photo.width)];
    const far = Math.hypot(x - photo.x, y - photo.y) > (2 / 3) * photo.side;
    if (far) assert.ok(same, `pixel ${x}, ${y} outside the face changed`);
    else if (!same) inside++;
  }
  assert.ok(inside > 10_000, `${inside} pixels changed`);
  await accessible(page, "the whole photo");
});

/** What stands beside the pixels of a saved file: the mark of an edit, and nothing else. */
const MARKS = {
  png: ["iTXt XML:com.adobe.xmp"],
  jpeg: ["e1 http://ns.adobe.com/xap/1.0/"],
  webp: ["XMP "],
};

test("the saved file is the picture shown, at full resolution, with no metadata but the mark of an edit", async () => {
  const { page } = visitor;
  const original = (await photoOf(page)).buffer;
  assert.deepEqual(betrays(original), ["camera", "date", "place", "author", "remark", "seconds"]);
  assert.equal(besidesPixels(original).length, 4, "EXIF, XMP, IPTC and a comment");
  const shown = await pixels(page);
  for (const type of /** @type {const} */ (["png", "jpeg", "webp"])) {
    await page.keyboard.press("Control+s");
    if (type === "png") await accessible(page, "the save dialog");
    await page.locator(`#save-types input[value="image/${type}"]`).check();
    const download = page.waitForEvent("download");
    await page.click("#save-file");
    const file = await download;
    assert.equal(file.suggestedFilename(), `holiday-sdic.${type === "jpeg" ? "jpg" : type}`);
    const bytes = await readFile(await file.path());
    assert.deepEqual(besidesPixels(bytes), MARKS[type], type);
    assert.deepEqual(betrays(bytes), [], type);
    assert.match(bytes.toString("latin1"), /DigitalSourceType="[^"]*compositeWithTrainedAlgorithmicMedia"/, type);
    const picture = await decoded(page, bytes);
    assert.deepEqual([picture.width, picture.height], [photo.width, photo.height], `${type} stands upright`);
    const off = difference(picture, shown);
    assert.ok(type === "png" ? off === 0 : off < 3, `${type} is the picture shown: off by ${off}`);
  }
});

test("with the network cut, a reload edits on, and nothing was ever asked of another origin", async () => {
  const { page, problems } = visitor;
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  const file = await photoOf(page);
  await site.stop();
  const start = performance.now();
  await page.reload();
  await modelReady(page);
  console.log(`ready from the cache, network cut: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  await page.setInputFiles("#file", file);
  await inverted(page);
  const plain = await pixels(page);
  await slide(page, directions[0].name, 80);
  const edited = await pixels(page);
  assert.ok(difference(plain, edited) > 0.3);
  await slide(page, OWN, 80);
  assert.ok(difference(edited, await pixels(page)) > 0.3, "the visitor's own direction is kept");
  assert.deepEqual(problems, []);
});

test("a phone's screen shows everything without scrolling sideways", async () => {
  const { page } = visitor;
  await page.setViewportSize({ width: 360, height: 740 });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${overflow} pixels too wide`);
  await accessible(page, "the editor at 360 pixels");
});
