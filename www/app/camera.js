// The camera, without a microphone.
import { Failure } from "../shared/failure.js";
import { say } from "../shared/say.js";

/** Why there is no camera, by the browser's name for it. @type {Record<string, "refused" | "missing" | "busy">} */
const WHY = {
  NotAllowedError: "refused",
  SecurityError: "refused",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};
const HINTS = /** @type {const} */ ({
  refused: "hint.camera",
  missing: "hint.cameraMissing",
  busy: "hint.cameraBusy",
});

/**
 * Turns the camera on; whoever did that ends its tracks.
 * @param {number} width in pixels, if it can
 * @returns {Promise<MediaStream>}
 * @throws {Failure} that says why not
 */
export async function cameraStream(width) {
  try {
    const video = { facingMode: "user", width: { ideal: width } };
    return await navigator.mediaDevices.getUserMedia({ video, audio: false });
  } catch (thrown) {
    const why = WHY[thrown instanceof DOMException ? thrown.name : ""];
    if (!why) throw noCamera(thrown);
    const { message: detail } = Failure.from(thrown);
    throw new Failure({ code: "camera", message: say(`camera.${why}`), hint: say(HINTS[why]), detail });
  }
}

/**
 * What is said where a camera gives no picture.
 * @param {unknown} thrown by the browser, which has its own words for it
 */
export function noCamera(thrown) {
  if (thrown instanceof Failure) return thrown;
  const { message: detail } = Failure.from(thrown);
  return new Failure({ code: "camera", message: say("camera.denied"), hint: say("hint.camera"), detail });
}

/** @param {MediaStream | undefined} stream */
export function endStream(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
