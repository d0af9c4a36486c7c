import { quantity } from "../../shared/say.js";
import { spoken, t } from "../../shared/strings.js";
import { draw, h } from "../dom.js";
import { PIXELS_SHOW, Zoom } from "./zoom.js";

/** @import { Picture } from "../../shared/types.js" */
/** @import { CloseUp } from "../../shared/protocol.js" */
/**
 * `finest`: pixels a side that there are of the picture, if more than it has.
 * @typedef {{ picture: Picture | ImageBitmap, label: string, finest?: number }} ComparedPicture
 *
 * The part that is seen, in all its pixels, of the pictures that have more than they show.
 * @typedef {{ part: CloseUp, before?: ImageBitmap, after?: ImageBitmap }} Close
 */

const STEP = 2;
const LARGE_STEP = 10;
/** Pixels that a finger or mouse moves before it drags. */
const SLACK = 4;
/** How much the wheel enlarges, as an exponent of e: for a pixel, a line and a page, as `deltaMode` counts. */
const WHEEL = [0.002, 0.05, 0.5];
/** How long the picture must rest, in milliseconds, before what is seen of it is shown in all its pixels. */
const REST = 120;
/** How much a trackpad's pinch enlarges, which comes as a wheel with small steps. */
const PINCHED = 5;

/**
 * Two pictures in one place: the one after, and the one before to the left of a divider, or everywhere while held.
 * Without `comparing` only the one after shows; pressing the picture then shows the one before. Both are enlarged
 * alike, by wheel, pinch or double tap, and moved by dragging. Fires `zoom`, and `rest` when an enlarged picture has
 * come to rest: `closeUp` then takes the part that is seen in more pixels than the picture has.
 *
 * A picture is drawn once, when it is first seen: what is drawn costs time that the engine's threads need.
 */
export class CompareView extends HTMLElement {
  #after = h("canvas", { className: "after", role: "img", hidden: true });
  #before = h("canvas", { className: "before", role: "img", hidden: true });
  #closeAfter = h("canvas", { className: "close close-after", hidden: true, "aria-hidden": "true" });
  #closeBefore = h("canvas", { className: "close close-before", hidden: true, "aria-hidden": "true" });
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
  /** @type {{ before?: ComparedPicture, after?: ComparedPicture }} */
  #layers = {};
  /** @type {Map<HTMLCanvasElement, ComparedPicture["picture"]>} the picture in each canvas */
  #drawn = new Map();
  #zoom = new Zoom();
  /** @type {Map<number, { x: number, y: number }>} where fingers and mouse are that press the picture */
  #pressing = new Map();
  /** What pressing the picture does now. @type {"nothing" | "waits" | "pans" | "divides"} */
  #press = "nothing";
  #keysWork = false;
  /** What the close canvases show. @type {{ part: CloseUp, before: boolean, after: boolean } | undefined} */
  #close;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #resting;

