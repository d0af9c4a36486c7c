// What the page tests share: a folder as the build makes it, a server, a browser, and a page that is watched.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { assemble, seal } from "../../www/tools/assemble.mjs";
import { serve } from "../../www/tools/serve.mjs";
import { gradient } from "./pictures.mjs";
import { discard, temporary } from "./temporary.mjs";

const require = createRequire(new URL("../../www/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = await readFile(require.resolve("axe-core/axe.min.js"), "utf8");

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** What Chromium says to any page that asks a machine without a graphics card for one. */
export const NO_CARD = "No available adapters.";
/**
 * Flags that give Chromium a WebGPU adapter without a graphics card. A workgroup's memory begins as zeros; left to
 * SwiftShader, each number of it is a store of its own, and nine tenths of the time that a kernel compiles for goes
 * there. Without that extension Chromium writes a loop.
 */
export const SOFTWARE_GPU = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension",
];

/** The longest that one inversion may take on a busy machine before a test gives up. */
export const PATIENCE = 180_000;

/**
 * A weights directory like `from`, with the face networks, further files, and a changed manifest.
 * @param {string} from relative to the repository
 * @param {{ change?: (manifest: any) => void, files?: Record<string, Uint8Array> }} [options]
 */
export async function weightsLike(from, { change = () => {}, files = {} } = {}) {
  const folder = await temporary("weights");
  await cp(path.join(root, from), folder, { recursive: true });
  await cp(path.join(root, "weights/face"), path.join(folder, "face"), { recursive: true });
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), bytes);
  }
  const manifest = JSON.parse(await readFile(path.join(folder, "manifest.json"), "utf8"));
  change(manifest);
  await writeFile(path.join(folder, "manifest.json"), JSON.stringify(manifest));
  return folder;
}

/**
 * The tiny model of the golden tests with one sample, "one", which is aligned already.
 * @param {Parameters<typeof weightsLike>[1]} [options]
 */
export function tinyWithSample({ change = () => {}, files = {} } = {}) {
  return weightsLike("tests/golden/tiny", {
    files: { "samples/one.png": gradient(64, 64), ...files },
    change(manifest) {
      manifest.samples = [{ file: "samples/one.png", label: "one", aligned: true }];
      change(manifest);
    },
  });
}

/**
 * Builds a page folder with these weights, and serves it. Beside the files that modules become lie those of www/shared,
 * so that tests can ask one of them about what the browser keeps.
 * @param {string} weights absolute path
 * @param {{ isolated?: boolean, bare?: boolean, tidy?: boolean, compiling?: string, readable?: boolean }} [options] as
 *   of the server; `readable`: every module is a file, for tests that put another in the place of one
 */
export async function host(weights, { readable, ...options } = {}) {
  const folder = await temporary("page");
  await assemble(folder, { weights, readable });
  await cp(path.join(root, "www/shared"), path.join(folder, "shared"), { recursive: true, force: false });
  const server = await serve(folder, options);
  return {
    folder,
    url: server.url,
    stop: server.close,
    async remove() {
      await server.close();
      await discard(folder);
    },
  };
}

/**
 * Changes a file of a page that is built. The list of files is made anew, or the service worker and the browser would
 * refuse it as spoiled.
 * @param {string} folder
 * @param {string} name
 * @param {(text: string) => string} change
 */
export async function changeFile(folder, name, change) {
  const file = path.join(folder, name);
  await writeFile(file, change(await readFile(file, "utf8")));
  await seal(folder);
}

/** Where Chromium is often found, by those who do not come from build.sh. */
const FIND_CHROMIUM = "command -v chromium || command -v chromium-browser || command -v google-chrome || true";

/**
 * Starts the browser that `CHROMIUM` names, or that is found.
 * @param {string[]} [flags]
 */
export function launch(flags = []) {
  const executablePath =
    process.env.CHROMIUM ?? execFileSync("sh", ["-c", FIND_CHROMIUM], { encoding: "utf8" }).trim();
  assert.ok(executablePath, "CHROMIUM must name the browser: run the tests by ./build.sh test");
  return chromium.launch({ executablePath, args: ["--no-sandbox", ...flags] });
}

/**
 * A browser, and the page with these weights, for all tests of a file; both are there once its tests begin.
 * @param {() => Promise<string>} weights
 * @param {Parameters<typeof host>[1]} [options]
 */
