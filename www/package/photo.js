import { Failure } from "../shared/failure.js";
import { middleOf, showsFaces, wholePhoto } from "../shared/quad.js";
import { check } from "../shared/rpc.js";
import { say } from "../shared/say.js";
import { Face } from "./face.js";
import { guarded, NEVER, told } from "./told.js";

/** @import { OpenPhoto } from "../app/photos.js" */
/** @import { FileType, Layer } from "../shared/protocol.js" */
/** @import { Saying } from "../shared/say.js" */
/** @import { FoundFace, PasteMode, Point, Quad } from "../shared/types.js" */
/** @import { Core, OnStage } from "./core.js" */

/** An open photo, with the faces that were found in it. Made by `Engine.open`. */
export class Photo {
  #core;
  #photo;
  #faces;
  #aligned;
  #notes;
  /** @type {Set<Face>} that were inverted */
  #inverted = new Set();

  /**
   * @internal
   * @param {Core} core
   * @param {OpenPhoto} photo
   * @param {{ faces: FoundFace[], aligned: boolean, notes: string[] }} about
   */
  constructor(core, photo, { faces, aligned, notes }) {
    this.#core = core;
    this.#photo = photo;
    this.#faces = faces;
    this.#aligned = aligned;
    this.#notes = notes;
  }

  get width() {
    return this.#photo.width;
  }

  get height() {
    return this.#photo.height;
  }

  /** The faces that were found, the largest first. */
  get faces() {
    return this.#faces;
  }

  /** What was done to the photo on opening it, in sentences: that it was reduced, say. */
  get notes() {
    return this.#notes;
  }

  /** All of it, upright; it is closed with the photo. */
  get bitmap() {
    try {
      return this.#photo.bitmap;
    } catch (thrown) {
      throw told(thrown);
    }
  }

