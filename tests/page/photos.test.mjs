// Every picture of `tests/photos` through the page's own decoder, in the browser; the command line reads the same
// list.
import assert from "node:assert/strict";
import { cp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { pairLayout } from "../../www/shared/pair.js";
import { say } from "../../www/shared/say.js";
import "../../www/shared/strings/all.js";
import { spell } from "../../www/shared/strings.js";
import { testInEach } from "./drivers/each.mjs";
import { difference, host, launch, root, visit, weightsLike } from "./support.mjs";

/**
 * As `make.py` writes them.
 * @typedef {{
 *   name: string, file: string, pad?: number, only?: "page" | "cli", error?: string, width: number, height: number,
 *   space: string, notes: string[], at?: number, probes?: number[][],
 * }} Case
 *
 * @typedef {import("../../www/shared/say.js").Saying} Saying
 * @typedef {{ error: string, message: string, hint: Saying | string }} Refusal
 * @typedef {{
 *   error: undefined, width: number, height: number, space: string, notes: Saying[], pixels: string,
 * }} Opened
 */

/** How far a channel may be from what the other library says, of 255. */
const TOLERANCE = 2;

/**
 * What other browsers do with some files, found by this test; all else they must do as Chromium does. Safari, which
 * decodes by its system's own means, may do otherwise than WebKit's GTK port.
 * @type {Record<import("./drivers/each.mjs").Browser, Record<string, string>>}
 */
const LIMITS = {
  chromium: {
    // Version 156 spreads opacity as if it were stored in the narrow range of video: 234 becomes 254. 148 did not.
    "avif-alpha": "is off by 20.0",
  },
  firefox: {
    // Profiles are followed by tables that are a little coarse.
    "png-adobe": "is off by 4.0",
    "webp-adobe": "is off by 4.0",
    "png-prophoto": "is off by 4.0",
    "webp-prophoto": "is off by 19.0",
    "png-rec2020": "is off by 5.0",
    "webp-rec2020": "is off by 5.0",
    "png-gama-chrm": "is off by 4.0",
    // What is missing is shown black.
    "png-too-few-rows": "is opened, but is damaged",
    // The file is given up where so much stands before its picture.
    "jpeg-behind-2-megabytes": "is refused as damaged",
  },
  webkit: {
    // Profiles are followed with some tolerance in PNG, and not at all in WebP and AVIF.
    "png-p3": "is off by 2.7",
    "png-adobe": "is off by 10.1",
    "png-adobe-16": "is off by 3.0",
    "png-prophoto": "is off by 15.3",
    "png-rec2020": "is off by 10.0",
    "png-narrow": "is off by 15.3",
    "png-linear": "is off by 39.9",
    "webp-p3": "is off by 90.0",
    "webp-adobe": "is off by 111.0",
    "webp-prophoto": "is off by 134.0",
    "webp-rec2020": "is off by 128.0",
    "webp-narrow": "is off by 35.0",
    "webp-linear": "is off by 73.0",
    "webp-swapped": "is off by 173.0",
    "avif-p3": "is off by 90.0",
    // Nor are profiles of grey pictures, nor colours described by chunks.
    "png-grey-profile-18": "is off by 19.0",
    "jpeg-grey-profile-18": "is off by 19.0",
    "png-grey-profile-22": "is off by 5.0",
    "jpeg-grey-profile-22": "is off by 5.0",
    "png-gama-chrm": "is off by 111.0",
    "png-gama-chrm-usual": "is off by 5.0",
    "png-cicp-p3": "is off by 90.0",
    "png-cicp-beats-profile": "is off by 111.0",
    "avif-orientation-6": "has 32 x 48 pixels",
    "png-too-few-rows": "is opened, but is damaged",
  },
};

/** A worker that decodes as the page's own does, and tells every pixel, or those asked for. */
const WORKER = `
import init from "../pkg/cpu/sdic.js";
import { spaceOf } from "./canvas.js";
import { decode } from "./decode.js";
const ready = init();
async function read({ url, blob, pad = 0, probes }) {
  await ready;
  let file = blob ?? (await (await fetch(url)).blob());
  const segment = new Uint8Array(65537);
  segment.set([0xff, 0xef, 0xff, 0xff]);
  if (pad) file = new Blob([file.slice(0, 2), ...Array(pad).fill(segment), file.slice(2)]);
  try {
    const { canvas, notes } = await decode(file);
    const { width, height } = canvas;
    const context = canvas.getContext("2d");
    const parts = probes ? probes.map(([x, y]) => [x, y, 1, 1]) : [[0, 0, width, height]];
    const data = parts.map((part) => context.getImageData(...part));
    const bytes = data.flatMap(({ data }) => Array.from(data));
    return { width, height, space: spaceOf(context), notes, pixels: btoa(String.fromCharCode(...bytes)) };
  } catch ({ code, message, hint }) {
    return { error: code ?? "unexpected", message, hint };
  }
}
onmessage = async ({ data: { id, ...task } }) => postMessage({ id, answer: await read(task) });
`;

const folder = path.join(root, "tests/photos");
/** @type {Awaited<ReturnType<typeof host>>} */
let site;
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  site = await host(await weightsLike("tests/golden/tiny"), { readable: true });
  await writeFile(path.join(site.folder, "workers/photos-test.js"), WORKER);
  await cp(path.join(folder, "files"), path.join(site.folder, "photos-test"), { recursive: true });
  browser = await launch();
});

