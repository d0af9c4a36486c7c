/** @import { PasteMode, Quad } from "./types.js" */

/** Largest side of the face as it is shown and saved on its own, and while a slider moves on a slow machine. */
const FACE_SIDE = 1024;
export const PREVIEW_SIDE = 512;

/**
 * Side of the face as it is shown and saved on its own.
 * @param {Quad} quad
 * @param {PasteMode} mode
 * @param {number} outputHeight of the model
 */
export function faceSide(quad, mode, outputHeight) {
  return Math.min(mode === "face" ? outputHeight : FACE_SIDE, finestSide(quad, mode, outputHeight));
}

/**
 * Side of the face with all that there is of it: of what a model rebuilds its own, else the photo's.
 * @param {Quad} quad
 * @param {PasteMode} mode
 * @param {number} outputHeight of the model
 */
export function finestSide([[x, y], , , [right, top]], mode, outputHeight) {
  if (mode === "face") return outputHeight;
  return Math.max(outputHeight, Math.round(Math.hypot(right - x, top - y)));
}

/**
 * The quad of a photo that is nothing but an aligned face.
 * @param {number} width
 * @param {number} height
 * @returns {Quad}
 */
export function wholePhoto(width, height) {
  return [
    [0, 0],
    [0, height],
    [width, height],
    [width, 0],
  ];
}

/**
 * Whether a quad takes in all of a photo and nothing else.
 * @param {Quad} quad
 * @param {number} width
 * @param {number} height
 */
export function isWholePhoto(quad, width, height) {
  return wholePhoto(width, height).every(([x, y], i) => Math.abs(x - quad[i][0]) < 1 && Math.abs(y - quad[i][1]) < 1);
}
