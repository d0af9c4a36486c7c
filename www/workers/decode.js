// A file the visitor chose, as pixels or as a clear sentence why not. What the file is, how large, which way up and in
// which colours is read by the same code as on the command line; the browser only decodes it.
import { inspectPhoto, workingSize } from "../pkg/cpu/sdic.js";
import { Failure } from "../shared/failure.js";
import { pixels, quantity, say } from "../shared/say.js";
import { readback, roomFor, spaceOf } from "./canvas.js";

/** @import { PhotoHeader, PhotoNote } from "../pkg/cpu/sdic.js" */
/** @import { Quantity, Saying } from "../shared/say.js" */
/** @typedef {Extract<PhotoHeader, { problem: null }>} Opened */
/** @typedef {Exclude<PhotoHeader, { problem: null }>} Refused */

/** Above this nothing is decoded at all; pixels are counted by `inspectPhoto`. */
const MAX_BYTES = 200e6;
/** The smallest side worth editing. */
const MIN_SIDE = 32;
/** What to do to a canvas of the upright size before the stored picture is drawn, by EXIF's numbers. */
const TURNS = [
  [1, 0, 0, 1, 0, 0],
  [-1, 0, 0, 1, 1, 0],
  [-1, 0, 0, -1, 1, 1],
  [1, 0, 0, -1, 0, 1],
  [0, 1, 1, 0, 0, 0],
  [0, 1, -1, 0, 1, 0],
  [0, -1, -1, 0, 1, 1],
  [0, -1, 1, 0, 0, 1],
];

/**
 * As long as a picture is made smaller by no more, the nearest pixels, two in each direction, leave none of it out. To
 * mean over more of them would take as long as to decode it.
 */
const DENSE = 0.6;

/**
 * Decodes a picture upright, with its transparency, in sRGB or Display P3: the canvas's own space. The engine must be
 * ready.
 * @param {Blob} file
 * @param {number} [most] pixels, if the device holds fewer than others
 * @returns {Promise<{ canvas: OffscreenCanvas, notes: Saying[] }>} the pixels, and what the visitor is told
 * @throws {Failure} `not-a-picture`, `unsupported`, `too-large`, `too-small`, `damaged` or `no-pixels`
 */
export async function decode(file, most = Infinity) {
  if (file.size > MAX_BYTES) throw tooLarge(quantity(file.size, "byte"));
  const header = inspectPhoto(file);
  if (header.problem !== null) throw refusal(header);
  const truth = readback();
  if (truth === "hidden") {
    throw new Failure({ code: "no-pixels", message: say("error.noPixels"), hint: say("hint.noPixels") });
  }
  const bitmap = await open(file, header, most);
  try {
    const sideways = header.orientation > 4;
    const [width, height] = sideways ? [bitmap.height, bitmap.width] : [bitmap.width, bitmap.height];
    if (Math.min(width, height) < MIN_SIDE) {
      const message = say("error.tooSmall", { size: pixels({ width, height }) });
      throw new Failure({ code: "too-small", message, hint: say("hint.tooSmall", { side: MIN_SIDE }) });
    }
    const [wide, high] = within(workingSize(width, height), most);
    const context = roomFor(wide, high, header.space);
    const { width: across, height: down } = context.canvas;
    const [a, b, c, d, e, f] = TURNS[header.orientation - 1];
    context.setTransform(a, b, c, d, e * across, f * down);
    context.imageSmoothingQuality = across < DENSE * width ? "high" : "low";
    context.drawImage(bitmap, 0, 0, sideways ? down : across, sideways ? across : down);
    context.resetTransform();
    const planned =
      header.size && !header.unread ? workingSize(...header.size) : workingSize(bitmap.width, bitmap.height);
    if (sideways) planned.reverse();
    const lean = planned[0] * planned[1] > most;
    const notes = notesOn(header, planned, [across, down]).map((note) => sentence(note, lean));
    if (header.hdr) notes.push(say("note.hdr"));
    if (spaceOf(context) !== header.space) notes.push(say("note.narrowed"));
    if (truth === "noisy") notes.push(say("note.noisy"));
    return { canvas: context.canvas, notes };
  } finally {
    bitmap.close();
  }
}

