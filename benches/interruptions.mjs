// A large checkpoint in the page, in Chromium: its conversion is interrupted in ten ways, each of which must leave the
// model that was kept before; then it is converted, loaded, used for an edit, and removed.
//
//   node benches/interruptions.mjs CHECKPOINT.pt [--whole]
//
// Prints how long the conversion took, how much memory the processes of pages held at most meanwhile (`/proc`), how
// long the first inversion and an edit took, and what was kept. `--whole` leaves the interruptions out. Needs
// `CHROMIUM`, `./build.sh build`, and three times the checkpoint's size on the disk.
import assert from "node:assert/strict";
import { constants, copyFile, mkdtemp, open, readdir, readFile, rm, stat, symlink, truncate } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  converted,
  faulty,
  formerStands,
  limitStorage,
  offer,
  offered,
  refused,
  stopped,
  tab,
} from "../tests/page/interruptions.mjs";
import { difference, host, inverted, modelReady, pixels, root, slide, weightsLike } from "../tests/page/support.mjs";

/** @import { Page } from "playwright-core" */

const { chromium } = createRequire(new URL("../www/package.json", import.meta.url))("playwright-core");
const FORMER = "pSp model, imported, without compensation";
const HOUR = 3_600_000;
const [given, option] = process.argv.slice(2);
assert.ok(given, "usage: node benches/interruptions.mjs CHECKPOINT.pt [--whole]");
const large = path.resolve(given);
const { size } = await stat(large);
const folder = await mkdtemp(path.join(tmpdir(), "sdic-large-"));
const weights = await weightsLike("tests/golden/tiny");
const site = await host(weights, { readable: true });
await faulty(site.folder);
// Not incognito, where a browser keeps files in memory.
const context = await chromium.launchPersistentContext(path.join(folder, "profile"), {
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox"],
  viewport: { width: 1280, height: 860 },
});
context.setDefaultTimeout(HOUR);
const mb = (/** @type {number} */ bytes) => `${Math.round(bytes / 1e6)} MB`;
const say = (/** @type {string} */ text) => void process.stdout.write(`${text}\n`);

/**
 * The checkpoint under another name, which asks for an interruption.
 * @param {string} name
 */
async function named(name) {
  const file = path.join(folder, `${name}.pt`);
  await symlink(large, file).catch(() => {});
  return file;
}

/** A copy of the checkpoint, to be changed. @param {string} name */
async function copied(name) {
  const file = path.join(folder, name);
  await copyFile(large, file, constants.COPYFILE_FICLONE);
  return file;
}

/** Memory that the processes of pages hold now, in bytes: those that descend from the browser of this profile. */
async function held() {
  /** @type {Map<string, { parent: string, line: string }>} */
  const all = new Map();
  for (const id of await readdir("/proc")) {
    if (!/^\d+$/.test(id)) continue;
    const status = await readFile(`/proc/${id}/status`, "utf8").catch(() => "");
    const line = await readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "");
    all.set(id, { parent: /^PPid:\s+(\d+)/m.exec(status)?.[1] ?? "", line });
  }
  const ours = (/** @type {string} */ id) => {
    for (let at = all.get(id); at; at = all.get(at.parent)) if (at.line.includes(folder)) return true;
    return false;
  };
  let sum = 0;
  for (const [id, { line }] of all) {
    if (!line.includes("--type=renderer") || !ours(id)) continue;
    const text = await readFile(`/proc/${id}/smaps_rollup`, "utf8").catch(() => "");
    sum += 1024 * Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0);
  }
  return sum;
}

/**
 * @param {() => Promise<unknown>} run
 * @returns {Promise<{ seconds: number, memory: number }>} `memory`: the most that was held meanwhile
 */
