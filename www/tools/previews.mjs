// Makes the small pictures that show, before any model is there, what sliders do: weights/samples/preview*.webp.
//
//   node www/tools/previews.mjs
//
// Every file is a sheet with the head of each sample portrait, cut out of the portrait as the page's own engine edits
// it. Puts what is on them into `weights/manifest.json` and `weights/samples/previews.json`, too. Needs what
// `./build.sh build` built, and CHROMIUM where the browser is not found without. Look at the sheets.
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { host, launch, root, startNothing, visit } from "../../tests/page/support.mjs";

/** Pixels a side of one head, heads in a row, and quality of the files: all of them together stay below 200 kB. */
const [SIDE, ACROSS, QUALITY] = [160, 4, 0.5];
/** How large a head is cut out, in sides of the square that alignment takes. */
const ROOM = 1.04;
/** Sliders on show, and the positions there are pictures of. */
const SLIDERS = { smile: [0.5, 1], yaw: [0.5, 1], age: [1] };

const weights = path.join(root, "weights");
const manifestFile = path.join(weights, "manifest.json");
const manifest = JSON.parse(await readFile(manifestFile, "utf8"));
const site = await host(weights, { readable: true });
const browser = await launch();
const { page } = await visit(browser, `${site.url}icons/icon.svg`, { serviceWorkers: "block" });
await startNothing(page.context());
await page.goto(site.url);

const sliders = Object.entries(SLIDERS).map(([name, shares]) => {
  const { label, range } = manifest.directions.find((/** @type {{ name: string }} */ each) => each.name === name);
  const steps = shares.map((share) => ({
    file: `samples/preview-${name}-${100 * share}.webp`,
    strengths: { [name]: share * range[1] },
  }));
  return { label, steps };
});
const sheets = [{ file: "samples/preview.webp", strengths: {} }, ...sliders.flatMap(({ steps }) => steps)];
const made = await page.evaluate(
  async ({ sheets, side, across, quality, room }) => {
    const module = (/** @type {string} */ name) => import(new URL(`app/${name}.js`, location.href).href);
    /** @type {typeof import("../app/engine.js")} */
    const { PageEngine } = await module("engine");
    /** @type {typeof import("../app/photos.js")} */
    const { Photos } = await module("photos");
    const [engine, photos] = [new PageEngine(), new Photos()];
    const { signal } = new AbortController();
    const { samples } = await engine.start();
    const contexts = sheets.map(() => {
      const canvas = new OffscreenCanvas(side * across, side * Math.ceil(samples.length / across));
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
      context.imageSmoothingQuality = "high";
      return context;
    });
    for (const [i, { file }] of samples.entries()) {
      const { photo } = await photos.open(await (await fetch(`weights/${file}`)).blob(), file, signal);
      const [{ quad, mesh }] = await photos.faces(photo, signal);
      if (i === 0) {
        // Only now there is a worker that holds photos.
        const { port1, port2 } = new MessageChannel();
        engine.link(port1);
        photos.link(port2);
      }
      const crop = /** @type {const} */ (`crop-${i}`);
      await photos.crop(photo, crop, quad, mesh, false);
      await engine.invert(`inversion-${i}`, crop, undefined, signal);
      const [[x0, y0], [lowerX, lowerY], [x1, y1]] = quad;
      const square = Math.min(room * Math.hypot(lowerX - x0, lowerY - y0), photo.width, photo.height);
      const left = Math.min(Math.max((x0 + x1 - square) / 2, 0), photo.width - square);
      const top = Math.min(Math.max((y0 + y1 - square) / 2, 0), photo.height - square);
      for (const [s, { strengths }] of sheets.entries()) {
        const edit = /** @type {const} */ (`edit-${i * sheets.length + s}`);
        await engine.edit(`inversion-${i}`, edit, strengths, undefined, signal);
        const whole = await photos.paste([{ crop, edit }], "difference", signal);
        contexts[s].drawImage(
          whole,
          left,
          top,
          square,
          square,
          (i % across) * side,
          Math.floor(i / across) * side,
          side,
          side,
        );
        whole.close();
      }
    }
    const files = contexts.map(async ({ canvas }) => {
      const blob = await canvas.convertToBlob({ type: "image/webp", quality });
      const bytes = new Uint8Array(await blob.arrayBuffer());
      return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    });
    return Promise.all(files);
  },
  { sheets, side: SIDE, across: ACROSS, quality: QUALITY, room: ROOM },
);
for (const [i, { file }] of sheets.entries())
  await writeFile(path.join(weights, file), Buffer.from(made[i], "base64"));
const previews = {
  side: SIDE,
  across: ACROSS,
  file: sheets[0].file,
  sliders: sliders.map(({ label, steps }) => ({ label, files: steps.map(({ file }) => file) })),
};
await writeFile(path.join(weights, "samples/previews.json"), `${JSON.stringify(previews, undefined, 1)}\n`);
const text = await readFile(manifestFile, "utf8");
const entry = ` "previews": ${JSON.stringify(previews)},\n`;
await writeFile(manifestFile, text.replace(/^ "previews": .*\n/m, "").replace(/^ "shards": /m, `${entry} "shards": `));
console.log(`${sheets.length} sheets, ${made.reduce((sum, { length }) => sum + 0.75 * length, 0) / 1000} kB`);
await browser.close();
await site.remove();
