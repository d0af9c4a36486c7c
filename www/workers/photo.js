// The worker that holds photos: opens them, finds faces, cuts them out aligned, and puts edited ones back. Every call
// names the photo or crop that it is about; several calls can be under way at once.
import { align, cutOut as cutPlain, FaceFinder, pasteBack, quadFromPoints, toned } from "../pkg/cpu/sdic.js";
import { Failure } from "../shared/failure.js";
import { heightOf, isWholePhoto, wholePhoto, widthOf } from "../shared/quad.js";
import { say } from "../shared/say.js";
import { answerCalls, crash } from "./answers.js";
import { bitmapOf, canvasOf, context2d, free, imageData, spaceOf } from "./canvas.js";
import { startCpu } from "./cpu.js";
import { decode } from "./decode.js";
import { faceNetworks } from "./face-networks.js";
import { marked } from "./mark.js";
import { once } from "./once.js";
import { pair } from "./pair.js";

/** @import { CloseUp, Layer, PhotoMethods, PhotoSupply, Rendering } from "../shared/protocol.js" */
/** @import { CropId, EditId, Edited, PhotoId, Picture, Point, Quad } from "../shared/types.js" */

/**
 * @typedef {{
 *   photo: OffscreenCanvas, quad: Quad, mesh: Point[] | undefined, faceless: boolean,
 *   cuts: Map<number, Picture>, made: { edit: EditId, edited: Edited } | undefined,
 *   backdrop: Picture | undefined, looked: boolean
 * }} Crop `cuts`: the face by size, which is asked for at every position of a slider; `made`: the latest edit;
 *   `backdrop`: what is behind the person, if anybody is seen; `looked`: whether that was looked for
 */

/** Longest side on which faces are looked for: a face of a fiftieth of it still shows its features. */
const SEARCH_SIDE = 4096;
const THUMBNAIL = 96;
/** Sizes of the face kept for one crop. */
const KEPT_CUTS = 3;

/** @type {Map<PhotoId, OffscreenCanvas>} */
const photos = new Map();
/** @type {Map<CropId, Crop & { of: PhotoId }>} */
const crops = new Map();

/**
 * The face that was looked at closely last, edited, in the photo's own pixels; it begins at (left, top) of the photo.
 * @type {{ crop: CropId, edit: EditId, canvas: OffscreenCanvas, left: number, top: number } | undefined}
 */
let closest;

/** The face networks. */
const faceFinder = once(async () => {
  await startCpu();
  const { manifest, weights } = await faceNetworks();
  return new FaceFinder(manifest, weights);
});

/**
 * @param {Blob} file
 * @throws {Failure} for a folder, which a browser drops as a file without contents, and a file that has gone
 */
async function assertReadable(file) {
  await file
    .slice(0, 1)
    .arrayBuffer()
    .catch(() => {
      throw new Failure({ code: "not-a-picture", message: say("error.unreadable"), hint: say("hint.another") });
    });
}

/** @param {PhotoId} id */
function photoOf(id) {
  const photo = photos.get(id);
  if (!photo) throw new Failure({ code: "stale-photo", message: say("error.stale") });
  return photo;
}

/** @param {CropId} id */
function cropOf(id) {
  const crop = crops.get(id);
  if (!crop) throw new Failure({ code: "stale-crop", message: say("error.stale") });
  return crop;
}

/**
 * @param {CropId} id
 * @param {EditId} edit
 */
function madeOf(id, edit) {
  const crop = cropOf(id);
  if (crop.made?.edit !== edit) throw new Failure({ code: "stale-edit", message: say("error.stale") });
  return { crop, edited: crop.made.edited };
}

/**
 * The part of the photo that alignment and paste-back can touch, so that the engine never holds all of a large photo.
 * @param {OffscreenCanvas} photo
 * @param {Quad} quad
 * @param {PredefinedColorSpace} colorSpace of the pixels
 */
