// The way to models of the visitor's own. What converts them is loaded with the first checkpoint.
import { onUse } from "../shared/on-use.js";
import { say } from "../shared/say.js";
import { byId } from "./dom.js";
import { report } from "./ui/notices.js";

/** @import { SourceFile } from "../shared/source-file.js" */
/** @import { Session } from "./session.js" */

/** @type {SourceFile | undefined} the file that the visitor was asked for, to go on with */
let expected;

/**
 * Asks for the file whose conversion was broken off, to go on with it.
 * @param {SourceFile} source
 */
export function askFor(source) {
  expected = source;
  byId("checkpoint", HTMLInputElement).click();
}

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
  /** @type {ReturnType<typeof import("./own-weights.js")["startOwnWeights"]> | undefined} */
  let start;

  /**
   * @param {File} file
   * @param {SourceFile} [resumes] the file that the visitor was asked for
   */
  async function convert(file, resumes) {
    try {
      const { startOwnWeights } = await onUse(() => import("./own-weights.js"), say("own.import"));
      start ??= startOwnWeights(session);
      await start(file, { resumes });
    } catch (thrown) {
      report(thrown);
    }
  }

  button.addEventListener("click", () => {
    expected = undefined;
    input.click();
  });
  input.addEventListener("change", () => {
    const [[file], resumes] = [input.files ?? [], expected];
    expected = undefined;
    input.value = "";
    if (file) void convert(file, resumes);
  });
  input.addEventListener("cancel", () => {
    expected = undefined;
  });
  return convert;
}
