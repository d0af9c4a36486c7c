// The examples of the npm package, with what `npm pack` has made installed in them.
import { execFile } from "node:child_process";
import { cp, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { promisify } from "node:util";
import { root } from "./support.mjs";

/** @import { Page } from "playwright-core" */

const run = promisify(execFile);
const require = createRequire(new URL("../../www/package.json", import.meta.url));

/**
 * A copy of an example with the tarball installed in it, and no other package.
 * @param {string} folder
 * @param {string} tarball
 * @param {string} name
 */
async function installed(folder, tarball, name) {
  const app = path.join(folder, name);
  await cp(path.join(root, "examples", name), app, { recursive: true });
  const manifest = { name, private: true, type: "module", dependencies: { sdic: `file:${tarball}` } };
  await writeFile(path.join(app, "package.json"), JSON.stringify(manifest));
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts"], { cwd: app });
  return app;
}

/** @param {string} served */
async function withModel(served) {
  await cp(path.join(root, "weights"), path.join(served, "weights"), { recursive: true });
}

/**
 * The examples in `folder`, each with the bundled model.
 * @param {string} folder
 * @param {string} tarball
 * @returns {Promise<[plain: string, built: string]>} what is to be served: the plain page, and what Vite has built
 */
export async function exampleApps(folder, tarball) {
  const [plain, vite] = await Promise.all(["plain", "vite"].map((name) => installed(folder, tarball, name)));
  const bundler = path.join(path.dirname(require.resolve("vite/package.json")), "bin/vite.js");
  await run(process.execPath, [bundler, "build"], { cwd: vite });
  const built = path.join(vite, "dist");
  await Promise.all([withModel(plain), withModel(built)]);
  return [plain, built];
}

/**
 * The pixels of a canvas, also of one in a shadow tree.
 * @param {Page} page
 * @param {string} selector
 */
export async function pixelsOf(page, selector) {
  const text = await page.locator(selector).evaluate((canvas) => {
    const { width, height } = /** @type {HTMLCanvasElement} */ (canvas);
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context?.drawImage(/** @type {HTMLCanvasElement} */ (canvas), 0, 0);
    const data = context?.getImageData(0, 0, width, height).data ?? new Uint8ClampedArray();
    let binary = "";
    for (let i = 0; i < data.length; i += 0x8000) binary += String.fromCharCode(...data.subarray(i, i + 0x8000));
    return btoa(binary);
  });
  return { data: new Uint8Array(Buffer.from(text, "base64")) };
}
