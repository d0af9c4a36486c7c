// Wires the page together: input, session, controls, engine.
import { byId, icon } from "./dom.js";
import { Engine } from "./engine.js";
import { Session } from "./session.js";
import { remember, settings } from "./settings.js";
import { Failure } from "../shared/failure.js";
import { RemoteWorker } from "../shared/rpc.js";
import { formatBytes, formatSeconds, t } from "../shared/strings.js";
import { fileName, openAboutDialog, openAlignDialog, openCamera, openEngineDialog, openSaveDialog } from "./ui/dialogs.js";
import { announce, notice, report } from "./ui/notices.js";
import { SliderPanel } from "./ui/slider-panel.js";
import { showStage, startStage } from "./ui/stage.js";
import { showSamples } from "./ui/samples.js";
import { askToPersist, keepForOffline } from "./offline.js";

/** @import { StringKey } from "../shared/strings.js" */

for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(/** @type {StringKey} */ (element.getAttribute("data-t")));
for (const element of document.querySelectorAll("[data-label]")) {
  const label = t(/** @type {StringKey} */ (element.getAttribute("data-label")));
  element.setAttribute("aria-label", label);
  if (element instanceof HTMLButtonElement) element.title = label;
}
for (const element of document.querySelectorAll("[data-icon]")) element.prepend(icon(/** @type {string} */ (element.getAttribute("data-icon"))));

const engine = new Engine();
const session = new Session(engine);
const stage = startStage(session);
const sliders = byId("sliders", SliderPanel);
const button = (/** @type {string} */ id) => byId(id, HTMLButtonElement);

// ---- Input

const picker = byId("file", HTMLInputElement);
const drop = byId("drop", HTMLElement);

/**
 * @param {Blob} file
 * @param {{ name?: string, aligned?: boolean }} [about]
 */
function open(file, { name = file instanceof File ? file.name : "photo.png", aligned } = {}) {
  void session.open(file, { name, aligned });
}

/** @param {DataTransfer | null} data */
function openFrom(data) {
  const file = [...(data?.files ?? [])].find(({ type }) => type.startsWith("image/")) ?? data?.files[0];
  if (file && /\.(pt|pth)$/i.test(file.name)) void convert(file);
  else if (file) open(file);
  else report(new Failure({ code: "no-image", message: t("error.noImage"), hint: t("hint.another") }));
}

for (const id of ["choose", "new-photo"]) button(id).addEventListener("click", () => picker.click());
picker.addEventListener("change", () => {
  if (picker.files?.[0]) open(picker.files[0]);
  picker.value = "";
});
button("camera").hidden = !navigator.mediaDevices;
button("camera").addEventListener("click", async () => {
  const shot = await openCamera();
  if (shot) open(shot, { name: "camera.png" });
});

const panel = byId("panel", HTMLElement);

/**
 * Whether what is dragged is meant for the panel: files over it that are no pictures.
 * @param {DragEvent} event
 */
function forPanel({ target, dataTransfer }) {
  const items = [...(dataTransfer?.items ?? [])];
  return target instanceof Node && panel.contains(target) && !items.some(({ type }) => type.startsWith("image/"));
}

addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  drop.hidden = forPanel(event);
  panel.classList.toggle("dropping", drop.hidden);
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget !== null) return;
  drop.hidden = true;
  panel.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  drop.hidden = true;
  panel.classList.remove("dropping");
  if (event.dataTransfer && forPanel(event)) void session.addDirections([...event.dataTransfer.files]);
  else openFrom(event.dataTransfer);
});
addEventListener("paste", (event) => openFrom(event.clipboardData));

// ---- Session

let waitedForModel = false;

