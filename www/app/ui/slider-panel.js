import { quantity } from "../../shared/say.js";
import { nameOf, t } from "../../shared/strings.js";
import { h, icon } from "../dom.js";
import { mindFingers } from "./finger.js";

/** @import { OwnFile } from "../own-directions.js" */
/** @import { DirectionInfo, Strengths } from "../../shared/types.js" */

/**
 * Slider positions run from -POSITIONS to POSITIONS, with 0 in the middle whatever the direction's range is, or end
 * at 0 where it does.
 */
const POSITIONS = 100;

/**
 * @typedef {{
 *   direction: DirectionInfo, input: HTMLInputElement, output: HTMLOutputElement, reset: HTMLButtonElement,
 *   note: HTMLElement
 * }} Row `note` says what a slider does not do as asked
 */

/**
 * One slider per direction, in groups; those that the visitor added come last. Fires `strengths` with
 * `{ changes, moving }`, and `remove` with one of the visitor's files.
 */
export class SliderPanel extends HTMLElement {
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {DirectionInfo[]} */
  #directions = [];
  #model = h("div");
  #own = h("div");

  connectedCallback() {
    if (!this.firstChild) this.append(this.#model, this.#own);
  }

  /** @param {DirectionInfo[]} directions */
  set directions(directions) {
    const folded = this.#folded();
    this.#forget(this.#directions);
    this.#directions = directions;
    const groups = Map.groupBy(directions, ({ group }) => group);
    const blocks = Array.from(groups, ([name, members]) => {
      const rows = members.map((direction) => this.#row(direction));
      return group(name, rows, !(folded.get(name) ?? (groups.size > 1 && members.every(({ folded }) => folded))));
    });
    this.#model.replaceChildren(...(blocks.length > 0 ? blocks : [h("p", { className: "aside" }, t("slider.none"))]));
  }

  /** @param {OwnFile[]} files */
  set own(files) {
    const folded = this.#folded();
    const shown = [...this.#rows.values()].map(({ direction }) => direction);
    this.#forget(shown.filter((direction) => !this.#directions.includes(direction)));
    const rows = files.flatMap((own) =>
      own.directions.map((direction, i) => {
        const row = this.#row(direction);
        row.classList.add("own");
        if (i === 0) row.querySelector(".reset")?.after(this.#remove(own));
        return row;
      }),
    );
    const unused = files.filter(({ refusal }) => refusal).map((own) => this.#unused(own));
    const [first] = files.flatMap(({ directions }) => directions);
    this.#own.replaceChildren(...(first ? [group(first.group, rows, !folded.get(first.group))] : []), ...unused);
  }

  /** Which groups on show are folded: they stay so when they are made anew. */
  #folded() {
    return new Map(Array.from(this.querySelectorAll("details"), ({ dataset, open }) => [dataset.group, !open]));
  }

  /**
   * The button that removes a file.
   * @param {OwnFile} own
   */
  #remove(own) {
    const title = t("direction.remove", { file: own.file.name });
    const onclick = () => this.dispatchEvent(new CustomEvent("remove", { detail: own }));
    const about = { type: "button", className: "remove", title, "aria-label": title, onclick };
    return h("button", about, icon("close"));
  }

  /**
   * A file that the engine does not use.
   * @param {OwnFile} own
   */
  #unused(own) {
    const text = h("span", { title: own.refusal?.message ?? "" }, t("direction.unusedRow", { file: own.file.name }));
    return h("div", { className: "row unused" }, text, this.#remove(own));
  }

  /** @param {DirectionInfo[]} directions */
  #forget(directions) {
    for (const { name } of directions) this.#rows.delete(name);
  }

  set disabled(/** @type {boolean} */ off) {
    for (const { input } of this.#rows.values()) input.disabled = off;
  }

  /** @param {Strengths} strengths */
  set strengths(strengths) {
    for (const [name, { direction, input }] of this.#rows) {
      input.value = String(toPosition(direction, strengths[name] ?? 0));
      this.#mark(name);
    }
  }

  /** @param {Readonly<Record<string, number>>} shares of sliders that would tear the face: what it takes of them */
  set held(shares) {
    for (const [name, { note }] of this.#rows) {
      note.hidden = !Object.hasOwn(shares, name);
      note.textContent = note.hidden ? "" : t("slider.held", { share: quantity(shares[name], "percent") });
    }
  }

  /** @param {DirectionInfo} direction */
  #row(direction) {
    const { name } = direction;
    const label = nameOf(direction.label);
    const id = `slider-${name}`;
    const note = h("p", { id: `${id}-note`, className: "note", hidden: true });
    const range = { type: "range", ...ends(direction), step: "1", value: "0", "aria-describedby": note.id };
    const input = h("input", { id, ...range, disabled: true });
    const output = h("output", { htmlFor: id });
    const title = t("slider.reset", { label });
    const reset = h("button", { type: "button", className: "reset", title, "aria-label": title }, icon("undo"));
    this.#rows.set(name, { direction, input, output, reset, note });
    const tell = (/** @type {boolean} */ moving) => {
      this.#mark(name);
      const changes = { [name]: toStrength(direction, Number(input.value)) };
      this.dispatchEvent(new CustomEvent("strengths", { detail: { changes, moving } }));
    };
    const neutral = () => {
      input.value = "0";
      tell(false);
    };
    mindFingers(input);
    input.addEventListener("input", () => tell(true));
    input.addEventListener("change", () => tell(false));
    input.addEventListener("dblclick", neutral);
    reset.addEventListener("click", () => {
      neutral();
      input.focus();
    });
    this.#mark(name);
    return h("div", { className: "row" }, h("label", { htmlFor: id }, label), output, reset, input, note);
  }

  /**
   * Shows the position in words, in the output and as the filled part of the track.
   * @param {string} name
   */
  #mark(name) {
    const row = this.#rows.get(name);
    if (!row) return;
    const { direction, input, output, reset } = row;
    const position = Number(input.value);
    const signed = position > 0 ? `+${position}` : `−${-position}`;
    output.value = position === 0 ? "0" : signed;
    reset.disabled = position === 0;
    const value = position === 0 ? t("slider.neutral") : signed;
    input.setAttribute("aria-valuetext", t("slider.value", { label: nameOf(direction.label), value }));
    const { min, max } = ends(direction);
    const [from, to] = [Math.min(0, position), Math.max(0, position)].map(
      (at) => (at - Number(min)) / (Number(max) - Number(min)),
    );
    input.style.setProperty("--from", String(from));
    input.style.setProperty("--to", String(to));
  }
}

/**
 * @param {string} name
 * @param {HTMLElement[]} rows
 * @param {boolean} open
 */
function group(name, rows, open) {
  const heading = h("summary", {}, nameOf(name));
  return h("details", { open, "data-group": name }, heading, h("div", { className: "rows" }, ...rows));
}

/**
 * The first and last slider position.
 * @param {DirectionInfo} direction
 */
function ends({ range: [min, max] }) {
  return { min: String(min < 0 ? -POSITIONS : 0), max: String(max > 0 ? POSITIONS : 0) };
}

/**
 * @param {DirectionInfo} direction
 * @param {number} position
 */
function toStrength({ range: [min, max] }, position) {
  return position >= 0 ? (position / POSITIONS) * max : (-position / POSITIONS) * min;
}

/**
 * @param {DirectionInfo} direction
 * @param {number} strength
 */
function toPosition({ range: [min, max] }, strength) {
  const end = strength >= 0 ? max : -min;
  return end === 0 ? 0 : Math.round((POSITIONS * strength) / end);
}

customElements.define("sdic-sliders", SliderPanel);
