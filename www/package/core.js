// The two workers of an engine, as its photos and faces use them.
import { link } from "../app/link.js";
import { Photos } from "../app/photos.js";
import { probe } from "../shared/adapter.js";
import { engineWorker, startEngine } from "../shared/engine-start.js";
import { Failure } from "../shared/failure.js";
import { check } from "../shared/rpc.js";

/** @import { EngineWorker } from "../shared/engine-start.js" */
/** @import { EngineEvents, Shares } from "../shared/protocol.js" */
/** @import { Backend, CropId, EditId, EngineInfo, InversionId, LoadProgress, ModelInfo } from "../shared/types.js" */
/** @import { Strengths, ViewName } from "../shared/types.js" */

/** @typedef {(progress: EngineEvents["stage"]) => void} OnStage */

export class Core {
  photos = new Photos();
  /** Rises when the photos' worker crashes: it has forgotten all crops and edits then. */
  epoch = 0;
  /** @type {EngineInfo | undefined} */
  info;
  /** @type {ModelInfo | undefined} */
  #model;
  /** @type {Failure | undefined} why the engine does not run on the graphics card that was wanted */
  fallback;
  /** @type {Promise<Failure>} resolves when the engine can be used no longer */
  lost;
  /** @type {(failure: Failure) => void} */
  #lose;
  /** @type {EngineWorker | undefined} */
  #worker;
  /** @type {Failure | undefined} why there is no worker */
  #over;
  /** @type {(OnStage | undefined)[]} who hears of the stages of each inversion asked for; the first is under way */
  #inverting = [];

  constructor() {
    /** @type {PromiseWithResolvers<Failure>} */
    const { promise, resolve } = Promise.withResolvers();
    [this.lost, this.#lose] = [promise, resolve];
    this.photos.addEventListener("worker", () => link(this, this.photos));
    this.photos.addEventListener("crash", () => this.epoch++);
  }

  /**
   * @param {{
   *   folder: string, wish: "auto" | Backend, threads: number | undefined, signal: AbortSignal | undefined,
   *   onProgress: ((progress: LoadProgress) => void) | undefined
   * }} options
   */
  async start({ folder, wish, threads, signal, onProgress }) {
    const stop = () => this.stop(new Failure({ code: "superseded", message: "loading was given up" }));
    signal?.addEventListener("abort", stop, { once: true });
    try {
      const { worker, info } = await startEngine({
        wish,
        threads,
        adapter: probe,
        spawn: (onLoaded) => this.#spawn(onLoaded, onProgress),
        onFallback: (failure) => {
          this.fallback = failure;
        },
      });
      this.info = info;
      this.#model = await worker.call("load", [{ folder }]);
      check(signal);
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  /**
   * @param {() => void} onLoaded
   * @param {((progress: LoadProgress) => void) | undefined} onProgress
   */
  #spawn(onLoaded, onProgress) {
    this.assertAlive();
    const worker = engineWorker({
      on: {
        loaded: onLoaded,
        progress: (progress) => onProgress?.(progress),
        stage: (stage) => this.#inverting[0]?.(stage),
      },
      onCrash: (failure) => {
        if (this.#worker === worker && this.#model) this.stop(failure);
      },
    });
    this.#worker = worker;
    return worker;
  }

  /** The model, which has been loaded before anyone gets hold of an engine. */
  get model() {
    return /** @type {ModelInfo} */ (this.#model);
  }

  /** Whether there is a worker to link to another one. */
  get alive() {
    return this.#over === undefined && this.#worker !== undefined;
  }

  /** @param {MessagePort | undefined} port a way to the photos' worker */
  link(port) {
    this.#worker?.link(port);
  }

  /** @throws {Failure} why the engine can be used no longer */
  assertAlive() {
    if (this.#over) throw this.#over;
  }

  get #running() {
    this.assertAlive();
    return /** @type {EngineWorker} */ (this.#worker);
  }

  /**
   * @param {InversionId} inversion
   * @param {CropId} crop
   * @param {OnStage | undefined} onStage
   * @param {AbortSignal | undefined} signal
   */
  async invert(inversion, crop, onStage, signal) {
    const call = this.#running.call("invert", [inversion, crop, this.model.inputSize], { signal });
    const hears = (/** @type {EngineEvents["stage"]} */ stage) => signal?.aborted || onStage?.(stage);
    this.#inverting.push(hears); // calls are answered in their order
    try {
      await call;
    } catch (thrown) {
      this.release(inversion); // the worker may have finished all the same
      throw thrown;
    } finally {
      this.#inverting = this.#inverting.filter((each) => each !== hears);
    }
  }

  /**
   * @param {InversionId} inversion
   * @param {EditId} edit
   * @param {Strengths} strengths
   * @param {number | undefined} size at which the model draws, if not in full
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<Shares>}
   */
  async edit(inversion, edit, strengths, size, signal) {
    return this.#running.call("edit", [inversion, edit, strengths, size], { signal });
  }

  /**
   * @param {InversionId} inversion
   * @param {ViewName} kind
   * @param {AbortSignal | undefined} signal
   */
  async view(inversion, kind, signal) {
    return this.#running.call("view", [inversion, kind], { signal });
  }

  /** @param {InversionId} inversion */
  release(inversion) {
    this.#worker?.call("release", [inversion]).catch(() => {}); // an engine that is gone has forgotten it, too
  }

  /**
   * Ends the engine, for good.
   * @param {Failure} failure why
   */
  stop(failure) {
    if (this.#over) return;
    this.#over = failure;
    this.#worker?.stop(failure);
    this.photos.stop();
    this.#lose(failure);
  }
}
