// Checkpoints of one's own, converted by the page itself: those of e4e and pSp, conversions that are interrupted,
// names.
import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
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
} from "./interruptions.mjs";
import {
  accessible,
  changeFile,
  difference,
  host,
  inverted,
  launch,
  modelReady,
  PATIENCE,
  pixels,
  root,
  slide,
  visit,
  weightsLike,
} from "./support.mjs";

const PORTRAIT = path.join(root, "weights/samples/01.webp");
const FORMER = "pSp model, imported, without compensation";
const NEW = "e4e model, imported, without compensation";
/** The longest that all interruptions may take on a busy machine. */
const LONG = 900_000;

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Buffer} */
let e4e;
/** @type {Buffer} */
let psp;
/** @type {string} */
let weights;

before(async () => {
  const golden = path.join(root, "tests/golden");
  [e4e, psp] = await Promise.all(["e4e.pt", "psp.pt"].map((name) => readFile(path.join(golden, name))));
  weights = await weightsLike("tests/golden/tiny");
  browser = await launch();
});

after(async () => {
  await browser?.close();
  if (weights) await rm(weights, { recursive: true });
});

/**
 * @param {string} name
 * @param {Buffer} buffer
 */
const file = (name, buffer) => ({ name, mimeType: "", buffer });

/** A page in which the pSp model was loaded. */
async function withFormer() {
  const site = await host(weights, { readable: true });
  await faulty(site.folder);
  const opened = await visit(browser, site.url);
  opened.context.setDefaultTimeout(PATIENCE);
  await modelReady(opened.page);
  await offer(opened.page, file("psp.pt", psp));
  await converted(opened.page);
  await modelReady(opened.page);
  return { site, ...opened };
}

