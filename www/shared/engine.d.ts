/* tslint:disable */
/* eslint-disable */

/** A picture as `ImageData` takes it: rows of RGBA bytes. */
export interface Picture { width: number; height: number; data: Uint8ClampedArray<ArrayBuffer>; }
/** What every function throws. */
export interface SdicError { code: string; message: string; hint: string; }
/** One edit. A strength of 0 leaves the picture as it is. */
export interface DirectionInfo { name: string; label: string; group: string; folded: boolean; range: [number, number]; }
/** A file of the weights directory. */
export interface ShardInfo { file: string; bytes: number; sha256: string; }
/** A picture that comes with the model; `aligned`: it is already cut like an aligned face, not a photo. */
export interface SampleInfo { file: string; label: string; aligned?: boolean; }
/** What the manifest of a weights directory says. */
export interface ModelInfo {
    name: string; title: string; provenance: string; licence: string; modelCard: string | null;
    imageSize: number; outputWidth: number; outputHeight: number; injectSize: number; styles: number;
    /** Width of the pictures that are inverted; they are of the shape of the output. */
    inputSize: number;
    /** What the pictures show. */
    depicts: "faces" | "cars" | "other";
    /** How edits of this model are best put into a photo. */
    pasteMode: PasteMode;
    directions: DirectionInfo[]; shards: ShardInfo[]; samples: SampleInfo[];
    /** Whether the model has an encoder, so that photos can be inverted. */
    inverts: boolean;
    /** Whether the model has a mapping network, so that faces can be drawn from it. */
    draws: boolean;
    /** Whether what a first reconstruction loses is put back; without that there is no "discrepancy" to view. */
    compensates: boolean;
    /** What came of looking for sliders in the model, if that was done. */
    fit: FitInfo | null;
}
/** What came of looking for sliders in a model: pictures, those that show a face, and measures without a slider. */
export interface FitInfo { pictures: number; faces: number; dropped: DroppedInfo[]; }
/**
 * A measure without a slider, and why, also in words. `value` is an effect in standard deviations, or a share; `other`
 * the label of the measure that would move as well.
 */
export interface DroppedInfo { label: string; why: string; value: number | null; other: string | null; reason: string; }
/** How far the search for sliders has come, in pictures or styles; `entries` are the steps that the journal has. */
export interface FitProgress {
    task: "draw" | "components" | "regress" | "choose" | "check" | "follow";
    label: string | null; done: number; total: number; entries: number;
}
/** Who looks after a search for sliders. What is returned is waited for. */
export interface FitListener {
    /** Between two convolutions: lets others work. */
    rest(): Promise<void>;
    /** Before every step: true asks for the journal; a rejection stops the search. */
    step(progress: FitProgress): Promise<boolean>;
    /** The journal, with which a search goes on where this one is. A rejection stops the search. */
    keep(journal: Uint8Array<ArrayBuffer>): Promise<void>;
}
/** A file of the weights directory. */
export interface WeightsFile { name: string; bytes: Uint8Array<ArrayBuffer>; }
/** A point in a picture: x, y in pixels. */
export type Point = [number, number];
/**
 * Corners of an alignment square, or of a rectangle of the shape of the model's pictures: top left, bottom left, bottom
 * right, top right of what is upright in it.
 */
export type Quad = [Point, Point, Point, Point];
/** The points that fix a quad, left and right as seen in the picture. */
export interface QuadPoints { leftEye: Point; rightEye: Point; leftMouth: Point; rightMouth: Point; }
/** A face in a photo, in the photo's pixels. */
export interface Face {
    score: number; quad: Quad; quadPoints: QuadPoints; mesh: Point[];
    box: [number, number, number, number]; rotation: 0 | 90 | 180 | 270; yaw: number;
    warnings: ("profile" | "tiny" | "dark" | "uncertain" | "outside")[];
}
/**
 * What comes of an edit: the edited face; the same, unedited but for its motion; how they differ beyond what pictures
 * can show, in sixty-fourths of a step of their bytes; the arrows of the motion; and which sliders would have torn the
 * face, with the share of their strength that was used.
 */