async function measured(run) {
  let memory = 0;
  let over = false;
  const watching = (async () => {
    while (!over) {
      memory = Math.max(memory, await held());
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
  const start = performance.now();
  await run();
  const seconds = (performance.now() - start) / 1000;
  over = true;
  await watching;
  return { seconds, memory };
}

/**
 * @param {string} what
 * @param {(page: Page) => Promise<unknown>} run in a tab that is closed afterwards
 */
async function interrupted(what, run) {
  const start = performance.now();
  const page = await tab(context, site.url);
  await run(page);
  await page.close();
  await formerStands(context, site.url, FORMER);
  say(`the former model stands: ${what} (${((performance.now() - start) / 1000).toFixed(0)} s)`);
}

async function interruptions() {
  for (const [n, what] of /** @type {const} */ ([
    [1, "a tab closed before anything is written"],
    [2, "a tab closed before the first shard"],
    [12, "a tab closed before the 11th shard"],
    [0, "a tab closed before the manifest"],
  ]))
    await interrupted(what, async (page) => stopped(page, await named(`stop-${n}`)));
  await interrupted("a tab loaded anew after 7 shards", async (page) => {
    await stopped(page, await named("stop-9"));
    await page.reload();
    await modelReady(page);
  });
  await interrupted("a crash of the worker after 4 shards", async (page) => {
    await stopped(page, await named("crash-6"));
    await page.locator(".notice.failure").first().waitFor();
  });
  await interrupted("a full disk, after some 100 MB", async (page) => {
    const lift = await limitStorage(page, 100e6);
    await offer(page, await named("full"));
    await refused(page, "not enough storage left");
    await lift();
  });
  await interrupted("a damaged tensor in the middle", async (page) => {
    const file = await copied("damaged.pt");
    const handle = await open(file, "r+");
    const at = Math.floor(size / 2);
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, at);
    await handle.write(Buffer.from([buffer[0] ^ 1]), 0, 1, at);
    await handle.close();
    await offer(page, file);
    await refused(page, /tensor|entry/);
    await rm(file);
  });
  await interrupted("a file cut short", async (page) => {
    const file = await copied("short.pt");
    await truncate(file, Math.floor(0.9 * size));
    await offer(page, file);
    await refused(page, /incomplete/);
    await rm(file);
  });
  await interrupted("two tabs at once, both closed half way", async (page) => {
    const other = await tab(context, site.url);
    await Promise.all([stopped(page, await named("stop-8")), named("stop-5").then((file) => stopped(other, file))]);
    await other.close();
  });
}

try {
  const first = await tab(context, site.url);
  await offer(first, path.join(root, "tests/golden/psp.pt"));
  await converted(first);
  await modelReady(first);
  await first.close();
  if (option !== "--whole") await interruptions();

  const page = await tab(context, site.url);
  const file = await named("whole");
  const before = await held();
  const conversion = await measured(async () => {
    await offer(page, file);
    await converted(page);
  });
  const { seconds, memory } = conversion;
  say(`${mb(size)} converted in ${seconds.toFixed(0)} s, with at most ${mb(memory)} held, ${mb(before)} before`);
  const loading = await measured(() => modelReady(page));
  say(`loaded in ${loading.seconds.toFixed(0)} s, with at most ${mb(loading.memory)} held`);
  const { used } = await offered(page);
  const inversion = await measured(async () => {
    await page.setInputFiles("#file", path.join(root, "weights/samples/01.webp"));
    await page.waitForSelector("#save:not(:disabled)"); // for as long as it takes
    await inverted(page);
  });
  say(`a photo inverted in ${inversion.seconds.toFixed(0)} s, with at most ${mb(inversion.memory)} held`);
  const still = await pixels(page);
  const edit = await measured(() => slide(page, "coarse-1", 80));
  assert.ok(difference(still, await pixels(page)) > 0, "an edit changes the picture");
  say(`edited in ${edit.seconds.toFixed(0)} s`);
  await page.click("#engine-button");
  await page.getByRole("button", { name: `Remove “${used}”` }).click();
  await page.locator(".notice", { hasText: `“${used}” was removed` }).waitFor();
  await modelReady(page);
  await page.close();
  const last = await tab(context, site.url);
  assert.deepEqual((await offered(last)).names, ["Bundled with this page", FORMER]);
  say("removed; the former model is still offered");
} finally {
  await context.close();
  await site.remove();
  for (const each of [folder, weights]) await rm(each, { recursive: true });
}
