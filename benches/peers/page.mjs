// The CPU engine beside onnxruntime-web, in turns in one worker of Chromium, on the same networks and inputs.
//
//   node benches/peers/page.mjs [--weights weights] [--threads 1] [--rounds 15] [--python python3]
//
// Writes the model as ONNX graphs (export.py, which needs torch and onnx), installs onnxruntime-web from its registry
// into a temporary folder, checks all pictures against PyTorch's, and prints medians and quartiles, the first call
// apart, and how many times as fast the engine is, by pairs. Each gives pictures as it does to a page: bytes here, f32
// there. Needs `./build.sh build`.
import { execFileSync } from "node:child_process";
import { copyFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { launch, root } from "../../tests/page/support.mjs";
import { discard, temporary } from "../../tests/page/temporary.mjs";
import { assemble } from "../../www/tools/assemble.mjs";
import { serve } from "../../www/tools/serve.mjs";

const PEER = "onnxruntime-web@1.30.0";
/** Largest difference to PyTorch's pictures, of 255. Ours are rounded. */
const TOLERANCE = 1;
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
const shown = ([first, ...warm]) =>
  `${ms(quantile(warm, 0.5))} (${ms(quantile(warm, 0.25))} to ${ms(quantile(warm, 0.75))}; first ${ms(first)})`;

const weights = path.resolve(option("--weights", path.join(root, "weights")));
const [threads, rounds] = [Number(option("--threads", "1")), Number(option("--rounds", "15"))];
const folder = await temporary("peer");
const peer = path.join(folder, "peer");
await assemble(folder, { weights, readable: true });
run(option("--python", "python3"), [path.join(HERE, "export.py"), weights, peer]);
const modules = await temporary("modules");
run("npm", ["install", "--silent", "--no-save", "--prefix", modules, PEER]);
const dist = path.join(modules, "node_modules/onnxruntime-web/dist");
for (const [from, to] of [
  ["ort.wasm.min.mjs", "ort.js"],
  ["ort-wasm-simd-threaded.mjs", "ort-wasm.js"],
  ["ort-wasm-simd-threaded.wasm", "ort.wasm"],
])
  await copyFile(path.join(dist, from), path.join(peer, to));
await copyFile(path.join(HERE, "worker.js"), path.join(peer, "worker.js"));

const { url, close } = await serve(folder);
const browser = await launch();
try {
  const page = await browser.newPage();
  await page.goto(`${url}icons/icon.svg`);
  const results = await page.evaluate(
    (wanted) =>
      new Promise((resolve, reject) => {
        const worker = new Worker("/peer/worker.js", { type: "module" });
        worker.onmessage = ({ data }) => (data.results ? resolve(data.results) : reject(new Error(data.failure)));
        worker.onerror = (event) => reject(new Error(event.message));
        worker.postMessage(wanted);
      }),
    { threads, rounds },
  );
  console.log(
    `Chromium ${browser.version()}, ${threads} ${threads > 1 ? "threads" : "thread"}, ${rounds} rounds; ${PEER} (wasm)`,
  );
  for (const [what, { seconds, off }] of Object.entries(results)) {
    for (const [who, most] of Object.entries(off))
      if (!(most <= TOLERANCE)) throw new Error(`${what}: ${who} is off by ${most} of 255`);
    const ratios = seconds.theirs.map(
      (/** @type {number} */ theirs, /** @type {number} */ i) => theirs / seconds.ours[i],
    );
    console.log(`${what}: ours ${shown(seconds.ours)}, theirs ${shown(seconds.theirs)}`);
    console.log(`  ${quantile(ratios.slice(1), 0.5).toFixed(2)}x as fast`);
  }
} finally {
  await browser.close();
  await close();
  await Promise.all([folder, modules].map(discard));
}
