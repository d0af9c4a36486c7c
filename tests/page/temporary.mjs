// Folders for a while: whatever becomes of a test, nothing is left of them when its process ends.
import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

/** @type {Set<string>} */
const folders = new Set();

process.on("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
// What a signal ends would leave without that event.
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]))
  process.once(signal, () => process.exit(1));

/**
 * A new, empty folder.
 * @param {string} name what it is for
 */
export async function temporary(name) {
  const folder = await mkdtemp(path.join(tmpdir(), `sdic-${name}-`));
  folders.add(folder);
  return folder;
}

/**
 * Removes a folder before the process ends.
 * @param {string} folder
 */
export async function discard(folder) {
  await rm(folder, { recursive: true });
  folders.delete(folder);
}
