// Builds the documentation, docs, as a site, and looks whether all that it names is there.
//
//   MDBOOK=PROGRAM node book.mjs OUT
//
// OUT must be new, empty, or made by this program before: whatever else lies in it is removed. Addresses on other hosts
// are not asked for; what a page would load from there is a fault.
import { execFile } from "node:child_process";
import { cp, readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { claim, sign, write } from "./assemble.mjs";
import { HOSTING } from "./hosting.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BOOK = path.join(ROOT, "docs");
/** What chapters take from the page's tools, and the sign of the book. */
const GENERATED = path.join(BOOK, "generated");
/** Says that a folder was made here, and by what. */
const [MARKER, PROGRAM] = [".sdic-book", "book.mjs"];

const COMMENT_OR_SCRIPT = /<!--[\s\S]*?-->|(<script\b[^>]*>)[\s\S]*?<\/script>/g;
const TAG = /<[a-z][\w-]*(?:\s+[^\s=<>"']+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s<>"']+))?)*\s*\/?>/gi;
const ATTRIBUTE = /\s([^\s=<>"']+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s<>"']+))/g;
const INCLUDE = /\{\{\s*#(?:rustdoc_)?include\s+([^}\s]+)\s*\}\}/g;
const MARKDOWN_LINK = /\]\(([^)\s]+)\)/g;
const ELSEWHERE = /^(?:[a-z][a-z0-9+.-]*:|\/\/)/i;

/**
 * The files below `folder` that end so.
 * @param {string} folder
 * @param {string} ending
 */
async function files(folder, ending) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found = entries.filter((entry) => entry.isFile() && entry.name.endsWith(ending));
  return found.map((entry) => path.join(entry.parentPath, entry.name)).sort();
}

/** @param {string} file */
async function exists(file) {
  return (await stat(file).catch(() => undefined)) !== undefined;
}

/**
 * What chapters name that is not there, and chapters that nobody finds. mdBook itself leaves out what it cannot
 * include.
 * @param {string} book folder with `src`
 * @returns {Promise<string[]>}
 */
export async function faultsOfSources(book) {
  const src = path.join(book, "src");
  const summary = path.join(src, "SUMMARY.md");
  const listed = new Set(
    [...(await readFile(summary, "utf8")).matchAll(MARKDOWN_LINK)].map(([, link]) => path.join(src, link)),
  );
  const faults = [];
  for (const file of await files(src, ".md")) {
    const name = path.relative(book, file);
    if (file !== summary && !listed.has(file)) faults.push(`${name}: not in SUMMARY.md`);
    for (const [, included] of (await readFile(file, "utf8")).matchAll(INCLUDE)) {
      const [from, anchor] = included.split(":");
      const text = await readFile(path.join(path.dirname(file), from), "utf8").catch(() => undefined);
      if (text === undefined) faults.push(`${name}: includes ${from}, which is not there`);
      else if (anchor && !Number(anchor) && !holdsAnchor(text, anchor))
        faults.push(`${name}: includes ${included}, but there is no such part`);
    }
  }
  return faults;
}

/**
 * @param {string} text
 * @param {string} anchor
 */
function holdsAnchor(text, anchor) {
  const marks = ["ANCHOR", "ANCHOR_END"].map((mark) => text.search(new RegExp(`\\b${mark}:\\s*${anchor}\\b`)));
  return marks[0] >= 0 && marks[1] > marks[0];
}

/**
 * What the pages of a site name that is not there: files, pictures, places in pages. And what they would load from
 * elsewhere.
 * @param {string} site
 * @returns {Promise<string[]>}
 */
export async function faultsOfSite(site) {
  const pages = new Map();
  for (const file of await files(site, ".html")) pages.set(file, attributes(await readFile(file, "utf8")));
  /** @type {string[]} */
  const faults = [];
  for (const [file, { links }] of pages) {
    const fault = (/** @type {string} */ what) => faults.push(`${path.relative(site, file)}: ${what}`);
    for (const { link, loaded } of links) {
      if (ELSEWHERE.test(link)) {
        if (loaded && !link.startsWith("data:")) fault(`loads ${link} from elsewhere`);
        else if (!loaded && /^http:/i.test(link)) fault(`${link} is not https`);
        continue;
      }
      const [address, place] = link.split("#");
      const asked = decodeURIComponent(address.split("?")[0]);
      if (asked.startsWith("/")) {
        fault(`${link} holds at the root of a host only`);
        continue;
      }
      let target = asked ? path.join(path.dirname(file), asked) : file;
      if (asked.endsWith("/")) target = path.join(target, "index.html");
      if (!target.startsWith(site + path.sep) || !(await exists(target))) fault(`${link} is not there`);
      else if (place && pages.has(target) && !pages.get(target).places.has(decodeURIComponent(place)))
        fault(`${link}: there is no such place in that page`);
    }
  }
  return faults;
}

/**
 * What a page names, and the places in it that can be named.
 * @param {string} html
 */
function attributes(html) {
  const links = [];
  const places = new Set(["top"]);
  for (const [tag] of html.replace(COMMENT_OR_SCRIPT, "$1").matchAll(TAG)) {
    for (const [, name, ...values] of tag.matchAll(ATTRIBUTE)) {
      const value = unescaped(values.find((value) => value !== undefined) ?? "");
      if (name === "id" || (name === "name" && /^<a\s/i.test(tag))) places.add(value);
      else if (name === "href") links.push({ link: value, loaded: /^<link\s/i.test(tag) });
      else if (["src", "poster", "data"].includes(name)) links.push({ link: value, loaded: true });
      else if (name === "srcset")
        for (const each of value.split(",")) links.push({ link: each.trim().split(/\s/)[0], loaded: true });
    }
  }
  return { links, places };
}

/** @param {string} text */
function unescaped(text) {
  return text
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&#x27;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");
}

/**
 * Relative addresses in a file of the repository that lead nowhere.
 * @param {string} file
 * @returns {Promise<string[]>}
 */
export async function faultsOfFile(file) {
  const faults = [];
  for (const [, link] of (await readFile(file, "utf8")).matchAll(MARKDOWN_LINK)) {
    const [address] = link.split("#");
    if (!ELSEWHERE.test(link) && address && !(await exists(path.join(path.dirname(file), address))))
      faults.push(`${path.basename(file)}: ${link} is not there`);
  }
  return faults;
}

/**
 * Builds a book.
 * @param {string} mdbook program
 * @param {string} out
 * @param {string} book folder with `book.toml`
 * @returns {Promise<string[]>} what is wrong with it
 */
export async function build(mdbook, out, book) {
  const faults = await faultsOfSources(book);
  if (faults.length > 0) return faults;
  const site = path.resolve(out);
  await claim(site, PROGRAM, MARKER);
  const { stderr, stdout } = await promisify(execFile)(mdbook, ["build", book, "--dest-dir", site]);
  await sign(site, PROGRAM, MARKER); // mdBook has emptied the folder
  const said = `${stdout}${stderr}`.split("\n").filter((line) => /\b(WARN|ERROR)\b/.test(line));
  return [...said, ...(await faultsOfSite(site))];
}

/**
 * Builds the documentation.
 * @param {string} mdbook program
 * @param {string} out
 * @returns {Promise<string[]>} what is wrong with it, and with the links of README
 */
export async function buildDocs(mdbook, out) {
  for (const [name, text] of Object.entries(HOSTING))
    if (name.startsWith("hosting/")) await write(path.join(GENERATED, name), text);
  await cp(path.join(ROOT, "www/icons/icon.svg"), path.join(GENERATED, "theme/favicon.svg"));
  return [...(await build(mdbook, out, BOOK)), ...(await faultsOfFile(path.join(ROOT, "README.md")))];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [out = "dist-docs"] = process.argv.slice(2);
  try {
    const faults = await buildDocs(process.env.MDBOOK ?? "mdbook", out);
    for (const fault of faults) console.error(fault);
    process.exitCode = faults.length > 0 ? 1 : 0;
  } catch (thrown) {
    console.error(/** @type {Error} */ (thrown).message);
    process.exitCode = 1;
  }
}
