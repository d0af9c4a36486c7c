// Looks: what one tap does to the sliders, small pictures of it, the visitor's own, as files, and from photo to photo.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { parseLook, readLook, writeLook } from "../../www/shared/look-file.js";
import { LOOKS } from "../../www/shared/looks.js";
import * as pictures from "./pictures.mjs";
import {
  accessible,
  difference,
  host,
  inverted,
  launch,
  looksMade,
  modelReady,
  openSample,
  pixels,
  root,
  settled,
  slide,
  visit,
  weightsLike,
} from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof host>>} a model of three sliders that takes no time */
let site;

const folder = path.join(root, "tests/looks");
/** What the tiny model's sliders are called here: some of the bundled model's. */
const NAMES = ["smile", "eyes", "age"];

before(async () => {
  const weights = await weightsLike("tests/golden/tiny", {
    files: { "samples/one.png": pictures.gradient(64, 64), "samples/two.png": pictures.gradient(64, 48) },
    change: (manifest) => {
      manifest.samples = ["one", "two"].map((label) => ({ file: `samples/${label}.png`, label, aligned: true }));
      for (const [i, name] of NAMES.entries()) Object.assign(manifest.directions[i], { name, label: name });
    },
  });
  [browser, site] = await Promise.all([launch(), host(weights)]);
});

after(async () => {
  await browser?.close();
  await site?.remove();
});

/**
 * Opens the page with a sample in it.
 * @param {Parameters<typeof visit>[2]} [options]
 */
async function begin(options) {
  const opened = await visit(browser, site.url, options);
  await modelReady(opened.page);
  await startWithSample(opened.page, 0);
  return opened;
}

/** From the start page, wherever the page is. @param {Page} page @param {number} which */
async function startWithSample(page, which) {
  if (await page.locator("#start").isHidden()) await page.reload();
  await modelReady(page);
  await openSample(page, which);
}

/** @param {Page} page @param {string} name */
function tile(page, name) {
  return page.locator("#look-list").getByRole("button", { name, exact: true });
}

/** Where the sliders stand. @param {Page} page */
async function positions(page) {
  const values = await page
    .locator("sdic-sliders input")
    .evaluateAll((inputs) => inputs.map((input) => Number(/** @type {HTMLInputElement} */ (input).value)));
  return Object.fromEntries(NAMES.map((name, i) => [name, values[i]]));
}

/**
 * Waits for a sentence of the page, and takes it away.
 * @param {Page} page
 * @param {string | RegExp} sentence
 */
async function told(page, sentence) {
  const notice = page.locator(".notice", { hasText: sentence }).first();
  await notice.waitFor({ timeout: 60_000 });
  await notice.locator("button").last().click();
}

/** @param {Page} page @param {string} name */
async function save(page, name) {
  await page.click("#save-look");
  await page.fill("#look-name", name);
  await page.keyboard.press("Enter");
  await told(page, "is one of your looks now");
}

/** @param {Page} page @param {string | { name: string, mimeType: string, buffer: Buffer }} file */
async function add(page, file) {
  await page.setInputFiles("#look-files", file);
}

/** What the names of the visitor's own looks are. @param {Page} page */
async function ownNames(page) {
  return page.locator('.look[data-look^="own/"]').allTextContents();
}

/**
 * Counts the calls to the engine from now on: `calls` are methods in the order they were posted, `answers` in that of
 * their answers; `cancelled` are those that were cancelled.
 * @param {Page} page
 */
async function watch(page) {
  await page.evaluate(() => {
    const { postMessage } = Worker.prototype;
    /** @type {Record<"calls" | "answers" | "cancelled", string[]>} */
    const log = { calls: [], answers: [], cancelled: [] };
    /** @type {WeakMap<Worker, Map<number, string>>} */
    const workers = new WeakMap();
    Object.assign(globalThis, { log });
    Worker.prototype.postMessage = function (/** @type {any} */ message, /** @type {any} */ ...rest) {
      if (!workers.has(this)) {
        workers.set(this, new Map());
        this.addEventListener("message", ({ data }) => {
          const method = workers.get(this)?.get(data.id);
          if (method) log.answers.push(method);
        });
      }
      const methods = workers.get(this);
      if ("cancel" in message) log.cancelled.push(methods?.get(message.cancel) ?? "");
      if (message.method) {
        methods?.set(message.id, message.method);
        log.calls.push(message.method);
        globalThis.dispatchEvent(new CustomEvent("called", { detail: message.method }));
      }
      return postMessage.call(this, message, ...rest);
    };
  });
}

