// Calls to workers always settle, and leave nothing behind.
import assert from "node:assert/strict";
import { test } from "node:test";
import { enter, FakeBitmap, install, settle, World } from "./world.mjs";

install();
const { RemoteWorker } = await import("../../www/shared/rpc.js");
const { answerCalls } = await import("../../www/workers/answers.js");

/** @typedef {import("./world.mjs").FakeWorker} FakeWorker */

/**
 * A worker with these methods, the world that it lives in, and how often it was heard to crash.
 * @param {Record<string, (...args: any[]) => unknown>} methods
 */
function start(methods) {
  /** @type {FakeWorker[]} */
  const inside = [];
  const crashes = { count: 0 };
  const world = new World(1, {
    "any.js": (worker) => {
      inside.push(worker);
      answerCalls(methods, { endpoint: worker.inside });
    },
  });
  enter(world);
  /** @type {import("../../www/shared/rpc.js").RemoteWorker<any>} */
  const remote = new RemoteWorker(new URL("file:///workers/any.js"), { onCrash: () => crashes.count++ });
  const rest = async () => {
    while (!world.atRest) await world.step();
  };
  return { remote, world, worker: inside[0], crashes, rest };
}

/** @param {Promise<unknown>} call */
const codeOf = (call) =>
  call.then(
    () => "done",
    ({ code }) => code,
  );

test("a worker that was stopped fails the calls that wait, and those that come later", async () => {
  const { remote, crashes, rest } = start({ hang: () => new Promise(() => {}) });
  const waiting = codeOf(remote.call("hang", []));
  await rest();
  remote.stop();
  assert.deepEqual([await waiting, await codeOf(remote.call("hang", []))], ["stopped", "stopped"]);
  assert.equal(crashes.count, 0);
});

test("a worker that crashes, at work or idle, fails all its calls and is heard of once", async () => {
  const { remote, worker, crashes, rest } = start({ hang: () => new Promise(() => {}) });
  const waiting = [codeOf(remote.call("hang", [])), codeOf(remote.call("hang", []))];
  await rest();
  worker.crash();
  await rest();
  assert.deepEqual(await Promise.all(waiting), ["crash", "crash"]);
  assert.deepEqual([await codeOf(remote.call("hang", [])), crashes.count, worker.dead], ["crash", 1, true]);
});

test("an answer that says the engine is trapped ends the worker", async () => {
  const { remote, worker, crashes, rest } = start({
    trap: () => {
      throw new WebAssembly.RuntimeError("unreachable");
    },
  });
  const calls = [codeOf(remote.call("trap", [])), codeOf(remote.call("trap", []))];
  await rest();
  assert.deepEqual(await Promise.all(calls), ["crash", "crash"]);
  assert.deepEqual([crashes.count, worker.dead], [1, true]);
});

test("a call that is no longer wanted is not begun, or its bitmap is closed", async () => {
  let begun = 0;
  let finish = () => {};
  const finished = new Promise((resolve) => {
    finish = () => resolve(undefined);
  });
  const bitmap = new FakeBitmap("picture");
  const { remote, world, rest } = start({
    draw: async () => {
      begun++;
      await finished;
      return bitmap;
    },
  });
  const early = new AbortController();
  const late = new AbortController();
  const calls = [
    codeOf(remote.call("draw", [], { signal: late.signal })),
    codeOf(remote.call("draw", [], { signal: early.signal })),
  ];
  early.abort();
  await rest();
  finish();
  while (world.atRest) await settle();
  late.abort();
  await rest();
  assert.deepEqual(await Promise.all(calls), ["superseded", "superseded"]);
  assert.deepEqual([begun, bitmap.closed, world.held.size], [1, true, 0]);
});

test("what cannot be cloned fails its own call only", async () => {
  const { remote, rest } = start({ echo: (/** @type {unknown} */ value) => value });
  const closed = new FakeBitmap("picture");
  closed.close();
  const failed = await codeOf(remote.call("echo", [closed]));
  const fine = remote.call("echo", [7]);
  await rest();
  assert.notEqual(failed, "done");
  assert.equal(await fine, 7);
});