  /**
   * Inverts a face, so that it can be edited.
   * @param {{ quad: Quad, mesh?: Point[] }} [face] one of `faces`, the largest unless told; or the quad of one that was
   *   not found
   * @param {{ signal?: AbortSignal, onProgress?: OnStage }} [options] `onProgress` hears of each stage as it begins
   * @returns {Promise<Face>}
   */
  invert(face, { signal, onProgress } = {}) {
    return guarded(signal, async () => {
      const { quad, mesh } = face ?? this.#first();
      const inverted = new Face(this.#core, this.#photo, { quad, mesh }, (gone) => this.#inverted.delete(gone));
      try {
        await inverted.invert(onProgress, signal);
        check(signal);
        this.#inverted.add(inverted);
        return inverted;
      } catch (thrown) {
        inverted.dispose();
        throw thrown;
      }
    });
  }

  /** @returns {{ quad: Quad, mesh?: Point[] }} */
  #first() {
    if (!showsFaces(this.#core.model)) return { quad: middleOf(this, this.#core.model) };
    if (this.#aligned) return { quad: wholePhoto(this.width, this.height) };
    if (this.#faces.length > 0) return this.#faces[0];
    throw new Failure({ code: "no-faces", message: say("package.noFace"), hint: say("package.noFaceHint") });
  }

  /**
   * The whole photo, with every face as it was last edited.
   * @param {{ onto?: PasteMode, signal?: AbortSignal }} [options] `onto` as of `Face.edit`
   * @returns {Promise<ImageBitmap>} which the caller closes
   */
  paste({ onto = this.#core.model.pasteMode, signal } = {}) {
    return guarded(signal, () =>
      this.#together(signal, (layers) => {
        if (layers.length === 0) return createImageBitmap(this.bitmap);
        return this.#core.photos.paste(layers, onto, signal ?? NEVER);
      }),
    );
  }

  /**
   * The whole photo, with every face as it was last edited, as a file. One in which a face was edited says so, in a
   * mark for programs; nothing of the original's metadata is in it.
   * @param {{ type?: FileType, quality?: number, onto?: PasteMode, signal?: AbortSignal }} [options] `quality` from 0
   *   to 1; `onto` as of `Face.edit`
   * @returns {Promise<Blob>}
   */
  render({ type = "image/png", quality = 0.92, onto = this.#core.model.pasteMode, signal } = {}) {
    return guarded(signal, () =>
      this.#together(signal, (layers) => {
        const encoding = { type, quality };
        if (layers.length === 0) return encoded(this.bitmap, this.#photo.space, encoding);
        return this.#core.photos.save(layers, "photo", { mode: onto, side: this.#core.model.outputWidth }, encoding);
      }),
    );
  }

  /**
   * Does something with all edited faces, while none of them is edited.
   * @template T
   * @param {AbortSignal | undefined} signal
   * @param {(layers: Layer[]) => Promise<T>} work
   * @returns {Promise<T>}
   */
  #together(signal, work) {
    const faces = [...this.#inverted];
    /** @type {Layer[]} */
    const layers = [];
    /** @type {(index: number) => Promise<T>} */
    const next = async (index) => {
      check(signal);
      this.#core.assertAlive();
      if (index === faces.length) return work(layers);
      return faces[index].inTurn(async () => {
        const layer = await faces[index].layer(signal);
        if (layer) layers.push(layer);
        return next(index + 1);
      });
    };
    return next(0);
  }

  /** Closes the photo, with its faces. */
  dispose() {
    for (const face of this.#inverted) face.dispose();
    this.#core.photos.close(this.#photo);
  }
}

/**
 * Opens a picture and finds the faces in it.
 * @param {Core} core
 * @param {Blob | ImageBitmap | ImageData | HTMLCanvasElement | OffscreenCanvas | HTMLImageElement} picture
 * @param {{ name?: string, aligned?: boolean, signal?: AbortSignal }} options
 */
export async function openPhoto(core, picture, { name = "", aligned = false, signal = NEVER }) {
  core.assertAlive();
  const file = picture instanceof Blob ? picture : await fileOf(picture);
  check(signal);
  const { photo, notes } = await core.photos.open(file, name, signal);
  try {
    const searched = !aligned && showsFaces(core.model);
    const faces = searched ? await core.photos.faces(photo, signal) : [];
    check(signal);
    return new Photo(core, photo, { faces, aligned, notes: notes.map(sentence) });
  } catch (thrown) {
    core.photos.close(photo);
    throw thrown;
  }
}

/** @param {Saying} note */
function sentence(note) {
  return told({ code: "unexpected", message: note }).message;
}

/**
 * A picture that the browser has decoded already, as a file.
 * @param {Exclude<Parameters<typeof openPhoto>[1], Blob>} picture
 */
function fileOf(picture) {
  const { width, height } = picture instanceof HTMLImageElement ? natural(picture) : picture;
  return encode(width, height, "srgb", { type: "image/png", quality: 1 }, (context) => {
    if (picture instanceof ImageData) context.putImageData(picture, 0, 0);
    else context.drawImage(picture, 0, 0);
  });
}

/** @param {HTMLImageElement} image */
function natural({ naturalWidth, naturalHeight }) {
  return { width: naturalWidth, height: naturalHeight };
}

/**
 * @param {ImageBitmap} bitmap
 * @param {PredefinedColorSpace} space
 * @param {{ type: FileType, quality: number }} encoding
 */
function encoded(bitmap, space, encoding) {
  return encode(bitmap.width, bitmap.height, space, encoding, (context) => {
    if (encoding.type === "image/jpeg") {
      context.fillStyle = "white"; // behind what is transparent
      context.fillRect(0, 0, bitmap.width, bitmap.height);
    }
    context.drawImage(bitmap, 0, 0);
  });
}

/**
 * @param {number} width
 * @param {number} height
 * @param {PredefinedColorSpace} colorSpace
 * @param {{ type: FileType, quality: number }} encoding
 * @param {(context: OffscreenCanvasRenderingContext2D) => void} draw
 */
async function encode(width, height, colorSpace, encoding, draw) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { colorSpace });
  if (!context) throw new Failure({ code: "out-of-memory", message: "no memory for a picture" });
  draw(context);
  return canvas.convertToBlob(encoding);
}
