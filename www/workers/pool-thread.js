// A worker that computes parts of convolutions for the engine's worker, which does not read messages while it waits:
// results and failures are told through shared memory.
import { performTask } from "../pkg/cpu/sdic.js";
import { startCpu } from "./cpu.js";
import { BEGUN, DONE, LENGTH, OVER, SEEN, SENT, STATE, STATES } from "./signals.js";

/**
 * @typedef {{
 *   number: number, control: Int32Array<SharedArrayBuffer>, area: Float32Array<SharedArrayBuffer>,
 *   order: string, count: number
 * }} PoolTask `area` holds `count` values and takes the result
 */

self.addEventListener("message", (event) => {
  const { number, control, area, order, count } = /** @type {MessageEvent<PoolTask>} */ (event).data;
  const base = number * STATES;
  Atomics.store(control, SEEN, number);
  if (Atomics.compareExchange(control, STATE, base + SENT, base + BEGUN) !== base + SENT) return; // withdrawn
  try {
    Atomics.store(control, LENGTH, performTask(order, area, count));
    Atomics.store(control, STATE, base + DONE);
  } catch {
    Atomics.store(control, STATE, base + OVER);
  }
  Atomics.notify(control, STATE);
});

await startCpu();
self.postMessage("ready");
