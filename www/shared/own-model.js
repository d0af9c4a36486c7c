// A model that the visitor converted from the authors' checkpoint, kept in the origin's private file system.

const FOLDER = "sdic-own-model";

/**
 * The folder of the visitor's own model.
 * @param {{ create?: boolean }} [options]
 */
export async function ownFolder({ create = false } = {}) {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle(FOLDER, { create });
}

/**
 * The contents of one of its files.
 * @param {string} name
 * @returns {Promise<File>}
 */
export async function ownFile(name) {
  return (await (await ownFolder()).getFileHandle(name)).getFile();
}

/**
 * What is kept, or undefined when there is no complete model: the manifest is written last.
 * @returns {Promise<{ title: string, bytes: number } | undefined>}
 */
export async function ownModel() {
  try {
    const { title, shards } = JSON.parse(await (await ownFile("manifest.json")).text());
    return { title, bytes: shards.reduce((/** @type {number} */ sum, /** @type {{ bytes: number }} */ { bytes }) => sum + bytes, 0) };
  } catch {
    return undefined;
  }
}

export async function removeOwnModel() {
  const root = await navigator.storage.getDirectory();
  await root.removeEntry(FOLDER, { recursive: true }).catch(() => {});
}
