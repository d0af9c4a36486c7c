// The authors' weights, converted in the browser.
import { RemoteWorker } from "../shared/rpc.js";
import { quantity, say } from "../shared/say.js";
import { byId } from "./dom.js";
import { remember } from "./settings.js";
import { hideBar, showBar } from "./ui/engine-status.js";
import { notice, report } from "./ui/notices.js";

/** @import { ConvertEvents, ConvertMethods } from "../shared/protocol.js" */
/** @import { Session } from "./session.js" */

const SCRIPT = new URL("../workers/convert.js", import.meta.url);

/** @param {Session} session */
export function startOwnWeights(session) {
  const checkpoint = byId("checkpoint", HTMLInputElement);
  byId("own-import", HTMLButtonElement).addEventListener("click", () => checkpoint.click());
  checkpoint.addEventListener("change", () => {
    if (checkpoint.files?.[0]) void convert(checkpoint.files[0]);
    checkpoint.value = "";
  });

  /**
   * Converts a checkpoint and goes on with it.
   * @param {File} file
   */
  async function convert(file) {
    byId("engine-dialog", HTMLDialogElement).close();
    const show = (/** @type {number} */ done, /** @type {number} */ total) =>
      showBar(say("own.progress", { percent: quantity(done / total, "percent") }), done, total);
    /** @type {RemoteWorker<ConvertMethods, ConvertEvents>} */
    const worker = new RemoteWorker(SCRIPT, { on: { progress: ({ done, total }) => show(done, total) } });
    show(0, 1);
    try {
      const own = await worker.call("convert", [file]);
      remember({ model: "own", own });
      notice(say("own.done"));
      await session.restartEngine();
      const model = await session.engine.ready;
      if (!model.compensates) notice(say("own.plain"));
    } catch (thrown) {
      report(thrown);
    } finally {
      worker.stop();
      if (session.engine.status.state !== "loading") hideBar();
    }
  }
  return convert;
}
