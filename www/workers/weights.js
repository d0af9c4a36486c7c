// Models for the engine: one that lies on the host, whose verified shards are kept here, or the visitor's own.

import { within } from "../shared/adapter.js";
import { dropOtherShards, dropShard, keepShard, keptShard } from "../shared/cache.js";
import { Failure } from "../shared/failure.js";
import { readOwnModel } from "../shared/own-model.js";
import { say } from "../shared/say.js";

/** @import { LoadProgress, ModelInfo, Shard } from "../shared/types.js" */

/**
 * What takes a model: its manifest, then each shard. Either throws when the bytes are not what they should be.
 * @typedef {{
 *   begin: (manifest: Uint8Array) => ModelInfo, pushShard: (index: number, bytes: Uint8Array) => void
 * }} Taker
 */

const RETRY_AFTER_MS = [500, 2000];
/** How long a host may send nothing; a connection that is broken half way may never say so. */
const SILENCE_SECONDS = 40;
/** How often the host may change the model while it is loaded. */
const MOST_CHANGES = 3;

/**
 * Loads a model that lies on the host.
 *
 * Manifest and shards must be of one model. The page's own version comes with a manifest, which is the one to use
 * while its shards are kept here. Once any must be loaded, the host's manifest tells which they are: the host may have
 * replaced the model, and nobody else can deliver the old one.
 * @param {URL} folder
 * @param {Taker} engine
 * @param {(progress: LoadProgress) => void} onProgress
 * @returns {Promise<ModelInfo>}
 */
export async function loadHosted(folder, engine, onProgress) {
  const url = new URL("manifest.json", folder);
  /** @type {Set<string>} shards whose kept bytes were wrong */
  const spoiled = new Set();
  let bytes = await fetchManifest(url, "default");
  if (!(await allKept(bytes))) bytes = await fetchManifest(url, "reload").catch(() => bytes);
  for (let changes = 0; ; ) {
    try {
      const manifest = engine.begin(bytes);
      const loader = new ShardLoader(manifest.shards, folder, onProgress, spoiled);
      await loader.deliver((index, shard) => engine.pushShard(index, shard));
      return manifest;
    } catch (thrown) {
      const failure = Failure.from(thrown);
      if (failure.code === "stale") continue; // one more shard is known to be spoiled, and is loaded from the host
      if (failure.fatal || changes++ === MOST_CHANGES) throw failure;
      const newest = await fetchManifest(url, "reload").catch(() => bytes);
      if (sameBytes(newest, bytes)) throw failure;
      bytes = newest;
    }
  }
}

/**
 * Loads a model that the visitor converted.
 * @param {string} id what it is called by where it is kept
 * @param {Taker} engine
 * @param {(progress: LoadProgress) => void} onProgress
 * @returns {Promise<ModelInfo>}
 */
export function loadOwn(id, engine, onProgress) {
  return readOwnModel(id, async (contents) => {
    const model = engine.begin(await contents("manifest.json"));
    const total = model.shards.reduce((sum, { bytes }) => sum + bytes, 0);
    let loaded = 0;
    for (const [index, { file }] of model.shards.entries()) {
      const bytes = await contents(file);
      engine.pushShard(index, bytes);
      loaded += bytes.length;
      onProgress({ loaded, total, cached: loaded, secondsLeft: undefined });
    }
    return model;
  });
}

/**
 * @param {URL} url
 * @param {RequestCache} cache "reload" asks the host, past the service worker
 */
async function fetchManifest(url, cache) {
  const response = await fetch(url, { cache }).catch(() => undefined);
  if (response?.ok) return new Uint8Array(await response.arrayBuffer());
  const message = response
    ? say("error.shardStatus", { file: "manifest.json", status: response.status })
    : say("error.offline", { file: "manifest.json" });
  throw new Failure({ code: "network", message, hint: say("hint.retry") });
}

/**
 * Whether every shard that a manifest names is kept here.
 * @param {Uint8Array} manifest
 */
