// Takes www/icons/screenshot.webp and screenshot-narrow.webp: the editor with a sample portrait that was made to smile,
// at a desk and on a telephone.
//
//   node www/tools/screenshot.mjs [NUMBER [POSITION]]
//
// NUMBER: which sample, from 1; 5 unless told. POSITION: of the smile's slider, up to 100. Needs what
// `./build.sh build` built, and CHROMIUM where the browser is not found without.
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { inverted, launch, modelReady, root, slide, still, visit } from "../../tests/page/support.mjs";
import { serve } from "./serve.mjs";

const [number = "5", position = "100"] = process.argv.slice(2);
const SCREENS = {
  "screenshot.webp": { viewport: { width: 1280, height: 800 } },
  "screenshot-narrow.webp": {
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  },
};

const site = await serve(path.join(root, "dist"));
const browser = await launch();
for (const [file, screen] of Object.entries(SCREENS)) {
  const { page, context } = await visit(browser, site.url, { ...screen, serviceWorkers: "block" });
  await modelReady(page);
  await page
    .locator("#sample-list button")
    .nth(Number(number) - 1)
    .click();
  await inverted(page);
  await slide(page, "smile", Number(position));
  await page.waitForFunction(() => !document.querySelector(".look:not(.made)"));
  await page.evaluate(() => /** @type {HTMLElement | null} */ (document.activeElement)?.blur());
  await page.mouse.move(0, 0);
  await still(page);
  const png = (await page.screenshot()).toString("base64");
  const webp = await page.evaluate(async (text) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d")).drawImage(bitmap, 0, 0);
    const bytes = new Uint8Array(
      await (await canvas.convertToBlob({ type: "image/webp", quality: 0.9 })).arrayBuffer(),
    );
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  }, png);
  await writeFile(path.join(root, "www/icons", file), Buffer.from(webp, "base64"));
  await context.close();
}
await browser.close();
await site.close();
