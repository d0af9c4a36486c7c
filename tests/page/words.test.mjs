// Words, keys and colours: every language complete and switchable, everything within reach of a keyboard, and all of it
// to be seen in the few colours of a system that forces its own.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { CODES } from "../../www/shared/failure.js";
import { quantity, say } from "../../www/shared/say.js";
import "../../www/shared/strings/all.js";
import * as LANGUAGES from "../../www/shared/strings/languages.js";
import { choose, isKey, nameOf, speak, speakOfFaces, spell, spoken, t } from "../../www/shared/strings.js";
import * as pictures from "./pictures.mjs";
import {
  accessible,
  difference,
  host,
  inverted,
  launch,
  modelReady,
  npy,
  openSample,
  pixels,
  root,
  settled,
  slide,
  visit,
  weightsLike,
} from "./support.mjs";

/** @import { Language } from "../../www/shared/strings.js" */
/** @import { Sentence } from "../../www/shared/strings/types.d.ts" */
/** @typedef {import("playwright-core").Page} Page */

const www = new URL("../../www/", import.meta.url);
const codes = /** @type {Language[]} */ (Object.keys(LANGUAGES));
const others = codes.filter((code) => code !== "en");
/** @type {Record<Language, Record<string, Sentence>>} */
const tables = LANGUAGES;

/** @param {Sentence} sentence */
const formsOf = (sentence) => (typeof sentence === "string" ? { other: sentence } : sentence);
/** @param {string} text */
const blanksOf = (text) => [...new Set(text.match(/\{\w+\}/g))].sort();

// ---- Tables

test("every language has every sentence, with the same blanks", () => {
  for (const code of others) {
    assert.deepEqual(Object.keys(tables[code]).sort(), Object.keys(tables.en).sort(), code);
    for (const [key, english] of Object.entries(tables.en)) {
      const wanted = blanksOf(formsOf(english).other);
      assert.deepEqual(blanksOf(formsOf(tables[code][key]).other), wanted, `${code}: ${key}`);
    }
  }
});

test("every sentence that counts has the plural forms of its language", () => {
  for (const code of codes) {
    const categories = new Intl.PluralRules(code).resolvedOptions().pluralCategories.sort();
    for (const [key, sentence] of Object.entries(tables[code])) {
      if (typeof sentence === "string") {
        assert.ok(!sentence.includes("{count}"), `${code}: ${key} counts, and has no forms`);
        continue;
      }
      assert.deepEqual(Object.keys(sentence).sort(), categories, `${code}: ${key}`);
      assert.ok(sentence.other.includes("{count}"), `${code}: ${key}`);
      const known = blanksOf(sentence.other);
      for (const form of Object.values(sentence)) {
        const unknown = blanksOf(form).filter((blank) => !known.includes(blank));
        assert.deepEqual(unknown, [], `${code}: ${key}`);
      }
    }
  }
});

/** How a language sets its quotes. @type {Partial<Record<Language, RegExp>>} */
const MARKS = { en: /^(“”)*$/, de: /^(„“)*$/ };

