// The panel: sliders, undo and redo, the visitor's own directions, and how long things took.
import { quantity, say } from "../../shared/say.js";
import { spoken, t } from "../../shared/strings.js";
import { byId, write } from "../dom.js";
import { FORMATS } from "../own-directions.js";
import { notice } from "./notices.js";
import { SliderPanel } from "./slider-panel.js";

/** @import { Session } from "../session.js" */

const sliders = byId("sliders", SliderPanel);
const button = (/** @type {string} */ id) => byId(id, HTMLButtonElement);

/** @param {Session} session */
export function startControls(session) {
  const { engine } = session;

  /** Brings buttons and timing in line with what can be done. */
  function show() {
    const { inversion, edit } = session.timing;
    sliders.disabled = !session.inverted;
    sliders.held = session.held;
    for (const id of ["save", "copy", "share"]) button(id).disabled = !session.inverted;
    button("undo").disabled = !session.inverted || !session.canUndo;
    button("redo").disabled = !session.inverted || !session.canRedo;
    const apply = button("apply-to-all");
    apply.hidden = session.faces.length < 2;
    apply.disabled = !session.inverted || Object.keys(session.strengths).length === 0;
    button("reset-all").disabled = !session.inverted || Object.keys(session.strengths).length === 0;
    write(byId("timing", HTMLElement), timing(inversion, edit));
  }

  function showSliders() {
    sliders.strengths = session.strengths;
    show();
  }

  for (const type of ["step", "picture", "edited"]) session.addEventListener(type, show);
  session.addEventListener("sliders", showSliders);
  engine.addEventListener("model", () => {
    sliders.directions = engine.model?.directions ?? [];
    showSliders();
  });
  session.addEventListener("directions", () => {
    sliders.own = session.ownFiles;
    showSliders();
  });
  spoken(() => {
    byId("add-hint", HTMLElement).textContent = t("direction.hint", { formats: { either: FORMATS } });
    if (engine.model) sliders.directions = engine.model.directions;
    sliders.own = session.ownFiles;
    showSliders();
  });

  sliders.addEventListener("strengths", (event) => {
    const { changes, moving } = /** @type {CustomEvent} */ (event).detail;
    session.set(changes, { moving });
  });
  button("undo").addEventListener("click", () => session.undo());
  button("redo").addEventListener("click", () => session.redo());
  button("reset-all").addEventListener("click", () => session.resetAll());
  button("apply-to-all").addEventListener("click", () => session.applyToAll());

  const files = byId("direction-files", HTMLInputElement);
  files.accept = [...FORMATS, ".pth"].join(",");
  button("add-direction").addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    void session.addDirections([...(files.files ?? [])]);
    files.value = "";
  });
  sliders.addEventListener("remove", async (event) => {
    const own = /** @type {CustomEvent} */ (event).detail;
    const removed = session.removeDirections(own);
    button("add-direction").focus();
    await removed; // also from what is kept: only then it is true
    const undo = { label: say("edit.undo"), run: () => void session.addDirections([own.file]) };
    notice(say("direction.removed", { file: own.file.name }), { action: undo });
  });
}

/**
 * How long things took, in words.
 * @param {number | undefined} inversion seconds
 * @param {number | undefined} edit
 */
function timing(inversion, edit) {
  if (inversion === undefined) return "";
  const first = quantity(inversion, "second");
  if (edit === undefined) return t("edit.timingFirst", { inversion: first });
  return t("edit.timing", { inversion: first, edit: quantity(edit, "second") });
}
