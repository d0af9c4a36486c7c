// What the compiled engine calls things, under the names that the rest of the page uses.
import { performErrand } from "../pkg/cpu/sdic.js";

/** @import { ThreadPool } from "./thread-pool.js" */
/** @typedef {import("../pkg/cpu/sdic.js").Face} WasmFace */

/**
 * @typedef {import("../pkg/cpu/sdic.js").Engine} WebEngine
 * @typedef {import("../pkg/cpu/sdic.js").Point} Point
 * @typedef {{ leftEye: Point, rightEye: Point, leftMouth: Point, rightMouth: Point }} QuadPoints
 * @typedef {Omit<WasmFace, "landmarks" | "points"> & { quadPoints: QuadPoints, mesh: Point[] }} Face
 * @typedef {import("../pkg/cpu/sdic.js").DirectionInfo & { folded: boolean }} DirectionInfo
 *   `folded`: its group starts folded
 * @typedef {import("../pkg/cpu/sdic.js").ModelInfo & { directions: DirectionInfo[] }} ModelInfo
 */

export const performTask = performErrand;

/**
 * Shares large convolutions of the module's engine out among `pool` until one of its threads fails.
 * @param {Pick<typeof import("../pkg/cpu/sdic.js"), "setCrew">} module
 * @param {ThreadPool} pool
 */
export function setThreadPool(module, pool) {
  module.setCrew({
    members: pool.threads,
    area: (thread, values) => pool.area(thread, values),
    send: (thread, order, count) => pool.send(thread, order, count),
    collect: (thread) => pool.collect(thread),
    retire: () => pool.stop(),
  });
}

/**
 * @param {import("../pkg/cpu/sdic.js").DirectionInfo[]} directions
 * @returns {DirectionInfo[]}
 */
export function namedDirections(directions) {
  return directions.map((direction) => ({ ...direction, folded: direction.group === "Explore" }));
}

/**
 * @param {WasmFace} face
 * @returns {Face}
 */
export function namedFace({ landmarks, points, ...rest }) {
  const { left_eye: leftEye, right_eye: rightEye, left_mouth: leftMouth, right_mouth: rightMouth } = landmarks;
  return { ...rest, quadPoints: { leftEye, rightEye, leftMouth, rightMouth }, mesh: points };
}

/** @param {QuadPoints} points */
export function wasmPoints({ leftEye, rightEye, leftMouth, rightMouth }) {
  return { left_eye: leftEye, right_eye: rightEye, left_mouth: leftMouth, right_mouth: rightMouth };
}
