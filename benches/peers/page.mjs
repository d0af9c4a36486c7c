// The engine beside onnxruntime-web, in turns in one worker of Chromium, on the same networks and inputs.
//
//   node benches/peers/page.mjs [--gpu] [--weights weights] [--threads 1] [--rounds 15] [--python python3] [--alone]
//
// With --gpu both compute by WebGPU, on whatever stands in for a graphics card where there is none, and the engine's
// kernels are measured, too; CHROMIUM names the browser that is to be driven. With --alone the engine is measured
// without the other, whose threads go on for a while on the same processors. Writes
// the model as ONNX graphs (export.py, which needs torch and onnx), installs onnxruntime-web from its registry into a
// temporary folder, and checks all pictures against PyTorch's. In each round each does the same four times in a row,
// the first after a rest. Prints medians and quartiles, the very first call apart, and how many times as fast the
// engine is, by pairs; last the engine's memory. Each gives pictures as it does to a page: bytes here, f32 there. Needs
// `./build.sh build`.
import { execFileSync } from "node:child_process";
import { copyFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { launch, root, SOFTWARE_GPU } from "../../tests/page/support.mjs";
import { discard, temporary } from "../../tests/page/temporary.mjs";
import { assemble } from "../../www/tools/assemble.mjs";
import { serve } from "../../www/tools/serve.mjs";

const PEER = "onnxruntime-web@1.30.0";
/** Largest difference to PyTorch's pictures, of 255. Ours are rounded; a GPU computes with 16-bit features. */
const [TOLERANCE, GPU_TOLERANCE] = [1, 3];
const HERE = fileURLToPath(new URL(".", import.meta.url));

/** @param {string} name @param {string} otherwise */
const option = (name, otherwise) => process.argv[process.argv.indexOf(name) + 1 || Infinity] ?? otherwise;
/** @param {string} program @param {string[]} args */
const run = (program, args) => execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"] });
/** @param {number[]} values @param {number} share */
const quantile = (values, share) => values.toSorted((a, b) => a - b)[Math.round(share * (values.length - 1))];
/** @param {number} seconds */
const ms = (seconds) => `${(1000 * seconds).toFixed(seconds < 0.1 ? 1 : 0)} ms`;
/** @param {number[]} seconds */
const shown = (seconds) =>
  `${ms(quantile(seconds, 0.5))} (${ms(quantile(seconds, 0.25))} to ${ms(quantile(seconds, 0.75))})`;
/** @param {number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value) / values.length;
/** What of a row is looked at. @type {Record<string, (row: number[]) => number>} */
const PARTS = { "after a rest": ([first]) => first, "in a row": ([_, ...others]) => mean(others) };

const [alone, gpu] = ["--alone", "--gpu"].map((flag) => process.argv.includes(flag));
const weights = path.resolve(option("--weights", path.join(root, "weights")));
const [threads, rounds] = [Number(option("--threads", "1")), Number(option("--rounds", "15"))];
const folder = await temporary("peer");
const peer = path.join(folder, "peer");
await assemble(folder, { weights, readable: true });
run(option("--python", "python3"), [path.join(HERE, "export.py"), weights, peer]);
const modules = await temporary("modules");
if (!alone) {
  run("npm", ["install", "--silent", "--no-save", "--prefix", modules, PEER]);
  const dist = path.join(modules, "node_modules/onnxruntime-web/dist");
  const program = gpu ? "ort-wasm-simd-threaded.asyncify" : "ort-wasm-simd-threaded";
  for (const [from, to] of [
    [gpu ? "ort.webgpu.min.mjs" : "ort.wasm.min.mjs", "ort.js"],
    [`${program}.mjs`, "ort-wasm.js"],
    [`${program}.wasm`, "ort.wasm"],
  ])
    await copyFile(path.join(dist, from), path.join(peer, to));
}
await copyFile(path.join(HERE, "worker.js"), path.join(peer, "worker.js"));

const { url, close } = await serve(folder);
const browser = await launch(gpu ? SOFTWARE_GPU : []);
try {
  const page = await browser.newPage();
  await page.goto(`${url}icons/icon.svg`);
  const { results, bytes, adapter, tuning } = await page.evaluate(
    (wanted) =>
      new Promise((resolve, reject) => {
        const worker = new Worker("/peer/worker.js", { type: "module" });
        worker.onmessage = ({ data }) => (data.found ? resolve(data.found) : reject(new Error(data.failure)));
        worker.onerror = (event) => reject(new Error(event.message));
        worker.postMessage(wanted);
      }),
    { threads, rounds, alone, gpu },
  );
  const beside = alone ? "alone" : `${PEER} (${gpu ? "WebGPU" : "wasm"})`;
  const where = gpu ? adapter : `${threads} ${threads > 1 ? "threads" : "thread"}`;
  console.log(`Chromium ${browser.version()}, ${where}, ${rounds} rounds; ${beside}`);
  for (const { name, rates, tiling } of tuning?.classes ?? []) {
    const known = rates.map((/** @type {number} */ rate) => rate.toFixed(0)).join(", ");
    console.log(`${name}: ${known ? `${known} GMAC/s by tiling` : "too slow to be measured"}, taken: ${tiling + 1}`);
  }
  for (const [what, { seconds, off }] of Object.entries(results)) {
    for (const [who, most] of Object.entries(off))
      if (!(most <= (gpu ? GPU_TOLERANCE : TOLERANCE))) throw new Error(`${what}: ${who} is off by ${most} of 255`);
    const { ours, theirs } = /** @type {Record<string, number[][]>} */ (seconds);
    console.log(`${what}: the very first ${ms(ours[0][0])}${theirs ? `, theirs ${ms(theirs[0][0])}` : ""}`);
    for (const [part, of] of Object.entries(PARTS)) {
      const [a, b] = [ours, theirs].map((rows) => rows?.slice(1).map(of));
      const ratios = b?.map((seconds, i) => seconds / a[i]);
      const compared = ratios ? `, theirs ${shown(b)}; ${quantile(ratios, 0.5).toFixed(2)}x as fast` : "";
      console.log(`  ${part}: ${shown(a)}${compared}`);
    }
  }
  console.log(`the engine's memory has grown to ${Math.round(bytes / 1e6)} MB`);
} finally {
  await browser.close();
  await close();
  await Promise.all([folder, modules].map(discard));
}
