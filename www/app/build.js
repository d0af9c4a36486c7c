// What the build wrote into the page.

/** @param {string} name of a meta element */
const written = (name) => document.querySelector(`meta[name="${name}"]`)?.getAttribute("content") ?? "";

/** The version of this page. */
export const VERSION = written("version");

/** Whether this page came before its engine for WebGPU, which is still compiled. */
export const COMPILING = written("compiling") === "webgpu";
