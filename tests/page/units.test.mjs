// Parts of the page that need no browser.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { EditScheduler } from "../../www/app/edit-scheduler.js";
import { History } from "../../www/app/history.js";
import { RestartLimit } from "../../www/app/recovery.js";
import { CODES, Failure } from "../../www/shared/failure.js";
import { CONTENT_SECURITY_POLICY } from "../../www/tools/policy.mjs";
import { serve } from "../../www/tools/serve.mjs";

const www = new URL("../../www/", import.meta.url);

test("history goes back and forth, and forgets what a new step replaces", () => {
  const history = new History({});
  history.push({ smile: 1 });
  history.push({ smile: 1 });
  history.push({ smile: 1, age: 2 });
  assert.deepEqual(history.undo(), { smile: 1 });
  assert.deepEqual(history.undo(), {});
  assert.deepEqual(history.undo(), {});
  assert.deepEqual(history.redo(), { smile: 1 });
  history.push({ age: -1 });
  assert.equal(history.canRedo, false);
  assert.deepEqual(history.redo(), { age: -1 });
  assert.deepEqual(history.undo(), { smile: 1 });
});

test("history forgets a slider that is gone, and stays where it was", () => {
  const history = new History({});
  history.push({ own: 1 });
  history.push({ own: 1, smile: 1 });
  history.push({ own: 2, smile: 1 });
  history.push({ smile: 2 });
  history.undo();
  history.keepOnly(new Set(["smile"]));
  assert.deepEqual(history.redo(), { smile: 2 });
  assert.deepEqual(history.undo(), { smile: 1 });
  assert.deepEqual(history.undo(), {});
  assert.equal(history.canUndo, false);
});

const FOREVER = 1e8;

/**
 * A scheduler over an engine that takes `cost(size, strength)` milliseconds.
 * @param {(size: number, strength: number) => number} cost
 */
function scheduler(cost) {
  /** @type {{ strength: number, size: number }[]} */
  const calls = [];
  /** @type {{ strength: number, full: boolean }[]} */
  const shown = [];
  let [idle, strength] = [() => {}, 0];
  const subject = new EditScheduler({
    imageSize: 256,
    smallestPreview: 64,
    edit({ smile }, size = 256, signal) {
      calls.push({ strength: smile, size });
      return new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => {
            strength = smile;
            resolve();
          },
          cost(size, smile),
        );
        signal.addEventListener("abort", () => {
          clearTimeout(timer);
          reject(new Failure({ code: "superseded", message: "cancelled" }));
        });
      });
    },
    onPicture: (full) => shown.push({ strength, full }),
    onFailure: (failure) => assert.fail(String(failure)),
    onBusy: (busy) => !busy && idle(),
  });
  const done = () => new Promise((resolve) => (idle = () => resolve(undefined)));
  return { subject, calls, shown, done };
}

test("the newest slider position wins and those in between are skipped", async () => {
  const { subject, calls, shown, done } = scheduler(() => 20);
  for (let smile = 1; smile <= 50; smile++) subject.request({ smile }, true);
  subject.request({ smile: 51 }, false);
  await done();
  assert.deepEqual(
    calls.map(({ strength }) => strength),
    [1, 51],
  );
  assert.deepEqual(shown, [{ strength: 51, full: true }]);
});

/** @param {() => boolean} condition */
async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

test("an edit under way is cancelled for a newer one, and shows nothing", async () => {
  const { subject, calls, shown, done } = scheduler((_, strength) => (strength < 5 ? FOREVER : 1));
  for (let smile = 1; smile <= 5; smile++) {
    subject.request({ smile }, false);
    await until(() => calls.length === smile);
  }
  await done();
  assert.deepEqual(
    calls.map(({ strength }) => strength),
    [1, 2, 3, 4, 5],
  );
  assert.deepEqual(shown, [{ strength: 5, full: true }]);
});

test("a quick picture of a moving slider is let through, and the full one at its end is not made twice", async () => {
  const { subject, calls, shown, done } = scheduler(() => 40);
  for (const smile of [1, 2, 3]) subject.request({ smile }, true);
  await until(() => calls.length === 2);
  subject.request({ smile: 3 }, false);
  await done();
  assert.deepEqual(calls, [
    { strength: 1, size: 256 },
    { strength: 3, size: 256 },
  ]);
  assert.deepEqual(
    shown.map(({ strength }) => strength),
    [1, 3],
  );
});

test("a moving slider cancels a picture that takes too long, and learns from it", async () => {
  const { subject, calls, shown, done } = scheduler((size, strength) => (size > 64 && strength < 4 ? FOREVER : 1));
  for (let smile = 1; smile <= 3; smile++) {
    subject.request({ smile }, true);
    await new Promise((resolve) => setTimeout(resolve, 170));
  }
  await until(() => shown.length === 1);
  subject.request({ smile: 4 }, false);
  await done();
  assert.deepEqual(
    calls.slice(0, 3).map(({ size }) => size),
    [256, 128, 64],
  );
  assert.deepEqual(shown, [
    { strength: 3, full: false },
    { strength: 4, full: true },
  ]);
});