test("sentences are set as printers would set them", () => {
  for (const code of codes) {
    for (const [key, sentence] of Object.entries(tables[code])) {
      for (const text of Object.values(formsOf(sentence))) {
        assert.doesNotMatch(text, /["']|\.\.\.| {2}|^\s|\s$/, `${code}: ${key}`);
        const marks = text.match(/[„“”‚‘]/g)?.join("") ?? "";
        assert.match(marks, MARKS[code] ?? /^/, `${code}: ${key}`);
      }
    }
  }
  for (const [key, sentence] of Object.entries(tables.de)) {
    const text = formsOf(sentence).other;
    assert.doesNotMatch(
      text,
      /[\d}] (MB|GB|%|Megapixel|Pixeln?|Bytes|Bit)\b| …/,
      `de: ${key} may break before a unit`,
    );
  }
});

test("every sentence that page and package ask for is in the tables, and none is left over", async () => {
  const files = (await readdir(www, { recursive: true })).filter((name) =>
    /^(app|package|shared|workers)\/.*\.js$|^index\.html$|^tools\/assemble\.mjs$/.test(name),
  );
  const asking = files.filter((name) => !/^shared\/strings\//.test(name));
  const source = (await Promise.all(asking.map((name) => readFile(new URL(name, www), "utf8")))).join("\n");
  const html = await readFile(new URL("index.html", www), "utf8");
  for (const [, key] of html.matchAll(/data-(?:t|label)="([^"]+)"/g)) assert.ok(isKey(key), key);
  const asked = (/** @type {string} */ key) =>
    source.includes(`"${key}"`) ||
    [...source.matchAll(/`([\w.]+)\$\{[^`]*`/g)].some(([, start]) => key.startsWith(start));
  const keys = Object.keys(tables.en).filter((key) => !key.startsWith("name."));
  assert.ok(keys.length > 100);
  assert.deepEqual(
    keys.filter((key) => !asked(key)),
    [],
  );
});

test("of models that show no faces other sentences are said, with the same blanks", () => {
  const faces = /\bface|portrait|gesicht|porträt/i;
  let count = 0;
  for (const code of codes) {
    for (const [key, sentence] of Object.entries(tables[code])) {
      if (!key.startsWith("other.")) continue;
      const usual = tables[code][key.slice("other.".length)];
      assert.ok(usual, `${key} stands for nothing`);
      const [text, replaced] = [formsOf(sentence).other, formsOf(usual).other];
      assert.deepEqual(blanksOf(text), blanksOf(replaced), `${code}: ${key}`);
      assert.doesNotMatch(text, faces, `${code}: ${key}`);
      count++;
    }
  }
  assert.ok(count > 10);
  let told = 0;
  spoken(() => told++);
  assert.equal(t("scope.face"), "Face");
  speakOfFaces(false);
  assert.deepEqual([t("scope.face"), t("scope.photo")], ["Part", "Whole photo"]);
  speakOfFaces(false);
  speakOfFaces(true);
  assert.equal(t("scope.face"), "Face");
  assert.equal(told, 3, "once at first, and whenever it changes");
});

test("no words stand in index.html itself", async () => {
  const html = await readFile(new URL("index.html", www), "utf8");
  const body = html.slice(html.indexOf("<body"));
  assert.deepEqual(body.match(/>[^<>]*[A-Za-z][^<>]*</g), null);
});

test("every name that comes with the page is known, and every known name comes with it", async () => {
  const manifest = await readFile(path.join(root, "weights/manifest.json"), "utf8");
  const { directions, samples } = JSON.parse(manifest);
  const known = new Set(Object.keys(tables.en).filter((key) => key.startsWith("name.")));
  const english = new Set(Array.from(known, (key) => tables.en[key]));
  const names = [...directions.flatMap((/** @type {any} */ { label, group }) => [label, group])];
  names.push(...samples.map((/** @type {any} */ { label }) => label));
  assert.deepEqual(
    names.filter((name) => !english.has(name)),
    [],
  );
  const rust = (await readdir(path.join(root, "src"), { recursive: true })).filter((name) => name.endsWith(".rs"));
  const texts = await Promise.all(rust.map((name) => readFile(path.join(root, "src", name), "utf8")));
  const source = [manifest, ...texts].join("\n");
  const strange = [...english].filter((name) => {
    return !source.includes(`"${String(name).replace("{number}", "{component}")}"`);
  });
  assert.deepEqual(strange, []);
  // What the engine calls files that a browser must open, because it cannot itself.
  const headers = rust
    .flatMap((name, i) => (/^pixels\/(kind|header\/.*)\.rs$/.test(name) ? [texts[i]] : []))
    .join("\n");
  const formats = Array.from(
    headers.matchAll(/"([\w ().-]*\b(?:pictures|photos|files)\b[\w ().-]*)"/g),
    ([, name]) => name,
  );
  assert.ok(formats.length > 20);
  assert.deepEqual(
    formats.filter((name) => !english.has(name)),
    [],
  );
  speak("de");
  assert.equal(nameOf("Smile"), "Lächeln");
  assert.equal(nameOf("Component 3"), "Komponente 3");
  assert.equal(nameOf("Smirk of my own"), "Smirk of my own");
  speak("en");
});

test("every failure that comes in the engine's words has a sentence in the page's", () => {
  for (const code of [...CODES.engine, ...CODES.fatal, "unexpected"]) {
    assert.ok(isKey(`failure.${code}`), code);
  }
});

// ---- Languages

test("numbers, sizes and times are written as each language writes them", () => {
  const sizes = [999, 12_345_678].map((bytes) => say("about.storage", { size: quantity(bytes, "byte") }));
  const times = [0.004, 0.234, 2.34, 12.3, 59.7, 75].map((seconds) =>
    say("stage.done", { seconds: quantity(seconds, "second") }),
  );
  const said = (/** @type {Language} */ language, /** @type {string} */ locale) => {
    speak(language, locale);
    return [...sizes, ...times].map((saying) => spell(saying).replaceAll("\u00a0", "_"));
  };
  assert.deepEqual(said("en", "en-GB"), [
    "1_kB of model kept in this browser.",
    "12.3_MB of model kept in this browser.",
    "Done in 10_milliseconds.",
    "Done in 230_milliseconds.",
    "Done in 2.3_seconds.",
    "Done in 12_seconds.",
    "Done in 1_minute.",
    "Done in 1_minute_15_seconds.",
  ]);
  assert.deepEqual(said("de", "de"), [
    "1_kB des Modells liegen in diesem Browser.",
    "12,3_MB des Modells liegen in diesem Browser.",
    "Fertig nach 10_Millisekunden.",
    "Fertig nach 230_Millisekunden.",
    "Fertig nach 2,3_Sekunden.",
    "Fertig nach 12_Sekunden.",
    "Fertig nach 1_Minute.",
    "Fertig nach 1_Minute,_15_Sekunden.",
  ]);
  assert.equal(t("engine.loading", { percent: quantity(0.45, "percent") }), "Modell 45\u00a0%");
  assert.equal(spell(say("error.shardLong", { file: "a", want: 1_234_567 })).includes("1.234.567"), true);
  speak("de", "de-CH");
  assert.equal(t("engine.loading", { percent: quantity(0.45, "percent") }), "Modell 45%");
  speak("en");
});

test("a number chooses the form of its sentence, and lists end as their language ends them", () => {
  const found = (/** @type {number} */ count) => t("face.found", { count });
  assert.deepEqual([found(1), found(2)], ["One face found.", "2 faces found; the largest is used."]);
  const now = { backend: "A", adapter: "B", error: quantity(0, "scientific") };
  assert.equal(t("engine.now", { ...now, count: 1 }), "Running on A (B); self-test error 0.");
  assert.equal(t("engine.now", { ...now, count: 4 }), "Running on A (B, 4 threads); self-test error 0.");
  speak("de");
  assert.deepEqual(
    [found(1), found(2)],
    ["Ein Gesicht gefunden.", "2 Gesichter gefunden; das größte wird verwendet."],
  );
  assert.match(t("direction.hint", { formats: { either: [".a", ".b", ".c"] } }), /\(\.a, \.b oder \.c\)/);
  speak("en");
});

test("the first language that the page speaks is chosen, with the visitor's country", () => {
  assert.deepEqual(choose(["fr-FR", "de-AT", "en"]), {
    language: "de",
    locale: "de-AT",
  });
  assert.deepEqual(choose(["en-GB", "de"]), {
    language: "en",
    locale: "en-GB",
  });
  assert.deepEqual(choose(["fr", "constructor"]), {
    language: "en",
    locale: "en",
  });
  assert.deepEqual(choose([]), { language: "en", locale: "en" });
  assert.deepEqual(choose(["en-GB", "de-AT"], "de"), { language: "de", locale: "de-AT" });
  assert.deepEqual(choose(["fr", "en-GB"], "de"), { language: "de", locale: "de" });
});

// ---- The page

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof host>>} */
let site;
/** @type {Buffer} a photo with a face */
let face;

before(async () => {
  face = await readFile(path.join(root, "weights/samples/02.webp"));
  const { directions } = JSON.parse(await readFile(path.join(root, "weights/manifest.json"), "utf8"));
  const weights = await weightsLike("tests/golden/tiny", {
    files: { "samples/one.png": pictures.gradient(64, 64) },
    change: (manifest) => {
      manifest.samples = [{ file: "samples/one.png", label: "Selfie in a park", aligned: true }];
      // Named as the bundled model names its sliders.
      manifest.directions.forEach((/** @type {any} */ direction, /** @type {number} */ i) => {
        Object.assign(direction, {
          label: directions[i].label,
          group: directions[i].group,
        });
      });
    },
  });
  [browser, site] = await Promise.all([launch(), host(weights)]);
});

after(async () => {
  await browser?.close();
  await site?.remove();
});

/**
 * A page that is ready to take a photo.
 * @param {Parameters<typeof visit>[2]} [options]
 */
async function ready(options) {
  const visitor = await visit(browser, site.url, options);
  await modelReady(visitor.page);
  await visitor.page.locator("#sample-list button").waitFor();
  return visitor;
}

/** @param {Page} page */
async function openFace(page) {
  await page.setInputFiles("#file", {
    name: "selfie.webp",
    mimeType: "image/webp",
    buffer: face,
  });
  await inverted(page);
}

/**
 * Everything that is said on the page now: text that shows, labels, titles and alternatives.
 * @param {Page} page
 */
function wordsOf(page) {
  return page.evaluate(() => {
    /** @type {string[]} */
    const words = [document.title];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const { parentElement, textContent } = walker.currentNode;
      if (parentElement?.closest("script, noscript, [lang='en']")) continue;
      if (parentElement?.checkVisibility()) words.push(textContent ?? "");
    }
    for (const element of document.body.querySelectorAll("*")) {
      if (element.closest("[lang='en']") || !element.checkVisibility()) continue;
      for (const name of ["aria-label", "title", "alt", "aria-valuetext", "aria-description"]) {
        words.push(element.getAttribute(name) ?? "");
      }
    }
    return words.map((text) => text.trim()).filter(Boolean);
  });
}

/** English sentences that are no German ones, as patterns where they have blanks. */
const english = Object.entries(tables.en).flatMap(([key, sentence]) =>
  Object.entries(formsOf(sentence)).flatMap(([form, text]) => {
    const same = Object.values(tables.de).some((other) => formsOf(other).other === text);
    const pattern = text.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    // Patterns that are all blanks, such as "{label}, {value}", say nothing.
    return same || !/[a-z]{2}/i.test(pattern.join(""))
      ? []
      : [{ key, form, pattern: RegExp(`^${pattern.join(".+")}$`, "s") }];
  }),
);

/**
 * @param {Page} page
 * @param {string} where
 */
async function allGerman(page, where) {
  const words = await wordsOf(page);
  assert.ok(words.length > 10, where);
  const left = words.flatMap((text) =>
    english.filter(({ pattern }) => pattern.test(text)).map(({ key }) => `${key}: ${text}`),
  );
  assert.deepEqual(left, [], where);
}

/** The dialogs, by what opens them, and what comes a moment later. */
const DIALOGS = /** @type {const} */ ([
  ["#about-button", "#about-dialog", "#about-storage:not(:empty)"],
  ["#engine-button", "#engine-dialog", "#own-choices input"],
  ["#save-look", "#look-dialog", "input"],
  ["#own-looks", "#own-looks-dialog", "button"],
  ["#save", "#save-dialog", "#save-types input"],
  ["#adjust", "#align-dialog", "sdic-align polygon[points]"],
]);

/**
 * A language is loaded when it is chosen.
 * @param {Page} page
 * @param {Language} language
 */
const speaks = (page, language) => page.locator(`html[lang="${language}"]`).waitFor({ state: "attached" });

test("a German browser gets a German page, all of it", async () => {
  const { page, problems, context } = await ready({ locale: "de-DE" });
  const { lang, title, description, manifest } = await page.evaluate(async () => {
    const { href } = /** @type {HTMLLinkElement} */ (document.querySelector('link[rel="manifest"]'));
    return {
      lang: document.documentElement.lang,
      title: document.title,
      description: document.querySelector('meta[name="description"]')?.getAttribute("content"),
      manifest: await (await fetch(href)).json(),
    };
  });
  const { "app.title": name, "app.description": about } = tables.de;
  assert.deepEqual([lang, title, description], ["de", name, about]);
  assert.deepEqual([manifest.lang, manifest.name, manifest.description], ["de", name, about]);
  await allGerman(page, "the start");
  await accessible(page, "the start, German");
  assert.equal(
    await page.locator("#sample-list button").getAttribute("aria-label"),
    "Beispielporträt „Selfie im Park“ öffnen",
  );

  await openFace(page);
  await slide(page, "tilt", 40);
  assert.ok(await page.getByRole("slider", { name: "Lächeln" }).isVisible());
  await allGerman(page, "the editor");
  await accessible(page, "the editor, German");
  for (const [opener, dialog, content] of DIALOGS) {
    await page.click(opener);
    await page.locator(`${dialog}[open] ${content}`).first().waitFor({ state: "attached" });
    await allGerman(page, dialog);
    await accessible(page, `${dialog}, German`);
    await page.keyboard.press("Escape");
  }
  await page.setInputFiles("#file", {
    name: "notes.txt",
    mimeType: "image/png",
    buffer: Buffer.from("milk"),
  });
  await page.setInputFiles("#direction-files", {
    name: "short.npy",
    mimeType: "",
    buffer: npy([1, 2, 3]),
  });
  await page.setInputFiles("#checkpoint", path.join(root, "tests/import/hostile.pt"));
  for (const sentence of [
    /kein Bild in einem Format, das hier bekannt ist\. Wählen Sie ein Foto als JPEG, PNG oder WebP\./,
    /short\.npy enthält keine Richtung für dieses Modell\./,
    /Diese Datei lässt sich nicht verwenden\./,
  ]) {
    await page.locator(".notice.failure", { hasText: sentence }).waitFor();
  }
  await allGerman(page, "failures");
  const [detail] = await page.locator(".notice .detail").all();
  assert.equal(await detail.getAttribute("lang"), "en", "what the engine says itself is marked as English");
  assert.deepEqual(problems, []);
  await context.close();
});

test("the language is switched in the page, without a reload, and remembered", async () => {
  const { page, problems, context } = await ready({ locale: "en-GB" });
  await openFace(page);
  await slide(page, "tilt", 70);
  const picture = await pixels(page);
  await page.setInputFiles("#file", {
    name: "notes.txt",
    mimeType: "image/png",
    buffer: Buffer.from("milk"),
  });
  await page.locator(".notice", { hasText: "not a picture" }).waitFor();
  await page.evaluate(() => Object.assign(globalThis, { same: true }));

  await page.click("#about-button");
  await page.selectOption("#language", "de");
  await speaks(page, "de");
  await allGerman(page, "the dialog");
  await page.keyboard.press("Escape");
  await allGerman(page, "the editor");
  await page.locator(".notice", { hasText: "kein Bild" }).waitFor();
  assert.ok(await page.evaluate(() => "same" in globalThis), "the page is still the same");
  assert.equal(await page.locator('[id="slider-tilt"]').inputValue(), "70");
  assert.equal(difference(await pixels(page), picture), 0);
  await page.keyboard.press("Control+z");
  await settled(page);
  assert.equal(await page.locator('[id="slider-tilt"]').inputValue(), "0");
  await page.evaluate(() => document.querySelector("#notices")?.replaceChildren());
  await page.setInputFiles("#file", {
    name: "a.pdf",
    mimeType: "image/png",
    buffer: Buffer.from(pictures.pdf()),
  });
  await page.locator(".notice", { hasText: "Das ist eine PDF-Datei" }).waitFor();

  await page.reload();
  await modelReady(page);
  await speaks(page, "de"); // that was remembered
  await page.getByRole("button", { name: "English" }).click();
  await speaks(page, "en");
  assert.equal(await page.locator("#choose").innerText(), tables.en["start.choose"]);
  await page.click("#about-button");
  assert.equal(await page.locator("#language").inputValue(), "en");
  await page.selectOption("#language", "auto");
  assert.deepEqual(problems, []);
  await context.close();
});

test("nothing is cut off or sticks out, in any language, on narrow and on wide screens", async () => {
  const script = "navigator.canShare = () => true"; // as telephones can, which takes one button more
  for (const locale of codes) {
    const { page, context } = await ready({ locale, script });
    const check = async (/** @type {string} */ where) => {
      for (const [width, height] of [
        [320, 640],
        [390, 844],
        [1280, 860],
      ]) {
        await page.setViewportSize({ width, height });
        const found = await page.evaluate(tooWide);
        assert.deepEqual(found, [], `${where}, ${locale}, ${width} pixels`);
      }
    };
    await check("the start");
    await openFace(page);
    await slide(page, "tilt", 40);
    await check("the editor");
    await page.click("#compare-toggle");
    await check("comparing");
    await page.click("#method-toggle");
    await check("the method");
    await page.click("#method-toggle");
    for (const [opener, dialog, content] of DIALOGS) {
      await page.click(opener);
      await page.locator(`${dialog}[open] ${content}`).first().waitFor({ state: "attached" });
      await check(dialog);
      await page.keyboard.press("Escape");
    }
    await page.setInputFiles("#direction-files", {
      name: "short.npy",
      mimeType: "",
      buffer: npy([1, 2, 3]),
    });
    await page.locator(".notice.failure").waitFor();
    await check("a failure");
    await context.close();
  }
});

/** What does not fit where it stands: runs in the page. */
function tooWide() {
  /** @type {string[]} */
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth)
    found.push(`the page: ${document.documentElement.scrollWidth}`);
  for (const element of document.body.querySelectorAll("*")) {
    if (!(element instanceof HTMLElement) || !element.checkVisibility() || !element.innerText?.trim()) continue;
    if (element.closest(".hidden, pre, sdic-compare")) continue;
    const { overflowX, clipPath } = getComputedStyle(element);
    if (clipPath !== "none") continue; // for screen readers only
    const name = `${element.tagName} ${element.id || element.className}: ${element.innerText.slice(0, 30)}`;
    if (element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0 && overflowX !== "auto") {
      if (!["inline", "contents"].includes(getComputedStyle(element).display)) found.push(`${name} is cut off`);
    }
    const scroller = element.closest(".viewer-tools, .method-steps");
    const scrolls = scroller && getComputedStyle(scroller).overflowX === "auto";
    const { left, right } = element.getBoundingClientRect();
    if (!scrolls && (right > innerWidth + 0.5 || left < -0.5)) found.push(`${name} ends at ${right}`);
  }
  return found;
}

// ---- Keys

/**
 * @param {Page} page
 * @param {"everywhere" | "picture" | "off"} where
 */
async function setKeys(page, where) {
  await page.click("#about-button");
  await page.selectOption("#single-keys", where);
  await page.keyboard.press("Escape");
}

/**
 * Presses Tab until the focus is where it is wanted.
 * @param {Page} page
 * @param {string} selector
 * @param {string} [key]
 */
async function tabTo(page, selector, key = "Tab") {
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press(key);
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
  }
  assert.fail(`Tab does not lead to ${selector}`);
}

test("single keys work everywhere, only in the picture, or not at all, as the visitor says", async () => {
  const { page, problems, context } = await ready();
  await openSample(page);
  const comparing = () => page.locator("#compare-toggle").getAttribute("aria-pressed");
  await page.locator('[id="slider-tilt"]').focus();
  await page.keyboard.press("c");
  assert.equal(await comparing(), "true", "everywhere");
  await page.keyboard.press("c");
  assert.equal(await comparing(), "false");

  await setKeys(page, "off");
  const view = () => page.locator("#views input:checked").getAttribute("value");
  await page.locator('[id="slider-tilt"]').focus();
  for (const key of ["c", "2", "b"]) await page.keyboard.press(key);
  assert.deepEqual([await comparing(), await view()], ["false", "edited"], "off");
  assert.equal(await page.locator("#compare").getAttribute("tabindex"), null, "no stop without a use");
  await page.locator('[id="slider-tilt"]').press("ArrowRight");
  await page.keyboard.press("Control+z");
  await settled(page);
  assert.equal(await page.locator('[id="slider-tilt"]').inputValue(), "0", "with Ctrl they still work");

  await setKeys(page, "picture");
  await page.locator('[id="slider-tilt"]').focus();
  await page.keyboard.press("c");
  assert.equal(await comparing(), "false", "outside of the picture");
  await tabTo(page, "#compare", "Shift+Tab");
  await accessible(page, "the picture with the focus");
  await page.keyboard.press("c");
  await page.keyboard.press("2");
  assert.deepEqual([await comparing(), await view()], ["true", "reconstruction"], "in the picture");

  await page.reload();
  await modelReady(page);
  await page.click("#about-button");
  assert.equal(await page.locator("#single-keys").inputValue(), "picture", "remembered");
  const help = await page.locator("#keys-help").innerText();
  for (const line of [/1\s*–\s*5\s+choose the view/, /C\s+compare/, /B\s+hold/, /Ctrl\s*\+\s*S\s+save/]) {
    assert.match(help, line);
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test("by keyboard alone: from a photo, over language, crop, sliders and comparison, to the saved file", async () => {
  const { page, problems, context } = await ready();
  await page.mouse.move(0, 0);
  const press = (/** @type {string[]} */ ...keys) =>
    keys.reduce((done, key) => done.then(() => page.keyboard.press(key)), Promise.resolve());
  const choosing = page.waitForEvent("filechooser");
  await tabTo(page, "#choose");
  await press("Enter");
  await (await choosing).setFiles({
    name: "selfie.webp",
    mimeType: "image/webp",
    buffer: face,
  });
  await inverted(page);
  assert.equal(await page.evaluate(() => document.activeElement?.id), "work-title", "the focus follows");

  await tabTo(page, "#views input");
  await press("ArrowRight");
  assert.equal(await page.locator("#views input:checked").getAttribute("value"), "reconstruction");
  await press("ArrowLeft");
  await tabTo(page, "#compare-toggle");
  await press("Space");
  await tabTo(page, "#compare .handle", "Shift+Tab");
  await press("Home");
  assert.equal(await page.locator("#compare .handle").getAttribute("aria-valuenow"), "0");
  await tabTo(page, "#compare-toggle");
  await press("Space");

  await tabTo(page, "#adjust");
  await press("Enter");
  await page.locator("#align-dialog[open]").waitFor();
  await tabTo(page, ".point.leftEye");
  await press("ArrowLeft", "ArrowLeft");
  await tabTo(page, '#align-dialog [value="use"]');
  await press("Enter");
  await page.locator("#align-dialog").waitFor({ state: "hidden" });
  await inverted(page);

  await tabTo(page, '[id="slider-tilt"]');
  await press("End");
  await settled(page);
  assert.equal(await page.locator('[id="slider-tilt"]').inputValue(), "100");
  await tabTo(page, "#undo", "Shift+Tab");
  await press("Enter");
  await settled(page);
  await tabTo(page, "#redo");
  await press("Enter");
  await settled(page);
  assert.equal(await page.locator('[id="slider-tilt"]').inputValue(), "100");

  await tabTo(page, "#about-button", "Shift+Tab");
  await press("Enter");
  await page.locator("#about-dialog[open]").waitFor();
  await tabTo(page, "#language");
  await page.keyboard.type("Deutsch");
  await page.locator("html[lang=de]").waitFor();
  await press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "about-button", "the focus comes back");

  await tabTo(page, "#save");
  await press("Enter");
  await page.locator("#save-dialog[open]").waitFor();
  await tabTo(page, "#save-choices input");
  await press("ArrowDown");
  await tabTo(page, "#save-file");
  const download = page.waitForEvent("download");
  await press("Enter");
  const file = await download;
  assert.equal(file.suggestedFilename(), "selfie-sdic.png");
  assert.ok((await readFile(await file.path())).length > 1000);
  assert.deepEqual(problems, []);
  await context.close();
});

/**
 * Every place where Tab stops, in its order, and whether the focus can be seen there.
 * @param {Page} page
 */
async function stops(page) {
  await page.evaluate(() => /** @type {HTMLElement | null} */ (document.activeElement)?.blur());
  /** @type {{ name: string, seen: boolean }[]} */
  const found = [];
  for (let i = 0; i < 100; i++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(async () => {
      const element = /** @type {HTMLElement} */ (document.activeElement);
      if (!element || element === document.body) return "outside";
      if (element.dataset.stopped) return "again";
      element.dataset.stopped = "yes";
      element.scrollIntoView({ block: "center" });
      await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
      const box = (
        element.closest(".segments label, .choices label, .faces label") ?? element
      ).getBoundingClientRect();
      const { left, top, width, height } = element.matches(".handle")
        ? element.children[0].getBoundingClientRect()
        : box;
      return {
        name: element.id || element.className || element.tagName,
        clip: {
          x: left - 10,
          y: top - 10,
          width: width + 20,
          height: height + 20,
        },
      };
    });
    if (at === "again") break;
    if (at === "outside") continue; // between the last stop and the first
    const { x, y, width, height } = at.clip;
    const clip = { x: Math.max(0, x), y: Math.max(0, y), width, height };
    const focused = await page.screenshot({ clip, caret: "initial" });
    // The same without focus: `focus` without a ring is what a mouse leaves.
    await page.evaluate(async () => {
      const element = /** @type {HTMLElement} */ (document.activeElement);
      Object.assign(globalThis, { element });
      element.blur();
      await Promise.allSettled(document.getAnimations().map(({ finished }) => finished));
    });
    const plain = await page.screenshot({ clip, caret: "initial" });
    await page.evaluate(() => /** @type {any} */ (globalThis).element.focus());
    found.push({ name: at.name, seen: !focused.equals(plain) });
  }
  await page.evaluate(() => {
    for (const each of document.querySelectorAll("[data-stopped]")) each.removeAttribute("data-stopped");
  });
  return found;
}

for (const forcedColors of /** @type {const} */ (["none", "active"])) {
  test(`Tab reaches everything and is seen everywhere, forced colours: ${forcedColors}`, async () => {
    const { page, context } = await ready({ forcedColors });
    const check = async (
      /** @type {string} */ where,
      /** @type {string} */ inside,
      /** @type {string[]} */ wanted,
    ) => {
      const found = await stops(page);
      assert.deepEqual(
        found.filter(({ seen }) => !seen),
        [],
        `${where}: focus that is not seen`,
      );
      const names = found.map(({ name }) => name);
      assert.deepEqual(
        wanted.filter((id) => !names.includes(id)),
        [],
        `${where}: out of reach`,
      );
      // Whatever can be used with a mouse is a stop, but for the radio buttons that arrows reach.
      const usable = await page.evaluate((scope) => {
        const all = document.querySelectorAll(`${scope} :is(button, select, input, summary, a[href], [tabindex="0"])`);
        const stops = [...all].filter((each) => {
          const input = /** @type {HTMLInputElement} */ (each);
          return each.checkVisibility({ visibilityProperty: true }) && !input.disabled && input.type !== "radio";
        });
        return stops.length;
      }, inside);
      const radios = await page.evaluate((scope) => {
        const groups = [...document.querySelectorAll(`${scope} input[type=radio]:not(:disabled)`)];
        return new Set(groups.filter((each) => each.checkVisibility()).map((each) => each.getAttribute("name"))).size;
      }, inside);
      const inner = names.filter((name) => `#${name}` !== inside); // a dialog that scrolls is a stop itself
      assert.equal(inner.length, usable + radios, `${where}: ${names}`);
    };
    await check("the start", "body", ["choose", "about-button", "engine-button", "theme-button"]);
    await setKeys(page, "picture");
    await openFace(page);
    await slide(page, "tilt", 40);
    await page.click("#compare-toggle");
    await page.mouse.move(0, 0);
    await page.evaluate(() => document.querySelector("#notices")?.replaceChildren());
    await check("the editor", "body", ["compare", "handle", "slider-tilt", "save", "copy", "undo", "adjust"]);
    for (const [opener, dialog, content] of DIALOGS) {
      await page.click(opener);
      await page.locator(`${dialog}[open] ${content}`).first().waitFor({ state: "attached" });
      await check(dialog, dialog, []);
      await page.keyboard.press("Escape");
      await page.locator(dialog).waitFor({ state: "hidden" });
    }
    await context.close();
  });
}

// ---- Forced colours

/**
 * What a screenshot of a place shows, as rows of colours.
 * @param {Page} page
 * @param {import("playwright-core").Locator} place
 */
async function look(page, place) {
  const png = (await place.screenshot()).toString("base64");
  return page.evaluate(async (text) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]));
    const { width, height } = bitmap;
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
      new OffscreenCanvas(width, height).getContext("2d")
    );
    context.drawImage(bitmap, 0, 0);
    return {
      width,
      height,
      data: [...context.getImageData(0, 0, width, height).data],
    };
  }, png);
}

