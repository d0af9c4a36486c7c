// Small helpers for building and finding elements.

const SPRITES = new URL("../icons/sprite.svg", import.meta.url).href;

/**
 * Makes an element: properties are set as properties where the element has them, else as attributes; `onclick` and the
 * like become listeners.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name in element && !name.includes("-")) Object.assign(element, { [name]: value });
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/**
 * The element with this id, known to be there and of this class.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function byId(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new TypeError(`the page has no ${kind.name} #${id}`);
  return element;
}

/**
 * Writes a text where it is not there already: a browser would lay out and paint the same text anew.
 * @param {HTMLElement} element
 * @param {string} text
 */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Draws a picture or bitmap at its own size; the style sheet scales the canvas.
 * @param {HTMLCanvasElement} canvas
 * @param {import("../shared/types.js").Picture | ImageBitmap} picture
 */
export function draw(canvas, picture) {
  // Setting a size makes the browser allocate anew, even if it is the same size.
  if (canvas.width !== picture.width) canvas.width = picture.width;
  if (canvas.height !== picture.height) canvas.height = picture.height;
  const context = canvas.getContext("2d");
  if (picture instanceof ImageBitmap) context?.drawImage(picture, 0, 0);
  else context?.putImageData(new ImageData(picture.data, picture.width, picture.height), 0, 0);
}

/**
 * An icon from the sprite sheet.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${SPRITES}#${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}
