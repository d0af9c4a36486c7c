// The engine as the page sees it: which backend runs, how far its model is, and how to bring it back after a crash.
import { probe } from "../shared/adapter.js";
import { engineWorker, startEngine } from "../shared/engine-start.js";
import { Failure } from "../shared/failure.js";
import { onUse } from "../shared/on-use.js";
import { say } from "../shared/say.js";
import { atRest } from "../shared/strengths.js";
import { COMPILING } from "./build.js";
import { remember, settings } from "./settings.js";

/** @import { EngineWorker } from "../shared/engine-start.js" */
/** @import { Rendering } from "../shared/protocol.js" */
/** @import { Saying } from "../shared/say.js" */
/** @import { Adapter, Backend, CropId, EditId, EngineInfo, InversionId, LoadProgress } from "../shared/types.js" */
/** @import { ModelInfo, Strengths, ViewName } from "../shared/types.js" */

/**
 * @typedef {{
 *   state: "starting" | "loading" | "ready" | "failed", info?: EngineInfo, progress?: LoadProgress, failure?: Failure
 * }} EngineStatus
 */

const BUNDLED = new URL("../weights/", import.meta.url).href;

/**
 * Fires `status`, `stage`, `model`, `adapter` (it is known what WebGPU would use), `notice` (what the visitor is
 * told), `search` (how far the search for sliders is), `worker` (there is another one, or none) and `crash` (the
 * engine was ready, and is gone).
 */
export class PageEngine extends EventTarget {
  /** @type {EngineWorker | undefined} */
  #worker;
  /** @type {Promise<ModelInfo> | undefined} a start under way or done, never one that failed */
  #ready;
  /** @type {EngineStatus} */
  status = { state: "starting" };
  /** @type {ModelInfo | undefined} the one in use, or the one before until it is known what the next one is */
  model;
  /** Whether that is known of the one in use. */
  #named = false;
  /** @type {Adapter | undefined} */
  adapter;

  /**
   * Starts, or starts anew, the engine that the settings ask for, and loads the model into it.
   * @returns {Promise<ModelInfo>}
   */
  start() {
    this.#worker?.stop(new Failure({ code: "restarted", message: "the engine was started anew" }));
    const ready = this.#start();
    this.#ready = ready;
    ready.catch((failure) => {
      if (this.#ready === ready) this.fail(failure);
    });
    return ready;
  }

  /**
   * Ends the engine's use until it is wanted again.
   * @param {Failure} failure why
   */
  fail(failure) {
    this.#worker?.stop(failure);
    this.#use(undefined);
    this.#ready = undefined;
    this.#tell({ state: "failed", failure });
  }

  /** Resolves when the model is loaded; starts the engine where it does not run. */
  get ready() {
    return this.#ready ?? this.start();
  }

  /**
   * What is known of the model: one of the visitor's own is waited for until its manifest is read, long before it is
   * loaded, for it may be one of anything. Nothing of one that is not known yet, or will not come.
   * @returns {Promise<ModelInfo | undefined>}
   */
  async known() {
    if (!this.#named && settings.model === "own") {
      const told = new Promise((resolve) => this.addEventListener("model", resolve, { once: true }));
      await Promise.race([told, this.ready.catch(() => {})]);
    }
    return this.#named ? this.model : undefined;
  }

  /**
   * What timings depend on: the model and the backend.
   * @param {Backend | undefined} [backend] the one that runs unless given
   */
  timingKey(backend = this.status.info?.backend) {
    return `${this.model?.name} ${backend}`;
  }

  async #start() {
    this.#named = false;
    this.#tell({ state: "starting" });
    const probing = probe().then((adapter) => {
      this.adapter = adapter;
      this.dispatchEvent(new CustomEvent("adapter"));
      return adapter;
    });
    const { worker, info } = await startEngine({
      wish: COMPILING ? "cpu" : settings.backend,
      adapter: () => probing,
      spawn: (onLoaded) => this.#spawn(onLoaded),
      onFallback: ({ code, message }) => {
        if (code === "self-test") this.#notice(say("engine.selfTestFailed"));
        else this.#notice(say("engine.gpuFailed"), message);
      },
    });
    this.#tell({ state: "loading", info });
    const own = settings.model === "own" ? await ownModel() : undefined;
    remember(own ? { own: own.id } : { model: "bundled" });
    const held = settings.download === "paused";
    const known = settings.tunings[info.adapter];
    const model = await worker.call("load", [own ? { own: own.id } : { folder: BUNDLED }, held, known]);
    this.#tell({ ...this.status, state: "ready", progress: undefined });
    return model;
  }

  /** @param {() => void} onLoaded */
  #spawn(onLoaded) {
    /** @type {EngineWorker} */
    const worker = engineWorker({
      on: {
        loaded: onLoaded,
        progress: (progress) => this.#tell({ ...this.status, progress }),
        model: (model) => {
          [this.model, this.#named] = [model, true];
          this.dispatchEvent(new CustomEvent("model"));
        },
        tuned: (tuning) => {
          const adapter = this.status.info?.adapter;
          if (adapter && tuning) remember({ tunings: { ...settings.tunings, [adapter]: tuning } });
        },
        search: (detail) => this.dispatchEvent(new CustomEvent("search", { detail })),
        stage: (detail) => this.dispatchEvent(new CustomEvent("stage", { detail })),
      },
      onCrash: (failure) => {
        // A crash on the way to a ready engine rejects that start.
        if (this.#worker !== worker || this.status.state !== "ready") return;
        this.#use(undefined);
        this.#ready = undefined;
        this.dispatchEvent(new CustomEvent("crash", { detail: failure }));
      },
    });
    this.#use(worker);
    return worker;
  }

  /** @param {EngineWorker | undefined} worker */
  #use(worker) {
    this.#worker = worker;
    this.dispatchEvent(new CustomEvent("worker"));
  }

