// The dialogs: engine, camera, manual alignment, about.

import { forgetModel, keptBytes } from "../../shared/cache.js";
import { Failure } from "../../shared/failure.js";
import { onUse } from "../../shared/on-use.js";
import { pixels, quantity, say } from "../../shared/say.js";
import { spoken, t } from "../../shared/strings.js";
import { COMPILING } from "../build.js";
import { cameraStream, endStream, noCamera } from "../camera.js";
import { compilation } from "../compiling.js";
import { byId, h } from "../dom.js";
import { kept } from "../own.js";
import { remember, settings } from "../settings.js";
import { AlignTool } from "./align-tool.js";
import { fillRadioGroup } from "./choices.js";
import { notice, report } from "./notices.js";

/** @import { PageEngine } from "../engine.js" */
/** @import { Session } from "../session.js" */
/** @import { SliderSearch } from "../slider-search.js" */
/** @import { Backend, Quad, Tuning } from "../../shared/types.js" */

/** What is told beside all else: elements of the page by id. */
const NEWS = ["opening", "notices", "status", "drop"];

/** @type {HTMLDialogElement[]} those that are open, the uppermost last */
const stack = [];

/** Brings what the page has to say into the uppermost dialog: outside it nothing can be seen, heard or pressed. */
function raiseNews() {
  (stack.at(-1) ?? document.body).append(...NEWS.map((id) => byId(id, HTMLElement)));
}

/**
 * Opens a dialog and resolves with the value of the button that closed it.
 * @param {HTMLDialogElement} dialog
 * @returns {Promise<string>}
 */
export function ask(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  stack.push(dialog);
  raiseNews();
  return new Promise((resolve) => {
    const closed = () => {
      stack.splice(stack.indexOf(dialog), 1);
      raiseNews();
      resolve(dialog.returnValue);
    };
    dialog.addEventListener("close", closed, { once: true });
  });
}

/**
 * Where the work is done, and how fast that was.
 * @param {PageEngine} engine
 * @param {SliderSearch} search
 * @param {() => void} onChange called after another backend was chosen
 */
export function openEngineDialog(engine, search, onChange) {
  showEngine(engine, onChange);
  const shown = () => showEngine(engine, onChange);
  if (!engine.adapter) engine.addEventListener("adapter", shown, { once: true });
  if (COMPILING) {
    const dialog = byId("engine-dialog", HTMLDialogElement);
    compilation.addEventListener("change", shown);
    dialog.addEventListener("close", () => compilation.removeEventListener("change", shown), { once: true });
  }
  // Until it is known which models there are now, none are offered: one of the last time may be gone.
  byId("own-choices", HTMLElement).replaceChildren();
  void onUse(() => import("./own-models.js"), say("own.title"))
    .then(({ showModels }) => showModels(search, onChange))
    .catch(report);
  void ask(byId("engine-dialog", HTMLDialogElement));
}

/** Of the engine that is still compiled. */
function compiledShare() {
  const { done, total } = compilation;
  return quantity(total ? Math.floor((100 * done) / total) / 100 : 0, "percent");
}

/**
 * Which kernels a graphics card runs, and how fast.
 * @param {Tuning} tuning
 */
function kernels({ classes }) {
  const measured = classes.filter(({ rates }) => rates.length > 0);
  const told = measured.map(({ name, rates, tiling }) =>
    t("engine.kernel", {
      name: t(/** @type {"engine.kernel.plain"} */ (`engine.kernel.${name}`)),
      rate: quantity(Math.round(rates[tiling] ?? 0), "digits"),
      number: tiling + 1,
      of: rates.length,
    }),
  );
  return told.join("; ");
}

/**
 * @param {PageEngine} engine
 * @param {() => void} onChange
 */
