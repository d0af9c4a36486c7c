// How fast the built page is in Chromium, with the bundled model and its sample portraits.
//
//   node benches/page.mjs [--no-isolation]
//
// Times the way to a ready model by the page itself, and inversions and edits by the page's own engine, first and warm
// (medians), on the CPU and, where Chromium finds a graphics card, on WebGPU; how long a group photo of 24 megapixels
// takes to be opened and searched for faces; how much longer an inversion takes in the page, which shows pictures and
// progress meanwhile, than by the engine alone; and how long the page's own thread was busy at most meanwhile. Needs
// `./build.sh build`; `--no-isolation` leaves out the headers without which a browser gives a page no threads. What
// code a visit loads, `benches/bytes.mjs` counts.
import { readFile } from "node:fs/promises";
import path from "node:path";
import {
  host,
  inverted,
  launch,
  looksMade,
  modelReady,
  root,
  settled,
  startNothing,
  visit,
} from "../tests/page/support.mjs";
import { serve } from "../www/tools/serve.mjs";
import { groupPhoto } from "./group.mjs";
import { median } from "./median.mjs";

const STARTS = 5;
const ROUNDS = 9;
const DIST = path.join(root, "dist");
const isolated = !process.argv.includes("--no-isolation");

/** @param {number} seconds */
const s = (seconds) =>
  seconds < 0.1
    ? `${(1000 * seconds).toFixed(1)} ms`
    : seconds < 1
      ? `${(1000 * seconds).toFixed(0)} ms`
      : `${seconds.toFixed(2)} s`;
/** @param {number} bytes */
const mb = (bytes) => `${(bytes / 1e6).toFixed(2)} MB`;
/** @param {string} name @param {string} value */
const row = (name, value) => console.log(`${name.padEnd(28)}${value}`);

/**
 * A context whose page computes on `backend`.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {{ backend: string, controls: boolean }} options without `controls` the page starts nothing by itself
 */
async function open(browser, url, { backend, controls }) {
  const { context, page } = await visit(browser, `${url}icons/icon.svg`, controls ? {} : { serviceWorkers: "block" });
  await page.evaluate((choice) => localStorage.setItem("sdic", JSON.stringify({ backend: choice })), backend);
  if (!controls) await startNothing(context);
  return { context, page };
}

/** @param {import("playwright-core").Page} page */
async function readyAfter(page) {
  await modelReady(page);
  return (await page.evaluate(() => performance.now())) / 1000;
}

/** @param {string} name @param {number[]} seconds of each round */
const rounds = (name, [first, ...warm]) =>
  row(name, `${s(first)} first, ${s(median(warm))} warm (${s(Math.min(...warm))} to ${s(Math.max(...warm))})`);

/**
 * From an empty browser and from a visited one to a ready model, in seconds, and the paths that the first asks for.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {string} backend
 */
async function start(browser, url, backend) {
  const { context, page } = await open(browser, url, { backend, controls: true });
  /** @type {Set<string>} */
  const fetched = new Set();
  const collect = (/** @type {import("playwright-core").Response} */ response) =>
    void fetched.add(new URL(response.url()).pathname);
  context.on("response", collect);
  await page.goto(url);
  const first = await readyAfter(page);
  context.off("response", collect);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await page.reload();
  const next = await readyAfter(page);
  await context.close();
  return { first, next, fetched };
}

/**
 * Prints how long the page takes to be ready, and what it fetches for that.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {string} backend
 */
async function starts(browser, url, backend) {
  const all = [];
  for (let i = 0; i < STARTS; i++) all.push(await start(browser, url, backend));
  row("ready, first visit", s(median(all.map(({ first }) => first))));
  row("ready, next visit", s(median(all.map(({ next }) => next))));
  let model = 0;
  for (const name of all[0].fetched)
    if (name.startsWith("/weights/")) model += (await readFile(path.join(DIST, name))).length;
  row("model and samples fetched", mb(model));
}

/**
 * Opens a group photo and looks for its faces, by the page's own worker: the processor does it on any backend.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 */