after(async () => {
  await browser.close();
  await site.remove();
});

/**
 * Largest distance of a channel; colours count as far as they are opaque.
 * @param {Uint8Array} found
 * @param {Uint8Array} right
 */
function distance(found, right) {
  let worst = 0;
  for (let i = 0; i < right.length; i += 4) {
    for (let k = 0; k < 4; k++) {
      const seen = (/** @type {Uint8Array} */ p) => (k === 3 ? p[i + 3] : (p[i + k] * p[i + 3]) / 255);
      worst = Math.max(worst, Math.abs(seen(found) - seen(right)));
    }
  }
  return worst;
}

/**
 * Colours of Display P3 as browsers without it show them: in sRGB, what lies beyond brought to its border.
 * @param {Uint8Array} rgba
 */
function narrowed(rgba) {
  const linear = (/** @type {number} */ v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const encoded = (/** @type {number} */ v) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);
  const matrix = [
    [1.22494, -0.22494, 0],
    [-0.042057, 1.042057, 0],
    [-0.019638, -0.078636, 1.098274],
  ];
  const out = Uint8Array.from(rgba);
  for (let i = 0; i < rgba.length; i += 4) {
    const wide = [...rgba.subarray(i, i + 3)].map((v) => linear(v / 255));
    for (const [k, row] of matrix.entries()) {
      const value = row.reduce((sum, weight, j) => sum + weight * wide[j], 0);
      out[i + k] = Math.round(255 * encoded(Math.min(1, Math.max(0, value))));
    }
  }
  return out;
}

/**
 * What is wrong with how the page opened a file, if anything.
 * @param {Case} wanted
 * @param {Refusal | Opened} answer
 * @param {Uint8Array} expected pixels of all cases
 * @param {boolean} narrow whether the browser works in sRGB alone
 */
