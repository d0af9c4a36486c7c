// The dialogs: engine, saving, camera, manual alignment, about.

import { forgetModel, keptBytes } from "../../shared/cache.js";
import { Failure } from "../../shared/failure.js";
import { leftOverBytes, ownModel, removeOwnModel, sweepOwnModels } from "../../shared/own-model.js";
import { formatBytes, formatSeconds, t } from "../../shared/strings.js";
import { byId, h } from "../dom.js";
import { remember, settings } from "../settings.js";
import { AlignTool } from "./align-tool.js";
import { announce, notice, report } from "./notices.js";
import { fillRadioGroup } from "./radio-group.js";

/** @import { Engine } from "../engine.js" */
/** @import { Session } from "../session.js" */
/** @import { SaveKind } from "../../shared/protocol.js" */
/** @import { Backend, Quad } from "../../shared/types.js" */

/**
 * Opens a dialog and resolves with the value of the button that closed it.
 * @param {HTMLDialogElement} dialog
 * @returns {Promise<string>}
 */
function ask(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

/**
 * Where the work is done, and how fast that was.
 * @param {Engine} engine
 * @param {() => void} onChange called after another backend was chosen
 */
export function openEngineDialog(engine, onChange) {
  const { adapter, status } = engine;
  const { info } = status;
  const gpuHint = {
    real: t("engine.gpuHint", { name: adapter?.name ?? "" }),
    software: t("engine.softwareHint", { name: adapter?.name ?? "" }),
    none: t("engine.gpuNone"),
  }[adapter?.kind ?? "none"];
  const gpuLabel = adapter?.kind === "software" ? t("engine.software") : t("engine.webgpu");
  const measured = (/** @type {Backend} */ backend, /** @type {string} */ hint) => {
    const timing = settings.timings[engine.timingKey(backend)];
    if (!timing?.inversion) return hint;
    return t("engine.estimate", {
      hint,
      inversion: formatSeconds(timing.inversion),
      edit: timing.edit ? formatSeconds(timing.edit) : "…",
    });
  };
  fillRadioGroup(
    byId("engine-choices", HTMLElement),
    [
      { value: "auto", label: t("engine.auto"), hint: t("engine.autoHint") },
      {
        value: "webgpu",
        label: gpuLabel,
        hint: measured("webgpu", gpuHint),
        disabled: (adapter?.kind ?? "none") === "none",
      },
      { value: "cpu", label: t("engine.cpu"), hint: measured("cpu", t("engine.cpuHint")) },
    ],
    settings.backend,
    (backend) => {
      remember({ backend });
      byId("engine-dialog", HTMLDialogElement).close();
      onChange();
    },
  );
  const device =
    info && info.threads > 1
      ? t("engine.threads", { adapter: info.adapter, threads: info.threads })
      : (info?.adapter ?? "");
  byId("engine-now", HTMLElement).textContent = info
    ? t("engine.now", {
        backend: t(`engine.${info.backend}`),
        adapter: device,
        error: info.selfTestError.toExponential(1),
      })
    : t("engine.idle");
  const unmeasured = !info || !settings.timings[engine.timingKey(info.backend)];
  byId("engine-estimate", HTMLElement).textContent = unmeasured ? t("engine.noEstimate") : "";
  void showModels(onChange);
  void ask(byId("engine-dialog", HTMLDialogElement));
}

/**
 * Offers the models there are.
 * @param {() => void} onChange called after another one was chosen
 */
async function showModels(onChange) {
  const own = await ownModel();
  const use = (/** @type {"bundled" | "own"} */ model) => {
    remember({ model });
    byId("engine-dialog", HTMLDialogElement).close();
    onChange();
  };
  /** @type {import("./radio-group.js").Choice<"bundled" | "own">[]} */
  const choices = [{ value: "bundled", label: t("own.bundled"), hint: t("own.bundledHint") }];
  if (own)
    choices.push({ value: "own", label: own.title, hint: t("own.storedHint", { size: formatBytes(own.bytes) }) });
  fillRadioGroup(byId("own-choices", HTMLElement), choices, settings.model, use);
  const remove = byId("own-remove", HTMLButtonElement);
  remove.hidden = !own;
  remove.onclick = async () => {
    await removeOwnModel();
    notice(t("own.removed"));
    if (settings.model === "own") use("bundled");
    else await showModels(onChange);
  };
}

/**
 * Asks what to save, and saves it.
 * @param {Session} session
 */
export async function openSaveDialog(session) {
  const { photo, pictures } = session;
  if (!photo || !pictures.edited) return;
  /** @type {SaveKind} */
  let what = session.hasSurroundings ? "photo" : "face";
  const size = pixels(pictures.edited);
  /** @type {import("./radio-group.js").Choice<SaveKind>[]} */
  const choices = [
    { value: "face", label: t("save.face", { size }) },
    { value: "pair", label: t("save.pair") },
  ];
  if (session.hasSurroundings) choices.unshift({ value: "photo", label: t("save.photo", { size: pixels(photo) }) });
  fillRadioGroup(byId("save-choices", HTMLElement), choices, what, (value) => (what = value));
  if ((await ask(byId("save-dialog", HTMLDialogElement))) !== "save") return;
  try {
    const name = fileName(photo.name);
    const link = h("a", { href: URL.createObjectURL(await session.save(what)), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    announce(t("save.saved", { name }));
  } catch (thrown) {
    report(thrown);
  }
}

/** @param {{ width: number, height: number }} picture */
function pixels({ width, height }) {
  return t("pixels", { width, height });
}

/** @param {string} name of the photo's file */
export function fileName(name) {
  return `${name.replace(/\.\w{2,5}$/, "") || "portrait"}-sdic.png`;
}

/**
 * Takes a photo with the camera.
 * @returns {Promise<Blob | undefined>} undefined when the visitor thought better of it
 */
export async function openCamera() {
  const video = byId("camera-video", HTMLVideoElement);
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "user", width: { ideal: 1920 } },
      audio: false,
    });
  } catch (thrown) {
    report(new Failure({ code: "camera", message: t("camera.denied", { reason: Failure.from(thrown).message }) }));
    return undefined;
  }
  try {
    video.srcObject = stream;
    await video.play();
    if ((await ask(byId("camera-dialog", HTMLDialogElement))) !== "take") return undefined;
    const frame = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    frame.getContext("2d")?.drawImage(video, 0, 0);
    return await frame.convertToBlob({ type: "image/png" });
  } finally {
    video.srcObject = null;
    for (const track of stream.getTracks()) track.stop();
  }
}

