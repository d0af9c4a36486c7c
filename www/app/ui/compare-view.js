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
 *
 * A picture is drawn once, when it is first seen: what is drawn costs time that the engine's threads need.
 */
export class CompareView extends HTMLElement {
  #after = h("canvas", { className: "after", role: "img", hidden: true });
  #before = h("canvas", { className: "before", role: "img", hidden: true });
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
  /** @type {{ before?: Layer, after?: Layer }} */
  #layers = {};
  /** @type {Map<HTMLCanvasElement, Layer["picture"]>} the picture in each canvas */
  #drawn = new Map();

  connectedCallback() {
    if (this.firstChild) return;
    this.append(this.#after, this.#before, this.#handle);
    this.#handle.append(h("span", { className: "grip" }));
    for (const canvas of [this.#after, this.#before]) {
      canvas.addEventListener("contextrestored", () => {
        this.#drawn.delete(canvas);
        this.#update();
      });
    }
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
    this.#put("after", layer);
  }

  /** @param {Layer | undefined} layer */
  set beforeLayer(layer) {
    if (layer && layer.picture !== this.#layers.before?.picture)
      this.style.setProperty("--ratio", String(layer.picture.width / layer.picture.height));
    this.#put("before", layer);
  }

  /**
   * @param {"before" | "after"} side
   * @param {Layer | undefined} layer
   */
  #put(side, layer) {
    const old = this.#layers[side];
    if (layer?.picture === old?.picture && layer?.label === old?.label) return;
    this.#layers[side] = layer;
    this.#update();
  }

  /**
   * Draws a picture if it is to be seen and is not there already.
   * @param {HTMLCanvasElement} canvas
   * @param {Layer | undefined} layer undefined if nothing is to be seen
   */
  #show(canvas, layer) {
    const picture = layer?.picture;
    const there = picture !== undefined && this.#drawn.get(canvas) === picture;
    // A bitmap that was closed before it was seen has no size any more, and the next one is on its way.
    canvas.hidden = !there && !picture?.width;
    if (!picture || there || canvas.hidden) return;
    draw(canvas, picture);
    this.#drawn.set(canvas, picture);
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
    const [before, after] = [this.#layers.before?.label ?? "", this.#layers.after?.label ?? ""];
    const shown = this.#held ? 100 : this.#comparing ? this.#split : 0;
    this.#show(this.#after, this.#layers.after);
    this.#show(this.#before, shown > 0 ? this.#layers.before : undefined);
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
