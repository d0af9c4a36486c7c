import { Failure } from "../../shared/failure.js";
import { t } from "../../shared/strings.js";
import { byId, h, icon } from "../dom.js";

const STAY_MS = 7000;
const list = byId("notices", HTMLElement);
const status = byId("status", HTMLElement);

/**
 * Shows a sentence for a while, or until it is dismissed when it has an action or reports a failure.
 * @param {string} sentence
 * @param {{ kind?: "note" | "failure", hint?: string, action?: { label: string, run: () => void } }} [options]
 */
export function notice(sentence, { kind = "note", hint, action } = {}) {
  for (const old of list.children) if (old instanceof HTMLElement && old.dataset.text === sentence) old.remove();
  const box = h("div", { className: `notice ${kind}`, "data-text": sentence });
  const leave = () => box.remove();
  box.append(h("p", {}, sentence, ...(hint ? [h("span", { className: "hint" }, ` ${hint}`)] : [])));
  if (action) {
    const { label, run } = action;
    const onclick = () => {
      leave();
      run();
    };
    box.append(h("button", { type: "button", className: "link", onclick }, label));
  }
  box.append(
    h(
      "button",
      { type: "button", className: "quiet round", "aria-label": t("dismiss"), onclick: leave },
      icon("close"),
    ),
  );
  list.append(box);
  if (kind === "note" && !action) setTimeout(leave, STAY_MS);
}

/**
 * @param {unknown} thrown
 * @param {{ label: string, run: () => void }} [action]
 */
export function report(thrown, action) {
  const { message, hint } = Failure.from(thrown);
  notice(message, { kind: "failure", hint, action });
}

/**
 * Says something to screen readers only.
 * @param {string} sentence
 */
export function announce(sentence) {
  status.textContent = sentence;
}
