// The import of a checkpoint as its visitor sees it: room that is asked for, progress, what is gone on with, and the
// guide's steps from an empty browser.
import assert from "node:assert/strict";
import { copyFile, rm } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { sameFile } from "../../www/shared/source-file.js";
import { TimeLeft } from "../../www/shared/time-left.js";
import { converted, faulty, offer, offered, refused, stopped, tab } from "./interruptions.mjs";
import {
  accessible,
  difference,
  host,
  inverted,
  launch,
  modelReady,
  PATIENCE,
  pixels,
  restarts,
  root,
  slide,
  tinyWithSample,
  visit,
} from "./support.mjs";
import { temporary } from "./temporary.mjs";

/** @import { Page } from "playwright-core" */

const FORMER = "pSp model, imported, without compensation";
const NEW = "e4e model, imported, without compensation";

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {string} */
let weights;
/** @type {string} where the checkpoints are: a file is recognised by its time, too */
let folder;

before(async () => {
  weights = await tinyWithSample();
  folder = await temporary("checkpoints");
  browser = await launch();
});

after(async () => {
  await browser?.close();
  if (weights) await rm(weights, { recursive: true });
});

/**
 * A checkpoint of the repository under a name that says where its conversion stops.
 * @param {string} from
 * @param {string} name
 */
async function checkpoint(from, name) {
  const file = path.join(folder, name);
  await copyFile(path.join(root, "tests/golden", from), file);
  return file;
}

/** @param {string} [script] */
async function opened(script) {
  const site = await host(weights, { readable: true });
  await faulty(site.folder);
  const visited = await visit(browser, site.url, { script });
  visited.context.setDefaultTimeout(PATIENCE);
  await modelReady(visited.page);
  return { site, ...visited };
}

/** @param {Page} page */
const kept = (page) =>
  page.evaluate(async () => {
    const names = [];
    for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name);
    return names;
  });

/** @param {Page} page */
const listed = (page) => page.locator("#own-partial-list .name").allInnerTexts();

/**
 * Opens the dialog, and waits until it has its models.
 * @param {Page} page
 */
async function openDialog(page) {
  await page.click("#engine-button");
  await page.locator("#engine-dialog[open] #own-choices").getByText("Bundled with this page").waitFor();
}

/**
 * Chooses a file as a visitor does who has pressed a button for it.
 * @param {Page} page
 * @param {string} name of the button
 * @param {string} file
 */
async function choose(page, name, file) {
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name }).click();
  await (await chooser).setFiles(file);
}

test("the time left is told late, in round numbers, and does not jump", () => {
  const left = new TimeLeft(1000);
  assert.equal(left.at(0.1, 2900), undefined, "not in the first two seconds");
  assert.equal(left.at(0, 9000), undefined, "not while nothing is done");
  assert.equal(left.at(0.1, 3000), 20, "2 s for a tenth");
  assert.equal(left.at(0.11, 3400), 20, "a little slower");
  assert.equal(left.at(0.3, 6000), 15);
  assert.equal(left.at(0.3, 6100), 15);
  assert.equal(left.at(0.31, 13000), 30, "much slower");
  assert.equal(left.at(1, 14000), 1);
});

test("a file is recognised by its name, size, time and ends", () => {
  const one = { name: "a.pt", bytes: 10, modified: 5, digest: "00", needed: 5 };
  assert.ok(sameFile(one, { ...one, needed: 6 }));
  for (const other of [{ name: "b.pt" }, { bytes: 11 }, { modified: 6 }, { digest: "01" }])
    assert.ok(!sameFile(one, { ...one, ...other }), JSON.stringify(other));
  assert.ok(!sameFile(one, undefined));
});

