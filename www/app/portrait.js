// One face of one photo: its crop, its inversion, its sliders, its pictures, and the edits of it.
import { Failure } from "../shared/failure.js";
import { newId } from "../shared/ids.js";
import { faceSide, finestSide, isWholePhoto, PREVIEW_SIDE, showsFaces } from "../shared/quad.js";
import { check } from "../shared/rpc.js";
import { say } from "../shared/say.js";
import { atRest, only, same } from "../shared/strengths.js";
import { covering, isMeasured } from "./coverings.js";
import { EditScheduler } from "./edit-scheduler.js";
import { History } from "./history.js";
import { read } from "./measures.js";

/** @import { PageEngine } from "./engine.js" */
/** @import { OpenPhoto, Photos } from "./photos.js" */
/** @import { CloseUp, Encoding, Layer, Rendering, SaveKind, Shares, Size } from "../shared/protocol.js" */
/** @import { EditId, FoundFace, InversionId, ModelInfo, PasteMode, Quad, Strengths } from "../shared/types.js" */

/** @typedef {"original" | "initial" | "reconstruction" | "discrepancy" | "edited"} View */

/**
 * What a portrait needs to know and to tell.
 * @typedef {{
 *   engine: PageEngine,
 *   photos: Photos,
 *   mode: () => PasteMode,
 *   seed: () => number | undefined,
 *   others: () => Portrait[],
 *   inUse: (portrait: Portrait) => boolean,
 *   equip: (model: ModelInfo) => Promise<void>,
 *   tell: (type: string, detail?: unknown) => void,
 *   fail: (thrown: unknown) => void
 * }} PortraitContext `mode` is what the visitor chose; `seed` that of a face that the model has drawn; `others` are the
 *   photo's other faces, and may be edited, too; `inUse` is the one that the visitor sees; `equip` readies a model for
 *   edits
 */

/** The generator's size for thumbnails. */
const THUMBNAIL_SIZE = 128;
/** How often `save` begins again because the sliders have moved. */
const MOST_SAVES = 100;
/** How often a picture of a film is asked for. */
const MOST_FRAMES = 10;

export class Portrait {
  #crop = newId("crop");
  #context;
  /** Aborted when the portrait is closed. */
  #life = new AbortController();
  /** Aborted when the work from crop to edits ends early. */
  #attempt = new AbortController();
  /** @type {Promise<void>} the work from crop to first edit */
  #running = Promise.resolve();
  /** Whether that work was not begun, or ended early. */
  #stalled = true;
  /** Whether the photo's worker knows the crop. */
  #begun = false;
  /** @type {InversionId | undefined} what the engine holds */
  #inversion;
  /** @type {EditScheduler | undefined} */
  #scheduler;
  /**
   * @type {{ edit: EditId, strengths: Strengths, full: boolean, held: Shares, by: string } | undefined} in the photo's
   *   worker; `by`: the model that made it
   */
  #made;
  /** @type {{ edit: EditId, mode: PasteMode } | undefined} of the edited picture */
  #shown;
  /** @type {{ key: string, file: Promise<Blob> } | undefined} what was saved last, of exactly what `key` names */
  #file;
  /** Whether the visitor has heard where edits of this face will not work. */
  #warned = false;
  #underWay = 0;
  #history = new History({});

  /** @type {Strengths} what the visitor asks for */
  strengths = {};
  /** @type {Partial<Record<View, ImageBitmap>>} */
  pictures = {};
  /** @type {ImageBitmap | undefined} the whole photo with the edited face in it, when it is up to date */
  pasted;
  /** @type {{ inversion?: number, edit?: number }} seconds */
  timing = {};

  /**
   * @param {OpenPhoto} photo
   * @param {Quad} quad
   * @param {FoundFace | undefined} face undefined when it was placed by hand
   * @param {PortraitContext} context
   */
  constructor(photo, quad, face, context) {
    this.photo = photo;
    this.quad = quad;
    this.face = face;
    this.#context = context;
  }

  get inverted() {
    return this.pictures.edited !== undefined;
  }

  /** What the engine holds of the face, when it can be edited. */
  get inversion() {
    return this.inverted && !this.#stalled ? this.#inversion : undefined;
  }