function problem(wanted, answer, expected, narrow) {
  if (answer.error !== undefined) {
    if (answer.error !== wanted.error) return `is refused as ${answer.error}: ${answer.message}`;
    return answer.message && answer.hint ? undefined : "is refused without a word";
  }
  if (wanted.error) return `is opened, but is ${wanted.error}`;
  const { width, height, space, notes } = answer;
  if (width !== wanted.width || height !== wanted.height) return `has ${width} x ${height} pixels`;
  const beyond = narrow && wanted.space === "display-p3";
  if (space !== (beyond ? "srgb" : wanted.space)) return `is in ${space}`;
  const codes = beyond ? [...wanted.notes, "narrowed"] : wanted.notes;
  const said = notes.map(({ key }) => key).sort();
  const right = codes.map((code) => `note.${code}`).sort();
  if (String(said) !== String(right) || notes.some((note) => spell(note).includes("{"))) {
    return `says ${JSON.stringify(notes)} instead of ${codes}`;
  }
  const pixels = Buffer.from(answer.pixels, "base64");
  const probes = wanted.probes?.flatMap(([, , ...colour]) => colour);
  const stored = probes
    ? Uint8Array.from(probes)
    : expected.subarray(wanted.at, (wanted.at ?? 0) + width * height * 4);
  const colours = beyond ? narrowed(stored) : stored;
  assert.ok(colours.length > 0 && colours.length === pixels.length, wanted.name);
  const off = distance(pixels, colours);
  return off > TOLERANCE ? `is off by ${off.toFixed(1)}` : undefined;
}

testInEach("every picture is opened as another library reads it, or refused rightly", async (driver, browser) => {
  /** @type {Case[]} */
  const cases = JSON.parse(await readFile(path.join(folder, "cases.json"), "utf8"));
  const expected = await readFile(path.join(folder, "expected.bin"));
  const wanted = cases.filter(({ only }) => only !== "cli");
  assert.ok(wanted.length >= 120, `${wanted.length} cases`);
  await driver.open(site.url);
  const tasks = wanted.map(({ file, pad, probes }) => ({
    url: new URL(`photos-test/${file}`, site.url).href,
    pad,
    probes,
  }));
  const answers = await driver.evaluate(async (tasks) => {
    const worker = new Worker(new URL("workers/photos-test.js", location.href), { type: "module" });
    const answers = [];
    for (const [id, task] of tasks.entries()) {
      const answer = new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) =>
          data.id === id ? resolve(data.answer) : reject(Error(`${data.id} for ${id}`));
        worker.onerror = ({ message }) => reject(new Error(message));
      });
      worker.postMessage({ id, ...task });
      answers.push(await answer);
    }
    worker.terminate();
    return answers;
  }, tasks);
  const wrong = wanted.flatMap((wanted, i) => {
    const found = problem(wanted, answers[i], expected, browser !== "chromium");
    const known = LIMITS[browser][wanted.name];
    return found && !(known && found.startsWith(known)) ? [`${wanted.name} ${found}`] : [];
  });
  assert.deepEqual(wrong, []);
  assert.deepEqual(await driver.problems(), []);
});

/** What makes a worker's canvases those of a telephone: on large ones nothing is drawn, and nobody is told. */
const SMALL_CANVASES = `
const { prototype } = OffscreenCanvasRenderingContext2D;
for (const name of ["fillRect", "drawImage", "putImageData"]) {
  const draw = prototype[name];
  prototype[name] = function (...args) {
    if (this.canvas.width * this.canvas.height <= 4096 * 4096) draw.apply(this, args);
  };
}
`;

test("where canvases hold fewer pixels than a photo, it is reduced to what they hold, and that is said", async () => {
  const { context, page, problems } = await visit(browser, site.url);
  await writeFile(path.join(site.folder, "workers/small-test.js"), WORKER + SMALL_CANVASES);
  const probes = [1, 2353, 4706].map((x) => [x, 1765]);
  const answer = await page.evaluate(
    ({ url, probes }) => {
      const worker = new Worker(new URL("workers/small-test.js", location.href), { type: "module" });
      return new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data.answer);
        worker.onerror = ({ message }) => reject(new Error(message));
        worker.postMessage({ id: 0, url, probes });
      });
    },
    { url: new URL("photos-test/48-megapixels.png", site.url).href, probes },
  );
  assert.equal(answer.error, undefined);
  assert.deepEqual([answer.width, answer.height], [4729, 3547], "16.8 of 48 megapixels");
  assert.deepEqual(answer.notes, [say("note.reduced", { from: 48, to: 17 })]);
  const pixels = Buffer.from(answer.pixels, "base64");
  for (const [i, level] of [40, 128, 215].entries()) {
    assert.equal(pixels[4 * i + 3], 255, "drawn");
    assert.ok(Math.abs(pixels[4 * i] - level) <= TOLERANCE, `${pixels[4 * i]} instead of ${level}`);
  }
  assert.deepEqual(problems, []);
  await context.close();
});

