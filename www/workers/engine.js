// The worker that holds the networks: on the CPU, or on a WebGPU device that it alone owns. Faces come from the
// photo's worker, and edits go to it; the page only hears how it goes.
import { probe, watchDevices, within } from "../shared/adapter.js";
import { Failure } from "../shared/failure.js";
import { onUse } from "../shared/on-use.js";
import { Remote } from "../shared/rpc.js";
import { say } from "../shared/say.js";
import { atRest } from "../shared/strengths.js";
import { answerCalls, crash, notify } from "./answers.js";
import { bitmapOf, canvasOf, free } from "./canvas.js";
import { startCpu } from "./cpu.js";
import { faceNetworks } from "./face-networks.js";
import { once } from "./once.js";
import { startThreads } from "./thread-pool.js";
import { Gate, loadHosted, loadOwn } from "./weights.js";

/** @import { EngineEvents, EngineMethods, PhotoSupply } from "../shared/protocol.js" */
/** @import { CropId, Edited, InversionId, LoadProgress, ModelInfo, Quad, StageName } from "../shared/types.js" */
/** @import { Tuning } from "../shared/types.js" */
/** @import { WebEngine } from "../pkg/cpu/sdic.js" */

/** @type {import("./answers.js").Notify<EngineEvents>} */
const tell = notify;

/** How long a device may take to open, and to compile and run the tiny network; broken drivers take for ever. */
const [DEVICE_SECONDS, SELF_TEST_SECONDS] = [30, 180];

/** Where nothing was found in a picture, any place will do. @type {Quad} */
const UNIT = [
  [0, 0],
  [0, 1],
  [1, 1],
  [1, 0],
];

/** @type {WebEngine | undefined} */
let engine;
/** @type {Map<InversionId, CropId>} the inversions that the engine holds, and what each was made of */
const inverted = new Map();
/** @type {Remote<PhotoSupply> | undefined} the photo's worker */
let photos;
/** @type {import("./answers.js").CallContext | undefined} the search for sliders that is under way */
let searching;
/** @type {Promise<unknown>} what a graphics card compiles and proves while the model's weights come */
let rehearsal = Promise.resolve();
/** Whether there is a graphics card that compiles. What stands in for one takes the processor from what is awaited. */
let rehearses = false;
/** @type {Tuning | undefined} which kernels are the fastest on that card, as the page remembers it or as was measured */
let tuning;
/** What lets the host's model in. */
const gate = new Gate();
/** @type {string | undefined} what the model is called by where it is kept, if it is the visitor's own */
let own;
/** What the model's pictures show. */
let depicts = "faces";

const disconnected = () => new Failure({ code: "disconnected", message: "the photo's worker is gone" });

function running() {
  if (!engine) throw new Failure({ code: "not-started", message: "the engine has not been started" });
  return engine;
}

/** The photo's worker. */
function supply() {
  if (!photos) throw disconnected();
  return photos;
}

/**
 * The engine with this inversion in it.
 * @param {InversionId} inversion
 */
function holding(inversion) {
  const crop = inverted.get(inversion);
  if (!crop) throw new Failure({ code: "stale-inversion", message: say("error.stale") });
  return { engine: running(), crop };
}

/**
 * Chooses the kernels, and compiles and proves them.
 * @param {WebEngine} engine
 */
async function rehearsed(engine) {
  tuning = await engine.tune(tuning);
  tell("tuned", tuning);
  await engine.rehearse();
}

/** Takes a model into the engine, and tells the page what it is. */
const taker = {
  /** @param {Uint8Array} bytes */
  begin(bytes) {
    inverted.clear();
    const model = running().begin(bytes);
    if (rehearses) {
      rehearsal = within(rehearsed(running()), SELF_TEST_SECONDS);
      // A failure is told when the model is there, if its weights come at all.
      rehearsal.catch(() => {});
    }
    tell("model", model);
    return model;
  },
  /**
   * @param {number} index
   * @param {Uint8Array} bytes
   */
  pushShard: (index, bytes) => running().pushShard(index, bytes),
};

/**
 * What comes of sliders that are all at rest: the reconstruction itself.
 * @param {InversionId} inversion
 * @returns {Promise<Edited>}
 */
async function unmoved(inversion) {
  const edited = await running().view(inversion, "reconstruction");
  return { edited, unedited: edited, motion: undefined, held: {} };
}

/** With the face networks the engine sees how edits move a face where the model does not tell. */
const useFaces = once(async () => {
  const { manifest, weights } = await faceNetworks();
  running().useFaces(manifest, weights);
});

/**
 * A model of faces is told, if it is not yet, that its edits go onto the photo's own pixels: with the face networks the
 * engine finds how they move a face. Without them they move nothing that the model does not tell.
 * @param {ModelInfo} model
 */
async function seeing(model) {
  if (model.depicts !== "faces" || (own === undefined && model.pasteMode === "difference")) return model;
  const sees = await useFaces().then(
    () => true,
    () => false,
  );
  if (!sees || model.pasteMode === "difference") return model;
  /** @type {ModelInfo} */
  const told = { ...model, pasteMode: "difference" };
  tell("model", told);
  return told;
}