test("a model without compensation says so, and is edited", async () => {
  const { site, page, problems, context } = await withFormer();
  await page.locator(".notice", { hasText: "nothing that puts back what they lose" }).waitFor();
  await page.click("#about-button");
  await page.locator("#about-model", { hasText: "nothing that puts back what they lose" }).waitFor();
  await page.keyboard.press("Escape");
  await page.setInputFiles("#file", PORTRAIT);
  await inverted(page);
  const still = await pixels(page);
  await slide(page, "coarse-1", 80);
  assert.ok(difference(still, await pixels(page)) > 0.5, "an edit");
  // Edits go onto the photo's own pixels, until the visitor wants the rebuilt face.
  await page.locator("#caption", { hasText: "Your own pixels" }).waitFor();
  await page.locator("#paste-mode").selectOption("face");
  await page.locator("#caption", { hasText: "Rebuilt without compensation" }).waitFor();
  const shown = await page.locator("#views label:visible .name").allInnerTexts();
  assert.deepEqual(shown, ["Edited", "Plain", "Original"]);
  await accessible(page, "a model without compensation");

  // The bundled model, chosen in its place, has all of its pictures again; and they go with it.
  const choose = async (/** @type {string} */ title) => {
    await page.click("#engine-button");
    await page.locator("#own-choices").getByText(title).click();
    await page.waitForSelector('#engine-button:not([data-state="ready"])');
    await modelReady(page);
  };
  await choose("Bundled with this page");
  await page.locator("#views input[value=discrepancy]:not(:disabled)").waitFor();
  await page.getByRole("radio", { name: "Discrepancy" }).check();
  await choose(FORMER);
  await page.locator("#views label:has(input[value=discrepancy])").waitFor({ state: "hidden" });
  assert.equal(await page.locator("#views :checked").inputValue(), "edited");
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("a conversion reads its checkpoint once, however it jumps about in it", async () => {
  const site = await host(weights, { readable: true });
  const spy = `const { readAsArrayBuffer } = FileReaderSync.prototype;
FileReaderSync.prototype.readAsArrayBuffer = function (blob) {
  console.info("read " + blob.size);
  return readAsArrayBuffer.call(this, blob);
};
`;
  await changeFile(site.folder, "workers/convert.js", (text) => spy + text);
  const { page, problems, context } = await visit(browser, site.url);
  let bytes = 0;
  page.on("console", (message) => {
    bytes += Number(/^read (\d+)$/.exec(message.text())?.[1] ?? 0);
  });
  await modelReady(page);
  await offer(page, file("psp.pt", psp));
  await converted(page);
  assert.ok(bytes >= psp.length && bytes < 1.5 * psp.length, `${bytes} bytes read of ${psp.length}`);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("a conversion that is interrupted leaves the former model as it was", { timeout: LONG }, async (t) => {
  const { site, page: first, problems, context } = await withFormer();
  await first.close();
  const { url } = site;
  const stands = () => formerStands(context, url, FORMER);

  for (const [n, what] of /** @type {const} */ ([
    [1, "before anything is written"],
    [2, "before the first shard"],
    [0, "before the manifest"],
  ])) {
    await t.test(`a tab is closed ${what}`, async () => {
      const page = await tab(context, url);
      await stopped(page, file(`stop-${n}.pt`, e4e));
      await page.close();
      await stands();
    });
  }

  await t.test("a tab is loaded anew", async () => {
    const page = await tab(context, url);
    await stopped(page, file("stop-2.pt", e4e));
    await page.reload();
    await modelReady(page);
    await page.close();
    await stands();
  });

  for (const n of [2, 0]) {
    await t.test(`the worker crashes before ${n ? "a shard" : "the manifest"}`, async () => {
      const page = await tab(context, url);
      await stopped(page, file(`crash-${n}.pt`, e4e));
      await page.locator(".notice.failure").first().waitFor();
      assert.equal((await offered(page)).used, FORMER, "in the tab where that happened");
      await page.close();
      await stands();
    });
  }

  await t.test("the disk is full", async () => {
    const page = await tab(context, url);
    const lift = await limitStorage(page, 50_000);
    await offer(page, file("e4e.pt", e4e));
    await refused(page, "not enough storage left");
    assert.equal((await offered(page)).used, FORMER);
    await lift();
    await page.close();
    await stands();
  });

  await t.test("a tensor is damaged", async () => {
    const page = await tab(context, url);
    const damaged = Buffer.from(e4e);
    damaged[e4e.length >> 1] ^= 1;
    await offer(page, file("e4e.pt", damaged));
    await refused(page, /tensor|entry|archive/);
    await page.close();
    await stands();
  });

  await t.test("the file is cut short", async () => {
    const page = await tab(context, url);
    await offer(page, file("e4e.pt", e4e.subarray(0, e4e.length - 5000)));
    await refused(page, /incomplete/);
    await page.close();
    await stands();
  });

  await t.test("the file is of another kind", async () => {
    const page = await tab(context, url);
    const pickle = Buffer.from(
      "\x80\x02}(X\x01\0\0\0Gctorch_utils.persistence\n_reconstruct_persistent_obj\n)Rus.",
      "latin1",
    );
    await offer(page, file("ffhq.pkl", pickle));
    await refused(page, "export_weights.py of dvschultz/stylegan2-ada-pytorch");
    await page.close();
    await stands();
  });

  await t.test("two tabs convert at once, and the first is closed", async () => {
    const [one, other] = [await tab(context, url), await tab(context, url)];
    await stopped(one, file("stop-0.pt", e4e));
    await offer(other, file("e4e.pt", e4e));
    await converted(other);
    await modelReady(other);
    await one.close();
    const names = ["Bundled with this page", NEW, FORMER];
    assert.deepEqual(await offered(other), { names, used: NEW });
    await other.close();
    const page = await tab(context, url);
    assert.deepEqual(await offered(page), { names, used: NEW });
    await page.click("#engine-button");
    await page.getByRole("button", { name: `Remove “${NEW}”` }).click();
    await page.waitForSelector('#engine-button:not([data-state="ready"])');
    await modelReady(page);
    await page.click("#engine-button");
    await page.locator("#own-choices").getByText(FORMER).click();
    await page.waitForSelector('#engine-button:not([data-state="ready"])');
    await modelReady(page);
    await page.close();
    await stands();
  });

  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("a model is called what its owner wants", async () => {
  const { site, page, problems, context } = await withFormer();
  const searched = () => page.locator("#search-text", { hasText: "show no faces" }).waitFor({ state: "attached" });
  const titles = () => page.locator("#own-choices .name").allInnerTexts();
  const rename = (/** @type {string} */ title) => page.getByRole("button", { name: `Rename “${title}”` });
  const name = page.getByRole("textbox", { name: "Name of the model" });
  await searched(); // whoever looks for sliders in a model keeps it from being removed
  await page.click("#engine-button");
  await rename(FORMER).focus();
  await page.keyboard.press("Enter");
  assert.equal(await name.evaluate((input) => input === document.activeElement), true);
  await accessible(page, "a model that is being renamed");
  await name.fill("  Faces\tof the\u200b  family ");
  await page.keyboard.press("Enter");
  await page.locator(".notice", { hasText: `“${FORMER}” is called “Faces of the family” now.` }).waitFor();
  assert.deepEqual(await titles(), ["Bundled with this page", "Faces of the family"]);
  assert.equal(await page.locator("#engine-dialog").evaluate((dialog) => dialog.hasAttribute("open")), true);
  const focused = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  assert.equal(focused, "Rename “Faces of the family”");

  // Thought better of it, by key and by button; the dialog stays.
  for (const cancel of [
    () => page.keyboard.press("Escape"),
    () => page.getByRole("button", { name: "Cancel" }).click(),
  ]) {
    await rename("Faces of the family").click();
    await name.fill("Others");
    await cancel();
    await rename("Faces of the family").waitFor();
  }

  // Very long names are cut, and none at all gives back the model's own.
  await rename("Faces of the family").click();
  await name.evaluate((input) => {
    /** @type {HTMLInputElement} */ (input).value = "🙂".repeat(500);
  });
  await page.getByRole("button", { name: "Keep the name" }).click();
  await rename("🙂".repeat(60)).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
  await rename("🙂".repeat(60)).click();
  await name.fill("   ");
  await page.keyboard.press("Enter");
  await rename(FORMER).waitFor();
  await rename(FORMER).click();
  await name.fill("Mine");
  await page.keyboard.press("Enter");
  await rename("Mine").waitFor();
  await page.keyboard.press("Escape");

  // It is kept, also when the same weights come once more.
  await page.reload();
  await modelReady(page);
  assert.deepEqual(await offered(page), { names: ["Bundled with this page", "Mine"], used: "Mine" });
  await offer(page, file("again.pt", psp));
  await converted(page);
  await modelReady(page);
  await searched();
  assert.deepEqual(await offered(page), { names: ["Bundled with this page", "Mine"], used: "Mine" });

  // A model that another tab has removed meanwhile is said to be gone, and leaves the list.
  await page.click("#engine-button");
  await rename("Mine").click();
  const other = await tab(context, site.url);
  await other.click("#engine-button");
  await other.getByRole("button", { name: "Remove “Mine”" }).click();
  await other.locator(".notice", { hasText: "“Mine” was removed." }).waitFor();
  await other.close();
  await name.fill("Theirs");
  await page.keyboard.press("Enter");
  await refused(page, "no longer in this browser");
  assert.deepEqual(await titles(), ["Bundled with this page"]);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});
