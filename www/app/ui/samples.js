import { Failure } from "../../shared/failure.js";
import { say } from "../../shared/say.js";
import { nameOf, spoken, t } from "../../shared/strings.js";
import { byId, h } from "../dom.js";

/** @import { SampleInfo } from "../../shared/types.js" */

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

/**
 * Shows the portraits that come with the bundled model, whichever model runs.
 * @param {(picture: Promise<Blob>, sample: SampleInfo) => void} onChoose
 */
export async function showSamples(onChoose) {
  // The engine reports when it is missing.
  const response = await fetch(`${FOLDER}manifest.json`).catch(() => undefined);
  if (!response?.ok) return;
  /** @type {{ samples?: SampleInfo[] }} */
  const { samples = [] } = await response.json();
  const items = samples.map((sample) => {
    const src = FOLDER + sample.file;
    const choose = () => onChoose(load(src), sample);
    const picture = h("img", { src, alt: "", width: 256, height: 256, loading: "lazy" });
    const button = h("button", { type: "button", onclick: choose }, picture);
    spoken(() => button.setAttribute("aria-label", t("start.sample", { label: nameOf(sample.label) })));
    return h("li", {}, button);
  });
  byId("sample-list", HTMLElement).replaceChildren(...items);
  byId("samples", HTMLElement).hidden = samples.length === 0;
}
