// A worker's side of `shared/rpc.js`: calls are answered, and may be cancelled while they run.
import { Failure } from "../shared/failure.js";
import { movable, superseded } from "../shared/rpc.js";

/** @import { Call, Cancel, Link, Methods } from "../shared/rpc.js" */

/**
 * @template {Record<string, any>} Events
 * @typedef {<E extends keyof Events & string>(event: E, data: Events[E]) => void} Notify
 */

/** @type {MessageChannel | undefined} a message to oneself takes one round of the event loop, a timer at least 4 ms */
let loop;
/** @type {(() => void)[]} */
const rounds = [];

/** Lets messages in. */
function nextRound() {
  if (!loop) {
    loop = new MessageChannel();
    loop.port1.onmessage = () => rounds.shift()?.();
  }
  const { port2 } = loop;
  return new Promise((resolve) => {
    rounds.push(() => resolve(undefined));
    port2.postMessage(undefined);
  });
}

/** One call being answered; `this` in the methods of a worker. */
export class CallContext {
  cancelled = false;
  #others;

  /** @param {() => Promise<void>} others resolves when no call is under way that is answered in its order */
  constructor(others) {
    this.#others = others;
  }

  /**
   * Lets messages in, as a long call must do now and then to be cancelled.
   * @throws {Failure} "superseded" if the caller no longer wants the answer
   */
  async yield() {
    await nextRound();
    this.check();
  }

  /** Lets all others be answered first, as a call in the background must do now and then. */
  async giveWay() {
    await nextRound();
    await this.#others();
  }

  /** @throws {Failure} "superseded" */
  check() {
    if (this.cancelled) throw superseded();
  }
}

/**
 * Where calls come from and answers go.
 * @typedef {{
 *   addEventListener(type: "message", listener: (event: any) => void): void,
 *   postMessage(message: any, options?: { transfer?: Transferable[] }): void,
 *   start?(): void
 * }} Endpoint
 */

/**
 * Answers calls by `methods`.
 * @template {Methods} M
 * @param {M & ThisType<CallContext>} methods
 * @param {{
 *   endpoint?: Endpoint, concurrent?: boolean, background?: readonly (keyof M & string)[],
 *   onLink?: (port: MessagePort | undefined) => void, onFatal?: (failure: Failure) => void
 * }} [options] calls come from the page unless told; not `concurrent`, they are answered one after another in the
 *   order they came, but for those of `background`, which nobody waits for; `onLink` hears of a way to another worker,
 *   even while a call runs; `onFatal` hears, instead of a caller who is not the page, of a failure after which this
 *   worker cannot be used
 */
export function answerCalls(methods, { endpoint = self, concurrent = false, background = [], onLink, onFatal } = {}) {
  /** @type {Map<number, CallContext>} */
  const calls = new Map();
  let last = Promise.resolve();
  let ordered = 0;
  const others = async () => {
    while (ordered > 0) await last;
  };
  if (endpoint === self) {
    // A panic inside the engine's own tasks surfaces as a rejection that nobody awaits.
    self.addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      crash(event.reason);
    });
  }
  endpoint.addEventListener("message", (event) => {
    const data = /** @type {MessageEvent<Call | Cancel | Link>} */ (event).data;
    if ("cancel" in data) {
      const context = calls.get(data.cancel);
      if (context) context.cancelled = true;
    } else if ("link" in data) {
      onLink?.(data.link);
    } else {
      const context = new CallContext(others);
      calls.set(data.id, context);
      const answer = async () => {
        try {
          context.check();
          const value = await methods[data.method].apply(context, data.args);
          endpoint.postMessage({ id: data.id, value }, { transfer: [...movable(value)] });
        } catch (thrown) {
          const cause = Failure.from(thrown);
          // What goes wrong in a call that is no longer wanted does not matter, unless it breaks the worker.
          const failure = context.cancelled && !cause.fatal ? superseded() : cause;
          if (failure.fatal && onFatal) onFatal(failure);
          else endpoint.postMessage({ id: data.id, failure: failure.toJSON() });
        } finally {
          calls.delete(data.id);
        }
      };
      if (concurrent || background.includes(data.method)) return void answer();
      ordered++;
      last = last.then(answer).finally(() => ordered--);
    }
  });
  endpoint.start?.();
}

/**
 * Ends this worker's use: the page hears of an error outside any call, and replaces the worker.
 * @param {unknown} reason
 */
export function crash(reason) {
  setTimeout(() => {
    throw reason;
  });
}

/**
 * Tells the page something while a call runs.
 * @param {string} event
 * @param {unknown} data
 */
export function notify(event, data) {
  self.postMessage({ event, data });
}
