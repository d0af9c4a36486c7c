// The two builds of the CPU engine, and which of them this browser runs: one multiplies and adds in one instruction, as
// WebAssembly's relaxed vectors allow. Browsers refuse a file with instructions that they do not know.

/** A module of one function, `(a, b, c) => a * b + c` of relaxed vectors. */
export const PROBE = [
  [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // version 1
  [0x01, 0x08, 0x01, 0x60, 0x03, 0x7b, 0x7b, 0x7b, 0x01, 0x7b], // three vectors to one
  [0x03, 0x02, 0x01, 0x00],
  [0x0a, 0x0d, 0x01, 0x0b, 0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0xfd, 0x85, 0x02, 0x0b], // f32x4.relaxed_madd
].flat();

/** Whether this browser runs the fused build. */
export const isFused = () => WebAssembly.validate(Uint8Array.from(PROBE));

/** The files of the builds in a folder of the page. */
export const BUILDS = { plain: "pkg/cpu/sdic_bg.wasm", fused: "pkg/cpu/sdic_fused_bg.wasm" };