/** @param {Page} page @returns {Promise<Record<"calls" | "answers" | "cancelled", string[]>>} */
function logOf(page) {
  return page.evaluate(() => /** @type {any} */ (globalThis).log);
}

// ---- On a face

test("a tap sets all sliders to a look, as one step; a second tap or None takes it back", async () => {
  const { page, problems, context } = await begin();
  const none = await pixels(page);
  assert.equal(await tile(page, "None").getAttribute("aria-pressed"), "true");
  await slide(page, "smile", -70);
  await tile(page, "Fresh").click();
  await settled(page);
  const { strengths } = LOOKS.find(({ id }) => id === "fresh") ?? assert.fail();
  const ranges = { smile: 3, eyes: 2, age: 4 };
  const fresh = Object.fromEntries(
    NAMES.map((name) => [name, Math.round((100 * strengths[name]) / ranges[/** @type {"age"} */ (name)])]),
  );
  assert.deepEqual(await positions(page), fresh);
  assert.equal(await tile(page, "Fresh").getAttribute("aria-pressed"), "true");
  assert.equal(await tile(page, "None").getAttribute("aria-pressed"), "false");
  assert.ok(difference(await pixels(page), none) > 0.5, "the picture follows");

  await page.click("#undo");
  assert.deepEqual(await positions(page), { smile: -70, eyes: 0, age: 0 }, "one step");
  await page.click("#redo");
  assert.deepEqual(await positions(page), fresh);
  await tile(page, "Beaming").click();
  await tile(page, "Beaming").click();
  assert.deepEqual(await positions(page), { smile: -70, eyes: 0, age: 0 }, "as before the first look");
  await tile(page, "Serious").click();
  await tile(page, "None").click();
  assert.deepEqual(await positions(page), { smile: -70, eyes: 0, age: 0 });
  await settled(page);
  assert.deepEqual(problems, []);
  await context.close();
});

test("a model is offered the looks whose main sliders it has", async () => {
  const { page, context } = await begin();
  const offered = await page.locator(".look").evaluateAll((all) => all.map((each) => each.getAttribute("data-look")));
  const fitting = LOOKS.filter(({ main }) => main.every((name) => NAMES.includes(name))).map(({ id }) => id);
  assert.deepEqual(offered, ["", ...fitting]);
  assert.ok(fitting.length > 5 && fitting.length < LOOKS.length);
  await context.close();
});

test("looks are one stop of Tab, and arrows lead from one to the next", async () => {
  const { page, context } = await begin();
  await page.locator("#looks summary").focus();
  await page.keyboard.press("Tab");
  const focused = () => page.evaluate(() => document.activeElement?.textContent);
  assert.equal(await focused(), "None");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await settled(page);
  assert.equal(await tile(page, "Warm smile").getAttribute("aria-pressed"), "true");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await focused(), "Some years on", "round to the last");
  await page.keyboard.press("Tab");
  assert.notEqual(await page.evaluate(() => document.activeElement?.className), "look");
  await context.close();
});

// ---- Pictures of looks

