import { Failure } from "../shared/failure.js";
import { atRest, same } from "../shared/strengths.js";

/** @import { Strengths } from "../shared/types.js" */

/** Full pictures slower than this are preceded by a smaller one while a slider moves. */
const PREVIEW_ABOVE_MS = 150;
/** How long a slider must rest before the full picture is worth its time. */
const REST_MS = 120;

/**
 * Turns a stream of slider positions into pictures: the newest position always wins, positions in between are skipped,
 * and while a slider moves the pictures are as large as fits the time. An edit under way is cancelled when a newer
 * position comes, except for the quick ones of a moving slider: without them nothing would be seen until it rests, and
 * what a gesture began would be thrown away by the same gesture. So what a size takes is foretold from other sizes, and
 * the first picture of a slider is the smallest.
 */
export class EditScheduler {
  /** @type {{ strengths: Strengths, moving: boolean } | undefined} */
  #wanted;
  /** Whether the latest request was of a moving slider: the gesture still lasts. */
  #moving = false;
  /** @type {Promise<void> | undefined} the end of the task in which a slider moved last */
  #task;
  /** @type {Strengths | undefined} shown in full since the gesture began */
  #made;
  /**
   * @type {{
   *   strengths: Strengths, moving: boolean, size: number, start: number, cancel: AbortController, outdated: boolean
   * } | undefined}
   */
  #current;
  /** @type {Promise<void> | undefined} the work under way */
  #running;
  #stopped = false;
  /** @type {Map<number, number>} milliseconds last needed at each size */
  #took = new Map();
  /** @type {(() => void) | undefined} */
  #wake;

  /**
   * @param {{
   *   imageSize: number, smallestPreview: number,
   *   edit: (strengths: Strengths, previewSize: number | undefined, signal: AbortSignal) => Promise<void>,
   *   onPicture: (full: boolean, seconds: number) => void,
   *   onFailure: (failure: unknown) => void,
   *   onBusy: (busy: boolean) => void
   * }} options `edit` makes and shows a picture; after its signal was aborted it fails as "superseded" if it still can
   */
  constructor(options) {
    this.options = options;
  }

  /**
   * Asks for a picture, instead of any asked for before. A key moves a slider and ends that in one task: such a step
   * counts as moving, since a key that is held makes many.
   * @param {Strengths} strengths
   * @param {boolean} moving whether more requests are about to follow
   */
  request(strengths, moving) {
    if (this.#stopped) return;
    const ends = this.#moving && !moving;
    this.#moving = moving;
    // The slider came to its end where it had rested: the picture is there, unless another one is under way.
    if (ends && !this.#running && this.#made && same(this.#made, strengths)) return;
    if (moving) this.#task ??= this.#endOfTask();
    this.#wanted = { strengths: { ...strengths }, moving: moving || this.#task !== undefined };
    this.#wake?.();
    this.#reconsider(this.#wanted);
    this.#running ??= this.#run();
  }

  /**
   * What becomes of the edit under way now that something else is wanted.
   * @param {{ strengths: Strengths }} wanted
   */
  #reconsider({ strengths }) {
    const current = this.#current;
    if (!current || current.cancel.signal.aborted) return;
    const { imageSize, smallestPreview } = this.options;
    if (!current.outdated && current.size === imageSize && same(current.strengths, strengths)) {
      this.#wanted = undefined;
      return;
    }
    const quick = current.size === smallestPreview || performance.now() - current.start <= PREVIEW_ABOVE_MS;
    if (current.moving && quick) return;
    current.cancel.abort();
  }

  /** Notes that what was made, or is under way, is no longer what it would be: who asks for it again gets it anew. */
  forget() {
    this.#made = undefined;
    if (this.#current) this.#current.outdated = true;
  }

  /** Resolves when the last picture asked for is there in full, or has failed. */
  async idle() {
    while (this.#running) await this.#running;
  }

  /** Cancels what is under way and begins nothing more, for good. */
  stop() {
    this.#stopped = true;
    this.#wanted = undefined;
    this.#current?.cancel.abort();
    this.#wake?.();
  }

  async #run() {
    this.options.onBusy(true);
    await this.#task; // the slider may have moved on by then
    while (this.#wanted) {
      const wanted = this.#wanted;
      this.#wanted = undefined;
      try {
        await this.#satisfy(wanted);
      } catch (failure) {
        // One that was overtaken does not matter any more; nor does what went wrong with it.
        if (!this.#wanted && !this.#stopped) this.options.onFailure(failure);
      }
    }
    this.#running = undefined;
    this.options.onBusy(false);
  }

  /** @param {{ strengths: Strengths, moving: boolean }} wanted */
  async #satisfy({ strengths, moving }) {
    const size = moving ? this.#previewSize() : this.options.imageSize;
    const shown = await this.#render(strengths, moving, size);
    const { imageSize } = this.options;
    if (!shown || size === imageSize || this.#wanted) return;
    const quick = this.#expected(imageSize) <= PREVIEW_ABOVE_MS;
    if (!quick) await this.#rest();
    if (!this.#stopped) this.#wanted ??= { strengths, moving: quick };
  }

  /**
   * @param {Strengths} strengths
   * @param {boolean} moving
   * @param {number} size
   * @returns {Promise<boolean>} false when it was cancelled
   */
  async #render(strengths, moving, size) {
    const full = size === this.options.imageSize;
    const start = performance.now();
    const spent = () => performance.now() - start;
    const cancel = new AbortController();
    this.#current = { strengths, moving, size, start, cancel, outdated: false };
    this.#made = undefined;
    try {
      await this.options.edit(strengths, full ? undefined : size, cancel.signal);
      if (!atRest(strengths)) this.#took.set(size, spent()); // else there was nothing to compute
      if (this.#stopped) return false;
      if (full) this.#made = strengths;
      this.options.onPicture(full, spent() / 1000);
      return true;
    } catch (thrown) {
      if (Failure.from(thrown).code !== "superseded") throw thrown;
      // One that was cancelled sooner says nothing about how long it takes.
      if (spent() > PREVIEW_ABOVE_MS) this.#took.set(size, Math.max(spent(), this.#took.get(size) ?? 0));
      return false;
    } finally {
      this.#current = undefined;
    }
  }

  /** The largest size that is quick enough for a moving slider. */
  #previewSize() {
    let size = this.options.imageSize;
    while (size > this.options.smallestPreview && this.#expected(size) > PREVIEW_ABOVE_MS) size /= 2;
    return size;
  }

  /**
   * Milliseconds that a picture needs, at most: as measured, else in proportion to the pixels of a smaller one, or half
   * as long as one with sides twice as long.
   * @param {number} size
   */
  #expected(size) {
    const bounds = Array.from(this.#took, ([other, took]) => {
      const scale = size / other;
      return took * (scale > 1 ? scale * scale : scale);
    });
    return this.#took.get(size) ?? Math.min(...bounds);
  }

  async #endOfTask() {
    await new Promise((resolve) => setTimeout(resolve));
    this.#task = undefined;
  }

  /** Resolves when a new request comes or the slider has rested. */
  #rest() {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, REST_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }
}
