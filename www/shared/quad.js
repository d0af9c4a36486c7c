/** @import { ModelInfo, PasteMode, Quad } from "./types.js" */

/** Largest side of the face as it is shown and saved on its own, and while a slider moves on a slow machine. */
const FACE_SIDE = 1024;
export const PREVIEW_SIDE = 512;
/** How close the centres of two quads of one face are, in sides of the larger. */
const SAME_PLACE = 0.3;

/**
 * Width of the face as it is shown and saved on its own.
 * @param {Quad} quad
 * @param {PasteMode} mode
 * @param {number} outputWidth of the model
 */
export function faceSide(quad, mode, outputWidth) {
  return Math.min(mode === "face" ? outputWidth : FACE_SIDE, finestSide(quad, mode, outputWidth));
}

/**
 * Width of the face with all that there is of it: of what a model rebuilds its own, else the photo's.
 * @param {Quad} quad
 * @param {PasteMode} mode
 * @param {number} outputWidth of the model
 */
export function finestSide(quad, mode, outputWidth) {
  if (mode === "face") return outputWidth;
  return Math.max(outputWidth, Math.round(widthOf(quad)));
}

/**
 * Width and height of a quad.
 * @param {Quad} quad
 */
function lengths([[x, y], [left, bottom], , [right, top]]) {
  return [Math.hypot(right - x, top - y), Math.hypot(left - x, bottom - y)];
}

/**
 * Width of a quad: of a square its side.
 * @param {Quad} quad
 */
export function widthOf(quad) {
  return lengths(quad)[0];
}

/**
 * Height of a picture of a quad that is so wide: the same, but for models whose pictures are not square.
 * @param {Quad} quad
 * @param {number} width
 */
export function heightOf(quad, width) {
  const [across, down] = lengths(quad);
  return Math.max(1, Math.round((width * down) / across));
}

/**
 * What of a photo a model edits that shows no faces, unless it is placed: as much as its shape takes of the middle.
 * @param {{ width: number, height: number }} photo
 * @param {ModelInfo} model
 * @returns {Quad}
 */
export function middleOf({ width, height }, model) {
  const aspect = aspectOf(model);
  const across = Math.min(width, height / aspect);
  return upright((width - across) / 2, (height - across * aspect) / 2, across, across * aspect);
}

/**
 * Whether a model's pictures show faces, which are then looked for in photos.
 * @param {ModelInfo | undefined} model until it is known, one of faces
 */
export function showsFaces(model) {
  return model === undefined || model.depicts === "faces";
}

/**
 * Height of a model's pictures, in widths.
 * @param {ModelInfo} model
 */
export function aspectOf({ outputWidth, outputHeight }) {
  return outputHeight / outputWidth;
}

/**
 * @param {number} left
 * @param {number} top
 * @param {number} width
 * @param {number} height
 * @returns {Quad}
 */
export function upright(left, top, width, height) {
  const [right, bottom] = [left + width, top + height];
  return [
    [left, top],
    [left, bottom],
    [right, bottom],
    [right, top],
  ];
}

/**
 * The quad of a photo that is nothing but an aligned face.
 * @param {number} width
 * @param {number} height
 * @returns {Quad}
 */
export function wholePhoto(width, height) {
  return upright(0, 0, width, height);
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

/**
 * Whether two quads are about the same face.
 * @param {Quad} a
 * @param {Quad} b
 */
export function samePlace(a, b) {
  const middle = (/** @type {Quad} */ [[x, y], , [right, bottom]]) => [(x + right) / 2, (y + bottom) / 2];
  const side = (/** @type {Quad} */ [[x, y], [left, bottom]]) => Math.hypot(left - x, bottom - y);
  const [[ax, ay], [bx, by]] = [middle(a), middle(b)];
  return Math.hypot(ax - bx, ay - by) < SAME_PLACE * Math.max(side(a), side(b));
}
