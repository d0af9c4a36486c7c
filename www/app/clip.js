// A clip: the way from the photo to the edit and back, as a video.
import { Failure } from "../shared/failure.js";
import { RATE, Recorder } from "../shared/recorder.js";
import { check } from "../shared/rpc.js";
import { say } from "../shared/say.js";

/** @import { Session } from "./session.js" */
/** @import { Size } from "../shared/protocol.js" */
/** @import { DirectionInfo, Strengths } from "../shared/types.js" */

/**
 * What moves: all sliders from rest to where they are, or one from end to end while the others stay.
 * @typedef {{ slider: DirectionInfo | undefined, seconds: number }} Way
 *
 * `size`: that of the whole photo in the video, which without it is of the face alone.
 * @typedef {Way & { size: Size | undefined }} ClipPlan
 */

/** How long the way rests at either end, as a share of the way between them. */
const REST = 0.16;
/** Bits for each pixel of a picture; a small one gets more. */
const [BITS_PER_PIXEL, LEAST_BITRATE] = [0.25, 1_500_000];
/** Pictures that are needed again are kept as JPEG, with less loss than the video has. */
const KEPT = { type: "image/jpeg", quality: 0.97 };
/**
 * In the order of how many programs play them. H.264 plays everywhere; some browsers on Linux lack its encoder, but
 * have VP9's. Recording a canvas would do without encoders, but in the time that pictures take here, and without
 * those for which a machine is too slow.
 */
const CODECS = ["avc1.640028", "avc1.420028", "vp09.00.40.08"];
/**
 * The largest picture of level 4 of these codecs, which every player is made for: the longer side of full HD, and as
 * many blocks of pixels as that level has.
 */
const [MOST_SIDE, BLOCK, MOST_BLOCKS] = [1920, 16, 8192];

/**
 * The codecs about which its encoder can be asked: those that the browser plays. What it does not play it hardly
 * writes, and where parts of its machinery are missing, the question alone has ended pages of WebKitGTK.
 */
function playable() {
  if (typeof VideoEncoder !== "function" || typeof VideoFrame !== "function") return [];
  const video = document.createElement("video");
  return CODECS.filter((codec) => video.canPlayType(`video/mp4; codecs="${codec}"`) !== "");
}

/** Whether this browser may be able to write a clip; its encoder has the last word. */
export function canFilm() {
  return playable().length > 0;
}

/**
 * The part of a picture that is in a video of it: colours are kept for squares of two by two pixels.
 * @param {Size} picture
 * @returns {Size}
 */
export function filmed({ width, height }) {
  return { width: width - (width % 2), height: height - (height % 2) };
}

/**
 * How large a photo is in a video of it.
 * @param {Size} photo
 * @returns {Size}
 */
export function videoSize({ width, height }) {
  const longer = Math.max(width, height);
  for (let side = Math.min(MOST_SIDE, longer); ; side--) {
    const [across, down] = [width, height].map((each) => Math.max(2, Math.round((each * side) / longer)));
    if (Math.ceil(across / BLOCK) * Math.ceil(down / BLOCK) <= MOST_BLOCKS) return { width: across, height: down };
  }
}

/**
 * How this browser can write a video of pictures; undefined if it cannot.
 * @param {Size} picture
 * @param {LatencyMode} [latencyMode] "realtime" for what is filmed while it happens
 * @returns {Promise<VideoEncoderConfig | undefined>}
 */
export async function videoConfig(picture, latencyMode = "quality") {
  const { width, height } = filmed(picture);
  const bitrate = Math.max(LEAST_BITRATE, Math.round(BITS_PER_PIXEL * RATE * width * height));
  for (const codec of playable()) {
    /** @type {VideoEncoderConfig} */
    const config = { codec, width, height, bitrate, framerate: RATE, latencyMode };
    if (codec.startsWith("avc1")) config.avc = { format: "avc" };
    const { supported } = await VideoEncoder.isConfigSupported(config).catch(() => ({ supported: false }));
    if (supported) return config;
  }
  return undefined;
}

/**
 * Where each picture of a clip is on the way: from 0 to 1 and back, slowly at both ends. Played again and again it has
 * no jump.
 * @param {number} seconds
 * @returns {number[]}
 */
export function way(seconds) {
  const count = seconds * RATE;
  return Array.from({ length: count }, (_, i) => {
    const there = (2 * Math.min(i, count - i)) / count;
    const at = Math.min(1, Math.max(0, (there - REST) / (1 - 2 * REST)));
    return at * at * (3 - 2 * at);
  });
}

/**
 * How many pictures the engine has to make.
 * @param {number} seconds
 */
export function picturesOf(seconds) {
  return new Set(way(seconds)).size;
}

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
