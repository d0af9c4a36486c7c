// Models that the visitor converted from the authors' checkpoint, kept in the origin's private file system.
//
// A conversion writes into a new folder, the manifest last: from then on the folder is complete, and a model. One of
// the same weights that was kept before is removed afterwards, so whatever fails or is closed half way leaves it in
// place. An incomplete folder that tells which file it comes from, and has shards, is a partial model: it is offered,
// and gone on with when that file is chosen again. Other incomplete folders that nobody writes are left-overs, and are
// swept.
//
// Sliders that are found in a model become more files of its folder, again the manifest last, beside the one that there
// was.
import { HOME, ownName } from "./cache.js";
import { Failure } from "./failure.js";
import { FOUND } from "./found.js";
import { say } from "./say.js";
import { parseSource, sameFile } from "./source-file.js";

/** @import { SourceFile } from "./source-file.js" */

/**
 * What matters here of a kept manifest.
 * @typedef {{
 *   title: string, config?: { encoder?: unknown, dipn?: unknown }, shards: { file: string, bytes: number, sha256: string }[]
 * }} Kept
 *
 * A complete folder. `file`: what its manifest is called; `from`: the file that the model was converted from, if it is
 * known; `given`: the visitor's own name for it, if there is one.
 * @typedef {{
 *   name: string, folder: FileSystemDirectoryHandle,
 *   manifest: Kept & { file: string, from: string | undefined, given: string | undefined }
 * }} Model
 *
 * `source`: the file that it is converted from, if that is known; `written`: bytes of its shards, while it is
 * incomplete.
 * @typedef {Omit<Model, "manifest"> & {
 *   manifest: Model["manifest"] | undefined, source: SourceFile | undefined, written: number
 * }} Folder
 *
 * A model, as it is offered. `title`: the visitor's name for it, else its own, `plainTitle`; `fitted`: sliders were
 * looked for in it; `inverts`: it takes photos; `compensates`: what an inversion loses is put back.
 * @typedef {{
 *   id: string, title: string, plainTitle: string, from: string | undefined, bytes: number, fitted: boolean,
 *   inverts: boolean, compensates: boolean
 * }} OwnModel
 *
 * A conversion that was broken off. `written`: bytes of it that are kept.
 * @typedef {{ id: string, source: SourceFile, written: number }} PartialModel
 */

const MANIFEST = "manifest.json";
/** The manifest of a model with the sliders that were found in it. */
export const FITTED = "fitted.json";
/** Holds the name of the file that a model was converted from. */
export const FROM = "from.txt";
/** Tells more of that file, so that it is recognised. */
export const SOURCE = "source.json";
/** Holds the visitor's name for it. */
const GIVEN = "name.txt";
/** Most characters of such a name. */
export const LONGEST_NAME = 60;

/** Folder of this copy of the page; names there cannot hold slashes. */
const FOLDER = `sdic ${encodeURIComponent(HOME)}`;
/** The one folder of releases before, whatever the copy. */
const OLD_FOLDER = "sdic-own-model";
/** Held by whoever reads a model, and alone by whoever removes folders. */
const LOCK = ownName("own model");

/**
 * @returns {Promise<FileSystemDirectoryHandle>}
 * @throws {Failure} where the browser has no such storage, or refuses it
 */
async function root() {
  let detail;
  try {
    if (navigator.storage?.getDirectory) return await navigator.storage.getDirectory();
  } catch (thrown) {
    detail = Failure.from(thrown).message;
  }
  throw noStorage(detail);
}

/** @param {string} [detail] the browser's words */
function noStorage(detail) {
  return new Failure({ code: "no-storage", message: say("error.noStorage"), hint: say("hint.noStorage"), detail });
}

/** How long a worker that was ended is waited for; another tab may be at the same file, and go on. */
const LONGEST_RELEASE_MS = 3000;

/**
 * Runs `use` while a lock is held; without it where the browser knows no locks.
 * @template T
 * @param {string} name
 * @param {LockOptions} options
 * @param {() => Promise<T>} use
 * @returns {Promise<T | undefined>} undefined when `ifAvailable` is asked for and another holds the lock
 */
async function holding(name, options, use) {
  if (!navigator.locks) return use();
  return navigator.locks.request(name, options, (lock) => (lock ? use() : undefined));
}

/**
 * The names and handles in a folder.
 * @param {FileSystemDirectoryHandle} folder
 */
async function entries(folder) {
  const found = [];
  for await (const entry of folder.entries()) found.push(entry);
  return found;
}

/**
 * What a folder's manifest says, if all it names is there.
 * @param {FileSystemDirectoryHandle} folder
 * @returns {Promise<Folder["manifest"]>}
 */
