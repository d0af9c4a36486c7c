/**
 * Pixels, RGBA with 8 bits each, rows from the top.
 * @typedef {{ width: number, height: number, data: Uint8ClampedArray<ArrayBuffer> }} Picture
 *
 * A point in pixels of the photo, x to the right, y down.
 * @typedef {[number, number]} Point
 *
 * Corners of an aligned square in the photo: top left, bottom left, bottom right, top right of the face.
 * @typedef {[Point, Point, Point, Point]} Quad
 *
 * A face found in the photo; `points` holds the 468 mesh points as x, y pairs.
 * @typedef {{ score: number, quad: Quad, points: Float32Array, yaw: number, warnings: string[] }} Face
 *
 * What the manual alignment is made of: the eyes' centres and the mouth's corners, left as seen in the picture.
 * @typedef {{ leftEye: Point, rightEye: Point, leftMouth: Point, rightMouth: Point }} Landmarks
 *
 * @typedef {import("../pkg/cpu/sdic.js").DirectionInfo} Direction
 * @typedef {import("../pkg/cpu/sdic.js").ShardInfo} Shard
 * @typedef {import("../pkg/cpu/sdic.js").ModelInfo} Manifest
 * @typedef {import("../pkg/cpu/sdic.js").ViewName} EngineView
 * @typedef {import("../pkg/cpu/sdic.js").StageName} Stage
 *
 * @typedef {"cpu" | "webgpu"} Backend
 * @typedef {{ kind: "real" | "software" | "none", name: string }} Adapter
 * @typedef {{ backend: Backend, adapter: string, selfTestError: number }} EngineInfo
 * @typedef {{ loaded: number, total: number, cached: number, secondsLeft: number | undefined }} LoadProgress
 * @typedef {Record<string, number>} Strengths
 */

export {};
