// The method, step by step, on the visitor's own face: pictures, sentences and numbers side by side.
import { Failure } from "../../shared/failure.js";
import { pixels, say } from "../../shared/say.js";
import { spell, spoken, t } from "../../shared/strings.js";
import { byId, draw, h, write } from "../dom.js";
import { meanDeviation, meanDifference, psnr, read } from "../measures.js";
import { report } from "./notices.js";

/** @import { Saying } from "../../shared/say.js" */
/** @import { View } from "../portrait.js" */
/** @import { Session } from "../session.js" */

const STEPS = /** @type {const} */ (["original", "initial", "discrepancy", "reconstruction", "edited"]);

const toggle = byId("method-toggle", HTMLButtonElement);
const section = byId("method", HTMLElement);
const list = byId("method-steps", HTMLOListElement);
const note = byId("method-note", HTMLElement);

/** @param {number} value */
const rounded = (value) => Math.round(10 * value) / 10;

/**
 * @param {Session} session
 * @param {ReturnType<typeof import("./viewer.js").startViewer>} viewer
 */
export function startMethod(session, viewer) {
  const steps = STEPS.map((view) => {
    const canvas = h("canvas", { width: 0, height: 0 });
    const name = h("span", { className: "name" });
    const button = h("button", { type: "button", onclick: () => viewer.show(view) }, canvas, name);
    const number = h("p", { className: "number" });
    const sentence = h("p", { className: "sentence" });
    const item = h("li", {}, button, number, sentence);
    return { view, canvas, name, button, number, sentence, item };
  });
  list.append(...steps.map(({ item }) => item));

  /** @type {Map<View, ImageBitmap>} what the canvases show */
  const drawn = new Map();
  /** @type {Map<View, Saying>} */
  let numbers = new Map();
  /** @type {{ of: ImageBitmap, picture: Uint8ClampedArray | undefined } | undefined} the face, beside a picture */
  let aligned;
  /** Ends the fetching of an aligned face that is no longer wanted. */
  let fetching = new AbortController();

  const isOpen = () => !section.hidden;

  /** @param {boolean} open */
  function show(open) {
    section.hidden = !open;
    toggle.setAttribute("aria-expanded", String(open));
    refresh();
    if (open) section.scrollIntoView({ block: "nearest" });
  }

  /** Lets go of all pictures: closed, nothing is kept. */
  function forget() {
    fetching.abort();
    [aligned, numbers] = [undefined, new Map()];
    drawn.clear();
    for (const { canvas } of steps) [canvas.width, canvas.height] = [0, 0];
  }

  function refresh() {
    toggle.hidden = !session.inverted || session.drawn;
    if (!session.inverted && isOpen()) {
      section.hidden = true;
      toggle.setAttribute("aria-expanded", "false");
    }
    if (!isOpen()) return forget();
    const { outputWidth = 1, outputHeight = 1 } = session.engine.model ?? {};
    list.style.setProperty("--ratio", String(outputWidth / outputHeight));
    for (const { view, canvas } of steps) {
      const picture = session.pictures[view];
      if (!picture?.width || drawn.get(view) === picture) continue;
      draw(canvas, picture);
      drawn.set(view, picture);
    }
    void measure();
    spellOut();
  }

  /** Measures what is shown, once the aligned face is there in the size of the model's pictures. */
  async function measure() {
    const { reconstruction, initial, discrepancy, edited, original } = session.pictures;
    const portrait = session.portraits.inUse;
    if (!reconstruction || !portrait) return;
    const { width, height } = reconstruction;
    if (aligned?.of !== reconstruction) {
      fetching.abort();
      fetching = new AbortController();
      const mine = { of: reconstruction, picture: /** @type {Uint8ClampedArray | undefined} */ (undefined) };
      aligned = mine;
      numbers = new Map();
      try {
        const bitmap = await portrait.aligned(width, fetching.signal);
        mine.picture = read(bitmap, width, height);
        bitmap.close();
      } catch (thrown) {
        if (aligned === mine) aligned = undefined; // it is asked for again with the next picture
        if (!Failure.from(thrown).ended && !Failure.from(thrown).stale) report(thrown);
        return;
      }
      if (aligned !== mine) return;
      const compensated = psnr(mine.picture, read(reconstruction, width, height));
      if (initial && discrepancy) {
        const plain = psnr(mine.picture, read(initial, width, height));
        numbers.set("initial", closeness(plain));
        numbers.set(
          "discrepancy",
          say("method.lost", {
            steps: rounded(meanDeviation(read(discrepancy, discrepancy.width, discrepancy.height))),
          }),
        );
        numbers.set("reconstruction", closeness(compensated, compensated - plain));
      } else numbers.set("reconstruction", closeness(compensated));
    }
    if (edited && original && aligned.picture && session.settled) {
      const before = session.pasteMode === "difference" ? original : reconstruction;
      const changed = rounded(meanDifference(read(before, width, height), read(edited, width, height)));
      numbers.set("edited", changed === 0 ? say("method.unchanged") : say("method.changed", { steps: changed }));
    }
    numbers.set("original", pixels({ width, height }));
    spellOut();
  }

  /**
   * @param {number} value PSNR
   * @param {number} [gain]
   */
  function closeness(value, gain) {
    if (!Number.isFinite(value)) return say("method.same");
    if (gain === undefined || gain < 0.05) return say("method.psnr", { psnr: rounded(value) });
    return say("method.psnrGain", { psnr: rounded(value), gain: rounded(gain) });
  }

  function spellOut() {
    if (!isOpen()) return;
    const compensates = viewer.exists("initial");
    const retouches = session.pasteMode === "difference";
    for (const { view, name, button, number, sentence, item } of steps) {
      item.hidden = !viewer.exists(view);
      write(name, viewer.nameOf(view));
      button.setAttribute("aria-label", t("method.show", { view: viewer.nameOf(view) }));
      button.setAttribute("aria-pressed", String(viewer.view === view));
      const said = numbers.get(view);
      write(number, said ? spell(said) : "");
      if (view === "edited") write(sentence, t(retouches ? "method.retouched" : "method.edited"));
      else if (view === "reconstruction" && !compensates) write(sentence, t("method.plainOnly"));
      else write(sentence, t(`method.${view}`));
    }
    const size = numbers.get("original");
    write(note, size ? t("method.note", { size }) : "");
  }

  toggle.addEventListener("click", () => show(!isOpen()));
  viewer.follow(refresh);
  spoken(spellOut);
  refresh();
}
