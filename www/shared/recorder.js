// Writes pictures as a video, by the browser's encoder.
import { Failure } from "./failure.js";
import { mp4 } from "./mp4.js";
import { RATE } from "./rate.js";
import { COLOURS, frameOf } from "./video-frame.js";

/** @import { VideoSample } from "./mp4.js" */

/** Seconds between pictures that can be jumped to. */
const JUMP = 2;
/** Pictures that wait for the encoder, at most, and how often it is looked whether there are fewer, in milliseconds. */
const [MOST_WAITING, PATIENCE] = [8, 10];

/** The browser's encoder, and what has come out of it. */
export class Recorder {
  /** @type {VideoSample[]} */
  #samples = [];
  /** @type {VideoDecoderConfig | undefined} */
  #decoder;
  /** @type {Error | undefined} */
  #failure;
  #count = 0;
  /** When the last picture that can be jumped to is shown. */
  #jump = Number.NEGATIVE_INFINITY;
  #encoder;

  /** @param {VideoEncoderConfig} config */
  constructor(config) {
    this.config = config;
    this.#encoder = new VideoEncoder({
      output: (chunk, about) => {
        const data = new Uint8Array(chunk.byteLength);
        chunk.copyTo(data);
        this.#samples.push({ data, key: chunk.type === "key", timestamp: chunk.timestamp });
        this.#decoder ??= about?.decoderConfig;
      },
      error: (failure) => {
        this.#failure = failure;
      },
    });
    this.#encoder.configure(config);
  }

  /**
   * @param {CanvasImageSource} picture
   * @param {number} [seconds] when it is shown; after the one before at the usual rate, unless given
   */
  add(picture, seconds = this.#count / RATE) {
    if (this.#failure) throw this.#failure;
    const { width, height } = this.config;
    const [timestamp, duration] = [seconds * 1e6, 1e6 / RATE].map(Math.round);
    const frame = frameOf(picture, { width, height, timestamp, duration });
    const keyFrame = seconds >= this.#jump + JUMP;
    if (keyFrame) this.#jump = seconds;
    this.#encoder.encode(frame, { keyFrame });
    frame.close();
    this.#count++;
  }

  /** Whether the encoder has as many pictures to do as it may. */
  get behind() {
    return this.#encoder.encodeQueueSize > MOST_WAITING;
  }

  /** Resolves when there is room for another picture. */
  async room() {
    while (!this.#failure && this.behind) {
      await new Promise((resolve) => setTimeout(resolve, PATIENCE));
    }
  }

  /** @param {string} comment */
  async finish(comment) {
    if (this.#failure) throw this.#failure;
    await this.#encoder.flush();
    if (this.#failure) throw this.#failure;
    if (!this.#decoder) throw new Failure({ code: "unexpected", message: "the encoder does not say what it wrote" });
    const { width, height } = this.config;
    const config = { ...this.#decoder, colorSpace: COLOURS };
    return mp4(this.#samples, { config, width, height, rate: RATE, comment });
  }

  close() {
    if (this.#encoder.state !== "closed") this.#encoder.close();
  }
}
