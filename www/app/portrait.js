// One face of one photo: its crop, its inversion, its pictures, and the edits of it.
import { Failure } from "../shared/failure.js";
import { newId } from "../shared/ids.js";
import { isWholePhoto } from "../shared/quad.js";
import { check } from "../shared/rpc.js";
import { say } from "../shared/say.js";
import { atRest, same } from "../shared/strengths.js";
import { EditScheduler } from "./edit-scheduler.js";

/** @import { Engine } from "./engine.js" */
/** @import { Photo, Photos } from "./photos.js" */
/** @import { Look, SaveKind } from "../shared/protocol.js" */
/** @import { EditId, FoundFace, InversionId, ModelInfo, PasteMode, Quad, Strengths } from "../shared/types.js" */

/** @typedef {"original" | "initial" | "reconstruction" | "discrepancy" | "edited"} View */

/**
 * What a portrait needs to know and to tell.
 * @typedef {{
 *   engine: Engine,
 *   photos: Photos,
 *   wishes: () => { strengths: Strengths, mode: PasteMode },
 *   equip: (model: ModelInfo) => Promise<void>,
 *   tell: (type: string, detail?: unknown) => void,
 *   fail: (thrown: unknown) => void
 * }} PortraitContext `wishes` is what the visitor asks for now; `equip` readies a model for edits
 */

/** Largest side of the face as it is shown and saved on its own, and while a slider moves on a slow machine. */
const FACE_SIDE = 1024;
const PREVIEW_SIDE = 512;
/** How often `save` begins again because the sliders have moved. */
const MOST_SAVES = 100;

export class Portrait {
  #crop = newId("crop");
  #context;
  /** Aborted when the portrait is closed. */
  #life = new AbortController();
  /** Aborted when the work from crop to edits ends early. */
  #attempt = new AbortController();
  /** @type {Promise<void>} the work from crop to first edit */
  #running = Promise.resolve();
  /** Whether that work has ended early. */
  #stalled = false;
  /** Whether the photo's worker knows the crop. */
  #begun = false;
  /** @type {InversionId | undefined} what the engine holds */
  #inversion;
  /** @type {EditScheduler | undefined} */
  #scheduler;
  /** @type {{ edit: EditId, strengths: Strengths, full: boolean } | undefined} what the photo's worker holds */
  #made;
  /** @type {{ edit: EditId, mode: PasteMode } | undefined} of the edited picture */
  #shown;
  #underWay = 0;

  /** @type {Partial<Record<View, ImageBitmap>>} */
  pictures = {};
  /** @type {ImageBitmap | undefined} the whole photo with the edited face in it, when it is up to date */
  pasted;
  /** @type {{ inversion?: number, edit?: number }} seconds */
  timing = {};

  /**
   * @param {Photo} photo
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

  /** Whether the face is only part of the photo, so that there is something to paste it back into. */
  get hasSurroundings() {
    return !isWholePhoto(this.quad, this.photo.width, this.photo.height);
  }

