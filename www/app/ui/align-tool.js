import { Failure } from "../../shared/failure.js";
import { say } from "../../shared/say.js";
import { spoken, t } from "../../shared/strings.js";
import { draw, h } from "../dom.js";
import { sentences } from "./notices.js";

/** @import { Photo } from "../photos.js" */
/** @import { Picture, Point, Quad, QuadPoints } from "../../shared/types.js" */

/**
 * What turns points into a square, and a square into a picture.
 * @typedef {{
 *   photo: Photo,
 *   quadFromPoints: (points: QuadPoints) => Promise<Quad>,
 *   preview: (quad: Quad, size: number) => Promise<Picture>
 * }} Geometry
 */

const NAMES = /** @type {const} */ (["leftEye", "rightEye", "leftMouth", "rightMouth"]);
const PREVIEW = 160;
const STEP = 1 / 200;
const LARGE_STEP = 1 / 40;

/**
 * Four points on the photo that say where the face is, with the square they make and a preview of the aligned face.
 * Where they make none, a sentence says why.
 */
export class AlignTool extends HTMLElement {
  #canvas = h("canvas", { "aria-hidden": "true" });
  #outline = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  #polygon = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
  #field = h("div", { className: "field" });
  #preview = h("canvas", { className: "preview", role: "img", width: PREVIEW, height: PREVIEW });
  #problem = h("p", { className: "problem", role: "alert" });
  /** @type {Map<keyof QuadPoints, HTMLButtonElement>} */
  #buttons = new Map();
  /** @type {QuadPoints | undefined} */
  #points;
  /** @type {Geometry | undefined} */
  #geometry;
  /** @type {Quad | undefined} the square of these very points */
  #quad;
  /** @type {Promise<void> | undefined} bringing square and preview up to date */
  #refreshing;

  connectedCallback() {
    if (this.firstChild) return;
    this.#outline.append(this.#polygon);
    this.#outline.setAttribute("aria-hidden", "true");
    this.#field.append(this.#canvas, this.#outline);
    for (const name of NAMES) {
      const point = h("button", { type: "button", className: `point ${name}` });
      point.addEventListener("pointerdown", (event) => point.setPointerCapture(event.pointerId));
      point.addEventListener(
        "pointermove",
        (event) => point.hasPointerCapture(event.pointerId) && this.#drag(name, event),
      );
      point.addEventListener("keydown", (event) => this.#key(name, event));
      this.#buttons.set(name, point);
      this.#field.append(point);
    }
    this.append(this.#field, this.#preview, this.#problem);
    spoken(() => {
      this.#preview.setAttribute("aria-label", t("align.preview"));
      for (const [name, point] of this.#buttons) point.setAttribute("aria-label", t(`align.${name}`));
    });
  }

  /**
   * Shows a photo with the points where a face is, or in the middle.
   * @param {Geometry} geometry
   * @param {Quad | undefined} quad the present crop
   * @param {QuadPoints | undefined} points where they belong, when the crop is that of a found face
   */
  show(geometry, quad, points) {
    const { photo } = geometry;
    const { width, height } = photo;
    this.#geometry = geometry;
    draw(this.#canvas, photo.bitmap);
    this.style.setProperty("--ratio", String(width / height));
    this.#outline.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const side = 0.6 * Math.min(width, height);
    const [left, top] = [(width - side) / 2, (height - side) / 2];
    const right = left + side;
    const middle = /** @type {Quad} */ ([
      [left, top],
      [left, top + side],
      [right, top + side],
      [right, top],
    ]);
    this.#points = points ?? pointsIn(quad ?? middle);
    this.#moved();
  }

  /** The square of the points as they are now; undefined where they make none, which is then said. */
  async settled() {
    while (this.#refreshing) await this.#refreshing;
    return this.#quad;
  }

  /**
   * @param {keyof QuadPoints} name
   * @param {PointerEvent} event
   */
  #drag(name, event) {
    if (!this.#geometry) return;
    const box = this.#field.getBoundingClientRect();
    const { width, height } = this.#geometry.photo;
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    this.#place(name, [x * width, y * height]);
  }

  /**
   * @param {keyof QuadPoints} name
   * @param {KeyboardEvent} event
   */
  #key(name, event) {
    if (!this.#geometry || !this.#points) return;
    const { width, height } = this.#geometry.photo;
    const step = (event.shiftKey ? LARGE_STEP : STEP) * Math.max(width, height);
    /** @type {Record<string, Point>} */
    const steps = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const by = steps[event.key];
    if (!by) return;
    event.preventDefault();
    const [x, y] = this.#points[name];
    this.#place(name, [x + by[0], y + by[1]]);
  }

  /**
   * @param {keyof QuadPoints} name
   * @param {Point} point
   */
  #place(name, [x, y]) {
    if (!this.#points || !this.#geometry) return;
    const { width, height } = this.#geometry.photo;
    const inside = /** @type {Point} */ ([Math.min(width, Math.max(0, x)), Math.min(height, Math.max(0, y))]);
    this.#points = { ...this.#points, [name]: inside };
    this.#moved();
  }

  #moved() {
    if (!this.#points || !this.#geometry) return;
    const { width, height } = this.#geometry.photo;
    for (const [name, button] of this.#buttons) {
      const [x, y] = this.#points[name];
      button.style.setProperty("--x", `${(100 * x) / width}%`);
      button.style.setProperty("--y", `${(100 * y) / height}%`);
    }
    this.#quad = undefined;
    this.#refreshing ??= this.#refresh();
  }

  /** Brings square and preview up to date, one question at a time. */
  async #refresh() {
    for (let asked; this.#geometry && this.#points && asked !== this.#points; ) {
      asked = this.#points;
      const { quadFromPoints, preview } = this.#geometry;
      let [quad, picture, problem] = [
        /** @type {Quad | undefined} */ (undefined),
        /** @type {Picture | undefined} */ (undefined),
        /** @type {(Node | string)[]} */ ([]),
      ];
      try {
        quad = await quadFromPoints(asked);
        picture = await preview(quad, PREVIEW);
      } catch (thrown) {
        quad = undefined;
        problem = sentences({ said: say("align.failed"), detail: Failure.from(thrown).message });
      }
      if (asked !== this.#points) continue;
      this.#quad = quad;
      this.#problem.replaceChildren(...problem);
      this.#polygon.setAttribute("points", (quad ?? []).map((point) => point.join(",")).join(" "));
      if (picture) draw(this.#preview, picture);
    }
    this.#refreshing = undefined;
  }
}

/**
 * Where eyes and mouth lie in an aligned face: placed so that they make the same square again.
 * @param {Quad} quad
 * @returns {QuadPoints}
 */
function pointsIn([topLeft, bottomLeft, , topRight]) {
  const at = (/** @type {number} */ u, /** @type {number} */ v) =>
    /** @type {Point} */ (
      [0, 1].map((i) => topLeft[i] + u * (topRight[i] - topLeft[i]) + v * (bottomLeft[i] - topLeft[i]))
    );
  return {
    leftEye: at(0.375, 0.475),
    rightEye: at(0.625, 0.475),
    leftMouth: at(0.41, 0.725),
    rightMouth: at(0.59, 0.725),
  };
}

customElements.define("sdic-align", AlignTool);
