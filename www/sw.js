// Keeps the page for offline use: the shell when it is installed, the large engine when it is first used.
// Shards are not its business: the engine's worker keeps those, verified.

importScripts("./shell.js");

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
/** @type {{ version: string, files: string[] }} files of this version, as written by the build */
const { version, files } = /** @type {any} */ (self).SHELL;
const CACHE = `sdic-shell-${version}`;
const scope = new URL("./", worker.location.href);
const known = new Set(files.map((file) => new URL(file, scope).pathname));

worker.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(CACHE).then((cache) => cache.addAll(files.map((file) => new Request(file, { cache: "no-cache" })))),
  );
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name.startsWith("sdic-shell-") && name !== CACHE) await caches.delete(name);
      await worker.clients.claim();
    })(),
  );
});

worker.addEventListener("message", ({ data }) => {
  if (data === "take over") worker.skipWaiting();
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== scope.origin) return;
  const page = request.mode === "navigate" && pathname === scope.pathname;
  if (page) event.respondWith(kept(new Request(new URL("index.html", scope))));
  else if (known.has(pathname)) event.respondWith(kept(request));
  else if (pathname.startsWith(`${scope.pathname}pkg/webgpu/`)) event.respondWith(keepOnUse(request));
});

/** @param {Request} request */
async function kept(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request, { ignoreVary: true })) ?? fetch(request);
}

/** @param {Request} request */
async function keepOnUse(request) {
  const cache = await caches.open(CACHE);
  const hit = await cache.match(request, { ignoreVary: true });
  if (hit) return hit;
  const response = await fetch(request);
  if (response.ok) await cache.put(request, response.clone());
  return response;
}
