/** @import { Said } from "./say.js" */

/**
 * The codes of all failures, by where they arise. A test compares `engine` with what the Rust code throws.
 */
export const CODES = Object.freeze({
  /** Thrown by the engine itself, from WebAssembly. */
  engine: /** @type {const} */ ([
    "weights",
    "load",
    "edit",
    "picture",
    "device",
    "no-gpu",
    "no-backend",
    "order",
    "view",
    "argument",
    "face",
    "self-test",
    "import",
    "no-encoder",
    "no-mapping",
    "no-faces",
    "fit",
  ]),
  /** About loading and keeping a model. */
  model: /** @type {const} */ ([
    "network",
    "missing",
    "stale",
    "no-adapter",
    "not-started",
    "no-space",
    "no-storage",
    "elsewhere",
    "in-use",
  ]),
  /** About the file that was to be opened. */
  file: /** @type {const} */ ([
    "not-a-picture",
    "unsupported",
    "too-large",
    "too-small",
    "damaged",
    "no-image",
    "no-pixels",
    "camera",
    "look",
  ]),
  /** A worker's answer to an id that it does not hold, or holds no longer. */
  stale: /** @type {const} */ (["stale-photo", "stale-crop", "stale-inversion", "stale-edit"]),
  /** A call that ended early because something else was wanted. */
  ended: /** @type {const} */ (["superseded", "stopped", "restarted", "disconnected"]),
  /** A worker that must be replaced before anything else can work. */
  fatal: /** @type {const} */ (["crash", "out-of-memory"]),
  /** What the page itself tells the visitor. */
  page: /** @type {const} */ (["photo", "gone", "not-saved", "unexpected"]),
});

/** @typedef {typeof CODES[keyof typeof CODES][number]} FailureCode */

/**
 * What went wrong, in a form that crosses from a worker to the page.
 * `code` is for programs, `message` says what and where, `hint` says what to do. What the engine or the browser says in
 * its own words is a string: as `message` where there is nothing else, else as `detail`.
 * @typedef {{ code: FailureCode, message: Said, hint?: Said, detail?: string }} FailureData
 */

/** What engines say when a function calls itself too deeply; WebAssembly cannot go on after that. */
const STACK_OVERFLOW = /call stack|too much recursion/i;

/** An error with a code and a hint, thrown on both sides of a worker. */
export class Failure extends Error {
  /** @param {FailureData} data */
  constructor({ code, message, hint = "", detail = "" }) {
    super(typeof message === "string" ? message : message.key);
    this.name = "Failure";
    this.code = code;
    this.said = message;
    this.hint = hint;
    this.detail = detail;
  }

  /**
   * Anything thrown, as a Failure: ours stay as they are, the engine's plain objects gain a stack, and a trapped
   * wasm instance is told apart because it cannot be used again.
   * @param {unknown} thrown
   * @returns {Failure}
   */
  static from(thrown) {
    if (thrown instanceof Failure) return thrown;
    if (thrown instanceof WebAssembly.RuntimeError) return new Failure({ code: "crash", message: thrown.message });
    if (thrown instanceof Error) {
      const code = STACK_OVERFLOW.test(thrown.message) ? "crash" : "unexpected";
      return new Failure({ code, message: thrown.message });
    }
    if (typeof thrown === "object" && thrown !== null && "code" in thrown && typeof thrown.code === "string") {
      const { code, message, hint, detail } = /** @type {FailureData} */ (thrown);
      return new Failure({ code, message: message ?? code, hint, detail });
    }
    return new Failure({ code: "unexpected", message: String(thrown) });
  }

  /** @returns {FailureData} */
  toJSON() {
    return { code: this.code, message: this.said, hint: this.hint, detail: this.detail };
  }

  /** True when the worker that threw this must be replaced before anything else can work. */
  get fatal() {
    return CODES.fatal.some((code) => code === this.code);
  }

  /** True when the worker holds something else by now than what the call was about. */
  get stale() {
    return CODES.stale.some((code) => code === this.code);
  }

  /** True when nothing went wrong: something else was wanted, or the worker was ended on purpose. */
  get ended() {
    return CODES.ended.some((code) => code === this.code);
  }
}
