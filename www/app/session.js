// What the visitor does with photos, one after another: open one, choose a face or place it, move sliders, save. The
// parts do the work; this is their sequence.
import { Failure } from "../shared/failure.js";
import { aspectOf, isWholePhoto, middleOf, samePlace, showsFaces, wholePhoto } from "../shared/quad.js";
import { check } from "../shared/rpc.js";
import { say } from "../shared/say.js";
import { only } from "../shared/strengths.js";
import { link } from "./link.js";
import { FORMATS, OwnDirections } from "./own-directions.js";
import { Photos } from "./photos.js";
import { Portrait } from "./portrait.js";
import { Portraits } from "./portraits.js";
import { RestartLimit } from "./recovery.js";
import { remember } from "./settings.js";

/** @import { PageEngine } from "./engine.js" */
/** @import { OwnFile } from "./own-directions.js" */
/** @import { OpenPhoto } from "./photos.js" */
/** @import { CloseUp, Encoding, SaveKind, Size } from "../shared/protocol.js" */
/** @import { FoundFace, ModelInfo, PasteMode, Quad, Strengths } from "../shared/types.js" */

/**
 * @typedef {{ seed: number, by: string }} Drawn a face that a model has drawn, and which model
 * @typedef {{ name: string, aligned?: boolean, drawn?: Drawn }} About `aligned`: the picture is already cut like an
 *   aligned face; `drawn`: it is one that a model has drawn
 * @typedef {About & { file: Blob | Promise<Blob>, turns: number }} PhotoSource
 * @typedef {PhotoSource & { edits: { quad: Quad, strengths: Strengths }[] }} Left a photo that gave way, with its edits
 */

/**
 * What photos are cut for: models for which that is the same take the same of a photo.
 * @param {ModelInfo} model
 */
const cutFor = (model) => (showsFaces(model) ? FACES : `${model.depicts} ${aspectOf(model)}`);
const FACES = "faces";

/**
 * Fires `opening` (the name of a file that is being opened, or none), `photo` (a photo is open), `cut` (another model
 * takes something else of it), `faces`, `need-crop` (no face was found), `step` (a stage began, ended or failed),
 * `picture` (a view changed), `edited`, `sliders`, `directions` (the visitor's own changed), `busy`, `notice` and
 * `failure`.
 */
export class Session extends EventTarget {
  #photos = new Photos();
  #own;
  #limits = { engine: new RestartLimit(), photos: new RestartLimit() };
  #busy = false;
  /** @type {PasteMode | undefined} what the visitor chose, instead of what suits the model */
  #chosenMode;
  /** The file that is being opened. */
  #opening = new AbortController();
  /** What is being done with the open photo before there is a portrait: turning it, or looking for faces. */
  #looking = new AbortController();
  /** @type {OpenPhoto | undefined} in which faces are still to be found, or could not be looked for */
  #searched;
  /** What the open photo was cut for. */
  #cut = FACES;

  /** @type {PhotoSource | undefined} what the open photo was read from */
  #source;
  /** @type {Strengths} sliders that the first face of the open photo begins with */
  #carried = {};
  /** @type {WeakMap<Blob, [Portrait, Strengths][]>} the edits that files hold */
  #filed = new WeakMap();

  /** @type {OpenPhoto | undefined} */
  photo;
  /** @type {FoundFace[]} */
  faces = [];
  /** The faces of the open photo that were worked on; for looking only. */
  portraits = new Portraits();

