// The way to models of the visitor's own. What converts them is loaded with the first checkpoint.
import { onUse } from "../shared/on-use.js";
import { say } from "../shared/say.js";
import { byId } from "./dom.js";
import { report } from "./ui/notices.js";

/** @import { Session } from "./session.js" */

/**
 * What knows of models and left-overs that are kept; undefined where nothing is.
 * @returns {Promise<typeof import("../shared/own-model.js") | undefined>}
 */
export async function kept() {
  try {
    for await (const _ of (await navigator.storage.getDirectory()).keys())
      return await import("../shared/own-model.js");
  } catch {
    // a browser without storage keeps nothing
  }
  return undefined;
}

/**
 * @param {Session} session
 * @returns {(checkpoint: File) => Promise<void>} converts one, and goes on with it
 */
export function offerOwnWeights(session) {
  const [button, input] = [byId("own-import", HTMLButtonElement), byId("checkpoint", HTMLInputElement)];
  /** Ends when what converts is there, and looks after button and input itself. */
  const waiting = new AbortController();
  const { signal } = waiting;
  /** @type {ReturnType<typeof import("./own-weights.js")["startOwnWeights"]> | undefined} */
  let start;

  /** @param {File} file */
  async function convert(file) {
    try {
      const { startOwnWeights } = await onUse(() => import("./own-weights.js"), say("own.import"));
      waiting.abort();
      start ??= startOwnWeights(session);
      await start(file);
    } catch (thrown) {
      report(thrown);
    }
  }

  button.addEventListener("click", () => input.click(), { signal });
  const take = () => {
    const [file] = input.files ?? [];
    input.value = "";
    if (file) void convert(file);
  };
  input.addEventListener("change", take, { signal });
  return convert;
}
