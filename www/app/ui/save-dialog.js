// The dialog that asks what to save and as what, and saves it.
import { pairLayout } from "../../shared/pair.js";
import { pixels, quantity, say } from "../../shared/say.js";
import { t } from "../../shared/strings.js";
import { canFilm, filmed, videoConfig, videoSize } from "../clip.js";
import { byId, h } from "../dom.js";
import { remember, settings } from "../settings.js";
import { fillRadioGroup } from "./choices.js";
import { ClipForm } from "./clip-form.js";
import { ask } from "./dialogs.js";
import { announce, report } from "./notices.js";

/** @import { Session } from "../session.js" */
/** @import { Encoding, FileType, SaveKind } from "../../shared/protocol.js" */

/** @type {Record<FileType, { name: string, ending: string, lossy: boolean }>} */
const TYPES = {
  "image/png": { name: "PNG", ending: "png", lossy: false },
  "image/jpeg": { name: "JPEG", ending: "jpg", lossy: true },
  "image/webp": { name: "WebP", ending: "webp", lossy: true },
  "image/avif": { name: "AVIF", ending: "avif", lossy: true },
};
export const VIDEO_ENDING = "mp4";
/** How long the quality has to rest before the size is found out, in milliseconds. */
const REST = 250;

/** @typedef {"face" | "photo" | "clip" | "photo-clip"} SaveChoice what is saved: two pictures and two videos */

/** @type {FileType[]} those that this browser writes, as far as it is known */
let types = ["image/png"];
/** Whether the browser's encoder was asked, and writes no videos. */
let refused = false;

/** Finds out which types this browser writes: one that it does not know it writes as PNG, without a word. */
export async function findTypes() {
  const dot = new OffscreenCanvas(1, 1);
  dot.getContext("2d");
  const known = /** @type {FileType[]} */ (Object.keys(TYPES));
  const files = await Promise.all(known.map((type) => dot.convertToBlob({ type }).catch(() => undefined)));
  types = known.filter((type, i) => type === "image/png" || files[i]?.type === type);
}

/**
 * Asks what to save, and saves it.
 * @param {Session} session
 */
export async function openSaveDialog(session) {
  const { photo, pictures } = session;
  if (photo && pictures.edited) await new SaveDialog(session, photo).run();
}

/** The dialog, for once. */
class SaveDialog {
  #dialog = byId("save-dialog", HTMLDialogElement);
  #form = /** @type {HTMLFormElement} */ (this.#dialog.querySelector("form"));
  #slider = /** @type {HTMLInputElement} */ (this.#dialog.querySelector("#save-quality input"));
  #output = /** @type {HTMLOutputElement} */ (this.#dialog.querySelector("#save-quality output"));
  #both = byId("save-both", HTMLInputElement);
  #words = byId("save-words", HTMLInputElement);
  #clip;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #generation = 0;
  /** @type {SaveChoice} */
  #what;
  /** Whether the browser's encoder was asked, and writes videos of the face, but none as large as the photo's. */
  #tooLarge = false;

  /**
   * @param {Session} session
   * @param {import("../photos.js").OpenPhoto} photo
   */
  constructor(session, photo) {
    this.session = session;
    this.photo = photo;
    this.#what = session.hasSurroundings ? "photo" : "face";
    const { type, quality } = settings.encoding;
    this.type = types.includes(type) ? type : "image/png";
    this.quality = quality;
    this.#clip = new ClipForm(session, () => this.#show());
    this.#fill();
  }

