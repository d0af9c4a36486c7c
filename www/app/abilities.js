// Abilities that a browser may lack, or refuse.

/**
 * What the browser offers; undefined where it throws instead. Without it the page is poorer, not broken.
 * @template T
 * @param {() => T} look
 */
export function offered(look) {
  try {
    return look();
  } catch {
    return undefined;
  }
}