export function shared(weights, options) {
  const both =
    /** @type {{ browser: import("playwright-core").Browser, site: Awaited<ReturnType<typeof host>> }} */ ({});
  before(async () => {
    [both.browser, both.site] = await Promise.all([launch(), weights().then((folder) => host(folder, options))]);
  });
  after(async () => {
    await both.browser?.close();
    await both.site?.remove();
  });
  return both;
}

/**
 * Keeps the pages of a context from starting anything by themselves.
 * @param {import("playwright-core").BrowserContext} context
 */
export function startNothing(context) {
  return context.route(/\/app\/(first|main)\.js$/, (route) =>
    route.fulfill({ contentType: "text/javascript", body: "" }),
  );
}

/**
 * Opens a page that is watched: `problems` collects console errors, uncaught errors and requests to other origins.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {import("playwright-core").BrowserContextOptions & { script?: string }} [options] `script` runs before any of
 *   the page's own
 */
export async function visit(browser, url, { script, ...options } = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 860 },
    acceptDownloads: true,
    ...options,
  });
  if (script) await context.addInitScript(script);
  const page = await context.newPage();
  /** @type {string[]} */
  const problems = [];
  page.on("console", (message) => {
    const [type, text] = [message.type(), message.text()];
    if (text === NO_CARD) return;
    if (type === "error" || type === "warning") problems.push(`${type}: ${text}`);
  });
  page.on("pageerror", (error) => problems.push(`uncaught: ${error.message}`));
  context.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== "blob:" && origin !== new URL(url).origin) problems.push(`request to ${origin}`);
  });
  await page.goto(url);
  return { context, page, problems };
}

/** @param {import("playwright-core").Page} page */
export async function modelReady(page) {
  await page.waitForSelector('#engine-button[data-state="ready"]', { timeout: PATIENCE });
}

/**
 * Does something that starts the engine anew, and waits until it is ready again, however soon that is.
 * @param {import("playwright-core").Page} page
 * @param {() => Promise<unknown>} act
 */
export async function restarts(page, act) {
  await page.evaluate(() => {
    const button = /** @type {HTMLElement} */ (document.querySelector("#engine-button"));
    delete button.dataset.left;
    const leaving = new MutationObserver(() => {
      if (button.dataset.state === "ready") return;
      button.dataset.left = "yes";
      leaving.disconnect();
    });
    leaving.observe(button, { attributeFilter: ["data-state"] });
  });
  await act();
  await page.waitForSelector("#engine-button[data-left]", { timeout: PATIENCE });
  await modelReady(page);
}

/** @param {import("playwright-core").Page} page */
export async function inverted(page) {
  await page.waitForSelector("#save:not(:disabled)", { timeout: PATIENCE });
  await settled(page);
}

/**
 * Opens a sample of the start page, and waits until it can be edited.
 * @param {import("playwright-core").Page} page
 * @param {number} [which]
 */
export async function openSample(page, which = 0) {
  await page.locator("#sample-list button").nth(which).click();
  await inverted(page);
}

/**
 * Waits until no edit is under way.
 * @param {import("playwright-core").Page} page
 */
export async function settled(page) {
  await page.waitForFunction(() => !document.querySelector("#compare.busy"), undefined, { timeout: PATIENCE });
}

/**
 * Waits until each look has its picture.
 * @param {import("playwright-core").Page} page
 */
export async function looksMade(page) {
  await page.waitForFunction(
    () => {
      const all = [...document.querySelectorAll(".look")];
      return all.length > 1 && all.every((each) => each.classList.contains("made"));
    },
    undefined,
    { timeout: PATIENCE },
  );
}

/**
 * Shows the whole photo, and waits until it is there.
 * @param {import("playwright-core").Page} page
 * @param {number} width of the photo in pixels
 */
export async function showWholePhoto(page, width) {
  await page.getByRole("radio", { name: "Whole photo" }).check();
  await page.waitForFunction((width) => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector("#compare .after"));
    return canvas.width === width;
  }, width);
  await settled(page);
}

/**
 * Sets a slider as a hand would, and waits for the picture.
 * @param {import("playwright-core").Page} page
 * @param {string} name of the direction
 * @param {number} position from -100 to 100
 */
