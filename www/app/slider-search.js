// The search for sliders in a model of the visitor's own, which goes on in the background: when it begins and ends.
import { Failure } from "../shared/failure.js";
import { fingerprint } from "./kept-files.js";
import { remember, settings } from "./settings.js";

/** @import { PageEngine } from "./engine.js" */
/** @import { ModelInfo, SearchProgress } from "../shared/types.js" */

/**
 * `none`: there is nothing to look for, or nothing to look at; `refused`: the model draws no faces after all.
 * @typedef {"none" | "running" | "pausing" | "paused" | "refused" | "done"} SearchState
 */

/**
 * Fires `change`, `begun` (a search that nobody asked for), `found` (with the model that has sliders now), and
 * `failure`.
 */
export class SliderSearch extends EventTarget {
  #engine;
  /** @type {ModelInfo | undefined} the model in use */
  #model;
  /** Its fingerprint. */
  #key = "";
  #running = Promise.resolve();
  #prepare;
  /** @type {Promise<void> | undefined} */
  #prepared;

  /** @type {SearchState} */
  state = "none";
  /** @type {SearchProgress | undefined} */
  progress;

  /**
   * @param {PageEngine} engine
   * @param {() => Promise<void>} prepare called before there is anything to say of a search for the first time
   */
  constructor(engine, prepare) {
    super();
    this.#prepare = prepare;
    this.#engine = engine;
    engine.addEventListener("search", (event) => {
      if (this.state !== "running") return;
      this.progress = /** @type {CustomEvent} */ (event).detail;
      this.#tell("change");
    });
    engine.addEventListener("status", () => {
      const model = engine.status.state === "ready" ? engine.model : undefined;
      if (model === this.#model) return;
      this.#model = model;
      void this.#greet(model);
    });
  }

  /**
   * Begins with a model that was just loaded, unless the visitor has paused that, or it is in vain.
   * @param {ModelInfo | undefined} model
   */
  async #greet(model) {
    if (!model || settings.model !== "own") return this.#set("none");
    if (!model.fit && !model.draws) return this.#set("none");
    this.#prepared ??= this.#prepare();
    await this.#prepared.catch(() => (this.#prepared = undefined)); // without a network nothing is said of it
    if (model !== this.#model) return;
    if (model.fit) return this.#set("done");
    const key = await fingerprint(model);
    if (model !== this.#model) return;
    this.#key = key;
    const before = settings.searches[key];
    if (before) return this.#set(before);
    this.#tell("begun");
    this.#begin();
  }

  #begin() {
    this.progress = undefined;
    this.#set("running");
    this.#running = this.#run();
  }

  /** Goes on where the search was. */
  start() {
    if (this.state !== "paused" && this.state !== "refused") return;
    this.#note(undefined);
    this.#begin();
  }

  /** Pauses the search; what it has seen is kept. Resolves when it stands still. */
  async pause() {
    if (this.state === "running") {
      this.#note("paused");
      this.#set("pausing");
      this.#engine.pauseSearch();
    }
    await this.#running;
  }

  async #run() {
    try {
      const model = await this.#engine.findSliders();
      this.#model = model;
      this.#note(undefined);
      this.#set("done");
      this.#tell("found", model);
    } catch (thrown) {
      const failure = Failure.from(thrown);
      if (failure.code === "superseded") return this.#set("paused");
      if (failure.ended || failure.fatal) return; // the next engine begins anew
      if (failure.code === "no-faces") {
        this.#note("refused");
        return this.#set("refused");
      }
      this.#set("paused");
      this.#tell("failure", failure);
    }
  }

  /** @param {"paused" | "refused" | undefined} state */
  #note(state) {
    const { [this.#key]: _, ...others } = settings.searches;
    remember({ searches: state ? { ...others, [this.#key]: state } : others });
  }

  /** @param {SearchState} state */
  #set(state) {
    this.state = state;
    this.#tell("change");
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
