// Which stage of the inversion runs, over the picture; and what else a session has to say.
import { quantity, say } from "../../shared/say.js";
import { spoken, t } from "../../shared/strings.js";
import { byId, h, icon } from "../dom.js";
import { askToPersist } from "../offline.js";
import { settings } from "../settings.js";
import { announce, notice, report } from "./notices.js";

/** @import { Failure } from "../../shared/failure.js" */
/** @import { Session } from "../session.js" */

const STAGES = /** @type {const} */ (["model", "align", "encode", "generate", "predict", "compensate", "reconstruct"]);

const progress = byId("progress", HTMLElement);
const stages = byId("stages", HTMLOListElement);
const opening = byId("opening", HTMLElement);
const estimate = byId("estimate", HTMLElement);

/**
 * Names the stage that runs; undefined hides the list.
 * @param {typeof STAGES[number] | undefined} stage
 * @param {{ waitsForModel: boolean, timingKey: string }} about
 */
function showStage(stage, { waitsForModel, timingKey }) {
  progress.hidden = stage === undefined;
  if (stage === undefined) return;
  const wanted = STAGES.filter((name) => name !== "model" || waitsForModel);
  const at = wanted.indexOf(stage);
  stages.replaceChildren(
    ...wanted.map((name, i) => {
      const state = i < at ? "past" : i === at ? "present" : "future";
      const item = h("li", { className: state, "aria-current": state === "present" ? "step" : undefined });
      item.append(h("span", { className: "bead" }, ...(state === "past" ? [icon("check")] : [])), t(`stage.${name}`));
      return item;
    }),
  );
  const usual = settings.timings[timingKey]?.inversion;
  estimate.textContent = usual ? t("stage.estimate", { seconds: quantity(usual, "second") }) : "";
}

/** @param {Session} session */
export function announceSession(session) {
  const { engine } = session;
  let waitsForModel = false;
  /** @type {typeof STAGES[number] | undefined} */
  let stage;
  /** @type {string | undefined} of the file that is being opened */
  let name;
  const showAll = () => {
    showStage(stage, { waitsForModel, timingKey: engine.timingKey() });
    opening.hidden = !name;
    opening.textContent = name ? t("open.working", { name }) : "";
  };
  const show = (/** @type {typeof STAGES[number] | undefined} */ next) => {
    stage = next;
    showAll();
    if (stage) announce(say(`stage.${stage}`));
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
  engine.addEventListener("stage", (event) => show(/** @type {CustomEvent} */ (event).detail.stage));
  session.addEventListener("need-crop", () => show(undefined));
  session.addEventListener("notice", (event) => notice(/** @type {CustomEvent} */ (event).detail));
  session.addEventListener("failure", (event) => {
    const failure = /** @type {CustomEvent<Failure>} */ (event).detail;
    const retry = { label: say("retry"), run: () => void session.restartEngine() };
    report(failure, failure.code === "network" ? retry : undefined);
  });
}
