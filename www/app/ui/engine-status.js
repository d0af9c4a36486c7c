// How the engine is: the button at the top, the bar at the bottom, and what it has to say.
import { quantity, say } from "../../shared/say.js";
import { spell, spoken, t } from "../../shared/strings.js";
import { byId, write } from "../dom.js";
import { openEngineDialog } from "./dialogs.js";
import { announce, notice, report } from "./notices.js";

/** @import { Said } from "../../shared/say.js" */
/** @import { LoadProgress } from "../../shared/types.js" */
/** @import { Session } from "../session.js" */
/** @import { SliderSearch } from "../slider-search.js" */

const bar = byId("model-bar", HTMLElement);
const progressBar = byId("model-progress", HTMLProgressElement);
const button = byId("engine-button", HTMLButtonElement);
const hold = byId("model-hold", HTMLButtonElement);
const why = byId("model-why", HTMLElement);

/** @type {Said} */
let barText = "";
spoken(() => showText());

function showText() {
  byId("model-text", HTMLElement).textContent = spell(barText);
}

/**
 * @param {Said} text
 * @param {number} value
 * @param {number} max
 */
export function showBar(text, value, max) {
  bar.hidden = false;
  hold.hidden = why.hidden = true;
  barText = text;
  showText();
  [progressBar.max, progressBar.value] = [max, value];
}

export function hideBar() {
  const focused = bar.contains(document.activeElement);
  bar.hidden = true;
  if (focused) button.focus(); // it says what the bar has said
}

/**
 * Says how far the model is; while it comes from the host also what it is, and the visitor may pause it.
 * @param {LoadProgress} progress
 * @param {string | undefined} title of the model
 * @param {boolean} waits whether a photo waits for it
 */
function showLoading({ loaded, total, cached, secondsLeft, held }, title, waits) {
  const amounts = { loaded: quantity(loaded, "byte"), total: quantity(total, "byte") };
  if (held) showBar(say(waits ? "model.heldWaits" : "model.held", amounts), loaded, total);
  else if (secondsLeft !== undefined)
    showBar(
      say("model.progressLeft", { ...amounts, left: quantity(Math.ceil(secondsLeft), "second") }),
      loaded,
      total,
    );
  else showBar(say(cached === loaded ? "model.cached" : "model.progress", amounts), loaded, total);
  const coming = held || cached < loaded;
  hold.hidden = why.hidden = !coming;
  write(hold, t(held ? "model.goOn" : "model.hold"));
  write(why, title ? t("model.why", { title: { name: title } }) : "");
}

/**
 * @param {Session} session
 * @param {SliderSearch} search
 */
export function startEngineStatus(session, search) {
  const { engine } = session;

  /** The backend that runs, in words. */
  function backend() {
    const { info } = engine.status;
    if (!info) return "";
    if (info.backend === "webgpu" && engine.adapter?.kind === "software") return t("engine.software");
    return t(`engine.${info.backend}`);
  }

  function showState() {
    const { state, progress } = engine.status;
    const percent = quantity(progress ? Math.floor((100 * progress.loaded) / progress.total) / 100 : 0, "percent");
    const label = t(`engine.${state}`, { percent, backend: backend() });
    button.dataset.state = state;
    byId("engine-label", HTMLElement).textContent = label;
    button.setAttribute("aria-label", t("engine.button", { state: label }));
  }

  /** Brings the bar in line with what is loaded; others use it while nothing is. */
  function showProgress() {
    const { state, progress } = engine.status;
    if (state === "loading" && progress) showLoading(progress, engine.model?.title, session.photo !== undefined);
  }

  spoken(() => {
    showState();
    showProgress();
  });
  session.addEventListener("photo", showProgress);
  hold.addEventListener("click", () => {
    const held = engine.status.progress?.held === true;
    engine.holdDownload(!held);
  });
  engine.addEventListener("status", () => {
    const { state, progress, failure } = engine.status;
    showState();
    if (state === "loading" && progress) showProgress();
    else hideBar();
    if (state === "ready") announce(say("model.ready"));
    if (failure) report(failure, { label: say("retry"), run: () => void session.restartEngine() });
  });
  engine.addEventListener("notice", (event) => notice(/** @type {CustomEvent} */ (event).detail));
  button.addEventListener("click", () => openEngineDialog(engine, search, () => void session.restartEngine()));
}
