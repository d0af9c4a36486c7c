// How long photos of 1 to 100 megapixels take to be opened, in Chromium: nowhere does a pixel more cost a jump.
//
//   node benches/sizes.mjs [MEGAPIXELS...]
//
// JPEG files tiled with a sample portrait, so that a pixel costs the same in each, are opened by the page's own worker.
// What is larger than the page works on is made smaller by that. Prints the working size, the first time and the median
// of the others, and that for each megapixel of the file, beside the cheapest of all sizes from 4 megapixels on: below,
// what every photo costs weighs most. Needs `./build.sh build`.
import path from "node:path";
import { host, launch, root, startNothing, visit } from "../tests/page/support.mjs";
import { median } from "./median.mjs";

const SIZES = [1, 2, 4, 8, 12, 16, 20, 23.9, 24.3, 32, 48, 64, 80, 100];
const ROUNDS = 5;
/** From here on the time for a megapixel is compared. */
const COMPARED = 4;

const given = process.argv.slice(2).map(Number);

const browser = await launch();
const site = await host(path.join(root, "weights"), { readable: true });
try {
  const { context, page } = await visit(browser, `${site.url}icons/icon.svg`, { serviceWorkers: "block" });
  await startNothing(context);
  await page.goto(site.url);
  const rows = [];
  for (const megapixels of given.length > 0 ? given : SIZES) {
    const { made, ...times } = await page.evaluate(
      async ({ megapixels, rounds }) => {
        const { Photos } = await import(new URL("app/photos.js", location.href).href);
        const { samples } = await (await fetch("weights/manifest.json")).json();
        const face = await createImageBitmap(await (await fetch(`weights/${samples[0].file}`)).blob());
        const width = Math.round(Math.sqrt((megapixels * 4e6) / 3));
        const canvas = new OffscreenCanvas(width, Math.round((width * 3) / 4));
        const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
        context.fillStyle = /** @type {CanvasPattern} */ (context.createPattern(face, "repeat"));
        context.fillRect(0, 0, canvas.width, canvas.height);
        const file = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
        const [photos, { signal }] = [new Photos(), new AbortController()];
        const seconds = [];
        let made = "";
        for (let round = 0; round <= rounds; round++) {
          const start = performance.now();
          const opened = await photos.open(file, "photo.jpg", signal);
          seconds.push((performance.now() - start) / 1000);
          made = `${opened.photo.width} x ${opened.photo.height}`;
          photos.close(opened.photo);
        }
        photos.stop();
        return { made, first: seconds[0], warm: seconds.slice(1) };
      },
      { megapixels, rounds: ROUNDS },
    );
    const warm = median(times.warm);
    rows.push({ megapixels, made, first: times.first, warm, each: (1000 * warm) / megapixels });
  }
  const least = Math.min(...rows.filter(({ megapixels }) => megapixels >= COMPARED).map(({ each }) => each));
  console.log(`Chromium ${browser.version()}, medians of ${ROUNDS}`);
  for (const { megapixels, made, first, warm, each } of rows) {
    const times = `${(1000 * first).toFixed(0)} ms first, ${(1000 * warm).toFixed(0)} ms warm`;
    const share = `${each.toFixed(1)} ms a megapixel, ${(each / least).toFixed(2)}x the least`;
    console.log(`${String(megapixels).padStart(5)} MP as ${made.padEnd(12)} ${times}; ${share}`);
  }
  await context.close();
} finally {
  await browser.close();
  await site.remove();
}