  #fill() {
    this.#fillChoices();
    const named = types.map((value) => ({ value, label: TYPES[value].name }));
    fillRadioGroup(byId("save-types", HTMLElement), named, this.type, (value) => {
      this.type = value;
      this.#show();
    });
    this.#both.checked = false;
    for (const box of [this.#both, this.#words]) box.onchange = () => this.#show();
    this.#slider.oninput = () => {
      this.quality = Number(this.#slider.value) / 100;
      this.#show();
    };
  }

  #fillChoices() {
    const { session, photo } = this;
    /** @type {import("./choices.js").Choice<SaveChoice>[]} */
    const choices = [{ value: "face", label: t("save.face", { size: pixels(this.#face) }) }];
    if (session.hasSurroundings) choices.unshift({ value: "photo", label: t("save.photo", { size: pixels(photo) }) });
    const video = canFilm() && !refused;
    if (video && this.#clip.possible) {
      const size = pixels(filmed(videoSize(photo)));
      if (session.hasSurroundings && !this.#tooLarge)
        choices.push({ value: "photo-clip", label: t("clip.photo", { size }) });
      choices.push({ value: "clip", label: t("clip.choice") });
    }
    const none = video ? this.#tooLarge && t("clip.tooLarge") : t("clip.unavailable");
    byId("save-no-clip", HTMLElement).textContent = none || "";
    fillRadioGroup(byId("save-choices", HTMLElement), choices, this.#what, (value) => {
      this.#what = value;
      this.#show();
      if (this.#films) void this.#askEncoder();
    });
  }

  /**
   * Takes the choice of a clip back where the browser has no encoder for one. It is asked when a clip is wanted, and
   * not before: to start the browser's machinery of videos takes time and memory.
   */
  async #askEncoder() {
    const [asked, size] = [this.#what, this.#videoSize];
    if (await videoConfig(size ?? this.#face)) return;
    if (size && (await videoConfig(this.#face))) this.#tooLarge = true;
    else refused = true;
    if (this.#what === asked || (refused && this.#films)) this.#what = this.session.hasSurroundings ? "photo" : "face";
    this.#fillChoices();
    this.#show();
  }

  get #face() {
    return this.session.pictures.edited ?? { width: 0, height: 0 };
  }

  /** Whether a video is chosen. */
  get #films() {
    return this.#what === "clip" || this.#what === "photo-clip";
  }

  /** How large the whole photo is in the video that is chosen; undefined where that is of the face. */
  get #videoSize() {
    return this.#what === "photo-clip" ? videoSize(this.photo) : undefined;
  }

  /** @returns {SaveKind} */
  get #kind() {
    if (this.#what === "photo") return this.#both.checked ? "photo-pair" : "photo";
    return this.#both.checked ? "pair" : "face";
  }

  /** @returns {Encoding} */
  get #encoding() {
    const { type, quality } = this;
    const labelled = this.#both.checked && this.#words.checked;
    return labelled ? { type, quality, words: [t("save.before"), t("save.after")] } : { type, quality };
  }

  #show() {
    const clip = this.#films;
    byId("save-picture", HTMLElement).hidden = clip;
    byId("save-clip", HTMLElement).hidden = !clip;
    byId("save-words-label", HTMLElement).hidden = !this.#both.checked;
    byId("save-quality", HTMLElement).hidden = !TYPES[this.type].lossy;
    this.#slider.value = String(Math.round(100 * this.quality));
    this.#output.value = this.#slider.value;
    const note = this.type === "image/avif" ? t("save.noteAvif") : t("save.note");
    byId("save-note", HTMLElement).textContent = clip ? t("clip.note") : note;
    this.#measure();
  }

  /** Says how large the file becomes: by making it. A clip takes too long for that. */
  #measure() {
    clearTimeout(this.#timer);
    const mine = ++this.#generation;
    const place = byId("save-size", HTMLElement);
    if (this.#films) {
      place.textContent = this.#clip.effort;
      return;
    }
    place.textContent = t("save.measuring");
    this.#timer = setTimeout(async () => {
      try {
        const file = await this.session.save(this.#kind, this.#encoding);
        if (mine === this.#generation) place.textContent = this.#told(quantity(file.size, "byte"));
      } catch {
        if (mine === this.#generation) place.textContent = ""; // why not is said when it is to be saved
      }
    }, REST);
  }

  /** @param {import("../../shared/say.js").Quantity} size */
  #told(size) {
    if (!this.#both.checked) return t("save.size", { size });
    const half = this.#what === "photo" ? this.photo : this.#face;
    return t("save.sizePair", { size, pixels: pixels(pairLayout(half, this.#words.checked)) });
  }

  /** Asks and saves. */
  async run() {
    const { session } = this;
    this.#form.onsubmit = (event) => {
      const { submitter } = event;
      if (!this.#films || !(submitter instanceof HTMLButtonElement) || submitter.value !== "save") return;
      event.preventDefault(); // the dialog tells how far the clip is
      void this.#film();
    };
    // Another photo may be dropped or pasted meanwhile: this was not asked about it.
    const close = () => this.#dialog.close();
    session.addEventListener("photo", close, { once: true });
    this.#show();
    const answer = await ask(this.#dialog);
    session.removeEventListener("photo", close);
    clearTimeout(this.#timer);
    this.#generation++;
    if (answer !== "save") return;
    const { type, quality } = this;
    remember({ encoding: { type, quality } });
    try {
      const file = await session.save(this.#kind, this.#encoding);
      const name = fileName(this.photo.name, type, this.#both.checked ? t("save.pairSuffix") : undefined);
      download(file, name);
      session.noteSaved(file);
    } catch (thrown) {
      report(thrown);
    }
  }

  /** Makes the clip while the dialog is open; closing it cancels that. */
  async #film() {
    const cancel = new AbortController();
    const end = () => cancel.abort();
    const [options, save] = [byId("save-options", HTMLFieldSetElement), byId("save-file", HTMLButtonElement)];
    const off = (/** @type {boolean} */ making) => {
      options.disabled = save.disabled = making;
    };
    this.#dialog.addEventListener("close", end);
    off(true);
    byId("save-cancel", HTMLButtonElement).focus(); // what had the focus can no longer be pressed
    const file = await this.#clip.make(this.#videoSize, cancel.signal);
    this.#dialog.removeEventListener("close", end);
    off(false);
    if (!file) return;
    this.#dialog.close("clip");
    download(file, baseName(this.photo.name, VIDEO_ENDING));
  }
}

/**
 * @param {Blob} file
 * @param {string} name
 */
export function download(file, name) {
  const link = h("a", { href: URL.createObjectURL(file), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  announce(say("save.saved", { name }));
}

/**
 * @param {string} name of the photo's file
 * @param {FileType} [type]
 * @param {string} [more] what else to say of it
 */
export function fileName(name, type = "image/png", more) {
  return baseName(name, TYPES[type].ending, more);
}

/**
 * @param {string} name of the photo's file
 * @param {string} ending
 * @param {string} [more]
 */
export function baseName(name, ending, more) {
  const base = name.replace(/\.\w{2,5}$/, "") || "portrait";
  return `${[base, "sdic", ...(more ? [more] : [])].join("-")}.${ending}`;
}
