// Models of the visitor's own: sliders that are found in them while they are used, and edits that move as their own
// pictures show.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { facelessWeights, foreignWeights } from "./foreign.mjs";
import {
  accessible,
  changeFile,
  difference,
  host,
  inverted,
  launch,
  modelReady,
  openSample,
  pixels,
  restarts,
  root,
  settled,
  slide,
  visit,
  weightsLike,
} from "./support.mjs";

/** @import { Page } from "playwright-core" */
/** @import { Point } from "../../www/shared/types.js" */

/** The longest that a whole search may take on a busy machine. */
const SEARCH = 600_000;
const PORTRAIT = path.join(root, "weights/samples/01.webp");

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {{ bundled: string, second: string, foreign: string, faceless: string }} */
let weights;

before(async () => {
  const name = "shard-000.safetensors";
  const shard = await readFile(path.join(root, "tests/golden/tiny", name));
  shard[shard.length - 1] ^= 1;
  const [bundled, second, foreign, faceless] = await Promise.all([
    weightsLike("tests/golden/tiny"),
    weightsLike("tests/golden/tiny", {
      files: { [name]: shard },
      change(manifest) {
        manifest.title = "Second model";
        manifest.shards[0].sha256 = createHash("sha256").update(shard).digest("hex");
      },
    }),
    foreignWeights(),
    facelessWeights(),
  ]);
  weights = { bundled, second, foreign, faceless };
  browser = await launch();
});

after(async () => {
  await browser?.close();
});

/** A page whose searches draw as few faces as they can do with. */
async function hasty() {
  const site = await host(weights.bundled, { readable: true });
  await changeFile(site.folder, "workers/sliders.js", (text) => {
    assert.ok(text.includes("= [600, 1]"));
    return text.replace("= [600, 1]", "= [86, 1]");
  });
  return site;
}

/**
 * Keeps a model as if it had been converted in this page.
 * @param {Page} page
 * @param {string} folder
 */
