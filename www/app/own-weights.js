// The authors' weights, converted in the browser.
import { Failure } from "../shared/failure.js";
import { letGo, partialModels, sweepOwnModels } from "../shared/own-model.js";
import { RemoteWorker } from "../shared/rpc.js";
import { quantity, say } from "../shared/say.js";
import { sameFile, sourceOf } from "../shared/source-file.js";
import { TimeLeft } from "../shared/time-left.js";
import { byId } from "./dom.js";
import { askToPersist } from "./offline.js";
import { remember } from "./settings.js";
import { hideBar } from "./ui/engine-status.js";
import { hideImport, showImport } from "./ui/import-panel.js";
import { announce, notice, report } from "./ui/notices.js";
import { refreshModels } from "./ui/own-models.js";

/** @import { ConvertEvents, ConvertMethods } from "../shared/protocol.js" */
/** @import { SourceFile } from "../shared/source-file.js" */
/** @import { Session } from "./session.js" */

const SCRIPT = new URL("../workers/convert.js", import.meta.url);
/** Screen readers hear of every such part of a file; what is seen changes all the time. */
const ANNOUNCED = 0.25;

/** @param {Session} session */
export function startOwnWeights(session) {
  /** @type {string | undefined} the file that is being converted */
  let busy;

  /**
   * Converts a checkpoint and goes on with it.
   * @param {File} file
   * @param {{ resumes?: SourceFile, anyway?: boolean }} [how] `resumes`: the file that the visitor was asked for; `anyway`:
   *   even if there seems to be no room
   */
  async function convert(file, { resumes, anyway = false } = {}) {
    if (busy !== undefined) return notice(say("own.busy", { file: busy }));
    busy = file.name;
    try {
      // Asked before anything is written. Some browsers ask the visitor, who may take time to answer.
      void askToPersist();
      const source = await readable(sourceOf(file));
      const begun = (await partialModels()).find((partial) => sameFile(partial.source, source));
      if (resumes && !sameFile(resumes, source)) notice(say("own.another", { file: file.name }));
      const needed = Math.max(0, source.needed - (begun?.written ?? 0));
      const free = await freeBytes();
      if (!anyway && free !== undefined && needed > free) {
        const run = () => void convert(file, { resumes, anyway: true });
        report(noRoom(needed, free), { label: say("own.anyway"), run });
      } else await converted(file, source, { needed, free });
    } catch (thrown) {
      report(thrown);
    } finally {
      busy = undefined;
      hideImport();
      if (session.engine.status.state !== "loading") hideBar();
      void refreshModels();
    }
  }

  /**
   * @param {File} file
   * @param {SourceFile} source
   * @param {{ needed: number, free: number | undefined }} room in bytes
   */
  async function converted(file, source, room) {
    const timeLeft = new TimeLeft(performance.now());
    const stopped = new Failure({ code: "stopped", message: "the visitor stopped the conversion" });
    let announced = 0;
    const show = (/** @type {number} */ read, /** @type {number} */ total) => {
      const left = timeLeft.at(read / total, performance.now());
      showImport({ file: file.name, read, total, left, ...room }, () => worker.stop(stopped));
      if (read / total < announced + ANNOUNCED) return;
      announced = Math.floor(read / total / ANNOUNCED) * ANNOUNCED;
      announce(say("own.announced", { percent: quantity(announced, "percent") }));
    };
    /** @type {RemoteWorker<ConvertMethods, ConvertEvents>} */
    const worker = new RemoteWorker(SCRIPT, { on: { progress: ({ read, total }) => show(read, total) } });
    show(0, file.size);
    announce(say("own.begun", { file: file.name }));
    /** @type {string} */
    let own;
    try {
      own = await worker.call("convert", [file, source]);
    } catch (thrown) {
      if (thrown !== stopped) throw thrown;
      await letGo(source);
      await sweepOwnModels();
      const kept = (await partialModels()).some((partial) => sameFile(partial.source, source));
      return notice(say(kept ? "own.stopped" : "own.stoppedEarly", { file: file.name }));
    } finally {
      worker.stop();
    }
    hideImport();
    // Another model has other sliders: edits are not taken from under the visitor's hands.
    if (session.portraits.unsaved.length === 0) {
      notice(say("own.done"));
      await use(own);
    } else notice(say("own.done"), { action: { label: say("own.use"), run: () => void use(own).catch(report) } });
  }

  /**
   * Goes on with a model.
   * @param {string} own its id
   */
  async function use(own) {
    remember({ model: "own", own });
    byId("engine-dialog", HTMLDialogElement).close();
    await session.restartEngine();
    const model = await session.engine.ready;
    if (!model.inverts) notice(say("own.draws"));
    else if (!model.compensates) notice(say("own.plain"));
  }

  return convert;
}

/**
 * What is read of a file; the browser's own words for a file that is gone would help nobody.
 * @template T
 * @param {Promise<T>} reading
 */
function readable(reading) {
  return reading.catch((thrown) => {
    const { message } = Failure.from(thrown);
    throw new Failure({ code: "import", message: say("error.fileGone"), hint: say("hint.fileGone"), detail: message });
  });
}

/** How many bytes more the browser lets the page keep, if it tells. */
async function freeBytes() {
  try {
    const { quota, usage } = (await navigator.storage?.estimate?.()) ?? {};
    return quota === undefined || usage === undefined ? undefined : Math.max(0, quota - usage);
  } catch {
    return undefined; // then it is seen when it is written
  }
}

/**
 * @param {number} needed
 * @param {number} free
 */
function noRoom(needed, free) {
  const message = say("error.noRoom", { needed: quantity(needed, "byte"), free: quantity(free, "byte") });
  return new Failure({ code: "no-space", message, hint: say("hint.noRoom") });
}
