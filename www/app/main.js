// Puts the page together, once `first.js` has shown what needs little.

import { showsFaces } from "../shared/quad.js";
import { speakOfFaces } from "../shared/strings.js";
import { followCompilation } from "./compiling.js";
import { byId } from "./dom.js";
import { PageEngine } from "./engine.js";
import { startInput } from "./input.js";
import { LookPictures } from "./look-pictures.js";
import { Looks } from "./looks.js";
import { keepForOffline } from "./offline.js";
import { askBeforeLeaving, startOutput } from "./output.js";
import { offerOwnWeights } from "./own.js";
import { Session } from "./session.js";
import { SliderSearch } from "./slider-search.js";
import { startControls } from "./ui/controls.js";
import { openAlignDialog, startAbout } from "./ui/dialogs.js";
import { offerDrawing } from "./ui/drawing.js";
import { startEngineStatus } from "./ui/engine-status.js";
import { startFacePicker } from "./ui/face-picker.js";
import { startKeys } from "./ui/keys.js";
import { startLooks } from "./ui/looks.js";
import { offerMirror } from "./ui/mirror-button.js";
import { announceSession } from "./ui/progress.js";
import { offerSamples, onSample, shown } from "./ui/samples.js";
import { startSettings } from "./ui/settings-form.js";
import { startTheme } from "./ui/theme.js";
import { startThumb } from "./ui/thumb.js";
import { startViewer } from "./ui/viewer.js";

/** How long the engine gives way to the samples. */
const LONGEST_WAIT_MS = 1500;

const engine = new PageEngine();
const session = new Session(engine);
const search = new SliderSearch(engine, async () => {
  const { startSearchPanel } = await import("./ui/search-panel.js");
  startSearchPanel(engine, search);
});
const viewer = startViewer(session);
startFacePicker(session);
const looks = new Looks(session);

startTheme();
startSettings();
startAbout(engine);
announceSession(session);
startControls(session);
startThumb();
startLooks(session, looks, new LookPictures(session, looks));
startEngineStatus(session, search);
startOutput(session, viewer);
askBeforeLeaving(session);
offerMirror(session);
startKeys(session, viewer, looks);
const convert = offerOwnWeights(session);
const open = startInput(session, looks, convert);
offerDrawing(session);

// One of the visitor's own may show something else than faces: then nothing is said, and nothing offered, that is of
// them.
engine.addEventListener("model", () => {
  const faces = showsFaces(engine.model);
  offerSamples(faces && engine.model?.inverts !== false);
  speakOfFaces(faces);
});
session.addEventListener("need-crop", () => void openAlignDialog(session));
byId("adjust", HTMLButtonElement).addEventListener("click", () => void openAlignDialog(session));
byId("align-turn", HTMLButtonElement).addEventListener("click", () => {
  byId("align-dialog", HTMLDialogElement).close("turn");
  void session.turnPhoto();
});

// What needs a photo, and what nobody must have without a network, comes with the first one.
const withPhoto = async () => {
  session.removeEventListener("photo", withPhoto);
  try {
    const [{ startMethod }] = await Promise.all([import("./ui/method.js"), import("./clip-maker.js")]);
    startMethod(session, viewer);
  } catch {
    session.addEventListener("photo", withPhoto); // perhaps there is a network by then
  }
};
session.addEventListener("photo", withPhoto);
onSample((blob, { label, aligned }) => open(blob, { name: label, aligned }));
// What is seen first shares no slow line with the engine.
const late = new Promise((resolve) => setTimeout(resolve, LONGEST_WAIT_MS));
void keepForOffline(Promise.race([shown, late]).then(() => engine.ready));
void followCompilation();
