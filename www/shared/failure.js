/**
 * What went wrong, in a form that crosses from a worker to the page.
 * `code` is for programs, `message` says what and where, `hint` says what to do.
 * @typedef {{ code: string, message: string, hint?: string }} FailureData
 */

/** An error with a code and a hint, thrown on both sides of a worker. */
export class Failure extends Error {
  /** @param {FailureData} data */
  constructor({ code, message, hint = "" }) {
    super(message);
    this.name = "Failure";
    this.code = code;
    this.hint = hint;
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
    if (thrown instanceof Error) return new Failure({ code: "unexpected", message: thrown.message });
    if (typeof thrown === "object" && thrown !== null && "code" in thrown) {
      const { code, message, hint } = /** @type {Partial<FailureData>} */ (thrown);
      return new Failure({ code: String(code), message: String(message ?? code), hint });
    }
    return new Failure({ code: "unexpected", message: String(thrown) });
  }

  /** @returns {FailureData} */
  toJSON() {
    return { code: this.code, message: this.message, hint: this.hint };
  }

  /** True when the worker that threw this must be replaced before anything else can work. */
  get fatal() {
    return FATAL.has(this.code);
  }
}

const FATAL = new Set(["crash", "device-lost", "out-of-memory"]);