session.addEventListener("photo", () => {
  document.body.dataset.view = "work";
  byId("start", HTMLElement).hidden = true;
  byId("work", HTMLElement).hidden = false;
  button("new-photo").hidden = false;
  byId("work-title", HTMLElement).focus();
  waitedForModel = engine.status.state !== "ready";
});
session.addEventListener("step", (event) => {
  const { stage: name, seconds } = /** @type {CustomEvent} */ (event).detail;
  if (name === "model") waitedForModel = true;
  showStage(name, { waitsForModel: waitedForModel, timingKey: engine.timingKey() });
  if (seconds !== undefined) announce(t("stage.done", { seconds: formatSeconds(seconds) }));
  if (seconds !== undefined) void askToPersist();
  showControls();
});
engine.addEventListener("stage", (event) => {
  showStage(/** @type {CustomEvent} */ (event).detail.stage, { waitsForModel: waitedForModel, timingKey: engine.timingKey() });
});
session.addEventListener("need-crop", () => {
  showStage(undefined);
  void openAlignDialog(session);
});
session.addEventListener("notice", (event) => notice(/** @type {CustomEvent} */ (event).detail));
session.addEventListener("failure", (event) => {
  const failure = /** @type {CustomEvent<Failure>} */ (event).detail;
  const retry = { label: t("retry"), run: () => void session.restartEngine() };
  report(failure, ["network", "gone"].includes(failure.code) ? retry : undefined);
});
for (const type of ["sliders", "picture", "edited"]) session.addEventListener(type, showControls);
session.addEventListener("sliders", () => (sliders.strengths = session.strengths));

/** Brings buttons and timing in line with what can be done. */
function showControls() {
  const { inversion, edit } = session.timing;
  sliders.disabled = !session.inverted;
  for (const id of ["save", "copy", "share"]) button(id).disabled = !session.inverted;
  button("undo").disabled = !session.inverted || !session.canUndo;
  button("redo").disabled = !session.inverted || !session.canRedo;
  button("reset-all").disabled = !session.inverted || Object.keys(session.strengths).length === 0;
  byId("timing", HTMLElement).textContent =
    inversion === undefined
      ? ""
      : edit === undefined
        ? t("edit.timingFirst", { inversion: formatSeconds(inversion) })
        : t("edit.timing", { inversion: formatSeconds(inversion), edit: formatSeconds(edit) });
}

sliders.addEventListener("strengths", (event) => {
  const { changes, moving } = /** @type {CustomEvent} */ (event).detail;
  session.set(changes, { moving });
});
button("undo").addEventListener("click", () => session.undo());
button("redo").addEventListener("click", () => session.redo());
button("reset-all").addEventListener("click", () => session.resetAll());
button("adjust").addEventListener("click", () => void openAlignDialog(session));
button("align-turn").addEventListener("click", () => {
  byId("align-dialog", HTMLDialogElement).close("turn");
  void session.turnPhoto();
});

// ---- The visitor's own directions

const directionFiles = byId("direction-files", HTMLInputElement);
button("add-direction").addEventListener("click", () => directionFiles.click());
directionFiles.addEventListener("change", () => {
  void session.addDirections([...(directionFiles.files ?? [])]);
  directionFiles.value = "";
});
sliders.addEventListener("remove", (event) => {
  const own = /** @type {CustomEvent} */ (event).detail;
  void session.removeDirections(own);
  const undo = { label: t("edit.undo"), run: () => void session.addDirections([own.file]) };
  notice(t("direction.removed", { file: own.file.name }), { action: undo });
  button("add-direction").focus();
});
session.addEventListener("directions", () => {
  sliders.own = session.ownFiles;
  sliders.strengths = session.strengths;
  showControls();
});

// ---- Output

button("save").addEventListener("click", () => void openSaveDialog(session));
button("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": session.save(stage.extent) })]);
    notice(t("save.copied"));
  } catch (thrown) {
    notice(t("save.copyFailed", { reason: Failure.from(thrown).message }), { kind: "failure" });
  }
});
button("share").hidden = !navigator.canShare?.({ files: [new File([], "a.png", { type: "image/png" })] });
button("share").addEventListener("click", async () => {
  try {
    const file = new File([await session.save(stage.extent)], fileName(session.photo?.name ?? ""), { type: "image/png" });
    await navigator.share({ files: [file] });
  } catch (thrown) {
    if (!(thrown instanceof DOMException && thrown.name === "AbortError")) report(thrown);
  }
});

// ---- Engine

const dot = button("engine-button");
const bar = byId("model-bar", HTMLElement);
const barProgress = byId("model-progress", HTMLProgressElement);

/**
 * @param {string} text
 * @param {number} value
 * @param {number} max
 */
function showBar(text, value, max) {
  bar.hidden = false;
  byId("model-text", HTMLElement).textContent = text;
  [barProgress.max, barProgress.value] = [max, value];
}

