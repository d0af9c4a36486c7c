/** @import { Picture, Strengths } from "../shared/types.js" */

/** Full pictures slower than this are preceded by a smaller one while a slider moves. */
const PREVIEW_ABOVE_MS = 150;
/** How long a slider must rest before the full picture is worth its time. */
const REST_MS = 120;

/**
 * Turns a stream of slider positions into pictures: the newest position always wins, positions in between are skipped,
 * and while a slider moves the pictures are as large as fits the time.
 */
export class EditScheduler {
  /** @type {{ strengths: Strengths, moving: boolean } | undefined} */
  #wanted;
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
   *   edit: (strengths: Strengths, previewSize?: number) => Promise<Picture>,
   *   onPicture: (picture: Picture, full: boolean, seconds: number) => void,
   *   onFailure: (failure: unknown) => void,
   *   onBusy: (busy: boolean) => void
   * }} options
   */
  constructor(options) {
    this.options = options;
  }

  /**
   * Asks for a picture. Replaces any request that has not begun yet.
   * @param {Strengths} strengths
   * @param {boolean} moving whether more requests are about to follow
   */
  request(strengths, moving) {
    if (this.#stopped) return;
    this.#wanted = { strengths: { ...strengths }, moving };
    this.#wake?.();
    this.#running ??= this.#run();
  }

  /** Resolves when the last picture asked for is there in full. */
  async idle() {
    while (this.#running) await this.#running;
  }

  /** Begins nothing more, for good. */
  stop() {
    this.#stopped = true;
    this.#wanted = undefined;
    this.#wake?.();
  }

  async #run() {
    this.options.onBusy(true);
    try {
      while (this.#wanted) {
        const { strengths, moving } = this.#wanted;
        this.#wanted = undefined;
        const size = moving ? this.#previewSize() : this.options.imageSize;
        await this.#render(strengths, size);
        if (size === this.options.imageSize) continue;
        await this.#rest();
        if (this.#stopped) return;
        this.#wanted ??= { strengths, moving: false };
      }
    } catch (failure) {
      this.#wanted = undefined;
      this.options.onFailure(failure);
    } finally {
      this.#running = undefined;
      this.options.onBusy(false);
    }
  }

  /**
   * @param {Strengths} strengths
   * @param {number} size
   */
  async #render(strengths, size) {
    const full = size === this.options.imageSize;
    const start = performance.now();
    const picture = await this.options.edit(strengths, full ? undefined : size);
    const milliseconds = performance.now() - start;
    this.#took.set(size, milliseconds);
    this.options.onPicture(picture, full, milliseconds / 1000);
  }

  /** The largest size that has not yet proved too slow for a moving slider. */
  #previewSize() {
    let size = this.options.imageSize;
    while (size > this.options.smallestPreview && (this.#took.get(size) ?? 0) > PREVIEW_ABOVE_MS) size /= 2;
    return size;
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