/**
 * @param {{ width: number, height: number, data: number[] }} picture
 * @param {number} x from 0 to 1
 * @param {number} y from 0 to 1
 */
function at({ width, height, data }, x, y) {
  const i = 4 * (Math.floor(y * (height - 1)) * width + Math.floor(x * (width - 1)));
  return data.slice(i, i + 3);
}

/**
 * The contrast of two colours, as WCAG defines it.
 * @param {number[]} a
 * @param {number[]} b
 */
function contrast(a, b) {
  const [one, other] = [a, b].map((colour) => {
    const [r, g, blue] = colour.map((c) =>
      c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue + 0.05;
  });
  return Math.max(one / other, other / one);
}

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`in forced colours nothing that matters is lost, ${colorScheme}`, async () => {
    const { page, problems, context } = await ready({
      forcedColors: "active",
      colorScheme,
    });
    await openFace(page);
    await page.evaluate(() => document.querySelector("#notices")?.replaceChildren());
    await slide(page, "tilt", 60);
    const slider = await look(page, page.locator('[id="slider-tilt"]'));
    const column = (/** @type {number} */ x) => {
      const paper = at(slider, x, 0.02);
      const rows = Array.from({ length: slider.height }, (_, row) => at(slider, x, row / (slider.height - 1)));
      const seen = rows.map((colour) => contrast(colour, paper) >= 3);
      return seen.lastIndexOf(true) - seen.indexOf(true) + Number(seen.includes(true));
    };
    const [still, moved, thumb] = [column(0.2), column(0.6), column(0.79)];
    assert.ok(still >= 1, "the track is seen");
    assert.ok(moved >= 3 * still, `how far it was moved is seen: ${moved} against ${still} pixels`);
    assert.ok(thumb >= 1.5 * moved, `the thumb is seen: ${thumb} pixels`);

    const chosen = async (/** @type {string} */ value) => {
      const label = page.locator(`#views label:has([value="${value}"])`);
      return at(await look(page, label), 0.5, 0.12);
    };
    const ratio = contrast(await chosen("edited"), await chosen("initial"));
    assert.ok(ratio >= 3, `the chosen view: ${ratio}`);

    const toggle = page.locator("#compare-toggle");
    const before = at(await look(page, toggle), 0.5, 0.15);
    await toggle.press("Space");
    const pressed = at(await look(page, toggle), 0.5, 0.15);
    assert.ok(contrast(before, pressed) >= 3, `pressed: ${contrast(before, pressed)}`);

    // The divider shows on any picture: a light line with dark edges.
    const parts = await page.evaluate(() => {
      const handle = /** @type {Element} */ (document.querySelector("#compare .handle"));
      const line = getComputedStyle(handle, "::before");
      const grip = getComputedStyle(/** @type {Element} */ (handle.firstElementChild));
      return {
        line: line.backgroundColor,
        edge: line.outlineColor,
        style: line.outlineStyle,
        grip: grip.backgroundColor,
        ring: grip.borderTopWidth,
      };
    });
    assert.deepEqual(parts, {
      line: "rgb(255, 255, 255)",
      edge: "rgb(0, 0, 0)",
      style: "solid",
      grip: "rgb(255, 255, 255)",
      ring: "2px",
    });

    await page.locator('[id="slider-tilt"]').press("ArrowRight");
    await settled(page);
    const ring = await look(page, page.locator('[id="slider-tilt"]'));
    assert.notDeepEqual(ring.data, slider.data, "the focus is seen");

    await page.click("#engine-button");
    const choices = await page.evaluate(() => {
      const width = (/** @type {string} */ selector) =>
        getComputedStyle(/** @type {Element} */ (document.querySelector(selector))).borderTopWidth;
      return [width("#engine-choices label:has(:checked)"), width("#engine-choices label:not(:has(:checked))")];
    });
    assert.deepEqual(choices, ["2px", "1px"]);
    await page.keyboard.press("Escape");
    assert.deepEqual(problems, []);
    await context.close();
  });
}
