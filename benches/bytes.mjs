// How many bytes of code a first visit loads, as `gzip -9` packs each file.
//
//   node benches/bytes.mjs [FOLDER]
//
// FOLDER is as `./build.sh build` makes it. Counted is what there is to load until the editor is ready on a processor
// and kept for offline use: the engine in the build that browsers of today take, scripts, styles, index.html, the
// service worker and its list, drawings of the page, and the words of one language, the longest. Not counted are the
// model and its samples, and icons that are pictures.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { BUILDS } from "../www/shared/fused.js";

/** Model, samples, and pictures. */
const OTHERS = /^weights\/|\.png$/;
/** The words of a language, of which a visit needs one. */
const WORDS = /^shared\/strings\/\w\w\.js$/;

/**
 * How many bytes a file has, packed.
 * @param {string} file
 */
export async function packed(file) {
  const options = /** @type {const} */ ({ encoding: "buffer", maxBuffer: 1e8 });
  return (await promisify(execFile)("gzip", ["-9", "-n", "-c", file], options)).stdout.length;
}

/**
 * @param {string} folder
 * @returns {Promise<{ total: number, parts: Record<string, number> }>}
 */
export async function visitBytes(folder) {
  const text = await readFile(path.join(folder, "shell.js"), "utf8");
  /** @type {{ files: Record<string, string>, onUse: Record<string, string> }} */
  const { files, onUse } = JSON.parse(text.replace(/^self\.SHELL = |;\n$/g, ""));
  /** @type {Record<string, number>} */
  const parts = {};
  const add = (/** @type {string} */ part, /** @type {number} */ bytes) => {
    parts[part] = (parts[part] ?? 0) + bytes;
  };
  const kept = Object.keys(files).filter((name) => !OTHERS.test(name) && name !== BUILDS.plain && !WORDS.test(name));
  for (const name of [...kept, "shell.js"])
    add(name.includes("/") ? name.split("/")[0] : name, await packed(path.join(folder, name)));
  const words = Object.keys(onUse).filter((name) => WORDS.test(name));
  add("words", Math.max(...(await Promise.all(words.map((name) => packed(path.join(folder, name)))))));
  const manifests = Object.keys(onUse).filter((name) => name.endsWith(".webmanifest"));
  add("app.webmanifest", Math.max(...(await Promise.all(manifests.map((name) => packed(path.join(folder, name)))))));
  return { total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0), parts };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { total, parts } = await visitBytes(process.argv[2] ?? fileURLToPath(new URL("../dist", import.meta.url)));
  for (const [part, bytes] of Object.entries({ ...parts, total })) console.log(`${part.padEnd(20)}${bytes}`);
}
