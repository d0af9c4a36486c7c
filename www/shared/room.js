// How large a photo may be that is worked on here. Measured by benches/photo-memory.mjs.

/** Pixels of a photo where there is little memory. */
const LEAN = 12_000_000;
/** Gigabytes of a device that has little. */
const LITTLE = 4;

/**
 * The most pixels of a photo on this device, where it holds fewer than others. Browsers that do not tell how much memory
 * there is are taken for lean on telephones.
 * @returns {number | undefined}
 */
export function leanPixels() {
  const { deviceMemory, userAgent } = /** @type {Navigator & { deviceMemory?: number }} */ (navigator);
  const lean = deviceMemory === undefined ? /Android|iPhone|iPod/.test(userAgent) : deviceMemory <= LITTLE;
  return lean ? LEAN : undefined;
}
