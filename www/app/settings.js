// What the page remembers between visits; a browser that forbids storage only forgets.
import { ownName } from "../shared/cache.js";

/**
 * @typedef {{
 *   theme: "system" | "light" | "dark",
 *   backend: "auto" | import("../shared/types.js").Backend,
 *   model: "bundled" | "own",
 *   own: string,
 *   language: "auto" | import("../shared/strings.js").Language,
 *   keys: "everywhere" | "picture" | "off",
 *   encoding: import("../shared/protocol.js").Encoding,
 *   timings: Record<string, { inversion?: number, edit?: number }>,
 *   tunings: Record<string, import("../shared/types.js").Tuning>,
 *   searches: Record<string, "paused" | "refused">,
 *   looks: "open" | "folded",
 *   download: "running" | "paused"
 * }} Settings `own`: which of the visitor's own models; `keys`: where single keys work; `encoding`: how pictures were
 *   saved last; `tunings` of graphics cards, by their names; `searches` for sliders, by the fingerprint of the model,
 *   that are not to begin by themselves; `download` of the model
 */

const KEY = ownName("settings");
/** Of releases before, which copies of the page on one origin shared. */
const OLD_KEY = "sdic";

/** @type {Settings} */
const DEFAULTS = {
  theme: "system",
  backend: "auto",
  model: "bundled",
  own: "",
  language: "auto",
  keys: "everywhere",
  encoding: { type: "image/png", quality: 0.92 },
  timings: {},
  tunings: {},
  searches: {},
  looks: "open",
  download: "running",
};

/** @returns {Settings} */
function read() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY) ?? localStorage.getItem(OLD_KEY) ?? "{}") };
  } catch {
    return { ...DEFAULTS };
  }
}

export const settings = read();

/** @param {Partial<Settings>} changes */
export function remember(changes) {
  Object.assign(settings, changes);
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // private windows may refuse: the settings then last as long as the page
  }
}