export async function slide(page, name, position) {
  const slider = page.locator(`[id="slider-${name}"]`);
  await slider.evaluate((input) => input.closest("details")?.setAttribute("open", ""));
  await slider.evaluate((input, value) => {
    /** @type {HTMLInputElement} */ (input).value = String(value);
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }, position);
  await settled(page);
}

/**
 * The pixels that a canvas of the comparison shows; that of the picture before is only filled while it is seen.
 * @param {import("playwright-core").Page} page
 * @param {"before" | "after"} [layer]
 * @returns {Promise<{ width: number, height: number, data: Uint8Array }>}
 */
export async function pixels(page, layer = "after") {
  const { width, height, text } = await page.evaluate((name) => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector(`#compare .${name}`));
    const toggle = canvas.hidden ? document.getElementById("compare-toggle") : undefined;
    toggle?.click();
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
      copy.getContext("2d", { willReadFrequently: true })
    );
    context.drawImage(canvas, 0, 0);
    toggle?.click();
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let binary = "";
    for (let i = 0; i < data.length; i += 0x8000) binary += String.fromCharCode(...data.subarray(i, i + 0x8000));
    return { width: canvas.width, height: canvas.height, text: btoa(binary) };
  }, layer);
  return { width, height, data: new Uint8Array(Buffer.from(text, "base64")) };
}

/**
 * The pixels of a picture file, as the page's browser decodes it.
 * @param {import("playwright-core").Page} page
 * @param {Uint8Array} file
 * @returns {Promise<{ width: number, height: number, data: Uint8Array }>}
 */
export async function decoded(page, file) {
  const { width, height, text } = await page.evaluate(async (base64) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let binary = "";
    for (let i = 0; i < data.length; i += 0x8000) binary += String.fromCharCode(...data.subarray(i, i + 0x8000));
    return { width: canvas.width, height: canvas.height, text: btoa(binary) };
  }, Buffer.from(file).toString("base64"));
  return { width, height, data: new Uint8Array(Buffer.from(text, "base64")) };
}

/**
 * One row of numbers as `numpy.save` writes it.
 * @param {number[]} values
 */
export function npy(values) {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (1, ${values.length}), }\n`;
  const start = Buffer.from(`\x93NUMPY\x01\x00${String.fromCharCode(header.length)}\x00${header}`, "latin1");
  return Buffer.concat([start, Buffer.from(Float32Array.from(values).buffer)]);
}

/**
 * Mean absolute difference of two pictures' colours, in 8-bit steps.
 * @param {{ data: Uint8Array }} a
 * @param {{ data: Uint8Array }} b
 */
export function difference(a, b) {
  assert.equal(a.data.length, b.data.length, "pictures of one size");
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) if (i % 4 !== 3) sum += Math.abs(a.data[i] - b.data[i]);
  return sum / ((a.data.length / 4) * 3);
}

/**
 * Waits until nothing moves or fades any more.
 * @param {import("playwright-core").Page} page
 */
export async function still(page) {
  await page.evaluate(async () => {
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const passing = document
      .getAnimations()
      .filter(({ effect }) => Number.isFinite(effect?.getComputedTiming().endTime))
      // In a closed group nothing is drawn, and no animation ever says that it is finished.
      .filter(({ effect }) => /** @type {KeyframeEffect} */ (effect).target?.checkVisibility());
    await Promise.allSettled(passing.map(({ finished }) => finished));
  });
}

export const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/**
 * Fails when axe finds anything against WCAG 2.2 AA in what the page shows now.
 * @param {import("playwright-core").Page} page
 * @param {string} state for the message
 * @param {{ part?: string, tags?: string[] }} [options] selector of the part that is looked at, and by which rules
 */
export async function accessible(page, state, { part = ":root", tags = [...WCAG, "best-practice"] } = {}) {
  // Colours are judged when they have arrived: transitions and notices fading in would be caught half way.
  await still(page);
  // The page's policy forbids scripts from outside, so the scanner comes through the debugger.
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const violations = await page.evaluate(
    async ([part, tags]) => {
      const { violations } = await /** @type {any} */ (globalThis).axe.run(part, { runOnly: tags });
      return violations.map(
        (/** @type {any} */ { id, nodes }) =>
          `${id}: ${nodes.map((/** @type {any} */ n) => `${n.html} ${n.failureSummary}`).join(" | ")}`,
      );
    },
    /** @type {const} */ ([part, tags]),
  );
  await session.detach();
  assert.deepEqual(violations, [], `axe on ${state}`);
}
