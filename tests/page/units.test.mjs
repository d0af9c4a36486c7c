// Parts of the page that need no browser.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { filmed, videoSize } from "../../www/app/clip.js";
import { EditScheduler } from "../../www/app/edit-scheduler.js";
import { History } from "../../www/app/history.js";
import { RestartLimit } from "../../www/app/recovery.js";
import { Zoom } from "../../www/app/ui/zoom.js";
import { CODES, Failure } from "../../www/shared/failure.js";
import { mp4 } from "../../www/shared/mp4.js";
import { faceSide, heightOf, isWholePhoto, middleOf, wholePhoto } from "../../www/shared/quad.js";
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

test("a photo in a video keeps its shape, and is as large as level 4 of the codecs has it", () => {
  const sizes = (/** @type {number} */ width, /** @type {number} */ height) => videoSize({ width, height });
  assert.deepEqual(sizes(1000, 701), { width: 1000, height: 701 });
  assert.deepEqual(filmed(sizes(1000, 701)), { width: 1000, height: 700 });
  assert.deepEqual(sizes(1920, 1080), { width: 1920, height: 1080 });
  assert.deepEqual(sizes(2160, 3840), { width: 1080, height: 1920 });
  assert.deepEqual(sizes(9000, 20), { width: 1920, height: 4 });
  assert.deepEqual(sizes(2, 30_000), { width: 2, height: 1920 });
  for (const [width, height] of [
    [4000, 3000],
    [2401, 1601],
    [3001, 3000],
    [1500, 1450],
  ]) {
    const size = sizes(width, height);
    const blocks = Math.ceil(size.width / 16) * Math.ceil(size.height / 16);
    assert.ok(blocks <= 8192 && blocks > 7900, `${width} x ${height}: ${blocks} blocks`);
    assert.ok(Math.abs(size.width / size.height - width / height) < 0.002, `${size.width} x ${size.height}`);
  }
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
 * A clock of the test's own: `pass` lets milliseconds go by.
 * @param {import("node:test").TestContext} context
 */
function clock(context) {
  let now = 0;
  context.mock.timers.enable({ apis: ["setTimeout"] });
  context.mock.method(performance, "now", () => now);
  return {
    /** @param {number} ms */
    async pass(ms) {
      for (let i = 0; i < ms; i++) {
        now += 1;
        context.mock.timers.tick(1);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

/**
 * A scheduler over an engine that takes `cost(size)` milliseconds, with sizes from 64 to 256.
 * @param {import("node:test").TestContext} context
 * @param {(size: number, strength: number) => number} cost
 */
function scheduler(context, cost) {
  const { pass } = clock(context);
  /** @type {string[]} strength and size of each edit that was begun */
  const begun = [];
  /** @type {string[]} and of those that were shown */
  const shown = [];
  let [strength, last, busy] = [0, 0, false];
  const subject = new EditScheduler({
    imageSize: 256,
    smallestPreview: 64,
    edit({ smile }, size = 256, signal) {
      begun.push(`${smile} at ${size}`);
      return new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => {
            [strength, last] = [smile, size];
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
    onPicture: (full) => {
      assert.equal(full, last === 256);
      shown.push(`${strength} at ${last}`);
    },
    onFailure: (failure) => assert.fail(String(failure)),
    onBusy: (now) => (busy = now),
  });
  /** Waits, in the clock's time, until the scheduler rests. */
  const rests = async () => {
    for (let i = 0; busy; i++) {
      assert.ok(i < 10_000, "the scheduler comes to rest");
      await pass(1);
    }
  };
  return { subject, begun, shown, pass, rests };
}

/** Engines in proportion to a picture's pixels: full pictures in 40, and in 1000 milliseconds. */
const quickEngine = (/** @type {number} */ size) => (size * size) / 1638;
const slowEngine = (/** @type {number} */ size) => (size * size) / 65;

test("the newest slider position wins and those in between are skipped", async (context) => {
  const { subject, shown, rests } = scheduler(context, quickEngine);
  for (let smile = 1; smile <= 50; smile++) subject.request({ smile }, true);
  subject.request({ smile: 51 }, false);
  await rests();
  assert.deepEqual(shown, ["51 at 64", "51 at 256"]);
});

test("an edit under way is cancelled for a newer one, and shows nothing", async (context) => {
  const { subject, begun, shown, pass, rests } = scheduler(context, (_, strength) => (strength < 5 ? FOREVER : 1));
  for (let smile = 1; smile <= 5; smile++) {
    subject.request({ smile }, false);
    await pass(1);
  }
  await rests();
  assert.deepEqual(begun, ["1 at 256", "2 at 256", "3 at 256", "4 at 256", "5 at 256"]);
  assert.deepEqual(shown, ["5 at 256"]);
});

test("a moving slider cancels a picture that takes too long, and learns from it", async (context) => {
  const cost = (/** @type {number} */ size, /** @type {number} */ strength) =>
    size > 64 && strength < 4 ? FOREVER : quickEngine(size);
  const { subject, begun, shown, pass, rests } = scheduler(context, cost);
  for (let smile = 1; smile <= 3; smile++) {
    subject.request({ smile }, true);
    await pass(170);
  }
  subject.request({ smile: 4 }, false);
  await rests();
  assert.deepEqual(begun.slice(0, 4), ["1 at 64", "1 at 256", "2 at 128", "3 at 64"]);
  assert.deepEqual(shown, ["1 at 64", "3 at 64", "4 at 256"]);
});

test("a slow engine shows smaller pictures while the slider moves, and the full one when it rests", async (context) => {
  const { subject, begun, shown, rests } = scheduler(context, slowEngine);
  for (let smile = 1; smile <= 3; smile++) {
    subject.request({ smile }, true);
    await rests();
  }
  assert.deepEqual(begun, ["1 at 64", "1 at 256", "2 at 64", "2 at 256", "3 at 64", "3 at 256"]);
  assert.deepEqual(shown, begun);
});

test("full pictures follow a moving slider where they are quick", async (context) => {
  const { subject, begun, shown, pass, rests } = scheduler(context, quickEngine);
  for (let smile = 1; smile <= 9; smile++) {
    subject.request({ smile }, true);
    await pass(16);
  }
  await rests();
  assert.deepEqual(begun.slice(0, 2), ["1 at 64", "1 at 256"]);
  assert.ok(begun.slice(1).every((each) => each.endsWith("at 256")));
  assert.equal(shown.at(-1), "9 at 256");
  assert.deepEqual(shown, begun, "nothing is thrown away");
});

for (const [engine, cost] of /** @type {const} */ ([
  ["quick", quickEngine],
  ["slow", slowEngine],
])) {
  test(`one gesture on a ${engine} engine throws away nothing that it began, and makes nothing twice`, async (context) => {
    const { subject, begun, shown, pass, rests } = scheduler(context, cost);
    let smile = 0;
    /** @param {string} gesture @param {() => unknown} make */
    const nothingLost = async (gesture, make) => {
      [begun.length, shown.length] = [0, 0];
      await make();
      await rests();
      assert.deepEqual(shown, begun, `${gesture}: all that was begun is shown`);
      assert.equal(new Set(begun).size, begun.length, `${gesture}: no picture is made twice`);
      assert.equal(shown.at(-1), `${smile} at 256`, `${gesture}: its end is shown in full`);
    };
    for (const visit of ["first", "next"]) {
      await nothingLost(`a key, ${visit}`, () => {
        subject.request({ smile: ++smile }, true);
        subject.request({ smile }, false);
      });
      await nothingLost(`a key that is held, ${visit}`, async () => {
        for (let i = 0; i < 20; i++) {
          subject.request({ smile: ++smile }, true);
          subject.request({ smile }, false);
          await pass(33);
        }
      });
      await nothingLost(`a click on the track, ${visit}`, async () => {
        subject.request({ smile: ++smile }, true);
        await pass(9);
        subject.request({ smile }, false);
      });
      await nothingLost(`a drag, ${visit}`, async () => {
        for (let i = 0; i < 30; i++) {
          subject.request({ smile: ++smile }, true);
          await pass(16);
        }
        subject.request({ smile }, false);
      });
      await nothingLost(`a drag that rests at its end, ${visit}`, async () => {
        for (let i = 0; i < 30; i++) {
          subject.request({ smile: ++smile }, true);
          await pass(16);
        }
        await rests();
        subject.request({ smile }, false);
      });
    }
  });
}

test("a picture asked for again after a gesture is made again: what it is made of may have changed", async (context) => {
  const { subject, begun, rests } = scheduler(context, quickEngine);
  subject.request({ smile: 1 }, true);
  await rests();
  subject.request({ smile: 1 }, false);
  await rests();
  const before = begun.length;
  subject.request({ smile: 1 }, false);
  await rests();
  assert.equal(begun.length, before + 1);
});

test("a picture that was forgotten is made again, under way or in a gesture", async (context) => {
  const { subject, begun, pass, rests } = scheduler(context, quickEngine);
  subject.request({ smile: 1 }, false);
  await pass(1);
  subject.request({ smile: 1 }, false);
  await rests();
  assert.equal(begun.length, 1, "the one under way is what is asked for");
  subject.request({ smile: 2 }, false);
  await pass(1);
  subject.forget();
  subject.request({ smile: 2 }, false);
  await rests();
  assert.equal(begun.length, 3, "the one under way is no longer");
  subject.request({ smile: 3 }, true);
  await rests();
  const before = begun.length;
  subject.forget();
  subject.request({ smile: 3 }, false);
  await rests();
  assert.equal(begun.length, before + 1, "nor is the one that a gesture made");
});

/** @param {() => boolean} condition */
async function until(condition) {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

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

test("an enlarged picture keeps its spot under the pointer, and covers its frame", () => {
  const zoom = new Zoom();
  zoom.measure(500, 1000);
  assert.equal(zoom.density, 0.5);
  let seed = 7;
  const random = () => {
    seed = (seed * 16807) % 2147483647;
    return seed / 2147483647;
  };
  for (let i = 0; i < 500; i++) {
    const [x, y] = [random(), random()];
    const spot = [(x - zoom.x) / zoom.scale, (y - zoom.y) / zoom.scale];
    if (i % 3) zoom.about(Math.exp(random() - 0.3), x, y);
    else zoom.moveBy(random() - 0.5, random() - 0.5);
    assert.ok(zoom.scale >= 1 && zoom.density <= 12 + 1e-9, `scale ${zoom.scale}`);
    for (const at of [zoom.x, zoom.y]) assert.ok(at <= 0 && at + zoom.scale >= 1 - 1e-9, `${at}, ${zoom.scale}`);
    const inside = zoom.x < 0 && zoom.y < 0 && zoom.x + zoom.scale > 1 && zoom.y + zoom.scale > 1;
    if (i % 3 && inside) {
      assert.ok(Math.abs((x - zoom.x) / zoom.scale - spot[0]) < 1e-9, "the column under the pointer");
      assert.ok(Math.abs((y - zoom.y) / zoom.scale - spot[1]) < 1e-9, "the row under the pointer");
    }
  }
  zoom.fit();
  assert.deepEqual([zoom.scale, zoom.x, zoom.y], [1, 0, 0]);
  zoom.closer(0.25, 0.5);
  assert.equal(zoom.density, 1, "its own pixels");
  assert.equal(zoom.column(0.25), 0.25, "around the spot");
});

test("a picture smaller than its frame can still be enlarged, and a wider frame does not uncover anything", () => {
  const zoom = new Zoom();
  zoom.measure(800, 64);
  zoom.closer(1, 1);
  assert.deepEqual([zoom.scale, zoom.x, zoom.y], [2, -1, -1]);
  zoom.about(100, 0.5, 0.5);
  assert.equal(zoom.scale, 4);
  zoom.measure(300, 3000);
  assert.ok(zoom.x + zoom.scale >= 1);
  zoom.measure(0, 0); // nothing is laid out yet
  assert.equal(zoom.density, zoom.scale);
});

/**
 * The numbers in the table of a video's index that is named so.
 * @param {Buffer} file
 * @param {string} name
 */
function table(file, name) {
  const at = file.indexOf(name) + 8;
  return Array.from({ length: 2 * file.readUInt32BE(at) }, (_, i) => file.readInt32BE(at + 4 + 4 * i));
}

test("a video shows each picture for as long as it was shown, in the order of their times", async () => {
  const video = async (/** @type {number[]} */ times) => {
    const samples = times.map((ms, i) => ({ data: new Uint8Array(4), key: i === 0, timestamp: 1000 * ms }));
    const config = { codec: "vp09.00.40.08" };
    return Buffer.from(await mp4(samples, { config, width: 2, height: 2, rate: 24, comment: "" }).arrayBuffer());
  };
  // 24,000 units in a second: 24 for each millisecond, and a usual picture's for the last.
  const film = await video([0, 50, 100, 350, 400]);
  assert.deepEqual(table(film, "stts"), [2, 50 * 24, 1, 250 * 24, 1, 50 * 24, 1, 1000]);
  assert.equal(film.indexOf("ctts"), -1);
  assert.equal(film.readUInt32BE(film.indexOf("mdhd") + 20), 400 * 24 + 1000);
  // Even times are told once; what is decoded earlier than it is shown waits.
  const usual = Array.from({ length: 5 }, (_, i) => (i * 1000) / 24);
  assert.deepEqual(table(await video(usual), "stts"), [5, 1000]);
  const turned = await video([0, 100, 50]);
  assert.deepEqual(table(turned, "stts"), [2, 50 * 24, 1, 1000]);
  assert.deepEqual(table(turned, "ctts"), [1, 0, 1, 50 * 24, 1, -50 * 24]);
});

test("a model of another shape takes the middle of a photo, and its pictures keep that shape", () => {
  const model = /** @type {any} */ ({ outputWidth: 512, outputHeight: 384 });
  const wide = middleOf({ width: 100, height: 60 }, model);
  assert.deepEqual(wide, [
    [10, 0],
    [10, 60],
    [90, 60],
    [90, 0],
  ]);
  assert.equal(heightOf(wide, 256), 192);
  assert.equal(faceSide(wide, "face", model.outputWidth), 512);
  assert.equal(isWholePhoto(wide, 100, 60), false);
  const high = middleOf({ width: 80, height: 100 }, model);
  assert.deepEqual(
    [high[0], high[2]],
    [
      [0, 20],
      [80, 80],
    ],
  );
  assert.ok(isWholePhoto(middleOf({ width: 640, height: 480 }, model), 640, 480));
  assert.equal(heightOf(wholePhoto(300, 300), 96), 96);
});