async function keep(page, folder) {
  const shards = (await readdir(folder)).filter((name) => name.endsWith(".safetensors"));
  const read = async (/** @type {string} */ name) => ({
    name,
    text: await readFile(path.join(folder, name), "base64"),
  });
  await page.evaluate(
    async (files) => {
      const { keepOwnModel } = await import(new URL("shared/own-model.js", location.href).href);
      await keepOwnModel(async (/** @type {FileSystemDirectoryHandle} */ kept) => {
        for (const { name, text } of files) {
          const file = await (await kept.getFileHandle(name, { create: true })).createWritable();
          await file.write(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
          await file.close();
        }
      });
    },
    await Promise.all([...shards, "manifest.json"].map(read)),
  );
}

/**
 * @param {Page} page
 * @param {string} title of a model
 */
async function choose(page, title) {
  await page.click("#engine-button");
  await restarts(page, () => page.locator("#own-choices").getByText(title).click());
}

/** @param {Page} page */
const files = (page) =>
  page.evaluate(async () => {
    const found = /** @type {Record<string, number>} */ ({});
    for await (const home of (await navigator.storage.getDirectory()).values()) {
      if (!(home instanceof FileSystemDirectoryHandle)) continue;
      for await (const folder of home.values()) {
        if (!(folder instanceof FileSystemDirectoryHandle)) continue;
        for await (const file of folder.values())
          if (file instanceof FileSystemFileHandle) found[file.name] = (await file.getFile()).size;
      }
    }
    return found;
  });

/**
 * Waits until no file of any model is left: they go one after another.
 * @param {Page} page
 */
async function removed(page) {
  const left = async () => {
    try {
      return Object.keys(await files(page)).length;
    } catch (thrown) {
      if (/NotFoundError/.test(String(thrown))) return 1; // it went while it was looked at
      throw thrown;
    }
  };
  while ((await left()) > 0) await page.evaluate(() => new Promise(requestAnimationFrame));
}

/** @param {Page} page */
async function pause(page) {
  await page.click("#search-button");
  await page.locator("#search-text", { hasText: "is paused" }).waitFor();
}

/**
 * How much of the picture before is in the picture after, along the border: 0 for the photo's own pixels.
 * @param {Page} page
 */
async function changeAtBorder(page) {
  const [before, after] = [await pixels(page, "before"), await pixels(page)];
  const rows = (/** @type {{ width: number, data: Uint8Array }} */ { width, data }) => ({
    data: data.subarray(0, 4 * 4 * width),
  });
  return difference(rows(before), rows(after));
}

test("sliders are found in a model of one's own while it is used", { timeout: 2 * SEARCH }, async () => {
  const site = await hasty();
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await keep(page, weights.foreign);
  await choose(page, "A model from elsewhere");
  await page.locator(".notice", { hasText: "Sliders are now looked for" }).waitFor();

  // The search goes on while a photo is opened and edited.
  await page.setInputFiles("#file", PORTRAIT);
  await inverted(page);
  assert.equal(await page.locator("#paste-mode").inputValue(), "difference", "before any slider is found");
  const still = await pixels(page);
  await slide(page, "odd", 60);
  assert.ok(difference(still, await pixels(page)) > 1, "an edit meanwhile");
  await slide(page, "odd", 0);
  await page
    .locator("#search-text", { hasText: /^Looking for sliders: \d+ of [\d,]+ pictures, at most .+ left$/ })
    .waitFor();
  await accessible(page, "a search under way");

  // Paused, it stays so, and goes on where it was.
  await pause(page);
  const { "fit.partial": first } = await files(page);
  assert.ok(first > 0, "what was seen is kept");
  await page.reload();
  await modelReady(page);
  await page.setInputFiles("#file", PORTRAIT);
  await inverted(page);
  await page.locator("#search-text", { hasText: "is paused" }).waitFor();
  await page.click("#search-button");
  await page.locator("#search-text", { hasText: /pictures, at most/ }).waitFor();
  await pause(page);
  const { "fit.partial": second } = await files(page);
  assert.ok(second > first, `${second} bytes after ${first}`);

  // Another tab does not do the same work.
  await page.click("#search-button");
  const other = await context.newPage();
  await other.goto(site.url);
  await modelReady(other);
  await other.locator(".notice.failure", { hasText: "Another tab is looking for sliders" }).waitFor();
  await other.close();

  await page.locator("#paste-mode").selectOption("face");
  // A search that fails says so at once.
  const found = page.locator(".notice", { hasText: /The model now has \d+ sliders with names/ });
  const failed = page.locator(".notice.failure");
  await found.or(failed).first().waitFor({ timeout: SEARCH });
  assert.deepEqual(await failed.allInnerTexts(), []);
  assert.equal(await page.locator("#paste-mode").inputValue(), "face", "what the visitor chose stays");
  await page.locator("#paste-mode").selectOption("difference");
  assert.equal(await page.locator('label[for="slider-smile"]').innerText(), "Smile");
  assert.equal(await page.locator('label[for="slider-yaw"]').innerText(), "Turn");
  await page.locator("#search-dropped summary").click();
  await page.locator("#search-reasons li", { hasText: "Open mouth: the model hardly changes it." }).waitFor();
  await accessible(page, "a search that has found sliders");

  // Edits move the photo's own pixels, as they did before.
  assert.equal(await page.locator("#paste-mode").inputValue(), "difference");
  await slide(page, "smile", 100);
  const [before, smiling] = [await pixels(page, "before"), await pixels(page)];
  assert.ok(difference(before, smiling) > 0.5, "a smile");
  const border = await changeAtBorder(page);
  assert.ok(border < 1, `the photo's own border, changed by ${border}`);

  // They are kept, and not looked for again.
  await page.reload();
  await modelReady(page);
  await page.locator("#languages button", { hasText: "Deutsch" }).click();
  await page.setInputFiles("#file", PORTRAIT);
  await inverted(page);
  assert.equal(await page.locator('label[for="slider-smile"]').innerText(), "Lächeln");
  await page.locator("#search-dropped summary").click();
  await page.locator("#search-reasons li", { hasText: "Mund öffnen: Das ändert das Modell kaum." }).waitFor();
  assert.equal(await page.locator("#search-button").isVisible(), false);
  const kept = await files(page);
  assert.ok("fitted.json" in kept && "manifest.json" in kept && !("fit.partial" in kept), Object.keys(kept).join());

  await page.click("#engine-button");
  await restarts(page, () => page.click("#own-choices button:last-child"));
  await removed(page);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("a model whose pictures show no faces is told so, once", async () => {
  const site = await hasty();
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await keep(page, weights.faceless);
  await choose(page, "A model without faces");
  const refusal = page.locator("#search-text", { hasText: "show no faces" });
  await refusal.waitFor({ state: "attached", timeout: 60_000 });
  await page.reload();
  await modelReady(page);
  await refusal.waitFor({ state: "attached" });
  assert.equal(await page.locator(".notice", { hasText: "Sliders are now looked for" }).count(), 0);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("several models stand side by side, and are removed one by one", async () => {
  const site = await hasty();
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await keep(page, weights.faceless);
  await keep(page, weights.second);
  const offered = async () => {
    await page.click("#engine-button");
    await page.locator("#engine-dialog[open] #own-choices").getByText("Bundled with this page").waitFor();
    return page.locator("#own-choices .name").allInnerTexts();
  };
  assert.deepEqual(await offered(), ["Bundled with this page", "Second model", "A model without faces"]);
  await accessible(page, "several models");
  await page.keyboard.press("Escape");

  // Arrow keys read the list; a model is loaded by choosing it.
  await offered();
  await page.locator("#own-choices input:checked").focus();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.locator("#own-choices label:has(:focus) .name").innerText(), "Second model");
  assert.equal(await page.locator("#own-choices label:has(:checked) .name").innerText(), "Bundled with this page");
  await restarts(page, () => page.keyboard.press("Enter"));
  await page.locator("#engine-dialog").waitFor({ state: "hidden" });
  assert.equal(await page.evaluate(() => document.querySelector("dialog[open]")), null);
  for (const title of ["A model without faces", "Second model"]) {
    await choose(page, title);
    await page.reload();
    await modelReady(page);
    await page.click("#about-button");
    await page.locator("#about-model strong", { hasText: title }).waitFor();
    await page.keyboard.press("Escape");
  }

  // The same weights once more take the place of those that are kept; others stay.
  await keep(page, weights.second);
  assert.deepEqual(await offered(), ["Bundled with this page", "Second model", "A model without faces"]);
  await page.getByRole("button", { name: "Remove “A model without faces”" }).click();
  await page.locator(".notice", { hasText: "“A model without faces” was removed." }).waitFor();
  assert.deepEqual(await page.locator("#own-choices .name").allInnerTexts(), [
    "Bundled with this page",
    "Second model",
  ]);
  await page.keyboard.press("Escape");
  await page.reload();
  await modelReady(page);
  assert.deepEqual(await offered(), ["Bundled with this page", "Second model"]);
  await restarts(page, () => page.getByRole("button", { name: "Remove “Second model”" }).click());
  assert.deepEqual(await offered(), ["Bundled with this page"]);
  await removed(page);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("another model shows its own picture, also of sliders at rest", async () => {
  const site = await host(path.join(root, "weights"));
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await keep(page, weights.second);
  await openSample(page);
  await page.selectOption("#paste-mode", "face");
  await settled(page);
  const { width } = await pixels(page);
  await choose(page, "Second model");
  await page.waitForFunction((before) => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector("#compare .after"));
    return canvas.width < before;
  }, width);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("an edit of which nobody knows how it moves a face moves it as the model's own pictures do", async () => {
  const site = await host(weights.foreign);
  const { page, context } = await visit(browser, site.url);
  const moved = await page.evaluate(
    async (portrait) => {
      const url = (/** @type {string} */ name) => new URL(name, location.href);
      const bytes = async (/** @type {string} */ name) => new Uint8Array(await (await fetch(url(name))).arrayBuffer());
      const module = await import(url("pkg/cpu/sdic.js").href);
      await module.default();
      const engine = await module.WebEngine.create("cpu");
      const { shards } = engine.begin(await bytes("weights/manifest.json"));
      for (const [i, { file }] of shards.entries()) engine.pushShard(i, await bytes(`weights/${file}`));
      engine.finish();
      const [manifest, networks] = [
        await bytes("weights/face/manifest.json"),
        await bytes("weights/face/face.safetensors"),
      ];
      const finder = new module.FaceFinder(manifest, networks);
      const binary = Uint8Array.from(atob(portrait), (c) => c.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([binary]));
      const { width, height } = bitmap;
      const canvas = /** @type {OffscreenCanvasRenderingContext2D} */ (
        new OffscreenCanvas(width, height).getContext("2d")
      );
      canvas.drawImage(bitmap, 0, 0);
      const rgba = new Uint8Array(canvas.getImageData(0, 0, width, height).data);
      const [{ quad, mesh }] = finder.detect(rgba, width, height);
      const face = module.align(rgba, width, height, quad, 256);
      const aligned = new Uint8Array(face.data.buffer);
      const placed = finder.meshIn(aligned, 256, 256, quad);
      const none = finder.meshIn(new Uint8Array(aligned.length).fill(255), 256, 256, quad);
      await engine.invert("face", aligned, 256, 256, quad, mesh, async () => {});
      const edit = async (/** @type {number} */ odd, /** @type {number | undefined} */ size) =>
        engine.edit("face", { odd }, size, async () => {});
      const unseen = await edit(1, 64);
      engine.useFaces(manifest, networks);
      const [preview, full, more] = [await edit(1, 64), await edit(1, undefined), await edit(-1, undefined)];
      return {
        unseen: unseen.motion !== undefined,
        side: Math.hypot(quad[3][0] - quad[0][0], quad[3][1] - quad[0][1]),
        meshes: [mesh, placed, none],
        preview: Array.from(preview.motion ?? []),
        full: Array.from(full.motion ?? []),
        more: Array.from(more.motion ?? []),
      };
    },
    await readFile(PORTRAIT, "base64"),
  );
  assert.equal(moved.unseen, false);
  // A face that was placed has the mesh of one that was found.
  const [found, placed, none] = /** @type {Point[][]} */ (moved.meshes);
  const apart = placed.map(([x, y], i) => Math.hypot(x - found[i][0], y - found[i][1]) / moved.side);
  assert.equal(placed.length, found.length);
  assert.ok(Math.max(...apart) < 0.03, `${Math.max(...apart)} sides apart`);
  assert.equal(none, undefined);
  const farthest = (/** @type {number[]} */ arrows) => Math.max(...arrows.map(Math.abs));
  assert.ok(farthest(moved.full) > 0.004, `${farthest(moved.full)}`);
  assert.deepEqual(moved.preview, moved.full, "a preview moves as the picture does");
  assert.notDeepEqual(moved.more, moved.full, "another strength is looked at anew");
  await context.close();
  await site.remove();
});