test("with the bundled model each look shows this face, otherwise than all others; edits come first", async () => {
  const bundled = await host(path.join(root, "weights"));
  const { page, problems, context } = await visit(browser, bundled.url);
  await modelReady(page);
  await watch(page);
  // A slider moves at the very moment at which the second picture is asked for.
  await page.evaluate(() => {
    let asked = 0;
    addEventListener("called", (event) => {
      if (/** @type {CustomEvent} */ (event).detail !== "thumbnail" || ++asked !== 2) return;
      const slider = /** @type {HTMLInputElement} */ (document.getElementById("slider-smile"));
      setTimeout(() => {
        slider.value = "40";
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        slider.dispatchEvent(new Event("change", { bubbles: true }));
      });
    });
  });
  await page.locator("#sample-list button").nth(2).click();
  await inverted(page);
  await looksMade(page);
  await settled(page);
  const { calls, answers } = await logOf(page);
  assert.equal(calls.filter((method) => method === "thumbnail").length, LOOKS.length, "each once");
  const asked = calls.slice(calls.indexOf("thumbnail"));
  assert.deepEqual(asked.slice(0, 3), ["thumbnail", "thumbnail", "edit"]);
  const answered = answers.slice(answers.indexOf("thumbnail"));
  assert.deepEqual(answered.slice(0, 2), ["thumbnail", "edit"], "the edit overtakes the picture");

  const shown = await page.locator(".look canvas").evaluateAll((all) =>
    all.map((each) => {
      const canvas = /** @type {HTMLCanvasElement} */ (each);
      return [...(canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [])];
    }),
  );
  assert.equal(shown.length, LOOKS.length + 1);
  const data = shown.map((each) => ({ data: Uint8Array.from(each) }));
  for (const [i, one] of data.entries()) {
    for (const [j, other] of data.slice(0, i).entries()) {
      assert.ok(difference(one, other) > 0.3, `tile ${i} and tile ${j}: ${difference(one, other)}`);
    }
  }
  assert.deepEqual(problems, []);
  await context.close();
  await bundled.remove();
});

test("pictures of a face that is no longer shown are cancelled", async () => {
  const { page, context } = await visit(browser, site.url);
  await modelReady(page);
  await page.evaluate(() => {
    const { postMessage } = Worker.prototype;
    /** @type {any[]} */
    const [asked, cancelled] = [[], []];
    Object.assign(globalThis, { asked, cancelled });
    Worker.prototype.postMessage = function (/** @type {any} */ message, /** @type {any} */ ...rest) {
      if ("cancel" in message) cancelled.push(message.cancel);
      if (message.method === "thumbnail") return void asked.push(message.id); // for ever
      return postMessage.call(this, message, ...rest);
    };
  });
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  await page.waitForFunction(() => /** @type {any} */ (globalThis).asked.length === 1);
  const png = { name: "hill.png", mimeType: "image/png", buffer: Buffer.from(pictures.gradient(400, 300)) };
  await page.setInputFiles("#file", png);
  await page.waitForFunction(() => {
    const { asked, cancelled } = /** @type {any} */ (globalThis);
    return cancelled.includes(asked[0]);
  });
  assert.equal(await page.locator(".look.made:not([data-look=''])").count(), 0);
  await context.close();
});

test("where edits are slow, pictures are made only while the looks are unfolded", async () => {
  const { name } = JSON.parse(await readFile(path.join(root, "tests/golden/tiny/manifest.json"), "utf8"));
  for (const [edit, eager] of /** @type {const} */ ([
    [3, false],
    [0.01, true],
  ])) {
    const settings = { timings: { [`${name} cpu`]: { inversion: 1, edit } }, looks: "folded" };
    const script = `localStorage.setItem("sdic", '${JSON.stringify(settings)}')`;
    const { page, context } = await visit(browser, site.url, { script });
    await modelReady(page);
    assert.equal(await page.locator("#looks").getAttribute("open"), null, "folded, as it was left");
    await watch(page);
    await page.locator("#sample-list button").first().click();
    await inverted(page);
    assert.equal((await logOf(page)).calls.includes("thumbnail"), eager, `an edit takes ${edit} s`);
    await page.locator("#looks summary").click();
    await looksMade(page);
    await context.close();
  }
});

// ---- The visitor's own

