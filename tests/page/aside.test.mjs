// The page steps aside while its engine computes: what it draws then, the engine's threads wait for.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { host, inverted, launch, modelReady, root, settled, visit } from "./support.mjs";

/** Refreshes of the screen for which the engine is watched, and pictures of the page that it may make meanwhile. */
const REFRESHES = 60;
const MOST_FRAMES = 12;

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof host>>} */
let site;
/** @type {import("playwright-core").Page} */
let page;
/** What the engine is asked for. */
const asked = gate();

/** Where the engine waits, once `hold` was called, until `release` is. */
function gate() {
  let [opened, open, arrived] = [Promise.resolve(), () => {}, () => {}];
  return {
    /** Resolves, once the engine waits. */
    hold() {
      opened = new Promise((resolve) => (open = resolve));
      return new Promise((resolve) => (arrived = () => resolve(undefined)));
    },
    release: () => open(),
    pass() {
      arrived();
      return opened;
    },
  };
}

before(async () => {
  [browser, site] = await Promise.all([launch(), host(path.join(root, "weights"))]);
  const script = path.join(site.folder, "workers/engine.js");
  const wait = `self.addEventListener("message", ({ data }) => {
  if (data.method !== "invert" && data.method !== "edit") return;
  const request = new XMLHttpRequest();
  request.open("GET", "/gate", false);
  request.send();
});
`;
  await writeFile(script, wait + (await readFile(script, "utf8")));
  const visitor = await visit(browser, `${site.url}icons/icon.svg`, { serviceWorkers: "block" });
  page = visitor.page;
  await visitor.context.route("**/gate", async (route) => {
    await asked.pass();
    await route.fulfill({ body: "" });
  });
  await page.addInitScript(() => {
    const seen = /** @type {any} */ (globalThis);
    /** @type {Map<HTMLCanvasElement, Map<unknown, number>>} */
    seen.draws = new Map();
    for (const name of /** @type {const} */ (["drawImage", "putImageData"])) {
      const real = /** @type {any} */ (CanvasRenderingContext2D.prototype[name]);
      /** @this {CanvasRenderingContext2D} @param {any[]} given */
      CanvasRenderingContext2D.prototype[name] = function (...given) {
        const of = seen.draws.get(this.canvas) ?? new Map();
        seen.draws.set(this.canvas, of.set(given[0], (of.get(given[0]) ?? 0) + 1));
        return real.apply(this, given);
      };
    }
  });
  await page.goto(site.url);
  await modelReady(page);
});

after(async () => {
  asked.release();
  await browser?.close();
  await site?.remove();
});

/** What the browser does for the page during some refreshes of the screen: how often, by its own trace. */
async function whileRefreshing() {
  const session = await browser.newBrowserCDPSession();
  /** @type {Record<string, number>} */
  const counts = { "Display::DrawAndSwap": 0, Paint: 0, Layout: 0 };
  session.on("Tracing.dataCollected", ({ value }) => {
    for (const { name, ph } of /** @type {any[]} */ (value)) if (name in counts && ph !== "E") counts[name]++;
  });
  await session.send("Tracing.start", { transferMode: "ReportEvents", categories: "devtools.timeline,viz" });
  await page.evaluate(async (refreshes) => {
    for (let i = 0; i < refreshes; i++) await new Promise((resolve) => requestAnimationFrame(resolve));
  }, REFRESHES);
  const complete = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
  await session.send("Tracing.end");
  await complete;
  await session.detach();
  return { frames: counts["Display::DrawAndSwap"], paints: counts.Paint, layouts: counts.Layout };
}

/** @param {string} when */
async function stepsAside(when) {
  // What came before the wait is drawn by then.
  await page.evaluate(async () => {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => requestAnimationFrame(resolve));
  });
  const { frames, paints, layouts } = await whileRefreshing();
  console.log(`${when}: ${frames} frames, ${paints} paints, ${layouts} layouts in ${REFRESHES} refreshes`);
  assert.ok(frames <= MOST_FRAMES, `${when}: ${frames} frames`);
  assert.ok(paints <= MOST_FRAMES, `${when}: ${paints} paints`);
  assert.ok(layouts <= MOST_FRAMES, `${when}: ${layouts} layouts`);
  const { costly, blurred } = await page.evaluate(() => {
    const cheap = new Set(["offset", "computedOffset", "easing", "composite", "opacity", "transform"]);
    const costly = document.getAnimations().filter(({ effect }) => {
      const frames = /** @type {KeyframeEffect} */ (effect).getKeyframes();
      const smooth = frames.some(({ easing }) => !easing?.startsWith("steps"));
      return smooth || frames.some((frame) => Object.keys(frame).some((key) => !cheap.has(key)));
    });
    const elements = [...document.querySelectorAll("*")].filter((element) => element.checkVisibility());
    return {
      costly: costly.map((each) => /** @type {CSSAnimation} */ (each).animationName ?? "a transition"),
      blurred: elements.filter((each) => getComputedStyle(each).backdropFilter !== "none").map(({ id }) => id),
    };
  });
  assert.deepEqual(costly, [], `${when}: animations of more than a few steps of opacity or transform`);
  assert.deepEqual(blurred, [], `${when}: what lies under a blur is blurred anew with every frame`);
}

