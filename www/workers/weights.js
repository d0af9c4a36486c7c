// Models for the engine: one that lies on the host, whose verified shards are kept here, or the visitor's own.

import { within } from "../shared/adapter.js";
import { dropOtherShards, dropShard, keepPart, keepShard, keptPart, keptShard } from "../shared/cache.js";
import { Failure } from "../shared/failure.js";
import { onUse } from "../shared/on-use.js";
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

/** Whether the host's shards may come now: the visitor can hold them back. */
export class Gate {
  #closing = new AbortController();
  /** @type {Set<() => void>} */
  #waiting = new Set();
  /** Called whenever it was closed or opened. */
  onChange = () => {};

  get closed() {
    return this.signal.aborted;
  }

  /** Aborted when the gate closes; after that there is another one. */
  get signal() {
    return this.#closing.signal;
  }

  close() {
    if (this.closed) return;
    this.#closing.abort();
    this.onChange();
  }

  open() {
    if (!this.closed) return;
    this.#closing = new AbortController();
    this.onChange();
    for (const go of this.#waiting) go();
    this.#waiting.clear();
  }

  /** Resolves when the gate is open. */
  async opened() {
    while (this.closed) await new Promise((resolve) => this.#waiting.add(() => resolve(undefined)));
  }
}

/**
 * Loads a model that lies on the host.
 *
 * Manifest and shards must be of one model. The page's own version comes with a manifest, which is the one to use
 * while its shards are kept here. Once any must be loaded, the host's manifest tells which they are: the host may have
 * replaced the model, and nobody else can deliver the old one.
 * @param {URL} folder
 * @param {Taker} engine
 * @param {(progress: LoadProgress) => void} onProgress
 * @param {Gate} [gate]
 * @returns {Promise<ModelInfo>}
 */
export async function loadHosted(folder, engine, onProgress, gate) {
  const url = new URL("manifest.json", folder);
  /** @type {Set<string>} shards whose kept bytes were wrong */
  const spoiled = new Set();
  let bytes = await fetchManifest(url, "default");
  if (!(await allKept(bytes))) bytes = await fetchManifest(url, "reload").catch(() => bytes);
  for (let changes = 0; ; ) {
    try {
      const manifest = engine.begin(bytes);
      const loader = new ShardLoader(manifest.shards, folder, onProgress, spoiled, gate);
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
export async function loadOwn(id, engine, onProgress) {
  const { readOwnModel } = await onUse(() => import("../shared/own-model.js"), say("own.title"));
  return readOwnModel(id, async (contents) => {
    const model = engine.begin(await contents("manifest.json"));
    const total = model.shards.reduce((sum, { bytes }) => sum + bytes, 0);
    let loaded = 0;
    for (const [index, { file }] of model.shards.entries()) {
      const bytes = await contents(file);
      engine.pushShard(index, bytes);
      loaded += bytes.length;
      onProgress({ loaded, total, cached: loaded, secondsLeft: undefined, held: false });
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

/**
 * What has come of a shard.
 * @typedef {{ bytes: Uint8Array<ArrayBuffer>, filled: number, pieces: boolean }} Part `pieces`: it did not come in one
 *   go
 */

/** Loads the shards of one model, one ahead of the engine that takes them. */
export class ShardLoader {
  #loaded = 0;
  #cached = 0;
  #downloaded = 0;
  #downloadStart = 0;
  /** Whether something is to come from the host, or is held back. */
  #wanting = false;

  /**
   * @param {Shard[]} shards
   * @param {URL} folder where the shards lie
   * @param {(progress: LoadProgress) => void} onProgress
   * @param {Set<string>} spoiled hashes of shards whose kept bytes are not to be used; grows
   * @param {Gate} [gate]
   */
  constructor(shards, folder, onProgress, spoiled, gate = new Gate()) {
    this.shards = shards;
    this.folder = folder;
    this.onProgress = onProgress;
    this.spoiled = spoiled;
    this.gate = gate;
    this.total = shards.reduce((sum, { bytes }) => sum + bytes, 0);
    gate.onChange = () => {
      [this.#downloaded, this.#downloadStart] = [0, 0]; // how fast it comes says nothing of a pause
      if (this.#wanting) this.#tell();
    };
  }

  /**
   * Hands every shard to `accept`, which throws when the bytes are not what the manifest promises. Accepted bytes are
   * kept in the cache, so that an interrupted visit goes on where it stopped.
   * @param {(index: number, bytes: Uint8Array) => void} accept
   * @throws {Failure} `stale` when bytes that were kept, or came in pieces, are wrong: they are gone now, so load again
   */
  async deliver(accept) {
    let next = this.#get(0);
    for (let index = 0; index < this.shards.length; index++) {
      const shard = this.shards[index];
      const { bytes, whole, keep } = await next;
      if (index + 1 < this.shards.length) next = this.#get(index + 1);
      next.catch(() => {}); // reported when its turn comes
      try {
        accept(index, bytes);
      } catch (thrown) {
        if (whole) throw thrown;
        this.spoiled.add(shard.sha256);
        await dropShard(shard);
        throw new Failure({ code: "stale", message: Failure.from(thrown).message });
      }
      if (keep) await keepShard(shard, bytes);
    }
    await dropOtherShards(this.shards);
  }

  /**
   * A shard; `whole`: just as the host has it, `keep`: it is not kept yet.
   * @param {number} index
   */
  async #get(index) {
    const shard = this.shards[index];
    const kept = this.spoiled.has(shard.sha256) ? undefined : await keptShard(shard);
    const bytes = kept && new Uint8Array(await kept.response.arrayBuffer().catch(() => new ArrayBuffer(0)));
    if (!kept || !bytes) {
      const part = await this.#download(shard);
      return { bytes: part.bytes, whole: !part.pieces, keep: true };
    }
    this.#cached += bytes.length;
    this.#loaded += bytes.length;
    this.#tell();
    return { bytes, whole: false, keep: kept.old };
  }

  /** @param {Shard} shard */
  async #download(shard) {
    this.#wanting = true;
    const part = await this.#begun(shard);
    for (let attempt = 0; ; attempt++) {
      await this.gate.opened();
      const { signal } = this.gate;
      try {
        await this.#stream(shard, part, signal);
        this.#wanting = false;
        return part;
      } catch (thrown) {
        const failure = Failure.from(thrown);
        const over = !signal.aborted && (attempt === RETRY_AFTER_MS.length || failure.code !== "network");
        if ((over || signal.aborted) && part.filled > 0 && this.#resumable(shard))
          await keepPart(shard, part.bytes.subarray(0, part.filled));
        if (over) throw failure;
        if (signal.aborted) attempt = -1;
        else await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER_MS[attempt]));
      }
    }
  }

  /**
   * Whether a download can go on where it stopped; another origin may not say which part it sends, and a shard whose
   * pieces did not fit must come in one go.
   * @param {Shard} shard
   */
  #resumable({ sha256 }) {
    return this.folder.origin === location.origin && !this.spoiled.has(sha256);
  }

  /**
   * What an earlier download left of a shard, or nothing of it.
   * @param {Shard} shard
   * @returns {Promise<Part>}
   */
  async #begun(shard) {
    const part = { bytes: new Uint8Array(shard.bytes), filled: 0, pieces: false };
    const kept = this.#resumable(shard) ? await keptPart(shard) : undefined;
    if (kept && kept.length < shard.bytes) {
      part.bytes.set(kept);
      [part.filled, part.pieces] = [kept.length, true];
      this.#loaded += kept.length;
      this.#cached += kept.length;
    }
    if (kept || this.gate.closed) this.#tell();
    return part;
  }

  /**
   * Begins again.
   * @param {Part} part
   */
  #empty(part) {
    this.#loaded -= part.filled;
    [part.filled, part.pieces] = [0, false];
  }

  /**
   * Downloads what a shard still lacks.
   * @param {Shard} shard
   * @param {Part} part
   * @param {AbortSignal} signal
   */
  async #stream(shard, part, signal) {
    const { file, bytes: size } = shard;
    const offline = () =>
      new Failure({ code: "network", message: say("error.offline", { file }), hint: say("hint.retry") });
    if (part.filled > 0 && !this.#resumable(shard)) this.#empty(part);
    this.#downloadStart ||= performance.now();
    const ending = new AbortController();
    const end = () => ending.abort();
    signal.addEventListener("abort", end);
    try {
      const headers = part.filled > 0 ? { Range: `bytes=${part.filled}-` } : undefined;
      const request = fetch(new URL(file, this.folder), { cache: "no-store", signal: ending.signal, headers });
      const heard = (/** @type {Promise<any>} */ coming) =>
        within(coming, SILENCE_SECONDS, end).catch(() => {
          throw offline();
        });
      /** @type {Response} */
      const response = await heard(request);
      const goesOn = response.headers.get("Content-Range")?.startsWith(`bytes ${part.filled}-`);
      if (part.filled > 0 && response.status === 206 && goesOn) part.pieces = true;
      else if (part.filled > 0) {
        this.#empty(part);
        // A host that has no such part is asked for all of it.
        if (response.status !== 200) throw offline();
      }
      if (!response.ok || !response.body) {
        const message = say("error.shardStatus", { file, status: response.status });
        throw new Failure({ code: response.status >= 500 ? "network" : "missing", message, hint: say("hint.host") });
      }
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await heard(reader.read());
        if (done) break;
        if (part.filled + value.length > size) {
          await reader.cancel();
          throw new Failure({
            code: "weights",
            message: say("error.shardLong", { file, want: size }),
            hint: say("hint.host"),
          });
        }
        part.bytes.set(value, part.filled);
        part.filled += value.length;
        this.#downloaded += value.length;
        this.#loaded += value.length;
        this.#tell();
      }
      if (part.filled < size) {
        const got = part.filled;
        this.#empty(part); // the host says that this is all
        throw new Failure({
          code: "network",
          message: say("error.shardSize", { file, got, want: size }),
          hint: say("hint.retry"),
        });
      }
    } finally {
      signal.removeEventListener("abort", end);
    }
  }

  #tell() {
    const seconds = (performance.now() - this.#downloadStart) / 1000;
    const rate = this.#downloaded / seconds;
    const secondsLeft = this.#downloaded > 0 && seconds > 0.5 ? (this.total - this.#loaded) / rate : undefined;
    const held = this.#wanting && this.gate.closed;
    this.onProgress({ loaded: this.#loaded, total: this.total, cached: this.#cached, secondsLeft, held });
  }
}