  /** Whether the face is only part of the photo, so that there is something to paste it back into. */
  get hasSurroundings() {
    return !isWholePhoto(this.quad, this.photo.width, this.photo.height);
  }

  /** Whether what is shown is, in full, what the visitor asks for. */
  get settled() {
    const [made, shown] = [this.#made, this.#shown];
    if (!made || !shown || this.pictures.edited === undefined) return false;
    return this.#done && shown.edit === made.edit && shown.mode === this.#context.mode();
  }

  /** Whether the photo's worker holds, in full, what the visitor asks for. */
  get #done() {
    return this.#made?.full === true && same(this.#made.strengths, this.strengths);
  }

  /** Whether the model in use has drawn the face. */
  get drawn() {
    return this.#context.seed() !== undefined;
  }

  get busy() {
    return this.#underWay > 0;
  }

  get edited() {
    return !atRest(this.strengths);
  }

  /** The sliders that would have torn the face, and the share of their strength that was used. */
  get held() {
    return this.#made?.held ?? {};
  }

  get canUndo() {
    return this.#history.canUndo;
  }

  get canRedo() {
    return this.#history.canRedo;
  }

  /**
   * Sets sliders; the picture follows.
   * @param {Strengths} changes
   * @param {boolean} moving the slider is still held, so this is no step to undo
   */
  set(changes, moving) {
    const strengths = Object.entries({ ...this.strengths, ...changes }).filter(([, strength]) => strength !== 0);
    this.strengths = Object.fromEntries(strengths);
    if (!moving) this.#history.push(this.strengths);
    this.#request(moving);
  }

  /**
   * Takes sliders over from another face. The picture follows when it is wanted.
   * @param {Strengths} strengths
   */
  take(strengths) {
    this.strengths = { ...strengths };
    this.#history.push(this.strengths);
    this.drop();
  }

  undo() {
    this.strengths = this.#history.undo();
    this.#request(false);
  }

  redo() {
    this.strengths = this.#history.redo();
    this.#request(false);
  }

  resetAll() {
    this.strengths = {};
    this.#history.push(this.strengths);
    this.#request(false);
  }

