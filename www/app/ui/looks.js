// The panel of looks: a small picture of this face for each, and what can be done with them.
import { showsFaces } from "../../shared/quad.js";
import { spell, spoken, t } from "../../shared/strings.js";
import { byId, h } from "../dom.js";
import { remember, settings } from "../settings.js";
import { startLookDialogs } from "./look-dialogs.js";
import { notice, report } from "./notices.js";

/** @import { LookPictures } from "../look-pictures.js" */
/** @import { Looks, OfferedLook } from "../looks.js" */
/** @import { Session } from "../session.js" */

/** Side of a picture in pixels. */
const SIDE = 144;
/** The part of an aligned face that is shown: from the brow to the chin, as shares of its side. */
const CLOSE = { left: 0.18, top: 0.25, side: 0.64 };
/** Keys that lead from look to look. */
const STEPS = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 });

/**
 * @typedef {{
 *   look: OfferedLook | undefined, button: HTMLButtonElement, canvas: HTMLCanvasElement, drawn: ImageBitmap | undefined
 * }} Tile `look`: none of the tile that takes a look back; `drawn`: what the canvas shows
 */

/**
 * @param {Session} session
 * @param {Looks} looks
 * @param {LookPictures} pictures
 */
export function startLooks(session, looks, pictures) {
  const panel = byId("looks", HTMLDetailsElement);
  const list = byId("look-list", HTMLElement);
  const button = (/** @type {string} */ id) => byId(id, HTMLButtonElement);
  /** @type {Tile[]} */
  let tiles = [];

  /** @param {OfferedLook | undefined} look */
  function tile(look) {
    const name = look ? spell(look.name) : t("look.none");
    const canvas = h("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
    const onclick = () => (look ? looks.choose(look) : looks.withdraw());
    const about = {
      type: "button",
      className: "look",
      title: name,
      tabIndex: -1,
      "data-look": look?.id ?? "",
      onclick,
    };
    const element = h("button", about, canvas, h("span", {}, name));
    return { look, button: element, canvas, drawn: undefined };
  }

  /** Offers the looks anew; the focus stays in its place. */
  function offer() {
    const at = tiles.findIndex((each) => each.button === document.activeElement);
    const { offered } = looks;
    tiles = offered.length > 0 ? [undefined, ...offered].map(tile) : [];
    list.hidden = tiles.length === 0;
    list.replaceChildren(...tiles.map((each) => each.button));
    if (at >= 0) lead(Math.min(at, tiles.length - 1));
    show();
  }

  /** Shows which look the face has, and what can be done. */
  function show() {
    const { inverted } = session;
    const present = looks.present?.id;
    for (const { look, button: element } of tiles) {
      element.setAttribute("aria-pressed", String(look?.id === present));
      element.setAttribute("aria-disabled", String(!inverted));
    }
    if (!tiles.some((each) => each.button.tabIndex === 0)) lead(0, false);
    button("save-look").disabled = !looks.any;
    button("copy-look").disabled = !looks.any;
    button("paste-look").disabled = !inverted || !looks.copied;
    paint();
  }

  /** Draws what there is: until a look has its picture, the face as it is stands in for it. */
  function paint() {
    const { original } = session.pictures;
    for (const each of tiles) {
      const made = each.look ? pictures.of(each.look) : original;
      const shown = made ?? original;
      each.button.classList.toggle("made", made !== undefined);
      if (shown === each.drawn) continue;
      each.drawn = shown;
      drawClose(each.canvas, shown);
    }
  }

  /**
   * Has Tab lead to a tile.
   * @param {number} at
   * @param {boolean} [focus] whether it gets the focus, too
   */
  function lead(at, focus = true) {
    tiles.forEach((each, i) => {
      each.button.tabIndex = i === at ? 0 : -1;
    });
    if (focus) tiles[at]?.button.focus();
  }

  list.addEventListener("focusin", ({ target }) => {
    const at = tiles.findIndex((each) => each.button === target);
    if (at >= 0) lead(at, false);
  });
  list.addEventListener("keydown", (event) => {
    const at = tiles.findIndex((each) => each.button === document.activeElement);
    const ends = /** @type {Record<string, number>} */ ({ Home: 0, End: tiles.length - 1 });
    const to = ends[event.key] ?? (event.key in STEPS ? at + STEPS[event.key] : -1);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey || !(event.key in STEPS || event.key in ends)) return;
    event.preventDefault();
    lead((to + tiles.length) % tiles.length);
  });

  panel.open = settings.looks === "open";
  let onScreen = false;
  const look = () => {
    pictures.seen = panel.open && onScreen;
  };
  panel.addEventListener("toggle", () => {
    remember({ looks: panel.open ? "open" : "folded" });
    look();
  });
  new IntersectionObserver((entries) => {
    onScreen = entries.at(-1)?.isIntersecting ?? false;
    look();
  }).observe(panel);

  // Looks are for faces, of which the pictures show the features.
  session.engine.addEventListener("model", () => {
    panel.hidden = !showsFaces(session.engine.model);
  });
  looks.addEventListener("change", offer);
  looks.addEventListener("notice", (event) => notice(/** @type {CustomEvent} */ (event).detail));
  looks.addEventListener("failure", (event) => report(/** @type {CustomEvent} */ (event).detail));
  for (const type of ["step", "picture", "sliders", "photo", "faces"]) session.addEventListener(type, show);
  pictures.addEventListener("picture", paint);
  spoken(offer);

  button("copy-look").addEventListener("click", () => looks.copy());
  button("paste-look").addEventListener("click", () => looks.paste());
  startLookDialogs(session, looks);
}

/**
 * Draws the features of an aligned face.
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap | undefined} face
 */
function drawClose(canvas, face) {
  const context = canvas.getContext("2d");
  if (!context) return;
  context.clearRect(0, 0, SIDE, SIDE);
  if (!face) return;
  const [left, top, side] = [CLOSE.left, CLOSE.top, CLOSE.side].map((share) => share * face.width);
  context.imageSmoothingQuality = "high";
  context.drawImage(face, left, top, side, side, 0, 0, SIDE, SIDE);
}
