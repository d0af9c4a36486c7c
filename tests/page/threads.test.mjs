// The CPU engine on several threads, and on one: the same pictures, whatever happens to the further threads.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { host, inverted, launch, modelReady, pixels, root, slide, visit } from "./support.mjs";

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof edited>>} what one thread makes */
let alone;

before(async () => {
  browser = await launch();
  alone = await edited({ isolated: false });
});

after(() => browser?.close());

/**
 * Opens the first sample in a page that counts the tasks of the pool's threads.
 * @param {{ isolated?: boolean, engine?: string, start?: string, claimed?: string, begun?: string }} [options]
 *   `engine` is run by the engine's worker when it starts; `start` by each thread when it starts, `claimed` before its
 *   sixth task and all that follow, `begun` when it has begun with one
 */
async function edited({ isolated, engine = "", start = "", claimed = "", begun = "" } = {}) {
  const site = await host(path.join(root, "weights"), { isolated });
  const script = path.join(site.folder, "workers/pool-thread.js");
  const spy = `${start}
let tasks = 0;
const channel = new BroadcastChannel("tasks");
const { compareExchange } = Atomics;
Atomics.compareExchange = (control, at, expected, next) => {
  channel.postMessage(++tasks);
  if (tasks >= 6) { ${claimed} }
  const found = compareExchange(control, at, expected, next);
  if (tasks >= 6 && found === expected) { ${begun} }
  return found;
};
`;
  await writeFile(script, spy + (await readFile(script, "utf8")));
  const owner = path.join(site.folder, "workers/engine.js");
  await writeFile(owner, `${engine}\n${await readFile(owner, "utf8")}`);
  const { page, problems, context } = await visit(browser, site.url);
  await page.evaluate(() => {
    const page = /** @type {any} */ (globalThis);
    page.tasks = 0;
    page.channel = new BroadcastChannel("tasks");
    page.channel.onmessage = () => page.tasks++;
  });
  await modelReady(page);
  const tasks = () => page.evaluate(() => /** @type {any} */ (globalThis).tasks);
  const status = async () => {
    await page.click("#engine-button");
    const text = (await page.locator("#engine-now").textContent()) ?? "";
    await page.keyboard.press("Escape");
    return /\((CPU.*)\)/.exec(text)?.[1];
  };
  const before = await status();
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  const inversion = await tasks();
  const slider = (await page.locator("#sliders input[type=range]").first().getAttribute("id")) ?? "";
  await slide(page, slider.replace(/^slider-/, ""), 70);
  const { data } = await pixels(page);
  const threads = await page.evaluate(() => Math.min(navigator.hardwareConcurrency, 8));
  const result = { data, before, after: await status(), inversion, total: await tasks(), threads, problems };
  await context.close();
  await site.remove();
  return result;
}

test("without the headers that allow shared memory there is one thread", () => {
  assert.deepEqual([alone.before, alone.after, alone.total], ["CPU (WebAssembly)", "CPU (WebAssembly)", 0]);
  assert.deepEqual(alone.problems, []);
});

test("with them all processors share the work, and every pixel is the same", async (context) => {
  const pool = await edited();
  if (pool.threads === 1) return context.skip("one processor only");
  const status = `CPU (WebAssembly), ${pool.threads} threads`;
  assert.deepEqual([pool.before, pool.after], [status, status]);
  assert.ok(pool.inversion > 10, `${pool.inversion} tasks for an inversion`);
  assert.ok(pool.total > pool.inversion, "tasks for an edit");
  assert.ok(Buffer.from(pool.data).equals(Buffer.from(alone.data)), "the same picture");
  assert.deepEqual(pool.problems, []);
});

for (const processors of [3, 4, 8]) {
  test(`on ${processors} processors the pool lasts, and every pixel is the same`, async () => {
    const pool = await edited({
      engine: `Object.defineProperty(navigator, "hardwareConcurrency", { value: ${processors} });`,
    });
    const status = `CPU (WebAssembly), ${processors} threads`;
    assert.deepEqual([pool.before, pool.after], [status, status]);
    assert.ok(Buffer.from(pool.data).equals(Buffer.from(alone.data)), "the same picture");
    assert.deepEqual(pool.problems, []);
  });
}

test("without further threads that start, there is one", async () => {
  const { before, total, problems } = await edited({ start: "throw new Error('cannot start');" });
  assert.deepEqual([before, total, problems], ["CPU (WebAssembly)", 0, []]);
});

test("a thread that has died takes no work with it", async (context) => {
  const pool = await edited({ claimed: "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);" });
  if (pool.threads === 1) return context.skip("one processor only");
  assert.ok(pool.inversion >= 6, `${pool.inversion} tasks`);
  assert.ok(Buffer.from(pool.data).equals(Buffer.from(alone.data)), "the same picture");
});

test("an engine that is never heard of again while it starts threads is replaced by one of one thread", async () => {
  const wait = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);";
  const pool = await edited({ engine: `self.Worker = function () { ${wait} };` });
  assert.deepEqual([pool.before, pool.total, pool.problems], ["CPU (WebAssembly)", 0, []]);
  assert.ok(Buffer.from(pool.data).equals(Buffer.from(alone.data)), "the same picture");
});

for (const [what, begun] of [
  ["hangs", "for (;;);"],
  ["fails", "Uint8Array.prototype.subarray = () => { throw new Error('fails'); };"],
]) {
  test(`when a thread ${what} at work, the engine goes on alone and nothing else changes`, async (context) => {
    const pool = await edited({ begun });
    if (pool.threads === 1) return context.skip("one processor only");
    assert.deepEqual([pool.before, pool.after], [`CPU (WebAssembly), ${pool.threads} threads`, "CPU (WebAssembly)"]);
    assert.ok(Buffer.from(pool.data).equals(Buffer.from(alone.data)), "the same picture");
  });
}
