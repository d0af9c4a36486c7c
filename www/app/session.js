// One photo being edited: which face, its pictures, and the sliders. Survives the engine falling over.
import { Failure } from "../shared/failure.js";
import { isWholePhoto, wholePhoto } from "../shared/quad.js";
import { RemoteWorker } from "../shared/rpc.js";
import { t } from "../shared/strings.js";
import { EditScheduler } from "./edit-scheduler.js";
import { History } from "./history.js";
import { forgetFile, keepFile, keptFiles } from "./own-directions.js";
import { remember } from "./settings.js";

/** @import { Engine } from "./engine.js" */
/** @import { Direction, Edited, Face, Landmarks, Manifest, PasteMode, Picture, Quad, Strengths } from "../shared/types.js" */

/**
 * @typedef {"original" | "initial" | "reconstruction" | "discrepancy" | "edited"} View
 * @typedef {Face & { thumbnail: Picture }} FoundFace
 * @typedef {{ width: number, height: number, bitmap: ImageBitmap, name: string }} Photo
 * @typedef {{ file: File, directions: Direction[] }} OwnFile
 */

const SCRIPT = new URL("../workers/photo.js", import.meta.url);
/** Restarts of the engine within `RESTART_WINDOW_MS` before it is left alone. */
const MAX_RESTARTS = 2;
const RESTART_WINDOW_MS = 120_000;
/** Largest side of the face as it is shown and saved on its own, and while a slider moves on a slow machine. */
const FACE_SIDE = 1024;
const PREVIEW_SIDE = 512;

/**
 * Fires `photo` (a photo is open), `faces`, `need-crop` (no face was found), `step` (a stage began, ended or failed),
 * `picture` (a view changed), `sliders`, `directions` (the visitor's own changed), `busy`, `notice` and `failure`.
 */
export class Session extends EventTarget {
  /** @type {RemoteWorker | undefined} */
  #photoWorker;
  /** @type {Blob | undefined} what the photo worker holds, to give to its successor should it fall */
  #file;
  #quarterTurns = 0;
  /** @type {EditScheduler | undefined} */
  #scheduler;
  /** @type {History} */
  #history = new History({});
  /** @type {string | undefined} the model that `ownFiles` belong to */
  #ownModel;
  /** @type {{ manifest: Manifest, done: Promise<void> } | undefined} the loaded model that was given the kept files */
  #equipped;
  /** @type {number[]} times of the latest restarts */
  #restarts = [];
  /** Counts photos and crops, so that answers about an earlier one are dropped. */
  #turn = 0;

  /** @type {Photo | undefined} */
  photo;
  /** @type {FoundFace[]} */
  faces = [];
  /** @type {FoundFace | undefined} the face in use, undefined when it was placed by hand */
  face;
  /** @type {Quad | undefined} */
  quad;
  /** @type {Partial<Record<View, Picture>>} */
  pictures = {};
  /** @type {ImageBitmap | undefined} the whole photo with the edited face in it, when it is up to date */
  pasted;
  /** @type {{ edited: Edited, full: boolean } | undefined} what the engine made of the sliders last; not `full` for a preview */
  #made;
  /** @type {PasteMode | undefined} what the visitor chose, instead of what suits the model */
  #chosenMode;
  /** @type {Strengths} */
  strengths = {};
  /** @type {{ inversion?: number, edit?: number }} seconds */
  timing = {};
  /** @type {OwnFile[]} files with directions that the visitor added to the model */
  ownFiles = [];

