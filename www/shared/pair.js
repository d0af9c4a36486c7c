// How a picture of before and after is laid out.

/**
 * `width` and `height` of all of it; `half` is the size of each picture, `places` where they begin, and `band` the
 * height of the strip over each in which its word stands.
 * @typedef {{
 *   width: number, height: number, half: { width: number, height: number }, places: [number, number][], band: number
 * }} PairLayout
 */

/** What every browser's canvases hold, telephones included: both pictures are reduced to fit. */
const MOST_PIXELS = 4096 * 4096;
const MOST_SIDE = 16_384;
/** Shares of a picture's shorter side. */
const [GAP, BAND] = [0.016, 0.075];
/** The smallest strip in which a word can be read. */
const LEAST_BAND = 18;

/**
 * Wide pictures lie above each other, all others side by side, so that both are seen as large as can be.
 * @param {{ width: number, height: number }} picture
 * @param {boolean} words whether there is a word over each
 * @returns {PairLayout}
 */
export function pairLayout({ width, height }, words) {
  const laid = lay(width, height, words);
  const share = Math.sqrt(MOST_PIXELS / (laid.width * laid.height));
  const scale = Math.min(1, share, MOST_SIDE / laid.width, MOST_SIDE / laid.height);
  if (scale === 1) return laid;
  const [w, h] = [width, height].map((side) => Math.max(1, Math.floor(side * scale)));
  return lay(w, h, words);
}

/**
 * @param {number} width
 * @param {number} height
 * @param {boolean} words
 * @returns {PairLayout}
 */
function lay(width, height, words) {
  const short = Math.min(width, height);
  const gap = Math.max(2, Math.round(GAP * short));
  const band = words ? Math.max(LEAST_BAND, Math.round(BAND * short)) : 0;
  const beside = width <= height;
  return {
    width: beside ? 2 * width + gap : width,
    height: beside ? band + height : 2 * (band + height) + gap,
    half: { width, height },
    places: [[0, band], beside ? [width + gap, band] : [0, 2 * band + height + gap]],
    band,
  };
}
