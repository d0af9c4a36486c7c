/**
 * The engine's own types, from its generated declarations.
 * @typedef {import("../pkg/cpu/sdic.js").Picture} Picture
 * @typedef {import("../pkg/cpu/sdic.js").Point} Point
 * @typedef {import("../pkg/cpu/sdic.js").Quad} Quad
 * @typedef {import("../pkg/cpu/sdic.js").Face} DetectedFace
 * @typedef {import("../pkg/cpu/sdic.js").QuadPoints} QuadPoints
 * @typedef {import("../pkg/cpu/sdic.js").DirectionInfo} DirectionInfo
 * @typedef {import("../pkg/cpu/sdic.js").ShardInfo} Shard
 * @typedef {import("../pkg/cpu/sdic.js").SampleInfo} SampleInfo
 * @typedef {import("../pkg/cpu/sdic.js").ModelInfo} ModelInfo
 * @typedef {import("../pkg/cpu/sdic.js").Edited} Edited
 * @typedef {import("../pkg/cpu/sdic.js").DroppedInfo} DroppedInfo
 * @typedef {import("../pkg/cpu/sdic.js").FitProgress} FitProgress
 * @typedef {import("../pkg/cpu/sdic.js").PasteMode} PasteMode
 * @typedef {import("../pkg/cpu/sdic.js").ViewName} ViewName
 * @typedef {import("../pkg/cpu/sdic.js").StageName} StageName
 * @typedef {import("../pkg/cpu/sdic.js").Tuning} Tuning
 *
 * @typedef {"cpu" | "webgpu"} Backend
 * @typedef {{ kind: "real" | "software" | "none", name: string }} Adapter
 * @typedef {{ backend: Backend, adapter: string, selfTestError: number, threads: number }} EngineInfo
 * @typedef {{
 *   loaded: number, total: number, cached: number, secondsLeft: number | undefined, held: boolean
 * }} LoadProgress `held`: the download is paused
 * @typedef {FitProgress & { secondsLeft: number | undefined }} SearchProgress
 * @typedef {Record<string, number>} Strengths
 * @typedef {DetectedFace & { thumbnail: Picture }} FoundFace a face of a photo with a small aligned picture of it
 */

/**
 * Names of what a call is about. Workers refuse those that they do not hold.
 * @typedef {`photo-${number}`} PhotoId
 * @typedef {`crop-${number}`} CropId a quad in a photo
 * @typedef {`inversion-${number}`} InversionId what an engine made of a crop
 * @typedef {`edit-${number}`} EditId what an engine made of an inversion and slider strengths
 */

export {};
