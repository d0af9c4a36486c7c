// The way to the live mirror, which is loaded when it is first turned on.

import { onUse } from "../../shared/on-use.js";
import { showsFaces } from "../../shared/quad.js";
import { say } from "../../shared/say.js";
import { offered } from "../abilities.js";
import { byId, h } from "../dom.js";
import { report } from "./notices.js";

/** @import { Session } from "../session.js" */

/** @param {Session} session */
export function offerMirror(session) {
  const [start, toggle] = ["mirror-start", "mirror-toggle"].map((id) => byId(id, HTMLButtonElement));
  const context = byId("mirror-picture", HTMLCanvasElement).getContext("bitmaprenderer");
  const able = Boolean(context && offered(() => navigator.mediaDevices.getUserMedia));
  /** Ends when the mirror itself is there, and looks after the buttons. */
  const waiting = new AbortController();
  const { signal } = waiting;

  /** A model of the visitor's own may show something else than faces. */
  function show() {
    start.hidden = !able || !showsFaces(session.engine.model);
    toggle.hidden = start.hidden || !session.photo;
  }

  async function begin() {
    try {
      const load = () => Promise.all([import("./mirror.js"), styled()]);
      const [{ startMirror }] = await onUse(load, say("mirror.title"));
      if (signal.aborted) return;
      waiting.abort();
      await startMirror(session)();
    } catch (thrown) {
      report(thrown);
    }
  }

  start.hidden = !able;
  for (const button of [start, toggle]) button.addEventListener("click", () => void begin(), { signal });
  session.engine.addEventListener("model", show, { signal });
  session.addEventListener("photo", show, { signal });
}

/** Settles when the mirror has its style. */
function styled() {
  return new Promise((resolve, reject) => {
    const href = "styles/mirror.css";
    document.head.append(h("link", { rel: "stylesheet", href, onload: resolve, onerror: reject }));
  });
}
