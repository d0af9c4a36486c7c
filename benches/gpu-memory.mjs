// Memory of the graphics card that the page takes for a model, in Chromium, counted where buffers are made.
//
//   node benches/gpu-memory.mjs WEIGHTS
//
// WEIGHTS is a weights directory, such as `sdic import CHECKPOINT.pt --out WEIGHTS` makes. Memory depends on sizes only,
// so nothing is computed: kernels are left out, and pictures come out black. Buffers count until JavaScript has let go
// of them, as the card holds them. Needs `CHROMIUM` and `./build.sh build`.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import path from "node:path";
import {
  host,
  inverted,
  launch,
  modelReady,
  PATIENCE,
  root,
  SOFTWARE_GPU,
  settled,
  slide,
  visit,
  weightsLike,
} from "../tests/page/support.mjs";

const [weights] = process.argv.slice(2);
assert.ok(weights, "usage: node benches/gpu-memory.mjs WEIGHTS");

/** Counts the bytes of buffers, by what they are for, and leaves out kernels. */
const COUNT = `
  const buffers = (self.buffers = { held: 0, most: 0, made: 0, staging: 0 });
  const gone = new FinalizationRegistry((size) => { buffers.held -= size; });
  const { createBuffer } = GPUDevice.prototype;
  GPUDevice.prototype.createBuffer = function (about) {
    const buffer = createBuffer.call(this, about);
    if (!(about.usage & GPUBufferUsage.STORAGE)) {
      buffers.staging += about.size;
      return buffer;
    }
    buffers.made += about.size;
    buffers.held += about.size;
    buffers.most = Math.max(buffers.most, buffers.held);
    gone.register(buffer, about.size);
    return buffer;
  };
  GPUComputePassEncoder.prototype.dispatchWorkgroups = () => {};
`;

const browser = await launch([...SOFTWARE_GPU, "--js-flags=--expose-gc"]);
const folder = await weightsLike(path.relative(root, path.resolve(weights)));
const site = await host(folder, { readable: true });
try {
  const script = `localStorage.setItem("sdic", '{ "backend": "webgpu" }')`;
  const { context, page } = await visit(browser, site.url, { serviceWorkers: "block", script });
  page.setDefaultTimeout(5 * PATIENCE);
  for (const [file, more] of [
    ["shared/adapter.js", COUNT],
    ["pkg/webgpu/sdic.js", "WebEngine.prototype.selfTest = async () => 0;"],
  ])
    await context.route(`**/${file}`, async (route) => {
      const response = await route.fetch();
      const body = await response.text();
      await route.fulfill({ response, body: file.startsWith("pkg") ? `${body}\n${more}` : `${more}\n${body}` });
    });
  await page.reload();
  await modelReady(page);
  const told = async (/** @type {string} */ what) => {
    const worker = page.workers().find((each) => each.url().endsWith("/workers/engine.js"));
    assert.ok(worker);
    const numbers = await worker.evaluate(async () => {
      const { buffers, gc } = /** @type {any} */ (self);
      const now = { ...buffers };
      gc();
      await new Promise((resolve) => setTimeout(resolve, 100));
      const left = buffers.held;
      Object.assign(buffers, { made: 0, staging: 0, most: left });
      return { ...now, left };
    });
    const mb = (/** @type {number} */ bytes) => Math.round(bytes / 1e6);
    const { most, left, made, staging } = numbers;
    process.stdout.write(`| ${what} | ${mb(most)} | ${mb(left)} | ${mb(made)} | ${mb(staging)} |\n`);
  };
  process.stdout.write("| MB | held, at most | held afterwards | made | of other kinds |\n|---|---|---|---|---|\n");
  await told("loading");
  await page.setInputFiles("#file", path.join(root, "weights/samples/01.webp"));
  await page.waitForSelector("#save:not(:disabled)");
  await inverted(page);
  await told("inversion");
  const slider = (await page.locator("input[id^=slider-]").first().getAttribute("id")) ?? "";
  for (const [what, to] of /** @type {const} */ ([
    ["edit", 80],
    ["another edit", 60],
  ])) {
    await slide(page, slider.replace("slider-", ""), to);
    await settled(page);
    await told(what);
  }
  await context.close();
} finally {
  await browser.close();
  await site.remove();
  await rm(folder, { recursive: true });
}
