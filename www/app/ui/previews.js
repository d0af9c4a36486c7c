// What sliders do, on small pictures of the sample portraits that the engine made beforehand: there is none yet that
// could.
import { quantity } from "../../shared/say.js";
import { nameOf, spoken, t } from "../../shared/strings.js";
import { byId } from "../dom.js";
import { fillRadioGroup } from "./choices.js";

/**
 * Sheets with a head of each sample, `across` in a row, as `www/tools/previews.mjs` makes them: unchanged, and as each
 * of some sliders changes it step by step.
 * @typedef {{ side: number, across: number, file: string, sliders: { label: string, files: string[] }[] }} Previews
 */

const group = byId("previews", HTMLElement);
const choices = byId("preview-sliders", HTMLElement);
const slider = byId("preview-slider", HTMLInputElement);

/**
 * A sheet, ready to be drawn.
 * @param {string} src
 */
async function sheet(src) {
  const picture = new Image();
  picture.src = src;
  await picture.decode();
  return picture;
}

/**
 * Draws the heads, and has a slider change them. Resolves when it can.
 * @param {Previews} previews
 * @param {string} folder
 * @param {HTMLCanvasElement[]} heads one for each sample
 * @throws where there are no pictures
 */
export async function showPreviews({ side, across, file, sliders }, folder, heads) {
  const contexts = heads.map((head) => {
    [head.width, head.height] = [side, side];
    return /** @type {CanvasRenderingContext2D} */ (head.getContext("2d"));
  });
  /** Sheets from one end of the slider to the other. */
  let steps = [await sheet(folder + file)];
  let chosen = sliders[0];

  function draw() {
    const at = (Number(slider.value) / 100) * (steps.length - 1);
    const below = Math.floor(at);
    for (const [i, context] of contexts.entries()) {
      const place = /** @type {const} */ ([(i % across) * side, Math.floor(i / across) * side, side, side]);
      context.globalAlpha = 1;
      context.drawImage(steps[below], ...place, 0, 0, side, side);
      if (at === below) continue;
      context.globalAlpha = at - below;
      context.drawImage(steps[below + 1], ...place, 0, 0, side, side);
    }
    tell();
  }

  function tell() {
    const share = quantity(Number(slider.value) / 100, "percent");
    const label = nameOf(chosen.label);
    slider.setAttribute("aria-label", label);
    slider.setAttribute("aria-valuetext", t("preview.value", { label, share }));
    slider.style.setProperty("--from", "0");
    slider.style.setProperty("--to", String(Number(slider.value) / 100));
  }

  /** @param {Previews["sliders"][number]} next */
  async function choose(next) {
    chosen = next;
    slider.disabled = true;
    tell();
    const others = await Promise.all(next.files.map((each) => sheet(folder + each))).catch(() => undefined);
    if (chosen !== next || !others) return; // another was chosen, or there are no pictures of this one
    steps = [steps[0], ...others];
    slider.disabled = false;
    draw();
  }

  draw();
  if (!chosen) return;
  spoken(() => {
    const labels = sliders.map(({ label }) => ({ value: label, label: nameOf(label) }));
    fillRadioGroup(choices, labels, chosen.label, (value) => {
      void choose(sliders.find(({ label }) => label === value) ?? chosen);
    });
    tell();
  });
  slider.addEventListener("input", draw);
  group.hidden = false;
  await choose(chosen);
}
