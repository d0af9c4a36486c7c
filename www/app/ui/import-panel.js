// How far a checkpoint is converted: in the dialog about the engine, and in the bar below the page.
import { quantity, say } from "../../shared/say.js";
import { spell, spoken, t } from "../../shared/strings.js";
import { byId, write } from "../dom.js";
import { showBar } from "./engine-status.js";

/**
 * `read` and `total` are bytes of the file, `left` seconds, `needed` and `free` bytes of the browser's storage.
 * @typedef {{
 *   file: string, read: number, total: number, left: number | undefined, needed: number, free: number | undefined
 * }} ImportState
 */

const panel = byId("own-running", HTMLElement);
const text = byId("own-running-text", HTMLElement);
const bar = byId("own-running-bar", HTMLProgressElement);
const room = byId("own-running-room", HTMLElement);
const stop = byId("own-stop", HTMLButtonElement);
const load = byId("own-import", HTMLButtonElement);

/** @type {ImportState | undefined} */
let shown;
spoken(show);

/**
 * @param {ImportState} state
 * @param {() => void} onStop
 */
export function showImport(state, onStop) {
  const begins = shown === undefined;
  shown = state;
  stop.onclick = onStop;
  show();
  // Whoever goes on by keyboard goes on with the button that is there now.
  if (begins && byId("engine-dialog", HTMLDialogElement).open) stop.focus();
}

export function hideImport() {
  const focused = panel.contains(document.activeElement);
  shown = undefined;
  show();
  if (focused) load.focus();
}

function show() {
  panel.hidden = shown === undefined;
  load.disabled = shown !== undefined;
  if (!shown) return;
  const { file, read, total, left, needed, free } = shown;
  const amounts = { file, read: quantity(read, "byte"), total: quantity(total, "byte") };
  const said =
    left === undefined
      ? say("own.reading", amounts)
      : say("own.readingLeft", { ...amounts, left: quantity(left, "second") });
  showBar(said, read, total);
  write(text, spell(said));
  [bar.max, bar.value] = [total, read];
  const takes = { needed: quantity(needed, "byte") };
  write(
    room,
    free === undefined ? t("own.needs", takes) : t("own.needsOf", { ...takes, free: quantity(free, "byte") }),
  );
  stop.setAttribute("aria-label", t("own.stopOf", { file }));
}
