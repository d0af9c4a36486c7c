// Files with directions that the visitor added, kept in this browser by the model they belong to.

const CACHE = "sdic-directions";

/** @param {string} model */
function folder(model) {
  return `/${CACHE}/${encodeURIComponent(model)}/`;
}

/**
 * @param {string} model
 * @param {string} name of the file
 */
function address(model, name) {
  return folder(model) + encodeURIComponent(name);
}

/**
 * The files kept for a model, oldest first; none where the browser forbids storage.
 * @param {string} model
 * @returns {Promise<File[]>}
 */
export async function keptFiles(model) {
  const files = [];
  try {
    const cache = await caches.open(CACHE);
    for (const request of await cache.keys()) {
      const { pathname } = new URL(request.url);
      const response = pathname.startsWith(folder(model)) && (await cache.match(request));
      if (response) files.push(new File([await response.blob()], decodeURIComponent(pathname.slice(folder(model).length))));
    }
  } catch {
    // private windows may refuse: directions then last as long as the page
  }
  return files;
}

/**
 * @param {string} model
 * @param {File} file
 */
export async function keepFile(model, file) {
  try {
    await (await caches.open(CACHE)).put(address(model, file.name), new Response(file));
  } catch {
    // as above
  }
}

/**
 * @param {string} model
 * @param {string} name of the file
 */
export async function forgetFile(model, name) {
  try {
    await (await caches.open(CACHE)).delete(address(model, name));
  } catch {
    // as above
  }
}