async function complete(folder) {
  return (await completeBy(folder, FITTED)) ?? (await completeBy(folder, MANIFEST));
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @param {string} name of the manifest
 * @returns {Promise<Folder["manifest"]>}
 */
async function completeBy(folder, name) {
  try {
    /** @type {Kept} */
    const { title, config, shards } = JSON.parse(await (await fileIn(folder, name)).text());
    for (const { file, bytes } of shards) if ((await fileIn(folder, file)).size !== bytes) return undefined;
    const text = async (/** @type {string} */ file) =>
      (await fileIn(folder, file).catch(() => undefined))?.text().catch(() => undefined);
    return { title, config, shards, file: name, from: await text(FROM), given: tidyName((await text(GIVEN)) ?? "") };
  } catch {
    return undefined;
  }
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @param {string} name
 */
async function fileIn(folder, name) {
  return (await folder.getFileHandle(name)).getFile();
}

/**
 * Every folder of this copy, the newest first.
 * @returns {Promise<Folder[]>}
 */
async function folders() {
  const home = await (await root()).getDirectoryHandle(FOLDER).catch(() => undefined);
  const found = [];
  for (const [name, folder] of home ? await entries(home) : []) {
    if (folder instanceof FileSystemDirectoryHandle) found.push(await described(name, folder));
  }
  return found.sort((a, b) => age(b.name) - age(a.name));
}

/**
 * @param {string} name
 * @param {FileSystemDirectoryHandle} folder
 * @returns {Promise<Folder>}
 */
async function described(name, folder) {
  const manifest = await complete(folder);
  const text = fileIn(folder, SOURCE).then((file) => file.text());
  const source = parseSource(await text.catch(() => ""));
  return { name, folder, manifest, source, written: manifest ? 0 : await shardBytes(folder) };
}

/** @param {FileSystemDirectoryHandle} folder */
async function shardBytes(folder) {
  let bytes = 0;
  for (const [name] of await entries(folder).catch(() => [])) {
    if (name === FROM || name === SOURCE) continue;
    const file = await fileIn(folder, name).catch(() => undefined); // it may go meanwhile
    bytes += file?.size ?? 0;
  }
  return bytes;
}

/**
 * Whether a conversion can be gone on with from here.
 * @param {Folder} folder
 */
function isPartial({ manifest, source, written }) {
  return !manifest && source !== undefined && written > 0;
}

/**
 * Names of the locks that somebody holds.
 * @returns {Promise<Set<string | undefined>>}
 */
async function heldLocks() {
  const held = (await navigator.locks?.query())?.held ?? [];
  return new Set(held.map(({ name }) => name));
}

/**
 * The conversions that were broken off, the newest first; none that goes on in some tab.
 * @returns {Promise<PartialModel[]>}
 */
export async function partialModels() {
  try {
    const [all, held] = [await folders(), await heldLocks()];
    const idle = all.filter((folder) => isPartial(folder) && !held.has(folderLock(folder.name)));
    return idle.flatMap(({ name, source, written }) => (source ? [{ id: name, source, written }] : []));
  } catch {
    return []; // nothing is kept where nothing may be
  }
}

/**
 * Settles when nobody writes what is kept of a file any longer, or after a moment: a worker that was ended lets go of its
 * folder a little later, and until then somebody seems to be at it.
 * @param {SourceFile} source
 */
export async function letGo(source) {
  const signal = AbortSignal.timeout(LONGEST_RELEASE_MS);
  const free = (/** @type {string} */ name) => navigator.locks?.request(folderLock(name), { signal }, () => {});
  const ours = (await folders().catch(() => [])).filter(
    (folder) => isPartial(folder) && sameFile(folder.source, source),
  );
  await Promise.allSettled(ours.map(({ name }) => free(name)));
}

/**
 * Folders are called by a number that grows, and something that no other tab comes upon.
 * @param {string} name
 */
function age(name) {
  return Number.parseInt(name, 10) || 0;
}

/**
 * The complete folders, the newest first.
 * @returns {Promise<Model[]>}
 */
async function models() {
  return (await folders()).flatMap(({ manifest, ...folder }) => (manifest ? [{ ...folder, manifest }] : []));
}

/**
 * The models that are kept, the newest first.
 * @returns {Promise<OwnModel[]>}
 */
export async function ownModels() {
  try {
    await adoptOld().catch(() => {}); // it can stay where it is
    return (await models()).map(({ name, manifest: { title: plainTitle, config, shards, from, given, file } }) => ({
      id: name,
      title: given ?? plainTitle,
      plainTitle,
      from,
      bytes: shards.reduce((sum, { bytes }) => sum + bytes, 0),
      fitted: file === FITTED,
      inverts: config?.encoder !== undefined,
      compensates: config?.dipn !== undefined,
    }));
  } catch {
    return [];
  }
}

/**
 * The model of this id, else the newest; undefined when there is none.
 * @param {string} id
 * @returns {Promise<OwnModel | undefined>}
 */
export async function ownModel(id) {
  const kept = await ownModels();
  return kept.find((model) => model.id === id) ?? kept[0];
}

/**
 * Reads the model of this id; it stays where it is meanwhile.
 * @template T
 * @param {string} id
 * @param {(contents: (name: string) => Promise<Uint8Array>) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function readOwnModel(id, use) {
  const read = async () => {
    const model = (await models()).find(({ name }) => name === id);
    if (!model) throw noOwnModel();
    const named = (/** @type {string} */ name) => (name === MANIFEST ? model.manifest.file : name);
    const contents = async (/** @type {string} */ name) =>
      new Uint8Array(await (await fileIn(model.folder, named(name))).arrayBuffer());
    return use(contents);
  };
  return /** @type {Promise<T>} */ (holding(LOCK, { mode: "shared" }, read));
}

