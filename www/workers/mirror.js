// The worker of the live mirror: follows the face in the camera's pictures, and puts onto it what an edit of a still of
// it changes. One picture at a time; the page leaves out those that come meanwhile.
import { FaceFinder, placement, quadFromPoints } from "../pkg/cpu/sdic.js";
import { Failure } from "../shared/failure.js";
import { widthOf } from "../shared/quad.js";
import { Recorder } from "../shared/recorder.js";
import { say } from "../shared/say.js";
import { answerCalls } from "./answers.js";
import { context2d } from "./canvas.js";
import { startCpu } from "./cpu.js";
import { faceNetworks } from "./face-networks.js";
import { MirrorCanvas } from "./mirror-canvas.js";
import { once } from "./once.js";

/** @import { MirrorFace, MirrorMethods } from "../shared/protocol.js" */
/** @import { DetectedFace, Edited, Point, Quad } from "../shared/types.js" */
/** @import { Placed } from "./mirror-canvas.js" */

/** Longest side of the picture in which the face is followed: its network sees 192 pixels of it. */
const LOOK_SIDE = 480;
/**
 * How different the face may be from the still, and where nothing of the edit is left: mean distance of the points of
 * both meshes in sides of the square, and how far the head has turned, in degrees. A turn by 15 degrees moves the
 * points by 0.017, a nod by 0.012, a broad smile by 0.007.
 */
const [ALIKE, UNLIKE] = [0.02, 0.04];
const [TURNED, AWAY] = [15, 28];
/** How long the edit takes to come or to go, in milliseconds. */
const FADE_MS = 250;
/** How far the mesh moves, in sides of the square, without it being trusted at once: it trembles by less. */
const TREMBLE = 0.012;
/** Share of the new place that a face which does not move gets. */
const STEADY = 0.35;
/** For how many pictures a silhouette, slow to make, is good: it goes along with the face. */
const PICTURES_PER_SILHOUETTE = 2;

/**
 * A face that is followed, in the pixels in which it is looked for.
 * @typedef {Pick<DetectedFace, "mesh" | "quadPoints" | "yaw"> & { quad: Quad }} Followed
 */

/** The square canvas of what is looked at. */
const look = context2d(new OffscreenCanvas(1, 1));
const canvas = once(async () => new MirrorCanvas());
const finder = once(async () => {
  await startCpu();
  const { manifest, weights } = await faceNetworks();
  return new FaceFinder(manifest, weights);
});

/** @type {Followed | undefined} */
let followed;
/** @type {ImageBitmap | undefined} the last picture of the camera, and the face in it */
let last;
/** @type {MirrorFace | undefined} */
let lastFace;
/** @type {MirrorFace | undefined} the face of which the edit is */
let still;
/** Whether there is an edit to show, and whether it moves anything. */
let edited = false;
let moving = false;
/** How much of it is on show, and where. */
let shown = 0;
/** @type {Placed | undefined} */
let spot;
/** How many pictures have come since that of the silhouette. */
let sinceSilhouette = 0;
let before = 0;
/** @type {{ recorder: Recorder, start: number } | undefined} */
let recording;

/**
 * Follows the face into the next picture, or looks for it.
 * @param {FaceFinder} faces
 * @param {ImageData} pixels
 * @returns {Followed | undefined}
 */
function next(faces, { data, width, height }) {
  const rgba = new Uint8Array(data.buffer);
  const moved = followed && faces.follow(rgba, width, height, followed.mesh);
  if (followed && moved) return steadied(followed, moved);
  const found = faces.detect(rgba, width, height);
  if (!still) return found[0];
  const distances = found.map((face) => (still ? apart(face, still) : 0));
  return found[distances.indexOf(Math.min(...distances))];
}

/**
 * The face as it has moved, but for the trembling of one that has not.
 * @param {Followed} from
 * @param {Followed} to
 * @returns {Followed}
 */
function steadied(from, to) {
  const way = from.mesh.reduce((sum, [x, y], i) => sum + Math.hypot(to.mesh[i][0] - x, to.mesh[i][1] - y), 0);
  const share = Math.max(STEADY, Math.min(1, way / from.mesh.length / (TREMBLE * widthOf(to.quad))));
  const between = (/** @type {Point} */ a, /** @type {Point} */ b) =>
    /** @type {Point} */ ([a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])]);
  const [a, b] = [from.quadPoints, to.quadPoints];
  const quadPoints = {
    leftEye: between(a.leftEye, b.leftEye),
    rightEye: between(a.rightEye, b.rightEye),
    leftMouth: between(a.leftMouth, b.leftMouth),
    rightMouth: between(a.rightMouth, b.rightMouth),
  };
  const mesh = from.mesh.map((point, i) => between(point, to.mesh[i]));
  return { mesh, quadPoints, quad: quadFromPoints(quadPoints), yaw: to.yaw };
}

/**
 * Where the person is in a picture, if that matters: of this picture, or of one that is hardly older.
 * @param {FaceFinder} faces
 * @param {ImageData} pixels
 * @param {Quad} quad
 */
