import { nameOf, spoken, t } from "../../shared/strings.js";
import { byId, h } from "../dom.js";
import { report } from "./notices.js";

/** @import { SampleInfo } from "../../shared/types.js" */

const FOLDER = "weights/";

/**
 * Shows the portraits that come with the bundled model, whichever model runs.
 * @param {(picture: Blob, sample: SampleInfo) => void} onChoose
 */
export async function showSamples(onChoose) {
  // The engine reports when it is missing.
  const response = await fetch(`${FOLDER}manifest.json`).catch(() => undefined);
  if (!response?.ok) return;
  /** @type {{ samples?: SampleInfo[] }} */
  const { samples = [] } = await response.json();
  const items = samples.map((sample) => {
    const src = FOLDER + sample.file;
    const choose = async () => {
      try {
        onChoose(await (await fetch(src)).blob(), sample);
      } catch (thrown) {
        report(thrown);
      }
    };
    const picture = h("img", { src, alt: "", width: 256, height: 256, loading: "lazy" });
    const button = h("button", { type: "button", onclick: choose }, picture);
    spoken(() => button.setAttribute("aria-label", t("start.sample", { label: nameOf(sample.label) })));
    return h("li", {}, button);
  });
  byId("sample-list", HTMLElement).replaceChildren(...items);
  byId("samples", HTMLElement).hidden = samples.length === 0;
}