  /** @param {PageEngine} engine */
  constructor(engine) {
    super();
    this.engine = engine;
    this.#own = new OwnDirections(engine);
    this.#own.addEventListener("change", () => this.#emit("directions"));
    this.#own.addEventListener("notice", (event) => this.#emit("notice", /** @type {CustomEvent} */ (event).detail));
    for (const part of [engine, this.#photos]) part.addEventListener("worker", () => link(engine, this.#photos));
    engine.addEventListener("status", () => {
      if (engine.status.state !== "ready") return;
      this.#limits.engine.recovered();
      engine.ready.then((model) => this.#equip(model)).catch(() => {}); // a file that crashes it is heard of as a crash
    });
    engine.addEventListener("model", () => {
      if (engine.status.state === "ready" && engine.model) void this.#modelChanged(engine.model);
    });
    engine.addEventListener("crash", (event) => this.#engineCrashed(/** @type {CustomEvent} */ (event).detail));
    this.#photos.addEventListener("crash", () => this.#photosCrashed());
  }

  get #portrait() {
    return this.portraits.inUse;
  }

  get pictures() {
    return this.#portrait?.pictures ?? {};
  }

  get pasted() {
    return this.#portrait?.pasted;
  }

  get timing() {
    return this.#portrait?.timing ?? {};
  }

  /** The face in use, undefined when it was placed by hand. */
  get face() {
    return this.#portrait?.face;
  }

  get quad() {
    return this.#portrait?.quad;
  }

  get inverted() {
    return this.#portrait?.inverted ?? false;
  }

  get settled() {
    return this.#portrait?.settled ?? false;
  }

  /** Whether the model in use has drawn the face in use. */
  get drawn() {
    return this.#portrait?.drawn ?? false;
  }

  get hasSurroundings() {
    return this.#portrait?.hasSurroundings ?? false;
  }

  /** What the open photo was read from. */
  get file() {
    return this.#source?.file;
  }

  /** Files with directions that the visitor added to the model. */
  get ownFiles() {
    return this.#own.files;
  }

  /** @type {Strengths} of the face in use */
  get strengths() {
    return this.#portrait?.strengths ?? {};
  }

  /** The sliders that would have torn the face in use, and the share of their strength that was used. */
  get held() {
    return this.#portrait?.held ?? {};
  }

  get canUndo() {
    return this.#portrait?.canUndo ?? false;
  }

  get canRedo() {
    return this.#portrait?.canRedo ?? false;
  }

  /**
   * Whether edits go onto the photo's own pixels, or the rebuilt face is what is shown.
   * @returns {PasteMode}
   */
  get pasteMode() {
    if (this.drawn) return "face"; // it is the model's own picture, and so is every edit
    return this.#chosenMode ?? this.engine.model?.pasteMode ?? "face";
  }

  // ---- From a file to a portrait

  /**
   * Opens a picture and goes on to its largest face. Until it is decoded, and if it cannot be, all stays as it is.
   * @param {Blob | Promise<Blob>} file one that is still to come counts as chosen now
   * @param {About & { placed?: boolean, carry?: boolean }} about `placed`: it is known where its faces are, should none
   *   be found; `carry`: it is the face in use once more, with the sliders as they are
   */
  async open(file, { placed = false, carry = false, ...about }) {
    await this.#open(() => file, about, { placed, carry });
  }

  /** Has the model draw a face that nobody has, and opens it like a photo. */
  async draw() {
    const [seed] = crypto.getRandomValues(new Uint32Array(1));
    const drawn = { seed, by: this.engine.modelId };
    await this.#open((signal) => this.engine.draw(seed, signal), { name: `face-${seed}.png`, drawn });
  }

  /**
   * @param {(signal: AbortSignal) => Blob | Promise<Blob>} load
   * @param {About} about
   * @param {{ placed?: boolean, carry?: boolean }} [how] as of `open`
   */
  async #open(load, about, { placed = false, carry = false } = {}) {
    this.#opening.abort();
    this.#opening = new AbortController();
    const { signal } = this.#opening;
    const { name } = about;
    this.#emit("opening", name);
    try {
      const file = load(signal);
      const { photo, notes } = await this.#decoded(file, name, signal).finally(() => {
        if (!signal.aborted) this.#emit("opening");
      });
      const left = carry ? undefined : this.#unsaved();
      const strengths = carry ? this.strengths : {};
      this.#adopt(photo, { ...about, file, turns: 0 }, signal, strengths);
      this.#tellLeft(left);
      for (const said of notes) this.#emit("notice", { said });
      await this.#search(photo, placed);
    } catch (thrown) {
      this.#report(thrown);
    }
  }