test("own looks are kept for the next visit, renamed, exported, deleted and brought back", async () => {
  const { page, problems, context } = await begin();
  assert.ok(await page.locator("#save-look").isDisabled(), "nothing to save");
  await slide(page, "smile", 40);
  await slide(page, "age", -12);
  await save(page, "Sunday");
  assert.deepEqual(await ownNames(page), ["Sunday"]);
  assert.equal(await tile(page, "Sunday").getAttribute("aria-pressed"), "true");
  await slide(page, "smile", 10);
  await save(page, "Sunday");
  assert.deepEqual(await ownNames(page), ["Sunday", "Sunday (2)"], "none is written over");

  await page.reload();
  await startWithSample(page, 0);
  assert.deepEqual(await ownNames(page), ["Sunday", "Sunday (2)"]);
  await tile(page, "Sunday").click();
  assert.deepEqual(await positions(page), { smile: 40, eyes: 0, age: -12 });

  await page.click("#own-looks");
  const dialog = page.locator("#own-looks-dialog");
  await dialog.getByRole("textbox", { name: "Name of the look “Sunday”" }).fill("Holiday/1");
  await page.keyboard.press("Enter");
  assert.deepEqual(await ownNames(page), ["Holiday/1", "Sunday (2)"]);
  assert.ok(await dialog.isVisible(), "Enter renames, and closes nothing");
  await accessible(page, "own looks");

  const coming = page.waitForEvent("download");
  await dialog.getByRole("button", { name: "Save “Holiday/1” as a file" }).click();
  const download = await coming;
  assert.equal(download.suggestedFilename(), "Holiday-1.json");
  const text = await readFile(await download.path(), "utf8");
  assert.equal(text, writeLook({ name: "Holiday/1", strengths: { smile: 1.2, age: -0.48 } }));

  await dialog.getByRole("button", { name: "Delete “Holiday/1”" }).click();
  assert.deepEqual(await ownNames(page), ["Sunday (2)"]);
  await page.locator(".notice", { hasText: "“Holiday/1” was deleted" }).getByRole("button", { name: "Undo" }).click();
  assert.deepEqual(await ownNames(page), ["Holiday/1", "Sunday (2)"], "in its place");
  for (const name of ["Holiday/1", "Sunday (2)"]) {
    await dialog.getByRole("button", { name: `Delete “${name}”` }).click();
  }
  assert.equal(await page.evaluate(() => document.activeElement?.id), "add-look", "the focus goes on");
  await page.reload();
  await startWithSample(page, 0);
  assert.deepEqual(await ownNames(page), []);
  assert.deepEqual(problems, []);
  await context.close();
});

test("what was kept and is no look is left out, and other tabs see what one keeps", async () => {
  const { page, context } = await begin();
  await slide(page, "smile", 40);
  await save(page, "Good");
  const other = await context.newPage();
  await other.goto(site.url);
  await modelReady(other);
  await other.locator('.look[data-look="own/Good"]').waitFor({ state: "attached" });
  await slide(page, "smile", 20);
  await save(page, "Better");
  await other.locator('.look[data-look="own/Better"]').waitFor({ state: "attached" });
  await page.evaluate(() => {
    const key = Object.keys(localStorage).find((each) => each.endsWith("looks")) ?? "";
    const all = JSON.parse(localStorage.getItem(key) ?? "{}");
    for (const list of Object.values(all)) list.unshift(5, { sdicLook: 1, name: "x", strengths: { smile: "high" } });
    localStorage.setItem(key, JSON.stringify(all));
  });
  await page.reload();
  await startWithSample(page, 0);
  assert.deepEqual(await ownNames(page), ["Good", "Better"]);
  await context.close();
});

test("a look file of the command line is taken, and written as it was", async () => {
  const { page, context } = await begin();
  const file = path.join(folder, "warm.json");
  await add(page, file);
  await told(page, "“Wärmer” is one of your looks now.");
  await add(page, file);
  await told(page, "“Wärmer” is one of your looks now.");
  assert.deepEqual(await ownNames(page), ["Wärmer"], "the same twice is one");
  await tile(page, "Wärmer").click();
  assert.deepEqual(await positions(page), { smile: 40, eyes: 13, age: -12 });
  await page.click("#own-looks");
  const coming = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save “Wärmer” as a file" }).click();
  const download = await coming;
  assert.equal(download.suggestedFilename(), "Wärmer.json");
  assert.equal(await readFile(await download.path(), "utf8"), await readFile(file, "utf8"));
  await context.close();
});

