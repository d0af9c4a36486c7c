// Where verified shards are kept between visits.

/** Name of the Cache Storage cache that holds shards; the service worker leaves it alone. */
export const WEIGHTS_CACHE = "sdic-weights";

/**
 * Key of a shard: its contents, wherever it was loaded from.
 * @param {{ sha256: string }} shard
 */
export function shardKey({ sha256 }) {
  return `/sdic-weights/${sha256}`;
}

/** Bytes of model kept in this browser. */
export async function keptBytes() {
  if (!("caches" in globalThis)) return 0;
  const cache = await caches.open(WEIGHTS_CACHE);
  let bytes = 0;
  for (const request of await cache.keys()) {
    const response = await cache.match(request);
    bytes += Number(response?.headers.get("Content-Length") ?? 0);
  }
  return bytes;
}

/** Removes every kept shard. */
export async function forgetModel() {
  await caches.delete(WEIGHTS_CACHE);
}
