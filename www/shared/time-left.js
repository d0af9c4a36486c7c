// About how long something will still take, told calmly: late, in round numbers, and without going up and down.

/** How long nothing is said: the first moments tell little. */
const SILENT_MS = 2000;

export class TimeLeft {
  #start;
  /** @type {number | undefined} what was told last, in seconds */
  #told;

  /** @param {number} start now, in milliseconds */
  constructor(start) {
    this.#start = start;
  }

  /**
   * Seconds left when `share` of the work is done; undefined until that can be told.
   * @param {number} share
   * @param {number} now in milliseconds
   */
  at(share, now) {
    const spent = now - this.#start;
    if (spent < SILENT_MS || share <= 0) return this.#told;
    const left = ((1 - Math.min(1, share)) / share) * (spent / 1000);
    const step = stepOf(left);
    const rounded = Math.max(step, Math.ceil(left / step) * step);
    // Up only where it is off by more than its own coarseness.
    if (this.#told === undefined || rounded < this.#told || left > this.#told + 1.5 * step) this.#told = rounded;
    return this.#told;
  }
}

/**
 * How coarsely so many seconds are told.
 * @param {number} seconds
 */
function stepOf(seconds) {
  if (seconds > 120) return 30;
  if (seconds > 30) return 10;
  return seconds > 10 ? 5 : 1;
}
