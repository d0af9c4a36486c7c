import { Failure } from "../../shared/failure.js";
import { say } from "../../shared/say.js";
import { isKey, spell, spoken, t } from "../../shared/strings.js";
import { byId, h, icon } from "../dom.js";

/** @import { Said } from "../../shared/say.js" */

/**
 * @typedef {{ label: Said, run: () => void }} Action
 * @typedef {{ said: Said, hint?: Said, detail?: string }} Told `detail`: more, in the words of the engine or browser
 */

const STAY_MS = 7000;
const list = byId("notices", HTMLElement);
const status = byId("status", HTMLElement);
/** @type {Map<HTMLElement, { told: Told, show: () => void }>} those on show */
const boxes = new Map();

spoken(() => {
  for (const { show } of boxes.values()) show();
  status.textContent = ""; // what was said is over
});

/**
 * Tells something for a while, or until it is dismissed when it has an action or reports a failure.
 * @param {Told} told
 * @param {{ kind?: "note" | "failure", action?: Action }} [options]
 */
function tell(told, { kind = "note", action } = {}) {
  // What is told once more takes the place of the first time. Offers that read alike may be of different things.
  const again = kind === "failure" || !action;
  for (const [old, { told: before }] of boxes)
    if (again && JSON.stringify(before) === JSON.stringify(told)) leave(old);
  const text = h("p");
  const box = h("div", { className: `notice ${kind}` }, text);
  const run = h("button", { type: "button", className: "link", onclick: () => [leave(box), action?.run()] });
  if (action) box.append(run);
  const dismiss = h("button", { type: "button", className: "quiet round", onclick: () => leave(box) }, icon("close"));
  box.append(dismiss);
  const show = () => {
    text.replaceChildren(...sentences(told));
    if (action) run.textContent = spell(action.label);
    dismiss.setAttribute("aria-label", t("dismiss"));
  };
  boxes.set(box, { told, show });
  show();
  list.append(box);
  if (kind === "note" && !action) setTimeout(leave, STAY_MS, box);
}

/** @param {HTMLElement} box */
function leave(box) {
  const focused = box.contains(document.activeElement);
  boxes.delete(box);
  box.remove();
  if (!focused) return;
  // Whoever goes on by keyboard goes on from here, not from the top of the page.
  const [heading] = [...document.querySelectorAll("h1")].filter((each) => each.checkVisibility());
  (list.querySelector("button") ?? heading)?.focus();
}

/**
 * One element for each sentence.
 * @param {Told} told
 */
export function sentences({ said, detail, hint }) {
  const parts = [h("span", {}, spell(said))];
  if (hint) parts.push(h("span", { className: "hint" }, spell(hint)));
  if (detail) parts.push(h("span", { className: "detail", lang: "en" }, detail));
  return parts.flatMap((part, i) => (i === 0 ? [part] : [" ", part]));
}

/**
 * A failure for the visitor: what has no sentence of its own has one by its code.
 * @param {unknown} thrown
 * @returns {Told}
 */
export function explained(thrown) {
  const { code, said, hint, detail } = Failure.from(thrown);
  if (typeof said !== "string") return { said, hint, detail };
  const key = `failure.${code}`;
  const own = [said, typeof hint === "string" ? hint : ""].filter(Boolean).join("; ");
  return { said: say(isKey(key) ? key : "failure.unexpected"), detail: own };
}

/**
 * @param {Said | Told} what
 * @param {{ kind?: "note" | "failure", action?: Action }} [options]
 */
export function notice(what, options) {
  tell(typeof what !== "string" && "said" in what ? what : { said: what }, options);
}

/**
 * @param {unknown} thrown
 * @param {Action} [action]
 */
export function report(thrown, action) {
  tell(explained(thrown), { kind: "failure", action });
}

/**
 * Says something to screen readers only.
 * @param {Said} said
 */
export function announce(said) {
  status.textContent = spell(said);
}
