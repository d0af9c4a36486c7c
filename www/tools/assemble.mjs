// Puts the page, the built engines and the weights together as one folder of static files.
//
//   node assemble.mjs OUT [--weights DIR] [--readable]
//
// On the way modules become a few files (see bundle.mjs) and styles one, and all lose comments, white space and long
// names, unless they shall stay readable: then each is the file that it is here. Entries of the page, workers, the
// service worker and what is used rarely keep their names in any case.
//
// OUT must be new, empty, or made by this program before: whatever else lies in it is removed. Writes OUT/shell.js
// too: the files that the service worker keeps for offline use, each with its hash, and the headers to serve them with.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { BUILDS, PROBE } from "../shared/fused.js";
import * as LANGUAGES from "../shared/strings/languages.js";
import { bundle } from "./bundle.mjs";
import { HOSTING } from "./hosting.mjs";
import { ISOLATION, PRIVACY } from "./policy.mjs";

const WWW = fileURLToPath(new URL("..", import.meta.url));
const PAGE = ["index.html", "sw.js", "app", "shared", "workers", "styles", "icons", "pkg"];
const UNWANTED = /(^|\/)\.|\.d\.ts$|\.py$|(^|\/)package\.json$/;
/** Notices of what is compiled in, as the build makes them. */
const COMPILED = /^pkg\/notices\//;
/** Notices and terms of what lies among the weights. */
const TERMS = /^weights\/(.*\/)?(LICENSE|NOTICE|MODEL_CARD)[^/]*$/;
/** Says that a folder was made here. */
const MARKER = ".sdic-page";

/** Shards are kept by the engine's worker, which knows their hashes from the manifest. */
const SHARD = /^weights\/[^/]*\.safetensors$/;
/** The engine for graphics cards. */
const WEBGPU = /^pkg\/webgpu\//;
/**
 * Kept when it is first used: most visitors never need it, or, of the tables of sentences, one only. Nothing that
 * editing, saving or looks need is here: they work offline from the first visit on.
 */
const ON_USE = [
  WEBGPU,
  /^on-use\//,
  /^workers\/(convert|mirror)\.js$/,
  /^styles\/mirror\.css$/,
  /^shared\/strings\/(?!names)/,
  /\.webmanifest$/,
];
const onUse = (/** @type {string} */ name) => ON_USE.some((pattern) => pattern.test(name));
/** Modules, which become fewer. */
const MODULE = /^(app|shared|workers)\/.*\.js$/;
/** What linked styles become. */
const STYLES = "styles/page.css";
/** What index.html says of a style. */
const LINKED = /^ *<link rel="stylesheet" href="(.*)" \/>\n/gm;
/** Modules that others wait for, and that do nothing by themselves: asked for at once, they come a round trip earlier. */
const AWAITED = ["shared/shared.js", "app/common.js"];
/** Where index.html names its first module. */
const FIRST = /^ *<script /m;
/** Not kept: what a page that runs does not ask for. */
const NEVER = /^shell\.js$|^icons\/screenshot|^notices|^_headers$|^vercel\.json$|^hosting\//;
/** What is made smaller, as esbuild calls it. */
const CODE = /** @type {const} */ ({ ".js": "js", ".css": "css" });
/** A file as it is to be hosted. @typedef {Buffer | string} Contents */
/** Where index.html says what it needs. */
const NOSCRIPT = "<noscript></noscript>";
/** Where index.html has room for what is asked for first. */
const PRELOAD = /^ *<!-- preload -->\n/m;
/** Where index.html says which engine is still to come. */
const COMPILING = /(<meta name="compiling" content=")[^"]*/;
/** Where index.html says which version it is. */
const VERSION = /(<meta name="version" content=")[^"]*/;

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
 * Makes sure that `out` is ours to write in.
 * @param {string} out
 * @param {string} [program] of this folder that writes there
 * @param {string} [marker] file that says so
 */
export async function claim(out, program = "assemble.mjs", marker = MARKER) {
  await mkdir(out, { recursive: true });
  const found = await readdir(out);
  if (found.length > 0 && !found.includes(marker)) {
    throw new Error(`${out} holds files that were not put there by ${program}: name a new folder, or empty this one`);
  }
  await sign(out, program, marker);
}

/**
 * Says in a folder that it was made here.
 * @param {string} out
 * @param {string} program
 * @param {string} marker
 */
export async function sign(out, program, marker) {
  const text = `Made by www/tools/${program}, which removes from here what it did not write.\n`;
  await writeFile(path.join(out, marker), text);
}

/**
 * Writes a file, unless it is there already: its time, and so what a server says of it, then stays.
 * @param {string} file
 * @param {string | Uint8Array} contents
 */
