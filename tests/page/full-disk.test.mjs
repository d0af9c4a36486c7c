// A disk without room, and what keeps settings without any: the editor works, and says what it does not keep.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import {
  changeFile,
  difference,
  host,
  inverted,
  launch,
  modelReady,
  pixels,
  slide,
  tinyWithSample,
  visit,
} from "./support.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof host>>} */
let site;

/** Takes any file for a checkpoint, and makes a model of one shard of it. */
const CONVERSION = `export default async function init() {}
export class CheckpointConversion {
  #next = 0;
  nextFile() {
    const bytes = new Uint8Array(500_000);
    const shards = [{ file: "shard.bin", bytes: bytes.length, sha256: "" }];
    const files = [
      { name: "shard.bin", bytes },
      { name: "manifest.json", bytes: new TextEncoder().encode(JSON.stringify({ title: "New", shards })) },
    ];
    const file = files[this.#next++];
    return file && { ...file, done: this.#next, total: files.length };
  }
  free() {}
}
`;

before(async () => {
  const weights = await tinyWithSample();
  [browser, site] = await Promise.all([launch(), host(weights)]);
  await writeFile(path.join(site.folder, "workers/fake.js"), CONVERSION);
  await changeFile(site.folder, "workers/convert.js", (text) => text.replace("../pkg/cpu/sdic.js", "./fake.js"));
});

after(async () => {
  await browser?.close();
  await site?.remove();
});

/**
 * Leaves the page's origin this many bytes to keep things in.
 * @param {Page} page
 * @param {number} quotaSize
 */
async function leave(page, quotaSize) {
  const session = await page.context().newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(site.url).origin, quotaSize });
}

/** @param {Page} page */
async function edits(page) {
  await modelReady(page);
  await page.locator("#sample-list button").click();
  await inverted(page);
  const plain = await pixels(page);
  await slide(page, "tilt", 80);
  assert.ok(difference(plain, await pixels(page)) > 0);
}

test("a first visit on a full disk loads and edits, though nothing can be kept", async () => {
  const { page, problems, context } = await visit(browser, "about:blank");
  await leave(page, 1000);
  await page.goto(site.url);
  await edits(page);
  assert.deepEqual(
    problems.filter((problem) => !problem.startsWith("request to")), // the page came after the visit began
    [],
  );
  const kept = await page.evaluate(async () => {
    const sizes = [];
    for (const name of await caches.keys()) {
      if (!name.includes("weights")) continue;
      const cache = await caches.open(name);
      for (const key of await cache.keys()) sizes.push((await (await cache.match(key))?.blob())?.size);
    }
    return sizes;
  });
  assert.deepEqual(kept, [], "there was no room");
  await page.reload();
  await edits(page);
  await context.close();
});

test("a model for which there is no room is refused with what to do, and leaves nothing", async () => {
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await leave(page, 1000);
  await page.setInputFiles("#checkpoint", { name: "model.pt", mimeType: "", buffer: Buffer.from("PK") });
  const failure = page.locator(".notice.failure").first();
  await failure.waitFor();
  assert.match(await failure.innerText(), /not enough storage left.*Free about/s);
  const left = await page.evaluate(async () => {
    const names = [];
    for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name);
    return names;
  });
  assert.deepEqual(left, []);
  await edits(page);
  assert.deepEqual(problems, []);
  await context.close();
});