export interface Edited {
    edited: Picture; unedited: Picture;
    difference?: Int16Array<ArrayBuffer>; motion: Float32Array<ArrayBuffer> | undefined;
    held: Record<string, number>;
}
/**
 * Which kernels were the fastest on a graphics card: per class of convolutions, billions of multiplications per second
 * with each way to share out the work, and the one that is taken. `kernels` tells those of this program from others.
 */
export interface Tuning { kernels: string; classes: TunedClass[]; }
export interface TunedClass { name: string; rates: number[]; tiling: number; }
/** A file of the weights directory that a checkpoint is converted to; `manifest.json` comes last. */
export interface ConvertedFile { name: string; bytes: Uint8Array<ArrayBuffer>; done: number; total: number; }
/** What goes into a photo: the edited face itself, or the photo's own pixels, moved and changed as the edit does. */
export type PasteMode = "face" | "difference";
export type StageName = "encode" | "generate" | "predict" | "compensate" | "reconstruct";
export type ViewName = "initial" | "reconstruction" | "discrepancy";
/** Hears of a stage as it begins; what it returns is waited for, and a rejection stops the inversion. */
export type StageCallback = (stage: StageName, done: number, total: number) => Promise<void>;
/** Asked between the steps of an edit; what it returns is waited for, and a rejection stops the edit. */
export type PauseCallback = () => Promise<void>;



/** What was done to a photo on opening it. */
export type PhotoNote =
| { code: "reduced"; from: [number, number]; to: [number, number] }
| { code: "profileConverted"; name: string }
| { code: "depthReduced"; bits: number }
| { code: "firstFrame" | "profileUnreadable" | "gainMapDropped" | "inksConverted" };
/** A file that is a picture, or why it is none that can be opened. */
export type PhotoHeader =
| { problem: "not-a-picture"; kind: "empty" | "pdf" | "svg" | "film" | "webPage" | "archive" | "unknown" }
| { problem: "too-large"; width: number; height: number }
| { problem: "damaged"; kind: string }
| {
    problem: null;
    kind: string;
    /** As stored; null where only a decoder knows. */
    size: [number, number] | null;
    /** How the stored picture is turned to be upright, as EXIF counts, where the browser is not to turn it. */
    orientation: number;
    space: PredefinedColorSpace;
    notes: PhotoNote[];
    /** Pictures of what sort they are, where not every program reads them. */
    unread: string | null;
    /** Lightness beyond white. */
    hdr: boolean;
    /** Bytes to put over those of the file, and behind it, before a browser decodes it. */
    patches: { at: number; bytes: number[] }[];
    tail: number[];
};
/** Bytes of a file that are replaced by others, or put in between. */
export interface FileChange { at: number; replaced: number; bytes: number[]; }



/**
 * Converts the authors' checkpoint to a weights directory, file by file; never whole in memory.
 */
export class CheckpointConversion {
    free(): void;
    [Symbol.dispose](): void;
    /**
     * Reads names and shapes, and refuses what is no SDIC checkpoint. `dtype` is "f32", "f16" or "q8".
     */
    constructor(file: Blob, dtype: string);
    /**
     * The next finished file with how many tensors of how many are done, or undefined after the manifest.
     */
    nextFile(): ConvertedFile | undefined;
}

/**
 * Finds faces; runs on the CPU, needs no model.
 */
export class FaceFinder {
    free(): void;
    [Symbol.dispose](): void;
    /**
     * What is behind the person in `quad` of a photo (RGBA bytes), for `pasteBack`: a picture of the quad whose colours
     * are the background's and whose alpha is the person's mask. Undefined where nobody is seen.
     */
    backdrop(rgba: Uint8Array | number[], width: number, height: number, quad: Quad): Picture | undefined;
    /**
     * The faces in a photo (RGBA bytes), largest first; none is an empty list, not an error.
     */
    detect(rgba: Uint8Array | number[], width: number, height: number): Face[];
    /**
     * The face whose mesh was `mesh` in the picture before of a film, in this one (RGBA bytes); undefined where it is
     * seen no longer.
     */
    follow(rgba: Uint8Array | number[], width: number, height: number, mesh: Point[] | undefined): Face | undefined;
    /**
     * The mesh of the face in a square picture (RGBA bytes) that was cut out along `quad`, in the photo; undefined where
     * it shows none.
     */
    meshIn(rgba: Uint8Array | number[], width: number, height: number, quad: Quad): Point[] | undefined;
    /**
     * From the bytes of `face/manifest.json` and of the file it names.
     */
    constructor(manifest_json: Uint8Array | number[], weights: Uint8Array | number[]);
    /**
     * Where the person is in `quad` of a picture of a film (RGBA bytes): a square picture whose red is the person's
     * mask, green how far the background is hidden there, and blue how near the person is. Undefined where nobody is
     * seen.
     */
    silhouette(rgba: Uint8Array | number[], width: number, height: number, quad: Quad): Picture | undefined;
}