function surroundings(photo, quad, colorSpace) {
  const { width, height } = photo;
  const margin = Math.ceil(0.35 * widthOf(quad)) + 8;
  const [xs, ys] = [quad.map(([x]) => x), quad.map(([, y]) => y)];
  const left = Math.min(width - 1, Math.max(0, Math.floor(Math.min(...xs)) - margin));
  const top = Math.min(height - 1, Math.max(0, Math.floor(Math.min(...ys)) - margin));
  const right = Math.max(left + 1, Math.min(width, Math.ceil(Math.max(...xs)) + margin));
  const bottom = Math.max(top + 1, Math.min(height, Math.ceil(Math.max(...ys)) + margin));
  const pixels = context2d(photo).getImageData(left, top, right - left, bottom - top, { colorSpace });
  return { left, top, pixels, quad: /** @type {Quad} */ (quad.map(([x, y]) => [x - left, y - top])) };
}

/**
 * The face in `quad`, upright and in sRGB. A photo that is an aligned face already is only brought to size: aligning
 * it again would blur its rim.
 * @param {OffscreenCanvas} photo
 * @param {Quad} quad
 * @param {number} width
 * @param {boolean} [faceless]
 * @returns {Picture}
 */
function cutOut(photo, quad, width, faceless = false) {
  if (isWholePhoto(quad, photo.width, photo.height)) {
    const height = heightOf(quad, width);
    const context = context2d(new OffscreenCanvas(width, height));
    context.imageSmoothingQuality = "high";
    context.drawImage(photo, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    free(context.canvas);
    return { width, height, data };
  }
  const { pixels, quad: local } = surroundings(photo, quad, "srgb");
  const cut = faceless ? cutPlain : align;
  return cut(new Uint8Array(pixels.data.buffer), pixels.width, pixels.height, local, width);
}

/**
 * As `cutOut`, remembering the last few; the picture must not be changed.
 * @param {Crop} crop
 * @param {number} size
 */
function remembered({ photo, quad, cuts, faceless }, size) {
  const picture = cuts.get(size) ?? cutOut(photo, quad, size, faceless);
  if (cuts.size >= KEPT_CUTS && !cuts.has(size)) cuts.clear();
  cuts.set(size, picture);
  return picture;
}

/**
 * Looks once for what is behind the person in a crop. Without the face networks nothing is known of it, and the
 * background moves along with the face.
 * @param {CropId} id
 */
async function lookBehind(id) {
  if (cropOf(id).looked || cropOf(id).faceless) return;
  const finder = await faceFinder().catch(() => {});
  const crop = cropOf(id);
  if (!finder || crop.looked) return;
  const { pixels, quad } = surroundings(crop.photo, crop.quad, "srgb");
  crop.backdrop = finder.backdrop(new Uint8Array(pixels.data.buffer), pixels.width, pixels.height, quad);
  crop.looked = true;
}

/**
 * The edited face as it is shown.
 * @param {Crop} crop
 * @param {Edited} edited
 * @param {Rendering} rendering
 * @returns {Picture}
 */
function retouched(crop, edited, { mode, side }) {
  const { data, width, height } = remembered(crop, side);
  const [rgba, quad] = [new Uint8Array(data.buffer), wholePhoto(width, height)];
  if (mode === "face") return toned(rgba, width, height, quad, edited.edited);
  return pasteBack(rgba, width, height, quad, undefined, edited, mode, undefined, crop.backdrop);
}

/**
 * A whole photo with edited faces in their places, on a canvas that the caller frees.
 * @param {OffscreenCanvas} photo or a smaller copy of it
 * @param {Layer[]} layers
 * @param {Rendering["mode"]} mode
 */
function pasted(photo, layers, mode) {
  const made = layers.map(({ crop, edit }) => madeOf(crop, edit));
  const space = spaceOf(context2d(photo));
  const context = context2d(new OffscreenCanvas(photo.width, photo.height), space);
  context.drawImage(photo, 0, 0);
  for (const { crop, edited } of made) {
    const { left, top, region } = replaced(context.canvas, crop, edited, mode);
    context.putImageData(region, left, top);
  }
  return context.canvas;
}

/**
 * The part of a photo around a face, with the edited one in its place.
 * @param {OffscreenCanvas} photo that the face was found in, or a smaller copy of it
 * @param {Crop} crop
 * @param {Edited} edited
 * @param {Rendering["mode"]} mode
 */
function replaced(photo, crop, edited, mode) {
  const space = spaceOf(context2d(photo));
  const [across, down] = [photo.width / crop.photo.width, photo.height / crop.photo.height];
  const place = /** @type {Quad} */ (crop.quad.map(([x, y]) => [x * across, y * down]));
  const { left, top, pixels, quad } = surroundings(photo, place, space);
  const mesh = crop.mesh?.map(([x, y]) => /** @type {Point} */ ([x * across - left, y * down - top]));
  const rgba = new Uint8Array(pixels.data.buffer);
  const region = pasteBack(rgba, pixels.width, pixels.height, quad, mesh, edited, mode, space, crop.backdrop);
  return { left, top, region: imageData(region, space) };
}

/**
 * The edited face in the photo's own pixels, kept until another one is wanted: who looks closely looks around.
 * @param {CropId} id
 * @param {EditId} edit
 */
function closely(id, edit) {
  const { crop, edited } = madeOf(id, edit);
  if (closest?.edit === edit) return closest;
  leaveClosely();
  const around = replaced(crop.photo, crop, edited, "difference");
  // Of the surroundings nothing is shown.
  const [xs, ys] = [crop.quad.map(([x]) => x), crop.quad.map(([, y]) => y)];
  const [left, top] = [
    Math.max(around.left, Math.floor(Math.min(...xs))),
    Math.max(around.top, Math.floor(Math.min(...ys))),
  ];
  const right = Math.min(around.left + around.region.width, Math.ceil(Math.max(...xs)));
  const bottom = Math.min(around.top + around.region.height, Math.ceil(Math.max(...ys)));
  const canvas = new OffscreenCanvas(Math.max(1, right - left), Math.max(1, bottom - top));
  context2d(canvas, around.region.colorSpace).putImageData(around.region, around.left - left, around.top - top);
  closest = { crop: id, edit, canvas, left, top };
  return closest;
}

function leaveClosely() {
  if (closest) free(closest.canvas);
  closest = undefined;
}

/**
 * A part of the face in a quad, upright, in front of white. Beyond the photo there is nothing.
 * @param {{ canvas: OffscreenCanvas, left: number, top: number }} photo or the part of it that begins at (left, top)
 * @param {Quad} quad
 * @param {CloseUp} part
 */
function closeUp({ canvas, left, top }, [[x, y], [lowerX, lowerY], , [rightX, rightY]], part) {
  const context = context2d(new OffscreenCanvas(part.width, part.height), spaceOf(context2d(canvas)));
  // From the photo along the sides of the quad, from there to the part.
  const [across, down] = [
    [rightX - x, rightY - y],
    [lowerX - x, lowerY - y],
  ];
  const along = (/** @type {number[]} */ [dx, dy], /** @type {number} */ pixels) => {
    const scale = pixels / part.share / (dx * dx + dy * dy);
    return [dx * scale, dy * scale];
  };
  const [[a, c], [b, d]] = [along(across, part.width), along(down, part.height)];
  const e = -a * x - c * y - (part.left / part.share) * part.width;
  const f = -b * x - d * y - (part.top / part.share) * part.height;
  context.setTransform(a, b, c, d, e, f);
  context.translate(left, top);
  context.imageSmoothingEnabled = part.smooth;
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(canvas, 0, 0);
  return context.canvas.transferToImageBitmap();
}

/**
 * Two pictures of one size in one, on a canvas that the caller frees.
 * @param {OffscreenCanvas} before
 * @param {boolean} ours whether `before` is to be freed
 * @param {OffscreenCanvas} after is freed
 * @param {[string, string] | undefined} words
 */
function paired(before, ours, after, words) {
  try {
    return pair([before, after], words, spaceOf(context2d(after)));
  } finally {
    free(after);
    if (ours) free(before);
  }
}

/**
 * Puts white behind what is transparent, for files that cannot be.
 * @param {OffscreenCanvas} canvas
 */
function layOverWhite(canvas) {
  const context = context2d(canvas);
  context.globalCompositeOperation = "destination-over";
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
}

/** @type {PhotoMethods & ThisType<import("./answers.js").CallContext>} */
const methods = {
  async open(id, file, mostPixels) {
    await assertReadable(file);
    await startCpu();
    const { canvas, notes } = await decode(file, mostPixels);
    try {
      this.check();
      const bitmap = await createImageBitmap(canvas);
      photos.set(id, canvas);
      return { width: canvas.width, height: canvas.height, space: spaceOf(context2d(canvas)), notes, bitmap };
    } catch (thrown) {
      free(canvas);
      throw thrown;
    }
  },

  /** Takes over a photo that another worker held. */
  adopt(id, bitmap, space) {
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    context2d(canvas, space).drawImage(bitmap, 0, 0);
    bitmap.close();
    photos.set(id, canvas);
  },

  /** A photo turned by a quarter, clockwise, as a photo of its own. */
  async turn(id, turned) {
    const photo = photoOf(id);
    const canvas = new OffscreenCanvas(photo.height, photo.width);
    const space = spaceOf(context2d(photo));
    const context = context2d(canvas, space);
    context.translate(photo.height, 0);
    context.rotate(Math.PI / 2);
    context.drawImage(photo, 0, 0);
    const bitmap = await createImageBitmap(canvas);
    photos.set(turned, canvas);
    return { width: canvas.width, height: canvas.height, space, bitmap };
  },

  /** Every face of a photo, largest first. */
  async faces(id, searchSide = SEARCH_SIDE) {
    const finder = await faceFinder();
    const photo = photoOf(id);
    const { width, height } = photo;
    const scale = Math.min(1, searchSide / Math.max(width, height));
    const small = new OffscreenCanvas(Math.round(width * scale), Math.round(height * scale));
    const context = context2d(small);
    context.imageSmoothingQuality = "high";
    context.drawImage(photo, 0, 0, small.width, small.height);
    const [dx, dy] = [width / small.width, height / small.height];
    const { data } = context.getImageData(0, 0, small.width, small.height);
    const found = finder.detect(new Uint8Array(data.buffer), small.width, small.height);
    const thumbnails = found.map(({ quad }) => cutOut(small, quad, THUMBNAIL));
    free(small);
    const inPhoto = (/** @type {Point} */ [x, y]) => /** @type {Point} */ ([x * dx, y * dy]);
    return found.map((face, i) => {
      const { leftEye, rightEye, leftMouth, rightMouth } = face.quadPoints;
      const quad = /** @type {Quad} */ (face.quad.map(inPhoto));
      const quadPoints = {
        leftEye: inPhoto(leftEye),
        rightEye: inPhoto(rightEye),
        leftMouth: inPhoto(leftMouth),
        rightMouth: inPhoto(rightMouth),
      };
      return { ...face, quad, quadPoints, mesh: face.mesh.map(inPhoto), thumbnail: thumbnails[i] };
    });
  },

  async quadFromPoints(points) {
    await startCpu();
    return quadFromPoints(points);
  },

  /** The face in a quad that is not a crop yet. */
  async preview(id, quad, size, faceless) {
    await startCpu();
    return cutOut(photoOf(id), quad, size, faceless);
  },

  /** Begins a crop of a photo. */
  crop(id, crop, quad, mesh, faceless = false) {
    const unmade = { cuts: new Map(), made: undefined, backdrop: undefined, looked: false };
    crops.set(crop, { of: id, photo: photoOf(id), quad, mesh, faceless, ...unmade });
  },

  async original(id, side) {
    await startCpu();
    return bitmapOf(remembered(cropOf(id), side));
  },

  async retouch(id, edit, rendering) {
    await startCpu();
    const { crop, edited } = madeOf(id, edit);
    return bitmapOf(retouched(crop, edited, rendering));
  },

  async closeUp(id, edit, part) {
    await startCpu();
    const { photo, quad } = cropOf(id);
    this.check();
    return closeUp(edit ? closely(id, edit) : { canvas: photo, left: 0, top: 0 }, quad, part);
  },

  /** What an edit changes, for other pictures of the same face. */
  change(id, edit) {
    return structuredClone(madeOf(id, edit).edited); // what is answered is given away
  },

  /** A smaller copy of a photo, with edited faces in it and white behind it, as a photo of its own. */
  async reduce(id, layers, mode, reduced, { width, height }) {
    await startCpu();
    this.check();
    const photo = photoOf(id);
    const whole = layers.length > 0 ? pasted(photo, layers, mode) : photo;
    const context = context2d(new OffscreenCanvas(width, height), spaceOf(context2d(photo)));
    context.imageSmoothingQuality = "high";
    context.drawImage(whole, 0, 0, width, height);
    if (whole !== photo) free(whole);
    layOverWhite(context.canvas);
    photos.set(reduced, context.canvas);
  },

  /** A whole photo with edited faces in it, or a smaller copy of it. */
  async paste(layers, mode, onto) {
    await startCpu();
    const photo = onto ? photoOf(onto) : cropOf(layers[0].crop).photo;
    return pasted(photo, layers, mode).transferToImageBitmap();
  },

  /** A whole photo with edited faces in it, or the last face alone, as a file that says that it was edited. */
  async save(layers, what, rendering, encoding) {
    await startCpu();
    const last = layers[layers.length - 1];
    const { crop, edited } = madeOf(last.crop, last.edit);
    const { words } = encoding;
    const face = () => canvasOf(retouched(crop, edited, rendering));
    const canvas = {
      face,
      photo: () => pasted(crop.photo, layers, rendering.mode),
      pair: () => paired(canvasOf(remembered(crop, rendering.side)), true, face(), words),
      "photo-pair": () => paired(crop.photo, false, pasted(crop.photo, layers, rendering.mode), words),
    }[what]();
    try {
      if (encoding.type === "image/jpeg") layOverWhite(canvas);
      const file = await canvas.convertToBlob(encoding);
      // A browser that does not write a type writes PNG instead, and would not say so.
      if (file.type !== encoding.type) {
        throw new Failure({ code: "unsupported", message: say("save.noType"), hint: say("hint.otherType") });
      }
      return await marked(file);
    } finally {
      free(canvas);
    }
  },

  async mark(file) {
    await startCpu();
    return marked(file);
  },

  /** Forgets a photo with its crops, or a crop; one that is not there is none the worse. */
  release(id) {
    for (const [crop, { of }] of crops) if (crop === id || of === id) crops.delete(crop);
    if (closest && !crops.has(closest.crop)) leaveClosely();
    const photo = photos.get(/** @type {PhotoId} */ (id));
    if (!photo) return;
    photos.delete(/** @type {PhotoId} */ (id));
    free(photo);
  },
};

/** @type {PhotoSupply & ThisType<import("./answers.js").CallContext>} */
const forEngine = {
  /**
   * The face in a crop, with its mesh. Where it was not found but placed, its mesh is looked for in the crop. What is
   * behind it is looked for while the engine inverts the face, for the edits to come.
   */
  async face(id, size) {
    await startCpu();
    const crop = cropOf(id);
    const { photo, quad, faceless } = crop;
    const picture = cutOut(photo, quad, size, faceless);
    if (!crop.mesh && !faceless) {
      const finder = await faceFinder().catch(() => {}); // without it the face moves as faces do on the average
      crop.mesh = finder?.meshIn(new Uint8Array(picture.data.buffer), picture.width, picture.height, quad);
    }
    setTimeout(() => lookBehind(id).catch(() => {})); // the crop may be gone; and an edit would look, and tell
    return { picture, quad, mesh: crop.mesh };
  },

  async take(id, edit, edited) {
    await startCpu();
    if (edited.motion) await lookBehind(id);
    cropOf(id).made = { edit, edited };
    if (closest?.crop === id) leaveClosely();
  },

  /** A picture of an edit that is not kept. */
  async thumbnail(id, edited, rendering) {
    await startCpu();
    if (edited.motion) await lookBehind(id);
    return bitmapOf(retouched(cropOf(id), edited, rendering));
  },
};

answerCalls(methods, {
  concurrent: true,
  onLink: (port) => port && answerCalls(forEngine, { endpoint: port, concurrent: true, onFatal: crash }),
});
