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
  const software =
    adapter.info.isFallbackAdapter || SOFTWARE.test([vendor, architecture, device, description].join(" "));
  return { kind: software ? "software" : "real", name };
}

/**
 * Reports the loss or the misbehaviour of any device asked for from now on. The engine asks for its device inside
 * wasm, where a lost device may only mean that an answer never comes.
 * @param {(reason: string) => void} onFailure
 */
export function watchDevices(onFailure) {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await requestDevice.call(this, descriptor);
    void device.lost.then(({ message }) => onFailure(message));
    device.addEventListener("uncapturederror", ({ error }) => onFailure(error.message));
    return device;
  };
}
