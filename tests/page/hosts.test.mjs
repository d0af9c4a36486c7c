// Hosts, versions and tabs: whatever a host sends and however it is deployed, a page stays of one version, works
// offline, and lets nothing out.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { appendFile, cp, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { assemble, seal } from "../../www/tools/assemble.mjs";
import { serve } from "../../www/tools/serve.mjs";
import {
  changeFile,
  difference,
  host,
  inverted,
  launch,
  modelReady,
  pixels,
  restarts,
  root,
  slide,
  tinyWithSample,
  visit,
} from "./support.mjs";
import { temporary } from "./temporary.mjs";

/** @import { Page } from "playwright-core" */

const SHARD = "shard-000.safetensors";

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {{ first: string, second: string }} two models under the same names: one byte differs, and the title */
let weights;

before(async () => {
  const shard = await readFile(path.join(root, "tests/golden/tiny", SHARD));
  shard[shard.length - 1] ^= 1;
  weights = {
    first: await tinyWithSample(),
    second: await tinyWithSample({
      files: { [SHARD]: shard },
      change: (manifest) => {
        manifest.title = "Second model";
        manifest.shards[0].sha256 = createHash("sha256").update(shard).digest("hex");
      },
    }),
  };
  browser = await launch();
});

after(async () => {
  await browser?.close();
});

/** Scripts that each run in another place. */
const MARKED = ["app/main.js", "workers/engine.js", "workers/photo.js", "pkg/cpu/sdic.js"];

/**
 * Has every script of a page's folder that is in `MARKED` set `globalThis.mark`; part of a new version, until sealed.
 * @param {string} folder
 * @param {string} mark
 * @param {string[]} [files]
 */
async function mark(folder, mark, files = MARKED) {
  for (const file of files)
    await appendFile(path.join(folder, file), `\nglobalThis.mark = ${JSON.stringify(mark)};\n`);
}

/**
 * Deploys another version.
 * @param {{ folder: string }} site
 * @param {string} name of it
 */
async function deploy({ folder }, name) {
  await mark(folder, name);
  await seal(folder);
}

/** @param {Page} page */
const markOf = (page) => page.evaluate(() => /** @type {any} */ (globalThis).mark);

/**
 * The mark of a worker's script.
 * @param {Page} page
 * @param {string} name
 */
async function markOfWorker(page, name) {
  const worker = page.workers().findLast((each) => each.url().endsWith(`/workers/${name}.js`));
  assert.ok(worker, `${name} runs`);
  return worker.evaluate(() => /** @type {any} */ (globalThis).mark);
}

/** @param {Page} page */
async function offlineReady(page) {
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
}

/**
 * Asks the browser to look for a new version, and waits for what comes of it.
 * @param {Page} page
 * @returns {Promise<string>} "kept" or "refused"; "none" when there is none
 */
function update(page) {
  return page.evaluate(async () => {
    const registration = /** @type {ServiceWorkerRegistration} */ (await navigator.serviceWorker.getRegistration());
    const ended = (/** @type {ServiceWorker} */ worker) =>
      new Promise((resolve) => {
        const look = () => worker.state !== "installing" && resolve(worker.state === "redundant" ? "refused" : "kept");
        worker.addEventListener("statechange", look);
        look();
      });
    // A look that was under way before, the page's own, may have seen nothing yet.
    for (let look = 0; look < 50; look++) {
      await registration.update().catch(() => {});
      const worker = registration.installing ?? registration.waiting;
      if (worker) return ended(worker);
    }
    return "none";
  });
}

/** @param {Page} page */
const offer = (page) => page.locator(".notice", { hasText: "A newer version of this page is ready." });

/** @param {Page} page */
async function reloadByOffer(page) {
  await Promise.all([page.waitForEvent("load"), offer(page).getByRole("button", { name: "Reload" }).click()]);
}

/** @param {Page} page */
const title = async (page) => {
  await page.click("#about-button");
  await page.locator("#about-dialog[open]").waitFor();
  const text = await page.locator("#about-model strong").textContent();
  await page.keyboard.press("Escape");
  return text;
};

