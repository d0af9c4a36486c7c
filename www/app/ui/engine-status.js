// How the engine is: the button at the top, the bar at the bottom, and what it has to say.
import { formatBytes, formatSeconds, t } from "../../shared/strings.js";
import { byId } from "../dom.js";
import { openEngineDialog } from "./dialogs.js";
import { announce, notice, report } from "./notices.js";

/** @import { LoadProgress } from "../../shared/types.js" */
/** @import { Session } from "../session.js" */

const bar = byId("model-bar", HTMLElement);
const progressBar = byId("model-progress", HTMLProgressElement);
const button = byId("engine-button", HTMLButtonElement);

/**
 * @param {string} text
 * @param {number} value
 * @param {number} max
 */
export function showBar(text, value, max) {
  bar.hidden = false;
  byId("model-text", HTMLElement).textContent = text;
  [progressBar.max, progressBar.value] = [max, value];
}

export function hideBar() {
  bar.hidden = true;
}

/** @param {LoadProgress} progress */
function showLoading({ loaded, total, cached, secondsLeft }) {
  const text = t(cached === loaded ? "model.cached" : "model.progress", {
    loaded: formatBytes(loaded),
    total: formatBytes(total),
  });
  const left = secondsLeft === undefined ? "" : `, ${t("model.left", { seconds: formatSeconds(secondsLeft) })}`;
  showBar(text + left, loaded, total);
}

/** @param {Session} session */
export function startEngineStatus(session) {
  const { engine } = session;

  /** The backend that runs, in words. */
  function backend() {
    const { info } = engine.status;
    if (!info) return "";
    if (info.backend === "webgpu" && engine.adapter?.kind === "software") return t("engine.software");
    return t(`engine.${info.backend}`);
  }

  engine.addEventListener("status", () => {
    const { state, progress, failure } = engine.status;
    const percent = progress ? Math.floor((100 * progress.loaded) / progress.total) : 0;
    const label = t(`engine.${state}`, { percent, backend: backend() });
    button.dataset.state = state;
    byId("engine-label", HTMLElement).textContent = label;
    button.setAttribute("aria-label", t("engine.button", { state: label }));
    if (state === "loading" && progress) showLoading(progress);
    else hideBar();
    if (state === "ready") announce(t("model.ready"));
    if (failure) report(failure, { label: t("retry"), run: () => void session.restartEngine() });
  });
  engine.addEventListener("notice", (event) => notice(/** @type {CustomEvent} */ (event).detail));
  button.addEventListener("click", () => openEngineDialog(engine, () => void session.restartEngine()));
}
