// One journey, from a photo to a saved and edited one and on without a network, in every browser; and browsers that do
// not let pages have what pictures hold.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before } from "node:test";
import "../../www/shared/strings/all.js";
import { t } from "../../www/shared/strings.js";
import { arrival, until } from "./drivers/driver.mjs";
import { testIn, testInEach } from "./drivers/each.mjs";
import { difference, host, root } from "./support.mjs";
import { temporary } from "./temporary.mjs";

/** @import { Driver } from "./drivers/driver.mjs" */

const weights = path.join(root, "weights");
const photo = path.join(weights, "samples/01.webp");
/** @type {Awaited<ReturnType<typeof host>>} */
let site;
/** @type {string} the browsers' permissions, in a file of a folder of its own */
let folder;

before(async () => {
  site = await host(weights);
  folder = await temporary("permissions");
});

after(async () => {
  await site.remove();
});

/**
 * @param {Driver} driver
 * @param {string} selector
 */
function present(driver, selector) {
  const there = (/** @type {string} */ selector) => document.querySelector(selector) !== null;
  return until(() => driver.evaluate(there, selector), selector);
}

/** @param {Driver} driver */
const modelReady = (driver) => present(driver, '#engine-button[data-state="ready"]');
/** @param {Driver} driver */
const settled = (driver) => present(driver, "#compare:not(.busy)");

/** @param {Driver} driver */
async function inverted(driver) {
  await present(driver, "#save:not(:disabled)");
  await settled(driver);
}

/**
 * The pixels that a layer of the comparison shows (that of the picture before only while it is seen), or those of a
 * PNG file.
 * @param {Driver} driver
 * @param {"before" | "after" | Buffer} [of]
 */
async function pixels(driver, of = "after") {
  const asked = typeof of === "string" ? { layer: of } : { file: of.toString("base64") };
  const { width, height, text } = await driver.evaluate(
    async (/** @type {{ layer?: string, file?: string }} */ asked) => {
      const bytes = asked.file && Uint8Array.from(atob(asked.file), (c) => c.charCodeAt(0));
      const picture = bytes
        ? await createImageBitmap(new Blob([bytes], { type: "image/png" }))
        : /** @type {HTMLCanvasElement} */ (document.querySelector(`#compare .${asked.layer}`));
      const toggle =
        picture instanceof HTMLCanvasElement && picture.hidden && document.getElementById("compare-toggle");
      if (toggle) toggle.click();
      const copy = document.createElement("canvas");
      [copy.width, copy.height] = [picture.width, picture.height];
      const context = /** @type {CanvasRenderingContext2D} */ (copy.getContext("2d", { willReadFrequently: true }));
      context.drawImage(picture, 0, 0);
      if (toggle) toggle.click();
      const { data } = context.getImageData(0, 0, copy.width, copy.height);
      let text = "";
      for (let i = 0; i < data.length; i += 0x8000) text += String.fromCharCode(...data.subarray(i, i + 0x8000));
      return { width: copy.width, height: copy.height, text: btoa(text) };
    },
    asked,
  );
  return { width, height, data: new Uint8Array(Buffer.from(text, "base64")) };
}

/**
 * Sets a slider as a hand would, and waits for the picture.
 * @param {Driver} driver
 * @param {string} name of the direction
 * @param {number} position
 */
async function slide(driver, name, position) {
  await driver.evaluate(
    ({ id, position }) => {
      const slider = /** @type {HTMLInputElement} */ (document.getElementById(id));
      slider.value = String(position);
      for (const type of ["input", "change"]) slider.dispatchEvent(new Event(type, { bubbles: true }));
    },
    { id: `slider-${name}`, position },
  );
  await settled(driver);
}