  /** @param {Engine} engine */
  constructor(engine) {
    super();
    this.engine = engine;
    engine.addEventListener("status", () => {
      if (engine.status.state === "ready") void engine.ready.then((manifest) => this.#equip(manifest)).catch(() => {}); // using it will tell
    });
    engine.addEventListener("crash", (event) => void this.#recover(/** @type {CustomEvent} */ (event).detail));
  }

  /**
   * Calls the photo worker, started on first use. One that crashed is replaced, and given the photo again.
   * @param {string} method
   * @param {...unknown} args
   */
  async #inPhoto(method, ...args) {
    const worker = (this.#photoWorker ??= new RemoteWorker(SCRIPT));
    try {
      return await worker.call(method, ...args);
    } catch (thrown) {
      const failure = Failure.from(thrown);
      if (!failure.fatal) throw failure;
      worker.stop();
      if (this.#photoWorker === worker) this.#photoWorker = undefined;
      if (this.#file && method !== "open") {
        await this.#inPhoto("open", this.#file);
        for (let turns = 0; turns < this.#quarterTurns; turns++) await this.#inPhoto("turn");
      }
      throw new Failure({ code: "photo", message: t("error.photo"), hint: t("hint.photo") });
    }
  }

  get inverted() {
    return this.pictures.edited !== undefined;
  }

  get canUndo() {
    return this.#history.canUndo;
  }

  get canRedo() {
    return this.#history.canRedo;
  }

  /**
   * Whether edits go onto the photo's own pixels, or the rebuilt face is what is shown.
   * @returns {PasteMode}
   */
  get pasteMode() {
    return this.#chosenMode ?? this.engine.manifest?.pasteMode ?? "face";
  }

  /** @param {PasteMode} mode */
  async choosePasteMode(mode) {
    const turn = this.#turn;
    this.#chosenMode = mode;
    try {
      await this.#showOriginal(turn);
      if (this.#made) await this.#showEdited(turn, this.#made);
    } catch (thrown) {
      if (turn === this.#turn) this.#fail(thrown);
    }
  }

  /** Side of the face as it is shown and saved on its own. */
  get #faceSide() {
    const { outputHeight } = /** @type {Manifest} */ (this.engine.manifest);
    if (this.pasteMode === "face" || !this.quad) return outputHeight;
    const [[x, y], , , [right, top]] = this.quad;
    return Math.min(FACE_SIDE, Math.max(outputHeight, Math.round(Math.hypot(right - x, top - y))));
  }

  /** Whether the face is only part of the photo, so that there is something to paste it back into. */
  get hasSurroundings() {
    if (!this.photo || !this.quad) return false;
    const { width, height } = this.photo;
    return !isWholePhoto(this.quad, width, height);
  }

  /**
   * Opens a picture and goes on to its largest face.
   * @param {Blob} file
   * @param {{ name: string, aligned?: boolean }} about `aligned`: the picture is already cut like an aligned face
   */
  async open(file, { name, aligned = false }) {
    const turn = this.#begin();
    try {
      const { notes, ...photo } = await this.#inPhoto("open", file);
      if (turn !== this.#turn) return;
      [this.#file, this.#quarterTurns] = [file, 0];
      this.#adopt({ ...photo, name });
      for (const note of notes) this.#emit("notice", note);
      if (aligned) await this.use(wholePhoto(photo.width, photo.height), undefined);
      else await this.#findFaces(turn);
    } catch (thrown) {
      if (turn === this.#turn) this.#fail(thrown);
    }
  }

  /** @param {Photo} photo */
  #adopt(photo) {
    this.photo?.bitmap.close();
    this.photo = photo;
    [this.faces, this.face, this.quad] = [[], undefined, undefined];
    this.strengths = {};
    this.#history = new History({});
    this.#clear();
    this.#emit("sliders");
    this.#emit("photo");
  }

  /** @param {number} turn */
  async #findFaces(turn) {
    this.#emit("step", { stage: "align" });
    /** @type {FoundFace[]} */
    const faces = await this.#inPhoto("faces");
    if (turn !== this.#turn) return;
    this.faces = faces;
    this.#emit("faces");
    if (faces.length === 0) {
      this.#emit("notice", t("face.none"));
      this.#emit("need-crop");
    } else {
      if (faces.length > 1) this.#emit("notice", t("face.found", { count: faces.length }));
      await this.use(faces[0].quad, faces[0]);
    }
  }

  /** Turns the photo by a quarter and looks for faces again. */
  async turnPhoto() {
    const turn = this.#begin();
    try {
      const { notes: _, ...photo } = await this.#inPhoto("turn");
      if (turn !== this.#turn || !this.photo) return;
      this.#quarterTurns++;
      this.#adopt({ ...photo, name: this.photo.name });
      await this.#findFaces(turn);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  /**
   * Cuts the face in `quad` out of the photo and inverts it.
   * @param {Quad} quad
   * @param {FoundFace | undefined} face
   */
  async use(quad, face) {
    const turn = this.#begin();
    this.#clear();
    [this.quad, this.face] = [quad, face];
    for (const warning of face?.warnings ?? []) this.#emit("notice", t(`face.warning.${warning}`));
    this.#emit("faces");
    this.#emit("step", { stage: "align" });
    try {
      if (this.engine.status.state !== "ready") this.#emit("step", { stage: "model" });
      await this.#invert(turn);
    } catch (thrown) {
      if (turn === this.#turn) await this.#handle(thrown);
    }
  }

  /** @param {number} turn */
  async #invert(turn) {
    const manifest = await this.engine.ready;
    await this.#equip(manifest);
    const { inputSize, imageSize, injectSize } = manifest;
    this.#keepKnown(manifest);
    this.#emit("step", { stage: "align" });
    await this.#showOriginal(turn);
    const quad = /** @type {Quad} */ (this.quad);
    const face = await this.#inPhoto("align", quad, inputSize);
    if (turn !== this.#turn) return;
    const seconds = await this.engine.invert(face, quad, this.face?.points);
    if (turn !== this.#turn) return;
    this.timing = { inversion: seconds };
    this.#scheduler = new EditScheduler({
      imageSize,
      smallestPreview: injectSize,
      edit: async (strengths, previewSize) => {
        const edited = await this.engine.edit(strengths, previewSize);
        await this.#showEdited(turn, { edited, full: previewSize === undefined });
      },
      callOff: () => this.engine.callOff(),
      onPicture: (full, spent) => {
        if (turn !== this.#turn) return;
        if (full) this.timing.edit = spent;
        this.#emit("edited", { full });
      },
      onFailure: (thrown) => turn === this.#turn && void this.#handle(thrown),
      onBusy: (busy) => this.#emit("busy", busy),
    });
    for (const kind of /** @type {const} */ (["initial", "discrepancy", "reconstruction"])) {
      const picture = await this.engine.view(kind);
      if (turn !== this.#turn) return;
      this.#show(kind, picture);
    }
    const reconstruction = /** @type {Picture} */ (this.pictures.reconstruction);
    const still = { edited: reconstruction, unedited: reconstruction, motion: undefined };
    await this.#showEdited(turn, { edited: still, full: true });
    if (turn !== this.#turn) return;
    if (Object.values(this.strengths).some((strength) => strength !== 0)) this.#scheduler.request(this.strengths, false);
    this.#emit("step", { stage: undefined, seconds });
  }

  /** @param {number} turn */
  async #showOriginal(turn) {
    if (!this.quad || !this.engine.manifest) return;
    const original = await this.#inPhoto("align", this.quad, this.#faceSide);
    if (turn === this.#turn) this.#show("original", original);
  }

  /**
   * Shows what the engine made of the sliders: as it is, or on the photo's own pixels.
   * @param {number} turn
   * @param {{ edited: Edited, full: boolean }} made
   */
  async #showEdited(turn, made) {
    if (turn !== this.#turn) return;
    this.#made = made;
    const mode = this.pasteMode;
    let picture = made.edited.edited;
    if (mode === "difference") {
      const side = made.full ? this.#faceSide : Math.min(PREVIEW_SIDE, this.#faceSide);
      picture = await this.#inPhoto("retouch", this.quad, made.edited, side);
    }
    // Else whoever came in between has shown what now holds.
    if (made === this.#made && mode === this.pasteMode) this.#show("edited", picture);
  }

  /**
   * Sets sliders; the picture follows.
   * @param {Strengths} changes
   * @param {{ moving?: boolean }} [options] `moving`: the slider is still held, so this is no step to undo
   */
  set(changes, { moving = false } = {}) {
    for (const [name, strength] of Object.entries(changes)) {
      if (strength === 0) delete this.strengths[name];
      else this.strengths[name] = strength;
    }
    if (!moving) this.#history.push(this.strengths);
    this.#edit(moving);
  }

  undo() {
    this.strengths = this.#history.undo();
    this.#edit(false);
  }

  redo() {
    this.strengths = this.#history.redo();
    this.#edit(false);
  }

  resetAll() {
    this.strengths = {};
    this.#history.push(this.strengths);
    this.#edit(false);
  }

  /** @param {boolean} moving */
  #edit(moving) {
    this.pasted = undefined;
    this.#emit("sliders");
    this.#scheduler?.request(this.strengths, moving);
  }

  /**
   * The whole photo with the edited face in it.
   * @returns {Promise<ImageBitmap | undefined>} undefined when a newer edit or photo came in between
   */
  async paste() {
    const [turn, made, mode] = [this.#turn, this.#made, this.pasteMode];
    const bitmap = await this.#inPhoto("paste", this.quad, this.face?.points, made?.edited, mode);
    if (turn !== this.#turn || made !== this.#made || mode !== this.pasteMode) return undefined;
    this.pasted = bitmap;
    return bitmap;
  }

  /** Whether the edited picture is there in full, not as a preview. */
  get settled() {
    return this.inverted && this.#made?.full === true;
  }

  /**
   * The result as a PNG file.
   * @param {"face" | "photo" | "pair"} what
   * @returns {Promise<Blob>}
   */
  async save(what) {
    await this.#scheduler?.idle();
    const { original, edited } = this.pictures;
    if (what === "photo") {
      await this.paste();
      return this.#inPhoto("savePhoto");
    }
    return this.#inPhoto("savePictures", what === "pair" ? [original, edited] : [edited]);
  }

  /**
   * @param {Landmarks} points
   * @returns {Promise<Quad>}
   */
  quadFromPoints(points) {
    return this.#inPhoto("quadFromPoints", points);
  }

  /**
   * @param {Quad} quad
   * @param {number} size
   * @returns {Promise<Picture>}
   */
  align(quad, size) {
    return this.#inPhoto("align", quad, size);
  }

  /** Starts the engine anew, with the backend in the settings, and brings photo and sliders back. */
  async restartEngine() {
    const turn = this.#begin();
    try {
      this.#emit("step", { stage: "model" });
      await this.engine.start();
      if (turn === this.#turn && this.quad) await this.#invert(turn);
    } catch (thrown) {
      if (turn === this.#turn) await this.#handle(thrown);
    }
  }

  /**
   * Forgets sliders that there are no longer: another model had them, or their file was removed.
   * @param {Manifest} manifest
   */
  #keepKnown({ directions }) {
    const own = this.ownFiles.flatMap((each) => each.directions);
    const names = new Set([...directions, ...own].map(({ name }) => name));
    this.#history.keepOnly(names);
    const kept = Object.fromEntries(Object.entries(this.strengths).filter(([name]) => names.has(name)));
    if (Object.keys(kept).length === Object.keys(this.strengths).length) return;
    this.strengths = kept;
    this.#emit("sliders");
  }

  /**
   * Gives a model that was just loaded the visitor's own directions, once.
   * @param {Manifest} manifest
   */
  #equip(manifest) {
    if (this.#equipped?.manifest !== manifest) this.#equipped = { manifest, done: this.#giveOwn(manifest) };
    return this.#equipped.done;
  }

  /** @param {Manifest} manifest */
  async #giveOwn({ name }) {
    if (this.#ownModel !== name) {
      this.ownFiles = (await keptFiles(name)).map((file) => ({ file, directions: [] }));
      this.#ownModel = name;
    }
    for (const own of this.ownFiles) {
      try {
        own.directions = await this.engine.addDirections(own.file);
      } catch (thrown) {
        const { code, fatal } = Failure.from(thrown);
        // A file that no longer fits, or that even brings the engine down, must not stand in the way for ever.
        if (code === "import" || fatal) await this.#forget(own);
        if (code !== "import") throw thrown;
      }
    }
    this.#emit("directions");
  }

  /** @param {OwnFile} own */
  async #forget(own) {
    this.ownFiles = this.ownFiles.filter((other) => other !== own);
    if (this.#ownModel !== undefined) await forgetFile(this.#ownModel, own.file.name);
  }

  /**
   * Adds the directions in files to the model, and keeps the files for the next visit.
   * @param {Iterable<File>} files
   */
  async addDirections(files) {
    for (const file of files) {
      try {
        const manifest = await this.engine.ready;
        await this.#equip(manifest);
        const directions = await this.engine.addDirections(file);
        const copy = new File([await file.arrayBuffer()], file.name); // the one on the disk may change
        this.ownFiles = [...this.ownFiles.filter((other) => other.file.name !== file.name), { file: copy, directions }];
        this.#ownChanged(manifest, directions);
        await keepFile(manifest.name, copy);
      } catch (thrown) {
        const { code, message: reason } = Failure.from(thrown);
        if (code !== "import") return this.#handle(thrown);
        const message = t("direction.refused", { file: file.name, reason });
        this.#emit("failure", new Failure({ code, message, hint: t("hint.direction") }));
      }
    }
  }

  /**
   * Removes the sliders of a file.
   * @param {OwnFile} own
   */
  async removeDirections(own) {
    const manifest = await this.engine.ready;
    const forgotten = this.#forget(own);
    this.#ownChanged(manifest, own.directions);
    await forgotten;
  }

  /**
   * @param {Manifest} manifest
   * @param {Direction[]} touched
   */
  #ownChanged(manifest, touched) {
    const shown = touched.some(({ name }) => name in this.strengths);
    this.#emit("directions");
    this.#keepKnown(manifest);
    if (shown) this.#edit(false);
  }

  /** @param {unknown} thrown */
  async #handle(thrown) {
    const failure = Failure.from(thrown);
    if (failure.code === "restarted") return;
    if (failure.fatal) await this.#recover(failure);
    else this.#fail(failure);
  }

  /** @param {Failure} failure */
  async #recover(failure) {
    const now = performance.now();
    this.#restarts = [...this.#restarts.filter((time) => now - time < RESTART_WINDOW_MS), now];
    if (this.#restarts.length > MAX_RESTARTS) {
      this.#fail(new Failure({ code: "gone", message: t("engine.gone"), hint: failure.message }));
      return;
    }
    if (this.#restarts.length === MAX_RESTARTS && this.engine.status.info?.backend === "webgpu") {
      remember({ backend: "cpu" });
      this.#emit("notice", t("engine.gpuGivenUp"));
    }
    this.#emit("notice", t("engine.recovered"));
    await this.restartEngine();
  }

  /** Starts a new turn: what is still under way for an earlier one no longer counts. */
  #begin() {
    this.#scheduler?.stop();
    this.engine.callOff();
    return ++this.#turn;
  }

  #clear() {
    this.pictures = {};
    this.pasted = undefined;
    this.#made = undefined;
    this.#scheduler = undefined;
    this.timing = {};
  }

  /**
   * @param {View} view
   * @param {Picture} picture
   */
  #show(view, picture) {
    this.pictures[view] = picture;
    if (view === "edited") this.pasted = undefined;
    this.#emit("picture", view);
  }

  /** @param {unknown} thrown */
  #fail(thrown) {
    this.#emit("step", { stage: undefined });
    this.#emit("failure", Failure.from(thrown));
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