/**
 * A device with, once loaded, a model and the inverted faces, each by the name that it was given.
 */
export class WebEngine {
    private constructor();
    free(): void;
    [Symbol.dispose](): void;
    /**
     * Adds the edit directions in a file (PyTorch, safetensors or NumPy) to the model, in place of those that came
     * from a file of this name before.
     */
    addDirections(name: string, file: Blob): DirectionInfo[];
    /**
     * Starts loading a model from the bytes of its `manifest.json`; a model loaded before is dropped, with the faces
     * it has inverted.
     */
    begin(manifest_json: Uint8Array | number[]): ModelInfo;
    /**
     * Opens a device: "cpu", or "webgpu" where this build has it.
     */
    static create(backend: string): Promise<WebEngine>;
    /**
     * Has the model draw a face, another one for every seed, where one of these landmarks was found: those of `mesh` in
     * the square `quad` of its picture. What comes of it is kept as `name`, as of `invert`; `onStage` is as there.
     */
    draw(name: string, seed: number, quad: Quad, mesh: Point[] | undefined, on_stage: StageCallback): Promise<void>;
    /**
     * Renders an inverted face with the given strengths by edit name;
     * `previewSize`, a power of two from `injectSize`, stops at that resolution. `pause` is called between the
     * generator's convolutions, and can stop the edit. Where the model does not tell how the edit moves the face, its
     * own pictures do, if there are face networks.
     */
    edit(name: string, strengths: Record<string, number>, preview_size: number | null | undefined, pause: PauseCallback): Promise<Edited>;
    /**
     * Tells that what WebGPU calls an adapter is a program on the processor. The CPU has no adapter.
     */
    emulated(): void;
    /**
     * Looks for sliders in the model: draws faces, measures them, and finds what moves the measures. Takes long; other
     * calls can be made meanwhile, whenever the listener is waited for. `journal` is what an earlier search of the
     * same kind has kept; any other is ignored. A model of other things than faces gets the components of its styles
     * alone, and needs no face networks. Returns the files that the weights directory gains, the new manifest last.
     */
    findSliders(samples: number, seed: number, journal: Uint8Array | number[] | null | undefined, listener: FitListener): Promise<WeightsFile[]>;
    /**
     * Completes the model; an error names every tensor that is missing.
     */
    finish(): void;
    /**
     * Inverts an aligned face (RGBA bytes of any size in the model's shape), which was cut out along `quad` from a
     * photo in which it has the given mesh, if it was found there. `onStage` hears of each stage as it begins, and can
     * stop the inversion. What comes of it is kept as `name` until it is released.
     */
    invert(name: string, rgba: Uint8Array | number[], width: number, height: number, quad: Quad, mesh: Point[] | undefined, on_stage: StageCallback): Promise<void>;
    /**
     * Verifies one shard (size, SHA-256, tensor table) and takes its tensors; any order. After an error the
     * load starts again with `begin`.
     */
    pushShard(index: number, bytes: Uint8Array | number[]): void;
    /**
     * Between `begin` and `finish`: has this device compile what the model will need, on a model of the same layers
     * with few channels, and compares it with the CPU as `selfTest` does. The CPU compiles nothing.
     */
    rehearse(): Promise<number>;
    /**
     * Forgets an inverted face, if there is one of this name; edits of it that are under way go on.
     */
    release(name: string): void;
    /**
     * Runs a tiny model on this device and on the CPU; returns the largest relative difference and throws
     * ("self-test") if it is above 1e-3. Also compiles the shaders.
     */
    selfTest(): Promise<number>;
    /**
     * Takes the sliders that [`Self::find_sliders`] has found, from the files it has made.
     */
    takeSliders(files: WeightsFile[]): ModelInfo;
    /**
     * Has a graphics card's convolutions share out their work as is the fastest there: as `known` says, if that was
     * returned for these kernels before, or as is measured now, within seconds. The CPU has nothing to choose.
     */
    tune(known: Tuning | undefined): Promise<Tuning | undefined>;
    /**
     * Gives the engine the face networks, from the bytes of `face/manifest.json` and of the file it names. With them
     * it sees how edits move a face where the model does not tell, and finds sliders.
     */
    useFaces(manifest_json: Uint8Array | number[], weights: Uint8Array | number[]): void;
    /**
     * A picture of an inversion: the plain e4e reconstruction ("initial"), the compensated one
     * ("reconstruction"), or DIPN's map ("discrepancy", grey where nothing was lost), if the model compensates.
     */
    view(name: string, kind: ViewName): Promise<Picture>;
    /**
     * Name of the adapter, for people.
     */
    readonly adapter: string;
    /**
     * "cpu" or "webgpu".
     */
    readonly backend: string;
}

