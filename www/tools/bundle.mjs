// The page's modules as few files, for hosting: what compresses together is smaller, and comes in fewer round trips.
//
//   app/first.js         what is there before the rest, as a module of that name
//   app/main.js          puts the rest of the page together, as a module of that name
//   workers/NAME.js      each worker
//   app/common.js        what first.js and main.js share
//   app/rest.js          what else main.js needs
//   workers/common.js    what workers share; threads of the pool do without it
//   shared/shared.js     what page and workers share
//
//   on-use/NAME.js       what is imported when it is first used, or shared with a worker that is
//
// Modules find workers and what lies in other folders by `import.meta.url`: all files lie one folder deep, as the
// modules do.
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";

/** Entries of the page. */
const [FIRST, MAIN] = ["app/first.js", "app/main.js"];
/** Starts with each thread, and shall be small. */
const THREAD = "workers/pool-thread.js";
/** Workers that are started when they are first used. */
const RARE = ["workers/convert.js", "workers/mirror.js"];
/** Stands for all that is used rarely. */
const RARELY = "rarely";
/** Tables of sentences: a file each, where they are. */
const TABLES = "shared/strings/";
/** Where a module names a worker. */
const WORKER = /new URL\("(?:\.\.\/workers|\.)\/([\w-]+\.js)", import\.meta\.url\)/g;

/** The scripts that are started as workers, as the modules name them. @param {string} www */
async function workers(www) {
  /** @type {Set<string>} */
  const found = new Set();
  for (const folder of ["app", "shared", "workers"]) {
    for (const name of await readdir(path.join(www, folder), { recursive: true })) {
      if (!name.endsWith(".js")) continue;
      const text = await readFile(path.join(www, folder, name), "utf8");
      for (const [, worker] of text.matchAll(WORKER)) found.add(`workers/${worker}`);
    }
  }
  return [...found].sort();
}

/**
 * The files to be hosted in place of the modules of page and workers, by name.
 * @param {string} www
 * @returns {Promise<Map<string, string>>}
 */
export async function bundle(www) {
  const { rolldown } = await import("rolldown");
  const entries = [FIRST, MAIN, ...(await workers(www))];
  const nameOf = (/** @type {string} */ id) => path.relative(www, id).split(path.sep).join("/");

  /** @type {Map<string, Set<string>>} */
  const users = new Map();
  /**
   * The entries that cannot do without a module.
   * @param {string} id
   * @param {import("rolldown").ChunkingContext} context
   * @returns {Set<string>}
   */
  function usersOf(id, context) {
    const known = users.get(id);
    if (known) return known;
    /** @type {Set<string>} */
    const found = new Set(
      entries.filter((entry) => entry === nameOf(id)).map((entry) => (RARE.includes(entry) ? RARELY : entry)),
    );
    users.set(id, found);
    const { importers = [], dynamicImporters = [] } = context.getModuleInfo(id) ?? {};
    if (dynamicImporters.length > 0) found.add(RARELY);
    for (const importer of importers) for (const user of usersOf(importer, context)) found.add(user);
    return found;
  }
  const isRare = (/** @type {string} */ id) => [...(users.get(id) ?? [])].every((user) => user === RARELY);
  /**
   * The file that a module belongs to, where that is not left to the bundler.
   * @param {string} id
   * @param {import("rolldown").ChunkingContext} context
   */
  function placeOf(id, context) {
    const name = nameOf(id);
    const using = usersOf(id, context);
    if (entries.includes(name) || using.has(THREAD) || isRare(id)) return null;
    if (name.startsWith("shared/")) return "shared/shared";
    if (name.startsWith("workers/")) return using.size > 1 ? "workers/common" : null;
    return using.has(FIRST) ? "app/common" : "app/rest";
  }

  const build = await rolldown({
    cwd: www,
    input: Object.fromEntries(entries.map((name) => [name.replace(/\.js$/, ""), name])),
    external: /\/pkg\//,
    platform: "browser",
    preserveEntrySignatures: false,
  });
  const { output } = await build.generate({
    format: "esm",
    minify: true,
    codeSplitting: { groups: [{ name: placeOf, debugName: "places" }], includeDependenciesRecursively: false },
    entryFileNames: "[name].js",
    chunkFileNames({ name, facadeModuleId, moduleIds }) {
      if (name.includes("/")) return `${name}.js`;
      if (facadeModuleId && nameOf(facadeModuleId).startsWith(TABLES)) return nameOf(facadeModuleId);
      return moduleIds.every(isRare) ? `on-use/${name}.js` : `workers/${name}.js`;
    },
  });
  await build.close();
  /** @type {Map<string, string>} */
  const files = new Map();
  for (const file of output) {
    if (file.type !== "chunk") throw new Error(`${file.fileName} is no script`);
    if (/[^/]+\/.*\//.test(file.fileName) && file.code.includes("import.meta"))
      throw new Error(`${file.fileName} names places relative to itself, and is not where they are meant from`);
    files.set(file.fileName, file.code);
  }
  return files;
}
