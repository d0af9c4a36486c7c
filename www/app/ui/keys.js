// Keys that work anywhere on the page.
import { openSaveDialog } from "./dialogs.js";

/** @import { Session } from "../session.js" */

/**
 * @param {Session} session
 * @param {ReturnType<typeof import("./viewer.js").startViewer>} viewer
 */
export function startKeys(session, viewer) {
  /** @type {Record<string, () => void>} with Ctrl or Command */
  const commands = {
    z: () => session.undo(),
    Z: () => session.redo(),
    y: () => session.redo(),
    s: () => void openSaveDialog(session),
  };
  /** @type {Record<string, () => void>} */
  const keys = { c: viewer.toggleCompare, b: () => viewer.hold(true) };
  viewer.views.forEach((view, i) => {
    keys[i + 1] = () => session.pictures[view] && viewer.choose(view);
  });

  addEventListener("keydown", (event) => {
    const { target } = event;
    if (document.querySelector("dialog[open]") || !session.photo) return;
    const key = event.key.toLowerCase();
    const command = event.ctrlKey || event.metaKey;
    if (command ? !session.inverted : event.altKey || target instanceof HTMLSelectElement) return;
    const action = command ? commands[event.shiftKey && key === "z" ? "Z" : key] : keys[key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  addEventListener("keyup", ({ key }) => key.toLowerCase() === "b" && viewer.hold(false));
}
