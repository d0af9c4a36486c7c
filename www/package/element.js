// <sdic-editor>: a photo with a face, and the model's sliders for it.
//
//   <sdic-editor model="/models/face/" src="portrait.jpg"></sdic-editor>
import { EditScheduler } from "../app/edit-scheduler.js";
import { Failure } from "../shared/failure.js";
import { superseded } from "../shared/rpc.js";
import { quantity, say } from "../shared/say.js";
import { spoken } from "../shared/strings.js";
import { fetched, nameIn } from "./element-source.js";
import { EditorView } from "./element-view.js";
import { loadEngine, useLanguage } from "./index.js";
import { told } from "./told.js";

/** @import { LoadProgress, Strengths } from "../shared/types.js" */
/** @import { Source } from "./element-source.js" */
/** @import { Engine, Face, FoundFace, LoadOptions, Photo } from "./index.js" */

/**
 * What the element tells, as bubbling events.
 * @typedef {{
 *   ready: { engine: Engine },
 *   progress: { stage: string, done: number, total: number },
 *   change: { strengths: Strengths, face: Face },
 *   failure: Failure
 * }} EditorEvents `ready`: the model is loaded; `progress`: stage "model" counts bytes, "open" and "align" have no
 *   parts, the others are those of an inversion; `change`: the picture of these sliders is there in full
 */

/** @type {Set<SdicEditor>} those in a page */
const editors = new Set();
spoken(() => {
  for (const editor of editors) editor.speak();
});

export class SdicEditor extends HTMLElement {
  static observedAttributes = ["src", "model", "backend", "threads"];

