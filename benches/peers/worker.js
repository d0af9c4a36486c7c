// Runs the engine and onnxruntime-web in turns; see page.mjs, which puts this file and its companions into a folder of
// the built page.
import { startCpu } from "../workers/cpu.js";
import { startThreads } from "../workers/thread-pool.js";

/** @typedef {{ threads: number, rounds: number, alone: boolean, gpu: boolean }} Wanted */

/** Times that each does the same in a row. */
const ROW = 4;
/** Milliseconds before a row: threads that are done go on for a while, on processors that the next one needs. */
const REST = 200;

/** @param {string} name */
const file = async (name) => (await fetch(new URL(name, import.meta.url))).arrayBuffer();
/** @param {string} name */
const bytes = async (name) => new Uint8Array(await file(name));
/** @param {string} name */
const floats = async (name) => new Float32Array(await file(name));
/** A value in -1..1 as one of 0..255. @param {number} x */
const shade = (x) => 127.5 * (Math.min(Math.max(x, -1), 1) + 1);

/**
 * The engine, with the model, its memory, which only grows, and the kernels that it chose.
 * @param {Wanted} wanted
 */
async function start({ threads, gpu }) {
  const module = await (gpu ? import("../pkg/webgpu/sdic.js") : import("../pkg/cpu/sdic.js"));
  const program = /** @type {{ memory: WebAssembly.Memory }} */ (await (gpu ? module.default() : startCpu()));
  const engine = await module.WebEngine.create(gpu ? "webgpu" : "cpu");
  const { shards } = engine.begin(await bytes("../weights/manifest.json"));
  const tuning = await engine.tune(undefined);
  for (const [index, shard] of shards.entries()) engine.pushShard(index, await bytes(`../weights/${shard.file}`));
  engine.finish();
  if (!gpu && threads > 1) {
    const started = await startThreads(threads);
    if (started !== threads) throw new Error(`this browser has no ${threads} threads`);
  }
  return { engine, memory: program.memory, tuning };
}

/**
 * What is to be done here, each with its picture as a function of plane and pixel of the picture, in 0..255.
 * @param {Wanted} wanted
 */
async function here(wanted) {
  const { engine, ...started } = await start(wanted);
  const face = await floats("face.bin");
  const area = face.length / 3;
  const side = Math.sqrt(area);
  const rgba = new Uint8Array(4 * area).fill(255);
  for (const [index, x] of face.entries()) rgba[4 * (index % area) + Math.floor(index / area)] = Math.round(shade(x));
  const npy = await file("offset.npy");
  const [{ name }] = engine.addDirections("offset.npy", new Blob([npy]));
  /** @param {{ data: Uint8ClampedArray }} picture */
  const ours =
    ({ data }) =>
    (/** @type {number} */ plane, /** @type {number} */ pixel) =>
      data[4 * pixel + plane];

  const jobs = {
    async inversion() {
      await engine.invert(
        "face",
        rgba,
        side,
        side,
        [
          [0, 0],
          [0, side],
          [side, side],
          [side, 0],
        ],
        undefined,
        () => {},
      );
      return ours(await engine.view("face", "reconstruction"));
    },
    edit: async () => ours((await engine.edit("face", { [name]: 1 }, undefined, () => {})).edited),
  };
  return { jobs, adapter: engine.adapter, ...started };
}

/**
 * The same by onnxruntime-web. By WebGPU it edits only, from an inversion by the processor: it has no transposed
 * convolutions in three dimensions there.
 * @param {Wanted} wanted
 */