/**
 * A size of the same shape with at most so many pixels.
 * @param {ArrayLike<number>} size
 * @param {number} most
 * @returns {[number, number]}
 */
function within({ 0: width, 1: height }, most) {
  const scale = Math.min(1, Math.sqrt(most / (width * height)));
  return [Math.max(1, Math.floor(width * scale)), Math.max(1, Math.floor(height * scale))];
}

/**
 * @param {Blob} file
 * @param {Opened} header
 * @param {number} most pixels
 */
async function open(file, header, most) {
  /** @type {ImageBitmapOptions} */
  const options = { premultiplyAlpha: "none" };
  if (header.size && !header.unread) {
    const [width, height] = within(workingSize(...header.size), most);
    // What is made a little smaller is so where it is drawn: here it would take longer than to decode it.
    if (width < DENSE * header.size[0])
      Object.assign(options, { resizeWidth: width, resizeHeight: height, resizeQuality: "high" });
  }
  try {
    // A picture whose size is not known beforehand could be of any.
    if (!header.size) throw new Error("unknown size");
    return await createImageBitmap(prepared(file, header), options);
  } catch {
    if (header.unread) {
      const hint = say(header.kind === "HEIC" ? "hint.heic" : "hint.convert");
      throw new Failure({
        code: "unsupported",
        message: say("error.unsupported", { what: { name: header.unread } }),
        hint,
      });
    }
    throw damaged();
  }
}

/**
 * The file as every browser decodes it alike: not turned, and with its end mark.
 * @param {Blob} file
 * @param {Opened} header
 */
function prepared(file, { patches, tail }) {
  /** @type {BlobPart[]} */
  const parts = [];
  let from = 0;
  for (const { at, bytes } of patches) {
    parts.push(file.slice(from, at), Uint8Array.from(bytes));
    from = at + bytes.length;
  }
  return new Blob([...parts, file.slice(from), Uint8Array.from(tail)], { type: file.type });
}

/**
 * What there is to say, with the size that the photo has come to.
 * @param {Opened} header
 * @param {ArrayLike<number>} planned
 * @param {[number, number]} size
 * @returns {PhotoNote[]}
 */
function notesOn({ notes }, planned, size) {
  if (size[0] === planned[0] && size[1] === planned[1]) return notes;
  const reduced = notes.find((note) => note.code === "reduced");
  const others = notes.filter((note) => note !== reduced);
  return [{ code: "reduced", from: reduced?.from ?? [planned[0], planned[1]], to: size }, ...others];
}

/** @param {Refused} header */
function refusal(header) {
  switch (header.problem) {
    case "not-a-picture": {
      const hint = say(header.kind === "film" ? "hint.film" : "hint.another");
      return new Failure({ code: "not-a-picture", message: say(`error.notAPicture.${header.kind}`), hint });
    }
    case "too-large":
      return tooLarge(pixels(header));
    case "damaged":
      return damaged();
  }
}

/** @param {Quantity | Saying} what */
function tooLarge(what) {
  const message = say("error.tooLarge", { what });
  return new Failure({ code: "too-large", message, hint: say("hint.tooLarge", { megapixels: 120 }) });
}

function damaged() {
  return new Failure({ code: "damaged", message: say("error.damaged"), hint: say("hint.damaged") });
}

/**
 * @param {PhotoNote} note
 * @param {boolean} lean whether it is this device that holds fewer pixels
 */
function sentence(note, lean) {
  const megapixels = (/** @type {[number, number]} */ [width, height]) => Math.round((width * height) / 1e6);
  switch (note.code) {
    case "reduced":
      return say(lean ? "note.reducedHere" : "note.reduced", { from: megapixels(note.from), to: megapixels(note.to) });
    case "profileConverted":
      return say("note.profileConverted", { name: note.name });
    case "depthReduced":
      return say("note.depthReduced", { bits: note.bits });
    default:
      return say(`note.${note.code}`);
  }
}
