// The visitor's own looks, kept in this browser by the model they belong to.
import { ownName } from "../shared/cache.js";
import { checkedLook, writeLook } from "../shared/look-file.js";

/** @import { KeptLook } from "../shared/look-file.js" */

/** Apart from the settings: other tabs write those all the time, and would write what they knew of the looks. */
export const KEY = ownName("looks");

/** @returns {Record<string, unknown>} lists of looks by fingerprints of models */
function read() {
  try {
    const all = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return typeof all === "object" && all !== null ? all : {};
  } catch {
    return {};
  }
}

/**
 * The looks kept for a model; what is none is left out.
 * @param {string} model its fingerprint
 * @returns {KeptLook[]}
 */
export function keptLooks(model) {
  const { [model]: list } = read();
  if (!Array.isArray(list)) return [];
  return list.flatMap((each) => {
    try {
      return [checkedLook(each)];
    } catch {
      return [];
    }
  });
}

/**
 * Keeps the looks of a model, in place of those before.
 * @param {string} model its fingerprint
 * @param {readonly KeptLook[]} looks
 * @returns {boolean} whether they are kept
 */
export function keepLooks(model, looks) {
  const list = looks.map((look) => JSON.parse(writeLook(look)));
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...read(), [model]: list }));
    return true;
  } catch {
    return false; // private windows may refuse: looks then last as long as the page
  }
}