test("a host that sends /index.html on to / serves a page that works offline", async () => {
  const site = await host(weights.first, { tidy: true });
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await offlineReady(page);
  await site.stop();
  await page.reload();
  await modelReady(page);
  await page.goto(`${site.url}index.html?from=somewhere`);
  await modelReady(page);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("a page keeps the language that it speaks, and one that was chosen, from one version to the next", async () => {
  const site = await host(weights.first);
  const { page, context } = await visit(browser, site.url, { locale: "de-DE" });
  const speaks = (/** @type {string} */ language) =>
    page.locator(`html[lang="${language}"]`).waitFor({ state: "attached" });
  const start = page.locator("#start-title");
  await modelReady(page);
  await offlineReady(page);
  const tables = () =>
    page.evaluate(async () => {
      const caches_ = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
      const urls = (await Promise.all(caches_.map((cache) => cache.keys()))).flat().map(({ url }) => url);
      return [...new Set(urls)].filter((url) => /\/strings\/..\.js$/.test(url)).map((url) => url.slice(-5, -3));
    });
  assert.deepEqual(await tables(), ["de"], "the other one was not loaded");
  await deploy(site, "two");
  assert.equal(await update(page), "kept");
  await site.stop();
  await page.reload();
  await modelReady(page);
  assert.equal(await markOf(page), "two");
  await speaks("de");
  assert.equal(await start.innerText(), "Anderer Ausdruck. Derselbe Mensch.");
  await page.getByRole("button", { name: "English" }).click();
  await page.locator(".notice.failure", { hasText: "Das Netz ist nicht erreichbar" }).waitFor();
  await speaks("de");

  // What a visitor has chosen is spoken before what the browser asks for, and kept, too.
  const again = await serve(site.folder, { port: Number(new URL(site.url).port) });
  await page.reload();
  await modelReady(page);
  await page.getByRole("button", { name: "English" }).click();
  await speaks("en");
  await again.close();
  await page.reload();
  await speaks("en");
  assert.equal(await start.innerText(), "Change the expression. Keep the person.");
  await context.close();
  await site.remove();
});

test("of the engine's two builds a browser loads and keeps the one that it runs", async () => {
  for (const fused of [true, false]) {
    const site = await host(weights.first);
    const { page, context } = await visit(browser, `${site.url}icons/icon.svg`);
    if (!fused) {
      // A browser without relaxed vectors refuses their instructions, wherever it is asked.
      const refuse = `WebAssembly.validate = ((valid) => (bytes) => !String(bytes).includes("253,133,2") && valid(bytes))(
        WebAssembly.validate);\n`;
      for (const script of ["workers/common.js", "sw.js"])
        await changeFile(site.folder, script, (text) => refuse + text);
    }
    /** @type {Set<string>} */
    const loaded = new Set();
    context.on("request", (request) => loaded.add(request.url()));
    await page.goto(site.url);
    await modelReady(page);
    await offlineReady(page);
    const kept = await page.evaluate(async () => {
      const caches_ = await Promise.all((await caches.keys()).map((name) => caches.open(name)));
      return (await Promise.all(caches_.map((cache) => cache.keys()))).flat().map(({ url }) => url);
    });
    for (const urls of [[...loaded], kept]) {
      const builds = urls.filter((url) => /\/cpu\/.*\.wasm$/.test(url)).map((url) => path.basename(url));
      assert.deepEqual([...new Set(builds)], [fused ? "sdic_fused_bg.wasm" : "sdic_bg.wasm"]);
    }
    await context.close();
    await site.remove();
  }
});

test("of a host that is half deployed nothing is kept, and the version before goes on whole", async () => {
  const site = await host(weights.first);
  await deploy(site, "one");
  const { page, context } = await visit(browser, site.url);
  await modelReady(page);
  await offlineReady(page);
  const late = path.join(site.folder, "workers/photo.js");
  const before = await readFile(late);
  await deploy(site, "two");
  const whole = await readFile(late);
  await writeFile(late, before);
  assert.equal(await update(page), "refused");
  await page.reload();
  await modelReady(page);
  await page.locator("#sample-list button").click();
  await inverted(page);
  assert.deepEqual(
    [await markOf(page), await markOfWorker(page, "engine"), await markOfWorker(page, "photo")],
    ["one", "one", "one"],
  );
  assert.equal(await offer(page).count(), 0);

  await writeFile(late, whole);
  // The page's own look, begun when it was reloaded, may have met the half: the next one cannot.
  assert.ok((await update(page)) === "kept" || (await update(page)) === "kept");
  await offer(page).waitFor();
  await page.reload();
  await modelReady(page);
  await page.locator("#sample-list button").click();
  await inverted(page);
  assert.deepEqual(
    [await markOf(page), await markOfWorker(page, "engine"), await markOfWorker(page, "photo")],
    ["two", "two", "two"],
  );
  await context.close();
  await site.remove();
});

test("a first visit is not taken over by a version that was deployed meanwhile", async () => {
  const site = await host(weights.first);
  await deploy(site, "one");
  const { page, context } = await visit(browser, "about:blank");
  /** @type {() => void} */
  let release = () => {};
  const held = new Promise((resolve) => (release = () => resolve(undefined)));
  await page.route(`**/${SHARD}`, async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(site.url);
  await page.waitForSelector('#engine-button[data-state="loading"]');
  await deploy(site, "two");
  release();
  await modelReady(page);
  await offer(page).waitFor();
  await mark(site.folder, "three", ["app/main.js"]); // what the host has now, unlike what version two has kept
  const text = await page.evaluate(async () => (await fetch("app/main.js")).text());
  assert.match(text, /"three"/, "the page of version one is not served files of version two");
  await reloadByOffer(page);
  await modelReady(page);
  assert.equal(await markOf(page), "two");
  await context.close();
  await site.remove();
});

test("reloading one tab for a new version leaves the others and their edits alone", async () => {
  const site = await host(weights.first);
  await deploy(site, "one");
  const { page: first, context } = await visit(browser, site.url);
  await modelReady(first);
  await offlineReady(first);
  const second = await context.newPage();
  await second.goto(site.url);
  await modelReady(second);
  await second.locator("#sample-list button").click();
  await inverted(second);
  await slide(second, "tilt", 80);
  const edited = await pixels(second);

  await deploy(site, "two");
  assert.equal(await update(first), "kept");
  await reloadByOffer(first);
  await modelReady(first);
  await first.locator("#sample-list button").click();
  await inverted(first);
  assert.deepEqual([await markOf(first), await markOfWorker(first, "engine")], ["two", "two"]);

  await second.locator(".notice", { hasText: "Save your picture first: reloading closes the photo." }).waitFor();
  assert.equal(await second.locator('[id="slider-tilt"]').inputValue(), "80");
  const engine = second.workers().findLast((each) => each.url().endsWith("/workers/engine.js"));
  await engine?.evaluate(
    () =>
      void setTimeout(() => {
        throw new WebAssembly.RuntimeError("unreachable");
      }),
  );
  await second.locator(".notice", { hasText: "started again" }).waitFor();
  await modelReady(second);
  await inverted(second);
  const marks = second
    .workers()
    .map((each) => each.evaluate(() => /** @type {any} */ (globalThis).mark).catch(() => "one"));
  assert.deepEqual(
    new Set([await markOf(second), ...(await Promise.all(marks))]),
    new Set(["one"]),
    "of one version still",
  );
  assert.equal(difference(await pixels(second), edited), 0);

  // A version is forgotten when no page of it is open. Its clients are noted for a minute at least: let it be over.
  const versions = () =>
    first.evaluate(async () => (await caches.keys()).filter((name) => name.includes(" shell ")).length);
  const past = () =>
    first.evaluate(async () => {
      const name = (await caches.keys()).find((each) => each.endsWith(" clients")) ?? "";
      const cache = await caches.open(name);
      for (const request of await cache.keys()) {
        if (!request.url.includes("/clients/")) continue;
        const origin = await (await cache.match(request))?.json();
        await cache.put(request, new Response(JSON.stringify({ ...origin, at: 0 })));
      }
    });
  await past();
  await first.reload();
  await modelReady(first);
  assert.equal(await versions(), 2, "the second tab's is kept");
  await second.close();
  await past();
  await first.reload();
  await first.waitForFunction(
    async () => (await caches.keys()).filter((name) => name.includes(" shell ")).length === 1,
  );
  await context.close();
  await site.remove();
});

test("a full disk costs later downloads, and nothing now", async () => {
  const site = await host(weights.first);
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await offlineReady(page);
  const session = await context.newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(site.url).origin, quotaSize: 1000 });
  const sizes = await page.evaluate(async () => {
    const sizes = [];
    for (const file of ["pkg/webgpu/sdic.js", "pkg/webgpu/sdic_bg.wasm"])
      sizes.push((await (await fetch(file)).arrayBuffer()).byteLength);
    return sizes;
  });
  for (const size of sizes) assert.ok(size > 1000);
  await page.reload();
  await modelReady(page);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

/**
 * Has the browser forget the kept shards, as it may whenever it needs room.
 * @param {Page} page
 */
function evictShards(page) {
  return page.evaluate(async () => {
    const { forgetModel } = await import(new URL("shared/cache.js", location.href).href);
    await forgetModel();
  });
}

test("a host that replaces its model under the same names locks nobody out", async () => {
  const site = await host(weights.first);
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await offlineReady(page);
  const version = page.locator('meta[name="version"]');
  const first = await version.getAttribute("content");
  await evictShards(page);
  await assemble(site.folder, { weights: weights.second });
  await page.reload();
  await modelReady(page);
  assert.equal(await version.getAttribute("content"), first, "still the version that is kept");
  assert.equal(await title(page), "Second model", "what the host has, manifest and shards");
  await offer(page).waitFor();
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

test("a manifest from before the host's model was replaced is not held against its shards", async () => {
  const site = await host(weights.second);
  const { page, context } = await visit(browser, "about:blank", { serviceWorkers: "block" });
  const stale = await readFile(path.join(weights.first, "manifest.json"), "utf8");
  let asked = 0;
  // What the browser's own cache holds, and then a host that is replaced just after it was asked.
  await page.route("**/weights/manifest.json", (route) =>
    asked++ < 2 ? route.fulfill({ body: stale }) : route.continue(),
  );
  await page.goto(site.url);
  await modelReady(page);
  assert.equal(await title(page), "Second model");
  await context.close();
  await site.remove();
});

test("a version whose engine cannot start is offered its successor all the same", async () => {
  const site = await host(weights.first);
  const { page, context } = await visit(browser, site.url);
  await modelReady(page);
  await offlineReady(page);
  await evictShards(page);
  await page.route(`**/${SHARD}`, (route) => route.fulfill({ status: 404 }));
  await page.reload();
  await page.waitForSelector('#engine-button[data-state="failed"]');
  await deploy(site, "two");
  await page.reload();
  await page.waitForSelector('#engine-button[data-state="failed"]');
  assert.equal(await markOf(page), undefined, "still the version that is kept");
  await offer(page).waitFor();
  await page.unroute(`**/${SHARD}`);
  await reloadByOffer(page);
  await modelReady(page);
  assert.equal(await markOf(page), "two");
  await context.close();
  await site.remove();
});

test("two copies of the page on one origin do not touch each other", async () => {
  const folder = await temporary("origin");
  await assemble(path.join(folder, "one"), { weights: weights.first });
  await assemble(path.join(folder, "two"), { weights: weights.second });
  for (const copy of ["one", "two"]) {
    // What the test asks about what is kept is kept, too.
    await cp(path.join(root, "www/shared"), path.join(folder, copy, "shared"), { recursive: true, force: false });
    await seal(path.join(folder, copy));
  }
  await deploy({ folder: path.join(folder, "two") }, "two");
  const site = await serve(folder);
  const { page, context } = await visit(browser, `${site.url}one/`);
  const stored = () =>
    page.evaluate(async () => {
      const found = /** @type {string[]} */ ([]);
      for (const name of await caches.keys())
        for (const { url } of await (await caches.open(name)).keys()) found.push(`${name}: ${url}`);
      for (const [key, value] of Object.entries(localStorage))
        if (typeof value === "string") found.push(`${key}: ${value}`);
      for await (const name of (await navigator.storage.getDirectory()).keys()) found.push(name);
      return found.filter((entry) => !entry.includes(" clients: ")); // these come and go
    });
  const keepOwn = () =>
    page.evaluate(async () => {
      const { keepOwnModel } = await import(new URL("shared/own-model.js", location.href).href);
      await keepOwnModel(async (/** @type {FileSystemDirectoryHandle} */ folder) => {
        const file = await (await folder.getFileHandle("manifest.json", { create: true })).createWritable();
        await file.write(JSON.stringify({ title: location.pathname, shards: [] }));
        await file.close();
      });
    });
  const own = () =>
    page.evaluate(async () => {
      const { ownModel } = await import(new URL("shared/own-model.js", location.href).href);
      return (await ownModel())?.title;
    });
  await modelReady(page);
  await offlineReady(page);
  await page.click("#theme-button");
  await keepOwn();
  const ofOne = await stored();
  assert.ok(
    ofOne.length > 20 && ofOne.every((entry) => entry.includes("/one/") || entry.includes("%2Fone%2F")),
    ofOne.join("\n"),
  );

  await page.goto(`${site.url}two/`);
  await modelReady(page);
  await page.waitForFunction(() => navigator.serviceWorker.controller?.scriptURL.includes("/two/"));
  assert.equal(await page.locator("html").getAttribute("data-theme"), "system", "the theme chosen in the other copy");
  await page.click("#theme-button");
  await page.click("#theme-button");
  assert.equal(await own(), undefined);
  await keepOwn();
  const both = await stored();
  assert.deepEqual(
    ofOne.filter((entry) => !both.includes(entry)),
    [],
    "all that the first copy kept is there",
  );

  await site.close();
  for (const [name, model, theme] of [
    ["one", "Tiny random model for tests", "light"],
    ["two", "Second model", "dark"],
  ]) {
    await page.goto(`${site.url}${name}/`);
    await modelReady(page);
    assert.equal(await title(page), model);
    assert.equal(await own(), `/${name}/`);
    assert.equal(await page.locator("html").getAttribute("data-theme"), theme);
  }
  await context.close();
});

test("what releases before have kept under other names is taken over", async () => {
  const site = await host(weights.first);
  const { page, context } = await visit(browser, `${site.url}notices.txt`);
  const [manifest, second, shard, other] = await Promise.all([
    readFile(path.join(weights.first, "manifest.json"), "utf8"),
    readFile(path.join(weights.second, "manifest.json"), "utf8"),
    readFile(path.join(weights.first, SHARD), "base64"),
    readFile(path.join(weights.second, SHARD), "base64"),
  ]);
  await page.evaluate(
    async ({ hash, second, shard, other, name }) => {
      const bytes = (/** @type {string} */ text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      localStorage.setItem("sdic", JSON.stringify({ theme: "dark", model: "own" }));
      await (await caches.open("sdic-weights")).put(`/sdic-weights/${hash}`, new Response(bytes(shard)));
      const root = await navigator.storage.getDirectory();
      const folder = await root.getDirectoryHandle("sdic-own-model", { create: true });
      for (const [file, contents] of /** @type {const} */ ([
        [name, bytes(other)],
        ["manifest.json", second],
      ])) {
        const writable = await (await folder.getFileHandle(file, { create: true })).createWritable();
        await writable.write(contents);
        await writable.close();
      }
    },
    { hash: JSON.parse(manifest).shards[0].sha256, second, shard, other, name: SHARD },
  );
  let loaded = 0;
  page.on("request", (request) => void (request.url().endsWith(SHARD) && loaded++));
  await page.goto(site.url);
  await modelReady(page);
  assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
  assert.equal(await title(page), "Second model", "the visitor's own");
  await page.click("#engine-button");
  await restarts(page, () => page.locator("#own-choices").getByText("Bundled with this page").click());
  assert.equal(await title(page), "Tiny random model for tests");
  assert.equal(loaded, 0, "the kept shard was used");
  const left = await page.evaluate(async () => {
    const names = [];
    for await (const name of (await navigator.storage.getDirectory()).keys()) names.push(name);
    return [...names, ...(await caches.keys())].filter((name) => ["sdic-own-model", "sdic-weights"].includes(name));
  });
  assert.deepEqual(left, []);
  await context.close();
  await site.remove();
});

test("pages of releases before are taken over when they say so, and not before", async () => {
  const site = await host(weights.first);
  const old = {
    "index.html": '<!doctype html><title>old</title><script type="module" src="app/main.js"></script>',
    "app/main.js": `navigator.serviceWorker.register("sw.js", { updateViaCache: "none" });
globalThis.changes = 0;
navigator.serviceWorker.addEventListener("controllerchange", () => globalThis.changes++);`,
    "sw.js": `const filled = caches.open("sdic-shell-old").then((cache) => cache.addAll(["index.html", "app/main.js"]));
self.addEventListener("install", (event) => event.waitUntil(filled));
self.addEventListener("activate", (event) => event.waitUntil(clients.claim()));
self.addEventListener("fetch", (event) => {
  const page = event.request.mode === "navigate" ? new URL("index.html", location) : event.request;
  event.respondWith(caches.match(page).then((hit) => hit ?? fetch(event.request)));
});`,
  };
  for (const [name, text] of Object.entries(old)) await writeFile(path.join(site.folder, name), text);
  const { page, context } = await visit(browser, site.url);
  await offlineReady(page);
  await page.reload();
  await assemble(site.folder, { weights: weights.first });
  const state = await page.evaluate(async () => {
    const registration = /** @type {ServiceWorkerRegistration} */ (await navigator.serviceWorker.getRegistration());
    await registration.update();
    const worker = /** @type {ServiceWorker} */ (
      registration.installing ?? registration.waiting ?? registration.active
    );
    while (worker.state === "installing")
      await new Promise((resolve) => worker.addEventListener("statechange", resolve, { once: true }));
    return worker.state;
  });
  assert.deepEqual([state, await page.evaluate(() => /** @type {any} */ (globalThis).changes)], ["installed", 0]);
  await page.evaluate(async () =>
    (await navigator.serviceWorker.getRegistration())?.waiting?.postMessage("take over"),
  );
  await page.waitForFunction(() => /** @type {any} */ (globalThis).changes === 1);
  await page.reload();
  await modelReady(page);
  await page.waitForFunction(async () => !(await caches.has("sdic-shell-old")));
  await context.close();
  await site.remove();
});

test("a host without any header gets privacy and threads from the second load on", async (context) => {
  const asked = /** @type {string[]} */ ([]);
  const elsewhere = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(200, { "Access-Control-Allow-Origin": "*" }).end("caught");
  });
  await new Promise((resolve) => elsewhere.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (elsewhere.address());

  const site = await host(weights.first, { bare: true });
  const scripts = path.join(site.folder, "workers");
  // Every worker, when asked to, tries to reach the other server, and tells what came of it.
  const spy = `const channel = new BroadcastChannel("spy");
channel.onmessage = async ({ data: url }) => {
  if (typeof url !== "string") return; // another's answer
  const from = self.location.pathname;
  const sent = await fetch(url + from).then(() => true, () => false);
  const opened = await new Promise((resolve) => {
    const socket = new WebSocket(url.replace("http", "ws") + from);
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  }).catch(() => false);
  channel.postMessage({ from, sent, opened });
};
channel.postMessage({ from: self.location.pathname });
`;
  const names = await readdir(scripts);
  for (const name of names)
    await writeFile(
      path.join(scripts, name),
      `import "./spy.js";\n${await readFile(path.join(scripts, name), "utf8")}`,
    );
  await writeFile(path.join(scripts, "spy.js"), spy);
  await seal(site.folder);
  const kinds = await kindsOfWorkers(site.folder);
  assert.ok(kinds.length >= 4, `kinds of workers: ${kinds}`);

  const { page, problems, context: visitor } = await visit(browser, site.url);
  await modelReady(page);
  assert.equal(await page.evaluate(() => crossOriginIsolated), false, "the host sends no headers");
  await offlineReady(page);
  await page.evaluate(() => {
    const seen = /** @type {any} */ (globalThis);
    seen.channel = new BroadcastChannel("spy");
  });
  await page.reload();
  await modelReady(page);
  assert.equal(await page.evaluate(() => crossOriginIsolated), true);
  const threads = await page.evaluate(() => Math.min(navigator.hardwareConcurrency, 8));
  await page.click("#engine-button");
  const status = (await page.locator("#engine-now").textContent()) ?? "";
  await page.keyboard.press("Escape");
  if (threads > 1) assert.match(status, new RegExp(`${threads} threads`));
  else context.diagnostic("one processor only: threads were not tested");

  await page.locator("#sample-list button").click();
  await inverted(page);
  const answers = await page.evaluate(
    async ({ kinds, target }) => {
      const channel = new BroadcastChannel("spy");
      const answers = /** @type {Map<string, { sent: boolean, opened: boolean }>} */ (new Map());
      const all = new Promise((resolve) => {
        channel.onmessage = ({ data }) => {
          if (data.sent === undefined) return channel.postMessage(target); // one that has just started
          answers.set(data.from.split("/").pop(), data);
          if (kinds.every((kind) => answers.has(kind))) resolve(undefined);
        };
      });
      channel.postMessage(target);
      // Of the kinds that do not run yet, one each.
      for (const kind of kinds) new Worker(new URL(`workers/${kind}`, location.href), { type: "module" });
      await all;
      return Object.fromEntries([...answers].map(([kind, { sent, opened }]) => [kind, sent || opened]));
    },
    { kinds, target: `http://localhost:${port}` },
  );
  assert.deepEqual(answers, Object.fromEntries(kinds.map((kind) => [kind, false])), "what was let through");
  assert.deepEqual(asked, [], "no request was sent");
  const refusals = problems.filter((problem) => !/Content Security Policy|WebSocket connection to/.test(problem));
  assert.deepEqual(
    refusals.filter((problem) => !problem.startsWith(`request to http://localhost:${port}`)),
    [],
  );
  await visitor.close();
  await site.remove();
  await new Promise((resolve) => elsewhere.close(resolve));
});

/**
 * The scripts that are started as workers, as the page's code names them.
 * @param {string} folder
 */
async function kindsOfWorkers(folder) {
  const kinds = new Set();
  for (const part of ["app", "on-use", "shared", "workers"]) {
    for (const entry of await readdir(path.join(folder, part), { recursive: true })) {
      if (!entry.endsWith(".js")) continue;
      const text = await readFile(path.join(folder, part, entry), "utf8");
      for (const [, name] of text.matchAll(
        /new URL\(["`](?:\.\.\/workers|\.)\/([\w-]+\.js)["`],\s*import\.meta\.url\)/g,
      ))
        kinds.add(name);
    }
  }
  return [...kinds].sort();
}

/**
 * Makes the converter of a page's folder take any file for a checkpoint of the second model. It waits before each file
 * that it writes until the page says "go" on a channel of that name, when the checkpoint's name asks for it.
 * @param {string} folder
 */
async function fakeConversion(folder) {
  const files = await Promise.all(
    [SHARD, "manifest.json"].map(async (name) => [name, await readFile(path.join(weights.second, name), "base64")]),
  );
  const fake = `const FILES = ${JSON.stringify(files)};
export default async function init() {}
export class CheckpointConversion {
  #next = 0;
  constructor(file) {
    this.stuck = file.name.startsWith("stuck");
    if (file.name.startsWith("damaged")) throw { code: "import", message: "damaged", hint: "" };
  }
  nextFile() {
    if (this.#next === FILES.length) return undefined;
    if (this.#next === 1 && this.stuck) for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    const [name, text] = FILES[this.#next++];
    return { name, bytes: Uint8Array.from(atob(text), (c) => c.charCodeAt(0)), done: this.#next, total: FILES.length };
  }
  free() {}
}
`;
  await writeFile(path.join(folder, "workers/fake.js"), fake);
  await changeFile(folder, "workers/convert.js", (text) => text.replace("../pkg/cpu/sdic.js", "./fake.js"));
}

/**
 * Offers a checkpoint.
 * @param {Page} page
 * @param {string} name
 */
function checkpoint(page, name) {
  return page.setInputFiles("#checkpoint", { name, mimeType: "", buffer: Buffer.from("PK") });
}

/** @param {Page} page */
const folders = (page) =>
  page.evaluate(async () => {
    const found = /** @type {string[]} */ ([]);
    for await (const folder of (await navigator.storage.getDirectory()).values()) {
      if (folder instanceof FileSystemDirectoryHandle) for await (const name of folder.keys()) found.push(name);
    }
    return found;
  });

test("a kept model is replaced by one that stands, and by nothing else", async () => {
  const site = await host(weights.first);
  await fakeConversion(site.folder);
  const { page, problems, context } = await visit(browser, site.url);
  await modelReady(page);
  await checkpoint(page, "good.pt");
  await page.locator(".notice", { hasText: "are converted and kept" }).waitFor();
  await modelReady(page);
  assert.equal(await title(page), "Second model");
  const [kept] = await folders(page);

  await checkpoint(page, "damaged.pt");
  await page.locator(".notice.failure", { hasText: "damaged" }).waitFor();
  assert.deepEqual(await folders(page), [kept], "a damaged checkpoint leaves the model in place");

  // A tab is closed while it converts. While it goes on, nobody touches what it writes; afterwards it is offered.
  const closed = await context.newPage();
  await closed.goto(site.url);
  await modelReady(closed);
  await checkpoint(closed, "stuck.pt");
  await page.waitForFunction(async () => {
    const { leftOverBytes } = await import(new URL("shared/own-model.js", location.href).href);
    return (await leftOverBytes()) > 500_000;
  });
  await page.reload();
  await modelReady(page);
  assert.equal((await folders(page)).length, 2, "a conversion under way is left alone");
  await page.click("#about-button");
  // What it has written is counted: a shard, as large as the one of the bundled model that is kept too.
  await page.locator("#about-dialog[open] #about-storage", { hasText: /^1\.\d\sMB/ }).waitFor();
  await page.keyboard.press("Escape");
  await closed.close();
  await page.reload();
  await page.waitForFunction(async (kept) => {
    const { leftOverBytes, ownModel } = await import(new URL("shared/own-model.js", location.href).href);
    return (await leftOverBytes()) === 0 && (await ownModel()) && kept;
  }, kept);
  await modelReady(page);
  await page.click("#engine-button");
  await page.getByRole("button", { name: "Remove “stuck.pt”" }).click();
  await page.locator(".notice", { hasText: "“stuck.pt” was removed." }).waitFor();
  await page.keyboard.press("Escape");
  assert.deepEqual(await folders(page), [kept]);
  assert.equal(await title(page), "Second model");

  await checkpoint(page, "better.pt");
  await page.locator(".notice", { hasText: "are converted and kept" }).waitFor();
  await modelReady(page);
  const after = await folders(page);
  assert.ok(after.length === 1 && after[0] !== kept, `${after} in place of ${kept}`);

  await page.click("#engine-button");
  await page.click("#own-choices button:last-child");
  await page.locator(".notice", { hasText: "“Second model” was removed" }).waitFor();
  assert.deepEqual(await folders(page), []);
  assert.deepEqual(problems, []);
  await context.close();
  await site.remove();
});

/**
 * Edits a sample, and opens what asks for storage.
 * @param {Page} page
 */
async function worksWithoutStorage(page) {
  await modelReady(page);
  await page.locator("#sample-list button").click();
  await inverted(page);
  const plain = await pixels(page);
  await slide(page, "tilt", 80);
  assert.ok(difference(plain, await pixels(page)) > 0);
  await page.click("#about-button");
  await page.locator("#about-dialog[open]").waitFor();
  await page.locator("#about-storage", { hasText: /^0\skB/ }).waitFor();
  await page.keyboard.press("Escape");
  await page.click("#engine-button");
  await page.locator("#engine-dialog[open]").waitFor();
  await page.locator("#own-choices").getByText("Bundled with this page").waitFor();
  await checkpoint(page, "good.pt");
  const failure = page.locator(".notice.failure").first();
  await failure.waitFor();
  assert.match(await failure.innerText(), /lets the page keep no files.*Open the page over https/s);
  await page.keyboard.press("Escape");
  await slide(page, "tilt", -80);
}

test("over plain http, where browsers offer no storage, the editor works and says so", async () => {
  const site = await host(weights.first);
  await fakeConversion(site.folder);
  const lan = await launch(["--host-resolver-rules=MAP lan.test 127.0.0.1"]);
  const { page, problems, context } = await visit(lan, site.url.replace("localhost", "lan.test"));
  assert.equal(await page.evaluate(() => isSecureContext), false);
  await worksWithoutStorage(page);
  assert.deepEqual(
    problems.filter((problem) => problem.startsWith("uncaught")),
    [],
  );
  await context.close();
  await lan.close();
  await site.remove();
});

test("where every kind of storage throws, the editor works and says so", async () => {
  const site = await host(weights.first);
  await fakeConversion(site.folder);
  const refuse = `{
  const get = () => { throw new DOMException("The operation is insecure.", "SecurityError"); };
  const refuse = (object, names) => names.forEach((name) => Object.defineProperty(object, name, { get, configurable: true }));
  refuse(globalThis, ["caches", "localStorage", "sessionStorage", "indexedDB"]);
  refuse(navigator, ["storage", "serviceWorker", "locks"]);
}
`;
  const scripts = path.join(site.folder, "workers");
  for (const name of await readdir(scripts)) {
    await writeFile(
      path.join(scripts, name),
      `import "./refuse.js";\n${await readFile(path.join(scripts, name), "utf8")}`,
    );
  }
  await writeFile(path.join(scripts, "refuse.js"), refuse);
  const { page, problems, context } = await visit(browser, "about:blank");
  await context.addInitScript(refuse);
  await page.goto(site.url);
  await worksWithoutStorage(page);
  assert.deepEqual(
    problems.filter((problem) => problem.startsWith("uncaught")),
    [],
  );
  await context.close();
  await site.remove();
});
