// Runs the engine and onnxruntime-web in turns; see page.mjs, which puts this file and its companions into a folder of
// the built page.
import { WebEngine } from "../pkg/cpu/sdic.js";
import { startCpu } from "../workers/cpu.js";
import { startThreads } from "../workers/thread-pool.js";

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
 * The engine, with the model, and its memory, which only grows.
 * @param {number} threads
 */
async function start(threads) {
  const program = /** @type {{ memory: WebAssembly.Memory }} */ (await startCpu());
  const engine = await WebEngine.create("cpu");
  const { shards } = engine.begin(await bytes("../weights/manifest.json"));
  for (const [index, shard] of shards.entries()) engine.pushShard(index, await bytes(`../weights/${shard.file}`));
  engine.finish();
  if (threads > 1) {
    const started = await startThreads(threads);
    if (started !== threads) throw new Error(`this browser has no ${threads} threads`);
  }
  return { engine, memory: program.memory };
}

/**
 * What is to be done here, each with its picture as a function of plane and pixel of the picture, in 0..255.
 * @param {number} threads
 */
async function here(threads) {
  const { engine, memory } = await start(threads);
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
  return { jobs, memory };
}

/**
 * The same by onnxruntime-web.
 * @param {number} threads
 */
async function peer(threads) {
  const ort = await import("./ort.js");
  const wasmPaths = {
    mjs: new URL("ort-wasm.js", import.meta.url).href,
    wasm: new URL("ort.wasm", import.meta.url).href,
  };
  Object.assign(ort.env.wasm, { numThreads: threads, wasmPaths });
  const options = { executionProviders: ["wasm"] };
  const graph = async (/** @type {string} */ name) =>
    ort.InferenceSession.create(await bytes(`${name}.onnx`), options);
  const [invert, edit] = [await graph("invert"), await graph("edit")];
  const { codes, values } = await offsetOf(await file("offset.npy"));
  const face = await floats("face.bin");
  const side = Math.sqrt(face.length / 3);
  /** @type {Record<string, unknown>} */
  let state = {};
  /** @param {{ data: Float32Array }} picture */
  const theirs =
    ({ data }) =>
    (/** @type {number} */ plane, /** @type {number} */ pixel) =>
      shade(data[plane * (data.length / 3) + pixel]);
  return {
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

/** @param {{ threads: number, rounds: number, alone: boolean }} wanted */
async function compare({ threads, rounds, alone }) {
  /** @type {Record<string, { seconds: Record<string, number[][]>, off: Record<string, number> }>} */
  const results = {};
  const { jobs, memory } = await here(threads);
  /** @type {Record<string, Record<string, () => Promise<(plane: number, pixel: number) => number>>>} */
  const contestants = { ours: jobs, ...(alone ? {} : { theirs: await peer(threads) }) };
  const names = Object.keys(contestants);
  for (const [what, picture] of Object.entries({ inversion: "inverted.bin", edit: "edited.bin" })) {
    const expected = await floats(picture);
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
  return { results, bytes: memory.buffer.byteLength };
}

self.addEventListener("message", ({ data }) =>
  compare(data).then(
    (found) => self.postMessage({ found }),
    (thrown) => self.postMessage({ failure: thrown.message ?? String(thrown) }),
  ),
);