/**
 * What the page's photo worker saves of a photo whose face is edited, and the photo itself, as pixels; and the file.
 * @param {import("playwright-core").Page} page
 * @param {{
 *   file: string, mode: "face" | "difference", what: "photo" | "face" | "photo-pair", type?: string
 * }} options
 * @returns {Promise<{ before: Opened, after: Opened, bytes: string }>}
 */
function saved(page, { file, mode, what, type = "image/png" }) {
  return page.evaluate(
    async ({ url, mode, what, type }) => {
      const { Remote, RemoteWorker } = await import(new URL("shared/rpc.js", location.href).href);
      const photos = new RemoteWorker(new URL("workers/photo.js", location.href));
      const { port1, port2 } = new MessageChannel();
      photos.link(port1);
      const engine = new Remote(port2);
      const blob = await (await fetch(url)).blob();
      await photos.call("open", ["photo-1", blob]);
      const corners = [12, 6, 12, 26, 32, 26, 32, 6];
      const quad = [0, 2, 4, 6].map((i) => [corners[i], corners[i + 1]]);
      await photos.call("crop", ["photo-1", "crop-1", quad, undefined]);
      const { picture } = await engine.call("face", ["crop-1", 32]);
      // Lighter, and redder.
      const edited = {
        ...picture,
        data: picture.data.map((/** @type {number} */ v, /** @type {number} */ i) => v + [50, 10, 0, 0][i % 4]),
      };
      await engine.call("take", ["crop-1", "edit-1", { edited, unedited: picture, motion: undefined }]);
      const layers = [{ crop: "crop-1", edit: "edit-1" }];
      const made = await photos.call("save", [layers, what, { mode, side: 64 }, { type, quality: 1 }]);
      const worker = new Worker(new URL("workers/photos-test.js", location.href), { type: "module" });
      const [before, after] = await Promise.all(
        [blob, made].map(
          (blob, id) =>
            new Promise((resolve) => {
              worker.addEventListener("message", ({ data }) => data.id === id && resolve(data.answer));
              worker.postMessage({ id, blob });
            }),
        ),
      );
      worker.terminate();
      photos.end();
      return { before, after, bytes: String.fromCharCode(...new Uint8Array(await made.arrayBuffer())) };
    },
    { url: new URL(`photos-test/${file}`, site.url).href, mode, what, type },
  );
}

