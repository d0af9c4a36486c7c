// A worker that computes parts of convolutions for the engine's worker. Neither reads messages while it waits for the
// other: tasks, results and failures are told through shared memory, which takes microseconds where a message takes
// tenths of milliseconds.
import { performTask } from "../pkg/cpu/sdic.js";
import { startCpu } from "./cpu.js";
import { AREA, BEGUN, DONE, LENGTH, OVER, SEEN, SENT, STATE, STATES } from "./signals.js";

/**
 * @typedef {{
 *   control: Int32Array<SharedArrayBuffer>, area: Float32Array<SharedArrayBuffer>, number: number
 * }} PoolArea `area`, the one of this number, holds tasks and takes their results
 */

self.addEventListener("message", (event) => {
  const { control, area, number } = /** @type {MessageEvent<PoolArea>} */ (event).data;
  for (;;) {
    const state = Atomics.load(control, STATE);
    if (state % STATES !== SENT || state === 0) {
      Atomics.wait(control, STATE, state);
      continue;
    }
    // A task in another area: the message that brings it has come.
    if (Atomics.load(control, AREA) !== number) return;
    const base = state - SENT;
    Atomics.store(control, SEEN, base / STATES);
    if (Atomics.compareExchange(control, STATE, state, base + BEGUN) !== state) continue; // withdrawn
    try {
      Atomics.store(control, LENGTH, performTask(area));
      Atomics.store(control, STATE, base + DONE);
    } catch {
      Atomics.store(control, STATE, base + OVER);
    }
    Atomics.notify(control, STATE);
  }
});

await startCpu();
self.postMessage("ready");
