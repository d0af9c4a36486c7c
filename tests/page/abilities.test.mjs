// What a browser may lack or refuse: the editor works without it, and says what it cannot do.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  difference,
  host,
  launch,
  modelReady,
  npy,
  openSample,
  pixels,
  slide,
  tinyWithSample,
  visit,
} from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof host>>} */
let site;

before(async () => {
  const weights = await tinyWithSample();
  [browser, site] = await Promise.all([
    launch(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]),
    host(weights),
  ]);
});

after(async () => {
  await browser?.close();
  await site?.remove();
});

/** @param {Page} page */
async function startWithSample(page) {
  await page.waitForSelector('#engine-button:is([data-state="ready"], [data-state="failed"])', { timeout: 60_000 });
  await modelReady(page);
  await openSample(page);
}

/**
 * The sentences of a notice, which is then taken away.
 * @param {Page} page
 * @param {string} kind
 */
async function told(page, kind = "failure") {
  const box = page.locator(`.notice.${kind}`).first();
  await box.waitFor();
  const text = await box.locator("p").innerText();
  await box.getByRole("button", { name: "Dismiss" }).click();
  return text;
}

const THROWS = `{ get() { throw new DOMException("The operation is insecure.", "SecurityError"); } }`;
const FULL = `() => { throw new DOMException("There is no room.", "QuotaExceededError"); }`;
/** @type {[string, string, string | undefined][]} what is amiss, how, and the button that is not offered then */
const REFUSALS = [
  ["WebGPU throws", `Object.defineProperty(navigator, "gpu", ${THROWS})`, undefined],
  [
    "WebGPU throws when asked",
    `Object.defineProperty(navigator, "gpu", { value: { requestAdapter: ${THROWS}.get } })`,
    undefined,
  ],
  ["WebGPU answers nonsense", `navigator.gpu.requestAdapter = async () => ({})`, undefined],
  ["the camera throws", `Object.defineProperty(navigator, "mediaDevices", ${THROWS})`, "#camera"],
  ["the camera cannot be asked for", `delete MediaDevices.prototype.getUserMedia`, "#camera"],
  ["sharing throws", `navigator.canShare = ${THROWS}.get`, "#share"],
  ["the clipboard throws", `Object.defineProperty(navigator, "clipboard", ${THROWS})`, "#copy"],
  ["there is no clipboard", `Object.defineProperty(navigator, "clipboard", { value: undefined })`, "#copy"],
  ["the clipboard takes no pictures", `delete globalThis.ClipboardItem`, "#copy"],
  ["settings cannot be kept", `Object.defineProperty(globalThis, "localStorage", { value: undefined })`, undefined],
  ["there is no room for settings", `Storage.prototype.setItem = ${FULL}`, undefined],
  ["there is no cache", `delete globalThis.caches`, undefined],
  ["there is no service worker", `Object.defineProperty(navigator, "serviceWorker", { value: undefined })`, undefined],
  ["there is no file system", `delete StorageManager.prototype.getDirectory`, undefined],
];

for (const [what, script, button] of REFUSALS) {
  test(`the editor works where ${what}`, async () => {
    const { page, problems, context } = await visit(browser, site.url, { script });
    await startWithSample(page);
    const plain = await pixels(page);
    await slide(page, "tilt", 80);
    assert.ok(difference(plain, await pixels(page)) > 0);
    const gone = button === "#camera" ? [button, "#mirror-start"] : [button];
    for (const id of ["#camera", "#mirror-start", "#copy"]) {
      const offered = await page.locator(id).evaluate((each) => !(/** @type {HTMLElement} */ (each).hidden));
      assert.equal(offered, !gone.includes(id), id);
    }
    assert.ok(await page.locator("#share").isHidden(), "Chromium on Linux shares nothing");
    assert.deepEqual(problems, []);
    await context.close();
  });
}

test("copying that is refused says what to do instead", async () => {
  for (const write of [
    `async () => { throw new DOMException("Write permission denied.", "NotAllowedError"); }`,
    `() => { throw new TypeError("Write permission denied."); }`,
  ]) {
    const { page, problems, context } = await visit(browser, site.url, {
      script: `navigator.clipboard.write = ${write}`,
    });
    await startWithSample(page);
    await page.click("#copy");
    assert.match(await told(page), /did not allow copying\. Save the picture instead\.\s+Write permission denied/);
    assert.deepEqual(problems, []);
    await context.close();
  }
});

