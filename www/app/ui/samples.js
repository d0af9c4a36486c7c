import { Failure } from "../../shared/failure.js";
import { say } from "../../shared/say.js";
import { nameOf, spoken, t } from "../../shared/strings.js";
import { byId, h } from "../dom.js";
import { showPreviews } from "./previews.js";

/** @import { SampleInfo } from "../../shared/types.js" */
/** @import { Previews } from "./previews.js" */

const FOLDER = "weights/";

/**
 * A portrait, from the host or from what is kept of it.
 * @param {string} file
 * @throws {Failure} "no-image"
 */
async function load(file) {
  const response = await fetch(file).catch(() => undefined);
  if (response?.ok) return response.blob();
  throw response
    ? new Failure({
        code: "no-image",
        message: say("error.shardStatus", { file, status: response.status }),
        hint: say("hint.host"),
      })
    : new Failure({ code: "no-image", message: say("error.offline", { file }) });
}

/** @type {[Promise<Blob>, SampleInfo] | undefined} chosen before the rest of the page was there */
let early;
/** @type {(picture: Promise<Blob>, sample: SampleInfo) => void} */
let choose = (...chosen) => {
  early = chosen;
  chosen[0].catch(() => {}); // whoever opens it will report that
};

/**
 * Has somebody hear of the samples that are chosen.
 * @param {typeof choose} listener
 */
export function onSample(listener) {
  choose = listener;
  if (early) listener(...early);
}

const place = byId("samples", HTMLElement);
/** Whether there are samples, and whether the model can do something with them. */
let [there, wanted] = [false, true];

/**
 * Offers the samples or not: they show faces.
 * @param {boolean} faces whether the model does
 */
export function offerSamples(faces) {
  wanted = faces;
  place.hidden = !there || !wanted;
}

let settle = () => {};
/** Settles when the samples are there, or will not be. @type {Promise<void>} */
export const shown = new Promise((resolve) => (settle = resolve));

/** Shows the portraits that come with the bundled model, whichever model runs. */
export async function showSamples() {
  try {
    await show();
  } finally {
    settle();
  }
}

async function show() {
  // The engine reports when it is missing.
  const response = await fetch(`${FOLDER}manifest.json`).catch(() => undefined);
  if (!response?.ok) return;
  /** @type {{ samples?: SampleInfo[], previews?: Previews }} */
  const { samples = [], previews } = await response.json();
  const buttons = samples.map((sample) => {
    const src = FOLDER + sample.file;
    const button = h("button", { type: "button", "data-src": src, onclick: () => choose(load(src), sample) });
    spoken(() => button.setAttribute("aria-label", t("start.sample", { label: nameOf(sample.label) })));
    return button;
  });
  byId("sample-list", HTMLElement).replaceChildren(...buttons.map((button) => h("li", {}, button)));
  there = samples.length > 0;
  offerSamples(wanted);
  const whole = () => {
    for (const button of buttons) {
      const src = button.dataset.src ?? "";
      button.replaceChildren(h("img", { src, alt: "", width: 256, height: 256, loading: "lazy" }));
    }
  };
  if (!previews) return whole();
  const heads = buttons.map(() => h("canvas"));
  for (const [i, button] of buttons.entries()) button.append(heads[i]);
  await showPreviews(previews, FOLDER, heads).catch(whole);
}