export async function write(file, contents) {
  const bytes = Buffer.from(contents);
  if ((await readFile(file).catch(() => undefined))?.equals(bytes)) return;
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, bytes);
}

/**
 * What is hosted in place of these files: fewer, and without what only readers need.
 * @param {Map<string, Contents>} files by name, index.html among them
 * @returns {Promise<Map<string, Contents>>}
 */
async function compact(files) {
  // Other programs import this file, and run where no packages are installed.
  const { transform } = await import("esbuild");
  /** @type {(name: string, text: string) => Promise<string>} */
  const minified = async (name, text) => {
    const loader = CODE[/** @type {keyof typeof CODE} */ (path.extname(name))];
    // Nothing is written anew for older browsers: which ones run the page is decided in its source.
    const options = /** @type {const} */ ({ target: "esnext", charset: "utf8", legalComments: "inline" });
    const { code } = await transform(text, { loader, minify: true, sourcefile: name, ...options });
    return code;
  };
  const text = (/** @type {string} */ name) => String(files.get(name));
  const index = text("index.html");
  const linked = Array.from(index.matchAll(LINKED), ([, name]) => name);
  const modules = await bundle(WWW);
  for (const name of AWAITED) if (!modules.has(name)) throw new Error(`the bundler made no ${name}`);

  /** @type {Map<string, Contents>} */
  const made = new Map();
  for (const [name, contents] of files) {
    if (MODULE.test(name) || linked.includes(name) || name === "index.html") continue;
    made.set(name, path.extname(name) in CODE ? await minified(name, text(name)) : contents);
  }
  for (const [name, code] of modules) made.set(name, code);
  made.set(STYLES, await minified(STYLES, linked.map(text).join("")));
  const awaited = AWAITED.map((name) => `<script type="module" src="${name}"></script>\n`).join("");
  const link = `<link rel="stylesheet" href="${STYLES}" />\n`;
  const page = index
    .replace(LINKED, "")
    .replace(FIRST, (first) => link + awaited + first)
    .replace(/^ +/gm, "");
  return made.set("index.html", page);
}

/**
 * Builds the folder `out`.
 * @param {string} out
 * @param {{ weights: string, readable?: boolean }} options the weights directory that the page loads; whether code
 *   stays as it was written
 */
export async function assemble(out, { weights, readable = false }) {
  /** @type {Map<string, string>} */
  const wanted = new Map();
  for (const name of await files(WWW)) if (PAGE.includes(name.split("/")[0])) wanted.set(name, path.join(WWW, name));
  for (const name of await files(weights)) wanted.set(`weights/${name}`, path.join(weights, name));
  if (!wanted.has("weights/manifest.json")) throw new Error(`no manifest.json in ${weights}`);
  for (const [name, from] of wanted) {
    if (COMPILED.test(name) && wanted.delete(name)) wanted.set(name.replace("pkg/", ""), from);
  }
  for (const name of ["notices/crates.txt", "notices/rust-library.html"]) {
    if (!wanted.has(name)) throw new Error(`no www/pkg/${name}: run ./build.sh build`);
  }
  for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) wanted.set(`notices/${name}`, path.join(WWW, "..", name));

  await claim(out);
  /** @type {Map<string, Contents>} */
  let made = new Map();
  for (const [name, from] of wanted) if (!SHARD.test(name)) made.set(name, await readFile(from));
  made.set("index.html", page(String(made.get("index.html")), String(made.get("weights/manifest.json"))));
  if (!readable) made = await compact(made);
  const manifest = String(made.get("weights/manifest.json"));
  made.set("notices.txt", notices([...wanted.keys()], manifest));
  for (const [name, text] of [...(await webManifests()), ...Object.entries(HOSTING)]) made.set(name, text);

  const shards = [...wanted].filter(([name]) => SHARD.test(name));
  const names = new Set([...made.keys(), ...shards.map(([name]) => name), "shell.js"]);
  for (const name of await files(out)) if (!names.has(name)) await rm(path.join(out, name));
  for (const [name, from] of shards) await write(path.join(out, name), await readFile(from));
  for (const [name, contents] of made) if (name !== "index.html") await write(path.join(out, name), contents);
  await seal(out, String(made.get("index.html")));
}

/**
 * The page with what only the whole folder tells.
 * @param {string} index
 * @param {string} manifest of the weights
 */
function page(index, manifest) {
  if (!index.includes(NOSCRIPT)) throw new Error(`index.html has no ${NOSCRIPT}`);
  if (!PRELOAD.test(index)) throw new Error("index.html has no place for what is loaded first");
  return index
    .replace(NOSCRIPT, NOSCRIPT.replace("><", `>${withoutScript()}<`))
    .replace(PRELOAD, () => loadedFirst(manifest));
}

