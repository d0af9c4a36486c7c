// Which stage of the inversion runs, over the picture; and what else a session has to say.
import { quantity, say } from "../../shared/say.js";
import { nameOf, spoken, t } from "../../shared/strings.js";
import { byId, h, icon, write } from "../dom.js";
import { askToPersist } from "../offline.js";
import { settings } from "../settings.js";
import { announce, notice, report } from "./notices.js";

/** @import { Failure } from "../../shared/failure.js" */
/** @import { Session } from "../session.js" */

const STAGES = /** @type {const} */ (["model", "align", "encode", "generate", "predict", "compensate", "reconstruct"]);
/** An inversion that usually takes less than this many seconds is quick: its stages pass before they can be read. */
const QUICK_SECONDS = 0.6;
/** Milliseconds between two drawings of a quick inversion's list: each costs the engine a frame's time. */
const PACE = 250;
/** Those that models without compensation have not. */
const COMPENSATION = /** @type {readonly string[]} */ (["predict", "compensate", "reconstruct"]);

const progress = byId("progress", HTMLElement);
const stages = byId("stages", HTMLOListElement);
const opening = byId("opening", HTMLElement);
const estimate = byId("estimate", HTMLElement);

// The list is made once: each stage then changes two of its items, while the engine needs the processor.
const items = STAGES.map((stage) => {
  const name = h("span");
  const item = h("li", {}, h("span", { className: "bead" }, icon("check")), name);
  return { stage, item, name };
});
stages.append(...items.map(({ item }) => item));

/**
 * Names the stage that runs; undefined hides the list.
 * @param {typeof STAGES[number] | undefined} stage
 * @param {{ waitsForModel: boolean, compensates: boolean, usual: number | undefined }} about `usual`: seconds that an
 *   inversion took before
 */
function showStage(stage, { waitsForModel, compensates, usual }) {
  progress.hidden = stage === undefined;
  if (stage === undefined) return;
  const at = STAGES.indexOf(stage);
  for (const [i, { item, name, stage }] of items.entries()) {
    const state = i < at ? "past" : i === at ? "present" : "future";
    item.hidden = (stage === "model" && !waitsForModel) || (!compensates && COMPENSATION.includes(stage));
    write(name, t(`stage.${stage}`));
    if (item.className === state) continue;
    item.className = state;
    if (state === "present") item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
  write(estimate, usual ? t("stage.estimate", { seconds: quantity(usual, "second") }) : "");
}

/** @param {Session} session */
export function announceSession(session) {
  const { engine } = session;
  let waitsForModel = false;
  /** @type {typeof STAGES[number] | undefined} */
  let stage;
  /** @type {string | undefined} of the file that is being opened */
  let name;
  const usual = () => settings.timings[engine.timingKey()]?.inversion;
  const showAll = () => {
    const compensates = engine.model?.compensates !== false;
    showStage(stage, { waitsForModel, compensates, usual: usual() });
    opening.hidden = !name;
    write(opening, name ? t("open.working", { name: nameOf(name) }) : "");
  };
  /** @type {ReturnType<typeof setTimeout> | undefined} of the next drawing of a quick inversion's list */
  let paced;
  const draw = () => {
    clearTimeout(paced);
    paced = undefined;
    showAll();
    if (stage) announce(say(`stage.${stage}`));
  };
  const show = (/** @type {typeof STAGES[number] | undefined} */ next) => {
    if (next === stage) return showAll();
    const quick = (usual() ?? Infinity) < QUICK_SECONDS;
    const paces = quick && stage !== undefined && next !== undefined;
    stage = next;
    if (paces) paced ??= setTimeout(draw, PACE);
    else draw();
  };

  spoken(showAll);
  session.addEventListener("opening", (event) => {
    name = /** @type {CustomEvent<string | undefined>} */ (event).detail;
    showAll();
  });
  session.addEventListener("photo", () => {
    document.body.dataset.view = "work";
    byId("start", HTMLElement).hidden = true;
    byId("work", HTMLElement).hidden = false;
    byId("new-photo", HTMLButtonElement).hidden = false;
    byId("work-title", HTMLElement).focus();
    waitsForModel = engine.status.state !== "ready";
  });
  session.addEventListener("step", (event) => {
    const { stage, seconds } = /** @type {CustomEvent} */ (event).detail;
    if (stage === "model") waitsForModel = true;
    show(stage);
    if (seconds === undefined) return;
    announce(say("stage.done", { seconds: quantity(seconds, "second") }));
    void askToPersist();
  });
  engine.addEventListener("stage", (event) => {
    // Of the face on show: its inversion was announced. Those of others run unseen.
    if (stage !== undefined) show(/** @type {CustomEvent} */ (event).detail.stage);
  });
  session.addEventListener("need-crop", () => show(undefined));
  session.addEventListener("notice", (event) => {
    const { action, ...told } = /** @type {CustomEvent} */ (event).detail;
    notice(told, { action });
  });
  session.addEventListener("failure", (event) => {
    const failure = /** @type {CustomEvent<Failure>} */ (event).detail;
    const retry = { label: say("retry"), run: () => void session.retry() };
    report(failure, failure.code === "network" ? retry : undefined);
  });
}