function silhouette(faces, { data, width, height }, quad) {
  if (still && !moving) return undefined;
  sinceSilhouette = (sinceSilhouette + 1) % PICTURES_PER_SILHOUETTE;
  return (sinceSilhouette && spot?.person) || faces.silhouette(new Uint8Array(data.buffer), width, height, quad);
}

/**
 * A point's place in a square, from 0 to 1.
 * @param {Quad} quad
 * @param {Point} point
 */
function located([[left, top], , , [right, y]], [px, py]) {
  const [ax, ay, dx, dy] = [right - left, y - top, px - left, py - top];
  const square = ax * ax + ay * ay;
  return [(dx * ax + dy * ay) / square, (dy * ax - dx * ay) / square];
}

/**
 * How far the points of two meshes lie apart, in sides of their squares.
 * @param {{ mesh: Point[], quad: Quad }} a
 * @param {{ mesh: Point[], quad: Quad }} b
 */
function apart(a, b) {
  const distances = a.mesh.map((point, i) => {
    const [[u, v], [s, t]] = [located(a.quad, point), located(b.quad, b.mesh[i])];
    return Math.hypot(u - s, v - t);
  });
  return distances.reduce((sum, distance) => sum + distance, 0) / distances.length;
}

/**
 * How much of an edit of one face belongs onto another picture of it.
 * @param {MirrorFace} face
 * @param {MirrorFace} on
 */
function likeness(face, on) {
  const shape = (apart(face, on) - ALIKE) / (UNLIKE - ALIKE);
  const turn = (Math.abs(face.yaw - on.yaw) - TURNED) / (AWAY - TURNED);
  return 1 - Math.min(1, Math.max(0, shape, turn));
}

/** @type {MirrorMethods & ThisType<import("./answers.js").CallContext>} */
const methods = {
  async picture(bitmap) {
    const [faces, drawing] = await Promise.all([finder(), canvas()]);
    const { width, height } = bitmap;
    const scale = Math.min(1, LOOK_SIDE / Math.max(width, height));
    const [across, down] = [width, height].map((length) => Math.max(1, Math.round(length * scale)));
    if (look.canvas.width !== across || look.canvas.height !== down) {
      Object.assign(look.canvas, { width: across, height: down });
      followed = undefined;
    }
    look.drawImage(bitmap, 0, 0, across, down);
    const seen = look.getImageData(0, 0, across, down);
    followed = next(faces, seen);

    const there = (/** @type {Point} */ [x, y]) => /** @type {Point} */ ([(x * width) / across, (y * height) / down]);
    const face = followed && {
      mesh: followed.mesh.map(there),
      quad: /** @type {Quad} */ (followed.quad.map(there)),
      yaw: followed.yaw,
    };
    // Before there is a still, the last picture stands in, and an edit might move: so what a picture takes is known.
    const on = still ?? lastFace ?? face;
    if (followed && face && on) {
      const person = silhouette(faces, seen, followed.quad);
      spot = { quad: face.quad, place: placement(face.mesh, face.quad, on.mesh, on.quad), person };
    }
    const now = performance.now();
    const fit = face && still ? likeness(face, still) : 0;
    const wanted = edited && spot?.place ? fit : 0;
    const step = (now - before) / FADE_MS;
    shown = Math.min(shown + step, Math.max(shown - step, wanted));
    before = now;

    last?.close();
    [last, lastFace] = [bitmap, face];
    const drawn = drawing.draw(bitmap, spot && { ...spot, strength: shown });
    if (recording && !recording.recorder.behind) recording.recorder.add(drawn, (now - recording.start) / 1000);
    return { bitmap: drawing.taken(), face, alike: fit > 0.5, shown };
  },

  /** The last picture of the camera as a file, and the face in it. */
  async still() {
    if (!last) throw new Failure({ code: "camera", message: say("camera.denied") });
    const { width, height } = last;
    const context = context2d(new OffscreenCanvas(width, height));
    context.drawImage(last, 0, 0);
    const face = lastFace;
    return { file: await context.canvas.convertToBlob({ type: "image/png" }), face };
  },

  /** Puts what an edit changes onto the pictures to come; `face` is that of the picture which was edited. */
  async show(face, edit) {
    const drawing = await canvas();
    if (String(face?.quad) !== String(still?.quad)) followed = undefined; // it may be another one of several
    still = face;
    edited = edit !== undefined;
    if (!edit) return; // the last one fades
    moving = edit.motion?.some((way) => way !== 0) ?? false;
    drawing.change(edit);
  },

  record(config) {
    recording?.recorder.close();
    recording = { recorder: new Recorder(config), start: performance.now() };
  },

  async recorded(comment) {
    if (!recording) throw new Failure({ code: "order", message: "nothing was recorded" });
    const { recorder } = recording;
    recording = undefined;
    try {
      return await recorder.finish(comment);
    } finally {
      recorder.close();
    }
  },
};

answerCalls(methods);
