import { quantity } from "../../shared/say.js";
import { spoken, t } from "../../shared/strings.js";
import { draw, h } from "../dom.js";

/** @import { Picture } from "../../shared/types.js" */
/** @typedef {{ picture: Picture | ImageBitmap, label: string }} Layer */

const STEP = 2;
const LARGE_STEP = 10;

/**
 * Two pictures in one place: the one after, and the one before to the left of a divider, or everywhere while held.
 * Without `comparing` only the one after shows; pressing the picture then shows the one before.
 */
export class CompareView extends HTMLElement {
  #after = h("canvas", { className: "after", role: "img" });
  #before = h("canvas", { className: "before", role: "img" });
  #handle = h("div", {
    className: "handle",
    role: "slider",
    tabIndex: 0,
    "aria-valuemin": 0,
    "aria-valuemax": 100,
    hidden: true,
  });
  #split = 50;
  #comparing = false;
  #held = false;
  #labels = { before: "", after: "" };

  connectedCallback() {
    if (this.firstChild) return;
    this.append(this.#after, this.#before, this.#handle);
    this.#handle.append(h("span", { className: "grip" }));
    this.addEventListener("pointerdown", (event) => this.#press(event));
    this.addEventListener(
      "pointermove",
      (event) => this.#comparing && this.hasPointerCapture(event.pointerId) && this.#drag(event),
    );
    for (const end of ["pointerup", "pointercancel"]) this.addEventListener(end, () => (this.held = false));
    this.#handle.addEventListener("keydown", (event) => this.#key(event));
    spoken(() => this.#update());
  }

  /** @param {Layer | undefined} layer */
  set afterLayer(layer) {
    this.#after.hidden = !layer;
    if (!layer) return;
    draw(this.#after, layer.picture);
    this.#labels.after = layer.label;
    this.#update();
  }

  /** @param {Layer | undefined} layer */
  set beforeLayer(layer) {
    this.#before.hidden = !layer;
    if (!layer) return;
    draw(this.#before, layer.picture);
    this.style.setProperty("--ratio", String(layer.picture.width / layer.picture.height));
    this.#labels.before = layer.label;
    this.#update();
  }

  get comparing() {
    return this.#comparing;
  }

  set comparing(on) {
    this.#comparing = on;
    this.#update();
  }

  /** Shows the picture before in full. */
  set held(/** @type {boolean} */ on) {
    this.#held = on;
    this.#update();
  }

  #update() {
    const { before, after } = this.#labels;
    const shown = this.#held ? 100 : this.#comparing ? this.#split : 0;
    this.style.setProperty("--split", `${shown}%`);
    this.classList.toggle("comparing", this.#comparing && !this.#held);
    this.#handle.hidden = !this.#comparing || this.#held;
    this.#handle.setAttribute("aria-label", t("compare.handle", { before, after }));
    this.#handle.setAttribute("aria-valuenow", String(Math.round(this.#split)));
    this.#handle.setAttribute(
      "aria-valuetext",
      t("compare.value", { percent: quantity(this.#split / 100, "percent"), before }),
    );
    this.#after.setAttribute("aria-label", t("viewer.picture", { view: after }));
    this.#before.setAttribute("aria-label", t("viewer.picture", { view: before }));
    this.#before.setAttribute("aria-hidden", String(shown === 0));
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button !== 0) return;
    this.setPointerCapture(event.pointerId);
    if (this.#comparing) this.#drag(event);
    else this.held = true;
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const { left, width } = this.getBoundingClientRect();
    this.#moveTo((100 * (event.clientX - left)) / width);
  }

  /** @param {number} split */
  #moveTo(split) {
    this.#split = Math.min(100, Math.max(0, split));
    this.#update();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = event.shiftKey ? LARGE_STEP : STEP;
    /** @type {Record<string, number>} */
    const places = {
      ArrowLeft: this.#split - step,
      ArrowDown: this.#split - step,
      ArrowRight: this.#split + step,
      ArrowUp: this.#split + step,
      PageDown: this.#split - LARGE_STEP,
      PageUp: this.#split + LARGE_STEP,
      Home: 0,
      End: 100,
    };
    if (!(event.key in places)) return;
    event.preventDefault();
    this.#moveTo(places[event.key]);
  }
}

customElements.define("sdic-compare", CompareView);