engine.addEventListener("manifest", () => {
  const { manifest } = engine;
  if (!manifest) return;
  sliders.directions = manifest.directions;
  sliders.strengths = session.strengths;
  showControls();
});
engine.addEventListener("status", () => {
  const { state, info, progress, failure } = engine.status;
  const percent = progress ? Math.floor((100 * progress.loaded) / progress.total) : 0;
  const backend = info ? (info.backend === "webgpu" && engine.adapter?.kind === "software" ? t("engine.software") : t(`engine.${info.backend}`)) : "";
  const label = t(`engine.${state}`, { percent, backend });
  dot.dataset.state = state;
  byId("engine-label", HTMLElement).textContent = label;
  dot.setAttribute("aria-label", t("engine.button", { state: label }));
  bar.hidden = state !== "loading" || !progress;
  if (progress && state === "loading") {
    const sizes = { loaded: formatBytes(progress.loaded), total: formatBytes(progress.total) };
    const fromCache = progress.cached === progress.loaded;
    const left = progress.secondsLeft === undefined ? "" : `, ${t("model.left", { seconds: formatSeconds(progress.secondsLeft) })}`;
    showBar(t(fromCache ? "model.cached" : "model.progress", sizes) + left, progress.loaded, progress.total);
  }
  if (state === "ready") announce(t("model.ready"));
  if (failure) report(failure, { label: t("retry"), run: () => void session.restartEngine() });
});
engine.addEventListener("notice", (event) => notice(/** @type {CustomEvent} */ (event).detail));
button("engine-button").addEventListener("click", () => openEngineDialog(engine, () => void session.restartEngine()));
button("about-button").addEventListener("click", () => void openAboutDialog(engine));

// ---- The authors' weights

const checkpoint = byId("checkpoint", HTMLInputElement);
button("own-import").addEventListener("click", () => checkpoint.click());
checkpoint.addEventListener("change", () => {
  if (checkpoint.files?.[0]) void convert(checkpoint.files[0]);
  checkpoint.value = "";
});

/**
 * Converts a checkpoint and goes on with it.
 * @param {File} file
 */
async function convert(file) {
  byId("engine-dialog", HTMLDialogElement).close();
  const worker = new RemoteWorker(new URL("../workers/convert.js", import.meta.url), {
    onEvent: (_, { done, total }) => showBar(t("own.progress", { percent: Math.floor((100 * done) / total) }), done, total),
  });
  showBar(t("own.progress", { percent: 0 }), 0, 1);
  try {
    await worker.call("convert", file);
    remember({ model: "own" });
    notice(t("own.done"));
    await session.restartEngine();
  } catch (thrown) {
    report(thrown);
  } finally {
    worker.stop();
    bar.hidden = engine.status.state !== "loading";
  }
}

// ---- Theme and keys

const THEMES = /** @type {const} */ (["system", "light", "dark"]);

function showTheme() {
  const { theme } = settings;
  document.documentElement.dataset.theme = theme;
  const label = t("top.theme", { theme: t(`theme.${theme}`) });
  button("theme-button").setAttribute("aria-label", label);
  button("theme-button").title = label;
}
button("theme-button").addEventListener("click", () => {
  remember({ theme: THEMES[(THEMES.indexOf(settings.theme) + 1) % THEMES.length] });
  showTheme();
});
showTheme();

addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (document.querySelector("dialog[open]") || !session.photo) return;
  const command = event.ctrlKey || event.metaKey;
  /** @type {Record<string, () => void>} */
  const commands = {
    z: () => (event.shiftKey ? session.redo() : session.undo()),
    y: () => session.redo(),
    s: () => void openSaveDialog(session),
  };
  /** @type {Record<string, () => void>} */
  const keys = { c: stage.toggleCompare, b: () => stage.hold(true) };
  stage.views.forEach((view, i) => (keys[i + 1] = () => session.pictures[view] && stage.choose(view)));
  const typing = target instanceof HTMLSelectElement;
  const action = command ? commands[key.toLowerCase()] : typing || event.altKey ? undefined : keys[key.toLowerCase()];
  if (!action || (command && !session.inverted)) return;
  event.preventDefault();
  action();
});
addEventListener("keyup", ({ key }) => key.toLowerCase() === "b" && stage.hold(false));

void showSamples((blob, { label, aligned }) => open(blob, { name: label, aligned }));
void keepForOffline(engine.start());
