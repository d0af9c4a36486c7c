// A file the visitor chose, as pixels or as a clear sentence why not.
import { Failure } from "../shared/failure.js";
import { t } from "../shared/strings.js";
import { HEADER_BYTES, sniff } from "./sniff.js";

/** Photos above this are reduced: what paste-back and saving can hold in a browser's memory. */
const KEPT_PIXELS = 24e6;
/** Above these nothing is decoded at all. */
const MAX_PIXELS = 120e6;
const MAX_SIDE = 16384;
const MAX_BYTES = 200e6;
/** The smallest side worth editing. */
const MIN_SIDE = 32;

/**
 * Decodes a picture upright (EXIF orientation applied) and in sRGB.
 * @param {Blob} file
 * @returns {Promise<{ canvas: OffscreenCanvas, notes: string[] }>} the pixels, and sentences for the visitor
 * @throws {Failure} `not-a-picture`, `unsupported`, `too-large`, `too-small` or `damaged`
 */
export async function decode(file) {
  const {
    kind,
    width = 0,
    height = 0,
    animated,
  } = sniff(new Uint8Array(await file.slice(0, HEADER_BYTES).arrayBuffer()));
  if (kind === "unknown" || kind === "empty" || kind === "pdf" || kind === "svg" || kind === "video") {
    const hint = t(kind === "video" ? "hint.video" : "hint.another");
    throw new Failure({ code: "not-a-picture", message: t(`error.notAPicture.${kind}`), hint });
  }
  if (width * height > MAX_PIXELS || Math.max(width, height) > MAX_SIDE || file.size > MAX_BYTES) {
    const what = width > 0 ? t("pixels", { width, height }) : `${Math.round(file.size / 1e6)} MB`;
    const hint = t("hint.tooLarge", { megapixels: MAX_PIXELS / 1e6, side: MAX_SIDE });
    throw new Failure({ code: "too-large", message: t("error.tooLarge", { what }), hint });
  }
  const bitmap = await open(file, kind, width, height);
  try {
    if (Math.min(bitmap.width, bitmap.height) < MIN_SIDE) {
      const message = t("error.tooSmall", { width: bitmap.width, height: bitmap.height });
      throw new Failure({ code: "too-small", message, hint: t("hint.tooSmall", { side: MIN_SIDE }) });
    }
    const scale = Math.min(1, Math.sqrt(KEPT_PIXELS / (bitmap.width * bitmap.height)));
    const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
    const context = context2d(canvas);
    context.fillStyle = "white"; // what shows through transparent pictures
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const notes = [];
    if (width * height > KEPT_PIXELS) {
      notes.push(t("note.reduced", { from: Math.round((width * height) / 1e6), to: KEPT_PIXELS / 1e6 }));
    }
    if (animated) notes.push(t("note.firstFrame"));
    return { canvas, notes };
  } finally {
    bitmap.close();
  }
}

/**
 * A 2-d context for a canvas whose pixels are read back often.
 * @param {OffscreenCanvas} canvas
 */
export function context2d(canvas) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Failure({ code: "out-of-memory", message: "no memory for a picture" });
  return context;
}

/**
 * @param {Blob} file
 * @param {import("./sniff.js").Kind} kind
 * @param {number} width as the header says, 0 when it does not
 * @param {number} height
 */
async function open(file, kind, width, height) {
  /** @type {ImageBitmapOptions} */
  const options = { imageOrientation: "from-image" };
  const shrink = Math.sqrt(KEPT_PIXELS / (width * height || 1));
  if (shrink < 1) {
    options.resizeWidth = Math.round(Math.max(width, height) * shrink); // sideways photos come out wider, and are drawn smaller
    options.resizeQuality = "high";
  }
  try {
    return await createImageBitmap(file, options);
  } catch {
    if (kind === "heic" || kind === "avif" || kind === "tiff") {
      const hint = t(kind === "heic" ? "hint.heic" : "hint.convert");
      throw new Failure({ code: "unsupported", message: t(`error.unsupported.${kind}`), hint });
    }
    throw new Failure({ code: "damaged", message: t("error.damaged"), hint: t("hint.damaged") });
  }
}