test("a slow engine shows smaller pictures while the slider moves, and the full one when it rests", async () => {
  const { subject, calls, shown, done } = scheduler((size) => (size > 64 ? 200 : 5));
  for (let smile = 1; smile <= 4; smile++) {
    subject.request({ smile }, true);
    await done();
  }
  assert.deepEqual(
    calls.map(({ size }) => size),
    [256, 128, 256, 64, 256, 64, 256],
  );
  assert.deepEqual(shown.at(-1), { strength: 4, full: true });
});

test("an edit that fails does not take a newer position with it", async () => {
  /** @type {number[]} */
  const asked = [];
  /** @type {unknown[]} */
  const failures = [];
  let fail = () => {};
  const subject = new EditScheduler({
    imageSize: 256,
    smallestPreview: 64,
    edit: ({ smile }) => {
      asked.push(smile);
      if (smile > 1) return Promise.resolve();
      return new Promise((_, reject) => {
        fail = () => reject(new Failure({ code: "edit", message: "no" }));
      });
    },
    onPicture: () => {},
    onFailure: (failure) => failures.push(failure),
    onBusy: () => {},
  });
  subject.request({ smile: 1 }, false);
  await until(() => asked.length === 1);
  subject.request({ smile: 2 }, false);
  fail();
  await subject.idle();
  assert.deepEqual(asked, [1, 2]);
  assert.deepEqual(failures, [], "what was overtaken is not complained about");
});

test("a worker is restarted twice in two minutes, however long a restart takes", (context) => {
  let now = 0;
  context.mock.method(performance, "now", () => now);
  const limit = new RestartLimit();
  assert.equal(limit.next(), 1);
  now += 150_000;
  limit.recovered();
  now += 10_000;
  assert.equal(limit.next(), 2);
  assert.equal(limit.last, true);
  limit.recovered();
  now += 10_000;
  assert.equal(limit.next(), undefined);
  now += 120_000;
  assert.equal(limit.next(), 1);
});

test("failures keep their code across a worker and tell a trapped instance apart", () => {
  const crossed = new Failure(structuredClone(Failure.from({ code: "weights", message: "m", hint: "h" }).toJSON()));
  assert.deepEqual([crossed.code, crossed.message, crossed.hint, crossed.fatal], ["weights", "m", "h", false]);
  assert.equal(Failure.from(new WebAssembly.RuntimeError("unreachable")).fatal, true);
  for (const message of [
    "Maximum call stack size exceeded",
    "Maximum call stack size exceeded.",
    "too much recursion",
  ]) {
    assert.equal(Failure.from(new RangeError(message)).fatal, true, message);
  }
  assert.equal(Failure.from(new RangeError("Invalid array length")).fatal, false);
  assert.equal(Failure.from("text").message, "text");
});

test("every failure code of the page is used, and none is in two lists", async () => {
  const names = (await readdir(www, { recursive: true })).filter((name) =>
    /^(app|shared|workers)\/.*\.js$/.test(name),
  );
  const sources = await Promise.all(names.map((name) => readFile(new URL(name, www), "utf8")));
  const { engine, ...own } = CODES;
  const codes = Object.values(own).flat();
  const used = (/** @type {string} */ code) =>
    sources.some(
      (text) =>
        text.includes(`code: "${code}"`) ||
        text.includes(`: "${code}",`) ||
        text.includes(`? "${code}"`) ||
        text.includes(`"${code}" :`),
    );
  assert.deepEqual(
    codes.filter((code) => !used(code)),
    [],
  );
  const all = [...engine, ...codes];
  assert.equal(new Set(all).size, all.length);
});

test("the page's own policy is the server's", async () => {
  const html = await readFile(new URL("index.html", www), "utf8");
  const meta = /Content-Security-Policy"\s+content="([^"]+)"/.exec(html)?.[1];
  assert.equal(`${meta}; frame-ancestors 'none'`, CONTENT_SECURITY_POLICY);
  assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=/, "nothing inline");
});

test("the server can leave out what lets a page share memory", async () => {
  const server = await serve(new URL("icons", www).pathname, { isolated: false });
  const { headers } = await fetch(`${server.url}icon.svg`);
  await server.close();
  assert.deepEqual(
    [headers.get("cross-origin-opener-policy"), headers.get("cross-origin-embedder-policy")],
    [null, null],
  );
  assert.match(headers.get("content-security-policy") ?? "", /default-src 'none'/);
});

test("the server serves its folder and nothing else", async () => {
  const server = await serve(new URL("icons", www).pathname);
  try {
    const status = async (/** @type {string} */ name, init = {}) => (await fetch(server.url + name, init)).status;
    const icon = await fetch(`${server.url}icon.svg`);
    assert.equal(icon.status, 200);
    assert.equal(icon.headers.get("content-type"), "image/svg+xml");
    assert.equal(icon.headers.get("cross-origin-opener-policy"), "same-origin");
    assert.match(icon.headers.get("content-security-policy") ?? "", /default-src 'none'/);
    const etag = /** @type {string} */ (icon.headers.get("etag"));
    assert.equal(await status("icon.svg", { headers: { "If-None-Match": etag } }), 304);
    for (const name of [
      "..%2findex.html",
      "%2e%2e/index.html",
      "..%5cindex.html",
      "%00",
      "%",
      ".hidden",
      "missing.js",
      "",
    ]) {
      assert.equal(await status(name), 404, name);
    }
    assert.equal(await status("icon.svg", { method: "POST" }), 405);
  } finally {
    await server.close();
  }
});
