// What never answers: a host that stops sending, and storage that is broken. Neither keeps the visitor waiting for
// ever.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { seal } from "../../www/tools/assemble.mjs";
import {
  difference,
  host,
  inverted,
  launch,
  modelReady,
  npy,
  pixels,
  slide,
  tinyWithSample,
  visit,
} from "./support.mjs";

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {string} */
let weights;

before(async () => {
  weights = await tinyWithSample();
  browser = await launch();
});

after(() => browser?.close());

/**
 * Lets a time limit be over at once, wherever `when` is so.
 * @param {number} limit in milliseconds
 * @param {string} [when]
 */
const hasty = (limit, when = "true") =>
  `globalThis.setTimeout = ((set) => (act, after, ...rest) => set(act, after === ${limit} && ${when} ? 0 : after, ...rest))(setTimeout);\n`;

/**
 * A site whose engine's worker runs a script before anything else.
 * @param {string} script
 */
async function siteWith(script) {
  const site = await host(weights);
  const file = path.join(site.folder, "workers/engine.js");
  await writeFile(path.join(site.folder, "workers/silence.js"), script);
  await writeFile(file, `import "./silence.js";\n${await readFile(file, "utf8")}`);
  await seal(site.folder);
  return site;
}

/** Has the first answers for a shard end half way, without an end. @param {number} times */
const stalling = (times) => `let [stalled, silent] = [0, false];
${hasty(40_000, "silent")}
const { fetch } = globalThis;
globalThis.fetch = async (what, options) => {
  silent = false;
  const response = await fetch(what, options);
  if (!String(what).endsWith(".safetensors") || stalled++ >= ${times}) return response;
  const bytes = new Uint8Array(await response.arrayBuffer());
  silent = true;
  const half = new ReadableStream({ start: (controller) => controller.enqueue(bytes.subarray(0, bytes.length >> 1)) });
  return new Response(half);
};
`;

test("a host that stops sending half way is asked again", async () => {
  const site = await siteWith(stalling(2));
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("a host that always stops sending is named, and can be tried again", async () => {
  const site = await siteWith(stalling(3));
  const { page, context } = await visit(browser, site.url);
  await page.waitForSelector('#engine-button[data-state="failed"]', { timeout: 60_000 });
  assert.match(
    await page.locator(".notice.failure").first().innerText(),
    /shard-000\.safetensors could not be loaded/,
  );
  await context.close();
  await site.remove();
});

test("where storage never answers, the editor works and says what it does not keep", async () => {
  const script = `{
    const never = () => new Promise(() => {});
    for (const name of ["open", "has", "keys", "match", "delete"]) CacheStorage.prototype[name] = never;
    ${hasty(10_000)}
  }\n`;
  const site = await siteWith(script);
  const { page, problems, context } = await visit(browser, site.url, { script });
  await modelReady(page);
  await page.locator("#sample-list button").click();
  await inverted(page);
  const lean = { name: "lean.npy", mimeType: "", buffer: npy(Array.from({ length: 24 }, (_, i) => Math.cos(i))) };
  await page.setInputFiles("#direction-files", lean);
  await page.locator(".notice", { hasText: "lean.npy can be used now, but this browser did not keep it" }).waitFor();
  const plain = await pixels(page);
  await slide(page, "own/lean.npy/lean", 60);
  assert.ok(difference(plain, await pixels(page)) > 0);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});
