// The dialog that asks what to save and as what, and saves it.
import { pixels, quantity, say } from "../../shared/say.js";
import { t } from "../../shared/strings.js";
import { byId, h } from "../dom.js";
import { remember, settings } from "../settings.js";
import { fillRadioGroup } from "./choices.js";
import { ask } from "./dialogs.js";
import { announce, report } from "./notices.js";

/** @import { Session } from "../session.js" */
/** @import { Encoding, FileType, SaveKind } from "../../shared/protocol.js" */

/** @type {Record<FileType, { name: string, ending: string, lossy: boolean }>} */
const TYPES = {
  "image/png": { name: "PNG", ending: "png", lossy: false },
  "image/jpeg": { name: "JPEG", ending: "jpg", lossy: true },
  "image/webp": { name: "WebP", ending: "webp", lossy: true },
};
/** How long the quality has to rest before the size is found out, in milliseconds. */
const REST = 250;

/**
 * The types that this browser writes: one that it does not know it writes as PNG.
 * @returns {FileType[]}
 */
function writable() {
  const dot = h("canvas", { width: 1, height: 1 });
  const types = /** @type {FileType[]} */ (Object.keys(TYPES));
  return types.filter((type) => dot.toDataURL(type).startsWith(`data:${type}`));
}

/**
 * Asks what to save, and saves it.
 * @param {Session} session
 */
export async function openSaveDialog(session) {
  const { photo, pictures } = session;
  if (!photo || !pictures.edited) return;
  const dialog = byId("save-dialog", HTMLDialogElement);
  const [slider, output] = [
    /** @type {HTMLInputElement} */ (dialog.querySelector("#save-quality input")),
    /** @type {HTMLOutputElement} */ (dialog.querySelector("#save-quality output")),
  ];
  const types = writable();
  /** @type {SaveKind} */
  let what = session.hasSurroundings ? "photo" : "face";
  let { type, quality } = settings.encoding;
  if (!types.includes(type)) type = "image/png";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let generation = 0;

  /** Says how large the file becomes: by making it. */
  function measure() {
    clearTimeout(timer);
    const mine = ++generation;
    const size = byId("save-size", HTMLElement);
    size.textContent = t("save.measuring");
    timer = setTimeout(async () => {
      try {
        const file = await session.save(what, { type, quality });
        if (mine === generation) size.textContent = t("save.size", { size: quantity(file.size, "byte") });
      } catch {
        if (mine === generation) size.textContent = ""; // why not is said when it is to be saved
      }
    }, REST);
  }

  function show() {
    byId("save-quality", HTMLElement).hidden = !TYPES[type].lossy;
    slider.value = String(Math.round(100 * quality));
    output.value = slider.value;
    measure();
  }

  const size = pixels(pictures.edited);
  /** @type {import("./choices.js").Choice<SaveKind>[]} */
  const choices = [
    { value: "face", label: t("save.face", { size }) },
    { value: "pair", label: t("save.pair") },
  ];
  if (session.hasSurroundings) choices.unshift({ value: "photo", label: t("save.photo", { size: pixels(photo) }) });
  fillRadioGroup(byId("save-choices", HTMLElement), choices, what, (value) => {
    what = value;
    measure();
  });
  const named = types.map((value) => ({ value, label: TYPES[value].name }));
  fillRadioGroup(byId("save-types", HTMLElement), named, type, (value) => {
    type = value;
    show();
  });
  slider.oninput = () => {
    quality = Number(slider.value) / 100;
    show();
  };
  show();
  // Another photo may be dropped or pasted meanwhile: this was not asked about it.
  const close = () => dialog.close();
  session.addEventListener("photo", close, { once: true });
  const answer = await ask(dialog);
  session.removeEventListener("photo", close);
  clearTimeout(timer);
  generation++;
  if (answer !== "save") return;
  /** @type {Encoding} */
  const encoding = { type, quality };
  remember({ encoding });
  try {
    const name = fileName(photo.name, type);
    const link = h("a", { href: URL.createObjectURL(await session.save(what, encoding)), download: name });
    link.click();
    session.noteSaved(what);
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    announce(say("save.saved", { name }));
  } catch (thrown) {
    report(thrown);
  }
}

/**
 * @param {string} name of the photo's file
 * @param {FileType} [type]
 */
export function fileName(name, type = "image/png") {
  return `${name.replace(/\.\w{2,5}$/, "") || "portrait"}-sdic.${TYPES[type].ending}`;
}
