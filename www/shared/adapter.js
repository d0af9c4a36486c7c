// Is there a graphics card behind WebGPU, or a program that pretends to be one? The page asks, and the worker that is
// to compute on it.

/** @import { Adapter } from "./types.js" */

/** Names of renderers that run on the processor. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|warp\b/i;

/** How long an adapter may take to answer; drivers that are broken never do. */
const ADAPTER_SECONDS = 5;

/**
 * What comes of some work, or a rejection when it takes too long.
 * @template T
 * @param {Promise<T>} work
 * @param {number} seconds
 * @param {() => void} [onLate] called before the rejection
 * @returns {Promise<T>}
 */
export async function within(work, seconds, onLate) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      onLate?.();
      reject(new Error(`no answer within ${seconds} seconds`));
    }, 1000 * seconds);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/**
 * The adapter that WebGPU would use; none where asking for it fails, however it fails.
 * @returns {Promise<Adapter>}
 */
export async function probe() {
  /** @type {Adapter} */
  const none = { kind: "none", name: "" };
  return ask(none).catch(() => none);
}

/**
 * @param {Adapter} none
 * @returns {Promise<Adapter>}
 */
async function ask(none) {
  const request = navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  const adapter = request && (await within(request, ADAPTER_SECONDS).catch(() => null));
  if (!adapter) return none;
  describeAdapters();
  const { vendor, architecture, device, description } = adapter.info;
  const name = description || [vendor, architecture, device].filter(Boolean).join(" ") || "WebGPU";
  const software =
    adapter.info.isFallbackAdapter || SOFTWARE.test([vendor, architecture, device, description].join(" "));
  return { kind: software ? "software" : "real", name };
}

/**
 * Gives adapters that say nothing of themselves an empty description, which the engine reads: Chrome 113 to 126.
 */
function describeAdapters() {
  if ("info" in GPUAdapter.prototype) return;
  const info = { vendor: "", architecture: "", device: "", description: "" };
  Object.defineProperty(GPUAdapter.prototype, "info", { get: () => info, configurable: true });
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
