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
