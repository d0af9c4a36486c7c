// Calls from the page to a worker: one message per call, one per answer, and events in between.
import { Failure } from "./failure.js";

/**
 * @typedef {{ id: number, method: string, args: unknown[] }} Call
 * @typedef {{ id: number, value: unknown } | { id: number, failure: import("./failure.js").FailureData }} Answer
 * @typedef {{ event: string, data: unknown }} Notice
 */

/**
 * The buffers and bitmaps in `value` (itself, its fields, or the items of its lists) that can be moved instead of copied.
 * @param {unknown} value
 * @param {Set<Transferable>} [found]
 * @returns {Set<Transferable>}
 */
function movable(value, found = new Set()) {
  if (value instanceof ImageBitmap) found.add(value);
  else if (ArrayBuffer.isView(value)) found.add(/** @type {ArrayBuffer} */ (value.buffer));
  else if (Array.isArray(value)) value.forEach((item) => movable(item, found));
  else if (value?.constructor === Object) Object.values(value).forEach((item) => movable(item, found));
  return found;
}

/**
 * Worker side: answers calls by `methods`, one after another in the order they came.
 * @param {Record<string, (...args: any[]) => unknown>} methods
 */
export function answerCalls(methods) {
  // A panic inside the engine's own tasks surfaces as a rejection that nobody awaits: make it an error the page hears of.
  self.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    setTimeout(() => {
      throw event.reason;
    });
  });
  let last = Promise.resolve();
  self.addEventListener("message", (event) => {
    const { id, method, args } = /** @type {MessageEvent<Call>} */ (event).data;
    last = last.then(async () => {
      try {
        const value = await methods[method](...args);
        self.postMessage({ id, value }, { transfer: [...movable(value)] });
      } catch (thrown) {
        self.postMessage({ id, failure: Failure.from(thrown).toJSON() });
      }
    });
  });
}

/**
 * Worker side: tells the page something while a call runs.
 * @param {string} event
 * @param {unknown} data
 */
export function notify(event, data) {
  self.postMessage({ event, data });
}

/** Page side: a module worker whose methods are called by name. */
export class RemoteWorker {
  /** @type {Map<number, { resolve: (value: any) => void, reject: (failure: Failure) => void }>} */
  #waiting = new Map();
  #next = 0;
  #worker;

  /**
   * @param {URL} script `onCrash` hears of a crash that no waiting call can report
   * @param {{ onEvent?: (event: string, data: any) => void, onCrash?: (failure: Failure) => void }} [listeners]
   */
  constructor(script, { onEvent, onCrash } = {}) {
    this.#worker = new Worker(script, { type: "module" });
    this.#worker.addEventListener("message", ({ data }) => {
      if ("event" in data) return onEvent?.(data.event, data.data);
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ("failure" in data) waiting?.reject(new Failure(data.failure));
      else waiting?.resolve(data.value);
    });
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      const failure = new Failure({ code: "crash", message: event.message || "the worker could not start" });
      const idle = this.#waiting.size === 0;
      this.stop(failure);
      if (idle) onCrash?.(failure);
    });
  }

  /**
   * @param {string} method
   * @param {...unknown} args cloned, not moved: the page keeps its pictures
   * @returns {Promise<any>} rejects with a Failure
   */
  call(method, ...args) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, method, args });
    });
  }

  /**
   * Ends the worker; every call still waiting fails with `failure`.
   * @param {Failure} [failure]
   */
  stop(failure = new Failure({ code: "stopped", message: "the worker was stopped" })) {
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(failure);
    this.#waiting.clear();
  }
}
