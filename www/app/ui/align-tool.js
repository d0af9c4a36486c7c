import { draw, h } from "../dom.js";
import { t } from "../../shared/strings.js";

/** @import { Landmarks, Picture, Point, Quad } from "../../shared/types.js" */
/** @import { Photo } from "../session.js" */

const NAMES = /** @type {const} */ (["left_eye", "right_eye", "left_mouth", "right_mouth"]);
const PREVIEW = 160;
const STEP = 1 / 200;
const LARGE_STEP = 1 / 40;

/**
 * Four points on the photo that say where the face is, with the square they make and a preview of the aligned face.
 */
export class AlignTool extends HTMLElement {
  #canvas = h("canvas", { "aria-hidden": "true" });
  #outline = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  #polygon = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
  #field = h("div", { className: "field" });
  #preview = h("canvas", { className: "preview", role: "img", width: PREVIEW, height: PREVIEW });
  /** @type {Map<keyof Landmarks, HTMLButtonElement>} */
  #points = new Map();
  /** @type {Landmarks | undefined} */
  #landmarks;
  #size = { width: 1, height: 1 };
  #stale = false;
  #asking = false;
  /** @type {Quad | undefined} the square that the points make */
  quad;

  /**
   * What turns points into a square, and a square into a picture.
   * @type {{ quadFromPoints: (points: Landmarks) => Promise<Quad>, align: (quad: Quad, size: number) => Promise<Picture> } | undefined}
   */
  geometry;

  connectedCallback() {
    if (this.firstChild) return;
    this.#outline.append(this.#polygon);
    this.#outline.setAttribute("aria-hidden", "true");
    this.#preview.setAttribute("aria-label", t("align.preview"));
    this.#field.append(this.#canvas, this.#outline);
    for (const name of NAMES) {
      const point = h("button", { type: "button", className: `point ${name}`, "aria-label": t(`align.${name}`) });
      point.addEventListener("pointerdown", (event) => point.setPointerCapture(event.pointerId));
      point.addEventListener("pointermove", (event) => point.hasPointerCapture(event.pointerId) && this.#drag(name, event));
      point.addEventListener("keydown", (event) => this.#key(name, event));
      this.#points.set(name, point);
      this.#field.append(point);
    }
    this.append(this.#field, this.#preview);
  }

  /**
   * Shows a photo with the points where a face is, or in the middle.
   * @param {Photo} photo
   * @param {Quad | undefined} quad the present crop
   * @param {Landmarks | undefined} landmarks where the points belong, when the crop is that of a found face
   */
  show(photo, quad, landmarks) {
    const { width, height } = photo;
    this.#size = { width, height };
    draw(this.#canvas, photo.bitmap);
    this.style.setProperty("--ratio", String(width / height));
    this.#outline.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const side = 0.6 * Math.min(width, height);
    const [left, top] = [(width - side) / 2, (height - side) / 2];
    const middle = /** @type {Quad} */ ([[left, top], [left, top + side], [left + side, top + side], [left + side, top]]);
    this.#landmarks = landmarks ?? landmarksIn(quad ?? middle);
    this.#moved();
  }

  /**
   * @param {keyof Landmarks} name
   * @param {PointerEvent} event
   */
  #drag(name, event) {
    const box = this.#field.getBoundingClientRect();
    const { width, height } = this.#size;
    this.#place(name, [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height]);
  }

  /**
   * @param {keyof Landmarks} name
   * @param {KeyboardEvent} event
   */
  #key(name, event) {
    const step = (event.shiftKey ? LARGE_STEP : STEP) * Math.max(this.#size.width, this.#size.height);
    /** @type {Record<string, Point>} */
    const steps = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const by = steps[event.key];
    if (!by || !this.#landmarks) return;
    event.preventDefault();
    const [x, y] = this.#landmarks[name];
    this.#place(name, [x + by[0], y + by[1]]);
  }

  /**
   * @param {keyof Landmarks} name
   * @param {Point} point
   */
  #place(name, [x, y]) {
    if (!this.#landmarks) return;
    const { width, height } = this.#size;
    this.#landmarks = { ...this.#landmarks, [name]: [Math.min(width, Math.max(0, x)), Math.min(height, Math.max(0, y))] };
    this.#moved();
  }

  #moved() {
    if (!this.#landmarks) return;
    const { width, height } = this.#size;
    for (const [name, button] of this.#points) {
      const [x, y] = this.#landmarks[name];
      button.style.setProperty("--x", `${(100 * x) / width}%`);
      button.style.setProperty("--y", `${(100 * y) / height}%`);
    }
    this.#stale = true;
    if (!this.#asking) void this.#refresh();
  }

  /** Brings square and preview up to date, one question at a time. */
  async #refresh() {
    this.#asking = true;
    try {
      while (this.#stale && this.geometry && this.#landmarks) {
        this.#stale = false;
        const quad = await this.geometry.quadFromPoints(this.#landmarks);
        const picture = await this.geometry.align(quad, PREVIEW);
        this.quad = quad;
        this.#polygon.setAttribute("points", quad.map((point) => point.join(",")).join(" "));
        draw(this.#preview, picture);
      }
    } catch (failure) {
      this.dispatchEvent(new CustomEvent("failure", { detail: failure }));
    } finally {
      this.#asking = false;
    }
  }
}

/**
 * Where eyes and mouth lie in an aligned face: placed so that they make the same square again.
 * @param {Quad} quad
 * @returns {Landmarks}
 */
function landmarksIn([topLeft, bottomLeft, , topRight]) {
  const at = (/** @type {number} */ u, /** @type {number} */ v) =>
    /** @type {Point} */ ([0, 1].map((i) => topLeft[i] + u * (topRight[i] - topLeft[i]) + v * (bottomLeft[i] - topLeft[i])));
  return { left_eye: at(0.375, 0.475), right_eye: at(0.625, 0.475), left_mouth: at(0.41, 0.725), right_mouth: at(0.59, 0.725) };
}

customElements.define("sdic-align", AlignTool);
