/** @import { Quad } from "./types.js" */

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
