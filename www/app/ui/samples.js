import { t } from "../../shared/strings.js";
import { byId, h } from "../dom.js";
import { report } from "./notices.js";

const FOLDER = "weights/";

/**
 * Shows the portraits that come with the bundled model, whichever model runs.
 * @param {(picture: Blob, label: string) => void} onChoose
 */
export async function showSamples(onChoose) {
  const response = await fetch(`${FOLDER}manifest.json`).catch(() => undefined); // the engine reports when it is missing
  if (!response?.ok) return;
  /** @type {{ samples?: { file: string, label: string }[] }} */
  const { samples = [] } = await response.json();
  const items = samples.map(({ file, label }) => {
    const src = FOLDER + file;
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
  byId("samples", HTMLElement).hidden = samples.length === 0;
}
