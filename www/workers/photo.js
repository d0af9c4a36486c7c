// The worker that holds the photo: opens it, finds faces, cuts them out aligned, and puts edited ones back.
import init, { FaceFinder, align, pasteBack, quadFromPoints } from "../pkg/cpu/sdic.js";
import { Failure } from "../shared/failure.js";
import { isWholePhoto, wholePhoto } from "../shared/quad.js";
import { answerCalls } from "../shared/rpc.js";
import { context2d, decode } from "./decode.js";

/** @import { Edited, Face, Landmarks, PasteMode, Picture, Point, Quad } from "../shared/types.js" */

/** Longest side on which faces are looked for: the detector works at 192 pixels and the landmarks on a crop. */
const SEARCH_SIDE = 2048;
const THUMBNAIL = 96;

/** @type {Promise<FaceFinder> | undefined} */
let finder;
/** @type {OffscreenCanvas | undefined} */
let photo;
/** @type {OffscreenCanvas | undefined} the photo with the edited face, once `paste` was called */
let pasted;
/** @type {Map<string, Picture>} faces cut out for `retouch`, which is called for every position of a slider */
const cuts = new Map();

const ready = init();

/** The open photo. */
function current() {
  if (!photo) throw new Failure({ code: "no-photo", message: "no photo is open" });
  return photo;
}

/** The face networks, loaded on first use. */
function faceFinder() {
  finder ??= (async () => {
    const folder = new URL("../weights/face/", import.meta.url);
    const manifest = await bytes(new URL("manifest.json", folder));
    const { shard } = JSON.parse(new TextDecoder().decode(manifest));
    const weights = await bytes(new URL(shard.file, folder));
    return new FaceFinder(manifest, weights);
  })();
  return finder;
}

/** @param {URL} url */
async function bytes(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Failure({ code: "weights", message: `${url.pathname}: status ${response.status}` });
  return new Uint8Array(await response.arrayBuffer());
}

/**
 * The part of the photo that alignment and paste-back can touch, so that the engine never holds all of a large photo.
 * @param {Quad} quad
 */
function surroundings(quad) {
  const { width, height } = current();
  const side = Math.hypot(quad[3][0] - quad[0][0], quad[3][1] - quad[0][1]);
  const margin = Math.ceil(0.35 * side) + 8;
  const [xs, ys] = [quad.map(([x]) => x), quad.map(([, y]) => y)];
  const left = Math.min(width - 1, Math.max(0, Math.floor(Math.min(...xs)) - margin));
  const top = Math.min(height - 1, Math.max(0, Math.floor(Math.min(...ys)) - margin));
  const right = Math.max(left + 1, Math.min(width, Math.ceil(Math.max(...xs)) + margin));
  const bottom = Math.max(top + 1, Math.min(height, Math.ceil(Math.max(...ys)) + margin));
  const pixels = context2d(current()).getImageData(left, top, right - left, bottom - top);
  return { left, top, pixels, quad: /** @type {Quad} */ (quad.map(([x, y]) => [x - left, y - top])) };
}

/**
 * The face in `quad`, upright. A photo that is an aligned face already is only brought to size: aligning it again would
 * blur its rim.
 * @param {Quad} quad
 * @param {number} size
 * @returns {Picture}
 */
function cutOut(quad, size) {
  const { width, height } = current();
  if (isWholePhoto(quad, width, height)) {
    const context = context2d(new OffscreenCanvas(size, size));
    context.imageSmoothingQuality = "high";
    context.drawImage(current(), 0, 0, size, size);
    const { data } = context.getImageData(0, 0, size, size);
    return { width: size, height: size, data };
  }
  const { pixels, quad: local } = surroundings(quad);
  return align(new Uint8Array(pixels.data.buffer), pixels.width, pixels.height, local, size);
}

/**
 * As `cutOut`, remembering the last few.
 * @param {Quad} quad
 * @param {number} size
 */
function remembered(quad, size) {
  const key = JSON.stringify([quad, size]);
  const picture = cuts.get(key) ?? cutOut(quad, size);
  if (cuts.size > 3) cuts.clear();
  cuts.set(key, picture);
  return picture;
}

/** @param {Picture} picture */
function canvasOf({ width, height, data }) {
  const canvas = new OffscreenCanvas(width, height);
  context2d(canvas).putImageData(new ImageData(data, width, height), 0, 0);
  return canvas;
}

