// Conversions that come to nothing: what stops them, and what must stand afterwards. For tests and benches.
import assert from "node:assert/strict";
import { rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { seal } from "../../www/tools/assemble.mjs";
import { modelReady, PATIENCE } from "./support.mjs";

/** @import { BrowserContext, Page } from "playwright-core" */
/** @typedef {string | { name: string, mimeType: string, buffer: Buffer }} Checkpoint a path, or contents */

const FAULTS = `let plan;
let writes = 0;
const never = new Promise(() => {});

// A checkpoint called stop-N or crash-N stops, or brings the worker down, before its Nth file is written; stop-0 and
// crash-0 do so before the manifest, which is the last. One called spin-N keeps the worker busy there.
export async function fault(name, bytes) {
  if (name === "from.txt") plan = /^(stop|crash|spin)-(\\d+)/.exec(new TextDecoder().decode(bytes));
  if (name === "source.json") return; // which goes with it
  writes++;
  if (!plan || (plan[2] === "0" ? name !== "manifest.json" : writes !== Number(plan[2]))) return;
  console.info("stopped before " + name);
  if (plan[1] === "spin") for (;;) Math.random();
  if (plan[1] === "crash") {
    setTimeout(() => {
      throw new Error("a crash");
    });
    await never;
  }
  await new Promise((resolve) => {
    new BroadcastChannel("faults").onmessage = resolve;
  });
}
`;

/** Stands before the page's own module of that name. */
const FILES = `import { fault } from "./faults.js";
import { writeFile as write } from "./files-page.js";
export * from "./files-page.js";

export async function writeFile(folder, name, bytes) {
  await fault(name, bytes);
  console.info("wrote " + name);
  return write(folder, name, bytes);
}
`;

/**
 * Lets the names of checkpoints say where their conversion stops.
 * @param {string} folder of the page
 */
export async function faulty(folder) {
  const workers = path.join(folder, "workers");
  await rename(path.join(workers, "files.js"), path.join(workers, "files-page.js"));
  await writeFile(path.join(workers, "files.js"), FILES);
  await writeFile(path.join(workers, "faults.js"), FAULTS);
  await seal(folder);
}

/**
 * Another tab with the page, which is ready.
 * @param {BrowserContext} context
 * @param {string} url
 */
export async function tab(context, url) {
  const page = await context.newPage();
  await page.goto(url);
  await modelReady(page);
  return page;
}

/**
 * Offers a checkpoint.
 * @param {Page} page
 * @param {Checkpoint} checkpoint
 */
export const offer = (page, checkpoint) => page.setInputFiles("#checkpoint", checkpoint);

/**
 * Offers a checkpoint whose name asks for a stop, and waits until it has stopped.
 * @param {Page} page
 * @param {Checkpoint} checkpoint
 */
export async function stopped(page, checkpoint) {
  const there = page.waitForEvent("console", {
    predicate: (message) => message.text().startsWith("stopped before"),
    timeout: 4 * PATIENCE,
  });
  await offer(page, checkpoint);
  await there;
}

/**
 * Waits for a failure with these words.
 * @param {Page} page
 * @param {string | RegExp} words
 */
export const refused = (page, words) =>
  page
    .locator(".notice.failure", { hasText: words })
    .first()
    .waitFor({ timeout: 4 * PATIENCE });

/** @param {Page} page */
export const converted = (page) =>
  page.locator(".notice", { hasText: "are converted and kept" }).waitFor({ timeout: 4 * PATIENCE });

/**
 * What the dialog offers, and which of it is used.
 * @param {Page} page
 */
export async function offered(page) {
  await page.click("#engine-button");
  await page.locator("#engine-dialog[open] #own-choices").getByText("Bundled with this page").waitFor();
  const names = await page.locator("#own-choices .name").allInnerTexts();
  const used = await page.locator("#own-choices label:has(:checked) .name").innerText();
  await page.keyboard.press("Escape");
  return { names, used };
}

/**
 * Fails unless a new tab loads this model, offers it and the bundled one, and finds nothing half written.
 * @param {BrowserContext} context
 * @param {string} url
 * @param {string} title of the former model
 */
export async function formerStands(context, url, title) {
  const page = await tab(context, url);
  assert.deepEqual(await offered(page), { names: ["Bundled with this page", title], used: title });
  await page.waitForFunction(async () => {
    const { leftOverBytes } = await import(new URL("shared/own-model.js", location.href).href);
    return (await leftOverBytes()) === 0;
  });
  await page.close();
}

/**
 * Lets the browser keep only so many bytes more for the page.
 * @param {Page} page
 * @param {number} more than it keeps already
 * @returns {Promise<() => Promise<void>>} gives it back its room
 */
export async function limitStorage(page, more) {
  const usage = await page.evaluate(async () => {
    await navigator.serviceWorker.ready; // which keeps the page itself
    return (await navigator.storage.estimate()).usage ?? 0;
  });
  const debug = await page.context().newCDPSession(page);
  await debug.send("Storage.overrideQuotaForOrigin", { origin: new URL(page.url()).origin, quotaSize: usage + more });
  return () => debug.detach(); // the limit goes with it
}
