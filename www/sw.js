// Keeps the page for offline use, and serves it with the page's policy whatever its host sends.
//
// Each version of the page has a cache of its own, filled when it is installed: every file has the hash that the build
// wrote into shell.js, or the version is not kept at all. Pages opened from then on are of the new version; the active
// service worker serves it, though its own version is another, and is replaced when no page is open. Every page, and
// every worker of it, goes on being served the version that it began with, and a version is forgotten when no page of
// it is open. Shards are not this file's business: the engine's worker keeps those.
//
// `workbox-precaching` checks hashes and copies redirected responses as this does. It has one cache for all versions,
// served to all pages, and adds no headers: a page that is open would be given workers of another version, and
// threads and privacy would be left to the host. What would be left for it to do is the function `verified`.

importScripts("./shell.js");

/** @typedef {Record<string, string>} Hashes of files by name, as `integrity` takes them */
/** @typedef {{ files: Hashes, onUse: Hashes }} Listed `onUse`: kept when first asked for */
/** @typedef {{ version: string, page: string, at: number }} Origin what a client runs, the page it belongs to, since when */

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
/** @typedef {{ probe: number[], builds: { plain: string, fused: string } }} Fused see shared/fused.js */
/** @type {{ version: string, headers: Record<string, string>, fused: Fused } & Listed} */
const { version, headers, fused, ...listed } = /** @type {any} */ (self).SHELL;
const scope = new URL("./", worker.location.href);

// Names hold the path, so that copies of the page on one origin keep apart; see shared/cache.js.
const ownName = (/** @type {string} */ what) => `sdic ${scope.pathname} ${what}`;
const SHELLS = ownName("shell ");
const CLIENTS = ownName("clients");
/** Where the cache of clients says which version was installed last. */
const NEWEST = new URL("newest", scope).href;
/** Caches of releases before that named them without the path. */
const OLD_SHELLS = "sdic-shell-";
/** For so long after a client was noted it may not be known to the browser yet. */
const GRACE_MS = 60_000;

// Of the two builds of the engine this browser uses one, and need not load the other.
const { plain, fused: better } = fused.builds;
const unused = WebAssembly.validate(Uint8Array.from(fused.probe)) ? plain : better;
listed.onUse[unused] = listed.files[unused];
delete listed.files[unused];

/** @param {string} file */
const address = (file) => new URL(file, scope).href;

worker.addEventListener("install", (event) => {
  event.waitUntil(
    alone(async () => {
      if (!(await whole(version))) await fill();
      await (await caches.open(CLIENTS)).put(NEWEST, new Response(version));
    }),
  );
});

worker.addEventListener("activate", (event) => event.waitUntil(forgetUnused()));

worker.addEventListener("message", (event) => {
  if (event.data === "take over") return void event.waitUntil(worker.skipWaiting()); // from a page of a release before
  const [port] = event.ports;
  event.waitUntil(
    (async () => {
      // A first visit came from the network: its page is ours only if it is of a version kept here.
      const { id } = /** @type {Client} */ (event.source);
      const { version: theirs, used = [] } = /** @type {{ version: string, used?: string[] }} */ (event.data);
      const next = await newest();
      for (const which of new Set([theirs, next])) if (which && (await whole(which))) await keepUsed(which, used);
      if (await whole(theirs)) {
        await note(id, { version: theirs, page: id, at: Date.now() });
        await worker.clients.claim();
      }
      port.postMessage({ version: next ?? version });
      await forgetUnused();
    })(),
  );
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== scope.origin || !url.pathname.startsWith(scope.pathname)) return;
  // Who calls `fetch` like this wants what the host has now.
  if (request.destination === "" && ["no-store", "reload"].includes(request.cache)) return;
  const file = url.pathname.slice(scope.pathname.length) || "index.html";
  event.respondWith(request.mode === "navigate" ? open(event, file) : serve(event, file));
});

/**
 * Answers a navigation: with the newest version, if it is the page that is asked for.
 * @param {FetchEvent} event
 * @param {string} file
 */
async function open(event, file) {
  if (file !== "index.html") return fetch(event.request);
  const which = await newest();
  const response = which && (await kept(which, file));
  if (!response) {
    event.waitUntil(alone(fill).catch(() => {})); // the browser has thrown files out
    return shielded(await fetch(event.request));
  }
  const page = event.resultingClientId;
  if (page) event.waitUntil(note(page, { version: which, page, at: Date.now() }));
  return response;
}

