// The session through thousands of random days; session-days.mjs says what they are like and what must hold.
//
// SEED=n looks at one day only.
import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { test } from "node:test";
import { Worker } from "node:worker_threads";

const DAYS = 10_000;

/**
 * @param {{ from: number, to: number, step: number }} seeds
 * @returns {Promise<string[]>} a sentence about each day that went wrong
 */
function live(seeds) {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL("session-days.mjs", import.meta.url), { workerData: seeds });
    thread.on("message", resolve);
    thread.on("error", reject);
  });
}

test(`the session stays one with its workers through ${DAYS} random days`, async () => {
  const [first, days] = process.env.SEED ? [Number(process.env.SEED), 1] : [0, DAYS];
  const threads = Math.min(availableParallelism(), days);
  const parts = Array.from({ length: threads }, (_, i) => live({ from: first + i, to: first + days, step: threads }));
  const faults = (await Promise.all(parts)).flat();
  assert.deepEqual(faults.slice(0, 10), [], `${faults.length} of ${days} days went wrong`);
});
