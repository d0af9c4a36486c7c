// Choices among a few: radio buttons and selects.
import { h } from "../dom.js";

/**
 * @template {string} V
 * @typedef {{ value: V, label: string, hint?: string, disabled?: boolean, picture?: HTMLCanvasElement,
 *   marked?: boolean }} Choice
 */

/** @type {Record<string, number | undefined>} which way arrow keys move among radio buttons */
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/**
 * Fills an element with native radio buttons: one tab stop, arrows move, the browser does the rest.
 * @template {string} V
 * @param {HTMLElement} group
 * @param {Choice<V>[]} choices
 * @param {V | undefined} selected
 * @param {(value: V) => void} onChoose
 * @param {{ weighty?: boolean }} [how] `weighty`: much follows from a choice, so arrows only move, and Space or Enter
 *   chooses
 */
export function fillRadioGroup(group, choices, selected, onChoose, { weighty = false } = {}) {
  const focused = group.contains(document.activeElement);
  const rows = choices.map(({ value, label, hint, disabled = false, picture, marked = false }) => {
    const input = h("input", { type: "radio", name: group.id, value, checked: value === selected, disabled });
    input.addEventListener("change", () => onChoose(value));
    const text = picture
      ? [picture, h("span", { className: "hidden" }, label)]
      : [h("span", { className: "name" }, label)];
    return h(
      "label",
      { title: picture ? label : (hint ?? ""), className: marked ? "marked" : "" },
      input,
      ...text,
      ...(hint && !picture ? [h("span", { className: "hint" }, hint)] : []),
    );
  });
  group.replaceChildren(...rows);
  group.onkeydown = weighty ? (event) => browse(group, event) : null;
  if (focused) /** @type {HTMLInputElement | null} */ (group.querySelector("input:checked"))?.focus();
}

/**
 * Moves the focus among radio buttons as arrow keys say, and leaves what is chosen; Enter chooses, as Space does.
 * @param {HTMLElement} group
 * @param {KeyboardEvent} event
 */
function browse(group, event) {
  const inputs = [...group.querySelectorAll("input")].filter(({ type, disabled }) => type === "radio" && !disabled);
  const at = inputs.indexOf(/** @type {HTMLInputElement} */ (event.target));
  const step = STEPS[event.key];
  if (at < 0 || (!step && event.key !== "Enter")) return;
  event.preventDefault();
  if (step) inputs.at((at + step) % inputs.length)?.focus();
  else inputs[at].click();
}

/**
 * Checks the radio button of a value.
 * @param {HTMLElement} group
 * @param {string} value
 */
export function selectRadio(group, value) {
  for (const input of group.querySelectorAll("input")) input.checked = input.value === value;
}

/**
 * Fills a select; what was selected stays so.
 * @template {string} V
 * @param {HTMLSelectElement} select
 * @param {{ value: V, label: string }[]} choices
 */
export function fillSelect(select, choices) {
  const { value: selected } = select;
  select.replaceChildren(...choices.map(({ value, label }) => h("option", { value }, label)));
  if (choices.some(({ value }) => value === selected)) select.value = selected;
}
