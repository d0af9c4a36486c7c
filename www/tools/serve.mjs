// A small static server for the built page, with the headers that a host should send. Tests make it a lesser host.
//
//   node serve.mjs FOLDER [--port 8080] [--compiling LOG]
//
// LOG is what cargo says while it compiles the engine for WebGPU: the page asks how far that is.
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createGzip } from "node:zlib";
import { CACHING, ISOLATION, PRIVACY } from "./policy.mjs";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".webp": "image/webp",
  ".md": "text/markdown; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
};

/** Files that hosts pack on the way. */
const PACKED = /\.(html|js|css|json|webmanifest|wasm|svg|md|txt)$/;

/**
 * What a request gets of a file with `size` bytes: all of it, or what follows a byte.
 * @param {string | undefined} range header
 * @param {number} size
 */
function portion(range, size) {
  const [, from] = /^bytes=(\d+)-$/.exec(range ?? "") ?? [];
  const start = Number(from ?? 0);
  if (from === undefined) return { status: 200, start, headers: { "Content-Length": size } };
  if (start >= size) return { status: 416, start, headers: { "Content-Range": `bytes */${size}` } };
  const headers = { "Content-Length": size - start, "Content-Range": `bytes ${start}-${size - 1}/${size}` };
  return { status: 206, start, headers };
}

/**
 * How far cargo is, by the last that its progress bar showed: so many of how many parts.
 * @param {string} log
 */
export function compiled(log) {
  const [, done, total] = [...log.matchAll(/(\d+)\/(\d+):/g)].at(-1) ?? [];
  return { done: Number(done ?? 0), total: Number(total ?? 0) };
}

/**
 * The file that a request path names, or undefined when it leads outside `root` or cannot be a path at all.
 * @param {string} root absolute path of the folder served
 * @param {string} url path and query of the request
 */
function locate(root, url) {
  let name;
  try {
    name = decodeURIComponent(url.split(/[?#]/, 1)[0]);
  } catch {
    return undefined;
  }
  if (name.includes("\0") || name.split("/").some((part) => part.startsWith("."))) return undefined;
  const file = path.join(root, name.endsWith("/") ? `${name}index.html` : name);
  return file.startsWith(root + path.sep) ? file : undefined;
}

/**
 * Starts serving `folder` on the loopback address.
 * @param {string} folder
 * @param {{
 *   port?: number, isolated?: boolean, bare?: boolean, tidy?: boolean, gzip?: boolean, compiling?: string
 * }} [options] port 0 takes any free one;
 *   not `isolated` leaves out the headers that allow shared memory, as many hosts do; `bare` leaves out all, as others
 *   do; `tidy` sends `/index.html` on to `/`, as yet others do;
 *   `compiling` names what cargo says while an engine is compiled
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function serve(
  folder,
  { port = 0, isolated = true, bare = false, tidy = false, gzip = false, compiling } = {},
) {
  const root = path.resolve(folder);
  const always = bare ? {} : { ...PRIVACY, ...(isolated ? ISOLATION : {}) };
  const server = createServer(async (request, response) => {
    const plain = (/** @type {number} */ status, /** @type {string} */ text) =>
      response.writeHead(status, { ...always, "Content-Type": TYPES[".txt"] }).end(`${text}\n`);
    if (request.method !== "GET" && request.method !== "HEAD") return plain(405, "only GET and HEAD");
    const url = request.url ?? "/";
    if (tidy && /\/index\.html(\?|$)/.test(url)) {
      return response.writeHead(308, { ...always, Location: url.replace("index.html", "") }).end();
    }
    if (compiling && url === "/compiling.json") {
      const told = compiled(await readFile(compiling, "utf8").catch(() => ""));
      return response
        .writeHead(200, { ...always, "Content-Type": TYPES[".json"], "Cache-Control": "no-store" })
        .end(JSON.stringify(told));
    }
    const file = locate(root, url);
    const info = file ? await stat(file).catch(() => undefined) : undefined;
    if (!file || !info?.isFile()) return plain(404, "not found");
    const etag = `"${info.size.toString(36)}-${info.mtimeMs.toString(36)}"`;
    const headers = { ...always, ...CACHING, ETag: etag };
    if (request.headers["if-none-match"] === etag) return response.writeHead(304, headers).end();
    const type = TYPES[/** @type {keyof typeof TYPES} */ (path.extname(file))] ?? "application/octet-stream";
    const { status, start, headers: about } = portion(request.headers.range, info.size);
    const packed = gzip && status === 200 && PACKED.test(file);
    const encoding = packed ? { "Content-Encoding": "gzip" } : about;
    response.writeHead(status, { ...headers, "Content-Type": type, "Accept-Ranges": "bytes", ...encoding });
    if (request.method === "HEAD" || status === 416) return response.end();
    const bytes = createReadStream(file, { start }).on("error", () => response.destroy());
    (packed ? bytes.pipe(createGzip()) : bytes).pipe(response);
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(undefined));
  });
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://localhost:${address.port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    options: { port: { type: "string", default: "8080" }, compiling: { type: "string" } },
    allowPositionals: true,
  });
  const port = Number(values.port);
  try {
    const { url } = await serve(positionals[0] ?? "dist", { port, compiling: values.compiling });
    console.log(`SDIC is ready at ${url}  (Ctrl+C stops it)`);
  } catch (error) {
    const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
    console.error(code === "EADDRINUSE" ? `port ${port} is taken: choose another with PORT=8081 ./build.sh` : message);
    process.exit(1);
  }
}
