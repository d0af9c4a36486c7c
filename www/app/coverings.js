// Where an edit will not work, told from what the model lost of a face: something over the eyes or the mouth, or
// something that is no photo of a face.

/** The model whose losses were measured; those of others are others. */
const MEASURED = "sdic-small-256";

/**
 * Parts of an aligned face, in sixteenths of a side: left, top, right, bottom.
 * @typedef {readonly [number, number, number, number]} FacePart
 */
const FACE = /** @type {FacePart} */ ([4, 4, 12, 14]);
const EYES = /** @type {FacePart} */ ([4, 6, 12, 9]);
const FOREHEAD = /** @type {FacePart} */ ([5, 4, 11, 6]);
const MOUTH = /** @type {FacePart} */ ([6, 11, 10, 13]);

// In steps of 255. Of 177 held-out faces, three are beyond one of the first two (`benches/coverings.mjs`).
/** How much more, or less, light the eyes must have lost than the whole face for something to cover a part of it. */
const COVERED = 7;
/** What must be missing of the face for it to be unlike those that the model knows. */
const UNLIKE = 12.5;
/** How much lighter than the forehead the mouth must be where it is the mouth that is covered. */
const LIGHT = 10;

/**
 * The mean of a measure over a part of a square picture.
 * @param {Uint8ClampedArray} pixels
 * @param {FacePart} part
 * @param {(i: number) => number} of the colour value at an index
 */
function over(pixels, [left, top, right, bottom], of) {
  const side = Math.sqrt(pixels.length / 4);
  const at = (/** @type {number} */ sixteenths) => Math.round((sixteenths * side) / 16);
  let sum = 0;
  for (let y = at(top); y < at(bottom); y++) {
    for (let x = at(left); x < at(right); x++) {
      const i = 4 * (y * side + x);
      sum += of(i) + of(i + 1) + of(i + 2);
    }
  }
  return sum / (3 * (at(bottom) - at(top)) * (at(right) - at(left)));
}

/**
 * Whether what is lost of faces was measured with this model.
 * @param {{ name: string }} model
 */
export function isMeasured({ name }) {
  return name === MEASURED;
}

/**
 * What is wrong with a face: the eyes or the mouth seem covered, or it is unlike the faces that the model knows. All
 * pictures are RGBA bytes of one size: the aligned face, its plain and its compensated reconstruction.
 * @param {Uint8ClampedArray} face
 * @param {Uint8ClampedArray} plain
 * @param {Uint8ClampedArray} compensated
 * @returns {"eyes" | "mouth" | "unlike" | undefined}
 */
export function covering(face, plain, compensated) {
  const lost = (/** @type {FacePart} */ part) => over(face, part, (i) => face[i] - plain[i]);
  const light = (/** @type {FacePart} */ part) => over(face, part, (i) => face[i]);
  // The plain reconstruction has eyes and a mouth in any case. Dark glasses make the eyes darker than there, while the
  // rest of the face hardly differs. A light mask makes the rest lighter than there, a dark one darker.
  const eyes = lost(EYES) - lost(FACE);
  if (eyes > COVERED) return "mouth";
  if (eyes < -COVERED) return light(MOUTH) - light(FOREHEAD) > LIGHT ? "mouth" : "eyes";
  const missing = over(face, FACE, (i) => Math.abs(face[i] - compensated[i]));
  return missing > UNLIKE ? "unlike" : undefined;
}