testInEach("from a photo to a saved and edited one, and on without a network", async (driver) => {
  const { directions } = JSON.parse(await readFile(path.join(weights, "manifest.json"), "utf8"));
  const [first, second] = directions.map((/** @type {{ name: string }} */ { name }) => name);
  const own = await host(weights);
  /** @type {string[]} */
  const times = [];
  let start = performance.now();
  const lap = (/** @type {string} */ what) => {
    times.push(`${what} ${((performance.now() - start) / 1000).toFixed(1)} s`);
    start = performance.now();
  };
  try {
    await driver.open(own.url);
    await modelReady(driver);
    lap("ready");
    await driver.setFile("#file", photo);
    await inverted(driver);
    lap("opened and inverted");
    const none = await pixels(driver);
    assert.equal(difference(none, await pixels(driver, "before")), 0, "nothing is lost while no slider is moved");

    start = performance.now();
    await slide(driver, first, 70);
    lap("edit");
    const one = await pixels(driver);
    await slide(driver, second, -60);
    const both = await pixels(driver);
    assert.ok(difference(none, one) > 0.3, `first slider: ${difference(none, one)}`);
    assert.ok(difference(one, both) > 0.3, `second slider: ${difference(one, both)}`);
    await driver.click("#undo");
    await settled(driver);
    assert.equal(difference(await pixels(driver), one), 0, "undo");
    await driver.click("#redo");
    await settled(driver);
    assert.equal(difference(await pixels(driver), both), 0, "redo");

    await driver.click("#compare-toggle");
    const divider = () => {
      const handle = /** @type {HTMLElement} */ (document.querySelector("#compare .handle"));
      handle.focus();
      return handle.checkVisibility() && handle.getAttribute("aria-valuenow");
    };
    for (const [key, value] of /** @type {const} */ ([
      ["Home", "0"],
      ["End", "100"],
    ])) {
      await until(() => driver.evaluate(divider), "the divider is shown");
      await driver.press(key);
      await until(async () => (await driver.evaluate(divider)) === value, `the divider is moved by ${key}`);
    }

    await driver.click("#save");
    await driver.evaluate(() =>
      /** @type {HTMLElement} */ (document.querySelector("#save-choices [value=face]")).click(),
    );
    start = performance.now();
    await driver.click("#save-file");
    const saved = await arrival(driver.downloads);
    lap("saved");
    assert.equal(saved.name, "01-sdic.png");
    assert.equal(difference(await pixels(driver, saved.bytes), both), 0, "the saved file is the picture shown");

    const controlled = () => navigator.serviceWorker.controller !== null;
    await until(() => driver.evaluate(controlled), "the page is kept");
    await own.stop();
    start = performance.now();
    await driver.reload();
    await modelReady(driver);
    lap("ready from the cache, network cut");
    await driver.setFile("#file", photo);
    await inverted(driver);
    await slide(driver, first, 70);
    assert.equal(difference(await pixels(driver), one), 0, "the same picture without a network");
    assert.equal(await driver.evaluate(() => document.querySelectorAll(".notice.failure").length), 0);
    assert.deepEqual(await driver.problems(), []);
    console.log(`${driver.version}: ${times.join(", ")}`);
  } finally {
    await own.remove();
  }
});

/**
 * @param {Driver} driver
 * @param {string} sentence
 */
async function notice(driver, sentence) {
  const there = (/** @type {string} */ sentence) =>
    [...document.querySelectorAll(".notice")].some((notice) => notice.textContent?.includes(sentence));
  await until(() => driver.evaluate(there, sentence), sentence);
}

const PROTECTED = { "privacy.resistFingerprinting": true };

testInEach("where the host keeps the page from sharing memory, the first visit has one thread", async (driver) => {
  const own = await host(weights, { isolated: false });
  try {
    await driver.open(own.url);
    await modelReady(driver);
    await driver.setFile("#file", photo);
    await inverted(driver);
    assert.equal(await driver.evaluate(() => crossOriginIsolated), false);
    assert.equal(await driver.evaluate(() => document.querySelectorAll(".notice.failure").length), 0);
  } finally {
    await own.remove();
  }
});

testIn(
  "firefox",
  "where pixels are hidden from pages, no photo is opened, and the visitor learns why",
  async (driver) => {
    await driver.open(site.url);
    await modelReady(driver);
    await driver.setFile("#file", photo);
    await notice(driver, t("error.noPixels"));
    await notice(driver, t("hint.noPixels"));
    assert.equal(await driver.evaluate(() => document.body.dataset.view), "start");
  },
  () => ({ preferences: PROTECTED }),
);

testIn(
  "firefox",
  "where the visitor has allowed the page to read pictures, it works in spite of that protection",
  async (driver) => {
    await driver.open(site.url);
    await driver.setFile("#file", photo);
    await inverted(driver);
    assert.equal(await driver.evaluate(() => document.querySelectorAll(".notice").length), 0);
    assert.equal(difference(await pixels(driver), await pixels(driver, "before")), 0);
  },
  async () => {
    const file = path.join(folder, "permissions.txt");
    await writeFile(file, `origin\tcanvas\t1\t${new URL(site.url).origin}\n`);
    return { preferences: { ...PROTECTED, "permissions.manager.defaultsUrl": `file://${file}` } };
  },
);

testIn(
  "firefox",
  "where pixels are changed by a shade, as in private windows of Firefox 140, the photo is opened, and that is said",
  async (driver) => {
    await driver.open(site.url);
    await driver.setFile("#file", photo);
    await notice(driver, t("note.noisy"));
    await inverted(driver);
  },
  () => ({
    preferences: {
      "privacy.fingerprintingProtection": true,
      // Later versions leave photos as they are unless this is asked for, and change drawn text and shapes alone.
      "privacy.fingerprintingProtection.overrides": "+CanvasRandomization,-EfficientCanvasRandomization",
    },
  }),
);
