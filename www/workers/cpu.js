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
  if (!shared || !Atomics.waitAsync) Object.assign(Atomics, { waitAsync });
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

/**
 * What tells when a value in memory changes, for browsers that have no such function, or none for such memory. The
 * engine uses it where it waits for the page.
 * @param {Int32Array} values
 * @param {number} at
 * @param {number} value
 */
function waitAsync(values, at, value) {
  const changed = () => Atomics.load(values, at) !== value;
  if (changed()) return { async: false, value: "not-equal" };
  const waiting = async () => {
    while (!changed()) await new Promise((resolve) => setTimeout(resolve));
    return "ok";
  };
  return { async: true, value: waiting() };
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
