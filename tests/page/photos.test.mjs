// Every picture of `tests/photos` through the page's own decoder, in the browser; the command line reads the same
// list.
import assert from "node:assert/strict";
import { cp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { spell } from "../../www/shared/strings.js";
import { host, launch, root, visit, weightsLike } from "./support.mjs";

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

/** A worker that decodes as the page's own does, and tells every pixel, or those asked for. */
const WORKER = `
import init from "../pkg/cpu/sdic.js";
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
    return { width, height, space: data[0].colorSpace, notes, pixels: btoa(String.fromCharCode(...bytes)) };
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
  site = await host(await weightsLike("tests/golden/tiny"));
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
 * What is wrong with how the page opened a file, if anything.
 * @param {Case} wanted
 * @param {Refusal | Opened} answer
 * @param {Uint8Array} expected pixels of all cases
 */
function problem(wanted, answer, expected) {
  if (answer.error !== undefined) {
    if (answer.error !== wanted.error) return `is refused as ${answer.error}: ${answer.message}`;
    return answer.message && answer.hint ? undefined : "is refused without a word";
  }
  if (wanted.error) return `is opened, but is ${wanted.error}`;
  const { width, height, space, notes } = answer;
  if (width !== wanted.width || height !== wanted.height) return `has ${width} x ${height} pixels`;
  if (space !== wanted.space) return `is in ${space}`;
  const said = notes.map(({ key }) => key).sort();
  const right = wanted.notes.map((code) => `note.${code}`).sort();
  if (String(said) !== String(right) || notes.some((note) => spell(note).includes("{"))) {
    return `says ${JSON.stringify(notes)} instead of ${wanted.notes}`;
  }
  const pixels = Buffer.from(answer.pixels, "base64");
  const probes = wanted.probes?.flatMap(([, , ...colour]) => colour);
  const colours = probes
    ? Uint8Array.from(probes)
    : expected.subarray(wanted.at, (wanted.at ?? 0) + width * height * 4);
  assert.ok(colours.length > 0 && colours.length === pixels.length, wanted.name);
  const off = distance(pixels, colours);
  return off > TOLERANCE ? `is off by ${off.toFixed(1)}` : undefined;
}

test("every picture is opened as another library reads it, or refused rightly", async () => {
  /** @type {Case[]} */
  const cases = JSON.parse(await readFile(path.join(folder, "cases.json"), "utf8"));
  const expected = await readFile(path.join(folder, "expected.bin"));
  const wanted = cases.filter(({ only }) => only !== "cli");
  assert.ok(wanted.length >= 120, `${wanted.length} cases`);
  const { context, page, problems } = await visit(browser, site.url);
  const tasks = wanted.map(({ file, pad, probes }) => ({
    url: new URL(`photos-test/${file}`, site.url).href,
    pad,
    probes,
  }));
  const answers = await page.evaluate(async (tasks) => {
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
  await context.close();
  const wrong = wanted.flatMap((wanted, i) => {
    const found = problem(wanted, answers[i], expected);
    return found ? [`${wanted.name} ${found}`] : [];
  });
  assert.deepEqual(wrong, []);
  assert.deepEqual(problems, []);
});

/**
 * What the page's photo worker saves of a photo whose face is edited, and the photo itself, as pixels; and the file.
 * @param {import("playwright-core").Page} page
 * @param {{ file: string, mode: "face" | "difference", what: "photo" | "face" }} options
 * @returns {Promise<{ before: Opened, after: Opened, png: string }>}
 */
function saved(page, { file, mode, what }) {
  return page.evaluate(
    async ({ url, mode, what }) => {
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
      const png = await photos.call("save", ["crop-1", "edit-1", what, { mode, side: 64 }]);
      const worker = new Worker(new URL("workers/photos-test.js", location.href), { type: "module" });
      const [before, after] = await Promise.all(
        [blob, png].map(
          (blob, id) =>
            new Promise((resolve) => {
              worker.addEventListener("message", ({ data }) => data.id === id && resolve(data.answer));
              worker.postMessage({ id, blob });
            }),
        ),
      );
      worker.terminate();
      photos.end();
      return { before, after, png: String.fromCharCode(...new Uint8Array(await png.arrayBuffer())) };
    },
    { url: new URL(`photos-test/${file}`, site.url).href, mode, what },
  );
}

test("what is saved keeps the photo's space, its transparency, and what is around the face", async () => {
  const { context, page, problems } = await visit(browser, site.url);
  const { before, after, png } = await saved(page, { file: "png-p3.png", mode: "difference", what: "photo" });
  assert.equal(after.error, undefined);
  assert.deepEqual([after.space, after.width, after.height], ["display-p3", before.width, before.height]);
  assert.ok(png.includes("iCCP"), "the file says its colour space");
  const [a, b] = [before, after].map(({ pixels }) => Buffer.from(pixels, "base64"));
  let changed = 0;
  for (let i = 0; i < a.length; i += 4) {
    const [x, y] = [(i / 4) % before.width, Math.floor(i / 4 / before.width)];
    assert.equal(a[i + 3], b[i + 3], `alpha at ${x}, ${y}`);
    const same = a.subarray(i, i + 4).equals(b.subarray(i, i + 4));
    if (x < 12 || x >= 32 || y < 6 || y >= 26) assert.ok(same, `outside, at ${x}, ${y}`);
    else if (!same) changed++;
  }
  assert.ok(changed > 200, `${changed} pixels changed`);
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
