// Where this copy of the page keeps what it has loaded. Copies on one origin share its storage, so every name holds
// the path of the copy: none touches what another keeps. Releases before used one name for all.

import { within } from "./adapter.js";

/** How long the browser may take to find what it keeps, and to keep a shard; storage that is broken never answers. */
const [FIND_SECONDS, KEEP_SECONDS] = [10, 60];

/** Where this file is; bundlers would take a folder that is named right beside it for one of theirs. */
const HERE = import.meta.url;
/** Path of the folder that this copy lies in. */
export const HOME = new URL("../", HERE).pathname;

/**
 * Name of a cache or a folder, or a key, of this copy.
 * @param {string} what
 */
export const ownName = (what) => `sdic ${HOME} ${what}`;

/** Name of the Cache Storage cache that holds verified shards; the service worker leaves it alone. */
export const WEIGHTS_CACHE = ownName("weights");
/** Its name in releases before. */
const OLD_WEIGHTS_CACHE = "sdic-weights";
/** How the caches are called that hold the page itself, one for each version; see sw.js. */
const SHELLS = ownName("shell ");

/** @typedef {{ sha256: string }} Hashed */

/**
 * Key of a shard: its contents, wherever it was loaded from.
 * @param {Hashed} shard
 */
export function shardKey({ sha256 }) {
  return `/sdic-weights/${sha256}`;
}

/**
 * Key of the first bytes of a shard whose download was interrupted.
 * @param {Hashed} shard
 */
const partKey = (shard) => `${shardKey(shard)}/part`;

/** Whether storage was waited for in vain: it is not asked again. */
let silent = false;

/**
 * What comes of asking storage for something; a rejection where it does not answer.
 * @template T
 * @param {() => Promise<T>} ask
 * @param {number} [seconds]
 * @returns {Promise<T>}
 */
export async function answered(ask, seconds = FIND_SECONDS) {
  if (silent) throw new Error("this browser's storage does not answer");
  return within(ask(), seconds, () => {
    silent = true;
  });
}

/**
 * What `use` makes of a cache, or undefined where there is none or the browser refuses.
 * @template T
 * @param {string} name
 * @param {(cache: Cache) => Promise<T>} use
 * @param {{ create?: boolean, seconds?: number }} [options]
 * @returns {Promise<T | undefined>}
 */
async function withCache(name, use, { create = false, seconds } = {}) {
  const ask = async () => (create || (await caches.has(name)) ? use(await caches.open(name)) : undefined);
  try {
    return await answered(ask, seconds);
  } catch {
    return undefined;
  }
}

/**
 * A kept shard, not verified again.
 * @param {Hashed} shard
 * @returns {Promise<{ response: Response, old: boolean } | undefined>} `old`: it lies where releases before kept it
 */
export async function keptShard(shard) {
  for (const name of [WEIGHTS_CACHE, OLD_WEIGHTS_CACHE]) {
    const response = await withCache(name, (cache) => cache.match(shardKey(shard)));
    if (response) return { response, old: name === OLD_WEIGHTS_CACHE };
  }
  return undefined;
}

/**
 * Keeps a verified shard, where there is room for it: a full disk only costs the next visit a download.
 * @param {Hashed} shard
 * @param {Uint8Array} bytes
 */
export async function keepShard(shard, bytes) {
  await put(shardKey(shard), bytes);
  await withCache(WEIGHTS_CACHE, (cache) => cache.delete(partKey(shard)));
  await withCache(OLD_WEIGHTS_CACHE, async (cache) => {
    await cache.delete(shardKey(shard));
    if ((await cache.keys()).length === 0) await caches.delete(OLD_WEIGHTS_CACHE);
  });
}

/**
 * @param {string} key
 * @param {Uint8Array} bytes
 */
async function put(key, bytes) {
  const headers = { "Content-Type": "application/octet-stream", "Content-Length": String(bytes.length) };
  const body = new Response(/** @type {Uint8Array<ArrayBuffer>} */ (bytes), { headers });
  await withCache(WEIGHTS_CACHE, (cache) => cache.put(key, body), { create: true, seconds: KEEP_SECONDS });
}

/**
 * Keeps the first bytes of a shard, which nobody has verified.
 * @param {Hashed} shard
 * @param {Uint8Array} bytes
 */
export async function keepPart(shard, bytes) {
  await put(partKey(shard), bytes);
}

/**
 * The first bytes of a shard, if an interrupted download has left any.
 * @param {Hashed} shard
 * @returns {Promise<Uint8Array | undefined>}
 */
export async function keptPart(shard) {
  return withCache(WEIGHTS_CACHE, async (cache) => {
    const response = await cache.match(partKey(shard));
    return response && new Uint8Array(await response.arrayBuffer());
  });
}

/** @param {Hashed} shard */
export async function dropShard(shard) {
  for (const name of [WEIGHTS_CACHE, OLD_WEIGHTS_CACHE])
    for (const key of [shardKey(shard), partKey(shard)]) await withCache(name, (cache) => cache.delete(key));
}

/**
 * Drops shards that neither `shards` nor the model of any kept version of this page names: another tab may run one.
 * @param {Hashed[]} shards
 */
export async function dropOtherShards(shards) {
  const wanted = new Set(
    [...shards, ...(await shardsOfKeptVersions())].flatMap((shard) =>
      [shardKey(shard), partKey(shard)].map((key) => new URL(key, origin).href),
    ),
  );
  await withCache(WEIGHTS_CACHE, async (cache) => {
    for (const request of await cache.keys()) if (!wanted.has(request.url)) await cache.delete(request);
  });
}

/** @returns {Promise<Hashed[]>} */
async function shardsOfKeptVersions() {
  const ask = async () => {
    const found = [];
    for (const name of await caches.keys()) {
      const manifest =
        name.startsWith(SHELLS) &&
        (await caches.match(new URL(`${HOME}weights/manifest.json`, origin), { cacheName: name }));
      if (manifest) found.push(...(await manifest.json()).shards);
    }
    return found;
  };
  return answered(ask).catch(() => []); // what cannot be read is not kept either
}

/** Bytes of model kept in this browser; 0 where it keeps nothing. */
export async function keptBytes() {
  let bytes = 0;
  for (const name of [WEIGHTS_CACHE, OLD_WEIGHTS_CACHE]) {
    await withCache(name, async (cache) => {
      for (const request of await cache.keys()) {
        const response = await cache.match(request);
        bytes += Number(response?.headers.get("Content-Length") ?? 0);
      }
    });
  }
  return bytes;
}

/** Removes every kept shard. */
export async function forgetModel() {
  try {
    for (const name of [WEIGHTS_CACHE, OLD_WEIGHTS_CACHE]) await caches.delete(name);
  } catch {
    // nothing is kept where nothing may be
  }
}
