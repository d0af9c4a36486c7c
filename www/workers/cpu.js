// The CPU engine, in the build that suits the browser best.
import init from "../pkg/cpu/sdic.js";
import { isFused } from "../shared/fused.js";

/** Starts it in this worker. */
export function startCpu() {
  const fused = new URL("../pkg/cpu/sdic_fused_bg.wasm", import.meta.url);
  return init(isFused() ? { module_or_path: fused } : undefined);
}
