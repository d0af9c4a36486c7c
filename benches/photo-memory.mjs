// How much memory the page takes at most while large photos are edited whole, in Chromium.
//
//   node benches/photo-memory.mjs [MEGAPIXELS...]
//
// Opens a photo of 48 megapixels, one of 24 and one of 12, edits a face, shows the whole photo and saves it. Prints the
// most that the browser's processes for page and drawing held together meanwhile (`/proc`: shared pages by halves).
// Each is worked on with 24 megapixels at most, as everywhere, and as where there is little memory, with 16, 12 and 8,
// or those that are told. `www/shared/room.js` goes by it. Needs `./build.sh build`.
import { readFileSync } from "node:fs";
import path from "node:path";
import { inverted, launch, modelReady, PATIENCE, root, settled, slide, visit } from "../tests/page/support.mjs";
import { serve } from "../www/tools/serve.mjs";
import { groupPhoto } from "./group.mjs";

const PHOTOS = /** @type {const} */ ([
  [8000, 6000],
  [6000, 4000],
  [4000, 3000],
]);
const POLL_MS = 20;
const given = process.argv.slice(2).map(Number);
const caps = [24, ...(given.length > 0 ? given : [16, 12, 8])];

/**
 * Follows what the processes of a browser hold.
 * @param {import("playwright-core").Browser} browser
 */
async function meter(browser) {
  const debug = await browser.newBrowserCDPSession();
  const { processInfo } = await debug.send("SystemInfo.getProcessInfo");
  const ids = processInfo.filter(({ type }) => ["renderer", "GPU"].includes(type)).map(({ id }) => id);
  let most = 0;
  const measure = () => {
    let sum = 0;
    for (const id of ids) {
      try {
        sum += 1024 * Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/smaps_rollup`, "utf8"))?.[1] ?? 0);
      } catch {
        // it has ended
      }
    }
    most = Math.max(most, sum);
  };
  const timer = setInterval(measure, POLL_MS);
  return {
    /** The most since the last time. */
    take() {
      measure();
      const taken = most;
      most = 0;
      return `${Math.round(taken / 1e6)} MB`;
    },
    stop: () => clearInterval(timer),
  };
}

/**
 * @param {string} url
 * @param {{ name: string, mimeType: string, buffer: Buffer }} photo
 * @param {number} cap megapixels
 */
async function once(url, photo, cap) {
  const browser = await launch();
  const { page, context } = await visit(browser, "about:blank", { serviceWorkers: "block" });
  const limits = cap < 24 ? { pixels: cap * 1e6, searchSide: 2048 } : {};
  const body = `export const room = () => (${JSON.stringify(limits)});`;
  await context.route("**/shared/room.js", (route) => route.fulfill({ contentType: "text/javascript", body }));
  page.setDefaultTimeout(PATIENCE);
  await page.goto(url);
  await modelReady(page);
  const meters = await meter(browser);
  const held = [meters.take()];
  await page.setInputFiles("#file", photo);
  await page.locator("#save:disabled").waitFor();
  await inverted(page);
  held.push(meters.take());
  await slide(page, "smile", 80);
  await page.getByRole("radio", { name: "Whole photo" }).check();
  await page.waitForFunction(() => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector("#compare .after"));
    return canvas.width > 2500;
  });
  await settled(page);
  held.push(meters.take());
  await page.click("#save");
  const download = page.waitForEvent("download");
  await page.click("#save-file");
  await (await download).delete();
  held.push(meters.take());
  meters.stop();
  await browser.close();
  return held;
}

const { url, close } = await serve(path.join(root, "dist"));
try {
  console.log("photo, worked on: ready, opened, shown whole, saved");
  for (const size of PHOTOS) {
    const maker = await launch();
    const { page } = await visit(maker, url, { serviceWorkers: "block" });
    const photo = await groupPhoto(page, size);
    await maker.close();
    const megapixels = (size[0] * size[1]) / 1e6;
    for (const cap of caps.filter((each) => each <= megapixels))
      console.log(`${megapixels} MP, ${cap} MP:`, (await once(url, photo, cap)).join(", "));
  }
} finally {
  await close();
}
