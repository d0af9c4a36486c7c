// The model's shards: from this browser's cache where it has them, else from the host, with progress and retries.
import { Failure } from "../shared/failure.js";
import { t } from "../shared/strings.js";
import { WEIGHTS_CACHE, shardKey } from "../shared/cache.js";

/** @import { LoadProgress, Shard } from "../shared/types.js" */

const RETRY_AFTER_MS = [500, 2000];

/** Loads the shards of one model, one ahead of the engine that takes them. */
export class ShardLoader {
  #loaded = 0;
  #cached = 0;
  #downloaded = 0;
  #downloadStart = 0;
  /** @type {Cache | undefined} */
  #cache;

  /**
   * @param {Shard[]} shards
   * @param {URL} folder where the shards lie
   * @param {(progress: LoadProgress) => void} onProgress
   */
  constructor(shards, folder, onProgress) {
    this.shards = shards;
    this.folder = folder;
    this.onProgress = onProgress;
    this.total = shards.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * Hands every shard to `accept`, which throws when the bytes are not what the manifest promises. Accepted bytes are
   * kept in the cache, so that an interrupted visit goes on where it stopped.
   * @param {(index: number, bytes: Uint8Array) => void} accept
   * @throws {Failure} `stale` when it was the cache that held wrong bytes: they are gone now, so load again
   */
  async deliver(accept) {
    this.#cache = await self.caches?.open(WEIGHTS_CACHE).catch(() => undefined);
    let next = this.#get(0);
    for (let index = 0; index < this.shards.length; index++) {
      const shard = this.shards[index];
      const { bytes, fresh } = await next;
      if (index + 1 < this.shards.length) next = this.#get(index + 1);
      next.catch(() => {}); // reported when its turn comes
      try {
        accept(index, bytes);
      } catch (thrown) {
        if (fresh) throw thrown;
        await this.#cache?.delete(shardKey(shard));
        throw new Failure({ code: "stale", message: Failure.from(thrown).message });
      }
      if (fresh) await this.#keep(shard, bytes);
    }
    await this.#forgetOthers();
  }

  /** @param {number} index */
  async #get(index) {
    const shard = this.shards[index];
    const hit = await this.#cache?.match(shardKey(shard));
    if (!hit) return { bytes: await this.#download(shard), fresh: true };
    const bytes = new Uint8Array(await hit.arrayBuffer());
    this.#cached += bytes.length;
    this.#advance(bytes.length);
    return { bytes, fresh: false };
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
    const offline = () => new Failure({ code: "network", message: t("error.offline", { file }), hint: t("hint.retry") });
    this.#downloadStart ||= performance.now();
    const response = await fetch(new URL(file, this.folder), { cache: "no-store" }).catch(() => {
      throw offline();
    });
    if (!response.ok || !response.body) {
      const message = t("error.shardStatus", { file, status: response.status });
      throw new Failure({ code: response.status >= 500 ? "network" : "missing", message, hint: t("hint.host") });
    }
    const bytes = new Uint8Array(size);
    let filled = 0;
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read().catch(() => {
        throw offline();
      });
      if (done) break;
      if (filled + value.length > size) {
        await reader.cancel();
        throw new Failure({ code: "weights", message: t("error.shardSize", { file, got: `> ${size}`, want: size }), hint: t("hint.host") });
      }
      bytes.set(value, filled);
      filled += value.length;
      this.#downloaded += value.length;
      this.#advance(value.length);
    }
    if (filled < size) {
      throw new Failure({ code: "network", message: t("error.shardSize", { file, got: filled, want: size }), hint: t("hint.retry") });
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

  /**
   * @param {Shard} shard
   * @param {Uint8Array} bytes
   */
  async #keep(shard, bytes) {
    const headers = { "Content-Type": "application/octet-stream", "Content-Length": String(bytes.length) };
    const body = new Response(/** @type {Uint8Array<ArrayBuffer>} */ (bytes), { headers });
    await this.#cache?.put(shardKey(shard), body).catch(() => {}); // a full disk only costs the next visit a download
  }

  /** Drops shards of models that this page no longer uses. */
  async #forgetOthers() {
    const wanted = new Set(this.shards.map((shard) => new URL(shardKey(shard), self.location.origin).href));
    for (const request of (await this.#cache?.keys()) ?? []) {
      if (!wanted.has(request.url)) await this.#cache?.delete(request);
    }
  }
}
