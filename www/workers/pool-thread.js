// A worker that works along with the engine's worker, in its memory.
import { enterPool, initSync, leaveWork, takePart } from "../pkg/cpu/sdic.js";

/** Bytes of its stack. */
const STACK = 1 << 20;

self.addEventListener("message", (event) => {
  const { data } = /** @type {MessageEvent<{ module: WebAssembly.Module, memory: WebAssembly.Memory } | "begin">} */ (
    event
  );
  if (data !== "begin") {
    initSync({ ...data, thread_stack_size: STACK });
    self.postMessage("ready");
    return;
  }
  enterPool();
  try {
    for (;;) takePart();
  } catch (thrown) {
    leaveWork();
    throw thrown;
  }
});