  /** Whether what is shown is, in full, what the visitor asks for. */
  get settled() {
    const { strengths, mode } = this.#context.wishes();
    const [made, shown] = [this.#made, this.#shown];
    if (!made?.full || !shown || this.pictures.edited === undefined) return false;
    return shown.edit === made.edit && shown.mode === mode && same(made.strengths, strengths);
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
    await equip(model);
    check(signal);
    this.#tell("step", { stage: "align" });
    if (!this.#begun) {
      await photos.crop(this.photo, this.#crop, this.quad, this.face?.mesh);
      check(signal);
      this.#begun = true;
    }
    await this.#showOriginal(signal);
    let seconds;
    if (!this.#inversion) {
      const inversion = newId("inversion");
      seconds = await engine.invert(inversion, this.#crop, signal);
      check(signal);
      [this.#inversion, this.timing] = [inversion, { inversion: seconds }];
      for (const kind of /** @type {const} */ (["initial", "discrepancy", "reconstruction"])) {
        this.#show(kind, await this.#kept(engine.view(inversion, kind, signal), signal));
      }
    }
    const scheduler = this.#schedule(this.#inversion, model, signal);
    if (!this.inverted) {
      scheduler.request({}, false); // takes no time, and is there should the sliders' edit fail
      await scheduler.idle();
    }
    scheduler.request(this.#context.wishes().strengths, false);
    await scheduler.idle();
    check(signal);
    this.#tell("step", { stage: undefined, seconds });
  }

  /**
   * @param {InversionId} inversion
   * @param {ModelInfo} model
   * @param {AbortSignal} signal
   */
  #schedule(inversion, { imageSize, injectSize }, signal) {
    const { engine, fail } = this.#context;
    this.#scheduler = new EditScheduler({
      imageSize,
      smallestPreview: injectSize,
      edit: async (strengths, previewSize, editSignal) => {
        const edit = newId("edit");
        await engine.edit(inversion, edit, strengths, previewSize, editSignal);
        if (signal.aborted) return;
        this.#made = { edit, strengths, full: previewSize === undefined };
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

  /** Forgets the inversion, whose engine is gone. */
  forgetInversion() {
    this.#inversion = undefined;
    this.#halt();
  }

  /** Forgets what the photo's worker made, which is gone. */
  forgetEdits() {
    [this.#made, this.#begun] = [undefined, false];
    this.#halt();
  }

  /**
   * Asks for the picture of the sliders as they are now.
   * @param {boolean} moving
   */
  request(moving) {
    this.#drop();
    if (this.#stalled) void this.run();
    else this.#scheduler?.request(this.#context.wishes().strengths, moving);
  }

  /** Shows everything as the paste mode asks for, after that was changed. */
  async showMode() {
    this.#drop();
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
      const { mode } = this.#context.wishes();
      const bitmap = await this.#during(
        this.#kept(this.#context.photos.paste(this.#crop, made.edit, mode, signal), signal),
      );
      if (!this.settled || shown !== this.#shown) return bitmap.close();
      this.#drop();
      this.pasted = bitmap;
    } catch (thrown) {
      const { ended, stale } = Failure.from(thrown);
      if (stale) this.#lost(made);
      else if (!ended) throw thrown;
    }
  }

  /**
   * A PNG file of exactly what the sliders say now.
   * @param {SaveKind} what
   * @returns {Promise<Blob>}
   * @throws {Failure} that says why not
   */
  async save(what) {
    for (let attempt = 0; attempt < MOST_SAVES; attempt++) {
      await this.#idle();
      if (this.#life.signal.aborted) throw new Failure({ code: "not-saved", message: say("error.saveOvertaken") });
      const made = this.#made;
      if (!made?.full || !same(made.strengths, this.#context.wishes().strengths)) break;
      const look = this.#look(true);
      try {
        const file = await this.#context.photos.save(this.#crop, made.edit, what, look);
        const { strengths, mode } = this.#context.wishes();
        if (look.mode === mode && same(made.strengths, strengths)) return file;
      } catch (thrown) {
        if (!Failure.from(thrown).stale) throw thrown;
        this.#lost(made);
      }
      // Something moved while the file was written: once more.
    }
    throw new Failure({ code: "not-saved", message: say("error.unsettled"), hint: say("hint.unsettled") });
  }

  /**
   * Notes that the photo's worker holds an edit no longer.
   * @param {unknown} made
   */
  #lost(made) {
    if (made === this.#made) this.#made = undefined;
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
    if (this.#underWay > 0) this.#tell("busy", false);
    this.#life.abort();
    this.#halt();
    this.#drop();
    for (const picture of Object.values(this.pictures)) picture.close();
    this.pictures = {};
    this.#context.photos.release(this.#crop);
  }

  /**
   * How edits are to be shown and saved.
   * @param {boolean} full
   * @returns {Look}
   */
  #look(full) {
    const { mode } = this.#context.wishes();
    return { mode, side: full ? this.#side : Math.min(PREVIEW_SIDE, this.#side) };
  }

  /** Side of the face as it is shown and saved on its own. */
  get #side() {
    const { outputHeight } = /** @type {ModelInfo} */ (this.#context.engine.model);
    if (this.#context.wishes().mode === "face") return outputHeight;
    const [[x, y], , , [right, top]] = this.quad;
    return Math.min(FACE_SIDE, Math.max(outputHeight, Math.round(Math.hypot(right - x, top - y))));
  }

  /** @param {AbortSignal} signal */
  async #showOriginal(signal) {
    const side = this.#side;
    const bitmap = await this.#kept(this.#context.photos.original(this.#crop, side, signal), signal);
    if (side === this.#side) this.#show("original", bitmap);
    else bitmap.close(); // whoever changed the mode shows it
  }

  /** @param {AbortSignal} signal */
  async #showEdited(signal) {
    const made = this.#made;
    if (!made) return;
    const look = this.#look(made.full);
    const bitmap = await this.#kept(this.#context.photos.retouch(this.#crop, made.edit, look, signal), signal);
    // Else whoever came in between shows what now holds.
    if (made !== this.#made || look.mode !== this.#context.wishes().mode) return bitmap.close();
    this.#shown = { edit: made.edit, mode: look.mode };
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
    if (view === "edited") this.#drop();
    this.#tell("picture", view);
  }

  /** Drops the whole photo, which no longer holds. */
  #drop() {
    this.pasted?.close();
    this.pasted = undefined;
  }

  /** @param {number} by */
  #count(by) {
    const before = this.#underWay > 0;
    this.#underWay += by;
    if (this.#underWay > 0 !== before) this.#tell("busy", !before);
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
