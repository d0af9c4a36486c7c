// Which stage of the inversion runs, over the picture; and what else a session has to say.
import { formatSeconds, t } from "../../shared/strings.js";
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
  estimate.textContent = usual ? t("stage.estimate", { seconds: formatSeconds(usual) }) : "";
  announce(t(`stage.${stage}`));
}

/** @param {Session} session */
export function announceSession(session) {
  const { engine } = session;
  let waitsForModel = false;
  const show = (/** @type {typeof STAGES[number] | undefined} */ stage) =>
    showStage(stage, { waitsForModel, timingKey: engine.timingKey() });

  session.addEventListener("opening", (event) => {
    const { detail: name } = /** @type {CustomEvent<string | undefined>} */ (event);
    opening.hidden = !name;
    opening.textContent = name ? t("open.working", { name }) : "";
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
    announce(t("stage.done", { seconds: formatSeconds(seconds) }));
    void askToPersist();
  });
  engine.addEventListener("stage", (event) => show(/** @type {CustomEvent} */ (event).detail.stage));
  session.addEventListener("need-crop", () => show(undefined));
  session.addEventListener("notice", (event) => notice(/** @type {CustomEvent} */ (event).detail));
  session.addEventListener("failure", (event) => {
    const failure = /** @type {CustomEvent<Failure>} */ (event).detail;
    const retry = { label: t("retry"), run: () => void session.restartEngine() };
    report(failure, failure.code === "network" ? retry : undefined);
  });
}
