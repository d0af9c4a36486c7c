// Calls to a worker: one message per call, one per answer, and events in between. Every call settles: by its answer,
// or by a Failure when its worker crashes or is stopped. A call can be cancelled, which it notices when it next yields.
// `workers/answers.js` answers them.
import { Failure } from "./failure.js";

/** @import { FailureData } from "./failure.js" */

/**
 * @typedef {{ id: number, method: string, args: unknown[] }} Call
 * @typedef {{ cancel: number }} Cancel the id of a call
 * @typedef {{ link: MessagePort | undefined }} Link a way to another worker, in place of any given before
 * @typedef {{ id: number, value: unknown } | { id: number, failure: FailureData }} CallAnswer
 * @typedef {{ event: string, data: unknown }} Notice
 * @typedef {Record<string, (...args: any[]) => unknown>} Methods
 */

/**
 * @template {Record<string, any>} Events
 * @typedef {{ [E in keyof Events]?: (data: Events[E]) => void }} Listeners
 */

/**
 * The buffers and bitmaps in `value` (itself, its fields, or the items of its lists) that can be moved instead of
 * copied.
 * @param {unknown} value
 * @param {Set<Transferable>} [found]
 * @returns {Set<Transferable>}
 */
export function movable(value, found = new Set()) {
  if (value instanceof ImageBitmap) found.add(value);
  else if (ArrayBuffer.isView(value)) found.add(/** @type {ArrayBuffer} */ (value.buffer));
  else if (Array.isArray(value)) for (const item of value) movable(item, found);
  else if (value?.constructor === Object) for (const item of Object.values(value)) movable(item, found);
  return found;
}

/**
 * Frees the bitmaps in an answer that nobody wants any more.
 * @param {unknown} value
 */
function release(value) {
  for (const each of movable(value)) if (each instanceof ImageBitmap) each.close();
}

/** What a call fails with that is no longer wanted. */
export function superseded() {
  return new Failure({ code: "superseded", message: "something else was asked for in the meantime" });
}

/**
 * Fails when the caller no longer wants what it asked for.
 * @param {AbortSignal | undefined} signal
 * @throws {Failure} "superseded"
 */
export function check(signal) {
  if (signal?.aborted) throw superseded();
}

/**
 * Calls over a worker or a port.
 * @template {Methods} M
 * @template {Record<string, any>} [Events=Record<string, never>]
 */
export class Remote {
  /** @type {Map<number, { settle: (answer: CallAnswer) => void, reject: (failure: Failure) => void }>} */
  #waiting = new Map();
  #next = 0;
  /** @type {Failure | undefined} why there will be no more answers */
  #over;

  /**
   * @param {Worker | MessagePort} endpoint
   * @param {{ on?: Listeners<Events>, onFatal?: (failure: Failure) => void }} [listeners] `onFatal` hears of an answer
   *   after which the other side cannot be used
   */
  constructor(endpoint, { on = {}, onFatal } = {}) {
    this.endpoint = endpoint;
    endpoint.addEventListener("message", (event) => {
      const { data } = /** @type {MessageEvent<CallAnswer | Notice>} */ (event);
      if (this.#over) return "value" in data ? release(data.value) : undefined;
      if ("event" in data) return on[data.event]?.(/** @type {any} */ (data.data));
      if ("failure" in data && new Failure(data.failure).fatal) onFatal?.(new Failure(data.failure));
      this.#waiting.get(data.id)?.settle(data);
    });
    if ("start" in endpoint) endpoint.start();
  }

  /**
   * @template {keyof M & string} Name
   * @param {Name} method
   * @param {Parameters<M[Name]>} args
   * @param {{ signal?: AbortSignal, move?: boolean }} [options] after `signal` was aborted the call fails as
   *   "superseded", whatever comes of it; `move` moves the pictures in `args` instead of cloning them
   * @returns {Promise<Awaited<ReturnType<M[Name]>>>} rejects with a Failure
   */
  call(method, args, { signal, move = false } = {}) {
    if (this.#over) return Promise.reject(this.#over);
    if (signal?.aborted) return Promise.reject(superseded());
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const cancel = () => this.endpoint.postMessage({ cancel: id });
      const end = () => {
        this.#waiting.delete(id);
        signal?.removeEventListener("abort", cancel);
      };
      const fail = (/** @type {Failure} */ failure) => {
        end();
        reject(signal?.aborted ? superseded() : failure);
      };
      const settle = (/** @type {CallAnswer} */ answer) => {
        if ("failure" in answer) return fail(new Failure(answer.failure));
        end();
        if (!signal?.aborted) return resolve(/** @type {any} */ (answer.value));
        release(answer.value);
        reject(superseded());
      };
      // Posted first: what cannot be cloned rejects this call, and nothing waits for it.
      this.endpoint.postMessage({ id, method, args }, { transfer: move ? [...movable(args)] : [] });
      this.#waiting.set(id, { settle, reject: fail });
      signal?.addEventListener("abort", cancel);
    });
  }

  /**
   * Gives the other side a way to another worker, or takes it away.
   * @param {MessagePort | undefined} port
   */
  link(port) {
    if (!this.#over) this.endpoint.postMessage({ link: port }, { transfer: port ? [port] : [] });
    else port?.close();
  }

  /**
   * Fails all calls, those that wait and those to come.
   * @param {Failure} failure
   */
  end(failure) {
    if (this.#over) return;
    this.#over = failure;
    for (const { reject } of [...this.#waiting.values()]) reject(failure);
  }
}

/**
 * A module worker whose methods are called by name.
 * @template {Methods} M
 * @template {Record<string, any>} [Events=Record<string, never>]
 * @extends {Remote<M, Events>}
 */
export class RemoteWorker extends Remote {
  #worker;

  /**
   * @param {Worker | URL} script a worker that was just made, so that bundlers find its script, or the script
   * @param {{ on?: Listeners<Events>, onCrash?: (failure: Failure) => void }} [listeners] `onCrash` hears when the
   *   worker has failed for good; by then all its calls have been rejected
   */
  constructor(script, { on, onCrash } = {}) {
    const worker = script instanceof URL ? new Worker(script, { type: "module" }) : script;
    const crash = (/** @type {Failure} */ failure) => {
      if (this.#worker === undefined) return;
      this.stop(failure);
      onCrash?.(failure);
    };
    super(worker, { on, onFatal: crash });
    this.#worker = /** @type {Worker | undefined} */ (worker);
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      crash(new Failure({ code: "crash", message: event.message || "the worker could not start" }));
    });
    worker.addEventListener("messageerror", () => {
      crash(new Failure({ code: "crash", message: "an answer could not be read" }));
    });
  }

  /**
   * Ends the worker; all its calls fail with `failure`.
   * @param {Failure} [failure]
   */
  stop(failure = new Failure({ code: "stopped", message: "the worker was stopped" })) {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.end(failure);
  }
}