  /**
   * Takes over the sliders of a portrait of the same face.
   * @param {Portrait} portrait
   */
  inherit(portrait) {
    [this.strengths, this.#history] = [portrait.strengths, portrait.#history];
  }

  /**
   * Forgets all sliders but these.
   * @param {Set<string>} names
   * @returns {boolean} whether one of those that are used is forgotten
   */
  keepOnly(names) {
    this.#history.keepOnly(names);
    const kept = only(this.strengths, names);
    if (Object.keys(kept).length === Object.keys(this.strengths).length) return false;
    this.strengths = kept;
    return true;
  }

  /**
   * Goes from crop to edits, leaving out what is there already; whatever was under way is cancelled.
   * @returns {Promise<void>} never rejects
   */
  run() {
    this.#halt();
    this.#attempt = new AbortController();
    const { signal } = this.#attempt;
    this.#stalled = false;
    this.#running = this.#run(signal).catch((thrown) => {
      if (signal.aborted) return;
      this.#stalled = true;
      this.#context.fail(thrown);
    });
    return this.#running;
  }

  /** Ends the work under way. */
  #halt() {
    this.#attempt.abort();
    this.#scheduler?.stop();
    this.#scheduler = undefined;
    this.#stalled = true;
  }

  /** @param {AbortSignal} signal */
  async #run(signal) {
    const { engine, photos, equip } = this.#context;
    this.#tell("step", { stage: "align" });
    if (engine.status.state !== "ready") this.#tell("step", { stage: "model" });
    const model = await engine.ready;
    check(signal);
    if (this.#made && this.#made.by !== engine.modelId) this.forgetEdit();
    await equip(model);
    check(signal);
    this.#tell("step", { stage: "align" });
    if (!this.#begun) {
      await photos.crop(this.photo, this.#crop, this.quad, this.face?.mesh, !showsFaces(model));
      check(signal);
      this.#begun = true;
    }
    await this.#showOriginal(signal);
    const seed = this.#context.seed();
    if (seed === undefined && !model.inverts) {
      throw new Failure({ code: "no-encoder", message: say("error.drawsOnly"), hint: say("hint.draw") });
    }
    const compensates = model.compensates && seed === undefined;
    let seconds;
    if (!this.#inversion) {
      const inversion = newId("inversion");
      try {
        seconds = await engine.invert(inversion, this.#crop, seed, signal);
        check(signal);
      } catch (thrown) {
        engine.release(inversion); // the worker may have finished all the same
        throw thrown;
      }
      [this.#inversion, this.timing] = [inversion, { inversion: seconds }];
      // Where nothing is compensated there is one picture, and none of what was lost.
      const compensation = /** @type {const} */ (["initial", "discrepancy"]);
      for (const kind of compensates ? compensation : [])
        this.#show(kind, await this.#kept(engine.view(inversion, kind, signal), signal));
      this.#show("reconstruction", await this.#kept(engine.view(inversion, "reconstruction", signal), signal));
      if (!compensates) for (const kind of compensation) this.#hide(kind);
    }
    await this.#warn(model, signal);
    const scheduler = this.#schedule(this.#inversion, model, signal);
    if (!this.inverted) {
      scheduler.request({}, false); // takes no time, and is there should the sliders' edit fail
      await scheduler.idle();
    }
    if (!this.settled) scheduler.request(this.strengths, false);
    await scheduler.idle();
    check(signal);
    this.#tell("step", { stage: undefined, seconds });
  }

  /**
   * Says, once, where edits will not work.
   * @param {ModelInfo} model
   * @param {AbortSignal} signal
   */
  async #warn(model, signal) {
    const { initial, reconstruction } = this.pictures;
    if (this.#warned || !initial || !reconstruction || !isMeasured(model)) return;
    const side = model.outputHeight;
    const face = await this.aligned(side, signal);
    const covered = covering(read(face, side), read(initial, side), read(reconstruction, side));
    face.close();
    this.#warned = true;
    if (covered) this.#tell("notice", { said: say(`face.warning.${covered}`) });
  }

  /**
   * @param {InversionId} inversion
   * @param {ModelInfo} model
   * @param {AbortSignal} signal
   */
  #schedule(inversion, { imageSize, injectSize }, signal) {
    const { engine, fail } = this.#context;
    const by = engine.modelId;
    this.#scheduler = new EditScheduler({
      imageSize,
      smallestPreview: injectSize,
      edit: async (strengths, previewSize, editSignal) => {
        const edit = newId("edit");
        const held = await engine.edit(inversion, edit, strengths, previewSize, editSignal);
        if (signal.aborted) return;
        this.#made = { edit, strengths, full: previewSize === undefined, held, by };
        await this.#showEdited(editSignal);
      },
      onPicture: (full, seconds) => {
        if (signal.aborted) return;
        if (full && !atRest(this.#made?.strengths ?? {})) this.timing.edit = seconds;
        this.#tell("edited", { full });
      },
      onFailure: (thrown) => signal.aborted || fail(thrown),
      onBusy: (busy) => this.#count(busy ? 1 : -1),
    });
    return this.#scheduler;
  }

  /**
   * A small picture of what sliders would do, which the caller closes.
   * @param {InversionId} inversion
   * @param {Strengths} strengths
   * @param {number} side
   * @param {AbortSignal} signal
   */
  thumbnail(inversion, strengths, side, signal) {
    const { imageSize, injectSize } = /** @type {ModelInfo} */ (this.#context.engine.model);
    const size = Math.max(injectSize, THUMBNAIL_SIZE);
    const rendering = { mode: this.#context.mode(), side };
    return this.#context.engine.thumbnail(
      inversion,
      strengths,
      size < imageSize ? size : undefined,
      rendering,
      signal,
    );
  }

  /**
   * The face in the photo as large as the model's pictures, which the caller closes.
   * @param {number} side
   * @param {AbortSignal} signal
   */
  aligned(side, signal) {
    return this.#kept(this.#context.photos.original(this.#crop, side, signal), signal);
  }

  /** Width of the face with all pixels that there are of it, when it can be edited. */
  get finestSide() {
    const { model } = this.#context.engine;
    return model && this.inverted ? finestSide(this.quad, this.#context.mode(), model.outputWidth) : undefined;
  }

  /**
   * A part of the face with the photo's own pixels, which the caller closes; nothing where the edit is not yet there.
   * @param {"original" | "edited"} view
   * @param {CloseUp} part
   * @param {AbortSignal} signal
   */
  async closeUp(view, part, signal) {
    const made = this.#made;
    if (view === "edited" && (!made || !this.settled)) return undefined;
    const edit = view === "edited" && made && !atRest(made.strengths) ? made.edit : undefined;
    return this.#kept(this.#context.photos.closeUp(this.#crop, edit, part, signal), signal);
  }

  /**
   * What the edit on show changes, for other pictures of the same face; nothing at rest, and until there is an edit.
   * @param {AbortSignal} signal
   */
  async change(signal) {
    const made = this.#made;
    if (!made || atRest(made.strengths)) return undefined;
    return this.#context.photos.change(this.#crop, made.edit, signal);
  }

  /** Forgets the inversion, whose engine is gone. */
  forgetInversion() {
    this.#inversion = undefined;
    this.#halt();
  }

  /** Forgets what was made by sliders that are others now. */
  forgetEdit() {
    this.#made = undefined;
    this.#scheduler?.forget();
  }

  /** Forgets what the photo's worker made, which is gone. */
  forgetEdits() {
    [this.#made, this.#begun] = [undefined, false];
    this.#halt();
  }

  /** Asks for the picture of the sliders anew, which mean something else now. */
  refresh() {
    this.forgetEdit();
    this.#request(false);
  }

  /**
   * Asks for the picture of the sliders as they are now.
   * @param {boolean} moving
   */
  #request(moving) {
    this.drop();
    if (this.#stalled) void this.run();
    else this.#scheduler?.request(this.strengths, moving);
  }

  /** Shows again what there is, after another face was shown. */
  async resume() {
    for (const view of Object.keys(this.pictures)) this.#tell("picture", view);
    if (this.#stalled || !this.inverted) return this.run();
    this.#tell("step", { stage: undefined });
    if (!this.#done) this.#request(false);
    else if (!this.settled) await this.showMode();
  }

  /** Makes way for another face of the photo: an edit under way is finished, an inversion is not. */
  leave() {
    this.drop();
    if (!this.inverted) this.#halt();
  }

  /** Gives up what takes memory and can be made again. What the photo's worker has made is kept. */
  rest() {
    this.#halt();
    this.drop();
    if (this.#inversion) this.#context.engine.release(this.#inversion);
    this.#inversion = undefined;
    this.#closePictures();
  }

  #closePictures() {
    for (const picture of Object.values(this.pictures)) picture.close();
    this.pictures = {};
  }

  /**
   * This face as part of the whole photo, as the sliders say; nothing if they are all at rest.
   * @returns {Promise<Layer | undefined>}
   * @throws {Failure} that says why not
   */
  async layer() {
    if (!this.edited) return undefined;
    const slept = this.#inversion === undefined;
    if (!this.#done) this.#request(false);
    await this.#idle();
    const made = this.#made;
    if (slept && !this.#context.inUse(this)) this.rest();
    if (!this.#done || !made) {
      throw new Failure({ code: "not-saved", message: say("error.unsettled"), hint: say("hint.unsettled") });
    }
    return { crop: this.#crop, edit: made.edit };
  }

  /** The layers of the photo's other faces. */
  async #otherLayers() {
    const layers = [];
    // One after another: of those that must be inverted first, there is only one in memory.
    for (const portrait of this.#context.others()) layers.push(await portrait.layer());
    return layers.filter((layer) => layer !== undefined);
  }

  /** Shows everything as the paste mode asks for, after that was changed. */
  async showMode() {
    this.drop();
    if (!this.#begun) return; // it is shown so when it comes
    const { signal } = this.#life;
    try {
      await this.#during(Promise.all([this.#showOriginal(signal), this.#made && this.#showEdited(signal)]));
    } catch (thrown) {
      // An edit that was replaced is shown in its new form by whoever replaced it.
      if (!signal.aborted && !Failure.from(thrown).stale) this.#context.fail(thrown);
    }
  }

  /** Makes the whole photo with the edited face in it; not if a newer edit comes in between. */
  async paste() {
    const [made, shown, { signal }] = [this.#made, this.#shown, this.#life];
    if (!made || !this.settled) return;
    try {
      const { mode, photos } = this.#context;
      const making = async () => {
        const layers = [...(await this.#otherLayers()), { crop: this.#crop, edit: made.edit }];
        return photos.paste(layers, mode(), signal);
      };
      const bitmap = await this.#during(this.#kept(making(), signal));
      if (!this.settled || shown !== this.#shown) return bitmap.close();
      this.drop();
      this.pasted = bitmap;
    } catch (thrown) {
      const { ended, stale } = Failure.from(thrown);
      if (stale) this.#allLost(made);
      else if (!ended) throw thrown;
    }
  }

  /**
   * A file of exactly what the sliders say now.
   * @param {SaveKind} what
   * @param {Encoding} encoding
   * @returns {Promise<Blob>}
   * @throws {Failure} that says why not
   */
  async save(what, encoding) {
    for (let attempt = 0; attempt < MOST_SAVES; attempt++) {
      await this.#idle();
      if (this.#life.signal.aborted) throw new Failure({ code: "not-saved", message: say("error.saveOvertaken") });
      const made = this.#made;
      if (!made || !this.#done) break;
      const rendering = this.#rendering(true);
      try {
        const others = what === "photo" || what === "photo-pair" ? await this.#otherLayers() : [];
        const layers = [...others, { crop: this.#crop, edit: made.edit }];
        const file = await this.#written(layers, what, rendering, encoding);
        if (rendering.mode === this.#context.mode() && same(made.strengths, this.strengths)) return file;
      } catch (thrown) {
        if (!Failure.from(thrown).stale) throw thrown;
        this.#allLost(made);
      }
      // Something moved while the file was written: once more.
    }
    throw new Failure({ code: "not-saved", message: say("error.unsettled"), hint: say("hint.unsettled") });
  }

  /**
   * A file, which is written once for its size and for saving. Each edit has a name of its own, so what is named alike
   * looks alike.
   * @param {Layer[]} layers
   * @param {SaveKind} what
   * @param {Rendering} rendering
   * @param {Encoding} encoding
   */
  #written(layers, what, rendering, encoding) {
    const key = JSON.stringify([layers, what, rendering, encoding]);
    if (this.#file?.key === key) return this.#file.file;
    const file = this.#context.photos.save(layers, what, rendering, encoding);
    const written = { key, file };
    this.#file = written;
    file.catch(() => {
      if (this.#file === written) this.#file = undefined; // it is tried again
    });
    return file;
  }

  /**
   * A marked file that `work` makes of pictures of this face, at whatever strengths it asks for. The picture of the
   * sliders comes back afterwards: the photo's worker holds one edit of a face.
   * @param {(frame: (strengths: Strengths) => Promise<ImageBitmap>) => Promise<Blob>} work closes the pictures
   * @param {AbortSignal} wanted
   * @param {Size} [size] that of the whole photo in the pictures, in which other faces are as they were edited; without
   *   it they are of the face alone
   * @returns {Promise<Blob>}
   * @throws {Failure} that says why not
   */
  async film(work, wanted, size) {
    const { engine, photos, mode } = this.#context;
    const asked = mode(); // for all pictures, whatever is shown meanwhile
    await this.#idle();
    const inversion = this.#inversion;
    if (!inversion || !this.#done) {
      throw new Failure({ code: "not-saved", message: say("error.unsettled"), hint: say("hint.unsettled") });
    }
    const ending = new AbortController();
    const { signal } = ending;
    const end = () => ending.abort();
    for (const each of [wanted, this.#life.signal]) each.addEventListener("abort", end);
    const rendering = this.#rendering(true, asked);
    const reduced = size && { id: newId("photo"), size };
    const picture = (/** @type {EditId} */ edit) =>
      reduced
        ? photos.paste([{ crop: this.#crop, edit }], rendering.mode, signal, reduced.id)
        : photos.retouch(this.#crop, edit, rendering, signal);
    const frame = async (/** @type {Strengths} */ strengths) => {
      for (let attempt = 1; ; attempt++) {
        const edit = newId("edit");
        try {
          await engine.edit(inversion, edit, strengths, undefined, signal);
          return await this.#kept(picture(edit), signal);
        } catch (thrown) {
          // Another edit may come in between, such as one of a model that has gained sliders.
          if (Failure.from(thrown).code !== "stale-edit" || attempt === MOST_FRAMES) throw thrown;
        }
      }
    };
    const filming = async () => {
      // The photo is made small once, not for every picture.
      if (reduced) await photos.reduce(this.photo, await this.#otherLayers(), rendering.mode, reduced, signal);
      return photos.mark(await work(frame), signal);
    };
    this.forgetEdit();
    try {
      check(wanted);
      check(this.#life.signal);
      return await this.#during(filming());
    } catch (thrown) {
      if (Failure.from(thrown).stale) this.#allLost(this.#made); // they are there when it is tried again
      throw thrown;
    } finally {
      if (reduced) photos.release(reduced.id);
      for (const each of [wanted, this.#life.signal]) each.removeEventListener("abort", end);
      if (!this.#life.signal.aborted) this.refresh();
    }
  }

  /**
   * Notes that the photo's worker holds an edit no longer.
   * @param {unknown} made
   */
  #lost(made) {
    if (made === this.#made) this.forgetEdit();
  }

  /**
   * Notes that the photo's worker may hold no edit of any face any longer.
   * @param {unknown} made of this one
   */
  #allLost(made) {
    this.#lost(made);
    for (const portrait of this.#context.others()) portrait.forgetEdit();
  }

  /** Resolves when nothing is under way. */
  async #idle() {
    let running;
    do {
      running = this.#running;
      await running;
      await this.#scheduler?.idle();
    } while (running !== this.#running);
  }

  /** Gives the portrait up, with all it holds. */
  close() {
    this.#life.abort();
    this.rest();
    this.#context.photos.release(this.#crop);
  }

  /**
   * How edits are to be shown and saved.
   * @param {boolean} full
   * @param {Rendering["mode"]} [mode] the one in use, unless given
   * @returns {Rendering}
   */
  #rendering(full, mode = this.#context.mode()) {
    const side = this.#side(mode);
    return { mode, side: full ? side : Math.min(PREVIEW_SIDE, side) };
  }

  /** Width of the face as it is shown and saved on its own. */
  #side(mode = this.#context.mode()) {
    const model = /** @type {ModelInfo} */ (this.#context.engine.model);
    return faceSide(this.quad, mode, model.outputWidth);
  }

  /** @param {AbortSignal} signal */
  async #showOriginal(signal) {
    const side = this.#side();
    const bitmap = await this.#kept(this.#context.photos.original(this.#crop, side, signal), signal);
    if (side === this.#side()) this.#show("original", bitmap);
    else bitmap.close(); // whoever changed the mode shows it
  }

  /** @param {AbortSignal} signal */
  async #showEdited(signal) {
    const made = this.#made;
    if (!made) return;
    const rendering = this.#rendering(made.full);
    const bitmap = await this.#kept(this.#context.photos.retouch(this.#crop, made.edit, rendering, signal), signal);
    // Else whoever came in between shows what now holds.
    if (made !== this.#made || rendering.mode !== this.#context.mode()) return bitmap.close();
    this.#shown = { edit: made.edit, mode: rendering.mode };
    this.#show("edited", bitmap);
  }

  /**
   * A bitmap that has arrived in time; one that has not is closed.
   * @param {Promise<ImageBitmap>} coming
   * @param {AbortSignal} signal
   */
  async #kept(coming, signal) {
    const bitmap = await coming;
    if (signal.aborted) bitmap.close();
    check(signal);
    return bitmap;
  }

  /**
   * @param {View} view
   * @param {ImageBitmap} picture
   */
  #show(view, picture) {
    this.pictures[view]?.close();
    this.pictures[view] = picture;
    if (view === "edited") this.drop();
    this.#tell("picture", view);
  }

  /**
   * Takes away a picture that another model made.
   * @param {View} view
   */
  #hide(view) {
    this.pictures[view]?.close();
    delete this.pictures[view];
    this.#tell("picture", view);
  }

  /** Drops the whole photo and the file, which no longer hold. */
  drop() {
    this.#file = undefined;
    this.pasted?.close();
    this.pasted = undefined;
  }

  /** @param {number} by */
  #count(by) {
    const before = this.busy;
    this.#underWay += by;
    if (this.busy !== before) this.#tell("busy");
  }

  /**
   * @template T
   * @param {Promise<T>} work
   */
  async #during(work) {
    this.#count(1);
    try {
      return await work;
    } finally {
      this.#count(-1);
    }
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  #tell(type, detail) {
    if (!this.#life.signal.aborted) this.#context.tell(type, detail);
  }
}