/**
 * Answers any other request, by the version of the page that makes it.
 * @param {FetchEvent} event
 * @param {string} file
 */
async function serve(event, file) {
  const { request, clientId, resultingClientId } = event;
  const origin = await (clientId ? origins(clientId) : originOfNameless(file));
  if (origin === "unclear") return Response.error();
  const list = origin && (await listOf(origin.version));
  if (!list) {
    // A page that came from the network, and goes on with it; files of this version are better than none.
    const response = await fetch(request).catch(() => undefined);
    if (response) return file in listed.files || file in listed.onUse ? shielded(response) : response;
    return (await kept((await newest()) ?? version, file)) ?? Response.error();
  }
  if (resultingClientId) await note(resultingClientId, { ...origin, at: Date.now() });
  const integrity = list.files[file] ?? list.onUse[file];
  if (!integrity) return fetch(request);
  const hit = await kept(origin.version, file);
  if (hit) return hit;
  const response = await verified(file, integrity);
  event.waitUntil(keep(origin.version, file, response.clone()));
  return response;
}

// ---- Versions

/**
 * Fills this version's cache, or leaves none. Files that another version has too are not loaded again. What was kept of
 * another version when it was first used is used, but for engines, which are large.
 */
async function fill() {
  const names = await versions();
  const wanted = { ...listed.files };
  for (const [file, integrity] of Object.entries(listed.onUse)) {
    const hits = file.startsWith("pkg/") ? [] : await Promise.all(names.map((name) => kept(name, file)));
    if (hits.some(Boolean)) wanted[file] = integrity;
  }
  const cache = await caches.open(SHELLS + version);
  try {
    await cache.put(address("shell.json"), new Response(JSON.stringify(listed)));
    const put = async (/** @type {[string, string]} */ [file, integrity]) =>
      cache.put(address(file), (await shared(names, file, integrity)) ?? (await verified(file, integrity)));
    await Promise.all(Object.entries(wanted).map(put));
  } catch (thrown) {
    await caches.delete(SHELLS + version);
    throw thrown;
  }
}

/**
 * Keeps what a page has used already.
 * @param {string} which version
 * @param {string[]} used addresses
 */
async function keepUsed(which, used) {
  const list = await listOf(which);
  for (const url of used) {
    const file = url.slice(scope.href.length);
    const integrity = url.startsWith(scope.href) && list?.onUse[file];
    if (!integrity || (await kept(which, file))) continue;
    const response = await verified(file, integrity).catch(() => undefined);
    if (response) await keep(which, file, response);
  }
}

/**
 * A file as another version keeps it, if it is the same.
 * @param {string[]} names of versions
 * @param {string} file
 * @param {string} integrity
 */
async function shared(names, file, integrity) {
  for (const name of names) {
    const hit = name === version ? undefined : await kept(name, file);
    if (hit?.headers.get("ETag") === `"${integrity}"`) return shielded(hit, integrity);
  }
  return undefined;
}

/**
 * A file as the host has it, if it is what this version wants.
 * @param {string} file
 * @param {string} integrity
 */
async function verified(file, integrity) {
  const response = await fetch(address(file), { integrity, cache: "no-cache" });
  if (!response.ok) throw new TypeError(`${file}: status ${response.status}`);
  return shielded(response, integrity);
}

/**
 * A response with the page's policy; whether it was redirected, which navigations refuse, is forgotten on the way.
 * @param {Response} response
 * @param {string} [integrity] its hash, once that was checked
 */
function shielded(response, integrity) {
  if (response.type === "opaqueredirect" || response.type === "error") return response;
  const { status, statusText, body } = response;
  const sent = new Headers(headers);
  sent.set("Content-Type", response.headers.get("Content-Type") ?? "application/octet-stream");
  if (integrity) sent.set("ETag", `"${integrity}"`);
  return new Response(body, { status, statusText, headers: sent });
}

/** The versions kept; none where the browser refuses storage. */
async function versions() {
  const names = await caches.keys().catch(() => /** @type {string[]} */ ([]));
  return names.filter((name) => name.startsWith(SHELLS)).map((name) => name.slice(SHELLS.length));
}

/**
 * @param {string} which version
 * @param {string} file
 */
async function kept(which, file) {
  const request = new Request(address(file));
  return caches.match(request, { cacheName: SHELLS + which, ignoreVary: true }).catch(() => undefined);
}

/**
 * Keeps a file where there is room for it.
 * @param {string} which version
 * @param {string} file
 * @param {Response} response
 */
