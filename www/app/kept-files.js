// Files with directions that the visitor added, kept in this browser by the model they belong to. Nothing here deletes
// a file but `forgetFile`.

import { answered, ownName } from "../shared/cache.js";
import { FOUND } from "../shared/found.js";

/** @import { ModelInfo } from "../shared/types.js" */

const CACHE = ownName("directions");
/** Of releases before, which copies of the page on one origin shared, and which kept files by the model's name. */
const OLD_CACHE = "sdic-directions";

/**
 * What tells a model from all others: a hash over its shards.
 * @param {Pick<ModelInfo, "shards">} model
 */
export async function fingerprint({ shards }) {
  const text = shards
    .filter(({ file }) => !FOUND.test(file))
    .map(({ sha256 }) => sha256)
    .join("\n");
  if (!globalThis.crypto?.subtle) return text; // without a secure origin nothing is kept anyway
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(hash.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {string} key */
function folder(key) {
  return `/sdic-directions/${encodeURIComponent(key)}/`;
}

/** @param {string} model its fingerprint */
function modelFolder(model) {
  return folder(`sha256-${model}`);
}

/**
 * Brings files that a release before kept by a model's name to where they are looked for now.
 * @param {Cache} cache
 * @param {string} model its fingerprint
 * @param {string} name of the model
 */
async function migrate(cache, model, name) {
  if (!(await caches.has(OLD_CACHE))) return;
  const old = await caches.open(OLD_CACHE);
  for (const request of await old.keys()) {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith(folder(name))) continue;
    const place = modelFolder(model) + pathname.slice(folder(name).length);
    const response = await old.match(request);
    if (response && !(await cache.match(place))) await cache.put(place, response);
    await old.delete(request);
  }
  if ((await old.keys()).length === 0) await caches.delete(OLD_CACHE);
}

/**
 * The files kept for a model, oldest first; none where the browser forbids storage.
 * @param {string} model its fingerprint
 * @param {string} name of the model
 * @returns {Promise<File[]>}
 */
export async function keptFiles(model, name) {
  const ask = async () => {
    const files = [];
    const cache = await caches.open(CACHE);
    await migrate(cache, model, name);
    const place = modelFolder(model);
    for (const request of await cache.keys()) {
      const { pathname } = new URL(request.url);
      const response = pathname.startsWith(place) && (await cache.match(request));
      if (response) files.push(new File([await response.blob()], decodeURIComponent(pathname.slice(place.length))));
    }
    return files;
  };
  return answered(ask).catch(() => []); // private windows may refuse: directions then last as long as the page
}

/**
 * @param {string} model its fingerprint
 * @param {File} file
 * @returns {Promise<boolean>} whether it is kept
 */
export async function keepFile(model, file) {
  const place = modelFolder(model) + encodeURIComponent(file.name);
  try {
    await answered(async () => (await caches.open(CACHE)).put(place, new Response(file)));
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {string} model its fingerprint
 * @param {string} name of the file
 */
export async function forgetFile(model, name) {
  try {
    await answered(async () => (await caches.open(CACHE)).delete(modelFolder(model) + encodeURIComponent(name)));
  } catch {
    // as above: then nothing was kept
  }
}
