/** @import { Translation } from "./types.d.ts" */

/**
 * A table in another language. The compiler refuses one whose keys or blanks are not those of the English table.
 * @template {Translation<T>} const T
 * @param {T} table
 */
export function translation(table) {
  return table;
}
