// How far pictures are apart. All are RGBA bytes of one size; alpha does not count.

/**
 * The colours of a picture, brought to a size.
 * @param {ImageBitmap} picture
 * @param {number} width
 * @param {number} [height] of a square unless given
 */
export function read(picture, width, height = width) {
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
    new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })
  );
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/**
 * The sum of what a function makes of each colour value, divided by their number.
 * @param {Uint8ClampedArray} pixels
 * @param {(value: number, index: number) => number} of
 */
function mean(pixels, of) {
  let sum = 0;
  for (let i = 0; i < pixels.length; i++) if (i % 4 !== 3) sum += of(pixels[i], i);
  return sum / ((3 * pixels.length) / 4);
}

/**
 * Peak signal-to-noise ratio in decibels; infinite where nothing differs.
 * @param {Uint8ClampedArray} a
 * @param {Uint8ClampedArray} b
 */
export function psnr(a, b) {
  return 10 * Math.log10(255 ** 2 / mean(a, (value, i) => (value - b[i]) ** 2));
}

/**
 * How far two pictures are apart in the mean, in steps of 255.
 * @param {Uint8ClampedArray} a
 * @param {Uint8ClampedArray} b
 */
export function meanDifference(a, b) {
  return mean(a, (value, i) => Math.abs(value - b[i]));
}

/**
 * How far a map is from grey in the mean, in steps of 255.
 * @param {Uint8ClampedArray} map
 */
export function meanDeviation(map) {
  return mean(map, (value) => Math.abs(value - 127.5));
}
