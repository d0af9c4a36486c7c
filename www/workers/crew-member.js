// A worker that computes shares of convolutions for the engine's worker, which does not read messages while it waits:
// results and failures are told through shared memory.
import init, { performErrand } from "../pkg/cpu/sdic.js";
import { DONE, FAILED, LENGTH, STATE } from "./signals.js";

/**
 * @typedef {{ control: Int32Array<SharedArrayBuffer>, area: Float32Array<SharedArrayBuffer>, order: string, count: number }} Errand
 *   `area` holds `count` values and takes the result
 */

self.addEventListener("message", (event) => {
  const { control, area, order, count } = /** @type {MessageEvent<Errand>} */ (event).data;
  try {
    Atomics.store(control, LENGTH, performErrand(order, area, count));
    Atomics.store(control, STATE, DONE);
  } catch {
    Atomics.store(control, STATE, FAILED);
  }
  Atomics.notify(control, STATE);
});

await init();
self.postMessage("ready");
