import { Failure } from "../shared/failure.js";
import { newId } from "../shared/ids.js";
import { faceSide, PREVIEW_SIDE, showsFaces } from "../shared/quad.js";
import { check } from "../shared/rpc.js";
import { say } from "../shared/say.js";
import { atRest, same } from "../shared/strengths.js";
import { guarded, NEVER } from "./told.js";

/** @import { OpenPhoto } from "../app/photos.js" */
/** @import { Layer, Shares } from "../shared/protocol.js" */
/** @import { EditId, InversionId, PasteMode, Point, Quad, Strengths, ViewName } from "../shared/types.js" */
/** @import { Core, OnStage } from "./core.js" */

/** A face that was inverted: it can be edited. Made by `Photo.invert`. */
export class Face {
  #core;
  #photo;
  #quad;
  #mesh;
  #crop = newId("crop");
  /** @type {number | undefined} of the photos' worker that knows the crop */
  #epoch;
  /** @type {InversionId | undefined} */
  #inversion;
  /** @type {{ edit: EditId, strengths: Strengths, size: number } | undefined} what the photos' worker holds */
  #made;
  /** @type {Strengths} */
  #strengths = {};
  /** @type {Shares} */
  #held = {};
  /** @type {Promise<unknown>} */
  #turn = Promise.resolve();
  #onDispose;

  /**
   * @internal
   * @param {Core} core
   * @param {OpenPhoto} photo
   * @param {{ quad: Quad, mesh: Point[] | undefined }} place
   * @param {(face: Face) => void} onDispose
   */
  constructor(core, photo, { quad, mesh }, onDispose) {
    this.#core = core;
    this.#photo = photo;
    this.#quad = quad;
    this.#mesh = mesh;
    this.#onDispose = onDispose;
  }

  /** Where the face lies in the photo: the corners of its square. */
  get quad() {
    return this.#quad;
  }

  /** The sliders as they were set by the latest edit; those that are not named are at rest. */
  get strengths() {
    return { ...this.#strengths };
  }

  /** The sliders that would have torn the face in the latest edit, and the share of their strength that was used. */
  get held() {
    return { ...this.#held };
  }

  /**
   * @internal
   * @param {OnStage | undefined} onStage
   * @param {AbortSignal | undefined} signal
   */
  async invert(onStage, signal) {
    await this.#place();
    check(signal);
    const inversion = newId("inversion");
    await this.#core.invert(inversion, this.#crop, onStage, signal);
    this.#inversion = inversion;
  }

  /**
   * The face with sliders moved. All sliders are named at once: `{ smile: 1.5 }` leaves the others at rest. It is part
   * of the whole photo from then on, see `Photo.render`.
   * @param {Readonly<Strengths>} strengths by the name of the slider, see `Engine.sliders`
   * @param {{ size?: number, drawnAt?: number, onto?: PasteMode, signal?: AbortSignal }} [options] `size`: width of
   *   the picture in pixels; `drawnAt`: one of `Engine.sizes`, the smaller the quicker, for while a slider moves;
   *   `onto`: "difference" keeps the photo's own pixels, "face" is the rebuilt face; unless told, what suits the model
   * @returns {Promise<ImageBitmap>} which the caller closes
   */
  edit(strengths, { size, drawnAt, onto = this.#core.model.pasteMode, signal } = {}) {
    return guarded(signal, () =>
      this.inTurn(async () => {
        check(signal);
        const { edit, size: drawn } = await this.#make(strengths, drawnAt, signal);
        const natural = faceSide(this.#quad, onto, this.#core.model.outputWidth);
        const side = size ?? (drawn < this.#core.model.imageSize ? Math.min(PREVIEW_SIDE, natural) : natural);
        return this.#core.photos.retouch(this.#crop, edit, { mode: onto, side }, signal ?? NEVER);
      }),
    );
  }

  /**
   * The face as it is in the photo.
   * @param {{ size?: number, signal?: AbortSignal }} [options] `size`: width of the picture in pixels
   * @returns {Promise<ImageBitmap>} which the caller closes
   */
  original({ size, signal } = {}) {
    const { pasteMode, outputWidth } = this.#core.model;
    const side = size ?? faceSide(this.#quad, pasteMode, outputWidth);
    return guarded(signal, async () => {
      await this.#place();
      check(signal);
      return this.#core.photos.original(this.#crop, side, signal ?? NEVER);
    });
  }

  /**
   * A picture of the inversion itself: "initial" is what the encoder alone brings back, "discrepancy" what that lost,
   * "reconstruction" the face with it put back.
   * @param {ViewName} kind
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<ImageBitmap>} which the caller closes
   */
  view(kind, { signal } = {}) {
    return guarded(signal, async () => this.#core.view(this.#invertedAs(), kind, signal));
  }

  /** Frees what is kept of the face; the photo no longer shows its edits. */
  dispose() {
    if (this.#inversion) this.#core.release(this.#inversion);
    this.#inversion = undefined;
    this.#core.photos.release(this.#crop);
    this.#onDispose(this);
  }

  /**
   * Does something with the face after all that was asked for before: there is one edit of it at a time.
   * @internal
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  inTurn(work) {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  /**
   * The face as part of the whole photo; nothing if all its sliders are at rest. To be asked for in turn.
   * @internal
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<Layer | undefined>}
   */
  async layer(signal) {
    if (atRest(this.#strengths)) return undefined;
    const { edit } = await this.#make(this.#strengths, undefined, signal);
    return { crop: this.#crop, edit };
  }

  /**
   * An edit that the photos' worker holds: the latest if it will do.
   * @param {Readonly<Strengths>} strengths
   * @param {number | undefined} drawnAt
   * @param {AbortSignal | undefined} signal
   */
  async #make(strengths, drawnAt, signal) {
    const inversion = this.#invertedAs();
    await this.#place();
    const { imageSize } = this.#core.model;
    const size = drawnAt ?? imageSize;
    if (this.#made && this.#made.size >= size && same(this.#made.strengths, strengths)) return this.#made;
    const edit = newId("edit");
    const wanted = { ...strengths };
    this.#held = await this.#core.edit(inversion, edit, wanted, size === imageSize ? undefined : size, signal);
    this.#strengths = wanted;
    this.#made = { edit, strengths: wanted, size };
    return this.#made;
  }

  #invertedAs() {
    if (!this.#inversion) throw new Failure({ code: "stale-inversion", message: say("package.disposed") });
    return this.#inversion;
  }

  /** Has the photos' worker know the crop, also after it was replaced. */
  async #place() {
    const core = this.#core;
    core.assertAlive();
    if (this.#epoch === core.epoch) return;
    const { epoch } = core;
    this.#made = undefined;
    await core.photos.crop(this.#photo, this.#crop, this.#quad, this.#mesh, !showsFaces(core.model));
    this.#epoch = epoch;
  }
}
