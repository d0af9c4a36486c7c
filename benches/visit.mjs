// What a first visit is like on a telephone, in Chromium: the page comes over a slow line, its thread is slowed.
//
//   node benches/visit.mjs [--starts 3]
//
// Times, from the navigation on: the first paint, the first paint with words, the heads of the samples, the slider that
// changes them, a ready model, the first face (a sample portrait chosen once the page shows them, as the engine made
// it), and the first edit. The line is `benches/link.mjs`, by the figures that browsers' tools use; the server packs
// files as hosts do. The processor is slowed four times by the debugger, which is only the page's own thread: workers
// run at this machine's speed. Needs `./build.sh build`.
import path from "node:path";
import { inverted, launch, PATIENCE, root, settled, visit } from "../tests/page/support.mjs";
import { serve } from "../www/tools/serve.mjs";
import { slowLink } from "./link.mjs";
import { median } from "./median.mjs";

const LINES = {
  "fast 4G": { megabits: 9, seconds: 0.085 },
  "slow 4G": { megabits: 1.6, seconds: 0.15 },
};
const SLOWED = 4;
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 3, isMobile: true, hasTouch: true };
/** What is noted, when it is there. */
const SIGHTS = {
  heads: "#previews:not([hidden])",
  slider: "#previews:not([hidden]) #preview-slider:enabled",
  ready: '#engine-button[data-state="ready"]',
  face: "#save:enabled",
};
const starts = Number(process.argv[process.argv.indexOf("--starts") + 1 || Infinity] ?? 3);

/**
 * One visit: milliseconds by what was there.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @returns {Promise<Record<string, number>>}
 */
async function once(browser, url) {
  const { context, page } = await visit(browser, "about:blank", {
    ...PHONE,
    script: `(${note})(${JSON.stringify(SIGHTS)})`,
  });
  page.setDefaultTimeout(PATIENCE);
  const debug = await context.newCDPSession(page);
  await debug.send("Emulation.setCPUThrottlingRate", { rate: SLOWED });
  await page.goto(url, { waitUntil: "commit" });
  await page.locator("#preview-slider:enabled").waitFor();
  await page.locator("#sample-list button").first().tap();
  await inverted(page);
  const seen = await page.evaluate(() => /** @type {any} */ (globalThis).seen);
  const paints = await page.evaluate(() => performance.getEntriesByType("paint").map(({ startTime }) => startTime));
  await page.locator("#slider-smile").evaluate((input) => {
    /** @type {HTMLInputElement} */ (input).value = "80";
    for (const type of ["input", "change"]) input.dispatchEvent(new Event(type, { bubbles: true }));
  });
  await settled(page);
  const edit = await page.evaluate(() => performance.now());
  await context.close();
  return { "first paint": paints[0], "first words": paints.at(-1) ?? 0, ...seen, edit };
}

/**
 * Notes in the page when what these selectors name is first there.
 * @param {Record<string, string>} sights
 */
function note(sights) {
  /** @type {Record<string, number>} */
  const seen = {};
  Object.assign(globalThis, { seen });
  const look = () => {
    for (const [what, selector] of Object.entries(sights))
      if (!(what in seen) && document.querySelector(selector)) seen[what] = performance.now();
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

const browser = await launch();
const site = await serve(path.join(root, "dist"), { gzip: true });
try {
  for (const [name, line] of Object.entries(LINES)) {
    const link = await slowLink(Number(new URL(site.url).port), line);
    const visits = [];
    for (let i = 0; i < starts; i++) visits.push(await once(browser, link.url));
    await link.close();
    console.log(`\n${name}: ${line.megabits} Mbit/s, ${1000 * line.seconds} ms; medians of ${starts}`);
    for (const what of Object.keys(visits[0]))
      console.log(`${what.padEnd(16)}${(median(visits.map((each) => each[what])) / 1000).toFixed(2)} s`);
  }
} finally {
  await browser.close();
  await site.close();
}
