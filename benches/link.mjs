// A line between a browser and a server that is as slow as that of a telephone, for all connections together. The
// browser's own means slow neither workers nor the setting up of connections.
import { connect, createServer } from "node:net";

/** Seconds of bytes that may wait in the line before the server has to. */
const MOST_WAITING = 0.25;

/**
 * @param {number} port of the server
 * @param {{ megabits: number, seconds: number, most?: number }} options per second towards the browser; there and back;
 *   bytes after which the line stands still until `letOn` lets more of them through
 * @returns {Promise<{ url: string, letOn: (most?: number) => void, close: () => Promise<void> }>}
 */
export async function slowLink(port, { megabits, seconds, most = Infinity }) {
  const rate = (megabits * 1e6) / 8;
  /** Bytes that have come from the server. */
  let come = 0;
  /** What waits behind the last byte that may pass. @type {(() => void)[]} */
  let held = [];
  const passed = (/** @type {number} */ last) =>
    new Promise((resolve) => {
      const look = () => (last <= most ? resolve(undefined) : held.push(look));
      look();
    });
  /** When the line is free again. */
  let free = 0;
  /** @type {Set<import("node:net").Socket>} */
  const open = new Set();
  const now = () => performance.now() / 1000;
  const wait = (/** @type {number} */ until) =>
    new Promise((resolve) => setTimeout(resolve, Math.max(0, 1000 * (until - now()))));
  /** Things done one after another, each at its time or later. */
  const queue = () => {
    let last = Promise.resolve();
    return (/** @type {number} */ at, /** @type {() => void} */ run, byte = 0) => {
      last = last
        .then(() => wait(at))
        .then(() => passed(byte))
        .then(run);
    };
  };
  const line = createServer((browser) => {
    const server = connect(port, "127.0.0.1");
    for (const socket of [browser, server]) {
      open.add(socket);
      socket.setNoDelay();
      socket.on("error", () => socket.destroy());
      socket.on("close", () => open.delete(socket));
    }
    const [up, down] = [queue(), queue()];
    // Two ways there and back before the first request: to connect, and for TLS.
    const ready = now() + 2 * seconds;
    browser.on("data", (bytes) => up(Math.max(ready, now()) + seconds / 2, () => server.write(bytes)));
    browser.on("close", () => server.destroy());
    server.on("data", (bytes) => {
      free = Math.max(free, now()) + bytes.length / rate;
      come += bytes.length;
      down(free + seconds / 2, () => browser.write(bytes), come);
      if (free - now() < MOST_WAITING) return;
      server.pause();
      void wait(free - MOST_WAITING).then(() => server.resume());
    });
    server.on("end", () => down(free + seconds / 2, () => browser.end()));
  });
  await new Promise((resolve) => line.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port: ours } = /** @type {import("node:net").AddressInfo} */ (line.address());
  return {
    url: `http://localhost:${ours}/`,
    letOn(more = Infinity) {
      most = more;
      const waiting = held;
      held = [];
      for (const look of waiting) look();
    },
    close: () =>
      new Promise((resolve) => {
        line.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}
