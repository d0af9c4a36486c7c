// Puts the page together.
import { t } from "../shared/strings.js";
import { byId, icon } from "./dom.js";
import { Engine } from "./engine.js";
import { startInput } from "./input.js";
import { keepForOffline } from "./offline.js";
import { startOutput } from "./output.js";
import { startOwnWeights } from "./own-weights.js";
import { Session } from "./session.js";
import { startControls } from "./ui/controls.js";
import { openAboutDialog, openAlignDialog } from "./ui/dialogs.js";
import { startEngineStatus } from "./ui/engine-status.js";
import { startKeys } from "./ui/keys.js";
import { announceSession } from "./ui/progress.js";
import { showSamples } from "./ui/samples.js";
import { startTheme } from "./ui/theme.js";
import { startViewer } from "./ui/viewer.js";

/** @import { StringKey } from "../shared/strings.js" */

/** @param {string} name */
const labelled = (name) =>
  Array.from(document.querySelectorAll(`[${name}]`), (element) => ({
    element,
    value: element.getAttribute(name) ?? "",
  }));

for (const { element, value } of labelled("data-t")) element.textContent = t(/** @type {StringKey} */ (value));
for (const { element, value } of labelled("data-label")) {
  const label = t(/** @type {StringKey} */ (value));
  element.setAttribute("aria-label", label);
  if (element instanceof HTMLButtonElement) element.title = label;
}
for (const { element, value } of labelled("data-icon")) element.prepend(icon(value));

const engine = new Engine();
const session = new Session(engine);
const viewer = startViewer(session);

startTheme();
announceSession(session);
startControls(session);
startEngineStatus(session);
startOutput(session, viewer);
startKeys(session, viewer);
const convert = startOwnWeights(session);
const open = startInput(session, convert);

session.addEventListener("need-crop", () => void openAlignDialog(session));
byId("adjust", HTMLButtonElement).addEventListener("click", () => void openAlignDialog(session));
byId("align-turn", HTMLButtonElement).addEventListener("click", () => {
  byId("align-dialog", HTMLDialogElement).close("turn");
  void session.turnPhoto();
});
byId("about-button", HTMLButtonElement).addEventListener("click", () => void openAboutDialog(engine));

void showSamples((blob, { label, aligned }) => open(blob, { name: label, aligned }));
void keepForOffline(engine.start());
