let last = 0;

/**
 * A name that was never used before.
 * @template {"photo" | "crop" | "inversion" | "edit"} Kind
 * @param {Kind} kind
 * @returns {`${Kind}-${number}`}
 */
export function newId(kind) {
  return `${kind}-${++last}`;
}
