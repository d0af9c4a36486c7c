// How much the page's memory grows with long use, in Chromium.
//
//   node benches/memory.mjs [--saves 50] [--edits 500]
//
// Opens a photo of 24 megapixels with the sample faces in it, edits one, saves all of it, edits while all of it is
// shown, goes from face to face, and opens the photo, each again and again. Prints, after everything that can be
// collected was, the JavaScript heaps of page and workers (by the debugger's protocol) and what the browser's process
// for the page holds in all (`/proc`: pixels and WebAssembly included). Fails when either has grown by more than 50 MB
// after the first rounds of one of these. Needs `./build.sh build`.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { inverted, launch, modelReady, root, settled, visit } from "../tests/page/support.mjs";
import { serve } from "../www/tools/serve.mjs";
import { groupPhoto } from "./group.mjs";

const MOST_GROWTH = 50e6;
/** @param {string} name @param {number} otherwise */
const option = (name, otherwise) => Number(process.argv[process.argv.indexOf(name) + 1 || Infinity] ?? otherwise);
const SAVES = option("--saves", 50);
const EDITS = option("--edits", 500);

/**
 * Measures what a page holds.
 * @param {import("playwright-core").Browser} browser
 * @param {import("playwright-core").Page} page
 */
async function meter(browser, page) {
  const debug = await page.context().newCDPSession(page);
  const whole = await browser.newBrowserCDPSession();
  /** @type {Set<string>} */
  const workers = new Set();
  const [next, answers] = [{ id: 1 }, new Map()];
  debug.on("Target.attachedToTarget", ({ sessionId }) => void workers.add(sessionId));
  debug.on("Target.detachedFromTarget", ({ sessionId }) => void workers.delete(sessionId));
  debug.on("Target.receivedMessageFromTarget", ({ message }) => {
    const { id, result } = JSON.parse(message);
    answers.get(id)?.(result);
  });
  await debug.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  /** @param {string} sessionId @param {string} method @returns {Promise<any>} */
  const inWorker = (sessionId, method) =>
    new Promise((resolve) => {
      const id = next.id++;
      answers.set(id, resolve);
      void debug.send("Target.sendMessageToTarget", { sessionId, message: JSON.stringify({ id, method }) });
    });

  /** Bytes of JavaScript heaps, after a collection. */
  async function heaps() {
    await debug.send("HeapProfiler.collectGarbage");
    let { usedSize: sum } = await debug.send("Runtime.getHeapUsage");
    for (const worker of workers) {
      await inWorker(worker, "HeapProfiler.collectGarbage");
      sum += (await inWorker(worker, "Runtime.getHeapUsage")).usedSize;
    }
    return sum;
  }

  /** Bytes that the page's process has to itself. */
  async function resident() {
    const { processInfo } = await whole.send("SystemInfo.getProcessInfo");
    let sum = 0;
    for (const { id, type } of processInfo) {
      if (type !== "renderer") continue;
      const text = await readFile(`/proc/${id}/smaps_rollup`, "utf8").catch(() => "");
      for (const [, kilobytes] of text.matchAll(/^Private_\w+:\s+(\d+) kB$/gm)) sum += 1024 * Number(kilobytes);
    }
    return sum;
  }

  return async () => {
    await heaps(); // the first collection lets go of what the second finds free
    return { heap: await heaps(), process: await resident() };
  };
}

/** @param {number} bytes */
const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

const browser = await launch();
const { url, close } = await serve(path.join(root, "dist"));
try {
  const { page } = await visit(browser, url, { serviceWorkers: "block" });
  await modelReady(page);
  const photo = await groupPhoto(page);
  const open = async () => {
    await page.setInputFiles("#file", photo);
    await page.locator("#save:disabled").waitFor();
    await inverted(page);
  };
  await open();
  const faces = page.locator("#faces input");
  const count = await faces.count();
  assert.ok(count > 6, `${count} faces: more than keep their inversions`);
  const measure = await meter(browser, page);
  const slider = (await page.locator("#sliders input[type=range]").first().getAttribute("id")) ?? "";

  const save = async () => {
    await page.click("#save");
    const download = page.waitForEvent("download");
    await page.click("#save-file");
    await (await download).delete();
  };
  const edit = async (/** @type {number} */ position) => {
    await page.evaluate(
      ([id, value]) => {
        const input = /** @type {HTMLInputElement} */ (document.getElementById(id));
        input.value = value;
        for (const type of ["input", "change"]) input.dispatchEvent(new Event(type, { bubbles: true }));
      },
      /** @type {const} */ ([slider, String(position)]),
    );
    await settled(page);
  };

  /**
   * @param {string} what
   * @param {number} times
   * @param {(round: number) => Promise<void>} once
   * @param {number} [first] rounds that are not measured: what is kept for good is there after them
   */
  const grow = async (what, times, once, first = 2) => {
    for (let round = 0; round < first; round++) await once(round);
    const before = await measure();
    for (let round = first; round < times + first; round++) await once(round);
    const after = await measure();
    const growth = { heap: after.heap - before.heap, process: after.process - before.process };
    console.log(
      `${times} ${what}:`,
      `heaps ${mb(before.heap)}, grown by ${mb(growth.heap)};`,
      `process ${mb(before.process)}, grown by ${mb(growth.process)}`,
    );
    if (Math.max(growth.heap, growth.process) > MOST_GROWTH) process.exitCode = 1;
  };
  await grow("edits", EDITS, (round) => edit(20 + (round % 60)));
  await grow("saves of 24 megapixels", SAVES, save);
  await page.getByRole("radio", { name: "Whole photo" }).check();
  await settled(page);
  await grow("edits of the whole photo", Math.ceil(EDITS / 10), (round) => edit(20 + (round % 60)));
  await page.getByRole("radio", { name: "Face", exact: true }).check();
  const visitFace = async (/** @type {number} */ round) => {
    await faces.nth((round + 1) % count).check();
    await inverted(page);
    await edit(20 + (round % 60));
  };
  await grow(`visits to ${count} faces`, 3 * count, visitFace, count);
  await grow("photos opened", Math.ceil(SAVES / 5), open);
} finally {
  await browser.close();
  await close();
}
