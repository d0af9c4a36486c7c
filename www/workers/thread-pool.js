// Further workers that compute parts of the CPU engine's convolutions, seen from the worker that shares them out.
//
// Shared memory needs the page to be isolated from other origins, which its host asks for by two headers; without them
// there is no pool. A thread costs one instance of the engine (some MB), and the largest part it was ever sent three
// times over: in shared memory, and as input and output in its own. Together that is about three times the largest
// layer: some 400 MB for a 1024-pixel model whatever the number of threads, and a few MB for the bundled one.
import { AREA, BEGUN, DONE, LENGTH, OVER, SEEN, SENT, STATE, STATES, WORDS } from "./signals.js";

/**
 * @typedef {{
 *   worker: Worker, control: Int32Array<SharedArrayBuffer>, area: Float32Array<SharedArrayBuffer>,
 *   areas: number, tasks: number, sent: number, unseen: number
 * }} Thread it was given `areas`, `area` the last, and `tasks`, the last one at the time `sent`; the first that it has
 *   not seen, at `unseen`
 */

/** Threads at most, the engine's own included: what is not shared out takes its time however many there are. */
const MOST_THREADS = 8;
/** How long threads may take to start before the engine goes on without them. */
const START_MS = 20_000;
/** How long a thread may be silent: at least so long, and at work so many times what the caller needs for its part. */
const SILENCE_MS = 5_000;
const SILENCE_RATIO = 5;

/** @implements {Pick<import("../pkg/cpu/sdic.js").ThreadPool, keyof ThreadPool>} */
export class ThreadPool {
  #threads;
  #onStop;

  /**
   * @param {Thread[]} threads
   * @param {() => void} onStop
   */
  constructor(threads, onStop) {
    this.#threads = threads;
    this.#onStop = onStop;
  }

  /**
   * Starts a thread for every further processor; undefined where there is none or memory cannot be shared.
   * @param {() => void} onStop hears when a thread has failed, and the pool was stopped
   * @param {number} [most] threads, the engine's own included
   */
  static async start(onStop, most = MOST_THREADS) {
    const count = Math.min(navigator.hardwareConcurrency, most) - 1;
    if (!crossOriginIsolated || count < 1) return undefined;
    /** @type {Thread[]} */
    const threads = [];
    const started = () => {
      const control = new Int32Array(new SharedArrayBuffer(4 * WORDS));
      const worker = new Worker(new URL("./pool-thread.js", import.meta.url), { type: "module" });
      const area = new Float32Array(new SharedArrayBuffer(0));
      threads.push({ worker, control, area, areas: 0, tasks: 0, sent: 0, unseen: 0 });
      return new Promise((resolve, reject) => {
        worker.addEventListener("message", resolve, { once: true });
        worker.addEventListener("error", (event) => {
          event.preventDefault(); // or it would count as an error of this worker
          reject(event);
        });
      });
    };
    const late = new Promise((resolve) => setTimeout(resolve, START_MS, false));
    try {
      const ready = Promise.all(Array.from({ length: count }, started)).then(() => true);
      if (await Promise.race([ready, late])) return new ThreadPool(threads, onStop);
    } catch {
      // Not every browser starts workers from workers: one thread does it too.
    }
    for (const { worker } of threads) worker.terminate();
    return undefined;
  }

  /** How many there are beside the engine's own. */
  get threads() {
    return this.#threads.length;
  }

  /**
   * Memory shared with a thread, which takes a task of so many values and its result; kept from one task to the next.
   * @param {number} thread
   * @param {number} values
   */
  area(thread, values) {
    const kept = this.#threads[thread];
    if (kept.area.length < values) {
      kept.area = new Float32Array(new SharedArrayBuffer(4 * values));
      Atomics.store(kept.control, AREA, ++kept.areas);
      kept.worker.postMessage({ control: kept.control, area: kept.area, number: kept.areas });
    }
    return kept.area;
  }

  /**
   * Has a thread begin with the task in its area.
   * @param {number} thread
   */
  send(thread) {
    const each = this.#threads[thread];
    const { control } = each;
    each.sent = performance.now();
    if (Atomics.load(control, SEEN) === each.tasks) each.unseen = each.sent;
    Atomics.store(control, STATE, ++each.tasks * STATES + SENT);
    Atomics.notify(control, STATE);
  }

  /**
   * Waits, blocking this worker, for a thread's result; null when it has not begun, and now will not, undefined when
   * it failed or nothing is heard of it.
   * @param {number} thread
   */
  collect(thread) {
    const { control, area, tasks, sent, unseen } = this.#threads[thread];
    const base = tasks * STATES;
    const now = performance.now();
    if (Atomics.compareExchange(control, STATE, base + SENT, base + OVER) === base + SENT) {
      return now - unseen < SILENCE_MS ? null : undefined;
    }
    Atomics.wait(control, STATE, base + BEGUN, Math.max(SILENCE_MS, SILENCE_RATIO * (now - sent)));
    return Atomics.load(control, STATE) === base + DONE ? area.subarray(0, Atomics.load(control, LENGTH)) : undefined;
  }

  stop() {
    for (const { worker } of this.#threads) worker.terminate();
    this.#onStop();
  }
}
