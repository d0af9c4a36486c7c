import { only } from "../shared/strengths.js";

/** A line of states to go back and forth on. */
export class History {
  /** @type {string[]} */
  #states;
  #at = 0;

  /** @param {unknown} initial */
  constructor(initial) {
    this.#states = [JSON.stringify(initial)];
  }

  /**
   * Adds a state after the present one and drops what had been undone; a state equal to the present one is not added.
   * @param {unknown} state
   */
  push(state) {
    const text = JSON.stringify(state);
    if (text === this.#states[this.#at]) return;
    this.#states.splice(++this.#at, Infinity, text);
  }

  /**
   * Takes all keys but the given ones out of every state; one that becomes equal to the state before is dropped.
   * @param {Set<string>} keys
   */
  keepOnly(keys) {
    /** @type {string[]} */
    const states = [];
    let at = 0;
    this.#states.forEach((text, i) => {
      const kept = JSON.stringify(only(JSON.parse(text), keys));
      if (kept !== states.at(-1)) states.push(kept);
      if (i === this.#at) at = states.length - 1;
    });
    [this.#states, this.#at] = [states, at];
  }

  get canUndo() {
    return this.#at > 0;
  }

  get canRedo() {
    return this.#at < this.#states.length - 1;
  }

  /** @returns {any} the state before, or the first */
  undo() {
    if (this.canUndo) this.#at--;
    return JSON.parse(this.#states[this.#at]);
  }

  /** @returns {any} the state after, or the last */
  redo() {
    if (this.canRedo) this.#at++;
    return JSON.parse(this.#states[this.#at]);
  }
}
