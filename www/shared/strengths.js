/** @import { Strengths } from "./types.js" */

/**
 * Whether no slider is moved.
 * @param {Strengths} strengths
 */
export function atRest(strengths) {
  return Object.values(strengths).every((strength) => strength === 0);
}

/**
 * Whether all sliders have the same positions; those at 0 may be left out.
 * @param {Strengths} a
 * @param {Strengths} b
 */
export function same(a, b) {
  return Object.keys({ ...a, ...b }).every((name) => (a[name] ?? 0) === (b[name] ?? 0));
}

/**
 * The sliders of these names, without others.
 * @param {Strengths} strengths
 * @param {ReadonlySet<string>} names
 * @returns {Strengths}
 */
export function only(strengths, names) {
  return Object.fromEntries(Object.entries(strengths).filter(([name]) => names.has(name)));
}
