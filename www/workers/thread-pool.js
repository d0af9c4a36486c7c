// Further workers that work along with the CPU engine's worker.
//
// They use the engine's own memory, which needs the page to be isolated from other origins: its host asks for that by
// two headers; without them there is no pool. A thread costs a stack and scratch memory, a few MB.
import { sharedMemory, sharedModule } from "../pkg/cpu/sdic.js";

/** Threads at most, the engine's own included: what is not shared out takes its time however many there are. */
const MOST_THREADS = 8;
/** How long threads may take to start before the engine goes on without them. */
const START_MS = 20_000;

/**
 * Starts a thread for every further processor.
 * @param {number} [most] threads, the engine's own included
 * @returns {Promise<number>} how many threads there are, the engine's own included
 */
export async function startThreads(most = MOST_THREADS) {
  const count = Math.min(navigator.hardwareConcurrency, most) - 1;
  if (!crossOriginIsolated || count < 1) return 1;
  /** @type {Worker[]} */
  const workers = [];
  const started = () => {
    const worker = new Worker(new URL("./pool-thread.js", import.meta.url), { type: "module" });
    workers.push(worker);
    worker.postMessage({ module: sharedModule(), memory: sharedMemory() });
    return new Promise((resolve, reject) => {
      worker.addEventListener("message", resolve, { once: true });
      worker.addEventListener("error", (event) => {
        event.preventDefault(); // or it would count as an error of this worker
        reject(event);
      });
    });
  };
  const late = new Promise((resolve) => setTimeout(resolve, START_MS, false));
  try {
    const ready = Promise.all(Array.from({ length: count }, started)).then(() => true);
    if (await Promise.race([ready, late])) {
      for (const worker of workers) worker.postMessage("begin");
      return 1 + count;
    }
  } catch {
    // Not every browser starts workers from workers: one thread does it too.
  }
  for (const worker of workers) worker.terminate();
  return 1;
}