  /**
   * @param {Blob | Promise<Blob>} file
   * @param {string} name
   * @param {AbortSignal} signal
   */
  async #decoded(file, name, signal) {
    try {
      return await this.#photos.open(await file, name, signal);
    } catch (thrown) {
      check(signal); // a file that has not come is no matter if it is no longer wanted
      throw thrown;
    }
  }

  /**
   * Turns the photo by a quarter and looks for faces again.
   * @param {{ placed?: boolean }} [about] as of `open`
   */
  async turnPhoto({ placed = false } = {}) {
    const { photo } = this;
    if (!photo) return;
    const signal = this.#look();
    try {
      const turned = await this.#photos.turn(photo, signal);
      const left = this.#unsaved();
      this.#adopt(turned, this.#source && { ...this.#source, turns: this.#source.turns + 1 }, signal);
      this.#tellLeft(left);
      await this.#search(turned, placed);
    } catch (thrown) {
      this.#report(thrown);
      // What was interrupted for this goes on.
      if (this.#searched && !signal.aborted) await this.#search(this.#searched);
    }
  }

  /**
   * The open photo with the edits that were not saved; nothing if there are none.
   * @returns {Left | undefined}
   */
  #unsaved() {
    const { unsaved } = this.portraits;
    if (!this.#source || unsaved.length === 0) return undefined;
    return { ...this.#source, edits: unsaved.map(({ quad, strengths }) => ({ quad, strengths })) };
  }

  /**
   * Tells of edits that gave way to another photo, and offers them again.
   * @param {Left | undefined} left
   */
  #tellLeft(left) {
    if (!left) return;
    const action = { label: say("photo.back"), run: () => void this.#return(left) };
    this.#emit("notice", { said: say("photo.left", { name: { name: left.name } }), action });
  }

  /**
   * Opens a photo again, with its edits.
   * @param {Left} left
   */
  async #return({ file, turns, edits, ...about }) {
    const before = this.photo;
    await this.open(file, { ...about, placed: true });
    if (this.photo === before || this.#source?.file !== file) return; // another one was wanted meanwhile
    for (let i = 0; i < turns; i++) await this.turnPhoto({ placed: true });
    const { photo } = this;
    for (const { quad, strengths } of edits) {
      if (!photo || photo !== this.photo) return; // another one was opened meanwhile
      const face = this.faces.find((each) => samePlace(each.quad, quad));
      const there = this.quad && samePlace(this.quad, quad) && this.#cut === FACES;
      if (!there) await this.use(photo, face?.quad ?? quad, face);
      if (!this.quad || !samePlace(this.quad, quad)) return; // another face was wanted meanwhile
      this.set(this.#known(strengths));
    }
  }

  /**
   * Notes that a file is the visitor's now, with the edits that it holds.
   * @param {Blob} file of `save`
   */
  noteSaved(file) {
    this.portraits.noteSaved(this.#filed.get(file) ?? []);
  }

  /** Begins something with the open photo, instead of what was begun before. */
  #look() {
    this.#looking.abort();
    this.#looking = new AbortController();
    return this.#looking.signal;
  }

  /**
   * Goes on with another photo; the one before is closed.
   * @param {OpenPhoto} photo
   * @param {PhotoSource | undefined} source
   * @param {AbortSignal} signal aborted when another one is wanted by now
   * @param {Strengths} [carried]
   */
  #adopt(photo, source, signal, carried = {}) {
    if (signal.aborted) this.#photos.close(photo);
    check(signal);
    this.#look();
    this.portraits.clear();
    if (this.photo) this.#photos.close(this.photo);
    [this.photo, this.faces, this.#searched] = [photo, [], undefined];
    [this.#source, this.#carried] = [source, carried];
    this.#tellBusy();
    this.#emit("sliders");
    this.#emit("photo");
  }

  /**
   * Looks for faces, and goes on to the largest. In an aligned face there is nothing to look for, and a model that
   * shows no faces takes the middle of the photo.
   * @param {OpenPhoto} photo
   * @param {boolean} [placed]
   */
  async #search(photo, placed = false) {
    const signal = this.#look();
    this.#searched = photo;
    this.#emit("step", { stage: "align" });
    try {
      const model = await this.engine.known();
      check(signal);
      this.#cut = model ? cutFor(model) : FACES;
      if (model && !showsFaces(model)) return await this.#useMiddle(photo, model, placed);
      if ((this.#source?.aligned || this.#source?.drawn) && this.#source.turns === 0) {
        return await this.use(photo, wholePhoto(photo.width, photo.height), undefined);
      }
      const faces = await this.#photos.faces(photo, signal);
      check(signal);
      this.#searched = undefined;
      await this.#found(photo, faces, placed);
    } catch (thrown) {
      if (signal.aborted) return;
      this.#emit("step", { stage: undefined });
      this.#report(thrown);
    }
  }

  /**
   * Goes on with what a model that shows no faces takes of a photo.
   * @param {OpenPhoto} photo
   * @param {ModelInfo} model
   * @param {boolean} placed
   */
  async #useMiddle(photo, model, placed) {
    const quad = middleOf(photo, model);
    const { width, height } = photo;
    if (!placed && !isWholePhoto(quad, width, height)) this.#emit("notice", { said: say("face.middle") });
    await this.use(photo, quad, undefined);
  }

  /**
   * @param {OpenPhoto} photo
   * @param {FoundFace[]} faces
   * @param {boolean} placed
   */
  async #found(photo, faces, placed) {
    this.faces = faces;
    this.#emit("faces");
    if (faces.length === 0 && placed) return this.#emit("step", { stage: undefined });
    if (faces.length === 0) {
      this.#emit("notice", { said: say("face.none") });
      this.#emit("need-crop");
      return;
    }
    if (faces.length > 1) this.#emit("notice", { said: say("face.found", { count: faces.length }) });
    await this.use(photo, faces[0].quad, faces[0]);
  }

  /**
   * Goes on with the face in `quad`; not if that photo is no longer open. A face that was worked on before is as it
   * was left. One that is placed anew keeps its sliders.
   * @param {OpenPhoto} photo
   * @param {Quad} quad
   * @param {FoundFace | undefined} face
   */
  async use(photo, quad, face) {
    if (photo !== this.photo) return;
    this.#look();
    this.#searched = undefined;
    const known = this.portraits.of(face);
    if (known && known === this.#portrait) return known.resume();
    this.#portrait?.leave();
    const portrait = known ?? this.#begin(photo, quad, face);
    if (Object.keys(this.#carried).length > 0) portrait.take(this.#carried);
    this.#carried = {};
    this.portraits.use(portrait);
    if (!known)
      for (const warning of face?.warnings ?? []) this.#emit("notice", { said: say(`face.warning.${warning}`) });
    this.#tellBusy();
    this.#emit("faces");
    this.#emit("sliders");
    await portrait.resume();
  }

  /**
   * A portrait in place of those of the same face.
   * @param {OpenPhoto} photo
   * @param {Quad} quad
   * @param {FoundFace | undefined} face
   */
  #begin(photo, quad, face) {
    const portrait = new Portrait(photo, quad, face, {
      engine: this.engine,
      photos: this.#photos,
      mode: () => this.pasteMode,
      seed: () => this.#seed(photo, quad),
      others: () => this.portraits.besides(portrait),
      inUse: (each) => each === this.#portrait,
      equip: (model) => this.#equip(model),
      tell: (type, detail) => this.#told(portrait, type, detail),
      fail: (thrown) => {
        if (portrait !== this.#portrait) return; // it is tried again when it is wanted
        this.#emit("step", { stage: undefined });
        this.#report(thrown);
      },
    });
    // Where faces are not told apart there is one part of the photo that is edited.
    this.portraits.replace(portrait, (other) => this.#cut !== FACES || samePlace(other.quad, quad));
    return portrait;
  }

  /**
   * The seed of a face, if it is one that the model in use has drawn and that nobody has turned or cut.
   * @param {OpenPhoto} photo
   * @param {Quad} quad
   */
  #seed({ width, height }, quad) {
    const { drawn, turns } = this.#source ?? {};
    const whole = turns === 0 && isWholePhoto(quad, width, height);
    return whole && drawn?.by === this.engine.modelId ? drawn?.seed : undefined;
  }

  /**
   * Passes on what the portrait in use tells; of the others only whether something is under way.
   * @param {Portrait} portrait
   * @param {string} type
   * @param {unknown} detail
   */
  #told(portrait, type, detail) {
    if (type === "busy") this.#tellBusy();
    else if (portrait === this.#portrait) this.#emit(type, detail);
    else if (type === "edited") this.#portrait?.drop();
  }

  #tellBusy() {
    const { busy } = this.portraits;
    if (busy !== this.#busy) this.#emit("busy", busy);
    this.#busy = busy;
  }

  /** What the manual crop asks about the open photo: of a model that shows no faces also its shape. */
  geometry() {
    const { photo } = this;
    if (!photo) throw new Failure({ code: "stale-photo", message: say("error.stale") });
    const { model } = this.engine;
    const aspect = model && !showsFaces(model) ? aspectOf(model) : undefined;
    const faceless = aspect !== undefined;
    return {
      photo,
      aspect,
      quadFromPoints: this.#photos.quadFromPoints.bind(this.#photos),
      preview: (/** @type {Quad} */ quad, /** @type {number} */ size) =>
        this.#photos.preview(photo, quad, size, faceless),
    };
  }

  // ---- Edits

  /**
   * Sets sliders; the picture follows.
   * @param {Strengths} changes
   * @param {{ moving?: boolean }} [options] `moving`: the slider is still held, so this is no step to undo
   */
  set(changes, { moving = false } = {}) {
    this.#portrait?.set(changes, moving);
    this.#emit("sliders");
  }

  undo() {
    this.#portrait?.undo();
    this.#emit("sliders");
  }

  redo() {
    this.#portrait?.redo();
    this.#emit("sliders");
  }

  resetAll() {
    this.#portrait?.resetAll();
    this.#emit("sliders");
  }

  /**
   * Sets the sliders of all faces that were found as those of the one in use. The others' pictures are made when the
   * whole photo is wanted, or that face.
   */
  applyToAll() {
    const { photo } = this;
    const portrait = this.#portrait;
    if (!photo || !portrait) return;
    const others = this.faces.filter((face) => !samePlace(face.quad, portrait.quad));
    for (const face of others) {
      const known = this.portraits.at(face.quad);
      const other = known ?? this.#begin(photo, face.quad, face);
      if (!known) this.portraits.add(other);
      other.take(portrait.strengths);
    }
    portrait.drop();
    this.#emit("sliders");
    this.#emit("notice", { said: say("face.applied", { count: others.length }) });
  }

  /** @param {PasteMode} mode */
  async choosePasteMode(mode) {
    this.#chosenMode = mode;
    await this.#portrait?.showMode();
  }

  /** Side of the face in use with all pixels that there are of it. */
  get finestSide() {
    return this.#portrait?.finestSide;
  }

  /**
   * A part of the face in use with the photo's own pixels, which the caller closes; nothing where it is not yet there.
   * @param {"original" | "edited"} view
   * @param {CloseUp} part
   * @param {AbortSignal} signal
   */
  async closeUp(view, part, signal) {
    return this.#portrait?.closeUp(view, part, signal);
  }

  /**
   * What the edit of the face in use changes, for other pictures of it; nothing where nothing is edited.
   * @param {AbortSignal} signal
   */
  async change(signal) {
    return this.#portrait?.change(signal);
  }

  /**
   * A file without metadata as one that says to programs that a model edited what it shows.
   * @param {Blob} file
   * @param {AbortSignal} signal
   */
  mark(file, signal) {
    return this.#photos.mark(file, signal);
  }

  /** Makes the whole photo with the edited face in it, as `pasted`; not if a newer edit comes in between. */
  async paste() {
    await this.#portrait?.paste();
  }

  /**
   * A file of exactly what the sliders say now.
   * @param {SaveKind} what
   * @param {Encoding} [encoding]
   * @returns {Promise<Blob>}
   * @throws {Failure} that says why not
   */
  async save(what, encoding = { type: "image/png", quality: 1 }) {
    const portrait = this.#portrait;
    if (!portrait) throw new Failure({ code: "not-saved", message: say("error.saveOvertaken") });
    const file = await portrait.save(what, encoding);
    const shown = what.startsWith("photo") ? this.portraits.all : [portrait];
    this.#filed.set(
      file,
      shown.map((each) => [each, each.strengths]),
    );
    return file;
  }

  /**
   * A marked file that `work` makes of pictures of the face in use, at whatever strengths it asks for.
   * @param {(frame: (strengths: Strengths) => Promise<ImageBitmap>) => Promise<Blob>} work closes the pictures
   * @param {AbortSignal} signal
   * @param {Size} [size] that of the whole photo in the pictures; without it they are of the face alone
   * @returns {Promise<Blob>}
   * @throws {Failure} that says why not
   */
  async film(work, signal, size) {
    if (!this.#portrait) throw new Failure({ code: "not-saved", message: say("error.saveOvertaken") });
    return this.#portrait.film(work, signal, size);
  }

  // ---- The visitor's own directions

  /**
   * Readies a model that was just loaded: it takes the visitor's own directions, and sliders that it has not are
   * forgotten.
   * @param {ModelInfo} model
   */
  async #equip(model) {
    await this.#own.equip(model);
    this.#keepKnown(model);
    this.#cutAnew(model);
  }

  /**
   * Begins anew with the open photo where it was cut for a model of another shape, or of other things.
   * @param {ModelInfo} model
   */
  #cutAnew(model) {
    const { photo } = this;
    if (!photo || this.#cut === cutFor(model)) return;
    this.portraits.clear();
    this.faces = [];
    this.#tellBusy();
    for (const type of ["cut", "faces", "sliders", "picture"]) this.#emit(type);
    void this.#search(photo);
  }

  /**
   * Shows edits as the model makes them now, which has gained sliders and motions while it was used.
   * @param {ModelInfo} model
   */
  async #modelChanged(model) {
    try {
      await this.#equip(model);
    } catch {
      return; // a file that crashes it is heard of as a crash
    }
    const portrait = this.#portrait;
    this.portraits.renew(this.portraits.all);
    await portrait?.showMode();
  }

  /**
   * Forgets sliders that there are no longer: another model had them, or their file was removed.
   * @param {ModelInfo} model
   */
  #keepKnown(model) {
    if (this.portraits.keepOnly(this.#names(model))) this.#emit("sliders");
  }

  /**
   * The names of all sliders that there are.
   * @param {ModelInfo} model
   */
  #names({ directions }) {
    return new Set([...directions, ...this.#own.directions].map(({ name }) => name));
  }

  /**
   * Of sliders, those that there are; all, as long as no model says which.
   * @param {Strengths} strengths
   * @returns {Strengths}
   */
  #known(strengths) {
    const { model } = this.engine;
    return model ? only(strengths, this.#names(model)) : strengths;
  }

  /**
   * Adds the directions in files to the model, and keeps the files for the next visit.
   * @param {Iterable<File>} files
   */
  async addDirections(files) {
    for (const file of files) {
      try {
        this.#ownChanged(await this.#own.add(file));
      } catch (thrown) {
        const failure = Failure.from(thrown);
        const { code, message: detail } = failure;
        if (code !== "import") return this.#report(failure);
        const message = say("direction.refused", { file: file.name });
        const hint = say("hint.direction", { formats: { either: FORMATS } });
        this.#report(new Failure({ code, message, hint, detail }));
      }
    }
  }

  /**
   * Removes the sliders of a file.
   * @param {OwnFile} own
   */
  async removeDirections(own) {
    const removed = this.#own.remove(own);
    this.#ownChanged(own.directions);
    await removed;
  }

  /** @param {{ name: string }[]} touched directions that are no longer what they were */
  #ownChanged(touched) {
    const used = this.portraits.all.filter(({ strengths }) => touched.some(({ name }) => name in strengths));
    if (this.engine.model) this.#keepKnown(this.engine.model);
    this.portraits.renew(used);
    if (used.length > 0) this.#emit("sliders");
  }

  // ---- Workers that come and go

  /** Starts the engine anew, with the backend in the settings, and brings photo and sliders back. */
  async restartEngine() {
    const portrait = this.#portrait;
    for (const each of this.portraits.all) {
      each.forgetInversion();
      if (each !== portrait) each.forgetEdit();
    }
    this.engine.start().catch(() => {}); // its status tells
    await portrait?.run();
  }

  /** Tries again what the network was missing for: to look for faces, or else to load the engine. */
  async retry() {
    if (this.#searched && !this.#portrait) await this.#search(this.#searched);
    else await this.restartEngine();
  }

  /** @param {Failure} failure */
  #engineCrashed(failure) {
    for (const portrait of this.portraits.all) portrait.forgetInversion();
    const { engine: limit } = this.#limits;
    if (limit.next() === undefined) {
      this.#emit("step", { stage: undefined });
      this.engine.fail(new Failure({ code: "gone", message: say("engine.gone"), detail: failure.message }));
      return;
    }
    if (limit.last && this.engine.status.info?.backend === "webgpu") {
      remember({ backend: "cpu" });
      this.#emit("notice", { said: say("engine.gpuGivenUp") });
    }
    this.#emit("notice", { said: say("engine.recovered") });
    void this.restartEngine();
  }

  #photosCrashed() {
    const [portrait, searched] = [this.#portrait, this.#searched];
    for (const each of this.portraits.all) each.forgetEdits();
    this.#emit("failure", new Failure({ code: "photo", message: say("error.photo"), hint: say("hint.photo") }));
    if (this.#limits.photos.next() === undefined) this.#emit("step", { stage: undefined });
    else if (searched) void this.#search(searched);
    else void portrait?.run();
  }

  /**
   * Tells the visitor what went wrong, unless nothing did or it is told already.
   * @param {unknown} thrown
   */
  #report(thrown) {
    const failure = Failure.from(thrown);
    // Crashes of either worker are reported where they are mended, the engine's start by its status.
    if (failure.ended || failure.fatal || failure.code === "photo" || failure === this.engine.status.failure) return;
    this.#emit("failure", failure);
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