async function keep(which, file, response) {
  try {
    if (await caches.has(SHELLS + which)) await (await caches.open(SHELLS + which)).put(address(file), response);
  } catch {
    // a full disk only costs another download
  }
}

/**
 * The files of a version, if it is kept.
 * @param {string} which
 * @returns {Promise<Listed | undefined>}
 */
async function listOf(which) {
  return (await kept(which, "shell.json"))?.json();
}

/**
 * Whether every file of a version is there: browsers may throw out any.
 * @param {string} which
 */
async function whole(which) {
  try {
    const list = await listOf(which);
    if (!list) return false;
    const there = new Set((await (await caches.open(SHELLS + which)).keys()).map(({ url }) => url));
    return Object.keys(list.files).every((file) => there.has(address(file)));
  } catch {
    return false;
  }
}

/**
 * Runs what fills caches of versions, or deletes them, and nothing else of that kind at the same time: the service
 * workers of two versions are at work while one takes over from the other.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function alone(work) {
  return navigator.locks ? navigator.locks.request(ownName("versions"), work) : work();
}

/**
 * The version that was installed last, if it is all there.
 * @returns {Promise<string | undefined>}
 */
async function newest() {
  const hit = await caches.match(NEWEST, { cacheName: CLIENTS }).catch(() => undefined);
  for (const which of hit ? [await hit.text(), version] : [version]) if (await whole(which)) return which;
  return undefined;
}

/** Forgets versions that no page runs, and clients that are gone. */
function forgetUnused() {
  return alone(forgetUnusedNow);
}

async function forgetUnusedNow() {
  const pages = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const open = new Set(pages.map(({ id }) => id));
  const used = new Set([(await newest()) ?? version]);
  const cache = await caches.open(CLIENTS);
  for (const request of await cache.keys()) {
    if (request.url === NEWEST) continue;
    /** @type {Origin | undefined} */
    const origin = await (await cache.match(request))?.json();
    if (origin && (open.has(origin.page) || Date.now() - origin.at < GRACE_MS)) used.add(origin.version);
    else {
      noted.delete(request.url.slice(address("clients/").length));
      await cache.delete(request);
    }
  }
  for (const name of await versions()) if (!used.has(name)) await caches.delete(SHELLS + name);
  for (const name of await oldShells()) await caches.delete(name);
}

// ---- Clients: pages and their workers

/** @type {Map<string, Origin>} what the cache of clients holds, as far as it was asked for */
const noted = new Map();

/**
 * Notes what a client runs. This worker may be stopped between any two requests, hence the cache.
 * @param {string} id
 * @param {Origin} origin
 */
async function note(id, origin) {
  noted.set(id, origin);
  await caches
    .open(CLIENTS)
    .then((cache) => cache.put(address(`clients/${id}`), new Response(JSON.stringify(origin))))
    .catch(() => {}); // a full disk: it is known for as long as this worker runs
}

/**
 * @param {string} id
 * @returns {Promise<Origin | undefined>}
 */
async function origins(id) {
  if (noted.has(id)) return noted.get(id);
  const hit = await caches.match(address(`clients/${id}`), { cacheName: CLIENTS }).catch(() => undefined);
  /** @type {Origin | undefined} */
  const origin = await hit?.json();
  if (origin) noted.set(id, origin);
  return origin;
}

/**
 * Chromium does not say which worker asks when that was started by another worker. Such a one is given a file that all
 * open pages have in common; where they differ it is refused, and the engine does without its threads.
 * @param {string} file
 * @returns {Promise<Origin | undefined | "unclear">}
 */
async function originOfNameless(file) {
  const open = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const pages = open.filter(({ url }) => url.startsWith(scope.href));
  const [first, ...others] = await Promise.all(pages.map(({ id }) => origins(id)));
  const hash = async (/** @type {Origin | undefined} */ origin) =>
    origin && (await listOf(origin.version))?.files[file];
  const wanted = await hash(first);
  for (const other of others) {
    if (other?.version !== first?.version && (!wanted || (await hash(other)) !== wanted)) return "unclear";
  }
  return first;
}

// ---- Releases before

/** Shells of this copy that releases before have kept; others on this origin may have theirs. */
async function oldShells() {
  const found = [];
  for (const name of await caches.keys()) {
    if (!name.startsWith(OLD_SHELLS)) continue;
    if (await caches.match(address("index.html"), { cacheName: name, ignoreVary: true })) found.push(name);
  }
  return found;
}
