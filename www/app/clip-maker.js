// Makes a clip; loaded with the first photo.
import { Failure } from "../shared/failure.js";
import { Recorder } from "../shared/recorder.js";
import { check } from "../shared/rpc.js";
import { say } from "../shared/say.js";
import { picturesOf, videoConfig, way } from "./clip.js";

/** @import { ClipPlan, Way } from "./clip.js" */
/** @import { Session } from "./session.js" */
/** @import { Strengths } from "../shared/types.js" */

/** Pictures that are needed again are kept as JPEG, with less loss than the video has. */
const KEPT = { type: "image/jpeg", quality: 0.97 };

/**
 * The sliders at a point of the way.
 * @param {Way} way
 * @param {Strengths} strengths as they are set
 * @param {number} at from 0 to 1
 * @returns {Strengths}
 */
function strengthsAt({ slider }, strengths, at) {
  if (!slider) return Object.fromEntries(Object.entries(strengths).map(([name, strength]) => [name, at * strength]));
  const { name, range } = slider;
  const [from, to] = range;
  return { ...strengths, [name]: from + at * (to - from) };
}

/**
 * @param {Session} session
 * @param {ClipPlan} about
 * @param {{
 *   comment: string, signal: AbortSignal, onProgress: (done: number, total: number) => void
 * }} options `onProgress` counts pictures of the engine
 * @returns {Promise<Blob>} with the mark of what a model has edited
 * @throws {Failure} "superseded" after `signal` was aborted
 */
export async function makeClip(session, about, { comment, signal, onProgress }) {
  const strengths = { ...session.strengths };
  const shares = way(about.seconds);
  const total = picturesOf(about.seconds);
  const filming = session.film(
    async (frame) => {
      const pictures = new Pictures(
        (at) => frame(strengthsAt(about, strengths, at)),
        (done) => onProgress(done, total),
      );
      /** @type {Recorder | undefined} */
      let recorder;
      try {
        const config = await videoConfig(await pictures.at(shares[0], true));
        if (!config) throw new Failure({ code: "unsupported", message: say("clip.unavailable") });
        recorder = new Recorder(config);
        for (const [i, at] of shares.entries()) {
          recorder.add(await pictures.at(at, shares.slice(i + 1).includes(at)));
          await recorder.room();
          check(signal);
        }
        return await recorder.finish(comment);
      } finally {
        recorder?.close();
        pictures.close();
      }
    },
    signal,
    about.size,
  );
  return filming.catch((thrown) => {
    if (signal.aborted) throw thrown;
    const { message: detail } = Failure.from(thrown);
    throw new Failure({ code: "not-saved", message: say("clip.failed"), hint: say("hint.clip"), detail });
  });
}

/** Pictures of a way. One is there as pixels; those of the way back wait as small files. */
class Pictures {
  /** @type {Map<number, Blob>} */
  #kept = new Map();
  /** @type {{ at: number, bitmap: ImageBitmap } | undefined} */
  #present;
  #made = 0;

  /**
   * @param {(at: number) => Promise<ImageBitmap>} make
   * @param {(done: number) => void} onMade
   */
  constructor(make, onMade) {
    this.make = make;
    this.onMade = onMade;
  }

  /**
   * The picture at a point of the way, good until the next one is asked for.
   * @param {number} at
   * @param {boolean} needed again
   */
  async at(at, needed) {
    if (this.#present?.at === at) return this.#present.bitmap;
    this.close();
    const kept = this.#kept.get(at);
    const bitmap = kept ? await createImageBitmap(kept) : await this.make(at);
    this.#present = { at, bitmap };
    if (!kept) this.onMade(++this.#made);
    if (!kept && needed) this.#kept.set(at, await fileOf(bitmap));
    return bitmap;
  }

  close() {
    this.#present?.bitmap.close();
    this.#present = undefined;
  }
}

/** @param {ImageBitmap} bitmap */
async function fileOf(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
  const file = await canvas.convertToBlob(KEPT);
  canvas.width = canvas.height = 0;
  return file;
}