/**
 * A name as it is kept: in one line, and not longer than a list can show; undefined if nothing is left of it.
 * @param {string} name
 */
export function tidyName(name) {
  const line = name.replaceAll(/[\s\p{C}]+/gu, " ").trim();
  return Array.from(line).slice(0, LONGEST_NAME).join("").trim() || undefined;
}

/**
 * Gives a kept model another name; an empty one gives it its own back. Whoever looks for sliders in it goes on.
 * @param {string} id
 * @param {string} name
 * @throws {Failure} where the model is gone, or the browser keeps nothing more
 */
export async function renameOwnModel(id, name) {
  const rename = async () => {
    const folder = (await models()).find((model) => model.name === id)?.folder;
    if (!folder) throw noOwnModel();
    await writeName(folder, tidyName(name));
  };
  try {
    await holding(LOCK, { mode: "shared" }, rename);
  } catch (thrown) {
    throw thrown instanceof DOMException ? noStorage(thrown.message) : thrown;
  }
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @param {string | undefined} name
 */
async function writeName(folder, name) {
  if (name === undefined) return folder.removeEntry(GIVEN).catch(() => {}); // there was none
  // What is written takes the place of what there was at once, or not at all.
  const file = await (await folder.getFileHandle(GIVEN, { create: true })).createWritable();
  await file.write(name);
  await file.close();
}

/**
 * Adds files to a kept model. Nobody else does so meanwhile, and it is not removed.
 * @template T
 * @param {string} id
 * @param {(folder: FileSystemDirectoryHandle) => Promise<T>} add
 * @returns {Promise<T>}
 * @throws {Failure} "elsewhere" when another tab is at it
 */
export async function changeOwnModel(id, add) {
  const change = async () => {
    const folder = (await models()).find(({ name }) => name === id)?.folder;
    if (!folder) throw noOwnModel();
    return { value: await add(folder) };
  };
  const done = await holding(folderLock(id), { ifAvailable: true }, change);
  if (!done) throw new Failure({ code: "elsewhere", message: say("error.elsewhere") });
  return done.value;
}

function noOwnModel() {
  return new Failure({ code: "missing", message: say("error.noOwnModel"), hint: say("hint.noOwnModel") });
}

/**
 * Keeps a model that `fill` writes, the manifest last, in place of one of the same weights; when that fails, the old
 * one stays. Where a conversion of the same file was broken off, `fill` goes on in its folder.
 * @param {(folder: FileSystemDirectoryHandle) => Promise<void>} fill
 * @param {SourceFile} [source] the file that the model comes from
 * @returns {Promise<string>} its id
 */
export async function keepOwnModel(fill, source) {
  const storage = await root();
  const all = await folders();
  const begun = all.filter((folder) => isPartial(folder) && sameFile(folder.source, source));
  const fresh = `${1 + Math.max(0, ...all.map(({ name }) => age(name)))}-${crypto.randomUUID()}`;
  try {
    const write = async (/** @type {string} */ name) => {
      const home = await storage.getDirectoryHandle(FOLDER, { create: true });
      await fill(await home.getDirectoryHandle(name, { create: true }));
      const filled = await complete(await home.getDirectoryHandle(name));
      if (!filled) throw new Failure({ code: "weights", message: say("error.notKept"), hint: say("hint.noSpace") });
      return name;
    };
    /** @type {string | undefined} */
    let name;
    // What another tab goes on with is left to it.
    for (const each of [...begun.map(({ name }) => name), fresh]) {
      name = await holding(folderLock(each), { ifAvailable: true }, () => write(each));
      if (name) break;
    }
    const kept = await models();
    const made = kept.find((model) => model.name === name);
    const same = kept.filter((model) => made && model !== made && sameWeights(model.manifest, made.manifest));
    const given = same.find(({ manifest }) => manifest.given)?.manifest.given;
    if (made && given) await writeName(made.folder, given).catch(() => {}); // a name is not worth a model
    await removeFolders(({ name }) => same.some((old) => old.name === name), { ifAvailable: true });
    return name ?? fresh;
  } finally {
    await sweepOwnModels(); // what there is of a new one that came to nothing
  }
}

/**
 * Whether two models are of the same weights, whatever sliders were found in them.
 * @param {Kept} a
 * @param {Kept} b
 */
function sameWeights(a, b) {
  const hashes = (/** @type {Kept} */ { shards }) =>
    JSON.stringify(shards.filter(({ file }) => !FOUND.test(file)).map(({ sha256 }) => sha256));
  return hashes(a) === hashes(b);
}

/** @param {string} name of a folder: held by whoever writes there */
function folderLock(name) {
  return `${LOCK} ${name}`;
}

/**
 * Removes what is neither a model, nor part of one that can be gone on with, nor being written. Never fails: what is in
 * use now is swept another time.
 */
export async function sweepOwnModels() {
  try {
    await adoptOld().catch(() => {});
    await removeFolders(isLeftOver, { ifAvailable: true });
  } catch {
    // a browser without storage has no left-overs
  }
}

/**
 * Whether a folder is of no use: half a model that is known to be whole beside it is not, either.
 * @param {Folder} folder
 * @param {Folder[]} all
 */
function isLeftOver(folder, all) {
  if (folder.manifest) return false;
  return !isPartial(folder) || all.some(({ manifest, source }) => manifest && sameFile(source, folder.source));
}

/**
 * Removes a model, or part of one; what left-overs there are go with it.
 * @param {string} id
 * @throws {Failure} "in-use" when another tab writes there, so that it is still kept
 */
export async function removeOwnModel(id) {
  await removeFolders((folder, all) => folder.name === id || isLeftOver(folder, all), {});
  if (!(await folders()).some(({ name }) => name === id)) return;
  throw new Failure({ code: "in-use", message: say("error.inUse"), hint: say("hint.inUse") });
}

/**
 * @param {(folder: Folder, all: Folder[]) => boolean} unwanted
 * @param {LockOptions} patience whether to wait for who reads a model
 */
async function removeFolders(unwanted, patience) {
  const storage = await root();
  await holding(LOCK, patience, async () => {
    const home = await storage.getDirectoryHandle(FOLDER).catch(() => undefined);
    if (!home) return;
    const all = await folders();
    for (const { name, folder } of all.filter((each) => unwanted(each, all))) {
      const remove = async () => {
        // Whoever wrote there may have made it whole since.
        if (!unwanted(await described(name, folder), all)) return;
        await home.removeEntry(name, { recursive: true }).catch(() => {});
      };
      await holding(folderLock(name), { ifAvailable: true }, remove);
    }
    if ((await entries(home)).length === 0) await storage.removeEntry(FOLDER);
  });
}

/**
 * Bytes that are kept and are neither models nor offered as parts of one: of conversions that go on in some tab, or
 * left nothing to go on with.
 */
export async function leftOverBytes() {
  let bytes = 0;
  try {
    const offered = new Set((await partialModels()).map(({ id }) => id));
    for (const { name: folderName, folder, manifest } of await folders()) {
      if (manifest || offered.has(folderName)) continue;
      for (const [name] of await entries(folder)) bytes += (await fileIn(folder, name)).size;
    }
  } catch {
    // nothing is kept where nothing may be
  }
  return bytes;
}

/** Takes over the model that releases before have kept; the first copy of the page that asks gets it. */
async function adoptOld() {
  const storage = await root();
  const old = await storage.getDirectoryHandle(OLD_FOLDER).catch(() => undefined);
  if (!old) return;
  await holding(LOCK, {}, async () => {
    if (await complete(old)) {
      if ((await models()).length > 0) return; // another copy's, then
      const home = await storage.getDirectoryHandle(FOLDER, { create: true });
      const folder = await home.getDirectoryHandle("0-adopted", { create: true });
      const names = (await entries(old)).map(([name]) => name);
      for (const name of [...names.filter((name) => name !== "manifest.json"), "manifest.json"]) {
        /** @typedef {{ move: (to: FileSystemDirectoryHandle, name: string) => Promise<void> }} Movable */
        await /** @type {Movable} */ (/** @type {unknown} */ (await old.getFileHandle(name))).move(folder, name);
      }
    }
    await storage.removeEntry(OLD_FOLDER, { recursive: true });
  });
}
