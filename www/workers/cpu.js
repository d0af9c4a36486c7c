// The CPU engine, in the build that suits the browser best, and its memory.
//
// Threads are workers that use one memory. It has to be made as shared memory, which every browser can where the page
// is isolated from other origins, and most can elsewhere too. Where it cannot be made, the same program runs in memory
// that is not shared.
import init from "../pkg/cpu/sdic.js";
import { isFused } from "../shared/fused.js";
import { once } from "./once.js";

const PAGE = 65536;
/** Bytes of memory at first: at least what the module asks for. */
const LEAST_BYTES = 4 << 20;
/** Bytes that memory may grow to: the most there can be, else what a browser with less room for addresses reserves. */
const MOST_BYTES = [2 ** 32, 2 ** 31, 2 ** 30];

/** Starts it in this worker. */
export const startCpu = once(async () => {
  const plain = new URL("../pkg/cpu/sdic_bg.wasm", import.meta.url);
  const fused = new URL("../pkg/cpu/sdic_fused_bg.wasm", import.meta.url);
  const url = isFused() ? fused : plain;
  const shared = memory(true);
  Object.assign(Atomics, { waitAsync: waiting(shared && /** @type {any} */ (Atomics.waitAsync)) });
  if (shared) return init({ module_or_path: url, memory: shared });
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the engine's program could not be loaded: ${response.status}`);
  const program = unshared(new Uint8Array(await response.arrayBuffer()));
  return init({ module_or_path: WebAssembly.compile(program), memory: memory(false) });
});

/** @param {boolean} shared */
function memory(shared) {
  for (const most of MOST_BYTES) {
    try {
      return new WebAssembly.Memory({ initial: LEAST_BYTES / PAGE, maximum: most / PAGE, shared });
    } catch {
      // There may be room for less.
    }
  }
}

/** Milliseconds after which a value is looked at again where a browser tells of its change, and where it does not. */
const AGAIN = { told: 50, untold: 0 };

/**
 * What tells when a value in memory changes: the engine uses it where it waits for the page. Some browsers have no such
 * function, none has one for memory that is not shared, and one that forgot to tell would stop the engine for good.
 * @typedef {(values: Int32Array, at: number, value: number) => { async: boolean, value: string | Promise<string> }} WaitAsync
 * @param {WaitAsync | undefined} native
 */
function waiting(native) {
  const pause = native ? AGAIN.told : AGAIN.untold;
  return /** @type {WaitAsync} */ (values, at, value) => {
    const told = native?.call(Atomics, values, at, value);
    const changed = () => Atomics.load(values, at) !== value;
    if (told ? !told.async : changed()) return { async: false, value: "not-equal" };
    let over = false;
    const looked = async () => {
      while (!over && !changed()) await new Promise((resolve) => setTimeout(resolve, pause));
      return "ok";
    };
    const first = Promise.race([looked(), ...(told ? [told.value] : [])]);
    return { async: true, value: first.finally(() => (over = true)) };
  };
}

/** The import of shared memory as a module writes it: a name and its length, that it is memory, and of which kind. */
const IMPORT = [6, ...new TextEncoder().encode("memory"), 2, 3];
/** The kind that is not shared, and has a most. */
const UNSHARED = 1;

/**
 * The program, with memory that is not shared.
 * @param {Uint8Array<ArrayBuffer>} program
 */
function unshared(program) {
  const at = program.findIndex((_, from) => IMPORT.every((byte, index) => program[from + index] === byte));
  if (at < 0) throw new Error("the engine's program imports no shared memory");
  program[at + IMPORT.length - 1] = UNSHARED;
  return program;
}
