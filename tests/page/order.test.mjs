// First the state, then the words: what the page says or offers is so at that moment.
import assert from "node:assert/strict";
import { test } from "node:test";
import { modelReady, npy, shared, visit, weightsLike } from "./support.mjs";

const here = shared(() => weightsLike("tests/golden/tiny"));

test("a file with directions is said to be removed when it is gone from this browser, too", async () => {
  const { page, problems, context } = await visit(here.browser, here.site.url);
  await modelReady(page);
  const lean = { name: "lean.npy", mimeType: "", buffer: npy(Array.from({ length: 24 }, (_, i) => Math.cos(i))) };
  await page.setInputFiles("#direction-files", lean);
  const kept = () =>
    page.evaluate(async () => {
      const urls = /** @type {string[]} */ ([]);
      for (const name of await caches.keys())
        for (const { url } of await (await caches.open(name)).keys()) urls.push(url);
      return urls.some((url) => url.endsWith("/lean.npy"));
    });
  while (!(await kept()));
  await page.evaluate(() => {
    const remove = Cache.prototype.delete;
    const asked = new Promise((resolve) => Object.assign(globalThis, { letGo: resolve }));
    Cache.prototype.delete = async function (...what) {
      await asked;
      return remove.apply(this, what);
    };
  });
  const slider = page.locator('[id="slider-own/lean.npy/lean"]');
  await page.getByRole("button", { name: "Remove lean.npy", includeHidden: true }).evaluate((button) => {
    /** @type {HTMLElement} */ (button).click();
  });
  await slider.waitFor({ state: "detached" });
  const notice = page.locator(".notice", { hasText: "lean.npy was removed" });
  assert.equal(await notice.count(), 0, "it is still kept");
  await page.evaluate(() => /** @type {any} */ (globalThis).letGo());
  await notice.waitFor();
  assert.equal(await kept(), false);
  assert.deepEqual(problems, []);
  await context.close();
});

test("a model that was removed since is not offered when the dialog is opened again", async () => {
  const { page, problems, context } = await visit(here.browser, here.site.url);
  await modelReady(page);
  const id = await page.evaluate(async () => {
    const { keepOwnModel } = await import(new URL("shared/own-model.js", location.href).href);
    return keepOwnModel(async (/** @type {FileSystemDirectoryHandle} */ folder) => {
      const file = await (await folder.getFileHandle("manifest.json", { create: true })).createWritable();
      await file.write(JSON.stringify({ title: "Passing model", shards: [] }));
      await file.close();
    });
  });
  const choices = page.locator("#engine-dialog[open] #own-choices");
  await page.click("#engine-button");
  await choices.getByText("Passing model").waitFor();
  await page.keyboard.press("Escape");
  // As another tab does it; and then the storage takes its time.
  await page.evaluate(async (id) => {
    const { removeOwnModel } = await import(new URL("shared/own-model.js", location.href).href);
    await removeOwnModel(id);
    const { getDirectory } = StorageManager.prototype;
    const asked = new Promise((resolve) => Object.assign(globalThis, { letGo: resolve }));
    StorageManager.prototype.getDirectory = async function () {
      await asked;
      return getDirectory.call(this);
    };
  }, id);
  await page.click("#engine-button");
  await choices.waitFor({ state: "attached" });
  assert.equal(await choices.getByText("Passing model").count(), 0);
  assert.equal(await choices.locator("button").count(), 0);
  await page.evaluate(() => /** @type {any} */ (globalThis).letGo());
  await choices.getByText("Bundled with this page").waitFor();
  assert.equal(await choices.locator("label").count(), 1);
  assert.deepEqual(problems, []);
  await context.close();
});