async function search(browser, url) {
  const { context, page } = await open(browser, url, { backend: "cpu", controls: false });
  await page.goto(url);
  const text = (await groupPhoto(page)).buffer.toString("base64");
  const { faces, seconds } = await page.evaluate(
    async ({ text, rounds }) => {
      const { Photos } = await import(new URL("app/photos.js", location.href).href);
      const [photos, { signal }] = [new Photos(), new AbortController()];
      const file = new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], { type: "image/jpeg" });
      const seconds = { opening: /** @type {number[]} */ ([]), search: /** @type {number[]} */ ([]) };
      let faces = 0;
      for (let round = 0; round <= rounds; round++) {
        const start = performance.now();
        const { photo } = await photos.open(file, "group.jpg", signal);
        const opened = performance.now();
        faces = (await photos.faces(photo, signal)).length;
        seconds.opening.push((opened - start) / 1000);
        seconds.search.push((performance.now() - opened) / 1000);
        photos.close(photo);
      }
      return { faces, seconds };
    },
    { text, rounds: ROUNDS },
  );
  rounds("24 megapixels, opened", seconds.opening);
  rounds(`their ${faces} faces, found`, seconds.search);
  await context.close();
}

/**
 * The page's own engine in a page that starts nothing by itself, with the face of every sample.
 * @param {import("playwright-core").Page} page
 */
function prepared(page) {
  return page.evaluateHandle(async () => {
    const module = (/** @type {string} */ name) => import(new URL(`app/${name}.js`, location.href).href);
    /** @typedef {[typeof import("../www/app/engine.js"), typeof import("../www/app/photos.js")]} Modules */
    const modules = Promise.all([module("engine"), module("photos")]);
    const [{ PageEngine }, { Photos }] = /** @type {Modules} */ (await modules);
    const [engine, photos, { signal }] = [new PageEngine(), new Photos(), new AbortController()];
    const model = await engine.start();
    /** @type {`crop-${number}`[]} */
    const crops = [];
    for (const [i, { file }] of model.samples.entries()) {
      const { photo } = await photos.open(await (await fetch(`weights/${file}`)).blob(), file, signal);
      const [{ quad, mesh }] = await photos.faces(photo, signal);
      const crop = /** @type {const} */ (`crop-${i}`);
      await photos.crop(photo, crop, quad, mesh, false);
      crops.push(crop);
    }
    const { port1, port2 } = new MessageChannel();
    engine.link(port1);
    photos.link(port2);
    return { engine, photos, model, crops, signal };
  });
}

/**
 * Inversions and edits by the page's engine: seconds of each round.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {string} backend
 */
async function work(browser, url, backend) {
  const { context, page } = await open(browser, url, { backend, controls: false });
  await page.goto(url);
  const ready = await prepared(page);
  const result = await ready.evaluate(async ({ engine, photos, model, crops, signal }, rounds) => {
    const { outputHeight, imageSize, injectSize, directions } = model;
    /** @param {(round: number) => Promise<unknown>} once */
    const times = async (once) => {
      const seconds = [];
      for (let round = 0; round <= rounds; round++) {
        const start = performance.now();
        await once(round);
        seconds.push((performance.now() - start) / 1000);
      }
      return seconds;
    };
    const crop = (/** @type {number} */ round) => crops[round % crops.length];
    const invert = (/** @type {number} */ round) =>
      engine.invert(`inversion-${round}`, crop(round), undefined, signal);
    const edit = (/** @type {number} */ round, /** @type {number | undefined} */ preview) => {
      const strengths = { [directions[0].name]: directions[0].range[1] * (0.5 + 0.05 * round) };
      return engine.edit(`inversion-${rounds}`, "edit-1", strengths, preview, signal);
    };
    /** @type {Record<string, number[]>} */
    const seconds = { inversion: await times(invert) };
    for (let size = imageSize; size >= injectSize; size /= 2) {
      const preview = size === imageSize ? undefined : size;
      seconds[`edit, ${size} px`] = await times((round) => edit(round, preview));
    }
    await edit(rounds, undefined);
    for (const side of [512, 1024]) {
      const look = /** @type {const} */ ({ mode: "difference", side });
      seconds[`onto ${side} px of a photo`] = await times(async () => {
        (await photos.retouch(crop(rounds), "edit-1", look, signal)).close();
      });
    }
    const face = /** @type {const} */ ({ mode: "face", side: outputHeight });
    seconds["the rebuilt face"] = await times(async () => {
      (await photos.retouch(crop(rounds), "edit-1", face, signal)).close();
    });
    return { seconds, adapter: engine.status.info?.adapter };
  }, ROUNDS);
  for (const [name, seconds] of Object.entries(result.seconds)) rounds(name, seconds);
  await context.close();
  return result.adapter;
}

