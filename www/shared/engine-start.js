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

/**
 * Starts an engine in a worker that `spawn` makes. Where the graphics card is wanted and fails, `onFallback` hears why,
 * and another worker starts on the processor.
 * @param {{
 *   wish: "auto" | Backend, adapter: () => Promise<Adapter>, spawn: () => EngineWorker,
 *   onFallback: (failure: Failure) => void, threads?: number
 * }} options `adapter` is what WebGPU would use, and only asked for where that decides; `threads` at most
 * @returns {Promise<{ worker: EngineWorker, info: EngineInfo }>}
 */
export async function startEngine({ wish, adapter, spawn, onFallback, threads }) {
  const worker = spawn();
  /** @type {Backend} */
  let backend = "cpu"; // which waits for no graphics card
  if (wish === "webgpu" || (wish === "auto" && (await adapter()).kind === "real")) backend = "webgpu";
  try {
    return { worker, info: await worker.call("start", [backend, threads]) };
  } catch (thrown) {
    const failure = Failure.from(thrown);
    if (backend === "cpu" || failure.ended) throw failure;
    onFallback(failure);
    worker.stop();
    const other = spawn();
    return { worker: other, info: await other.call("start", ["cpu", threads]) };
  }
}