  #view = new EditorView(this.attachShadow({ mode: "open" }), {
    choose: (file) => void this.open(file, { name: file.name }).catch(() => {}), // it is told
    use: (face) => void this.#use(face),
    reset: () => this.#set({}, false),
    save: () => void this.#save(),
    retry: () => void this.#retry(),
  });
  /** Aborted when another engine is wanted. */
  #loading = new AbortController();
  /** Aborted when another photo is wanted. */
  #opening = new AbortController();
  /** Aborted when another face is wanted. */
  #using = new AbortController();
  /** @type {Promise<Engine> | undefined} */
  #ready;
  /** @type {Engine | undefined} */
  #engine;
  /** @type {Engine | undefined} one that the page has given, and disposes of */
  #given;
  /** @type {Source | undefined} */
  #source;
  /** @type {Photo | undefined} */
  #photo;
  /** @type {Map<FoundFace | undefined, Face>} that were inverted */
  #faces = new Map();
  /** @type {FoundFace | undefined} */
  #found;
  /** @type {Face | undefined} */
  #face;
  /** @type {EditScheduler | undefined} */
  #scheduler;
  /** @type {Strengths} of the face in use */
  #strengths = {};
  /** @type {Set<string>} attributes that have changed */
  #changed = new Set();

  constructor() {
    super();
    this.#view.sliders.addEventListener("strengths", (event) => {
      const { changes, moving } = /** @type {CustomEvent} */ (event).detail;
      this.#set({ ...this.#strengths, ...changes }, moving);
    });
  }

  connectedCallback() {
    editors.add(this);
    const language = this.closest("[lang]")?.getAttribute("lang");
    if (language) useLanguage(language);
    this.speak();
    this.#source ??= this.#named();
    if (!this.#ready) this.#load();
  }

  disconnectedCallback() {
    editors.delete(this);
    // One that is only moved is connected again in the same task.
    queueMicrotask(() => this.isConnected || this.#release());
  }

  /** @param {string} name */
  attributeChangedCallback(name) {
    if (this.#changed.size === 0) queueMicrotask(() => this.#follow());
    this.#changed.add(name);
  }

  /** Does what changed attributes ask for, once for all that changed in one task. */
  #follow() {
    const changed = this.#changed;
    this.#changed = new Set();
    if (!this.isConnected || !this.#ready) return;
    const sourceChanged = changed.delete("src");
    if (sourceChanged) this.#source = this.#named();
    if (changed.size > 0) this.#load();
    else if (sourceChanged) this.#openSource();
  }

  /** The engine, when it is ready. One that is given is used instead of the element's own, and not disposed of. */
  get engine() {
    return this.#engine;
  }

  set engine(engine) {
    this.#given = engine;
    if (this.isConnected) this.#load();
  }

  /** The open photo. */
  get photo() {
    return this.#photo;
  }

  /** The face in use, when it can be edited. */
  get face() {
    return this.#face;
  }

  /** The sliders of the face in use. */
  get strengths() {
    return { ...this.#strengths };
  }

  set strengths(strengths) {
    this.#set(strengths, false);
  }

  /**
   * Opens a picture, and goes on to its largest face.
   * @param {Parameters<Engine["open"]>[0] | string} picture or the address of one
   * @param {{ name?: string, aligned?: boolean }} [options] `aligned` as of `Engine.open`
   * @throws {Failure} which `failure` tells, too; an AbortError when another picture came in between
   */
  async open(picture, { name = "", aligned = false } = {}) {
    this.#source = { picture, name, aligned };
    await this.#run(this.#source);
  }

  /**
   * The whole photo with all edits, as a file.
   * @param {Parameters<Photo["render"]>[0]} [options] as of `Photo.render`
   */
  async render(options) {
    if (!this.#photo) throw told(new Failure({ code: "stale-photo", message: say("editor.empty") }));
    return this.#photo.render(options);
  }

  /** Says everything in the language that is spoken. */
  speak() {
    this.#view.speak();
    if (!this.#engine) return;
    this.#view.directions = this.#engine.model.directions;
    this.#show();
  }

  /** Loads the engine that the attributes name, and then opens what was or is to be open. */
  #load() {
    this.#release();
    this.#changed.clear();
    this.#view.fail(undefined);
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    this.#ready = this.#given ? Promise.resolve(this.#given) : loadEngine(this.#options(signal));
    this.#ready.then(
      (engine) => {
        if (signal.aborted) return engine === this.#given || engine.dispose();
        this.#engine = engine;
        this.#view.tell(undefined);
        this.speak();
        this.#tell("ready", { engine });
        engine.lost.then((failure) => signal.aborted || this.#lost(failure));
      },
      (thrown) => signal.aborted || this.#fail(thrown),
    );
    this.#openSource();
  }

  /**
   * @param {AbortSignal} signal
   * @returns {LoadOptions}
   */
  #options(signal) {
    const [model, backend, threads] = ["model", "backend", "threads"].map((name) => this.getAttribute(name));
    return {
      model: model ?? undefined,
      backend: backend === "cpu" || backend === "webgpu" ? backend : "auto",
      threads: threads ? Number(threads) : undefined,
      signal,
      onProgress: (progress) => this.#loaded(progress),
    };
  }

  /** @param {LoadProgress} progress */
  #loaded({ loaded, total }) {
    const bytes = { loaded: quantity(loaded, "byte"), total: quantity(total, "byte") };
    this.#step("model", { done: loaded, total }, say("model.progress", bytes));
  }

  /** @param {Failure} failure why the engine can be used no longer */
  #lost(failure) {
    this.#engine = undefined;
    this.#leave();
    this.#show();
    this.#fail(failure);
  }

  /** @returns {Source | undefined} what `src` names */
  #named() {
    const src = this.getAttribute("src");
    return src ? { picture: src, name: src, aligned: this.hasAttribute("aligned") } : undefined;
  }

  /** Opens what is to be open. */
  #openSource() {
    if (this.#source) return void this.#run(this.#source).catch(() => {}); // it is told
    this.#opening.abort();
    this.#close();
    this.#view.clear();
    this.#show();
  }

  /**
   * @param {Source} source
   * @returns {Promise<void>}
   */
  async #run({ picture, name, aligned }) {
    this.#opening.abort();
    this.#opening = new AbortController();
    const { signal } = this.#opening;
    this.#view.fail(undefined);
    const engine = await this.#ready?.catch((thrown) => {
      if (!signal.aborted) this.#view.fail(thrown); // the event was when loading failed
      throw thrown;
    });
    try {
      if (!engine) throw told(new Failure({ code: "not-started", message: say("package.notConnected") }));
      signal.throwIfAborted();
      this.#step("open", undefined, say("open.working", { name: nameIn(name) }));
      const file = typeof picture === "string" ? await fetched(picture, signal) : picture;
      const photo = await engine.open(file, { name, aligned, signal });
      this.#close();
      this.#photo = photo;
      await this.#use(photo.faces[0]);
    } catch (thrown) {
      if (!signal.aborted) this.#fail(thrown);
      throw thrown;
    }
  }

  /**
   * Goes on with a face of the photo, as it was left if it was edited before.
   * @param {FoundFace | undefined} found
   */
  async #use(found) {
    const [photo, engine] = [this.#photo, this.#engine];
    if (!photo || !engine) return;
    this.#leave();
    this.#using = new AbortController();
    const { signal } = this.#using;
    this.#found = found;
    this.#view.showFaces(photo.faces, found);
    this.#show();
    try {
      let face = this.#faces.get(found);
      if (!face) {
        this.#step("align", undefined, say("stage.align"));
        face = await photo.invert(found, {
          signal,
          onProgress: ({ stage, done, total }) => this.#step(stage, { done, total }, say(`stage.${stage}`)),
        });
        this.#faces.set(found, face);
      }
      this.#view.setOriginal(await face.original({ signal }));
      this.#face = face;
      this.#strengths = face.strengths;
      this.#schedule(engine, face);
      this.#view.tell(undefined);
      this.#show();
      this.#scheduler?.request(this.#strengths, false);
      await this.#scheduler?.idle();
      if (!signal.aborted) this.#view.unveil();
    } catch (thrown) {
      if (!signal.aborted) this.#fail(thrown);
    }
  }

  /**
   * @param {Engine} engine
   * @param {Face} face
   */
  #schedule({ model }, face) {
    this.#scheduler = new EditScheduler({
      imageSize: model.imageSize,
      smallestPreview: model.injectSize,
      edit: async (strengths, drawnAt, signal) => {
        try {
          const bitmap = await face.edit(strengths, { drawnAt, signal });
          if (face === this.#face) this.#view.showEdited(bitmap);
          else bitmap.close();
        } catch (thrown) {
          throw signal.aborted ? superseded() : thrown;
        }
      },
      onPicture: (full) => {
        if (face !== this.#face) return;
        this.#view.sliders.held = face.held;
        if (full) this.#tell("change", { strengths: face.strengths, face });
      },
      onFailure: (thrown) => face === this.#face && this.#fail(thrown),
      onBusy: () => {},
    });
  }

  /**
   * @param {Readonly<Strengths>} strengths
   * @param {boolean} moving
   */
  #set(strengths, moving) {
    if (!this.#face) return;
    this.#strengths = Object.fromEntries(Object.entries(strengths).filter(([, strength]) => strength !== 0));
    this.#view.tell(undefined);
    this.#view.unveil();
    this.#show();
    this.#scheduler?.request(this.#strengths, moving);
  }

  /** Brings all that can be pressed in line with what can be done. */
  #show() {
    this.#view.sliders.strengths = this.#strengths;
    this.#view.enable({ editable: this.#face !== undefined, moved: Object.keys(this.#strengths).length > 0 });
  }

  async #save() {
    try {
      await this.#scheduler?.idle();
      const name = nameIn(this.#source?.name ?? "").replace(/\.[^.]*$/, "") || "photo";
      this.#view.download(await this.render(), `${name}-edited.png`);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  /** Does again what has failed: loads the engine, or opens the photo. */
  async #retry() {
    this.#view.fail(undefined);
    if (!this.#engine) this.#load();
    else if (this.#photo && this.#photo.faces.length > 0) await this.#use(this.#found);
    else this.#openSource();
  }

  /**
   * @param {string} stage
   * @param {{ done: number, total: number } | undefined} progress
   * @param {import("../shared/say.js").Saying} said
   */
  #step(stage, progress, said) {
    this.#view.tell(said, progress ?? { done: 0, total: 0 });
    this.#tell("progress", { stage, done: progress?.done ?? 0, total: progress?.total ?? 0 });
  }

  /** @param {unknown} thrown */
  #fail(thrown) {
    const failure = told(thrown);
    this.#view.fail(failure);
    this.#tell("failure", failure);
  }

  /** Ends what is under way with the face in use. */
  #leave() {
    this.#using.abort();
    this.#scheduler?.stop();
    [this.#scheduler, this.#face, this.#strengths] = [undefined, undefined, {}];
  }

  /** Closes the photo. */
  #close() {
    this.#leave();
    this.#photo?.dispose();
    [this.#photo, this.#found] = [undefined, undefined];
    this.#faces.clear();
    this.#view.showFaces([], undefined);
  }

  /** Gives up the engine, with all that it holds. */
  #release() {
    this.#loading.abort();
    this.#opening.abort();
    this.#close();
    if (this.#engine !== this.#given) this.#engine?.dispose();
    [this.#engine, this.#ready] = [undefined, undefined];
    this.#show();
  }

  /**
   * @template {keyof EditorEvents} Type
   * @param {Type} type
   * @param {EditorEvents[Type]} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true }));
  }
}

customElements.define("sdic-editor", SdicEditor);