test("room is asked for before anything is written, and a model that cannot fit is refused with what to do", async () => {
  const script = `
    globalThis.asked = [];
    StorageManager.prototype.persist = async () => asked.push("persist") > 0;
    StorageManager.prototype.estimate = async () => (asked.push("estimate"), { quota: 90_000, usage: 40_000 });`;
  const { site, page, problems, context } = await opened(script);
  await page.evaluate(() => void (/** @type {any} */ (globalThis).asked.splice(0)));
  await openDialog(page);
  await choose(page, "Load weights", await checkpoint("psp.pt", "psp.pt"));
  await refused(
    page,
    /needs about 0\.1\sMB, but this browser lets the page keep only 50\skB more.*Free room on the disk/,
  );
  assert.deepEqual(await page.evaluate(() => /** @type {any} */ (globalThis).asked), ["persist", "estimate"]);
  assert.deepEqual(await kept(page), []);
  await accessible(page, "a model that does not fit");
  // Browsers tell of their room only roughly.
  await restarts(page, () => page.getByRole("button", { name: "Try anyway" }).click());
  assert.equal((await offered(page)).used, FORMER);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("the dialog tells how far an import is, and stops it", async () => {
  const { site, page, problems, context } = await opened();
  await openDialog(page);
  const there = page.waitForEvent("console", { predicate: (message) => message.text().startsWith("stopped before") });
  await choose(page, "Load weights", await checkpoint("psp.pt", "stop-0.pt"));
  await there;
  const text = page.locator("#own-running-text", { hasText: /^Converting stop-0\.pt: 0\.\d\sMB of 0\.2\sMB read/ });
  await text.waitFor();
  await page.locator("#own-running-room", { hasText: /will take about 0\.1\sMB .* it offers .* more/ }).waitFor();
  assert.equal(await page.locator("#own-running [aria-live], #own-running [role=status]").count(), 0);
  assert.equal(await page.locator("#own-stop").evaluate((button) => button === document.activeElement), true);
  await accessible(page, "an import under way");
  await offer(page, await checkpoint("e4e.pt", "e4e.pt"));
  await page.locator(".notice", { hasText: "stop-0.pt is still being converted." }).waitFor();
  await page.click("#own-stop");
  await page
    .locator(".notice", { hasText: "The conversion of stop-0.pt was stopped. What is there is kept" })
    .waitFor();
  await page.locator("#own-partial-list .name", { hasText: "stop-0.pt" }).waitFor();
  assert.equal(await page.locator("#own-running").isVisible(), false);
  assert.equal(await page.locator("#own-import").isEnabled(), true);
  await page.keyboard.press("Escape");

  // Nothing is kept of what was stopped before there was a shard.
  await stopped(page, await checkpoint("psp.pt", "stop-2.pt"));
  await openDialog(page);
  await page.click("#own-stop");
  await page.locator(".notice", { hasText: "stop-2.pt was stopped before anything was kept" }).waitFor();
  assert.deepEqual(await listed(page), ["stop-0.pt"]);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("what is kept of a conversion that is stopped in the midst of work is listed at once", async () => {
  const { site, page, problems, context } = await opened();
  await openDialog(page);
  const there = page.waitForEvent("console", { predicate: (message) => message.text().startsWith("stopped before") });
  await choose(page, "Load weights", await checkpoint("psp.pt", "spin-0.pt"));
  await there;
  await page.click("#own-stop");
  await page.locator(".notice", { hasText: "spin-0.pt was stopped. What is there is kept" }).waitFor();
  await page.locator("#own-partial-list .name", { hasText: "spin-0.pt" }).waitFor();
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("a conversion that was broken off is listed, removed, and gone on with where it was", async () => {
  const { site, page: first, problems, context } = await opened();
  await offer(first, await checkpoint("psp.pt", "psp.pt"));
  await converted(first);
  await modelReady(first);
  const file = await checkpoint("e4e.pt", "stop-0.pt");
  await stopped(first, file);
  const page = await tab(context, site.url);
  await openDialog(page);
  assert.deepEqual(await listed(page), [], "another tab is at it");
  await page.close();
  await first.close();

  const next = await tab(context, site.url);
  await next.waitForFunction(async () => {
    const { partialModels } = await import(new URL("shared/own-model.js", location.href).href);
    return (await partialModels()).length === 1;
  });
  await openDialog(next);
  await next
    .locator("#own-partial-list li", {
      hasText: /stop-0\.pt\s*[\d.]+\s[kM]B of about 0\.\d\sMB are there \(\d+\s?%\)/,
    })
    .waitFor();
  await accessible(next, "part of a model");

  // Another file begins anew, and leaves it there.
  const other = await checkpoint("e4e.pt", "changed.pt");
  await restarts(next, async () => {
    await choose(next, "Resume “stop-0.pt”", other);
    await next.locator(".notice", { hasText: "changed.pt is another file" }).waitFor();
  });
  await openDialog(next);
  assert.deepEqual(await listed(next), ["stop-0.pt"]);
  await restarts(next, () => next.getByRole("button", { name: `Remove “${NEW}”` }).click());

  // The same file is written from where it was.
  /** @type {string[]} */
  const wrote = [];
  next.on("console", (message) => {
    const [, name] = /^wrote (.+)$/.exec(message.text()) ?? [];
    if (name) wrote.push(name);
  });
  await openDialog(next);
  await restarts(next, () => choose(next, "Resume “stop-0.pt”", file));
  assert.deepEqual(wrote, ["manifest.json"]);
  const names = ["Bundled with this page", NEW, FORMER];
  assert.deepEqual(await offered(next), { names, used: NEW });
  await openDialog(next);
  assert.equal(await next.locator("#own-partial").isVisible(), false);
  await next.keyboard.press("Escape");

  // One that is not wanted is removed.
  await stopped(next, await checkpoint("cars.pt", "stop-0.pt"));
  await next.reload();
  await modelReady(next);
  await openDialog(next);
  await next.getByRole("button", { name: "Remove “stop-0.pt”" }).click();
  await next.locator(".notice", { hasText: "“stop-0.pt” was removed." }).waitFor();
  assert.deepEqual(await listed(next), []);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("a conversion that is done takes no edits away: its model is used when that is wanted", async () => {
  const { site, page, problems, context } = await opened();
  await page.locator("#sample-list button").click();
  await inverted(page);
  await slide(page, "tilt", 60);
  await openDialog(page);
  await choose(page, "Load weights", path.join(root, "tests/golden/psp.pt"));
  await converted(page);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator('[id="slider-tilt"]').inputValue(), "60");
  assert.equal((await offered(page)).used, "Bundled with this page");
  await restarts(page, () => page.getByRole("button", { name: "Use it now" }).click());
  assert.equal((await offered(page)).used, FORMER);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("the guide's steps, from an empty browser", async () => {
  const { site, page, problems, context } = await opened();
  assert.deepEqual(await kept(page), []);
  await openDialog(page);
  await choose(page, "Load weights", path.join(root, "tests/golden/psp.pt"));
  await converted(page);
  await modelReady(page);
  await page.locator("#sample-list button").click();
  await inverted(page);
  assert.equal(await page.locator("#paste-mode").inputValue(), "difference");
  const still = await pixels(page);
  await slide(page, "coarse-1", 80);
  assert.ok(difference(still, await pixels(page)) > 0.1, "the slider's edit");
  await openDialog(page);
  await restarts(page, () => page.getByRole("button", { name: `Remove “${FORMER}”` }).click());
  assert.deepEqual(await offered(page), { names: ["Bundled with this page"], used: "Bundled with this page" });
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});