test("a look file is taken where it is dropped, on the panel too; sliders that are missing are told of", async () => {
  const { page, problems, context } = await begin();
  const session = await page.context().newCDPSession(page);
  const dropAt = async (/** @type {string} */ selector) => {
    const box = (await page.locator(selector).boundingBox()) ?? assert.fail();
    const data = { items: [], files: [path.join(folder, "warm.json")], dragOperationsMask: 1 };
    for (const type of /** @type {const} */ (["dragEnter", "dragOver", "drop"])) {
      await session.send("Input.dispatchDragEvent", { type, x: box.x + 40, y: box.y + 40, data });
    }
    await told(page, "“Wärmer” is one of your looks now.");
  };
  await dropAt("#compare");
  await dropAt("#panel");
  assert.deepEqual(await ownNames(page), ["Wärmer"]);
  const text = (/** @type {object} */ strengths) => ({
    name: "far.json",
    mimeType: "application/json",
    buffer: Buffer.from(JSON.stringify({ sdicLook: 1, name: "", strengths })),
  });
  await add(page, text({ smile: 900, beard: 1, hat: 2 }));
  await told(page, "“far” is one of your looks now. This model lacks 2 of its sliders; the others are used.");
  await tile(page, "far").click();
  assert.deepEqual(await positions(page), { smile: 100, eyes: 0, age: 0 }, "no further than the slider goes");
  await settled(page);
  await add(page, text({ beard: 1 }));
  await told(page, "far.json: This model has none of the sliders of this look.");
  assert.deepEqual(problems, []);
  await context.close();
});

test("what is no look is refused with a sentence, and changes nothing", async () => {
  const { page, problems, context } = await begin();
  const sentences = /** @type {Record<string, string>} */ ({
    "other-field.json": "“author” has no place in one",
    "too-strong.json": "The strength of “smile” is not a number from −1,000 to 1,000",
    "far-too-weak.json": "The strength of “smile” is not a number",
    "later-version.json": "of version 2, which this page does not know yet",
  });
  const files = await readdir(path.join(folder, "wrong"));
  assert.ok(files.length > 10);
  for (const file of files) {
    await add(page, path.join(folder, "wrong", file));
    await told(page, new RegExp(`${file}: .*${sentences[file] ?? "This is not a look file\\."}`));
  }
  const large = { name: "large.json", mimeType: "application/json", buffer: Buffer.alloc(64 * 1024 + 1, " ") };
  await add(page, large);
  await told(page, "large.json: This is too large for a look file (66 kB). Choose a file that was saved as a look.");
  assert.deepEqual(await ownNames(page), []);
  assert.deepEqual(problems, []);
  await context.close();
});

test("the reader of looks agrees with the command line's on every file", async () => {
  for (const file of await readdir(path.join(folder, "wrong"))) {
    const bytes = new Blob([await readFile(path.join(folder, "wrong", file))]);
    await assert.rejects(readLook(bytes), (/** @type {any} */ failure) => failure.code === "look", file);
  }
  const most = '{"sdicLook": 1, "name": "x", "strengths": {"smile": -1000, "__proto__": 2}}';
  assert.deepEqual(Object.entries(parseLook(most).strengths), [
    ["smile", -1000],
    ["__proto__", 2],
  ]);
});

// ---- From photo to photo

