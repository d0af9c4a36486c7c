// How much the page's memory grows with long use, in Chromium.
//
//   node benches/memory.mjs [--saves 50] [--edits 500]
//
// Opens a photo of 24 megapixels with a sample face in it, edits it and saves all of it again and again. Prints, after
// everything that can be collected was, the JavaScript heaps of page and workers (by the debugger's protocol) and what
// the browser's process for the page holds in all (`/proc`: pixels and WebAssembly included). Fails when either has
// grown by more than 50 MB from the second save on. Needs `./build.sh build`.
import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { inverted, launch, modelReady, root, settled, visit } from "../tests/page/support.mjs";
import { serve } from "../www/tools/serve.mjs";

const MOST_GROWTH = 50e6;
/** @param {string} name @param {number} otherwise */
const option = (name, otherwise) => Number(process.argv[process.argv.indexOf(name) + 1 || Infinity] ?? otherwise);
const SAVES = option("--saves", 50);
const EDITS = option("--edits", 500);
const [WIDTH, HEIGHT] = [6000, 4000];

/**
 * A photo of 24 megapixels: a sample portrait, laid into a plain one.
 * @param {import("playwright-core").Page} page
 */
async function photoOf(page) {
  const text = await page.evaluate(
    async ([width, height]) => {
      const source = /** @type {HTMLImageElement} */ (document.querySelector("#sample-list img")).src;
      const face = await createImageBitmap(await (await fetch(source)).blob());
      const canvas = new OffscreenCanvas(width, height);
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
      context.fillStyle = "#9db4c8";
      context.fillRect(0, 0, width, height);
      context.drawImage(face, width / 3, height / 4, height / 2, height / 2);
      const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg" })).arrayBuffer());
      return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    },
    /** @type {const} */ ([WIDTH, HEIGHT]),
  );
  const file = path.join(tmpdir(), "sdic-memory.jpg");
  await writeFile(file, Buffer.from(text, "base64"));
  return file;
}

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

process.env.CHROMIUM ??= execFileSync("sh", ["-c", "command -v chromium || command -v google-chrome"], {
  encoding: "utf8",
}).trim();
const browser = await launch();
const { url, close } = await serve(path.join(root, "dist"));
try {
  const { page } = await visit(browser, url, { serviceWorkers: "block" });
  await modelReady(page);
  await page.setInputFiles("#file", await photoOf(page));
  await inverted(page);
  const measure = await meter(browser, page);
  const slider = (await page.locator("#sliders input[type=range]").first().getAttribute("id")) ?? "";

  const save = async () => {
    await page.click("#save");
    const download = page.waitForEvent("download");
    await page.click("#save-png");
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

  /** @param {string} what @param {number} times @param {(round: number) => Promise<void>} once */
  const grow = async (what, times, once) => {
    await once(0);
    await once(1);
    const before = await measure();
    for (let round = 2; round < times + 2; round++) await once(round);
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
} finally {
  await browser.close();
  await close();
}
