// How large a photo may be that is worked on here. Measured by benches/photo-memory.mjs.

/**
 * The most pixels of a photo, and the longest side on which faces are looked for; as everywhere where nothing is said.
 * @typedef {{ pixels?: number, searchSide?: number }} Room
 */

/** Where there is little memory. @type {Room} */
const LEAN = { pixels: 12_000_000, searchSide: 2048 };
/** Gigabytes of a device that has little. */
const LITTLE = 4;

/**
 * The room on this device. Browsers that do not tell how much memory there is are taken for lean on telephones.
 * @returns {Room}
 */
export function room() {
  const { deviceMemory, userAgent } = /** @type {Navigator & { deviceMemory?: number }} */ (navigator);
  const lean = deviceMemory === undefined ? /Android|iPhone|iPod/.test(userAgent) : deviceMemory <= LITTLE;
  return lean ? LEAN : {};
}
