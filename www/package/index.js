// SDIC for developers: an engine that opens photos, inverts faces, and edits them.
//
//   const engine = await loadEngine({ model: "/models/face/" });
//   const photo = await engine.open(file);
//   const face = await photo.invert();
//   context.drawImage(await face.edit({ smile: 1.5 }), 0, 0);
import { Failure } from "../shared/failure.js";
import { choose, nameOf, speak } from "../shared/strings.js";
import "../shared/strings/all.js";
import { Core } from "./core.js";
import { openPhoto } from "./photo.js";
import { guarded, told } from "./told.js";

/** @import { Backend, EngineInfo, QuadPoints } from "../shared/types.js" */

export { Failure } from "../shared/failure.js";
export { Face } from "./face.js";
export { Photo } from "./photo.js";

/**
 * @typedef {import("../shared/failure.js").FailureCode} FailureCode
 * @typedef {import("../shared/types.js").FoundFace} FoundFace
 * @typedef {import("../shared/types.js").LoadProgress} LoadProgress
 * @typedef {import("../shared/types.js").PasteMode} PasteMode
 * @typedef {import("../shared/types.js").Strengths} Strengths
 *
 * What a slider is called, and how far it usually goes; strengths beyond that are allowed.
 * @typedef {{ name: string, label: string, group: string, min: number, max: number }} Slider
 *
 * @typedef {{
 *   model?: string | URL, backend?: "auto" | Backend, threads?: number, signal?: AbortSignal,
 *   onProgress?: (progress: LoadProgress) => void
 * }} LoadOptions `model`: address of a folder with `manifest.json` in it, relative to the page, "weights/" unless told;
 *   `backend`: "auto" takes the graphics card if there is a real one, else the processor; `threads`: at most, on the
 *   processor; `onProgress` hears how much of the model has come, in bytes
 */

/**
 * Starts an engine and loads a model into it.
 * @param {LoadOptions} [options]
 * @returns {Promise<Engine>}
 */
export function loadEngine({ model = "weights/", backend = "auto", threads, signal, onProgress } = {}) {
  const core = new Core();
  return guarded(signal, async () => {
    try {
      const folder = new URL(model, document.baseURI);
      if (!folder.pathname.endsWith("/")) folder.pathname += "/";
      await core.start({ folder: folder.href, wish: backend, threads, signal, onProgress });
      return new Engine(core);
    } catch (thrown) {
      core.stop(Failure.from(thrown));
      throw thrown;
    }
  });
}

/** A model on a backend. */
export class Engine {
  #core;

  /**
   * @internal
   * @param {Core} core
   */
  constructor(core) {
    this.#core = core;
  }

  /** Which backend runs, on what, and with how many threads. */
  get info() {
    return /** @type {EngineInfo} */ (this.#core.info);
  }

  /** Why the graphics card is not used although it was wanted, if it is so. */
  get fallback() {
    const { fallback } = this.#core;
    return fallback && told(fallback);
  }

  /** What the model's manifest says. */
  get model() {
    return this.#core.model;
  }

  /** @returns {Slider[]} what can be edited */
  get sliders() {
    return this.model.directions.map(({ name, label, group, range: [min, max] }) => {
      return { name, label: nameOf(label), group: nameOf(group), min, max };
    });
  }

  /** The sizes at which the model can draw, the full one first: the smaller, the quicker. */
  get sizes() {
    const sizes = [];
    for (let size = this.model.imageSize; size >= this.model.injectSize; size /= 2) sizes.push(size);
    return sizes;
  }

  /** Resolves, with why, when the engine can be used no longer: it has crashed, or was disposed. */
  get lost() {
    return this.#core.lost.then(told);
  }

  /**
   * Opens a picture and finds the faces in it.
   * @param {Blob | ImageBitmap | ImageData | HTMLCanvasElement | OffscreenCanvas | HTMLImageElement} picture a file is
   *   best: its colours are known, and which way up it is
   * @param {{ name?: string, aligned?: boolean, signal?: AbortSignal }} [options] `aligned`: the picture is cut like an
   *   aligned face already, so no faces are looked for
   */
  open(picture, options = {}) {
    return guarded(options.signal, () => openPhoto(this.#core, picture, options));
  }

  /**
   * The quad of a face that was not found, from where its eyes and the corners of its mouth are.
   * @param {QuadPoints} points
   */
  quadFromPoints(points) {
    return guarded(undefined, async () => {
      this.#core.assertAlive();
      return this.#core.photos.quadFromPoints(points);
    });
  }

  /** Ends the engine's workers; its photos and faces can be used no longer. */
  dispose() {
    this.#core.stop(new Failure({ code: "stopped", message: "the engine was disposed of" }));
  }
}

/**
 * Has failures, names of sliders and the element speak this language, if there is a table for it, else English.
 * @param {string} tag such as "de" or "de-AT"
 */
export function useLanguage(tag) {
  const { language, locale } = choose([tag]);
  speak(language, locale);
}
