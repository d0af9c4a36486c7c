// The worker that holds the networks: on the CPU, or on a WebGPU device that it alone owns.
import { Failure } from "../shared/failure.js";
import { answerCalls, breathe, notify } from "../shared/rpc.js";
import { t } from "../shared/strings.js";
import { probe, watchDevices } from "./adapter.js";
import { Crew } from "./crew.js";
import { loadHosted, loadOwn } from "./weights.js";

/** @import { Backend, Direction, Edited, EngineInfo, EngineView, LoadProgress, Manifest, Picture, Point, Quad, Strengths } from "../shared/types.js" */

/** @type {import("../pkg/cpu/sdic.js").Engine | undefined} */
let engine;

/**
 * Ends this worker's use: the page hears of it as a crash, and starts another.
 * @param {string} reason
 */
function fall(reason) {
  setTimeout(() => {
    throw new Error(`GPU device lost: ${reason}`);
  });
}

function running() {
  if (!engine) throw new Failure({ code: "not-started", message: "the engine has not been started" });
  return engine;
}

/** Takes a model into the engine, and tells the page what it is. */
const taker = {
  /** @param {Uint8Array} bytes */
  begin(bytes) {
    const manifest = running().begin(bytes);
    notify("manifest", manifest);
    return manifest;
  },
  /**
   * @param {number} index
   * @param {Uint8Array} bytes
   */
  pushShard: (index, bytes) => running().pushShard(index, bytes),
};

answerCalls({
  probe,

  /**
   * Starts the engine and lets it prove on a tiny network that this device computes correctly. On the CPU it uses
   * several threads where it can; a `threads` event tells when it has to go on with one.
   * @param {Backend} backend
   * @returns {Promise<EngineInfo>}
   */
  async start(backend) {
    if (backend === "webgpu" && (await probe()).kind === "none") {
      throw new Failure({ code: "no-adapter", message: t("error.noAdapter"), hint: t("hint.useCpu") });
    }
    if (backend === "webgpu") watchDevices(fall);
    const module = await (backend === "webgpu" ? import("../pkg/webgpu/sdic.js") : import("../pkg/cpu/sdic.js"));
    await module.default();
    const started = await module.Engine.create(backend);
    const hiring = backend === "cpu" ? Crew.hire(() => notify("threads", 1)) : undefined;
    const [selfTestError, crew] = await Promise.all([started.selfTest(), hiring]);
    if (crew) module.setCrew(crew);
    engine = started;
    return { backend, adapter: started.adapter, selfTestError, threads: 1 + (crew?.members ?? 0) };
  },

  /**
   * Loads the model from a folder of the host, or the visitor's own; `progress` events tell how far it is.
   * @param {string | undefined} folder undefined for the visitor's own
   * @returns {Promise<Manifest>}
   */
  async load(folder) {
    const onProgress = (/** @type {LoadProgress} */ progress) => notify("progress", progress);
    const manifest = await (folder === undefined ? loadOwn(taker, onProgress) : loadHosted(new URL(folder), taker, onProgress));
    running().finish();
    return manifest;
  },

  /**
   * Inverts an aligned face; `stage` events name what is being done. Can be called off between stages.
   * @param {Picture} face
   * @param {Quad} quad where it was cut out
   * @param {Point[] | undefined} points its mesh in the photo, when it was found and not placed by hand
   */
  async invert({ width, height, data }, quad, points) {
    const rgba = new Uint8Array(data.buffer);
    await running().invert(rgba, width, height, quad, points, (stage, done, total) => {
      notify("stage", { stage, done, total });
      return breathe();
    });
  },

  /**
   * @param {EngineView} kind
   * @returns {Promise<Picture>}
   */
  view: (kind) => running().view(kind),

  /**
   * Adds the directions in a file to the model.
   * @param {string} name
   * @param {Blob} file
   * @returns {Direction[]}
   */
  addDirections: (name, file) => running().addDirections(name, file),

  /**
   * Can be called off between any two convolutions.
   * @param {Strengths} strengths
   * @param {number} [previewSize]
   * @returns {Promise<Edited>}
   */
  edit: (strengths, previewSize) => running().edit(strengths, previewSize, breathe),
});