/**
 * Cuts `quad` out of a photo (RGBA bytes), `size` pixels wide; what lies outside the photo is mirrored and blurred as
 * in FFHQ.
 */
export function align(rgba: Uint8Array | number[], width: number, height: number, quad: Quad, size: number): Picture;

/**
 * As `align` for what is no face: nothing is blurred, and beyond the photo its outermost pixels go on.
 */
export function cutOut(rgba: Uint8Array | number[], width: number, height: number, quad: Quad, size: number): Picture;

/**
 * What makes a PNG, JPEG or WebP file without metadata one that says that a model has edited the picture, in the order
 * of the file. `head` are its first 64 bytes, `length` is that of all of it.
 */
export function editMark(head: Uint8Array | number[], length: number): FileChange[];

/**
 * Counts this thread among those that share the engine's work: it is to call `takePart` for ever.
 */
export function enterPool(): void;

/**
 * Reads what can be known of a picture without decoding it, and whether it is all there. The file is read by slices.
 */
export function inspectPhoto(file: Blob): PhotoHeader;

/**
 * Tells the engine that this thread failed at its part, and that it is not to be waited for.
 */
export function leaveWork(): void;

/**
 * Puts an edited face back into its photo (RGBA bytes). `mesh` is that of the detected face, if there is one; `space`
 * the photo's colour space, sRGB if none is given; `backdrop` what is behind the person, if that is known, in sRGB.
 */
export function pasteBack(rgba: Uint8Array | number[], width: number, height: number, quad: Quad, mesh: Point[] | undefined, edited: Edited, mode: PasteMode, space?: string | null, backdrop?: Picture | null): Picture;

/**
 * From every spot of the square `quad` around a face with this mesh to where it lies on the same face in another
 * picture, `on`: arrows in sides, as those of a motion. Undefined where the points tell nothing.
 */
export function placement(mesh: Point[] | undefined, quad: Quad, on: Point[] | undefined, on_quad: Quad): Float32Array | undefined;

/**
 * The FFHQ square of four points set by hand.
 */
export function quadFromPoints(points: QuadPoints): Quad;

/**
 * This module's memory, for further threads to work in.
 */
export function sharedMemory(): WebAssembly.Memory;

/**
 * This module, for further threads to start.
 */
export function sharedModule(): WebAssembly.Module;

/**
 * Sends panics to the console, readable.
 */
export function start(): void;

/**
 * Waits, blocking, until the engine has work to share, and does its part of it.
 */
export function takePart(): void;

/**
 * A rebuilt face in the tone of the face in `quad` of a photo (RGBA bytes), if that has a single one, such as grey.
 */
export function toned(rgba: Uint8Array | number[], width: number, height: number, quad: Quad, face: Picture): Picture;

/**
 * Width and height at which a photo of this size is worked on.
 */
export function workingSize(width: number, height: number): Uint32Array;

export default function init(module?: unknown): Promise<unknown>;
export function initSync(module: unknown): unknown;