test("what is saved keeps the photo's space, its transparency, and what is around the face", async () => {
  const { context, page, problems } = await visit(browser, site.url);
  for (const [file, space, levels] of /** @type {const} */ ([
    ["png-p3.png", "display-p3", 1],
    ["png-rgba-8.png", "srgb", 10],
  ])) {
    const { before, after, bytes } = await saved(page, { file, mode: "difference", what: "photo" });
    assert.equal(after.error, undefined);
    assert.deepEqual([after.space, after.width, after.height], [space, before.width, before.height]);
    assert.equal(bytes.includes("iCCP"), space !== "srgb", `${file} says its colour space`);
    const [a, b] = [before, after].map(({ pixels }) => Buffer.from(pixels, "base64"));
    let changed = 0;
    const alphas = new Set();
    for (let i = 0; i < a.length; i += 4) {
      const [x, y] = [(i / 4) % before.width, Math.floor(i / 4 / before.width)];
      assert.equal(a[i + 3], b[i + 3], `${file}: alpha at ${x}, ${y}`);
      alphas.add(a[i + 3]);
      const same = a.subarray(i, i + 4).equals(b.subarray(i, i + 4));
      if (x < 12 || x >= 32 || y < 6 || y >= 26) assert.ok(same, `${file}: outside, at ${x}, ${y}`);
      else if (!same) changed++;
    }
    assert.ok(alphas.size >= levels, `${file} has ${alphas.size} levels of transparency`);
    assert.ok(changed > 150, `${file}: ${changed} pixels changed`);

    if (space === "srgb") continue;
    const pair = await saved(page, { file, mode: "difference", what: "photo-pair" });
    const { width, height, half, places } = pairLayout(before, false);
    assert.deepEqual([pair.after.space, pair.after.width, pair.after.height], [space, width, height]);
    const both = Buffer.from(pair.after.pixels, "base64");
    for (const [i, wanted] of [a, b].entries()) {
      const [x, y] = places[i];
      for (let row = 0; row < half.height; row++) {
        const at = 4 * ((y + row) * width + x);
        const line = wanted.subarray(4 * row * half.width, 4 * (row + 1) * half.width);
        assert.ok(both.subarray(at, at + line.length).equals(line), `row ${row} of picture ${i}`);
      }
    }
  }
  assert.deepEqual(problems, []);
  await context.close();
});

/** How far a colour may be off in a file that loses some, on the mean of a picture, in 8-bit steps. */
const LOSSY = 1.5;

test("JPEG and WebP keep Display P3, too: the file says so, and its colours are those of the PNG", async () => {
  const { context, page, problems } = await visit(browser, site.url);
  for (const [file, type, profile] of /** @type {const} */ ([
    ["jpeg-p3.jpg", "image/jpeg", "ICC_PROFILE"],
    ["webp-p3.webp", "image/webp", "ICCP"],
  ])) {
    const options = /** @type {const} */ ({ file, mode: "difference", what: "photo" });
    const exact = await saved(page, options);
    const { after, bytes } = await saved(page, { ...options, type });
    assert.deepEqual([exact.after.space, after.space], ["display-p3", "display-p3"], type);
    assert.ok(bytes.includes(profile) && bytes.includes("mntrRGB"), `${type} has a profile`);
    const [right, found] = [exact.after, after].map(({ pixels }) => ({ data: Buffer.from(pixels, "base64") }));
    const off = difference(found, right);
    assert.ok(off < LOSSY, `${type} is off by ${off}`);
    // Read as sRGB, the same numbers would be other colours: the picture is one that tells the difference.
    const dull = difference({ data: narrowed(right.data) }, right);
    assert.ok(dull > 3 * LOSSY, `${type}: without a profile it would be off by ${dull}`);

    // What was sRGB stays so.
    const plain = await saved(page, { ...options, file: "jpeg-srgb.jpg", type });
    assert.equal(plain.after.space, "srgb", type);
  }
  assert.deepEqual(problems, []);
  await context.close();
});

test("black and white stays so, however it is edited and saved", async () => {
  const { context, page, problems } = await visit(browser, site.url);
  for (const mode of /** @type {const} */ (["face", "difference"])) {
    for (const what of /** @type {const} */ (["face", "photo"])) {
      const { before, after } = await saved(page, { file: "jpeg-grey.jpg", mode, what });
      assert.equal(after.error, undefined);
      const pixels = Buffer.from(after.pixels, "base64");
      for (let i = 0; i < pixels.length; i += 4) {
        assert.ok(pixels[i] === pixels[i + 1] && pixels[i] === pixels[i + 2], `${mode}, ${what}: pixel ${i / 4}`);
      }
      assert.notEqual(after.pixels, before.pixels, "there is an edit");
    }
  }
  assert.deepEqual(problems, []);
  await context.close();
});
