import { t } from "../../shared/strings.js";
import { byId, h } from "../dom.js";
import { report } from "./notices.js";

/**
 * Shows the sample portraits that come with the model.
 * @param {{ file: string, label: string }[]} samples files relative to the weights
 * @param {(picture: Blob, label: string) => void} onChoose
 */
export function showSamples(samples, onChoose) {
  byId("samples", HTMLElement).hidden = samples.length === 0;
  const items = samples.map(({ file, label }) => {
    const src = `weights/${file}`;
    const choose = async () => {
      try {
        onChoose(await (await fetch(src)).blob(), label);
      } catch (thrown) {
        report(thrown);
      }
    };
    const picture = h("img", { src, alt: "", width: 256, height: 256, loading: "lazy" });
    return h("li", {}, h("button", { type: "button", "aria-label": t("start.sample", { label }), onclick: choose }, picture));
  });
  byId("sample-list", HTMLElement).replaceChildren(...items);
}
