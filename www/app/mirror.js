// The live mirror: the camera's picture with the edit of the face in use on it. It is off until the visitor asks, keeps
// nothing, and turns the camera off when the page is hidden, when it is closed, and when another photo is opened.
import { Failure } from "../shared/failure.js";
import { widthOf } from "../shared/quad.js";
import { RemoteWorker } from "../shared/rpc.js";
import { say } from "../shared/say.js";
import { t } from "../shared/strings.js";
import { cameraStream, endStream, noCamera } from "./camera.js";
import { videoConfig } from "./clip.js";

/** @import { MirrorFace, MirrorMethods, MirrorPicture } from "../shared/protocol.js" */
/** @import { OpenPhoto } from "./photos.js" */
/** @import { Session } from "./session.js" */

/** Why a mirror has ended. @typedef {"closed" | "hidden" | "photo" | "camera" | "failed"} End */

/**
 * A camera that is on.
 * @typedef {{
 *   stream: MediaStream, worker: RemoteWorker<MirrorMethods>, ending: AbortController, times: number[], seen: number,
 *   face: MirrorFace | undefined, rests: number, showing: boolean, again: boolean, recording: boolean
 * }} Run `times`: what the last pictures with a face took; `rests`: pictures since the face moved; `again`: the edit
 *   has changed while it was shown
 */

/** The most milliseconds that a picture may take: with more it is no mirror. */
export const MOST_MS = 120;
/** Pictures by which that is measured, after the first ones, for which networks are loaded. */
const [MEASURED, SKIPPED] = [5, 2];
/** A face is still that moves by less than this from picture to picture, in its sides, for so many pictures. */
const [STILL, STILL_PICTURES] = [0.012, 8];
/** How far a face may be turned for a still, in degrees. */
const FRONT = 20;
/** Pixels across of the camera's picture. */
const WIDTH = 1280;
/** The longest clip, in milliseconds: all of it is in memory. */
const LONGEST_MS = 60_000;

/**
 * Fires `on`, `picture` (its detail is a `MirrorPicture`, whose bitmap the listener takes), `still` (the face has been
 * still long enough), `recording` (it has begun, or ended), `clip` (a file that was recorded), `failure`, and `off`
 * with an `End`.
 */