async function allKept(manifest) {
  try {
    /** @type {{ shards: Shard[] }} */
    const { shards } = JSON.parse(new TextDecoder().decode(manifest));
    for (const shard of shards) if (!(await keptShard(shard))) return false;
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 */
function sameBytes(a, b) {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Loads the shards of one model, one ahead of the engine that takes them. */
export class ShardLoader {
  #loaded = 0;
  #cached = 0;
  #downloaded = 0;
  #downloadStart = 0;

  /**
   * @param {Shard[]} shards
   * @param {URL} folder where the shards lie
   * @param {(progress: LoadProgress) => void} onProgress
   * @param {Set<string>} spoiled hashes of shards whose kept bytes are not to be used; grows
   */
  constructor(shards, folder, onProgress, spoiled) {
    this.shards = shards;
    this.folder = folder;
    this.onProgress = onProgress;
    this.spoiled = spoiled;
    this.total = shards.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * Hands every shard to `accept`, which throws when the bytes are not what the manifest promises. Accepted bytes are
   * kept in the cache, so that an interrupted visit goes on where it stopped.
   * @param {(index: number, bytes: Uint8Array) => void} accept
   * @throws {Failure} `stale` when it was the cache that held wrong bytes: they are gone now, so load again
   */
  async deliver(accept) {
    let next = this.#get(0);
    for (let index = 0; index < this.shards.length; index++) {
      const shard = this.shards[index];
      const { bytes, fresh, old } = await next;
      if (index + 1 < this.shards.length) next = this.#get(index + 1);
      next.catch(() => {}); // reported when its turn comes
      try {
        accept(index, bytes);
      } catch (thrown) {
        if (fresh) throw thrown;
        this.spoiled.add(shard.sha256);
        await dropShard(shard);
        throw new Failure({ code: "stale", message: Failure.from(thrown).message });
      }
      if (fresh || old) await keepShard(shard, bytes);
    }
    await dropOtherShards(this.shards);
  }

  /** @param {number} index */
  async #get(index) {
    const shard = this.shards[index];
    const kept = this.spoiled.has(shard.sha256) ? undefined : await keptShard(shard);
    const bytes = kept && new Uint8Array(await kept.response.arrayBuffer().catch(() => new ArrayBuffer(0)));
    if (!kept || !bytes) return { bytes: await this.#download(shard), fresh: true, old: false };
    this.#cached += bytes.length;
    this.#advance(bytes.length);
    return { bytes, fresh: false, old: kept.old };
  }

  /** @param {Shard} shard */
  async #download(shard) {
    for (let attempt = 0; ; attempt++) {
      const before = this.#loaded;
      try {
        return await this.#stream(shard);
      } catch (thrown) {
        const failure = Failure.from(thrown);
        if (attempt === RETRY_AFTER_MS.length || failure.code !== "network") throw failure;
        this.#loaded = before;
        await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER_MS[attempt]));
      }
    }
  }

  /** @param {Shard} shard */
  async #stream({ file, bytes: size }) {
    const offline = () =>
      new Failure({ code: "network", message: say("error.offline", { file }), hint: say("hint.retry") });
    this.#downloadStart ||= performance.now();
    const ending = new AbortController();
    const request = fetch(new URL(file, this.folder), { cache: "no-store", signal: ending.signal });
    const heard = (/** @type {Promise<any>} */ coming) =>
      within(coming, SILENCE_SECONDS, () => ending.abort()).catch(() => {
        throw offline();
      });
    /** @type {Response} */
    const response = await heard(request);
    if (!response.ok || !response.body) {
      const message = say("error.shardStatus", { file, status: response.status });
      throw new Failure({ code: response.status >= 500 ? "network" : "missing", message, hint: say("hint.host") });
    }
    const bytes = new Uint8Array(size);
    let filled = 0;
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await heard(reader.read());
      if (done) break;
      if (filled + value.length > size) {
        await reader.cancel();
        throw new Failure({
          code: "weights",
          message: say("error.shardLong", { file, want: size }),
          hint: say("hint.host"),
        });
      }
      bytes.set(value, filled);
      filled += value.length;
      this.#downloaded += value.length;
      this.#advance(value.length);
    }
    if (filled < size) {
      throw new Failure({
        code: "network",
        message: say("error.shardSize", { file, got: filled, want: size }),
        hint: say("hint.retry"),
      });
    }
    return bytes;
  }

  /** @param {number} count bytes that just arrived */
  #advance(count) {
    this.#loaded += count;
    const seconds = (performance.now() - this.#downloadStart) / 1000;
    const rate = this.#downloaded / seconds;
    const secondsLeft = this.#downloaded > 0 && seconds > 0.5 ? (this.total - this.#loaded) / rate : undefined;
    this.onProgress({ loaded: this.#loaded, total: this.total, cached: this.#cached, secondsLeft });
  }
}
