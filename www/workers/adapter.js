// Is there a graphics card behind WebGPU, or a program that pretends to be one?

/** @import { Adapter } from "../shared/types.js" */

/** Names of renderers that run on the processor. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|warp\b/i;

/**
 * The adapter that WebGPU would use.
 * @returns {Promise<Adapter>}
 */
export async function probe() {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" }).catch(() => null);
  if (!adapter) return { kind: "none", name: "" };
  const { vendor, architecture, device, description } = adapter.info;
  const name = description || [vendor, architecture, device].filter(Boolean).join(" ") || "WebGPU";
  const software = adapter.info.isFallbackAdapter || SOFTWARE.test([vendor, architecture, device, description].join(" "));
  return { kind: software ? "software" : "real", name };
}
