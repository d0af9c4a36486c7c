// Keys, and where they work.
import { t } from "../../shared/strings.js";
import { byId, h } from "../dom.js";
import { settings } from "../settings.js";
import { CompareView } from "./compare-view.js";
import { openSaveDialog } from "./save-dialog.js";

/** @import { Looks } from "../looks.js" */
/** @import { Session } from "../session.js" */
/** @import { PlainKey } from "../../shared/strings/types.d.ts" */

const picture = byId("compare", CompareView);
/** How much a key enlarges the picture, and how far one moves it, in sides of its frame. */
const ZOOM_STEP = 1.5;
const PAN_STEP = 0.15;
/** Where the command key takes the place of the control key. */
const APPLE = /Mac|iPhone|iPad/.test(navigator.platform);

/**
 * @type {readonly { keys: readonly string[], does: PlainKey }[]}
 */
const HELP = [
  { keys: ["1", "–", "5"], does: "keys.views" },
  { keys: ["C"], does: "keys.compare" },
  { keys: ["B"], does: "keys.hold" },
  { keys: ["Plus", "Minus", "0"], does: "keys.zoom" },
  { keys: ["←", "→", "↑", "↓"], does: "keys.pan" },
  { keys: ["Control", "+", "Z"], does: "keys.undo" },
  { keys: ["Control", "+", "Shift", "+", "Z"], does: "keys.redo" },
  { keys: ["Control", "+", "S"], does: "keys.save" },
  { keys: ["Control", "+", "C"], does: "keys.copyLook" },
  { keys: ["Control", "+", "V"], does: "keys.paste" },
];

/** The keys and what they do, as rows of a definition list. */
export function helpRows() {
  /** @type {Record<string, string>} */
  const caps = {
    Control: APPLE ? "⌘" : t("key.control"),
    Shift: APPLE ? "⇧" : t("key.shift"),
    Plus: "+",
    Minus: "−",
  };
  return HELP.map(({ keys, does }) => {
    const caption = keys.map((key) => (/[–+]/.test(key) ? key : h("kbd", {}, caps[key] ?? key)));
    return h("div", {}, h("dt", {}, ...caption), h("dd", {}, t(does)));
  });
}

/**
 * Lets Tab lead to the picture where single keys work only there.
 */
export function showKeysFocus() {
  picture.keysWork = settings.keys === "picture";
}

/**
 * Whether a key that is pressed without Ctrl does something of ours.
 * @param {EventTarget | null} target has the focus
 */
function singleKeyWorks(target) {
  if (target instanceof HTMLSelectElement) return false;
  if (settings.keys === "picture") return target instanceof Node && picture.contains(target);
  return settings.keys === "everywhere";
}

/** Whether the browser would copy something of its own. */
function somethingSelected() {
  return getSelection()?.isCollapsed === false;
}

/**
 * @param {Session} session
 * @param {ReturnType<typeof import("./viewer.js").startViewer>} viewer
 * @param {Looks} looks
 */
export function startKeys(session, viewer, looks) {
  /** @type {Record<string, () => void>} with Ctrl or Command */
  const commands = {
    z: () => session.undo(),
    Z: () => session.redo(),
    y: () => session.redo(),
    s: () => void openSaveDialog(session),
    c: () => looks.copy(), // what comes by Ctrl and V tells the browser's own event
  };
  /** @type {Record<string, () => void>} */
  const keys = {
    c: viewer.toggleCompare,
    b: () => viewer.hold(true),
    "+": () => picture.zoomBy(ZOOM_STEP),
    "=": () => picture.zoomBy(ZOOM_STEP), // where + is with Shift
    "-": () => picture.zoomBy(1 / ZOOM_STEP),
    0: () => picture.fit(),
  };
  viewer.views.forEach((view, i) => {
    keys[i + 1] = () => session.pictures[view] && viewer.choose(view);
  });

  /** @type {Record<string, [number, number]>} where the picture goes so that one looks further that way */
  const pans = {
    ArrowLeft: [PAN_STEP, 0],
    ArrowRight: [-PAN_STEP, 0],
    ArrowUp: [0, PAN_STEP],
    ArrowDown: [0, -PAN_STEP],
  };
  picture.addEventListener("keydown", (event) => {
    const pan = pans[event.key];
    if (!pan || event.target !== picture || !picture.zoomed || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    picture.panBy(...pan);
  });

  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || !session.photo) return;
    const key = event.key.toLowerCase();
    const command = event.ctrlKey || event.metaKey;
    if (command && key === "c" && (event.shiftKey || somethingSelected())) return;
    if (command ? !session.inverted : event.altKey || !singleKeyWorks(event.target)) return;
    const action = command ? commands[event.shiftKey && key === "z" ? "Z" : key] : keys[key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  addEventListener("keyup", ({ key }) => key.toLowerCase() === "b" && viewer.hold(false));
}