export class Mirror extends EventTarget {
  #session;
  #video = document.createElement("video");
  /** @type {Run | undefined} */
  #run;
  #starting = false;
  /**
   * What was taken of the camera.
   * @type {{ file: Blob, face: MirrorFace | undefined, photo: OpenPhoto | undefined } | undefined}
   */
  #still;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Session} session */
  constructor(session) {
    super();
    this.#session = session;
    Object.assign(this.#video, { muted: true, playsInline: true });
    session.addEventListener("photo", () => this.#photoOpened());
    session.addEventListener("picture", (event) => {
      if (/** @type {CustomEvent} */ (event).detail === "edited") void this.#showEdit();
    });
    document.addEventListener("visibilitychange", () => document.hidden && this.stop("hidden"));
    addEventListener("pagehide", () => this.stop("hidden"));
  }

  /** Whether the camera is on. */
  get on() {
    return this.#run !== undefined;
  }

  /** Whether the open photo was taken by the mirror, so that its edits fit the camera's picture. */
  get ours() {
    return this.#still?.photo !== undefined && this.#still.photo === this.#session.photo;
  }

  get stream() {
    return this.#run?.stream;
  }

  get recording() {
    return this.#run?.recording ?? false;
  }

  /** What a picture takes, in milliseconds; undefined until it is known. */
  get pace() {
    const times = this.#run?.times ?? [];
    return times.length < MEASURED ? undefined : times.toSorted((a, b) => a - b)[(MEASURED - 1) / 2];
  }

  /**
   * Turns the camera on. While the visitor is asked for it, further calls do nothing.
   * @returns {Promise<boolean>} whether it is on now by this call
   * @throws {Failure} that says why not
   */
  async start() {
    if (this.#run || this.#starting) return false;
    this.#starting = true;
    /** @type {MediaStream | undefined} */
    let stream;
    try {
      stream = await cameraStream(WIDTH);
      this.#video.srcObject = stream;
      await this.#video.play();
      if (document.hidden) throw new Failure({ code: "superseded", message: "the page was hidden meanwhile" });
    } catch (thrown) {
      endStream(stream);
      this.#video.srcObject = null;
      throw noCamera(thrown);
    } finally {
      this.#starting = false;
    }
    /** @type {Run} */
    const run = {
      stream,
      worker: new RemoteWorker(new Worker(new URL("../workers/mirror.js", import.meta.url), { type: "module" })),
      ending: new AbortController(),
      times: [],
      seen: 0,
      face: undefined,
      rests: 0,
      showing: false,
      again: false,
      recording: false,
    };
    this.#run = run;
    for (const track of stream.getTracks()) {
      track.addEventListener("ended", () => run === this.#run && this.stop("camera"));
    }
    this.#tell("on");
    void this.#showEdit();
    void this.#follow(run);
    return true;
  }

  /**
   * Turns the camera off. What was recorded by then becomes a clip.
   * @param {End} end
   */
  stop(end) {
    const run = this.#run;
    if (!run) return;
    this.#run = undefined;
    endStream(run.stream);
    this.#video.srcObject = null;
    const done = run.recording ? this.#finish(run) : Promise.resolve();
    void done.finally(() => run.worker.stop());
    run.ending.abort();
    this.#tell("off", end);
  }

  /** Takes the picture that was shown last, without the edit, as a file. */
  async picture() {
    if (!this.#run) throw noCamera(new Error("the camera is off"));
    return this.#run.worker.call("still", []);
  }

  /** Takes a still, which becomes the open photo, with the sliders as they are where that is a still, too. */
  async take() {
    const carry = this.ours;
    const still = await this.picture();
    this.#still = { ...still, photo: undefined };
    await this.#session.open(still.file, { name: "camera.png", carry });
  }

  /**
   * Records what is shown from now on.
   * @throws {Failure} where the browser has no encoder
   */
  async record() {
    const [run, { videoWidth, videoHeight }] = [this.#run, this.#video];
    if (!run || run.recording) return;
    const config = await videoConfig({ width: videoWidth, height: videoHeight }, "realtime");
    if (!config) throw new Failure({ code: "unsupported", message: say("mirror.noClip") });
    if (run !== this.#run) return;
    await run.worker.call("record", [config]);
    run.recording = true;
    this.#timer = setTimeout(() => void this.endRecording(), LONGEST_MS);
    this.#tell("recording");
  }

  /** Ends the recording; the clip comes as an event. */
  async endRecording() {
    if (this.#run?.recording) await this.#finish(this.#run);
  }

  /** @param {Run} run */
  async #finish(run) {
    clearTimeout(this.#timer);
    run.recording = false;
    this.#tell("recording");
    try {
      const file = await run.worker.call("recorded", [t("mirror.clipComment")]);
      this.#tell("clip", await this.#session.mark(file, new AbortController().signal));
    } catch (thrown) {
      const { message: detail } = Failure.from(thrown);
      this.#tell("failure", new Failure({ code: "not-saved", message: say("clip.failed"), detail }));
    }
  }

  /**
   * Shows one picture of the camera after another. Those that come while one is in work are left out.
   * @param {Run} run
   */
  async #follow(run) {
    let time = -1;
    while (run === this.#run) {
      const { currentTime, readyState, HAVE_CURRENT_DATA } = this.#video;
      if (currentTime !== time && readyState >= HAVE_CURRENT_DATA) {
        time = currentTime;
        try {
          await this.#showPicture(run);
        } catch (thrown) {
          if (run !== this.#run) return;
          this.stop("failed");
          this.#tell("failure", Failure.from(thrown));
          return;
        }
      }
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  }

  /** @param {Run} run */
  async #showPicture(run) {
    const start = performance.now();
    const bitmap = await createImageBitmap(this.#video);
    const picture = await run.worker.call("picture", [bitmap], { move: true });
    if (run !== this.#run) return picture.bitmap.close();
    const { face } = picture;
    this.#tell("picture", picture);
    run.seen++;
    run.rests = face && run.face && isStill(run.face, face) ? run.rests + 1 : 0;
    run.face = face;
    if (!face || run.seen <= SKIPPED) return;
    run.times = [...run.times, performance.now() - start].slice(-MEASURED);
    if (run.rests >= STILL_PICTURES && (this.pace ?? MOST_MS + 1) <= MOST_MS) this.#tell("still");
  }

  /** Has the camera's picture show the edit as it is now. */
  async #showEdit() {
    const run = this.#run;
    if (!run || !this.ours) return;
    run.again = true;
    if (run.showing) return;
    run.showing = true;
    try {
      while (run.again && this.ours) {
        run.again = false;
        const { face, quad } = this.#session;
        const edited = await this.#session.change(run.ending.signal);
        const on = face ?? (quad && this.#still?.face && { ...this.#still.face, quad }); // placed by hand
        const still = on && { mesh: on.mesh, quad: on.quad, yaw: on.yaw };
        await run.worker.call("show", [still, edited], { move: true, signal: run.ending.signal });
      }
    } catch (thrown) {
      // An edit that was replaced is shown in its new form once that is there.
      const failure = Failure.from(thrown);
      if (!failure.ended && !failure.stale) this.#tell("failure", failure);
    } finally {
      run.showing = false;
    }
  }

  /** Another photo is open: that of the last still, or one with which the camera has nothing to do. */
  #photoOpened() {
    const { file, photo } = this.#session;
    if (this.#still && !this.#still.photo && file === this.#still.file) this.#still.photo = photo;
    if (this.ours) return;
    this.#still = undefined;
    this.stop("photo");
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * Whether a face looks into the camera, and has hardly moved.
 * @param {MirrorFace} before
 * @param {MirrorFace} now
 */
function isStill({ quad: before }, { quad, yaw }) {
  const far = quad.map(([x, y], i) => Math.hypot(x - before[i][0], y - before[i][1]));
  return Math.abs(yaw) < FRONT && Math.max(...far) < STILL * widthOf(quad);
}
