// How long the live mirror takes for a picture of the camera, in Chromium.
//
//   node benches/mirror.mjs [PICTURES]
//
// A camera of 640 x 480 and one of 1280 x 720 film a sample portrait that goes to and fro, with an edit on it; then
// nobody is there, and every picture is searched. Prints the median and the slowest of so many pictures, 100 unless
// told, from the camera's frame to what is shown. Needs `./build.sh build`.
import path from "node:path";
import { CAMERA, SCRIPTED_CAMERA } from "../tests/page/scripted-camera.mjs";
import { host, launch, modelReady, PATIENCE, root, slide, visit } from "../tests/page/support.mjs";

const count = Number(process.argv[2] ?? 100);

/** Measures, in true time, from the wish for a picture to its answer. */
const METER = `(() => {
  const { postMessage } = Worker.prototype;
  const now = performance.now.bind(performance);
  globalThis.times = [];
  Worker.prototype.postMessage = function (message, ...rest) {
    if (message.method === "picture") {
      const start = now();
      const heard = ({ data }) => {
        if (data.id !== message.id) return;
        this.removeEventListener("message", heard);
        times.push(now() - start);
      };
      this.addEventListener("message", heard);
    }
    return postMessage.call(this, message, ...rest);
  };
  setInterval(() => {
    if (scene.moving) scene.x = scene.canvas.width / 2 + 60 * Math.sin(now() / 400);
  }, 30);
})();`;

const site = await host(path.join(root, "weights"));
const browser = await launch();
for (const [width, height] of [
  [640, 480],
  [1280, 720],
]) {
  const camera = SCRIPTED_CAMERA.replace(JSON.stringify(CAMERA), JSON.stringify({ width, height }));
  const { page, context } = await visit(browser, site.url, { script: METER + camera });
  await modelReady(page);
  await page.evaluate(
    ({ width, height }) =>
      void Object.assign(/** @type {any} */ (globalThis).scene, { side: 0.8 * height, x: width / 2, y: height / 2 }),
    { width, height },
  );
  await page.click("#mirror-start");
  await page.locator("#mirror-word", { hasText: "Move a slider" }).waitFor({ timeout: PATIENCE });
  await slide(page, "smile", 100);
  for (const there of [true, false]) {
    await page.evaluate((there) => {
      const { scene, times } = /** @type {any} */ (globalThis);
      Object.assign(scene, { there, moving: true });
      times.length = 0;
    }, there);
    await page.waitForFunction((count) => /** @type {any} */ (globalThis).times.length >= count, count, {
      timeout: 0,
    });
    /** @type {number[]} */
    const times = await page.evaluate(() => /** @type {any} */ (globalThis).times);
    times.sort((a, b) => a - b);
    const [median, slowest] = [times[times.length >> 1], times[times.length - 1]].map((ms) => `${Math.round(ms)} ms`);
    console.log(`${width} x ${height}, ${there ? "a face with an edit" : "nobody"}: ${median}, at most ${slowest}`);
  }
  await context.close();
}
await browser.close();
await site.remove();
