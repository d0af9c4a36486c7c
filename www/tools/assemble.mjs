// Puts the page, the built engines and the weights together as one folder of static files.
//
//   node assemble.mjs OUT [--weights DIR]
//
// Writes OUT/shell.js too: the list of files that the service worker keeps for offline use, and their joint hash.
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const WWW = fileURLToPath(new URL("..", import.meta.url));
const PAGE = ["index.html", "sw.js", "app.webmanifest", "app", "shared", "workers", "styles", "icons", "pkg"];
const UNWANTED = /(^|\/)\.|\.d\.ts$|\.py$|(^|\/)package\.json$/;
/** Not in the offline list: shards have a cache of their own, the large engine is kept on its first use, and the rest
 * serves installation only. */
const ON_DEMAND = /^weights\/[^/]*\.safetensors$|^pkg\/webgpu\/|^sw\.js$|^shell\.js$|^icons\/screenshot/;

/**
 * Every wanted file under `folder`, as paths relative to it.
 * @param {string} folder
 * @returns {Promise<string[]>}
 */
async function files(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join("/"))
    .filter((name) => !UNWANTED.test(name))
    .sort();
}

/**
 * Copies `from` to `to` unless size and time say that it is there already.
 * @param {string} from
 * @param {string} to
 */
async function copy(from, to) {
  const [source, copied] = await Promise.all([stat(from), stat(to).catch(() => undefined)]);
  if (copied && copied.size === source.size && copied.mtimeMs === source.mtimeMs) return;
  await mkdir(path.dirname(to), { recursive: true });
  await cp(from, to, { preserveTimestamps: true });
}

/**
 * Builds the folder `out`.
 * @param {string} out
 * @param {{ weights: string }} options the weights directory that the page loads
 */
export async function assemble(out, { weights }) {
  /** @type {Map<string, string>} */
  const wanted = new Map();
  for (const name of await files(WWW)) if (PAGE.includes(name.split("/")[0])) wanted.set(name, path.join(WWW, name));
  for (const name of await files(weights)) wanted.set(`weights/${name}`, path.join(weights, name));
  if (!wanted.has("weights/manifest.json")) throw new Error(`no manifest.json in ${weights}`);

  await mkdir(out, { recursive: true });
  for (const name of await files(out)) if (!wanted.has(name)) await rm(path.join(out, name));
  for (const [name, from] of wanted) await copy(from, path.join(out, name));

  const hash = createHash("sha256");
  const shell = [...wanted.keys()].filter((name) => !ON_DEMAND.test(name));
  for (const name of wanted.keys()) {
    if (!/^weights\/.*\.safetensors$/.test(name)) hash.update(name).update(await readFile(path.join(out, name)));
  }
  const list = { version: hash.digest("hex").slice(0, 16), files: shell };
  await writeFile(path.join(out, "shell.js"), `self.SHELL = ${JSON.stringify(list, undefined, 1)};\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [out = "dist", ...rest] = process.argv.slice(2);
  const weights = rest[0] === "--weights" ? rest[1] : path.join(WWW, "..", "weights");
  await assemble(out, { weights });
}
