// Makes the npm package: the files that www/package/index.js and element.js need, with their types, and a tarball.
//
//   node pack.mjs OUT
//
// OUT must be new, empty, or made by this program before: whatever else lies in it is removed. Files keep their places
// under www, so that whatever names another by its relative address finds it.
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { claim, write } from "./assemble.mjs";

const run = promisify(execFile);
const WWW = fileURLToPath(new URL("..", import.meta.url));
const ROOT = path.join(WWW, "..");
/** Says that a folder was made here. */
const MARKER = ".sdic-package";
/** What developers import. */
const ENTRIES = ["package/index", "package/element"];
/** Tells TypeScript what `document.createElement` makes. */
const ELEMENT = `
declare global {
  interface HTMLElementTagNameMap {
    "sdic-editor": SdicEditor;
  }
}
`;
/** Files that code does not name, and where they come from. */
const BESIDE = {
  "README.md": "www/package/README.md",
  "LICENSE-MIT": "LICENSE-MIT",
  "LICENSE-APACHE": "LICENSE-APACHE",
  "notices/crates.txt": "www/pkg/notices/crates.txt",
  "notices/rust-library.html": "www/pkg/notices/rust-library.html",
  "weights/face/LICENSE": "weights/face/LICENSE",
  "weights/face/NOTICE": "weights/face/NOTICE",
};

/** What generated declarations say that applications for older browsers are not checked with. */
const NEWER = /^\s*\[Symbol\.dispose\]\(\): void;\n/gm;
const COMMENT = /\/\*\*[\s\S]*?\*\//g;
const IMPORT = /\b(?:from|import)\s*\(?\s*["'](\.[^"']+)["']/g;
const ADDRESS = /new URL\(\s*["']([^"']+)["'],\s*import\.meta\.url/g;

/**
 * The files that these name, and those that they name in turn.
 * @param {string[]} names
 * @param {(name: string) => Promise<Buffer>} read
 * @param {(text: string) => Iterable<string>} named relative addresses in a file
 * @returns {Promise<Map<string, Buffer>>}
 */
async function closure(names, read, named) {
  /** @type {Map<string, Buffer>} */
  const found = new Map();
  const left = [...names];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (found.has(name)) continue;
    const bytes = await read(name);
    found.set(name, bytes);
    if (!/\.(js|ts)$/.test(name)) continue;
    const folder = path.posix.dirname(name);
    for (const address of named(bytes.toString())) left.push(path.posix.join(folder, address));
  }
  return found;
}

/** @param {string} text of a script */
function* namedInScript(text) {
  const code = text.replace(COMMENT, "");
  for (const pattern of [IMPORT, ADDRESS]) for (const [, address] of code.matchAll(pattern)) yield address;
}

/** @param {string} text of a declaration file */
function* namedInTypes(text) {
  for (const [, address] of text.matchAll(IMPORT)) yield address.replace(/(\.d\.ts|\.js)$/, ".d.ts");
}

/**
 * A file as it lies in the repository.
 * @param {string} name
 */
function source(name) {
  return readFile(path.join(name.startsWith("weights/") ? ROOT : WWW, name)).catch(() => {
    throw new Error(`no ${name}: run ./build.sh package, which compiles the engines`);
  });
}

/** The declarations of the package's code, and of all that they name. */
async function types() {
  const folder = await mkdtemp(path.join(tmpdir(), "sdic-types-"));
  try {
    const options = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--stripInternal"];
    const compiler = path.join(WWW, "node_modules/.bin/tsc");
    await run(compiler, ["--project", path.join(WWW, "tsconfig.package.json"), ...options, "--outDir", folder]);
    const read = (/** @type {string} */ name) => readFile(path.join(folder, name)).catch(() => source(name));
    const entries = ENTRIES.map((entry) => `${entry}.d.ts`);
    const found = await closure(entries, read, namedInTypes);
    for (const [name, bytes] of found) {
      const text = bytes.toString().replace(NEWER, "");
      found.set(name, Buffer.from(name === entries[1] ? text + ELEMENT : text));
    }
    return found;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The version that the crate has. */
async function version() {
  const [, found] = /^version = "(.+)"$/m.exec(await readFile(path.join(ROOT, "Cargo.toml"), "utf8")) ?? [];
  if (!found) throw new Error("Cargo.toml names no version");
  return found;
}

/**
 * Builds the folder `out`, and packs it.
 * @param {string} out
 * @returns {Promise<string>} the path of the tarball in it
 */
export async function pack(out) {
  const scripts = ENTRIES.map((entry) => `${entry}.js`);
  const made = new Map([...(await closure(scripts, source, namedInScript)), ...(await types())]);
  for (const [name, from] of Object.entries(BESIDE)) made.set(name, await readFile(path.join(ROOT, from)));
  const about = JSON.parse((await source("package/package.json")).toString());
  const manifest = { ...about, version: await version() };
  made.set("package.json", Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`));

  await claim(out, "pack.mjs", MARKER);
  const there = await readdir(out, { recursive: true, withFileTypes: true });
  for (const entry of there.filter((entry) => entry.isFile() && entry.name !== MARKER)) {
    const file = path.join(entry.parentPath, entry.name);
    if (!made.has(path.relative(out, file).split(path.sep).join("/"))) await rm(file);
  }
  for (const [name, bytes] of made) await write(path.join(out, name), bytes);
  const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", "."], { cwd: out });
  return path.join(out, JSON.parse(stdout)[0].filename);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(await pack(path.resolve(process.argv[2] ?? "dist-npm")));
  } catch (thrown) {
    console.error(/** @type {Error} */ (thrown).message);
    process.exit(1);
  }
}