answerCalls({
  /**
   * Opens a file; the photo open before is forgotten.
   * @param {Blob} file
   */
  async open(file) {
    const { canvas, notes } = await decode(file);
    [photo, pasted] = [canvas, undefined];
    cuts.clear();
    return { width: photo.width, height: photo.height, notes, bitmap: await createImageBitmap(photo) };
  },

  /** Turns the open photo by a quarter, clockwise. */
  async turn() {
    const before = current();
    photo = new OffscreenCanvas(before.height, before.width);
    const context = context2d(photo);
    context.translate(before.height, 0);
    context.rotate(Math.PI / 2);
    context.drawImage(before, 0, 0);
    cuts.clear();
    return { width: photo.width, height: photo.height, notes: [], bitmap: await createImageBitmap(photo) };
  },

  /**
   * Every face of the open photo, largest first, with a small aligned picture of each.
   * @returns {Promise<(Face & { thumbnail: Picture })[]>}
   */
  async faces() {
    await ready;
    const { width, height } = current();
    const scale = Math.min(1, SEARCH_SIDE / Math.max(width, height));
    const small = new OffscreenCanvas(Math.round(width * scale), Math.round(height * scale));
    const context = context2d(small);
    context.imageSmoothingQuality = "high";
    context.drawImage(current(), 0, 0, small.width, small.height);
    const { data } = context.getImageData(0, 0, small.width, small.height);
    const faces = (await faceFinder()).detect(new Uint8Array(data.buffer), small.width, small.height);
    /** @type {(point: Point) => Point} */
    const inPhoto = ([x, y]) => [(x * width) / small.width, (y * height) / small.height];
    return faces.map((face) => {
      const quad = /** @type {Quad} */ (face.quad.map(inPhoto));
      const moved = Object.entries(face.landmarks).map(([name, point]) => [name, inPhoto(point)]);
      const landmarks = /** @type {Landmarks} */ (/** @type {unknown} */ (Object.fromEntries(moved)));
      return { ...face, quad, landmarks, points: face.points.map(inPhoto), thumbnail: cutOut(quad, THUMBNAIL) };
    });
  },

  /** @param {Landmarks} points */
  async quadFromPoints(points) {
    await ready;
    return quadFromPoints(points);
  },

  /**
   * The face in `quad`, upright and `size` pixels square.
   * @param {Quad} quad
   * @param {number} size
   */
  async align(quad, size) {
    await ready;
    return cutOut(quad, size);
  },

  /**
   * The whole photo with the edited face in its place; kept for `savePhoto`.
   * @param {Quad} quad
   * @param {Point[] | undefined} points the face mesh, when the face was found and not placed by hand
   * @param {Edited} edited
   * @param {PasteMode} mode
   * @returns {Promise<ImageBitmap>}
   */
  async paste(quad, points, edited, mode) {
    await ready;
    const { left, top, pixels, quad: local } = surroundings(quad);
    const mesh = points?.map(([x, y]) => /** @type {Point} */ ([x - left, y - top]));
    const rgba = new Uint8Array(pixels.data.buffer);
    /** @type {Picture} */
    const region = pasteBack(rgba, pixels.width, pixels.height, local, mesh, edited, mode);
    pasted = new OffscreenCanvas(current().width, current().height);
    const context = context2d(pasted);
    context.drawImage(current(), 0, 0);
    context.putImageData(new ImageData(region.data, region.width, region.height), left, top);
    return createImageBitmap(pasted);
  },

  /**
   * The face in `quad`, upright and `size` pixels square, moved and changed as an edit does.
   * @param {Quad} quad
   * @param {Edited} edited
   * @param {number} size
   * @returns {Promise<Picture>}
   */
  async retouch(quad, edited, size) {
    await ready;
    const { data } = remembered(quad, size);
    return pasteBack(new Uint8Array(data.buffer), size, size, wholePhoto(size, size), undefined, edited, "difference");
  },

  /** The result of the last `paste` as a PNG file. */
  savePhoto() {
    return (pasted ?? current()).convertToBlob({ type: "image/png" });
  },

  /**
   * One picture, or several of one height side by side, as a PNG file.
   * @param {Picture[]} pictures
   */
  savePictures(pictures) {
    const sheet = new OffscreenCanvas(
      pictures.reduce((sum, { width }) => sum + width, 0),
      Math.max(...pictures.map(({ height }) => height)),
    );
    let x = 0;
    for (const picture of pictures) {
      context2d(sheet).drawImage(canvasOf(picture), x, 0);
      x += picture.width;
    }
    return sheet.convertToBlob({ type: "image/png" });
  },
});
