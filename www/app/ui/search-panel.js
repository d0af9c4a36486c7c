// What the panel says of the search for sliders: how far it is, and which measures got none.
import { showsFaces } from "../../shared/quad.js";
import { quantity, say } from "../../shared/say.js";
import { isKey, spell, spoken, t } from "../../shared/strings.js";
import { byId, h, write } from "../dom.js";
import { announce, notice, report } from "./notices.js";

/** @import { Said } from "../../shared/say.js" */
/** @import { DroppedInfo, ModelInfo, SearchProgress } from "../../shared/types.js" */
/** @import { PageEngine } from "../engine.js" */
/** @import { SliderSearch } from "../slider-search.js" */

const panel = byId("search", HTMLElement);
const bar = byId("search-progress", HTMLProgressElement);
const button = byId("search-button", HTMLButtonElement);
const dropped = byId("search-dropped", HTMLDetailsElement);

/**
 * @param {SearchProgress | undefined} progress
 * @returns {Said}
 */
function describe(progress) {
  if (!progress) return say("search.beginning");
  const { task, done, total, secondsLeft } = progress;
  if (task === "components") return say("search.styles", { percent: quantity(done / total, "percent") });
  if (secondsLeft === undefined) return say("search.pictures", { done, total });
  return say("search.picturesLeft", { done, total, left: quantity(Math.ceil(secondsLeft), "second") });
}

/** @param {DroppedInfo} dropped */
function whyDropped({ label, why, value, other, reason }) {
  const name = { name: label };
  const share = quantity(value ?? 0, "percent");
  if (why === "constant") return t("search.why.constant", { name });
  if (why === "weak") return t("search.why.weak", { name });
  if (why === "unsteady") return t("search.why.unsteady", { name, share });
  if (why === "spills") return t("search.why.spills", { name, share, other: { name: other ?? "" } });
  if (why === "loses-faces") return t("search.why.losesFaces", { name, share });
  if (why === "other-meaning") return t("search.why.otherMeaning", { name });
  return t("search.why.other", { name, reason });
}

/**
 * @param {PageEngine} engine
 * @param {SliderSearch} search
 */
export function startSearchPanel(engine, search) {
  function show() {
    const { state, progress } = search;
    const fit = state === "done" ? engine.model?.fit : undefined;
    panel.hidden = state === "none" || (state === "done" && !fit?.dropped.length);
    bar.hidden = state !== "running";
    if (progress) [bar.max, bar.value] = [progress.total, progress.done];
    else bar.removeAttribute("value");
    button.hidden = state === "done" || state === "pausing";
    const key = `search.button.${state}`;
    if (isKey(key)) write(button, t(key));
    /** @type {Said} */
    let text = "";
    if (state === "running") text = describe(progress);
    if (state === "pausing") text = say("search.pausing");
    if (state === "paused") text = say("search.paused");
    if (state === "refused") text = say("search.refused");
    write(byId("search-text", HTMLElement), spell(text));
    dropped.hidden = !fit;
  }

  /** The list of measures that got no slider; it stays while nothing changes in it. */
  function showDropped() {
    const reasons = engine.model?.fit?.dropped ?? [];
    byId("search-reasons", HTMLElement).replaceChildren(...reasons.map((each) => h("li", {}, whyDropped(each))));
  }

  spoken(() => {
    show();
    showDropped();
  });
  search.addEventListener("change", show);
  engine.addEventListener("model", () => {
    show();
    showDropped();
  });
  search.addEventListener("begun", () => notice(say("search.begun")));
  search.addEventListener("found", (event) => {
    const model = /** @type {ModelInfo} */ (/** @type {CustomEvent} */ (event).detail);
    // Where nothing is measured, few sliders have names, or none.
    const counted = model.directions.filter(({ folded }) => !folded || !showsFaces(model));
    notice(say("search.found", { count: counted.length }));
  });
  search.addEventListener("failure", (event) => report(/** @type {CustomEvent} */ (event).detail));
  button.addEventListener("click", () => {
    if (search.state === "running") {
      announce(say("search.paused"));
      void search.pause();
    } else search.start();
  });
}
