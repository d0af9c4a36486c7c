// Canvases in which pixels are worked on, and how far a browser lets pages have them.
import { Failure } from "../shared/failure.js";

/** @import { Picture } from "../shared/types.js" */

/**
 * What a page reads of a canvas: what is in it, nearly that, or noise.
 * @typedef {"true" | "noisy" | "hidden"} Readback
 */

/** Side of the canvas that is tried. */
const TRIAL = 64;
/** The most by which noise that nobody sees changes a channel, of 255. */
const SLIGHT = 8;
/** What every browser's canvases hold, telephones included: 4096 pixels squared. */
export const SURE_PIXELS = 4096 * 4096;

/**
 * A 2-d context for a canvas whose pixels are read back often.
 * @param {OffscreenCanvas} canvas
 * @param {PredefinedColorSpace} [colorSpace] which browsers that know only sRGB leave aside
 */
export function context2d(canvas, colorSpace = "srgb") {
  const context = canvas.getContext("2d", { willReadFrequently: true, colorSpace });
  if (!context) throw new Failure({ code: "out-of-memory", message: "no memory for a picture" });
  return context;
}

/**
 * The colour space that a canvas keeps its pixels in.
 * @param {OffscreenCanvasRenderingContext2D} context
 * @returns {PredefinedColorSpace}
 */
export function spaceOf(context) {
  // Browsers without a choice of spaces do not say theirs.
  return context.getImageData(0, 0, 1, 1).colorSpace ?? "srgb";
}

/**
 * Frees a canvas now, instead of when its object happens to be collected.
 * @param {OffscreenCanvas} canvas
 */
export function free(canvas) {
  canvas.width = canvas.height = 0;
}

/**
 * @param {Picture} picture
 * @param {PredefinedColorSpace} [colorSpace]
 */
export function imageData({ width, height, data }, colorSpace = "srgb") {
  return new ImageData(data, width, height, { colorSpace });
}

/**
 * A picture on a canvas that the caller frees.
 * @param {Picture} picture
 */
export function canvasOf(picture) {
  const context = context2d(new OffscreenCanvas(picture.width, picture.height));
  context.putImageData(imageData(picture), 0, 0);
  return context.canvas;
}

/** @param {Picture} picture */
export function bitmapOf(picture) {
  return createImageBitmap(imageData(picture));
}

/**
 * Tries what is read of a canvas. Browsers that protect against fingerprinting change it; a visitor can allow a page
 * to read the truth at any time, so the answer holds for now.
 * @returns {Readback}
 */
export function readback() {
  const written = new Uint8ClampedArray(4 * TRIAL * TRIAL);
  for (let i = 0; i < TRIAL * TRIAL; i++) {
    const [x, y] = [i % TRIAL, Math.floor(i / TRIAL)];
    written.set([64 + 2 * x, 64 + 2 * y, 64 + x + y, 255], 4 * i);
  }
  const context = context2d(new OffscreenCanvas(TRIAL, TRIAL));
  context.putImageData(new ImageData(written, TRIAL, TRIAL), 0, 0);
  const { data } = context.getImageData(0, 0, TRIAL, TRIAL);
  const worst = data.reduce((worst, value, i) => Math.max(worst, Math.abs(value - written[i])), 0);
  if (worst === 0) return "true";
  return worst <= SLIGHT ? "noisy" : "hidden";
}

/**
 * A context for a canvas of this size, or of a smaller one of that shape where the browser cannot hold so many pixels:
 * Safari on telephones draws nothing on larger ones, without a word.
 * @param {number} width
 * @param {number} height
 * @param {PredefinedColorSpace} colorSpace
 */
export function roomFor(width, height, colorSpace) {
  const context = context2d(new OffscreenCanvas(width, height), colorSpace);
  if (width * height <= SURE_PIXELS || holds(context)) return context;
  free(context.canvas);
  const scale = Math.sqrt(SURE_PIXELS / (width * height));
  const [across, down] = [width, height].map((side) => Math.max(1, Math.floor(side * scale)));
  return context2d(new OffscreenCanvas(across, down), colorSpace);
}

/**
 * Whether what is drawn into the last corner of a canvas gets there.
 * @param {OffscreenCanvasRenderingContext2D} context
 */
function holds(context) {
  const { width, height } = context.canvas;
  const [x, y] = [width - 1, height - 1];
  const corner = () => {
    try {
      return context.getImageData(x, y, 1, 1).data[3];
    } catch {
      return 0;
    }
  };
  context.fillRect(x, y, 1, 1);
  if (corner() !== 255) return false;
  context.clearRect(x, y, 1, 1);
  return true;
}
