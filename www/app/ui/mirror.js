// The live mirror as the visitor sees it: the dialog in which the face is taken, the camera's picture in place of the
// photo's, and what there is to say about it.
import { Failure } from "../../shared/failure.js";
import { showsFaces } from "../../shared/quad.js";
import { say } from "../../shared/say.js";
import { spell, spoken, t } from "../../shared/strings.js";
import { canFilm } from "../clip.js";
import { byId, write } from "../dom.js";
import { Mirror, MOST_MS } from "../mirror.js";
import { ask } from "./dialogs.js";
import { announce, notice, report } from "./notices.js";
import { baseName, download, VIDEO_ENDING } from "./save-dialog.js";

/** @import { MirrorPicture } from "../../shared/protocol.js" */
/** @import { Saying } from "../../shared/say.js" */
/** @import { Session } from "../session.js" */

/** Pictures for which there must be a reason for other words: they are read out, and one picture is soon over. */
const PATIENCE = 6;

/**
 * @param {Session} session
 * @returns {() => Promise<void>} turns it on
 */
export function startMirror(session) {
  const mirror = new Mirror(session);
  const button = (/** @type {string} */ id) => byId(id, HTMLButtonElement);
  const [start, toggle, record] = ["mirror-start", "mirror-toggle", "mirror-record"].map(button);
  const place = byId("mirror", HTMLElement);
  const canvas = byId("mirror-picture", HTMLCanvasElement);
  const word = byId("mirror-word", HTMLElement);
  const dialog = byId("mirror-dialog", HTMLDialogElement);
  const video = byId("mirror-video", HTMLVideoElement);
  const state = byId("mirror-state", HTMLElement);
  const context = canvas.getContext("bitmaprenderer");
  /** Whether the dialog or the browser asks the visitor. */
  let asking = false;
  /** @type {{ said: Saying | undefined, count: number }} what there is to say, and for how many pictures */
  let due = { said: undefined, count: 0 };
  /** When the recording began. */
  let began = 0;

  /** Whether there may be a face to follow: a model of the visitor's own may show something else. */
  const facesShown = () => showsFaces(session.engine.model);

  /** Brings the tools in line with what the mirror does. */
  function show() {
    const on = mirror.on && !dialog.open;
    place.hidden = !on;
    document.body.classList.toggle("mirrored", on);
    start.hidden = !facesShown();
    toggle.hidden = !facesShown() || !session.photo || on;
    if (on) record.hidden = !canFilm();
    record.setAttribute("aria-pressed", String(mirror.recording));
    tellTime();
  }

  function tellTime() {
    const seconds = Math.floor((performance.now() - began) / 1000);
    const text = mirror.recording ? t("mirror.stopRecording", { seconds }) : t("mirror.record");
    write(/** @type {HTMLElement} */ (record.lastElementChild), text);
  }

  /**
   * What there is to say while the face is still to be taken.
   * @param {MirrorPicture} picture
   */
  function beforeStill({ face }) {
    const { pace } = mirror;
    if (!face) return say("mirror.look");
    if (pace === undefined) return say("mirror.starting");
    if (pace > MOST_MS) return say("mirror.slow", { milliseconds: Math.round(pace), most: MOST_MS });
    return say("mirror.holdStill");
  }

  /**
   * What there is to say of a picture with an edit on it, or without one.
   * @param {MirrorPicture} picture
   */
  function aboutEdit({ face, alike }) {
    if (!session.inverted || !mirror.ours) return undefined; // how far the work is stands there
    if (!face) return say("mirror.noFace");
    if (Object.keys(session.strengths).length === 0) return say("mirror.move");
    if (!alike) return say("mirror.unlike");
    const { pace = 0 } = mirror;
    // An edit that is being made takes the machine's time, too.
    const lags = pace > MOST_MS && session.settled;
    return lags ? say("mirror.lags", { milliseconds: Math.round(pace / 10) * 10 }) : undefined;
  }

  /** @param {Saying | undefined} said */
  function tell(said) {
    due = { said, count: due.said?.key === said?.key ? due.count + 1 : 1 };
    const target = dialog.open ? state : word;
    if (due.count >= PATIENCE || target.textContent === "") write(target, said ? spell(said) : "");
  }

  /** Turns the camera on, and shows it: with the edit, where the open photo was taken so, else after a still. */
  async function begin() {
    if (asking || mirror.on) return;
    const focused = document.activeElement === toggle;
    asking = true;
    try {
      if (!(await mirror.start())) return;
      if (mirror.ours) announce(say("mirror.on"));
      else await takeStill();
    } catch (thrown) {
      mirror.stop("failed");
      if (!Failure.from(thrown).ended) report(thrown);
    } finally {
      asking = false;
      // Whoever goes on by keyboard goes on from here: what had the focus is gone.
      show();
      if (focused && mirror.on) button("mirror-close").focus();
    }
  }

  async function takeStill() {
    [state.textContent, word.textContent] = [t("mirror.starting"), ""];
    video.srcObject = mirror.stream ?? null;
    void video.play().catch(() => {}); // what it shows is seen soon
    const answering = ask(dialog);
    show();
    const answer = await answering;
    video.srcObject = null;
    if (answer === "photo") {
      const { file } = await mirror.picture();
      mirror.stop("photo");
      void session.open(file, { name: "camera.png" });
    } else if (answer === "still") {
      show();
      await mirror.take();
    } else mirror.stop("closed");
  }

  const turnOff = () => {
    mirror.stop("closed");
    announce(say("mirror.off"));
    toggle.focus();
  };

  session.engine.addEventListener("model", () => {
    if (mirror.on && !facesShown()) mirror.stop("closed");
    show();
  });
  mirror.addEventListener("on", show);
  mirror.addEventListener("recording", () => {
    began = performance.now();
    show();
  });
  mirror.addEventListener("picture", (event) => {
    const picture = /** @type {MirrorPicture} */ (/** @type {CustomEvent} */ (event).detail);
    const { width, height } = picture.bitmap;
    if (canvas.width !== width || canvas.height !== height) {
      Object.assign(canvas, { width, height });
      canvas.parentElement?.style.setProperty("--ratio", String(width / height));
    }
    context?.transferFromImageBitmap(picture.bitmap);
    canvas.dataset.shown = picture.shown.toFixed(2);
    tell(dialog.open ? beforeStill(picture) : aboutEdit(picture));
    tellTime();
  });
  mirror.addEventListener("still", () => dialog.open && dialog.close("still"));
  mirror.addEventListener("off", (event) => {
    const end = /** @type {CustomEvent<import("../mirror.js").End>} */ (event).detail;
    if (dialog.open) dialog.close("cancel");
    context?.transferFromImageBitmap(null);
    [due, word.textContent] = [{ said: undefined, count: 0 }, ""];
    show();
    const action = { label: say("mirror.back"), run: () => void begin() };
    if (end === "hidden") notice(say("mirror.hidden"), { action });
    if (end === "camera") notice(say("mirror.ended"), { action });
  });
  mirror.addEventListener("failure", (event) => report(/** @type {CustomEvent} */ (event).detail));
  mirror.addEventListener("clip", (event) => {
    download(
      /** @type {CustomEvent<Blob>} */ (event).detail,
      baseName("camera", VIDEO_ENDING, t("mirror.clipSuffix")),
    );
  });

  start.addEventListener("click", () => void begin());
  toggle.addEventListener("click", () => void begin());
  button("mirror-close").addEventListener("click", turnOff);
  button("mirror-again").addEventListener("click", () => void mirror.take().catch(report));
  record.addEventListener("click", () => {
    void (mirror.recording ? mirror.endRecording() : mirror.record()).catch(report);
  });
  session.addEventListener("photo", show);
  spoken(() => {
    show();
    word.textContent = ""; // it is said anew with the next picture
  });
  return begin;
}
