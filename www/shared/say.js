// What is to be said, as data: whoever has something to say names the sentence and what fills its blanks, in a worker,
// too. The page says it in the visitor's language, and says it anew in another.

/** @import { Filling, StringKey, Value } from "./strings/types.d.ts" */

/**
 * @typedef {{ readonly key: StringKey, readonly values: Readonly<Record<string, Value>> }} Saying
 * @typedef {Saying | string} Said a sentence, or words that stay as they are: names, and what others report
 *
 * @typedef {"byte" | "second" | "percent" | "digits" | "scientific"} Unit `digits`: a number without separators
 * @typedef {{ readonly amount: number, readonly unit: Unit }} Quantity
 */

/**
 * @template {StringKey} K
 * @param {K} key
 * @param {Filling<K>} filling
 * @returns {Saying}
 */
export function say(key, ...filling) {
  return { key, values: filling[0] ?? {} };
}

/**
 * @param {number} amount
 * @param {Unit} unit
 * @returns {Quantity}
 */
export function quantity(amount, unit) {
  return { amount, unit };
}

/**
 * How large a picture is.
 * @param {{ width: number, height: number }} picture
 */
export function pixels({ width, height }) {
  return say("pixels", { width: quantity(width, "digits"), height: quantity(height, "digits") });
}
