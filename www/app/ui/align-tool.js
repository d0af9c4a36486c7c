import { Failure } from "../../shared/failure.js";
import { upright } from "../../shared/quad.js";
import { say } from "../../shared/say.js";
import { spoken, t } from "../../shared/strings.js";
import { draw, h } from "../dom.js";
import { sentences } from "./notices.js";

/** @import { OpenPhoto } from "../photos.js" */
/** @import { Picture, Point, Quad, QuadPoints } from "../../shared/types.js" */

/**
 * What turns points into a square, and a square into a picture. `aspect`: height of a frame in widths, where no face is
 * placed but what else a model knows.
 * @typedef {{
 *   photo: OpenPhoto,
 *   aspect?: number,
 *   quadFromPoints: (points: QuadPoints) => Promise<Quad>,
 *   preview: (quad: Quad, size: number) => Promise<Picture>
 * }} Geometry
 *
 * @typedef {keyof QuadPoints | "middle" | "corner"} Name
 * @typedef {Record<string, Point>} Points
 */

const FACE = /** @type {const} */ (["leftEye", "rightEye", "leftMouth", "rightMouth"]);
const FRAME = /** @type {const} */ (["middle", "corner"]);
const PREVIEW = 160;
/** Width of the smallest frame, in sides of the photo. */
const SMALLEST = 1 / 20;
const STEP = 1 / 200;
const LARGE_STEP = 1 / 40;

/**
 * Four points on the photo that say where the face is, with the square they make and a preview of the aligned face.
 * Where they make none, a sentence says why. For a model that shows no faces there is an upright frame of its shape
 * instead, with points in its middle and at a corner.
 */
