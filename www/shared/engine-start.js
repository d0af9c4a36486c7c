// Starting the engine: its worker, and the backend that is wanted, or the processor where a graphics card fails.
import { Failure } from "./failure.js";
import { RemoteWorker } from "./rpc.js";

/** @import { EngineEvents, EngineMethods } from "./protocol.js" */
/** @import { Listeners } from "./rpc.js" */
/** @import { Adapter, Backend, EngineInfo } from "./types.js" */

/** @typedef {RemoteWorker<EngineMethods, EngineEvents>} EngineWorker */

/**
 * A worker that can become an engine.
 * @param {{ on?: Listeners<EngineEvents>, onCrash?: (failure: Failure) => void }} listeners
 * @returns {EngineWorker}
 */
export function engineWorker(listeners) {
  const worker = new Worker(new URL("../workers/engine.js", import.meta.url), { type: "module" });
  return new RemoteWorker(worker, listeners);
}

/** How long an engine on several threads may take from its program to its proof, until it is tried with one. */
const SILENCE_SECONDS = 20;

/**
 * Starts an engine in a worker that `spawn` makes. Where the graphics card is wanted and fails, `onFallback` hears why,
 * and another worker starts on the processor.
 * @param {{
 *   wish: "auto" | Backend, adapter: () => Promise<Adapter>, spawn: (onLoaded: () => void) => EngineWorker,
 *   onFallback: (failure: Failure) => void, threads?: number
 * }} options `adapter` is what WebGPU would use, and only asked for where that decides; `onLoaded` listens to the
 *   worker's `loaded`; `threads` at most
 * @returns {Promise<{ worker: EngineWorker, info: EngineInfo }>}
 */
export async function startEngine({ wish, adapter, spawn, onFallback, threads }) {
  const first = spawned(spawn);
  if (wish === "webgpu" || (wish === "auto" && (await adapter()).kind === "real")) {
    try {
      return { worker: first.worker, info: await first.worker.call("start", ["webgpu", threads]) };
    } catch (thrown) {
      const failure = Failure.from(thrown);
      if (failure.ended) throw failure;
      onFallback(failure);
      first.worker.stop();
      return startOnCpu(spawned(spawn), spawn, threads);
    }
  }
  return startOnCpu(first, spawn, threads);
}

/**
 * A new worker, and what settles when its program is there, which comes over lines of any speed.
 * @param {(onLoaded: () => void) => EngineWorker} spawn
 */
function spawned(spawn) {
  let onLoaded = () => {};
  const loaded = new Promise((resolve) => {
    onLoaded = () => resolve(undefined);
  });
  return { worker: spawn(onLoaded), loaded };
}

/**
 * Starts the processor's engine. Where it is silent while it starts its threads, another one starts with one: Firefox
 * was seen to hold a worker for good that starts workers while the browser is driven by a program.
 * @param {{ worker: EngineWorker, loaded: Promise<unknown> }} first
 * @param {(onLoaded: () => void) => EngineWorker} spawn
 * @param {number | undefined} threads
 */
async function startOnCpu({ worker, loaded }, spawn, threads) {
  const start = worker.call("start", ["cpu", threads]);
  const silence = async () => {
    await loaded;
    await new Promise((resolve) => setTimeout(resolve, 1000 * SILENCE_SECONDS));
  };
  const info = await (threads === 1 ? start : Promise.race([start, silence()]));
  if (info) return { worker, info };
  worker.stop();
  const other = spawn(() => {});
  return { worker: other, info: await other.call("start", ["cpu", 1]) };
}