test("a look is copied and pasted over a change of photo, by buttons and by keys", async () => {
  const { page, problems, context } = await begin({ permissions: ["clipboard-read", "clipboard-write"] });
  assert.ok(await page.locator("#copy-look").isDisabled());
  assert.ok(await page.locator("#paste-look").isDisabled());
  await slide(page, "smile", 40);
  await slide(page, "eyes", -30);
  const wanted = await positions(page);
  await page.click("#copy-look");
  await told(page, "The look is copied.");

  const another = { name: "hill.png", mimeType: "image/png", buffer: Buffer.from(pictures.gradient(400, 300)) };
  await page.setInputFiles("#file", another);
  await page.getByRole("button", { name: "Use this crop" }).click();
  await inverted(page);
  assert.deepEqual(await positions(page), { smile: 0, eyes: 0, age: 0 });
  await page.click("#paste-look");
  await told(page, "The look was pasted.");
  assert.deepEqual(await positions(page), wanted);
  await page.click("#undo");
  assert.deepEqual(await positions(page), { smile: 0, eyes: 0, age: 0 }, "one step");

  await slide(page, "age", 60);
  await page.keyboard.press("Control+c");
  await told(page, "The look is copied.");
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /"sdicLook": 1/);
  await page.click("#reset-all");
  await page.keyboard.press("Control+v");
  await told(page, "The look was pasted.");
  assert.deepEqual(await positions(page), { smile: 0, eyes: 0, age: 60 });
  await settled(page);

  // What the visitor copies otherwise stays what it is.
  await page.evaluate(() =>
    getSelection()?.selectAllChildren(/** @type {Node} */ (document.querySelector("#caption"))),
  );
  await page.keyboard.press("Control+c");
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /sliders/);
  await page.keyboard.press("Control+v");
  await told(page, "There is no picture in what was dropped or pasted.");
  await page.evaluate(() => getSelection()?.removeAllRanges());
  await page.click("#save-look");
  await page.keyboard.press("Control+v");
  assert.match(await page.locator("#look-name").inputValue(), /sliders/, "text goes into a field of text");
  await page.click("#look-cancel");
  assert.equal(await page.locator(".notice.failure").count(), 0);
  await page.evaluate(() => navigator.clipboard.writeText('{"sdicLook": 1, "strengths": {}}'));
  await page.keyboard.press("Control+v");
  await told(page, "This is not a look file.");

  await page.reload();
  await modelReady(page);
  const text = JSON.stringify({ sdicLook: 1, name: "", strengths: { smile: 1.5, hat: 1 } });
  await page.evaluate((text) => navigator.clipboard.writeText(text), text);
  await page.keyboard.press("Control+v");
  await told(page, "Open a photo and paste it there.");
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  await page.click("#paste-look");
  await told(page, "The look was pasted. This model lacks one of its sliders; the others are used.");
  assert.deepEqual(await positions(page), { smile: 50, eyes: 0, age: 0 });
  await settled(page);
  assert.deepEqual(problems, []);
  await context.close();
});

// ---- For everybody

test("looks are accessible, in German, and without sideways scrolling at 390 and 320 pixels", async () => {
  for (const [width, hasTouch] of /** @type {const} */ ([
    [1280, false],
    [390, true],
    [320, true],
  ])) {
    // So high that what sticks to the rims of the window covers nothing.
    const { page, problems, context } = await begin({
      viewport: { width, height: 2400 },
      locale: "de-DE",
      hasTouch,
    });
    await looksMade(page);
    await tile(page, "Etwas älter").click();
    await settled(page);
    await accessible(page, `looks, ${width} pixels`);
    const wide = () =>
      page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(await wide(), 0);
    const sizes = await page.locator("#looks :is(button, summary)").evaluateAll((all) =>
      all.map((each) => {
        const { width, height } = each.getBoundingClientRect();
        return [each.textContent, width, height];
      }),
    );
    if (hasTouch)
      assert.deepEqual(
        sizes.filter(([, width, height]) => Number(width) < 44 || Number(height) < 44),
        [],
      );
    await page.click("#save-look");
    await accessible(page, `the name, ${width} pixels`);
    await page.fill("#look-name", "Ein Look mit einem ziemlich langen Namen, der nirgends hinpasst");
    await page.getByRole("button", { name: "Speichern" }).last().click();
    await page.click("#own-looks");
    await page.getByRole("button", { name: /^„Ein Look .*“ löschen$/ }).waitFor();
    assert.equal(await wide(), 0);
    await accessible(page, `own looks, ${width} pixels`);
    assert.deepEqual(problems, []);
    await context.close();
  }
});
