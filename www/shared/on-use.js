// What is loaded when it is first used. Most visits never need it, and it is kept for offline use from then on.
import { Failure } from "./failure.js";
import { say } from "./say.js";

/** @import { Said } from "./say.js" */

/**
 * @template T
 * @param {() => Promise<T>} load
 * @param {Said} file what it is called
 * @returns {Promise<T>}
 * @throws {Failure} "network"
 */
export async function onUse(load, file) {
  try {
    return await load();
  } catch {
    throw new Failure({ code: "network", message: say("error.offline", { file }) });
  }
}
