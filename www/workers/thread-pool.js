// Further workers that take shares of the CPU engine's convolutions, seen from the worker that shares them out.
//
// Shared memory needs the page to be isolated from other origins, which its host asks for by two headers; without them
// there is no crew. A member costs one instance of the engine (some MB), and the largest share it was ever sent
// three times over: in shared memory, and as input and output in its own. Together that is about three times
// the largest layer, some 400 MB for a 1024-pixel model whatever the number of members, and a few MB for the bundled one.
import { BEGUN, DONE, LENGTH, OVER, SEEN, SENT, STATE, STATES } from "./signals.js";

/**
 * @typedef {{
 *   worker: Worker, control: Int32Array<SharedArrayBuffer>, area: Float32Array<SharedArrayBuffer>,
 *   errands: number, sent: number, unseen: number
 * }} Member `errands` it was sent, the last one at the time `sent`; the first that it has not seen, at `unseen`
 */

/** Threads at most: what is not shared out takes its time however many there are. */
const MOST_THREADS = 8;
/** How long members may take to start before the engine goes on without them. */
const START_MS = 20_000;
/** How long a member may be silent: at least so long, and at work so many times what the caller needed for its share. */
const SILENCE_MS = 5_000;
const SILENCE_RATIO = 5;

/** @implements {Pick<import("../pkg/cpu/sdic.js").Crew, keyof Crew>} */
export class Crew {
  #members;
  #onRetire;

  /**
   * @param {Member[]} members
   * @param {() => void} onRetire
   */
  constructor(members, onRetire) {
    this.#members = members;
    this.#onRetire = onRetire;
  }

  /**
   * Starts a member for every further processor; undefined where there is none or memory cannot be shared.
   * @param {() => void} onRetire hears when a member has failed, and the crew has gone
   */
  static async hire(onRetire) {
    const count = Math.min(navigator.hardwareConcurrency, MOST_THREADS) - 1;
    if (!crossOriginIsolated || count < 1) return undefined;
    /** @type {Member[]} */
    const members = [];
    const hired = () => {
      const control = new Int32Array(new SharedArrayBuffer(12));
      const worker = new Worker(new URL("./crew-member.js", import.meta.url), { type: "module" });
      members.push({ worker, control, area: new Float32Array(new SharedArrayBuffer(0)), errands: 0, sent: 0, unseen: 0 });
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
      const ready = Promise.all(Array.from({ length: count }, hired)).then(() => true);
      if (await Promise.race([ready, late])) return new Crew(members, onRetire);
    } catch {
      // Not every browser starts workers from workers: one thread does it too.
    }
    for (const { worker } of members) worker.terminate();
    return undefined;
  }

  get members() {
    return this.#members.length;
  }

  /**
   * Memory shared with a member, kept from one errand to the next.
   * @param {number} member
   * @param {number} values
   */
  area(member, values) {
    const kept = this.#members[member];
    if (kept.area.length < values) kept.area = new Float32Array(new SharedArrayBuffer(4 * values));
    return kept.area;
  }

  /**
   * @param {number} member
   * @param {string} order
   * @param {number} count
   */
  send(member, order, count) {
    const each = this.#members[member];
    const { worker, control, area } = each;
    each.sent = performance.now();
    if (Atomics.load(control, SEEN) === each.errands) each.unseen = each.sent;
    const number = ++each.errands;
    Atomics.store(control, STATE, number * STATES + SENT);
    worker.postMessage({ number, control, area, order, count });
  }

  /**
   * Waits, blocking this worker, for a member's result; null when it has not begun, and now will not, undefined when it
   * failed or nothing is heard of it.
   * @param {number} member
   */
  collect(member) {
    const { control, area, errands, sent, unseen } = this.#members[member];
    const base = errands * STATES;
    const now = performance.now();
    if (Atomics.compareExchange(control, STATE, base + SENT, base + OVER) === base + SENT) {
      return now - unseen < SILENCE_MS ? null : undefined;
    }
    Atomics.wait(control, STATE, base + BEGUN, Math.max(SILENCE_MS, SILENCE_RATIO * (now - sent)));
    return Atomics.load(control, STATE) === base + DONE ? area.subarray(0, Atomics.load(control, LENGTH)) : undefined;
  }

  retire() {
    for (const { worker } of this.#members) worker.terminate();
    this.#onRetire();
  }
}