/** How often each picture was drawn where it was drawn most often, in the comparison and elsewhere. */
const draws = () =>
  page.evaluate(() => {
    const { draws } = /** @type {{ draws: Map<HTMLCanvasElement, Map<unknown, number>> }} */ (
      /** @type {any} */ (globalThis)
    );
    const counts = { compare: /** @type {number[]} */ ([]), looks: /** @type {number[]} */ ([]), elsewhere: 0 };
    for (const [canvas, pictures] of draws)
      if (canvas.closest("#compare")) counts.compare.push(...pictures.values());
      else if (canvas.closest("#look-list")) counts.looks.push(...pictures.values());
      else if (!canvas.closest("#samples")) counts.elsewhere += pictures.size;
    return counts;
  });

test("during an inversion the page draws no frames, and its list of stages stays as it is made", async () => {
  await page.evaluate(() => {
    const seen = /** @type {any} */ (globalThis);
    seen.nodes = 0;
    new MutationObserver((records) => {
      for (const { addedNodes } of records) for (const node of addedNodes) if (node instanceof Element) seen.nodes++;
    }).observe(/** @type {Node} */ (document.querySelector("#stages")), { childList: true, subtree: true });
  });
  const held = asked.hold();
  await page.locator("#sample-list button").first().click();
  await held;
  try {
    assert.equal(await page.locator("#stages .present").count(), 1);
    await stepsAside("inversion");
  } finally {
    asked.release();
  }
  await inverted(page);
  assert.equal(await page.evaluate(() => /** @type {any} */ (globalThis).nodes), 0, "elements made anew");
});

test("where inversions are known to be quick, their stages are not drawn one by one", async () => {
  const { name } = JSON.parse(await readFile(path.join(root, "weights/manifest.json"), "utf8"));
  const settings = { timings: { [`${name} cpu`]: { inversion: 0.1, edit: 0.1 } } };
  const script = `localStorage.setItem("sdic", '${JSON.stringify(settings)}')`;
  const { page, context } = await visit(browser, site.url, { script });
  await modelReady(page);
  await page.evaluate(() => {
    const seen = /** @type {any} */ (globalThis);
    seen.drawn = 0;
    new MutationObserver(() => {
      seen.drawn++;
      seen.end = performance.now();
      seen.begin ??= seen.end;
    }).observe(/** @type {Node} */ (document.querySelector("#stages")), { subtree: true, attributeFilter: ["class"] });
  });
  await page.locator("#sample-list button").first().click();
  await inverted(page);
  const { drawn, seconds } = await page.evaluate(() => {
    const { drawn, begin, end } = /** @type {any} */ (globalThis);
    return { drawn, seconds: (end - begin) / 1000 };
  });
  assert.ok(drawn > 0, "the first stage is on show");
  assert.ok(drawn <= 2 + 4 * seconds, `${drawn} drawings in ${seconds} s`);
  await context.close();
});

test("each picture of an inversion is drawn once, and one that is not to be seen is not drawn", async () => {
  const { compare, looks, elsewhere } = await draws();
  assert.ok(compare.length > 0 && compare.length <= 5, `${compare.length} pictures drawn`);
  assert.ok(
    compare.every((times) => times === 1),
    `pictures drawn ${compare} times`,
  );
  assert.ok(
    looks.every((times) => times === 1),
    `looks drawn ${looks} times`,
  );
  assert.equal(elsewhere, 0, "the only face is not among a choice of faces");
});

test("comparing draws the picture before once, and the divider draws nothing", async () => {
  const { compare: before } = await draws();
  await page.click("#compare-toggle");
  await page.locator("#compare .handle").focus();
  for (const key of ["Home", "PageUp", "PageUp", "ArrowLeft"]) await page.keyboard.press(key);
  await page.click("#compare-toggle");
  await page.click("#compare-toggle");
  await page.click("#compare-toggle");
  const { compare } = await draws();
  assert.equal(compare.length, before.length + 1);
  assert.ok(
    compare.every((times) => times === 1),
    `pictures drawn ${compare} times`,
  );
});

test("during an edit the page draws no frames", async () => {
  const held = asked.hold();
  const slider = page.locator("#sliders input[type=range]:not(:disabled)").first();
  await slider.focus();
  await page.keyboard.press("PageUp");
  await held;
  await stepsAside("edit").finally(asked.release);
  await settled(page);
  const { compare } = await draws();
  assert.ok(
    compare.every((times) => times === 1),
    `pictures drawn ${compare} times`,
  );
});