test("sharing that comes too late after the press is offered once more; a refusal says what to do", async () => {
  const script = `
    globalThis.shared = [];
    globalThis.answers = ["NotAllowedError", "", "AbortError", "DataError", "NotAllowedError", "NotAllowedError"];
    navigator.canShare = () => true;
    navigator.share = async ({ files: [{ name, type, size }] }) => {
      shared.push([name, type, size > 1000]);
      const answer = answers.shift();
      if (answer) throw new DOMException("it is " + answer, answer);
    };
  `;
  const { page, problems, context } = await visit(browser, site.url, { script });
  await startWithSample(page);
  const share = page.locator("#share");
  const again = page.locator(".notice").getByRole("button", { name: "Share" });
  const asked = (/** @type {number} */ count) =>
    page.waitForFunction((count) => /** @type {any} */ (globalThis).shared.length === count, count);

  await share.click();
  await page.locator(".notice", { hasText: "one-sdic.png is ready to be shared." }).waitFor();
  await again.click();
  await asked(2);
  assert.equal(await page.locator(".notice").count(), 0, "shared");

  await share.click();
  await asked(3);
  assert.equal(await page.locator(".notice").count(), 0, "the visitor thought better of it");

  await share.click();
  assert.match(await told(page), /did not allow sharing\. Save the picture instead\.\s+it is DataError/);

  await share.click();
  await again.click();
  assert.match(await told(page), /did not allow sharing\. Save the picture instead\.\s+it is NotAllowedError/);
  const shared = await page.evaluate(() => /** @type {any} */ (globalThis).shared);
  assert.deepEqual(shared, Array(6).fill(["one-sdic.png", "image/png", true]));
  assert.deepEqual(problems, []);
  await context.close();
});

test("a camera that is refused, shows nothing or gives no picture says so, and is let go", async () => {
  const keep = `
    const { getUserMedia } = MediaDevices.prototype;
    globalThis.tracks = [];
    MediaDevices.prototype.getUserMedia = async function (wish) {
      const stream = await getUserMedia.call(this, wish);
      tracks.push(...stream.getTracks());
      return stream;
    };
  `;
  for (const [script, detail] of [
    [
      `MediaDevices.prototype.getUserMedia = async () => { throw new DOMException("Nobody is there", "NotFoundError"); };`,
      "Nobody is there",
    ],
    [
      `HTMLMediaElement.prototype.play = async () => { throw new DOMException("No film here", "NotAllowedError"); };`,
      "No film here",
    ],
    [
      `OffscreenCanvas.prototype.convertToBlob = async () => { throw new DOMException("No file", "EncodingError"); };`,
      "No file",
    ],
  ]) {
    const { page, problems, context } = await visit(browser, site.url, {
      script: keep + script,
      permissions: ["camera"],
    });
    await modelReady(page);
    for (let round = 0; round < 2; round++) {
      await page.click("#camera");
      if (detail === "No file") await page.getByRole("button", { name: "Take the photo" }).click();
      const text = await told(page);
      assert.match(
        text,
        detail === "Nobody is there"
          ? /No camera was found.*or choose a photo/s
          : /camera is not available.*or choose a photo/s,
      );
      assert.ok(text.includes(detail), text);
    }
    const states = await page.evaluate(() =>
      /** @type {any} */ (globalThis).tracks.map((/** @type {MediaStreamTrack} */ track) => track.readyState),
    );
    assert.deepEqual(states, detail === "Nobody is there" ? [] : ["ended", "ended"]);
    assert.deepEqual(problems, []);
    await context.close();
  }
});

test("a camera that is asked for twice before it answers is opened once", async () => {
  const script = `
    const { getUserMedia } = MediaDevices.prototype;
    globalThis.asked = [];
    MediaDevices.prototype.getUserMedia = function (wish) {
      return new Promise((resolve) => asked.push(() => resolve(getUserMedia.call(this, wish))));
    };
  `;
  const { page, problems, context } = await visit(browser, site.url, { script, permissions: ["camera"] });
  await modelReady(page);
  await page.click("#camera");
  await page.click("#camera");
  await page.evaluate(() => {
    for (const answer of /** @type {any} */ (globalThis).asked) answer();
  });
  await page.locator("#camera-dialog[open]").waitFor();
  await page.getByRole("button", { name: "Take the photo" }).click();
  await page.locator("#align-dialog[open]").waitFor();
  assert.equal(await page.evaluate(() => /** @type {any} */ (globalThis).asked.length), 1);
  assert.deepEqual(problems, []);
  await context.close();
});

test("a direction that the browser does not keep can be used, and that is said", async () => {
  const full = `Cache.prototype.put = async () => { throw new DOMException("The disk is full.", "QuotaExceededError"); };`;
  for (const script of [full, `Object.defineProperty(globalThis, "caches", ${THROWS});`]) {
    const { page, context } = await visit(browser, site.url, { script });
    await startWithSample(page);
    const file = { name: "lean.npy", mimeType: "", buffer: npy(Array.from({ length: 24 }, (_, i) => Math.cos(i))) };
    await page.setInputFiles("#direction-files", file);
    assert.match(await told(page, "note"), /lean\.npy can be used now, but this browser did not keep it/);
    const plain = await pixels(page);
    await slide(page, "own/lean.npy/lean", 60);
    assert.ok(difference(plain, await pixels(page)) > 0);
    await context.close();
  }
});