async function peer({ threads, gpu }) {
  const ort = await import("./ort.js");
  const wasmPaths = {
    mjs: new URL("ort-wasm.js", import.meta.url).href,
    wasm: new URL("ort.wasm", import.meta.url).href,
  };
  Object.assign(ort.env.wasm, { numThreads: threads, wasmPaths });
  const graph = async (/** @type {string} */ name, /** @type {string} */ provider) =>
    ort.InferenceSession.create(await bytes(`${name}.onnx`), { executionProviders: [provider] });
  const [invert, edit] = [await graph("invert", "wasm"), await graph("edit", gpu ? "webgpu" : "wasm")];
  const { codes, values } = await offsetOf(await file("offset.npy"));
  const face = await floats("face.bin");
  const side = Math.sqrt(face.length / 3);
  /** @type {Record<string, { data: Float32Array, dims: number[] }>} */
  let state = {};
  /** @param {{ data: Float32Array }} picture */
  const theirs =
    ({ data }) =>
    (/** @type {number} */ plane, /** @type {number} */ pixel) =>
      shade(data[plane * (data.length / 3) + pixel]);
  const jobs = {
    async inversion() {
      const { picture, ...rest } = await invert.run({ face: new ort.Tensor("float32", face, [1, 3, side, side]) });
      state = rest;
      return theirs(picture);
    },
    async edit() {
      const given = { offset: new ort.Tensor("float32", values, [1, ...codes]), ...state };
      return theirs((await edit.run(given)).picture);
    },
  };
  if (!gpu) return jobs;
  await jobs.inversion();
  const device = await ort.env.webgpu.device;
  for (const [name, { data, dims }] of Object.entries(state)) {
    const { STORAGE, COPY_DST, COPY_SRC } = GPUBufferUsage;
    const buffer = device.createBuffer({ size: data.byteLength, usage: STORAGE | COPY_DST | COPY_SRC });
    device.queue.writeBuffer(buffer, 0, data);
    state[name] = ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims });
  }
  return { edit: jobs.edit };
}

/**
 * The values of a NumPy file, and their dimensions.
 * @param {ArrayBuffer} npy
 */
async function offsetOf(npy) {
  const begin = 10 + new DataView(npy).getUint16(8, true);
  const header = new TextDecoder().decode(npy.slice(10, begin));
  const codes =
    /\((.*)\)/
      .exec(header)?.[1]
      .split(",")
      .filter((text) => text.trim())
      .map(Number) ?? [];
  return { codes, values: new Float32Array(npy.slice(begin)) };
}

/** @param {Wanted} wanted */
async function compare(wanted) {
  const { rounds, alone } = wanted;
  /** @type {Record<string, { seconds: Record<string, number[][]>, off: Record<string, number> }>} */
  const results = {};
  const { jobs, memory, ...told } = await here(wanted);
  /** @type {Record<string, Record<string, () => Promise<(plane: number, pixel: number) => number>>>} */
  const contestants = { ours: jobs, ...(alone ? {} : { theirs: await peer(wanted) }) };
  for (const [what, picture] of Object.entries({ inversion: "inverted.bin", edit: "edited.bin" })) {
    const expected = await floats(picture);
    const names = Object.keys(contestants).filter((who) => what in contestants[who]);
    const area = expected.length / 3;
    /** @type {(typeof results)[string]} */
    const result = { seconds: Object.fromEntries(names.map((who) => [who, []])), off: {} };
    for (let round = 0; round <= rounds; round++) {
      for (const who of round % 2 ? names.toReversed() : names) {
        await new Promise((resolve) => setTimeout(resolve, REST));
        /** @type {number[]} */
        const row = [];
        /** @type {(plane: number, pixel: number) => number} */
        let shown = () => Number.NaN;
        for (let turn = 0; turn < ROW; turn++) {
          const begun = performance.now();
          shown = await contestants[who][what]();
          row.push((performance.now() - begun) / 1000);
        }
        result.seconds[who].push(row);
        result.off[who] = expected.reduce(
          (most, x, index) => Math.max(most, Math.abs(shown(Math.floor(index / area), index % area) - shade(x))),
          0,
        );
      }
    }
    results[what] = result;
  }
  return { results, bytes: memory.buffer.byteLength, ...told };
}

self.addEventListener("message", ({ data }) =>
  compare(data).then(
    (found) => self.postMessage({ found }),
    (thrown) => self.postMessage({ failure: thrown.message ?? String(thrown) }),
  ),
);