function showEngine(engine, onChange) {
  const { adapter, status } = engine;
  const { info } = status;
  const gpuHint = {
    real: t("engine.gpuHint", { name: adapter?.name ?? "" }),
    software: t("engine.softwareHint", { name: adapter?.name ?? "" }),
    none: t("engine.gpuNone"),
    unknown: t("engine.gpuAsked"),
  }[adapter?.kind ?? "unknown"];
  const gpuLabel = adapter?.kind === "software" ? t("engine.software") : t("engine.webgpu");
  const measured = (/** @type {Backend} */ backend, /** @type {string} */ hint) => {
    const timing = settings.timings[engine.timingKey(backend)];
    if (!timing?.inversion) return hint;
    const inversion = quantity(timing.inversion, "second");
    if (!timing.edit) return t("engine.estimateFirst", { hint, inversion });
    return t("engine.estimate", { hint, inversion, edit: quantity(timing.edit, "second") });
  };
  fillRadioGroup(
    byId("engine-choices", HTMLElement),
    [
      { value: "auto", label: t("engine.auto"), hint: t("engine.autoHint") },
      {
        value: "webgpu",
        label: gpuLabel,
        hint: COMPILING ? t("engine.gpuCompiling", { share: compiledShare() }) : measured("webgpu", gpuHint),
        disabled: COMPILING || (adapter?.kind ?? "none") === "none",
      },
      { value: "cpu", label: t("engine.cpu"), hint: measured("cpu", t("engine.cpuHint")) },
    ],
    settings.backend,
    (backend) => {
      remember({ backend });
      byId("engine-dialog", HTMLDialogElement).close();
      onChange();
    },
    { weighty: true },
  );
  byId("engine-now", HTMLElement).textContent = info
    ? t("engine.now", {
        backend: t(`engine.${info.backend}`),
        adapter: info.adapter,
        count: info.threads,
        error: quantity(info.selfTestError, "scientific"),
      })
    : t("engine.idle");
  const tuning = info?.backend === "webgpu" ? settings.tunings[info.adapter] : undefined;
  byId("engine-kernels", HTMLElement).textContent = tuning ? t("engine.kernels", { kernels: kernels(tuning) }) : "";
  const unmeasured = !info || !settings.timings[engine.timingKey(info.backend)];
  byId("engine-estimate", HTMLElement).textContent = unmeasured ? t("engine.noEstimate") : "";
}

/**
 * Takes a photo with the camera.
 * @returns {Promise<Blob | undefined>} undefined when the visitor thought better of it
 */
export async function openCamera() {
  const video = byId("camera-video", HTMLVideoElement);
  /** @type {MediaStream | undefined} */
  let stream;
  try {
    stream = await cameraStream(1920);
    video.srcObject = stream;
    await video.play();
    if ((await ask(byId("camera-dialog", HTMLDialogElement))) !== "take") return undefined;
    const frame = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    frame.getContext("2d")?.drawImage(video, 0, 0);
    return await frame.convertToBlob({ type: "image/png" });
  } catch (thrown) {
    report(noCamera(thrown));
    return undefined;
  } finally {
    video.srcObject = null;
    endStream(stream);
  }
}

/**
 * Lets the visitor place the face by hand. The square or frame that is used is that of the points as they are, in the
 * photo they were placed on.
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
  for (const type of ["photo", "cut"]) session.addEventListener(type, close);
  const answer = await ask(dialog);
  for (const type of ["photo", "cut"]) session.removeEventListener(type, close);
  if (answer === "use" && quad) await session.use(geometry.photo, quad, undefined);
}

/**
 * Shows what the model's author wrote about it, in the author's words.
 * @param {HTMLElement} place
 * @param {PageEngine} engine
 */
function showModel(place, { model }) {
  place.replaceChildren();
  if (!model) return;
  const { title, outputWidth: width, outputHeight: height, provenance, licence, modelCard } = model;
  const lacks = model.inverts ? "own.plain" : "own.draws";
  place.append(
    h("p", { lang: "en" }, h("strong", {}, title)),
    h("p", {}, t("about.modelSize", { size: pixels({ width, height }) })),
    ...(model.compensates ? [] : [h("p", {}, t(lacks))]),
    h("p", { lang: "en" }, provenance),
    h("p", {}, t("about.licence", { licence })),
  );
  if (modelCard && settings.model === "bundled") place.append(card(`weights/${modelCard}`));
}

/**
 * The model card, folded; loaded when it is unfolded.
 * @param {string} url
 */
function card(url) {
  const text = h("pre", { tabIndex: 0, lang: "en" });
  const details = h("details", {}, h("summary", {}, t("about.card")), text);
  const load = async () => {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) text.textContent = await response.text();
    else report(new Failure({ code: "network", message: say("error.offline", { file: url }) }));
  };
  details.addEventListener("toggle", () => void load(), { once: true });
  return details;
}

/**
 * The panel about the page and the model, which also shows what is stored.
 * @param {PageEngine} engine
 */
export function startAbout(engine) {
  const dialog = byId("about-dialog", HTMLDialogElement);
  const remove = byId("about-remove", HTMLButtonElement);
  const model = byId("about-model", HTMLElement);

  /** @type {number | undefined} until they are counted */
  let bytes;

  function showBytes() {
    const size = bytes === undefined ? undefined : quantity(bytes, "byte");
    byId("about-storage", HTMLElement).textContent = size ? t("about.storage", { size }) : "";
    remove.hidden = !bytes;
  }

  async function showSize() {
    bytes = (await keptBytes()) + ((await (await kept())?.leftOverBytes()) ?? 0);
    showBytes();
  }

  remove.addEventListener("click", async () => {
    await forgetModel();
    await (await kept())?.sweepOwnModels();
    await showSize();
    notice(say("about.removed"));
  });
  byId("about-button", HTMLButtonElement).addEventListener("click", () => {
    showModel(model, engine);
    void ask(dialog);
    void showSize();
  });
  spoken(() => {
    showModel(model, engine);
    showBytes();
  });
}
