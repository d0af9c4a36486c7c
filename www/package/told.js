// How the package tells that something failed or was given up.
import { Failure } from "../shared/failure.js";
import { say } from "../shared/say.js";
import { isKey, spell, t } from "../shared/strings.js";

/** @import { Said } from "../shared/say.js" */

/** What the page advises by naming its own buttons, as advice to a developer. */
const HINTS = Object.freeze({
  "hint.retry": say("package.retry"),
  "hint.host": say("package.host"),
  "hint.useCpu": say("package.useCpu"),
  "hint.photo": say("package.photo"),
});

/** For calls that nobody gives up. */
export const NEVER = new AbortController().signal;

/** Failures that are told already. */
const shown = new WeakSet();

/**
 * A failure whose message and hint are sentences.
 * @param {unknown} thrown
 * @returns {Failure}
 */
export function told(thrown) {
  const failure = Failure.from(thrown);
  if (shown.has(failure)) return failure;
  const { code, said, hint } = failure;
  let { detail } = failure;
  let message = spell(said);
  const key = `failure.${code}`;
  // What the engine or the browser says in its own words is a detail where there is a sentence.
  if (typeof said === "string" && isKey(key)) [message, detail] = [t(key), said];
  const told = new Failure({ code, message, hint: spell(advice(hint)), detail });
  shown.add(told);
  return told;
}

/** @param {Said} hint */
function advice(hint) {
  if (typeof hint === "string") return hint;
  return HINTS[/** @type {keyof typeof HINTS} */ (hint.key)] ?? hint;
}

/**
 * What comes of `work`. Rejects with the reason of `signal` as soon as that is aborted, and else with a told failure.
 * @template T
 * @param {AbortSignal | undefined} signal
 * @param {() => Promise<T>} work frees what it has made when the signal was aborted meanwhile
 * @returns {Promise<T>}
 */
export function guarded(signal, work) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    work()
      .then(resolve, (thrown) => reject(told(thrown)))
      .finally(() => signal?.removeEventListener("abort", abort));
  });
}
