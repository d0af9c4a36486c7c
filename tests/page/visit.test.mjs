// The first visit: what is there before the model, and the model's way here, which the visitor can pause.
import assert from "node:assert/strict";
import { request as ask, createServer } from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { slowLink } from "../../benches/link.mjs";
import { serve } from "../../www/tools/serve.mjs";
import { accessible, host, launch, modelReady, root, visit, weightsLike } from "./support.mjs";

/** @typedef {import("node:http").OutgoingHttpHeaders} Headers */
/** @typedef {(headers?: Headers) => void} Pass */
/** @typedef {{ request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse }} Exchange */

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof host>>[]} */
const sites = [];

before(async () => {
  browser = await launch();
  sites.push(await host(path.join(root, "weights")), await host(await weightsLike("tests/golden/tiny")));
});

after(async () => {
  await browser?.close();
  for (const site of sites) await site.remove();
});

/**
 * A server before a site, which leaves shards to `answer`; `pass` then has the site answer.
 * @param {{ url: string }} site
 * @param {(exchange: Exchange, pass: Pass) => void} answer
 */
async function inFrontOf(site, answer) {
  const front = createServer((request, response) => {
    const pass = (/** @type {Headers} */ headers = request.headers) => {
      const onward = ask(new URL(request.url ?? "/", site.url), { headers }, (answered) => {
        response.writeHead(answered.statusCode ?? 500, answered.headers);
        answered.pipe(response);
      });
      onward.on("error", () => response.destroy());
      onward.end();
    };
    if (/\.safetensors$/.test(request.url ?? "") && !request.url?.includes("/face/"))
      answer({ request, response }, pass);
    else pass();
  });
  await new Promise((resolve) => front.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (front.address());
  return {
    url: `http://localhost:${port}/`,
    close: () => {
      front.closeAllConnections();
      front.close();
    },
  };
}

/**
 * A site whose only shard comes half at first, and then as `rest` says. Tells the parts that were asked for.
 * @param {(pass: Pass, exchange: Exchange) => void} rest
 */
async function halfAtFirst(rest) {
  /** @type {(string | undefined)[]} */
  const asked = [];
  const site = await inFrontOf(sites[1], (exchange, pass) => {
    asked.push(exchange.request.headers.range);
    if (asked.length > 1) return rest(pass, exchange);
    ask(new URL(exchange.request.url ?? "/", sites[1].url), (answered) => {
      const size = Number(answered.headers["content-length"]);
      exchange.response.writeHead(200, answered.headers);
      let sent = 0;
      answered.on("data", (/** @type {Buffer} */ bytes) => {
        const part = bytes.subarray(0, Math.max(0, Math.floor(size / 2) - sent));
        sent += part.length;
        if (part.length > 0) exchange.response.write(part);
      });
    }).end();
  });
  return { ...site, asked };
}

/**
 * Waits until half of the shard is here, and pauses its download.
 * @param {import("playwright-core").Page} page
 */
async function pauseHalfWay(page) {
  await page.waitForFunction(() => {
    const { value, max } = /** @type {HTMLProgressElement} */ (document.getElementById("model-progress"));
    return value > 0 && value >= Math.floor(max / 2);
  });
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Go on" }).waitFor();
}

/**
 * The colours of a head of the samples.
 * @param {import("playwright-core").Page} page
 * @param {number} which
 */
function head(page, which) {
  return page
    .locator("#sample-list canvas")
    .nth(which)
    .evaluate((canvas) => {
      const { width, height } = /** @type {HTMLCanvasElement} */ (canvas);
      const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
      copy?.drawImage(/** @type {HTMLCanvasElement} */ (canvas), 0, 0);
      return [...(copy?.getImageData(0, 0, width, height).data ?? [])];
    });
}

/**
 * Mean difference of two pictures, in 8-bit steps.
 * @param {number[]} a
 * @param {number[]} b
 */
const apart = (a, b) => a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length;

test("before any of the model has come, sliders move the samples", async () => {
  /** @type {(() => void)[]} */
  const waiting = [];
  let held = true;
  const site = await inFrontOf(sites[0], (_, pass) => (held ? waiting.push(pass) : pass()));
  const { page, problems, context } = await visit(browser, site.url);
  const slider = page.locator("#preview-slider");
  await page.locator("#preview-slider:enabled").waitFor();
  assert.equal(await page.locator("#sample-list canvas").count(), 12);
  const [plain, other] = [await head(page, 0), await head(page, 11)];
  for (const colours of [plain, other]) assert.ok(new Set(colours).size > 100, "a head is drawn");
  assert.ok(apart(plain, other) > 20, "each is another");

  await slider.fill("100");
  const smiling = await head(page, 0);
  assert.ok(apart(plain, smiling) > 0.5, "she smiles");
  assert.equal(await slider.getAttribute("aria-valuetext"), "Smile, 100%");
  await slider.fill("75");
  const between = await head(page, 0);
  assert.ok(apart(between, plain) > 0.3 && apart(between, smiling) > 0.1, "between the pictures there is one of both");
  await page.getByRole("radio", { name: "Turn" }).check();
  await page.locator("#preview-slider:enabled").waitFor();
  assert.ok(apart(await head(page, 0), between) > 2, "she turns her head");
  await slider.fill("0");
  assert.deepEqual(await head(page, 0), plain, "at 0 all are as they were");
  await accessible(page, "the start while the model is on its way");

  assert.equal(await page.locator("#engine-button").getAttribute("data-state"), "loading");
  assert.ok(waiting.length > 0, "the model was asked for");
  held = false;
  for (const pass of waiting) pass();
  await modelReady(page);
  assert.deepEqual(problems, []);
  await context.close();
  site.close();
});

/** A slow 4G. In two seconds it carries 400 kB, less those of four ways there and back: to connect, and to ask. */
const SLOW_4G = { megabits: 1.6, seconds: 0.15 };
/** What may have come when the headline is painted, and when a slider moves the samples. */
const [HEADLINE_BYTES, SLIDER_BYTES] = [160_000, 280_000];

test("on a slow line there is something to see, and to move, long before the model is there", async () => {
  // Bytes are counted, not seconds: the line stands still when they are used up, and what is asserted must be there.
  const packed = await serve(sites[0].folder, { gzip: true });
  /** @type {{ asked: number, come: number, whole: boolean }} of the model's files */
  const model = { asked: 0, come: 0, whole: false };
  const front = await inFrontOf(packed, ({ request, response }) => {
    model.asked++;
    ask(new URL(request.url ?? "/", packed.url), { headers: request.headers }, (answered) => {
      response.writeHead(answered.statusCode ?? 500, answered.headers);
      answered.on("data", (/** @type {Buffer} */ bytes) => {
        model.come += bytes.length;
      });
      answered.on("end", () => {
        model.whole = true;
      });
      answered.pipe(response);
    }).end();
  });
  const link = await slowLink(Number(new URL(front.url).port), { ...SLOW_4G, most: HEADLINE_BYTES });
  const { page, problems, context } = await visit(browser, "about:blank", { serviceWorkers: "block" });
  await page.goto(link.url, { waitUntil: "commit" });
  await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
  await page.getByRole("heading", { level: 1, name: /\w/ }).waitFor();
  assert.ok(await page.locator("#choose").isVisible());

  link.letOn(SLIDER_BYTES);
  const slider = page.locator("#preview-slider");
  await page.locator("#preview-slider:enabled").waitFor();
  const plain = await head(page, 0);
  await slider.fill("100");
  const smiling = await head(page, 0);
  assert.ok(apart(plain, smiling) > 0.5, "she smiles");
  assert.equal(model.asked, 0, "nothing of the model was asked for");

  link.letOn();
  await page.waitForFunction(() => {
    const { value } = /** @type {HTMLProgressElement} */ (document.getElementById("model-progress"));
    return value > 0;
  });
  await slider.fill("0");
  assert.deepEqual(await head(page, 0), plain, "she does as told while the model comes");
  assert.equal(await page.locator("#engine-button").getAttribute("data-state"), "loading");
  assert.ok(model.asked > 0 && !model.whole, `of the model there are ${model.come} bytes`);
  assert.deepEqual(
    problems.filter((problem) => !problem.startsWith("request to")),
    [],
  );
  await context.close();
  await link.close();
  front.close();
  await packed.close();
});

test("words that come after all else still tell which language they are in", async () => {
  const { page, problems, context } = await visit(browser, "about:blank", {
    locale: "de-DE",
    serviceWorkers: "block",
  });
  /** @type {(nothing?: undefined) => void} */
  let restIsHere = () => {};
  const rest = new Promise((resolve) => {
    restIsHere = resolve;
  });
  await context.route(/strings\/de\.js$/, async (route) => {
    await rest;
    await route.continue();
  });
  await page.goto(sites[1].url, { waitUntil: "commit" });
  await page.locator("#languages button").first().waitFor({ state: "attached" });
  restIsHere();
  await page.locator("html[lang=de]").waitFor();
  const pressed = await page.locator('#languages button[aria-pressed="true"]').allTextContents();
  assert.deepEqual(pressed, ["Deutsch"]);
  assert.deepEqual(
    problems.filter((problem) => !problem.startsWith("request to")),
    [],
  );
  await context.close();
});

test("a download says what it is, and goes on where it was paused, at another visit, too", async () => {
  const site = await halfAtFirst((pass) => pass());
  const { page, problems, context } = await visit(browser, site.url);
  await pauseHalfWay(page);
  assert.match((await page.locator("#model-why").textContent()) ?? "", /^“.+” does the editing on this device/);
  assert.match((await page.locator("#model-text").textContent()) ?? "", /paused: 0\.3\sMB of 0\.6\sMB are here/);
  await accessible(page, "a paused download");
  await page.waitForFunction(async () => {
    for (const name of await caches.keys())
      for (const { url } of await (await caches.open(name)).keys()) if (url.endsWith("/part")) return true;
    return false;
  });
  await page.close();

  const next = await context.newPage();
  await next.goto(site.url);
  await next.getByRole("button", { name: "Go on" }).waitFor();
  const { value, max } = await next
    .locator("#model-progress")
    .evaluate((bar) => ({ value: /** @type {any} */ (bar).value, max: /** @type {any} */ (bar).max }));
  assert.equal(value, Math.floor(max / 2), "what has come is still here");
  assert.deepEqual(site.asked, [undefined], "a paused download asks for nothing");
  await next.getByRole("button", { name: "Go on" }).click();
  await modelReady(next);
  assert.deepEqual(site.asked, [undefined, `bytes=${value}-`], "only what was missing is fetched");
  const left = await next.evaluate(async () => {
    const { WEIGHTS_CACHE } = await import(new URL("shared/cache.js", location.href).href);
    return (await (await caches.open(WEIGHTS_CACHE)).keys()).map(({ url }) => url);
  });
  assert.equal(left.filter((url) => url.endsWith("/part")).length, 0, "the part is part of the whole now");
  await next.reload();
  await modelReady(next);
  assert.equal(site.asked.length, 2, "then nothing more is fetched");
  assert.deepEqual(problems, []);
  await context.close();
  site.close();
});

test("a photo waits for a paused download, which is said", async () => {
  const site = await halfAtFirst((pass) => pass());
  const { page, problems, context } = await visit(browser, site.url);
  await pauseHalfWay(page);
  await page.setInputFiles("#file", path.join(root, "weights/samples/01.webp"));
  await page.getByText("Your photo waits for the model.").waitFor();
  await page.getByRole("button", { name: "Go on" }).click();
  await page.waitForSelector("#save:not(:disabled)");
  assert.deepEqual(problems, []);
  await context.close();
  site.close();
});

for (const [what, rest] of /** @type {const} */ ([
  [
    "a host that knows no parts",
    (/** @type {Pass} */ pass, /** @type {Exchange} */ { request: { headers } }) => {
      const { range: _, ...others } = headers;
      pass(others);
    },
  ],
  [
    "a host that has changed the shard meanwhile",
    (/** @type {Pass} */ pass, /** @type {Exchange} */ { request: { headers }, response }) => {
      const [, from] = /^bytes=(\d+)-/.exec(headers.range ?? "") ?? [];
      if (from === undefined) return pass();
      const size = 2 * Number(from);
      response
        .writeHead(206, { "Content-Range": `bytes ${from}-${size - 1}/${size}` })
        .end(Buffer.alloc(size - Number(from)));
    },
  ],
])) {
  test(`the model comes whole from ${what}`, async () => {
    const site = await halfAtFirst(rest);
    const { page, context } = await visit(browser, site.url);
    await pauseHalfWay(page);
    await page.getByRole("button", { name: "Go on" }).click();
    await modelReady(page);
    assert.match(site.asked[1] ?? "", /^bytes=/);
    await context.close();
    site.close();
  });
}
