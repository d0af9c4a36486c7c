// What can be asked of each worker, and what it tells without being asked. The page's calls and the workers' methods
// are both checked against these types.

/** @import { Saying } from "./say.js" */
/** @import { SourceFile } from "./source-file.js" */
/** @import { Backend, CropId, DirectionInfo, EditId, Edited, EngineInfo, FoundFace } from "./types.js" */
/** @import { InversionId, LoadProgress, ModelInfo, PasteMode, PhotoId, Picture, Point, Quad } from "./types.js" */
/** @import { QuadPoints, SearchProgress, StageName, Strengths, Tuning, ViewName } from "./types.js" */

/**
 * @typedef {Record<string, number>} Shares of the strengths of sliders, from 0 to 1
 *
 * @typedef {{ crop: CropId, edit: EditId }} Layer one edited face of a photo
 * @typedef {{ width: number, height: number }} Size in pixels
 *
 * How an edit is shown and saved: onto the photo's own pixels or as the rebuilt face, `side` pixels wide.
 * @typedef {{ mode: PasteMode, side: number }} Rendering
 *
 * The part of a face that is looked at closely, as a picture of `width` by `height` pixels: it begins at (left, top),
 * in widths and heights of the face, and is `share` of either wide and high. Not `smooth`, the photo's pixels are
 * squares.
 * @typedef {{ left: number, top: number, share: number, width: number, height: number, smooth: boolean }} CloseUp
 *
 * @typedef {"image/png" | "image/jpeg" | "image/webp" | "image/avif"} FileType
 * @typedef {{ type: FileType, quality: number, words?: [string, string] }} Encoding `quality` from 0 to 1, where the
 *   type has losses; `words` stand over before and after
 *
 * The aligned face, the whole photo, or either of them before and after.
 * @typedef {"face" | "photo" | "pair" | "photo-pair"} SaveKind
 */

/**
 * The worker that holds the networks. `loaded`: its program has come, and the rest of its start needs no network.
 * @typedef {{
 *   start(backend: Backend, threads?: number): Promise<EngineInfo>,
 *   load(model: { folder: string } | { own: string }, held?: boolean, known?: Tuning): Promise<ModelInfo>,
 *   holdDownload(held: boolean): void,
 *   addDirections(name: string, file: Blob): Promise<DirectionInfo[]>,
 *   findSliders(): Promise<ModelInfo>,
 *   pauseSearch(): void,
 *   draw(seed: number): Promise<Blob>,
 *   invert(inversion: InversionId, crop: CropId, inputSize: number, seed?: number): Promise<void>,
 *   view(inversion: InversionId, kind: ViewName): Promise<ImageBitmap>,
 *   edit(inversion: InversionId, edit: EditId, strengths: Strengths, previewSize: number | undefined): Promise<Shares>,
 *   thumbnail(
 *     inversion: InversionId, strengths: Strengths, previewSize: number | undefined, rendering: Rendering
 *   ): Promise<ImageBitmap>,
 *   release(inversion: InversionId): void,
 * }} EngineMethods
 *
 * @typedef {{
 *   loaded: undefined,
 *   progress: LoadProgress,
 *   model: ModelInfo,
 *   tuned: Tuning | undefined,
 *   stage: { stage: StageName, done: number, total: number },
 *   search: SearchProgress,
 * }} EngineEvents
 */

/**
 * @typedef {{ width: number, height: number, space: PredefinedColorSpace, bitmap: ImageBitmap }} OpenedPhoto
 * @typedef {OpenedPhoto & { notes: Saying[] }} DecodedPhoto `notes`: what the visitor is told of it
 */

/**
 * The worker that holds the photo, as the page sees it. `faceless`: what is in the quad is no face, and cut as it is.
 * @typedef {{
 *   open(photo: PhotoId, file: Blob, mostPixels?: number): Promise<DecodedPhoto>,
 *   adopt(photo: PhotoId, bitmap: ImageBitmap, space: PredefinedColorSpace): void,
 *   turn(photo: PhotoId, turned: PhotoId): Promise<OpenedPhoto>,
 *   faces(photo: PhotoId, searchSide?: number): Promise<FoundFace[]>,
 *   quadFromPoints(points: QuadPoints): Promise<Quad>,
 *   preview(photo: PhotoId, quad: Quad, size: number, faceless?: boolean): Promise<Picture>,
 *   crop(photo: PhotoId, crop: CropId, quad: Quad, mesh: Point[] | undefined, faceless?: boolean): void,
 *   original(crop: CropId, side: number): Promise<ImageBitmap>,
 *   retouch(crop: CropId, edit: EditId, rendering: Rendering): Promise<ImageBitmap>,
 *   closeUp(crop: CropId, edit: EditId | undefined, part: CloseUp): Promise<ImageBitmap>,
 *   change(crop: CropId, edit: EditId): Edited,
 *   reduce(photo: PhotoId, layers: Layer[], mode: PasteMode, reduced: PhotoId, size: Size): Promise<void>,
 *   paste(layers: Layer[], mode: PasteMode, onto?: PhotoId): Promise<ImageBitmap>,
 *   save(layers: Layer[], what: SaveKind, rendering: Rendering, encoding: Encoding): Promise<Blob>,
 *   mark(file: Blob): Promise<Blob>,
 *   release(id: PhotoId | CropId): void,
 * }} PhotoMethods
 */

/**
 * The same worker, as the engine's worker sees it.
 * @typedef {{
 *   face(crop: CropId, size: number): Promise<{ picture: Picture, quad: Quad, mesh: Point[] | undefined }>,
 *   take(crop: CropId, edit: EditId, edited: Edited): Promise<void>,
 *   thumbnail(crop: CropId, edited: Edited, rendering: Rendering): Promise<ImageBitmap>,
 * }} PhotoSupply
 */

/**
 * A face as a mirror sees it, in the camera's pixels.
 * @typedef {{ mesh: Point[], quad: Quad, yaw: number }} MirrorFace
 *
 * What a mirror shows: the picture, the face that it follows, whether that looks enough like the still, and how much of
 * the edit is on it, from 0 to 1.
 * @typedef {{ bitmap: ImageBitmap, face: MirrorFace | undefined, alike: boolean, shown: number }} MirrorPicture
 *
 * The worker that puts an edit onto the camera's pictures.
 * @typedef {{
 *   picture(bitmap: ImageBitmap): Promise<MirrorPicture>,
 *   still(): Promise<{ file: Blob, face: MirrorFace | undefined }>,
 *   show(face: MirrorFace | undefined, edited: Edited | undefined): void,
 *   record(config: VideoEncoderConfig): void,
 *   recorded(comment: string): Promise<Blob>,
 * }} MirrorMethods
 */

/**
 * The worker that converts the authors' checkpoint.
 * @typedef {{ convert(file: File, source: SourceFile): Promise<string> }} ConvertMethods
 * @typedef {{ progress: { read: number, total: number } }} ConvertEvents in bytes of the file
 */

export {};
