// What is saved as, and how large it becomes.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import {
  accessible,
  decoded,
  difference,
  inverted,
  modelReady,
  pixels,
  root,
  settled,
  shared,
  slide,
  visit,
} from "./support.mjs";

const here = shared(async () => path.join(root, "weights"));

const MARK = "compositeWithTrainedAlgorithmicMedia";

/**
 * Saves as the dialog says, and returns the file.
 * @param {import("playwright-core").Page} page
 */
async function saved(page) {
  const coming = page.waitForEvent("download");
  await page.click("#save-file");
  const download = await coming;
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

/**
 * The size that the dialog tells, in bytes, when it has found it out.
 * @param {import("playwright-core").Page} page
 */
async function told(page) {
  const text = await page.locator("#save-size", { hasText: /\d/ }).textContent();
  const [, number, unit] = /([\d.,]+)\s*(kB|MB)/.exec(text ?? "") ?? [];
  return Number(number) * (unit === "MB" ? 1e6 : 1e3);
}

test("pictures are saved as PNG, JPEG or WebP, as large as was told, and marked; the choice is remembered", async () => {
  const { page, problems, context } = await visit(here.browser, here.site.url);
  await modelReady(page);
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  await slide(page, "smile", 50);
  const quality = page.locator("#save-quality input");
  const { samples } = JSON.parse(await readFile(path.join(root, "weights/manifest.json"), "utf8"));
  const [{ label }] = samples;

  await page.click("#save");
  assert.ok(await quality.isHidden(), "PNG has no quality");
  const size = await told(page);
  const png = await saved(page);
  assert.deepEqual([png.name, png.bytes.toString("latin1", 1, 4)], [`${label}-sdic.png`, "PNG"]);
  assert.ok(Math.abs(png.bytes.length - size) <= 50_000, `${png.bytes.length} bytes, told ${size}`);

  await page.click("#save");
  await page.locator("#save-types input[value='image/jpeg']").check();
  await accessible(page, "saving with losses");
  const jpeg = await saved(page);
  assert.deepEqual([jpeg.name, jpeg.bytes.toString("latin1", 6, 10)], [`${label}-sdic.jpg`, "JFIF"]);
  assert.ok(jpeg.bytes.length < png.bytes.length / 2, `${jpeg.bytes.length} of ${png.bytes.length} bytes`);

  await page.click("#save");
  assert.ok(await page.locator("#save-types input[value='image/jpeg']").isChecked(), "remembered");
  await quality.focus();
  for (let i = 0; i < 20; i++) await page.keyboard.press("ArrowLeft");
  const small = await saved(page);
  assert.ok(small.bytes.length < 0.8 * jpeg.bytes.length, `${small.bytes.length} of ${jpeg.bytes.length} bytes`);

  await page.click("#save");
  await page.locator("#save-types input[value='image/webp']").check();
  const webp = await saved(page);
  assert.deepEqual([webp.name, webp.bytes.toString("latin1", 8, 16)], [`${label}-sdic.webp`, "WEBPVP8X"]);
  assert.equal(webp.bytes.readUInt32LE(4), webp.bytes.length - 8);

  for (const { name, bytes } of [png, jpeg, small, webp]) {
    assert.ok(bytes.includes(MARK), `${name} is marked`);
    const sides = await page.evaluate(
      async ([text, type]) => {
        const blob = new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], { type });
        const { width, height } = await createImageBitmap(blob);
        return [width, height];
      },
      [bytes.toString("base64"), `image/${name.split(".")[1].replace("jpg", "jpeg")}`],
    );
    assert.ok(sides[0] >= 256 && sides[0] === sides[1], `${name} is whole: ${sides}`);
  }

  await page.reload();
  await modelReady(page);
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  await page.click("#save");
  assert.ok(await page.locator("#save-types input[value='image/webp']").isChecked(), "after a reload, too");
  assert.equal(await quality.inputValue(), "72");
  assert.deepEqual(problems, []);
  await context.close();
});

test("what is copied is the picture shown, and what the sliders say", async () => {
  const permissions = ["clipboard-read", "clipboard-write"];
  const { page, problems, context } = await visit(here.browser, here.site.url, { permissions });
  await modelReady(page);
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  const plain = await pixels(page);
  // Copied while the edit is still to be made.
  await page.locator('[id="slider-smile"]').evaluate((input) => {
    /** @type {HTMLInputElement} */ (input).value = "100";
    for (const type of ["input", "change"]) input.dispatchEvent(new Event(type, { bubbles: true }));
    document.getElementById("copy")?.click();
  });
  await page.locator(".notice", { hasText: "Copied." }).waitFor();
  const text = await page.evaluate(async () => {
    const [item] = await navigator.clipboard.read();
    const bytes = new Uint8Array(await (await item.getType("image/png")).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  });
  await settled(page);
  const shown = await pixels(page);
  assert.ok(difference(plain, shown) > 0.3, "a smile");
  assert.equal(difference(await decoded(page, Buffer.from(text, "base64")), shown), 0);
  assert.deepEqual(problems, []);
  await context.close();
});
