// Draws a picture of before and after.
import { pairLayout } from "../shared/pair.js";
import { context2d } from "./canvas.js";

/** Height of the letters, in heights of the strip in which they stand. */
const LETTERS = 0.56;
const INK = "#1d1b18";

/**
 * Two pictures of one size in one, on a canvas that the caller frees.
 * @param {OffscreenCanvas[]} halves
 * @param {[string, string] | undefined} words over each
 * @param {PredefinedColorSpace} space
 */
export function pair(halves, words, space) {
  const { width, height, half, places, band } = pairLayout(halves[0], words !== undefined);
  const context = context2d(new OffscreenCanvas(width, height), space);
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.font = `600 ${Math.round(LETTERS * band)}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const [i, [x, y]] of places.entries()) {
    context.clearRect(x, y, half.width, half.height); // what is transparent stays so
    context.drawImage(halves[i], x, y, half.width, half.height);
    if (!words) continue;
    context.fillStyle = INK;
    context.fillText(words[i], x + half.width / 2, y - band / 2, half.width);
  }
  return context.canvas;
}
