// Files in the origin's private file system, as workers read and write them.
import { Failure } from "../shared/failure.js";
import { say } from "../shared/say.js";

/**
 * @param {FileSystemDirectoryHandle} folder
 * @param {string} name
 * @param {Uint8Array} bytes
 */
export async function writeFile(folder, name, bytes) {
  const file = await folder.getFileHandle(name, { create: true });
  const access = await file.createSyncAccessHandle();
  try {
    access.truncate(0);
    const written = access.write(/** @type {Uint8Array<ArrayBuffer>} */ (bytes));
    if (written < bytes.length) throw new DOMException("the file was cut short", "QuotaExceededError");
    access.flush();
  } finally {
    access.close();
  }
}

/**
 * What is in a file; undefined if there is none.
 * @param {FileSystemDirectoryHandle} folder
 * @param {string} name
 */
export async function readFile(folder, name) {
  const file = await folder.getFileHandle(name).catch(() => undefined);
  return file && new Uint8Array(await (await file.getFile()).arrayBuffer());
}

/**
 * Whether a file holds just these bytes.
 * @param {FileSystemDirectoryHandle} folder
 * @param {string} name
 * @param {Uint8Array} bytes
 */
export async function holds(folder, name, bytes) {
  const handle = await folder.getFileHandle(name).catch(() => undefined);
  const file = await handle?.getFile();
  if (file?.size !== bytes.length) return false;
  const kept = new Uint8Array(await file.arrayBuffer());
  // A loop: shards have millions of bytes, and a function for each takes its time.
  for (let i = 0; i < bytes.length; i++) if (kept[i] !== bytes[i]) return false;
  return true;
}

/**
 * What a browser says of its storage, as a Failure; anything else as it is.
 * @param {unknown} thrown
 */
export function storageFailure(thrown) {
  if (!(thrown instanceof DOMException)) return thrown;
  const full = thrown.name === "QuotaExceededError";
  const message = say(full ? "error.noSpace" : "error.noStorage");
  const hint = say(full ? "hint.noSpace" : "hint.noStorage");
  return new Failure({ code: full ? "no-space" : "no-storage", message, hint, detail: full ? "" : thrown.message });
}
