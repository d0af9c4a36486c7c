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
 * Opens the first sample in a page that counts the errands of the crew's members.
 * @param {{ isolated?: boolean, start?: string, member?: string }} [options] `start` is run by each member when it
 *   starts, `member` with its sixth errand and all that follow
 */
async function edited({ isolated, start = "", member = "" } = {}) {
  const site = await host(path.join(root, "weights"), { isolated });
  const script = path.join(site.folder, "workers/crew-member.js");
  const spy = `${start}
let errands = 0;
const channel = new BroadcastChannel("errands");
self.addEventListener("message", (event) => {
  channel.postMessage(++errands);
  if (errands >= 6) { ${member} }
});
`;
  await writeFile(script, spy + (await readFile(script, "utf8")));
  const { page, problems, context } = await visit(browser, site.url);
  await page.evaluate(() => {
    const page = /** @type {any} */ (globalThis);
    page.errands = 0;
    page.channel = new BroadcastChannel("errands");
    page.channel.onmessage = () => page.errands++;
  });
  await modelReady(page);
  const errands = () => page.evaluate(() => /** @type {any} */ (globalThis).errands);
  const status = async () => {
    await page.click("#engine-button");
    const text = (await page.locator("#engine-now").textContent()) ?? "";
    await page.keyboard.press("Escape");
    return /\((CPU.*)\)/.exec(text)?.[1];
  };
  const before = await status();
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  const inversion = await errands();
  const slider = (await page.locator("#sliders input[type=range]").first().getAttribute("id")) ?? "";
  await slide(page, slider.replace(/^slider-/, ""), 70);
  const { data } = await pixels(page);
  const threads = await page.evaluate(() => Math.min(navigator.hardwareConcurrency, 8));
  const result = { data, before, after: await status(), inversion, total: await errands(), threads, problems };
  await context.close();
  await site.remove();
  return result;
}

test("without the headers that allow shared memory there is one thread", () => {
  assert.deepEqual([alone.before, alone.after, alone.total], ["CPU (WebAssembly)", "CPU (WebAssembly)", 0]);
  assert.deepEqual(alone.problems, []);
});

test("with them all processors share the work, and every pixel is the same", async (context) => {
  const crew = await edited();
  if (crew.threads === 1) return context.skip("one processor only");
  const status = `CPU (WebAssembly), ${crew.threads} threads`;
  assert.deepEqual([crew.before, crew.after], [status, status]);
  assert.ok(crew.inversion > 10, `${crew.inversion} errands for an inversion`);
  assert.ok(crew.total > crew.inversion, "errands for an edit");
  assert.ok(Buffer.from(crew.data).equals(Buffer.from(alone.data)), "the same picture");
  assert.deepEqual(crew.problems, []);
});

test("without members that start, there is one thread", async () => {
  const { before, total, problems } = await edited({ start: "throw new Error('cannot start');" });
  assert.deepEqual([before, total, problems], ["CPU (WebAssembly)", 0, []]);
});

test("a member that has died takes no work with it", async (context) => {
  const crew = await edited({ member: "event.stopImmediatePropagation(); self.close();" });
  if (crew.threads === 1) return context.skip("one processor only");
  assert.ok(crew.inversion >= 6, `${crew.inversion} errands`);
  assert.ok(Buffer.from(crew.data).equals(Buffer.from(alone.data)), "the same picture");
});

for (const [what, member] of [
  ["hangs", "const { control, number } = event.data; if (Atomics.compareExchange(control, 0, 4 * number, 4 * number + 1) === 4 * number) for (;;);"],
  ["fails", "event.data.order = '';"],
]) {
  test(`when a member ${what} at work, the engine goes on alone and nothing else changes`, async (context) => {
    const crew = await edited({ member });
    if (crew.threads === 1) return context.skip("one processor only");
    assert.deepEqual([crew.before, crew.after], [`CPU (WebAssembly), ${crew.threads} threads`, "CPU (WebAssembly)"]);
    assert.ok(Buffer.from(crew.data).equals(Buffer.from(alone.data)), "the same picture");
  });
}
