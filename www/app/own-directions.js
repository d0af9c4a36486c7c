// Files with directions that the visitor added, kept in this browser by the model they belong to.
import { ownName } from "../shared/cache.js";

const CACHE = ownName("directions");
/** Of releases before, which copies of the page on one origin shared. */
const OLD_CACHE = "sdic-directions";

/** @param {string} model */
function folder(model) {
  return `/sdic-directions/${encodeURIComponent(model)}/`;
}

/**
 * @param {string} model
 * @param {string} name of the file
 */
function address(model, name) {
  return folder(model) + encodeURIComponent(name);
}

/**
 * The files kept for a model, oldest first; none where the browser forbids storage.
 * @param {string} model
 * @returns {Promise<File[]>}
 */
export async function keptFiles(model) {
  const files = [];
  try {
    const cache = await caches.open(CACHE);
    await takeOld(cache, model);
    for (const request of await cache.keys()) {
      const { pathname } = new URL(request.url);
      const response = pathname.startsWith(folder(model)) && (await cache.match(request));
      if (response) files.push(new File([await response.blob()], decodeURIComponent(pathname.slice(folder(model).length))));
    }
  } catch {
    // private windows may refuse: directions then last as long as the page
  }
  return files;
}

/**
 * Takes over what releases before have kept for a model.
 * @param {Cache} cache
 * @param {string} model
 */
async function takeOld(cache, model) {
  if (!(await caches.has(OLD_CACHE))) return;
  const old = await caches.open(OLD_CACHE);
  for (const request of await old.keys()) {
    const response = new URL(request.url).pathname.startsWith(folder(model)) && (await old.match(request));
    if (!response) continue;
    await cache.put(request, response);
    await old.delete(request);
  }
  if ((await old.keys()).length === 0) await caches.delete(OLD_CACHE);
}

/**
 * @param {string} model
 * @param {File} file
 */
export async function keepFile(model, file) {
  try {
    await (await caches.open(CACHE)).put(address(model, file.name), new Response(file));
  } catch {
    // as above
  }
}

/**
 * @param {string} model
 * @param {string} name of the file
 */
export async function forgetFile(model, name) {
  try {
    await (await caches.open(CACHE)).delete(address(model, name));
  } catch {
    // as above
  }
}
