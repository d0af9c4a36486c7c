// The CPU engine on several threads, and on one: the same pictures, whatever happens to the further threads.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { changeFile, host, inverted, launch, modelReady, pixels, root, slide, visit } from "./support.mjs";

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
 * Opens the first sample in a page that counts the parts that the pool's threads take in the engine's work.
 * @param {{ isolated?: boolean, engine?: string, start?: string, part?: string }} [options] `engine` is run by the
 *   engine's worker when it starts; `start` by each thread when it starts, and `part` after its fifth part and all that
 *   follow
 */
async function edited({ isolated, engine = "", start = "", part = "" } = {}) {
  const site = await host(path.join(root, "weights"), { isolated });
  await changeFile(site.folder, "workers/pool-thread.js", (text) => {
    const [imported, name] = /takePart as (\w+)/.exec(text) ?? assert.fail("a thread takes part by another name");
    return `${start};
let parts = 0;
const channel = new BroadcastChannel("parts");
const ${name} = () => {
  theirs();
  channel.postMessage(++parts);
  if (parts >= 5) { ${part} }
};
${text.replace(imported, "takePart as theirs")}`;
  });
  await changeFile(site.folder, "workers/engine.js", (text) => `${engine};\n${text}`);
  const { page, problems, context } = await visit(browser, site.url);
  await page.evaluate(() => {
    const page = /** @type {any} */ (globalThis);
    page.parts = 0;
    page.channel = new BroadcastChannel("parts");
    page.channel.onmessage = () => page.parts++;
  });
  await modelReady(page);
  const parts = () => page.evaluate(() => /** @type {any} */ (globalThis).parts);
  const status = async () => {
    await page.click("#engine-button");
    const text = (await page.locator("#engine-now").textContent()) ?? "";
    await page.keyboard.press("Escape");
    return /\((CPU.*)\)/.exec(text)?.[1];
  };
  const before = await status();
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  const inversion = await parts();
  const slider = (await page.locator("#sliders input[type=range]").first().getAttribute("id")) ?? "";
  await slide(page, slider.replace(/^slider-/, ""), 70);
  const { data } = await pixels(page);
  const threads = await page.evaluate(() => Math.min(navigator.hardwareConcurrency, 8));
  const result = { data, before, after: await status(), inversion, total: await parts(), threads, problems };
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
  assert.ok(pool.inversion > 10, `${pool.inversion} parts of an inversion`);
  assert.ok(pool.total > pool.inversion, "parts of an edit");
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
  const pool = await edited({ part: "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);" });
  if (pool.threads === 1) return context.skip("one processor only");
  assert.equal(pool.total, 5 * (pool.threads - 1));
  assert.ok(Buffer.from(pool.data).equals(Buffer.from(alone.data)), "the same picture");
});

test("an engine that is never heard of again while it starts threads is replaced by one of one thread", async () => {
  const wait = "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);";
  const pool = await edited({ engine: `self.Worker = function () { ${wait} };` });
  assert.deepEqual([pool.before, pool.total, pool.problems], ["CPU (WebAssembly)", 0, []]);
  assert.ok(Buffer.from(pool.data).equals(Buffer.from(alone.data)), "the same picture");
});

for (const [what, engine] of [
  ["without shared memory", "refuse(({ shared }) => shared)"],
  ["with room for less memory", "refuse(({ maximum }) => maximum > 2 ** 14)"],
  ["without a way to wait for a change in memory", "delete Atomics.waitAsync"],
]) {
  test(`${what} the engine runs as well`, async () => {
    const refuse = `const refuse = (which) => {
      const { Memory } = WebAssembly;
      WebAssembly.Memory = function (sizes) {
        if (which(sizes)) throw new RangeError("refused");
        return new Memory(sizes);
      };
    };`;
    const other = await edited({ isolated: !engine.includes("shared"), engine: `${refuse} ${engine}` });
    assert.deepEqual(other.problems, []);
    assert.ok(Buffer.from(other.data).equals(Buffer.from(alone.data)), "the same picture");
  });
}
