// The search for sliders in the visitor's own model: what it has seen is kept in the model's folder now and then, and
// what it has found at the end.
import { changeOwnModel, FITTED } from "../shared/own-model.js";
import { readFile, storageFailure, writeFile } from "./files.js";

/** @import { CallContext } from "./answers.js" */
/** @import { FitProgress, ModelInfo, SearchProgress } from "../shared/types.js" */
/** @import { WebEngine } from "../pkg/cpu/sdic.js" */

/** Faces that are drawn, and the seed of the draws. */
const [SAMPLES, SEED] = [600, 1];
/** File in which an unfinished search is kept. */
const JOURNAL = "fit.partial";
/** How often it is written, and how often it is told how far the search is. */
const [KEEP_MS, TELL_MS] = [20_000, 200];
/** Pictures after which it can be said how long the others will take. */
const TELLING = 5;

/**
 * @param {WebEngine} engine
 * @param {string} id of the model
 * @param {CallContext} call
 * @param {(progress: SearchProgress) => void} tell
 * @returns {Promise<ModelInfo>} of the model with its sliders
 */
export async function findSliders(engine, id, call, tell) {
  const search = async (/** @type {FileSystemDirectoryHandle} */ folder) => {
    const clock = new Clock();
    let toldAt = Number.NEGATIVE_INFINITY;
    /** @type {{ entries: number, at: number } | undefined} what the journal has that was written last */
    let kept;
    let entries = 0;
    const files = await engine.findSliders(SAMPLES, SEED, await readFile(folder, JOURNAL), {
      rest: () => call.giveWay(),
      async step(progress) {
        await call.giveWay();
        const now = performance.now();
        entries = progress.entries;
        kept ??= { entries, at: now };
        clock.note(progress, now);
        if (now >= toldAt + TELL_MS) {
          toldAt = now;
          tell({ ...progress, secondsLeft: clock.secondsLeft(progress) });
        }
        if (kept.entries === entries) call.check();
        return kept.entries < entries && (call.cancelled || now >= kept.at + KEEP_MS);
      },
      async keep(journal) {
        await writeFile(folder, JOURNAL, journal);
        kept = { entries, at: performance.now() };
        call.check();
      },
    });
    const manifest = files.at(-1);
    for (const { name, bytes } of files) if (name !== manifest?.name) await writeFile(folder, name, bytes);
    if (manifest) await writeFile(folder, FITTED, manifest.bytes);
    await folder.removeEntry(JOURNAL).catch(() => {}); // a small model is done before it was ever written
    return engine.takeSliders(files);
  };
  try {
    return await changeOwnModel(id, search);
  } catch (thrown) {
    throw storageFailure(thrown);
  }
}

/** How long pictures take. */
class Clock {
  #last = { entries: -1, at: 0 };
  #read = 0;
  #seconds = 0;

  /**
   * @param {FitProgress} progress
   * @param {number} now
   */
  note({ entries }, now) {
    if (entries > this.#last.entries && this.#last.entries >= 0) {
      this.#read += entries - this.#last.entries;
      this.#seconds += (now - this.#last.at) / 1000;
    }
    this.#last = { entries, at: now };
  }

  /**
   * At most: some pictures will not be needed.
   * @param {FitProgress} progress
   */
  secondsLeft({ task, done, total }) {
    if (this.#read < TELLING || task === "components") return undefined;
    return ((total - done) * this.#seconds) / this.#read;
  }
}
