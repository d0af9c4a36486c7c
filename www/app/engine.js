// The engine as the page sees it: which backend runs, how far its model is, and how to bring it back when it falls.
import { Failure } from "../shared/failure.js";
import { ownModel } from "../shared/own-model.js";
import { RemoteWorker } from "../shared/rpc.js";
import { t } from "../shared/strings.js";
import { remember, settings } from "./settings.js";

/** @import { Adapter, Backend, Direction, Edited, EngineInfo, EngineView, LoadProgress, Manifest, Picture, Point, Quad, Strengths } from "../shared/types.js" */

/**
 * @typedef {{ state: "starting" | "loading" | "ready" | "failed", info?: EngineInfo, progress?: LoadProgress, failure?: Failure }} EngineStatus
 */

const SCRIPT = new URL("../workers/engine.js", import.meta.url);
const BUNDLED = new URL("../weights/", import.meta.url).href;

/** Fires `status`, `stage`, `manifest` and `notice` (a sentence for the visitor). */
export class Engine extends EventTarget {
  /** @type {RemoteWorker | undefined} */
  #worker;
  /** @type {Promise<Manifest> | undefined} */
  #ready;
  /** @type {EngineStatus} */
  status = { state: "starting" };
  /** @type {Manifest | undefined} */
  manifest;
  /** @type {Adapter | undefined} */
  adapter;

  /**
   * Starts, or starts anew, the engine that the settings ask for, and loads the model into it.
   * @returns {Promise<Manifest>}
   */
  start() {
    this.#worker?.stop(new Failure({ code: "restarted", message: "the engine was started anew" }));
    const ready = this.#start();
    ready.catch((failure) => {
      if (this.#ready === ready && failure.code !== "restarted") this.#tell({ state: "failed", failure });
    });
    this.#ready = ready;
    return ready;
  }

  /** Resolves when the model is loaded. */
  get ready() {
    return this.#ready ?? this.start();
  }

  /**
   * What timings depend on: the model and the backend.
   * @param {Backend | undefined} [backend] the one that runs unless given
   */
  timingKey(backend = this.status.info?.backend) {
    return `${this.manifest?.name} ${backend}`;
  }

  async #start() {
    this.#tell({ state: "starting" });
    let worker = this.#spawn();
    this.adapter = /** @type {Adapter} */ (await worker.call("probe"));
    const wish = settings.backend;
    let backend = /** @type {Backend} */ (wish === "auto" ? (this.adapter.kind === "real" ? "webgpu" : "cpu") : wish);
    /** @type {EngineInfo} */
    let info;
    try {
      info = await worker.call("start", backend);
    } catch (thrown) {
      const failure = Failure.from(thrown);
      if (backend === "cpu" || failure.code === "restarted") throw failure;
      const reason = failure.message;
      this.#notice(failure.code === "self-test" ? t("engine.selfTestFailed") : t("engine.gpuFailed", { reason }));
      worker.stop();
      worker = this.#spawn();
      backend = "cpu";
      info = await worker.call("start", backend);
    }
    this.#tell({ state: "loading", info });
    if (settings.model === "own" && !(await ownModel())) remember({ model: "bundled" });
    const manifest = await worker.call("load", settings.model === "own" ? undefined : BUNDLED);
    this.#tell({ state: "ready", info });
    return /** @type {Manifest} */ (manifest);
  }

  #spawn() {
    const worker = new RemoteWorker(SCRIPT, {
      onEvent: (event, data) => {
        if (event === "progress") this.#tell({ ...this.status, progress: data });
        else if (event === "manifest") this.#manifest(data);
        else if (event === "threads") this.#threads(data);
        else this.dispatchEvent(new CustomEvent(event, { detail: data }));
      },
      onCrash: (failure) => {
        if (this.#worker === worker && this.status.state === "ready") this.dispatchEvent(new CustomEvent("crash", { detail: failure }));
      },
    });
    this.#worker = worker;
    return worker;
  }

  /** @param {Manifest} manifest */
  #manifest(manifest) {
    this.manifest = manifest;
    this.dispatchEvent(new CustomEvent("manifest"));
  }

  /** @param {number} threads */
  #threads(threads) {
    const { info } = this.status;
    if (info) this.#tell({ ...this.status, info: { ...info, threads } });
  }

  /** @param {EngineStatus} status */
  #tell(status) {
    this.status = status;
    this.dispatchEvent(new CustomEvent("status"));
  }

  /** @param {string} sentence */
  #notice(sentence) {
    this.dispatchEvent(new CustomEvent("notice", { detail: sentence }));
  }

  /**
   * @param {string} method
   * @param {...unknown} args
   */
  async #call(method, ...args) {
    await this.ready;
    return /** @type {RemoteWorker} */ (this.#worker).call(method, ...args);
  }

  /**
   * Inverts an aligned face and remembers how long it took.
   * @param {Picture} face
   * @param {Quad} quad where it was cut out
   * @param {Point[] | undefined} points its mesh in the photo, when it was found and not placed by hand
   * @returns {Promise<number>} seconds
   */
  async invert(face, quad, points) {
    await this.ready;
    const start = performance.now();
    await this.#call("invert", face, quad, points);
    const inversion = (performance.now() - start) / 1000;
    this.#remember({ inversion });
    return inversion;
  }

  /** Calls off the inversion or edit under way, which then fails as "superseded". */
  callOff() {
    // Calls made just now leave when the engine is ready; what calls them off must not overtake them.
    this.#ready?.then(() => this.#worker?.callOff()).catch(() => {});
  }

  /** @param {{ inversion?: number, edit?: number }} timing seconds */
  #remember(timing) {
    const key = this.timingKey();
    remember({ timings: { ...settings.timings, [key]: { ...settings.timings[key], ...timing } } });
  }

  /**
   * @param {EngineView} kind
   * @returns {Promise<Picture>}
   */
  view(kind) {
    return this.#call("view", kind);
  }

  /**
   * Adds the directions in a file, in place of those of an earlier file of its name.
   * @param {File} file
   * @returns {Promise<Direction[]>}
   */
  addDirections(file) {
    return this.#call("addDirections", file.name, file);
  }

  /**
   * @param {Strengths} strengths
   * @param {number} [previewSize]
   * @returns {Promise<Edited>}
   */
  async edit(strengths, previewSize) {
    const start = performance.now();
    const edited = await this.#call("edit", strengths, previewSize);
    if (previewSize === undefined) this.#remember({ edit: (performance.now() - start) / 1000 });
    return edited;
  }
}