export class AlignTool extends HTMLElement {
  #canvas = h("canvas", { "aria-hidden": "true" });
  #outline = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  #polygon = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
  #field = h("div", { className: "field" });
  #preview = h("canvas", { className: "preview", role: "img", width: PREVIEW, height: PREVIEW });
  #problem = h("p", { className: "problem", role: "alert" });
  /** @type {Map<Name, HTMLButtonElement>} */
  #buttons = new Map();
  /** @type {Points | undefined} */
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
    for (const name of [...FACE, ...FRAME]) {
      const point = h("button", { type: "button", className: `point ${name}` });
      point.addEventListener("pointerdown", (event) => point.setPointerCapture(event.pointerId));
      point.addEventListener(
        "pointermove",
        (event) => point.hasPointerCapture(event.pointerId) && this.#drag(name, event),
      );
      point.addEventListener("keydown", (event) => this.#key(name, event));
      this.#buttons.set(name, point);
    }
    this.#polygon.addEventListener("pointerdown", (event) => this.#grasp(event));
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
    const { photo, aspect } = geometry;
    const { width, height } = photo;
    this.#geometry = geometry;
    this.classList.toggle("framing", aspect !== undefined);
    draw(this.#canvas, photo.bitmap);
    this.style.setProperty("--ratio", String(width / height));
    this.#outline.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const side = 0.6 * Math.min(width, height);
    const place = quad ?? upright((width - side) / 2, (height - side) / 2, side, (aspect ?? 1) * side);
    this.#points = aspect === undefined ? { ...(points ?? pointsIn(place)) } : frameOf(place);
    for (const [name, button] of this.#buttons) {
      if (name in this.#points) this.#field.append(button);
      else button.remove();
    }
    this.#moved();
  }

  /** The square of the points as they are now; undefined where they make none, which is then said. */
  async settled() {
    while (this.#refreshing) await this.#refreshing;
    return this.#quad;
  }

  /**
   * Where something happens, in pixels of the photo.
   * @param {PointerEvent} event
   * @returns {Point}
   */
  #at(event) {
    const box = this.#field.getBoundingClientRect();
    const { width = 0, height = 0 } = this.#geometry?.photo ?? {};
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  }

  /**
   * @param {Name} name
   * @param {PointerEvent} event
   */
  #drag(name, event) {
    if (this.#geometry) this.#place(name, this.#at(event));
  }

  /**
   * Drags the frame, wherever it is taken hold of.
   * @param {PointerEvent} event
   */
  #grasp(event) {
    if (!this.#points || !this.#geometry?.aspect) return;
    const [[x, y], [fromX, fromY]] = [this.#points.middle, this.#at(event)];
    const follow = (/** @type {PointerEvent} */ moved) => {
      const [toX, toY] = this.#at(moved);
      this.#place("middle", [x + toX - fromX, y + toY - fromY]);
    };
    const release = new AbortController();
    const { signal } = release;
    this.#polygon.setPointerCapture(event.pointerId);
    this.#polygon.addEventListener("pointermove", follow, { signal });
    for (const end of ["pointerup", "pointercancel"]) {
      this.#polygon.addEventListener(end, () => release.abort(), { signal });
    }
  }

  /**
   * @param {Name} name
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
   * @param {Name} name
   * @param {Point} point
   */
  #place(name, [x, y]) {
    if (!this.#points || !this.#geometry) return;
    const { photo, aspect } = this.#geometry;
    const inside = /** @type {Point} */ ([clamp(x, 0, photo.width), clamp(y, 0, photo.height)]);
    if (aspect === undefined) this.#points = { ...this.#points, [name]: inside };
    else if (name === "middle") this.#points = movedTo(inside, this.#points, photo);
    else this.#points = resizedTo(inside, this.#points, photo, aspect);
    this.#moved();
  }

  #moved() {
    if (!this.#points || !this.#geometry) return;
    const { width, height } = this.#geometry.photo;
    if (this.#geometry.aspect !== undefined) this.#draw(quadOf(this.#points)); // at once; the preview follows
    for (const [name, button] of this.#buttons) {
      const [x, y] = this.#points[name] ?? [0, 0];
      button.style.setProperty("--x", `${(100 * x) / width}%`);
      button.style.setProperty("--y", `${(100 * y) / height}%`);
    }
    this.#quad = undefined;
    this.#refreshing ??= this.#refresh();
  }

  /** @param {Quad | undefined} quad */
  #draw(quad) {
    this.#polygon.setAttribute("points", (quad ?? []).map((point) => point.join(",")).join(" "));
  }

  /** Brings square and preview up to date, one question at a time. */
  async #refresh() {
    for (let asked; this.#geometry && this.#points && asked !== this.#points; ) {
      asked = this.#points;
      const { aspect, quadFromPoints, preview } = this.#geometry;
      let [quad, picture, problem] = [
        /** @type {Quad | undefined} */ (undefined),
        /** @type {Picture | undefined} */ (undefined),
        /** @type {(Node | string)[]} */ ([]),
      ];
      try {
        quad = aspect === undefined ? await quadFromPoints(faceIn(asked)) : quadOf(asked);
        picture = await preview(quad, PREVIEW);
      } catch (thrown) {
        quad = undefined;
        problem = sentences({ said: say("align.failed"), detail: Failure.from(thrown).message });
      }
      if (asked !== this.#points) continue;
      this.#quad = quad;
      this.#problem.replaceChildren(...problem);
      this.#draw(quad);
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

/**
 * @param {Points} points
 * @returns {QuadPoints}
 */
function faceIn({ leftEye, rightEye, leftMouth, rightMouth }) {
  return { leftEye, rightEye, leftMouth, rightMouth };
}

/**
 * The points of a frame.
 * @param {Quad} quad
 * @returns {Points}
 */
function frameOf([[left, top], , corner]) {
  return { middle: [(left + corner[0]) / 2, (top + corner[1]) / 2], corner };
}

/**
 * The frame of two points.
 * @param {Points} points
 * @returns {Quad}
 */
function quadOf({ middle: [x, y], corner: [right, bottom] }) {
  return upright(2 * x - right, 2 * y - bottom, 2 * (right - x), 2 * (bottom - y));
}

/**
 * A frame around another middle, within the photo.
 * @param {Point} to
 * @param {Points} frame
 * @param {{ width: number, height: number }} photo
 * @returns {Points}
 */
function movedTo([x, y], { middle, corner }, { width, height }) {
  const [across, down] = [corner[0] - middle[0], corner[1] - middle[1]];
  const [toX, toY] = [clamp(x, across, width - across), clamp(y, down, height - down)];
  return { middle: [toX, toY], corner: [toX + across, toY + down] };
}

/**
 * A frame from the same upper left corner to next to where the other one is asked for, within the photo.
 * @param {Point} to
 * @param {Points} frame
 * @param {{ width: number, height: number }} photo
 * @param {number} aspect
 * @returns {Points}
 */
function resizedTo([x, y], frame, { width, height }, aspect) {
  const [[left, top]] = quadOf(frame);
  const most = Math.min(width - left, (height - top) / aspect);
  const least = Math.min(most, SMALLEST * Math.max(width, height));
  const nearest = (x - left + aspect * (y - top)) / (1 + aspect ** 2); // on the diagonal
  const across = clamp(nearest, least, most);
  return frameOf(upright(left, top, across, aspect * across));
}

/**
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
function clamp(value, least, most) {
  return Math.min(most, Math.max(least, value));
}

customElements.define("sdic-align", AlignTool);