/**
 * Inversions in the whole page and by its engine alone, in turn: what the page costs.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {string} backend
 */
async function besides(browser, url, backend) {
  const [whole, alone] = [
    await open(browser, url, { backend, controls: true }),
    await open(browser, url, { backend, controls: false }),
  ];
  await whole.page.goto(url);
  await modelReady(whole.page);
  const buttons = whole.page.locator("#sample-list button");
  await buttons.first().waitFor();
  await alone.page.goto(url);
  const ready = await prepared(alone.page);
  await whole.page.evaluate(() => {
    const page = /** @type {any} */ (globalThis);
    page.longTasks = [];
    const keep = (/** @type {PerformanceObserverEntryList} */ list) =>
      page.longTasks.push(...list.getEntries().map(({ duration }) => duration / 1000));
    new PerformanceObserver(keep).observe({ type: "longtask" });
  });
  const seconds = { whole: /** @type {number[]} */ ([]), alone: /** @type {number[]} */ ([]) };
  const samples = await buttons.count();
  for (let round = 0; round <= ROUNDS; round++) {
    await buttons.nth(round % samples).evaluate((button) => /** @type {HTMLButtonElement} */ (button).click());
    await whole.page.locator("#save:disabled").waitFor();
    await inverted(whole.page);
    const [timing] = await whole.page.evaluate(async () => {
      const { settings } = await import(new URL("app/settings.js", location.href).href);
      return /** @type {{ inversion: number }[]} */ (Object.values(settings.timings));
    });
    seconds.whole.push(timing.inversion);
    await looksMade(whole.page); // or the page would compute beside the other's engine
    seconds.alone.push(
      await ready.evaluate(
        ({ engine, crops, signal }, i) => engine.invert(`inversion-${i}`, crops[i % crops.length], undefined, signal),
        round,
      ),
    );
  }
  const [page, engine] = [median(seconds.whole.slice(1)), median(seconds.alone.slice(1))];
  row("inversion, page / engine", `${(page / engine).toFixed(2)} (${s(page)} / ${s(engine)})`);
  const sliders = whole.page.locator("#sliders input[type=range]:not(:disabled)");
  for (let round = 0; round < ROUNDS; round++) {
    await sliders.nth(round % 4).press("PageUp");
    await settled(whole.page);
  }
  const tasks = await whole.page.evaluate(() => /** @type {number[]} */ (/** @type {any} */ (globalThis).longTasks));
  const worked = `${ROUNDS + 1} inversions and ${ROUNDS} edits`;
  row(
    "tasks over 50 ms",
    tasks.length > 0 ? `${tasks.length}, up to ${s(Math.max(...tasks))}, in ${worked}` : `none in ${worked}`,
  );
  await Promise.all([whole.context.close(), alone.context.close()]);
}

/**
 * The adapter that WebGPU would use.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 */
async function adapter(browser, url) {
  const { context, page } = await open(browser, url, { backend: "cpu", controls: false });
  await page.goto(url);
  const found = await page.evaluate(async () => {
    const { probe } = await import(new URL("shared/adapter.js", location.href).href);
    return { ...(await probe()), isolated: crossOriginIsolated };
  });
  await context.close();
  return found;
}

const browser = await launch(["--enable-unsafe-webgpu", "--enable-features=Vulkan"]);
const { url, close } = await serve(DIST, { isolated });
// The same with every module in a file of its own, to be called by itself.
const modules = await host(path.join(root, "weights"), { isolated, readable: true });
try {
  const gpu = await adapter(browser, modules.url);
  console.log(
    `Chromium ${browser.version()}, ${gpu.isolated ? "isolated" : "not isolated"} page;`,
    `medians of ${STARTS} starts and ${ROUNDS} rounds`,
  );
  await search(browser, modules.url);
  for (const backend of ["cpu", "webgpu"]) {
    console.log(`\n${backend === "cpu" ? "CPU (WebAssembly)" : "WebGPU"}`);
    if (backend === "webgpu" && gpu.kind !== "real") {
      console.log(gpu.kind === "none" ? "no adapter here" : `no graphics card here, only ${gpu.name}`);
      continue;
    }
    await starts(browser, url, backend);
    console.log(`on ${await work(browser, modules.url, backend)}`);
    await besides(browser, modules.url, backend);
  }
} finally {
  await browser.close();
  await Promise.all([close(), modules.remove()]);
}
