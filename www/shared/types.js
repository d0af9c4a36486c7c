/**
 * The engine's own types, from its generated declarations.
 * @typedef {import("../pkg/cpu/sdic.js").Picture} Picture
 * @typedef {import("../pkg/cpu/sdic.js").Point} Point
 * @typedef {import("../pkg/cpu/sdic.js").Quad} Quad
 * @typedef {import("../pkg/cpu/sdic.js").Face} Face
 * @typedef {import("../pkg/cpu/sdic.js").Landmarks} Landmarks
 * @typedef {import("../pkg/cpu/sdic.js").DirectionInfo} Direction
 * @typedef {import("../pkg/cpu/sdic.js").ShardInfo} Shard
 * @typedef {import("../pkg/cpu/sdic.js").SampleInfo} Sample
 * @typedef {import("../pkg/cpu/sdic.js").ModelInfo} Manifest
 * @typedef {import("../pkg/cpu/sdic.js").Edited} Edited
 * @typedef {import("../pkg/cpu/sdic.js").PasteMode} PasteMode
 * @typedef {import("../pkg/cpu/sdic.js").ViewName} EngineView
 * @typedef {import("../pkg/cpu/sdic.js").StageName} Stage
 *
 * @typedef {"cpu" | "webgpu"} Backend
 * @typedef {{ kind: "real" | "software" | "none", name: string }} Adapter
 * @typedef {{ backend: Backend, adapter: string, selfTestError: number, threads: number }} EngineInfo
 * @typedef {{ loaded: number, total: number, cached: number, secondsLeft: number | undefined }} LoadProgress
 * @typedef {Record<string, number>} Strengths
 */

export {};