/**
 * Lets the visitor place the face by hand. The square that is used is that of the points as they are, in the photo
 * they were placed on.
 * @param {Session} session
 */
export async function openAlignDialog(session) {
  const dialog = byId("align-dialog", HTMLDialogElement);
  const form = byId("align-form", HTMLFormElement);
  const tool = byId("align", AlignTool);
  if (!session.photo || dialog.open) return;
  const geometry = session.geometry();
  tool.show(geometry, session.quad, session.face?.quadPoints);
  /** @type {Quad | undefined} */
  let quad;
  form.onsubmit = async (event) => {
    const { submitter } = event;
    if (!(submitter instanceof HTMLButtonElement) || submitter.value !== "use") return;
    event.preventDefault();
    quad = await tool.settled();
    if (quad) dialog.close("use");
  };
  const close = () => dialog.close();
  session.addEventListener("photo", close, { once: true });
  const answer = await ask(dialog);
  session.removeEventListener("photo", close);
  if (answer === "use" && quad) await session.use(geometry.photo, quad, undefined);
}

/**
 * The model card, folded.
 * @param {string} url
 */
async function card(url) {
  const response = await fetch(url).catch(() => undefined);
  const text = response?.ok ? await response.text() : t("error.offline", { file: url });
  return h("details", {}, h("summary", {}, t("about.card")), h("pre", { tabIndex: 0 }, text));
}

/**
 * @param {Engine} engine
 */
export async function openAboutDialog(engine) {
  const { model } = engine;
  const about = byId("about-model", HTMLElement);
  about.replaceChildren();
  if (model) {
    const { title, outputWidth: width, outputHeight: height, provenance, licence, modelCard } = model;
    about.append(
      h("p", {}, h("strong", {}, title), `, ${pixels({ width, height })}. ${provenance}`),
      h("p", {}, t("about.licence", { licence })),
    );
    if (modelCard && settings.model === "bundled") about.append(await card(`weights/${modelCard}`));
  }
  const remove = byId("about-remove", HTMLButtonElement);
  const showSize = async () => {
    const bytes = (await keptBytes()) + (await leftOverBytes());
    byId("about-storage", HTMLElement).textContent = t("about.storage", { size: formatBytes(bytes) });
    remove.hidden = bytes === 0;
  };
  remove.onclick = async () => {
    await forgetModel();
    await sweepOwnModels();
    await showSize();
    notice(t("about.removed"));
  };
  await showSize();
  await ask(byId("about-dialog", HTMLDialogElement));
}
