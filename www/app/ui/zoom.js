// How a picture is enlarged within its frame.

/** Enlargement from which single pixels of the picture are to be seen, in device pixels a pixel. */
export const PIXELS_SHOW = 3;
/** The largest enlargement, in device pixels a pixel; of small pictures at least `LEAST` times the frame. */
const MOST = 12;
const LEAST = 4;

/**
 * A picture fills its frame, or is larger and lies so that it still covers it. Lengths are in sides of the frame,
 * the frame's own corner is (0, 0).
 */
export class Zoom {
  /** How many times as large as the frame the picture is. */
  scale = 1;
  /** Where the picture's upper left corner lies: 0 or less. */
  x = 0;
  y = 0;
  /** Device pixels that a pixel of the picture takes when it fits. */
  #fitting = 1;

  get fits() {
    return this.scale === 1;
  }

  /** Device pixels a pixel of the picture takes; 1 is its own size. */
  get density() {
    return this.#fitting * this.scale;
  }

  /**
   * Tells the frame's width, in device pixels, and the picture's.
   * @param {number} frame
   * @param {number} picture
   */
  measure(frame, picture) {
    this.#fitting = frame > 0 && picture > 0 ? frame / picture : 1;
    this.about(1, 0.5, 0.5);
  }

  fit() {
    [this.scale, this.x, this.y] = [1, 0, 0];
  }

  /**
   * Enlarges so that the spot of the picture at (x, y) stays there.
   * @param {number} factor
   * @param {number} x
   * @param {number} y
   */
  about(factor, x, y) {
    const most = Math.max(LEAST, MOST / this.#fitting);
    const scale = Math.min(Math.max(this.scale * factor, 1), most);
    const grown = scale / this.scale;
    this.scale = scale;
    this.x = x - grown * (x - this.x);
    this.y = y - grown * (y - this.y);
    this.moveBy(0, 0);
  }

  /**
   * Shows the picture's own pixels, or twice the frame if those are no larger, around the spot at (x, y).
   * @param {number} x
   * @param {number} y
   */
  closer(x, y) {
    this.about(Math.max(2, 1 / this.density), x, y);
  }

  /**
   * Moves the picture, as far as it still covers the frame.
   * @param {number} dx
   * @param {number} dy
   */
  moveBy(dx, dy) {
    const least = 1 - this.scale;
    this.x = Math.min(Math.max(this.x + dx, least), 0);
    this.y = Math.min(Math.max(this.y + dy, least), 0);
  }

  /**
   * Where the frame's column x lies in the picture, from 0 to 1.
   * @param {number} x
   */
  column(x) {
    return Math.min(Math.max((x - this.x) / this.scale, 0), 1);
  }
}
