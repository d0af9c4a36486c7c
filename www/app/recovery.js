/** Restarts within `WINDOW_MS` before a worker is left alone. */
const MOST_RESTARTS = 2;
const WINDOW_MS = 120_000;

/** Keeps a worker that crashes again and again from being restarted for ever. */
export class RestartLimit {
  /** @type {number[]} times of the latest restarts */
  #times = [];

  /** Counts a restart; how many there were lately, or undefined when this would be one too many. */
  next() {
    const now = performance.now();
    this.#times = this.#times.filter((time) => now - time < WINDOW_MS);
    if (this.#times.length >= MOST_RESTARTS) return undefined;
    return this.#times.push(now);
  }

  /** Notes that the latest restart is only now over: on a slow machine it takes its time. */
  recovered() {
    if (this.#times.length > 0) this.#times.splice(-1, 1, performance.now());
  }

  /** Whether `next` said that this was the last one. */
  get last() {
    return this.#times.length === MOST_RESTARTS;
  }
}
