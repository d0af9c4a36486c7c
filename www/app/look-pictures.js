// Small pictures of what each look does to the face in use, made one after another while nothing else is to be done.
import { settings } from "./settings.js";

/** @import { Looks, OfferedLook } from "./looks.js" */
/** @import { Session } from "./session.js" */
/** @import { Portrait } from "./portrait.js" */

/** Side of a picture in pixels: the middle of it is shown, sharp on screens of two pixels to the point. */
const SIDE = 224;
/** Where an edit takes longer than this, pictures are made only for those who look at them. */
const SLOW_SECONDS = 0.3;
/** How often a picture is tried that fails: the browser may be short of memory for a moment. */
const MOST_TRIES = 3;
/** Faces whose pictures are kept: as many as the engine keeps inversions. */
const MOST_FACES = 5;

/** Fires `picture` (there is another one, or there are none any more). */
export class LookPictures extends EventTarget {
  /** @type {Session} */
  #session;
  /** @type {Looks} */
  #looks;
  /** Whether the visitor sees the looks. */
  #seen = false;
  /** @type {Map<string, Map<string, ImageBitmap>>} by face, and by strengths */
  #made = new Map();
  /** @type {Map<string, number>} how often pictures of looks have failed, whichever the face */
  #failed = new Map();
  /** @type {{ face: string, cancel: AbortController } | undefined} the work under way */
  #running;

  /**
   * @param {Session} session
   * @param {Looks} looks
   */
  constructor(session, looks) {
    super();
    [this.#session, this.#looks] = [session, looks];
    for (const type of ["step", "picture", "busy", "faces"]) session.addEventListener(type, () => this.#consider());
    session.addEventListener("photo", () => this.#forget());
    for (const type of ["model", "crash"]) session.engine.addEventListener(type, () => this.#forget());
    session.addEventListener("directions", () => this.#forget());
    looks.addEventListener("change", () => this.#consider());
  }

  set seen(/** @type {boolean} */ seen) {
    this.#seen = seen;
    this.#consider();
  }

  get #portrait() {
    return this.#session.portraits.inUse;
  }

  /**
   * What pictures of a face depend on besides the look.
   * @param {Portrait | undefined} portrait
   */
  #faceOf(portrait) {
    return portrait?.inversion && `${portrait.inversion} ${this.#session.pasteMode}`;
  }

  /**
   * @param {OfferedLook} look
   * @returns {ImageBitmap | undefined} of the face in use, if it is there
   */
  of(look) {
    return this.#made.get(this.#faceOf(this.#portrait) ?? "")?.get(key(look));
  }

  /** Begins, goes on, or ends what another face makes needless. */
  #consider() {
    const face = this.#faceOf(this.#portrait);
    if (this.#running && this.#running.face !== face) this.#running.cancel.abort();
    this.#running ??= face ? this.#begin(face) : undefined;
  }

  /** @param {string} face */
  #begin(face) {
    if (!this.#next(face)) return;
    const cancel = new AbortController();
    void this.#run(face, cancel.signal).finally(() => {
      this.#running = undefined;
      this.#consider();
    });
    return { face, cancel };
  }

  /**
   * The look whose picture is to be made next.
   * @param {string} face
   */
  #next(face) {
    if (this.#session.portraits.busy || !(this.#seen || this.#quick)) return undefined;
    const made = this.#made.get(face);
    const tries = (/** @type {OfferedLook} */ look) => this.#failed.get(key(look)) ?? 0;
    return this.#looks.offered.find((look) => !made?.has(key(look)) && tries(look) < MOST_TRIES);
  }

  /** Whether this machine was seen to be quick. */
  get #quick() {
    const seconds = settings.timings[this.#session.engine.timingKey()]?.edit;
    return seconds !== undefined && seconds <= SLOW_SECONDS;
  }

  /**
   * @param {string} face
   * @param {AbortSignal} signal
   */
  async #run(face, signal) {
    for (let look = this.#next(face); look && !signal.aborted; look = this.#next(face)) {
      const portrait = this.#portrait;
      const inversion = portrait?.inversion;
      if (!inversion) return;
      try {
        const picture = await portrait.thumbnail(inversion, look.strengths, SIDE, signal);
        if (signal.aborted) return picture.close();
        this.#keep(face, key(look), picture);
      } catch {
        // No picture is no harm: edits tell what is wrong.
        if (!signal.aborted) this.#failed.set(key(look), 1 + (this.#failed.get(key(look)) ?? 0));
      }
    }
  }

  /**
   * @param {string} face
   * @param {string} look
   * @param {ImageBitmap} picture
   */
  #keep(face, look, picture) {
    const made = this.#made.get(face) ?? new Map();
    this.#made.delete(face); // the faces used last stand last
    this.#made.set(face, made.set(look, picture));
    for (const old of [...this.#made.keys()].slice(0, -MOST_FACES)) this.#drop(old);
    this.dispatchEvent(new CustomEvent("picture"));
  }

  /** @param {string} face */
  #drop(face) {
    for (const picture of this.#made.get(face)?.values() ?? []) picture.close();
    this.#made.delete(face);
  }

  /** Forgets all pictures: sliders mean something else now, or the faces are gone. */
  #forget() {
    this.#running?.cancel.abort();
    this.#failed.clear();
    for (const face of [...this.#made.keys()]) this.#drop(face);
    this.dispatchEvent(new CustomEvent("picture"));
    this.#consider();
  }
}

/** @param {OfferedLook} look */
function key({ strengths }) {
  return JSON.stringify(strengths);
}