/** @type {EngineMethods & ThisType<import("./answers.js").CallContext>} */
const methods = {
  /**
   * Starts the engine and lets it prove on a tiny network that this device computes correctly; a `loaded` event tells
   * when its program has come. On the CPU it uses several threads where it can, at most as many as are named.
   */
  async start(backend, threads) {
    const adapter = backend === "webgpu" ? await probe() : undefined;
    rehearses = adapter?.kind === "real";
    if (adapter?.kind === "none") {
      throw new Failure({ code: "no-adapter", message: say("error.noAdapter"), hint: say("hint.useCpu") });
    }
    if (backend === "webgpu") watchDevices((reason) => crash(new Error(`GPU device lost: ${reason}`)));
    const module = await (backend === "webgpu" ? import("../pkg/webgpu/sdic.js") : import("../pkg/cpu/sdic.js"));
    await (backend === "webgpu" ? module.default() : startCpu());
    tell("loaded", undefined);
    const started = await within(module.WebEngine.create(backend), DEVICE_SECONDS);
    if (adapter?.kind === "software") started.emulated();
    const starting = backend === "cpu" ? startThreads(threads) : 1;
    const proof = within(started.selfTest(), SELF_TEST_SECONDS);
    const [selfTestError, count] = await Promise.all([proof, starting]);
    engine = started;
    return { backend, adapter: started.adapter, selfTestError, threads: count };
  },

  /**
   * Loads a model from a folder of the host, or one of the visitor's own; `progress` events tell how far it is. `held`:
   * nothing is downloaded until `holdDownload` allows it. `known`: what was `tuned` on this graphics card before.
   */
  async load(wanted, held = false, known = undefined) {
    methods.holdDownload(held);
    tuning ??= known;
    const onProgress = (/** @type {LoadProgress} */ progress) => tell("progress", progress);
    own = undefined;
    const model = await ("own" in wanted
      ? loadOwn(wanted.own, taker, onProgress)
      : loadHosted(new URL(wanted.folder), taker, onProgress, gate));
    running().finish();
    // A card that fails this is given up as one is that fails later: the page starts the engine again, photo and all.
    rehearsal.catch(crash);
    own = "own" in wanted ? wanted.own : undefined;
    depicts = model.depicts;
    return seeing(model);
  },

  /** Pauses the download of a model, or lets it go on where it was. */
  holdDownload(held) {
    if (held) gate.close();
    else gate.open();
  },

  /** Adds the directions in a file to the model, in place of those of an earlier file of its name. */
  async addDirections(name, file) {
    if (depicts === "faces") await useFaces().catch(() => {}); // without them they move nothing
    return running().addDirections(name, file);
  },

  /**
   * Looks for sliders in the visitor's own model, which has them from then on; `search` events tell how far it is.
   * Other calls are answered meanwhile. Paused, it fails as superseded, and goes on another time where it was.
   */
  async findSliders() {
    const engine = running();
    if (own === undefined) throw new Failure({ code: "missing", message: say("error.noOwnModel") });
    const ofFaces = depicts === "faces";
    if (ofFaces) await useFaces();
    const { findSliders } = await onUse(() => import("./sliders.js"), say("search.title"));
    searching = this;
    try {
      const found = await findSliders(engine, own, this, (progress) => tell("search", progress));
      return ofFaces ? { ...found, pasteMode: "difference" } : found;
    } finally {
      searching = undefined;
    }
  },

  /** Has a search for sliders keep what it has seen, and end; not if it is done by then. */
  pauseSearch() {
    if (searching) searching.cancelled = true;
  },

  /** Has the model draw a face, another one for every seed. Can be cancelled before it begins. */
  async draw(seed) {
    const name = "drawn";
    try {
      await running().draw(name, seed, UNIT, undefined, () => this.yield());
      const canvas = canvasOf(await running().view(name, "reconstruction"));
      return await canvas.convertToBlob().finally(() => free(canvas));
    } finally {
      running().release(name);
    }
  },

  /**
   * Inverts the face in a crop; `stage` events name what is being done. Can be cancelled between stages. Of a face that
   * the model itself has drawn, by a seed, nothing need be guessed.
   */
  async invert(inversion, crop, inputSize, seed) {
    const { picture, quad, mesh } = await supply().call("face", [crop, inputSize]);
    const onStage = (/** @type {StageName} */ stage, /** @type {number} */ done, /** @type {number} */ total) => {
      tell("stage", { stage, done, total });
      return this.yield();
    };
    const { data, width, height } = picture;
    if (seed === undefined) {
      await running().invert(inversion, new Uint8Array(data.buffer), width, height, quad, mesh, onStage);
    } else await running().draw(inversion, seed, quad, mesh, onStage);
    inverted.set(inversion, crop);
  },

  /** Forgets an inversion, if it is held. */
  release(inversion) {
    if (inverted.delete(inversion)) running().release(inversion);
  },

  async view(inversion, kind) {
    return bitmapOf(await holding(inversion).engine.view(inversion, kind));
  },

  /**
   * Makes an edit, and gives it to the photo's worker. Can be cancelled between any two convolutions. Returns which
   * sliders would have torn the face, and the share of their strength that was used.
   */
  async edit(inversion, edit, strengths, previewSize) {
    const { engine, crop } = holding(inversion);
    const edited = atRest(strengths)
      ? await unmoved(inversion)
      : await engine.edit(inversion, strengths, previewSize, () => this.yield());
    const { held } = edited;
    await supply().call("take", [crop, edit, edited], { move: true });
    return held;
  },

  /** A small picture of an edit, made while nothing else is to be done. */
  async thumbnail(inversion, strengths, previewSize, rendering) {
    await this.giveWay();
    const { engine, crop } = holding(inversion);
    const edited = await engine.edit(inversion, strengths, previewSize, async () => {
      await this.giveWay();
      this.check();
    });
    return supply().call("thumbnail", [crop, edited, rendering], { move: true });
  },
};

answerCalls(methods, {
  background: ["findSliders", "holdDownload", "pauseSearch", "thumbnail"],
  onLink(port) {
    photos?.end(disconnected());
    photos = port && new Remote(port);
  },
});
