// Calls from the page to a worker: one message per call, one per answer, and events in between. Calls can be called off,
// which those under way notice when they next breathe.
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

/** Worker side: the call being answered, and the latest one that was called off with all before it. */
let [current, calledOff] = [-1, -1];
/** @type {MessageChannel | undefined} a message to oneself takes one turn of the event loop, a timer at least 4 ms */
let turn;

/**
 * Worker side: lets messages in, as a call must do now and then to be called off.
 * @throws {Failure} "superseded" if the page no longer wants the answer to this call
 */
export async function breathe() {
  const { port1, port2 } = (turn ??= new MessageChannel());
  await new Promise((resolve) => {
    port1.onmessage = resolve;
    port2.postMessage(undefined);
  });
  if (current <= calledOff) throw new Failure({ code: "superseded", message: "a newer request came in between" });
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
    const data = /** @type {MessageEvent<Call | { calledOff: number }>} */ (event).data;
    if ("calledOff" in data) return void (calledOff = data.calledOff);
    const { id, method, args } = data;
    last = last.then(async () => {
      current = id;
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

  /** Calls off what has been asked for so far: calls that can be stopped half way fail as "superseded". */
  callOff() {
    if (this.#waiting.size > 0) this.#worker.postMessage({ calledOff: this.#next - 1 });
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
