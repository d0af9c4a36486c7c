// A world in which nothing happens by itself: messages, timers and pauses of workers wait until a seeded choice lets
// one of them go on. What a browser has and the session uses is replaced by something that lives in it.
import { setImmediate as afterMicrotasks } from "node:timers";

/** @typedef {{ postMessage(message: any, options?: any): void }} Endpoint */

/**
 * Numbers in [0, 1), the same for the same seed.
 * @param {number} seed
 */
export function random(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export class World {
  #random;
  now = 0;
  /** @type {Map<unknown, (() => void)[]>} what can go on: any queue's first */
  #queues = new Map();
  /** @type {{ id: number, at: number, run: () => void }[]} */
  #timers = [];
  #nextTimer = 1;
  /** @type {Map<string, FakeWorker>} the latest worker of each script */
  workers = new Map();
  /** @type {Set<FakeBitmap>} that the page holds and has not closed */
  held = new Set();

  /**
   * @param {number} seed
   * @param {Record<string, (worker: FakeWorker) => void>} scripts what a worker of each name does when it starts
   */
  constructor(seed, scripts) {
    this.#random = random(seed);
    this.scripts = scripts;
  }

  chance(/** @type {number} */ probability) {
    return this.#random() < probability;
  }

  /**
   * @template T
   * @param {readonly T[]} choices
   * @returns {T}
   */
  pick(choices) {
    return choices[Math.floor(this.#random() * choices.length)];
  }

  /**
   * @param {unknown} queue things in one queue keep their order
   * @param {() => void} run
   */
  later(queue, run) {
    const waiting = this.#queues.get(queue);
    if (waiting) waiting.push(run);
    else this.#queues.set(queue, [run]);
  }

  /** Resolves when it is its turn. */
  pause() {
    return new Promise((resolve) => this.later({}, () => resolve(undefined)));
  }

  setTimeout(/** @type {() => void} */ run, /** @type {number} */ after = 0) {
    const id = this.#nextTimer++;
    this.#timers.push({ id, at: this.now + after, run });
    return id;
  }

  clearTimeout(/** @type {number} */ id) {
    this.#timers = this.#timers.filter((timer) => timer.id !== id);
  }

  get atRest() {
    return this.#queues.size === 0 && this.#timers.length === 0;
  }

  /** Lets one thing go on, with all that follows from it at once. */
  async step() {
    const queues = [...this.#queues.keys()];
    if (queues.length > 0 && (this.#timers.length === 0 || this.chance(0.9))) {
      const queue = this.pick(queues);
      const waiting = /** @type {(() => void)[]} */ (this.#queues.get(queue));
      const run = /** @type {() => void} */ (waiting.shift());
      if (waiting.length === 0) this.#queues.delete(queue);
      this.now += 30 * this.#random();
      run();
    } else if (this.#timers.length > 0) {
      const first = this.#timers.reduce((a, b) => (b.at < a.at ? b : a));
      this.clearTimeout(first.id);
      this.now = Math.max(this.now, first.at);
      first.run();
    }
    await settle();
  }
}

/** Resolves when all promises that can have gone on. */
export function settle() {
  return new Promise((resolve) => void afterMicrotasks(resolve));
}

/** @type {World} */
let world;

/** @param {World} next */
export function enter(next) {
  world = next;
}

/** A bitmap that knows what it shows. */
export class FakeBitmap {
  closed = false;
  width = 256;
  height = 256;

  /** @param {any} shows */
  constructor(shows) {
    this.shows = shows;
  }

  close() {
    this.closed = true;
    world.held.delete(this);
  }
}

/**
 * A message as it arrives: what is moved arrives itself, the rest as a copy.
 * @param {any} value
 * @param {unknown[]} moved
 * @returns {any}
 */
function arrived(value, moved) {
  if (value instanceof FakeBitmap) {
    if (value.closed) throw new DOMException("a closed bitmap cannot be cloned", "DataCloneError");
    return moved.includes(value) ? value : new FakeBitmap(value.shows);
  }
  if (Array.isArray(value)) return value.map((item) => arrived(item, moved));
  if (value?.constructor !== Object) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, arrived(item, moved)]));
}

/**
 * @param {any} value
 * @returns {Generator<FakeBitmap>}
 */
function* bitmapsIn(value) {
  if (value instanceof FakeBitmap) yield value;
  else if (Array.isArray(value)) for (const item of value) yield* bitmapsIn(item);
  else if (value?.constructor === Object) for (const item of Object.values(value)) yield* bitmapsIn(item);
}

export class FakePort extends EventTarget {
  /** @type {FakePort | undefined} */
  peer;
  /** @type {FakeWorker | undefined} where it was sent */
  owner;
  /** @type {MessageEvent[] | undefined} what has come before anyone listened */
  #early = [];

  /** @param {any} message @param {{ transfer?: unknown[] }} [options] */
  postMessage(message, { transfer = [] } = {}) {
    const { peer } = this;
    const data = arrived(message, transfer);
    world.later(peer, () => {
      if (!peer || peer.owner?.dead) return;
      const event = new MessageEvent("message", { data });
      if (peer.#early) peer.#early.push(event);
      else peer.dispatchEvent(event);
    });
  }

  /** @param {(event: Event) => void} listener */
  set onmessage(listener) {
    this.addEventListener("message", listener);
    this.start();
  }

  start() {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const event of early) this.dispatchEvent(event);
  }
  close() {}
}

export class FakeChannel {
  port1 = new FakePort();
  port2 = new FakePort();

  constructor() {
    this.port1.peer = this.port2;
    this.port2.peer = this.port1;
  }
}

/** A worker, seen from the page. What happens inside is up to the world's script of its name. */
export class FakeWorker extends EventTarget {
  dead = false;
  /** The page's messages arrive here; `postMessage` answers. */
  inside = Object.assign(new EventTarget(), {
    postMessage: (/** @type {any} */ message, /** @type {{ transfer?: unknown[] }} */ { transfer = [] } = {}) => {
      const data = arrived(message, transfer);
      world.later(this.inside, () => {
        if (this.dead) return;
        for (const bitmap of bitmapsIn(data)) world.held.add(bitmap);
        this.dispatchEvent(new MessageEvent("message", { data }));
      });
    },
  });
  /** What the test looks at. @type {any} */
  state;

  /** @param {URL} script */
  constructor(script) {
    super();
    this.name = /** @type {string} */ (script.pathname.split("/").at(-1));
    world.workers.set(this.name, this);
    world.scripts[this.name](this);
  }

  /** @param {any} message @param {{ transfer?: unknown[] }} [options] */
  postMessage(message, { transfer = [] } = {}) {
    const data = arrived(message, transfer);
    for (const moved of transfer) if (moved instanceof FakePort) moved.owner = this;
    world.later(this, () => {
      if (!this.dead) this.inside.dispatchEvent(new MessageEvent("message", { data }));
    });
  }

  terminate() {
    this.dead = true;
  }

  /** Makes it fail as a trapped engine does. */
  crash() {
    world.later(this.inside, () => {
      if (this.dead) return;
      const event = Object.assign(new Event("error", { cancelable: true }), { message: "unreachable" });
      this.dispatchEvent(event);
    });
  }
}

/** Replaces what the session uses of a browser. */
export function install() {
  Object.assign(globalThis, {
    self: globalThis,
    Worker: FakeWorker,
    ImageBitmap: FakeBitmap,
    document: { querySelector: () => null }, // a page into which the build has written nothing
    MessageChannel: FakeChannel,
    setTimeout: (/** @type {() => void} */ run, /** @type {number} */ after) => world.setTimeout(run, after),
    clearTimeout: (/** @type {number} */ id) => world.clearTimeout(id),
  });
  Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
  Object.defineProperty(globalThis, "crypto", { value: {}, configurable: true });
  Object.defineProperty(globalThis, "performance", { value: { now: () => world.now }, configurable: true });
}
