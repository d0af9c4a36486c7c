// What the element is to open.
import { Failure } from "../shared/failure.js";
import { say } from "../shared/say.js";
import { told } from "./told.js";

/** @import { Engine } from "./index.js" */

/**
 * What is to be opened, and how.
 * @typedef {{ picture: Parameters<Engine["open"]>[0] | string, name: string, aligned: boolean }} Source
 */

/**
 * A picture that lies on a host.
 * @param {string} src
 * @param {AbortSignal} signal
 */
export async function fetched(src, signal) {
  const file = nameIn(src);
  const response = await fetch(src, { signal }).catch(() => {
    signal.throwIfAborted();
    throw told(new Failure({ code: "network", message: say("error.offline", { file }), hint: say("hint.retry") }));
  });
  if (response.ok) return response.blob();
  const message = say("error.shardStatus", { file, status: response.status });
  throw told(new Failure({ code: "network", message, hint: say("hint.retry") }));
}

/**
 * The last part of a path.
 * @param {string} path
 */
export function nameIn(path) {
  return path.split(/[?#]/, 1)[0].split("/").at(-1) ?? "";
}