/**
 * Lines that have a browser ask at once for the pictures that the first view of the page needs, of which it hears late
 * otherwise. Not for its modules: of 31 visits that the service worker served to a busy Chromium 148, one had its
 * preloaded modules aborted, and never asked for them again.
 * @param {string} manifest of the weights
 */
function loadedFirst(manifest) {
  const { previews } = JSON.parse(manifest);
  if (!previews) return "";
  const links = [
    'rel="preload" as="fetch" crossorigin href="weights/manifest.json"',
    `rel="preload" as="image" fetchpriority="high" href="weights/${previews.file}"`,
  ];
  return links.map((link) => `    <link ${link} />\n`).join("");
}

/** What says, in every language, that the page needs scripts: which one to speak, only a script can choose. */
function withoutScript() {
  const sentences = Object.entries(LANGUAGES).map(([code, table]) => `<p lang="${code}">${table["app.noscript"]}</p>`);
  return `<div class="noscript">${sentences.join("")}</div>`;
}

/** The manifest of the installed page, in every language. */
async function webManifests() {
  const text = await readFile(path.join(WWW, "app.webmanifest"), "utf8");
  const manifest = (/** @type {[string, (typeof LANGUAGES)[keyof typeof LANGUAGES]]} */ [lang, table]) => {
    const words = { lang, name: table["app.title"], description: table["app.description"] };
    const all = { ...JSON.parse(text), ...words };
    return /** @type {const} */ ([`app.${lang}.webmanifest`, `${JSON.stringify(all, undefined, 2)}\n`]);
  };
  return new Map(Object.entries(LANGUAGES).map(manifest));
}

/**
 * What this folder is made of, and under which terms.
 * @param {string[]} names of the files in it
 * @param {string} manifest of the weights
 */
function notices(names, manifest) {
  const { title, licence, provenance } = JSON.parse(manifest);
  return `What this page is made of, and under which terms. The files named lie beside this one.

The page itself: MIT or Apache-2.0, at your choice
  notices/LICENSE-MIT
  notices/LICENSE-APACHE

Rust crates compiled into pkg/*.wasm
  notices/crates.txt

The Rust standard library, compiled into the same
  notices/rust-library.html

The model in weights: ${title}
  ${licence}
  ${provenance}
${names
  .filter((name) => TERMS.test(name))
  .map((name) => `  ${name}\n`)
  .join("")}`;
}

/**
 * Gives what lies in `out` its version and its list of hashes. Whoever changes a file there must do this again: the
 * service worker keeps nothing that differs from the list.
 * @param {string} out
 * @param {string} [index] text of index.html
 */
export async function seal(out, index) {
  const page = path.join(out, "index.html");
  index ??= await readFile(page, "utf8");
  if (!VERSION.test(index)) throw new Error("index.html has no place for its version");
  if (!COMPILING.test(index)) throw new Error("index.html has no place for the engine that is still compiled");
  const names = (await files(out)).filter((name) => !NEVER.test(name) && !SHARD.test(name) && name !== "index.html");
  index = index.replace(COMPILING, `$1${names.some((name) => WEBGPU.test(name)) ? "" : "webgpu"}`);
  /** @type {Map<string, Buffer>} */
  const contents = new Map();
  for (const name of names) contents.set(name, await readFile(path.join(out, name)));
  const hash = createHash("sha256").update(index.replace(VERSION, "$1"));
  for (const [name, bytes] of contents) hash.update(`\n${name} ${integrity(bytes)}`);
  const version = hash.digest("hex").slice(0, 16);
  const versioned = index.replace(VERSION, `$1${version}`);
  await write(page, versioned);
  contents.set("index.html", Buffer.from(versioned));
  const list = (/** @type {boolean} */ used) =>
    Object.fromEntries(
      [...contents].filter(([name]) => onUse(name) === used).map(([name, bytes]) => [name, integrity(bytes)]),
    );
  const fused = { probe: PROBE, builds: BUILDS };
  const shell = { version, headers: { ...PRIVACY, ...ISOLATION }, fused, files: list(false), onUse: list(true) };
  await write(path.join(out, "shell.js"), `self.SHELL = ${JSON.stringify(shell)};\n`);
}

/** @param {Buffer} bytes */
function integrity(bytes) {
  return `sha256-${createHash("sha256").update(bytes).digest("base64")}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { values, positionals } = parseArgs({
      options: { weights: { type: "string" }, readable: { type: "boolean" } },
      allowPositionals: true,
    });
    const { weights = path.join(WWW, "..", "weights"), readable } = values;
    await assemble(positionals[0] ?? "dist", { weights, readable });
  } catch (thrown) {
    console.error(/** @type {Error} */ (thrown).message);
    process.exit(1);
  }
}