  /** @param {EngineStatus} status */
  #tell(status) {
    this.status = status;
    this.dispatchEvent(new CustomEvent("status"));
  }

  /**
   * @param {Saying} said
   * @param {string} [detail] what the browser says, in its own words
   */
  #notice(said, detail) {
    this.dispatchEvent(new CustomEvent("notice", { detail: { said, detail } }));
  }

  /** Whether there is a worker to link to another one. */
  get alive() {
    return this.#worker !== undefined;
  }

  /** @param {MessagePort | undefined} port a way to the photo's worker */
  link(port) {
    this.#worker?.link(port);
  }

  /**
   * Pauses the download of the model, in later visits too, or lets it go on where it was.
   * @param {boolean} held
   */
  holdDownload(held) {
    remember({ download: held ? "paused" : "running" });
    this.#worker?.call("holdDownload", [held]).catch(() => {}); // another engine goes by the settings
  }

  /** The worker that has been started. */
  get #running() {
    if (!this.#worker) throw new Failure({ code: "stopped", message: "the engine does not run" });
    return this.#worker;
  }

  /** Which model is in use: that of the host, or one of the visitor's own by its name in storage. */
  get modelId() {
    return settings.model === "own" ? settings.own : settings.model;
  }

  /**
   * A face that the model draws, as a file.
   * @param {number} seed another face for every one, from 0 to 2^32 - 1
   * @param {AbortSignal} signal
   */
  async draw(seed, signal) {
    await this.ready;
    return this.#running.call("draw", [seed], { signal });
  }

  /**
   * Inverts the face in a crop, and remembers how long it took.
   * @param {InversionId} inversion
   * @param {CropId} crop
   * @param {number | undefined} seed of the face, if this model has drawn it
   * @param {AbortSignal} signal
   * @returns {Promise<number>} seconds
   */
  async invert(inversion, crop, seed, signal) {
    const { inputSize } = await this.ready;
    const start = performance.now();
    await this.#running.call("invert", [inversion, crop, inputSize, seed], { signal });
    const seconds = (performance.now() - start) / 1000;
    if (seed === undefined) this.#remember({ inversion: seconds });
    return seconds;
  }

  /**
   * A picture of an inversion, which the caller closes.
   * @param {InversionId} inversion
   * @param {ViewName} kind
   * @param {AbortSignal} signal
   */
  async view(inversion, kind, signal) {
    return this.#running.call("view", [inversion, kind], { signal });
  }

  /**
   * Has the photo's worker hold an edit. Returns which sliders would have torn the face, and the share of their
   * strength that was used.
   * @param {InversionId} inversion
   * @param {EditId} edit
   * @param {Strengths} strengths
   * @param {number | undefined} previewSize
   * @param {AbortSignal} signal
   */
  async edit(inversion, edit, strengths, previewSize, signal) {
    const start = performance.now();
    const held = await this.#running.call("edit", [inversion, edit, strengths, previewSize], { signal });
    if (previewSize === undefined && !atRest(strengths)) {
      this.#remember({ edit: (performance.now() - start) / 1000 });
    }
    return held;
  }

  /**
   * A small picture of an edit, which the caller closes; edits come first.
   * @param {InversionId} inversion
   * @param {Strengths} strengths
   * @param {number | undefined} previewSize
   * @param {Rendering} rendering
   * @param {AbortSignal} signal
   */
  async thumbnail(inversion, strengths, previewSize, rendering, signal) {
    return this.#running.call("thumbnail", [inversion, strengths, previewSize, rendering], { signal });
  }

  /**
   * Has the engine forget an inversion.
   * @param {InversionId} inversion
   */
  release(inversion) {
    this.#worker?.call("release", [inversion]).catch(() => {}); // an engine that is gone has forgotten it, too
  }

  /**
   * Adds the directions in a file, in place of those of an earlier file of its name.
   * @param {File} file
   */
  async addDirections(file) {
    return this.#running.call("addDirections", [file.name, file]);
  }

  /**
   * Looks for sliders in the visitor's own model, while it is used; it has them from then on.
   * @returns {Promise<ModelInfo>}
   * @throws {Failure} "superseded" when the search was paused
   */
  async findSliders() {
    const worker = this.#running;
    const model = await worker.call("findSliders", []);
    if (worker === this.#worker) {
      this.model = model;
      this.#ready = Promise.resolve(model);
      this.dispatchEvent(new CustomEvent("model"));
    }
    return model;
  }

  /** Has the search for sliders keep what it has seen, and end; not if it is done by then. */
  pauseSearch() {
    this.#worker?.call("pauseSearch", []).catch(() => {}); // an engine that is gone searches no longer
  }

  /** @param {{ inversion?: number, edit?: number }} timing seconds */
  #remember(timing) {
    const key = this.timingKey();
    remember({ timings: { ...settings.timings, [key]: { ...settings.timings[key], ...timing } } });
  }
}

/** The visitor's own model that is in use, if it is still there. */
async function ownModel() {
  const { ownModel } = await onUse(() => import("../shared/own-model.js"), say("own.title"));
  return ownModel(settings.own);
}
