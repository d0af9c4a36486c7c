// The checkpoint that a model is converted from: how it is recognised when it is chosen again, and how much room its
// model will take.

/**
 * `modified`: when the file was last changed, in milliseconds; `digest`: of its two ends; `needed`: about how many
 * bytes its model takes.
 * @typedef {{ name: string, bytes: number, modified: number, digest: string, needed: number }} SourceFile
 */

/** Bytes at either end of a file that tell it from others, together with name, size and time. */
const END_BYTES = 1 << 16;
/** Where a file tells of what type its numbers are: PyTorch puts that before the numbers. */
const HEAD_BYTES = 1 << 20;

/**
 * @param {File} file
 * @returns {Promise<SourceFile>}
 * @throws {DOMException} where the file cannot be read
 */
export async function sourceOf(file) {
  const { name, size: bytes, lastModified: modified } = file;
  const ends = await new Blob([file.slice(0, END_BYTES), file.slice(-END_BYTES)]).arrayBuffer();
  // Without a secure origin nothing is kept anyway.
  const hash = await globalThis.crypto?.subtle?.digest("SHA-256", ends);
  const digest = Array.from(new Uint8Array(hash ?? []), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { name, bytes, modified, digest, needed: await neededBytes(file) };
}

/**
 * About how many bytes a model takes: its numbers are kept in 16 bits. What else is in the file counts as if it were
 * kept, too.
 * @param {File} file
 */
async function neededBytes(file) {
  const head = new TextDecoder("latin1").decode(await file.slice(0, HEAD_BYTES).arrayBuffer());
  const halves = /HalfStorage|BFloat16Storage/.test(head) && !/FloatStorage|DoubleStorage/.test(head);
  return halves ? file.size : Math.ceil(file.size / 2);
}

/**
 * What was written of a source, if it is one.
 * @param {string} text
 * @returns {SourceFile | undefined}
 */
export function parseSource(text) {
  try {
    const { name, bytes, modified, digest, needed } = JSON.parse(text);
    const known = typeof name === "string" && typeof digest === "string";
    const sizes = [bytes, modified, needed].every((value) => Number.isFinite(value));
    return known && sizes ? { name, bytes, modified, digest, needed } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether two files are the same one, as far as can be told without reading all of them.
 * @param {SourceFile | undefined} a
 * @param {SourceFile | undefined} b
 */
export function sameFile(a, b) {
  if (!a || !b) return false;
  return a.name === b.name && a.bytes === b.bytes && a.modified === b.modified && a.digest === b.digest;
}