  connectedCallback() {
    if (this.firstChild) return;
    this.append(this.#after, this.#closeAfter, this.#before, this.#closeBefore, this.#handle);
    this.#handle.append(h("span", { className: "grip" }));
    for (const canvas of [this.#after, this.#before]) {
      canvas.addEventListener("contextrestored", () => {
        this.#drawn.delete(canvas);
        this.#update();
      });
    }
    this.addEventListener("pointerdown", (event) => this.#pressed(event));
    this.addEventListener("pointermove", (event) => this.#moved(event));
    for (const end of /** @type {const} */ (["pointerup", "pointercancel"])) {
      this.addEventListener(end, (event) => this.#released(event));
    }
    this.addEventListener("dblclick", (event) => this.#tappedTwice(event));
    this.addEventListener("wheel", (event) => this.#wheeled(event), { passive: false });
    new ResizeObserver(() => this.#measure()).observe(this);
    this.#handle.addEventListener("keydown", (event) => this.#key(event));
    spoken(() => this.#update());
  }

  /** @param {ComparedPicture | undefined} layer */
  set afterLayer(layer) {
    this.#put("after", layer);
  }

  /** @param {ComparedPicture | undefined} layer */
  set beforeLayer(layer) {
    const { width, height } = layer?.picture ?? {};
    const { picture: old, finest } = this.#layers.before ?? {};
    this.#put("before", layer);
    if (!width || !height || (layer?.picture === old && layer?.finest === finest)) return;
    this.style.setProperty("--ratio", String(width / height));
    if (width === old?.width && height === old?.height && layer?.finest === finest) return;
    this.#zoom.fit();
    this.#measure();
  }

  /**
   * @param {"before" | "after"} side
   * @param {ComparedPicture | undefined} layer
   */
  #put(side, layer) {
    const old = this.#layers[side];
    if (layer?.picture === old?.picture && layer?.label === old?.label && layer?.finest === old?.finest) return;
    this.#layers[side] = layer;
    if (this.#close && layer?.picture !== old?.picture) this.#close[side] = false;
    this.#update();
    this.#rest();
  }

  /**
   * Draws a picture if it is to be seen and is not there already.
   * @param {HTMLCanvasElement} canvas
   * @param {ComparedPicture | undefined} layer undefined if nothing is to be seen
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
    const { scale, x, y, fits, density } = this.#zoom;
    this.style.setProperty("--split", `${shown}%`);
    this.style.setProperty("--cut", `${100 * (shown === 100 ? 1 : this.#zoom.column(shown / 100))}%`);
    this.style.setProperty("--zoom", fits ? "none" : `translate(${100 * x}%, ${100 * y}%) scale(${scale})`);
    this.#placeClose(shown);
    this.classList.toggle("zoomed", !fits);
    this.classList.toggle("pixels", density >= PIXELS_SHOW);
    if (this.#keysWork || !fits) this.tabIndex = 0;
    else this.removeAttribute("tabindex");
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

  /** Whether keys work in the picture alone, so that Tab must lead to it. */
  set keysWork(/** @type {boolean} */ on) {
    this.#keysWork = on;
    this.#update();
  }

  // ---- Enlarging

  get zoomed() {
    return !this.#zoom.fits;
  }

  /** Device pixels that a pixel of the picture takes. */
  get density() {
    return this.#zoom.density;
  }

  /** Shows the whole picture, or its own pixels in the middle. */
  toggleZoom() {
    this.#zoomed((zoom) => (zoom.fits ? zoom.closer(0.5, 0.5) : zoom.fit()));
  }

  fit() {
    this.#zoomed((zoom) => zoom.fit());
  }

  /**
   * Enlarges the middle.
   * @param {number} factor
   */
  zoomBy(factor) {
    this.#zoomed((zoom) => zoom.about(factor, 0.5, 0.5));
  }

  /**
   * Moves the picture, in sides of the frame.
   * @param {number} dx
   * @param {number} dy
   */
  panBy(dx, dy) {
    this.#zoomed((zoom) => zoom.moveBy(dx, dy));
  }

  /** @param {(zoom: Zoom) => void} change */
  #zoomed(change) {
    change(this.#zoom);
    this.#update();
    this.#rest();
    this.dispatchEvent(new Event("zoom"));
  }

  #measure() {
    const { picture, finest } = this.#layers.before ?? {};
    this.#zoomed((zoom) => zoom.measure(this.clientWidth * devicePixelRatio, finest ?? picture?.width ?? 0));
  }

  // ---- Looking closely

  /** Tells when nothing has moved for a moment. */
  #rest() {
    clearTimeout(this.#resting);
    if (this.zoomed) this.#resting = setTimeout(() => this.dispatchEvent(new Event("rest")), REST);
  }

  /**
   * The part of the picture that is seen, in the screen's pixels; undefined if that is all of it.
   * @returns {CloseUp | undefined}
   */
  get seen() {
    const { scale, x, y, fits, density } = this.#zoom;
    const [width, height] = [this.clientWidth, this.clientHeight].map((side) => Math.round(side * devicePixelRatio));
    if (fits || width === 0 || height === 0) return undefined;
    return { left: -x / scale, top: -y / scale, share: 1 / scale, width, height, smooth: density < PIXELS_SHOW };
  }

  /** Shows a part in all its pixels, until the picture is another one or is shown whole. @param {Close} close */
  set closeUp({ part, before, after }) {
    if (before) draw(this.#closeBefore, before);
    if (after) draw(this.#closeAfter, after);
    this.#close = { part, before: before !== undefined, after: after !== undefined };
    this.#update();
  }

  /**
   * Has the close canvases lie over the part that they show, as the picture is now moved and enlarged.
   * @param {number} shown how much of the picture before is seen, in percent
   */
  #placeClose(shown) {
    const { scale, x, y, fits } = this.#zoom;
    if (fits && this.#close) {
      for (const canvas of [this.#closeBefore, this.#closeAfter]) [canvas.width, canvas.height] = [0, 0];
      this.#close = undefined;
    }
    const { part, before = false, after = false } = this.#close ?? {};
    this.#closeBefore.hidden = !before || shown === 0;
    this.#closeAfter.hidden = !after;
    if (!part) return;
    const grown = scale * part.share;
    const [dx, dy] = [x + scale * part.left, y + scale * part.top];
    const still = Math.abs(grown - 1) < 1e-6 && Math.hypot(dx, dy) < 1e-6;
    const place = still ? "none" : `translate(${100 * dx}%, ${100 * dy}%) scale(${grown})`;
    this.style.setProperty("--close", place);
    const cut = shown === 100 ? 1 : (shown / 100 - dx) / grown;
    this.style.setProperty("--close-cut", `${100 * Math.min(1, Math.max(0, cut))}%`);
  }

  /**
   * Where something happens, in sides of the frame.
   * @param {{ clientX: number, clientY: number }} event
   */
  #at({ clientX, clientY }) {
    const { left, top, width, height } = this.getBoundingClientRect();
    return { x: (clientX - left) / width, y: (clientY - top) / height };
  }

  /** @param {WheelEvent} event */
  #wheeled(event) {
    const by = -event.deltaY * WHEEL[event.deltaMode] * (event.ctrlKey ? PINCHED : 1);
    if (by === 0 || (by < 0 && !this.zoomed)) return; // the page scrolls
    event.preventDefault();
    const { x, y } = this.#at(event);
    this.#zoomed((zoom) => zoom.about(Math.exp(by), x, y));
  }

  /** @param {MouseEvent} event */
  #tappedTwice(event) {
    if (this.#handle.contains(/** @type {Node} */ (event.target))) return;
    const { x, y } = this.#at(event);
    this.#zoomed((zoom) => (zoom.fits ? zoom.closer(x, y) : zoom.fit()));
  }

  // ---- Pressing and dragging

  /** @param {PointerEvent} event */
  #pressed(event) {
    if (event.button !== 0) return;
    this.setPointerCapture(event.pointerId);
    this.#pressing.set(event.pointerId, this.#at(event));
    const onHandle = this.#handle.contains(/** @type {Node} */ (event.target));
    if (this.#pressing.size > 1) this.#press = "pans";
    else if (this.#comparing && (onHandle || !this.zoomed)) this.#press = "divides";
    else this.#press = "waits";
    this.held = this.#press === "waits" && !this.#comparing;
    if (this.#press === "divides") this.#divide(event);
  }

  /** @param {PointerEvent} event */
  #moved(event) {
    const before = this.#pressing.get(event.pointerId);
    if (!before) return;
    if (this.#press === "divides") return this.#divide(event);
    const now = this.#at(event);
    const [dx, dy] = [now.x - before.x, now.y - before.y];
    if (this.#press === "waits") {
      if (!this.zoomed || Math.hypot(dx * this.clientWidth, dy * this.clientHeight) < SLACK) return;
      this.#press = "pans";
      this.held = false;
    }
    this.#pressing.set(event.pointerId, now);
    const other = [...this.#pressing].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) return this.panBy(dx, dy);
    const apart = ({ x = 0, y = 0 }) =>
      Math.hypot((x - other.x) * this.clientWidth, (y - other.y) * this.clientHeight);
    // The spot between the fingers follows their middle, which moves half as far as the one that moves.
    const middle = { x: (before.x + other.x) / 2, y: (before.y + other.y) / 2 };
    this.#zoomed((zoom) => {
      zoom.about(apart(now) / Math.max(apart(before), 1), middle.x, middle.y);
      zoom.moveBy(dx / 2, dy / 2);
    });
  }

  /** @param {PointerEvent} event */
  #released({ pointerId }) {
    this.#pressing.delete(pointerId);
    this.held = false;
    if (this.#pressing.size === 0) this.#press = "nothing";
  }

  /** @param {PointerEvent} event */
  #divide(event) {
    this.#moveTo(100 * this.#at(event).x);
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
