// The order of the page's house: who imports from whom, and that the name of a class or type means one thing.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const www = fileURLToPath(new URL("../../www/", import.meta.url));

/** What each folder may import from, besides itself. The engine's bindings, `pkg`, are built before the page is. */
const ROOMS = /** @type {Record<string, string[]>} */ ({
  shared: [],
  workers: ["shared", "pkg"],
  app: ["shared"],
  package: ["shared"],
});

/**
 * Imports that go beyond that, and why. What is started or fetched by its address is no import.
 * @type {Record<string, string>}
 */
const EXCEPTIONS = {
  "shared/types.js -> pkg/cpu/sdic.js": "the types of the bindings alone, under the page's names",
  "package/core.js -> app/link.js": "the package joins the two workers as the page does",
  "package/core.js -> app/photos.js": "it holds the photo's worker by the page's facade",
  "package/face.js -> app/photos.js": "the type of that facade's photos",
  "package/photo.js -> app/photos.js": "the same",
  "package/element.js -> app/edit-scheduler.js": "the element moves with its sliders as the page does",
  "package/element-view.js -> app/dom.js": "the element draws as the page does",
  "package/element-view.js -> app/ui/slider-panel.js": "the element has the page's slider panel",
};

/** Names that stand in several files because one hands them on. */
const HANDED_ON = /@typedef \{import\("[^"]+"\)\.(\w+)\} \1\b/g;

const names = (await readdir(www, { recursive: true }))
  .map((name) => name.split(path.sep).join("/"))
  .filter((name) => name.endsWith(".js") && name.split("/")[0] in ROOMS)
  .sort();
const files = new Map(
  await Promise.all(
    names.map(async (name) => /** @type {[string, string]} */ ([name, await readFile(path.join(www, name), "utf8")])),
  ),
);

/**
 * The files that a file imports from, for types, too.
 * @param {string} name
 * @param {string} text
 */
function imports(name, text) {
  const found = text.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)"(\.[^"]+)"/g);
  return [...new Set([...found].map(([, specifier]) => path.posix.join(path.posix.dirname(name), specifier)))];
}

/**
 * The names of the classes and types that a file declares.
 * @param {string} text
 */
function declared(text) {
  const own = text.replace(HANDED_ON, "");
  const classes = [...own.matchAll(/^(?:export )?(?:default )?class (\w+)/gm)].map(([, name]) => name);
  const types = [...own.matchAll(/@typedef \{/g)].map(({ index }) => {
    let at = index + "@typedef ".length;
    let depth = 0;
    do {
      if (own[at] === "{") depth += 1;
      if (own[at] === "}") depth -= 1;
      at += 1;
    } while (depth > 0);
    return /^[\s*]*(\w+)/.exec(own.slice(at))?.[1] ?? assert.fail("a type without a name");
  });
  return [...classes, ...types];
}

test("a folder of the page imports from those alone that it may know", () => {
  const beyond = [...files].flatMap(([name, text]) => {
    const room = name.split("/")[0];
    const others = imports(name, text).filter((target) => {
      const other = target.split("/")[0];
      return other !== room && !ROOMS[room].includes(other);
    });
    return others.map((other) => `${name} -> ${other}`);
  });
  assert.deepEqual(beyond.sort(), Object.keys(EXCEPTIONS).sort());
});

test("the name of a class or type of the page means one thing", () => {
  /** @type {Map<string, string[]>} */
  const where = new Map();
  for (const [file, text] of files) {
    for (const name of declared(text)) where.set(name, [...(where.get(name) ?? []), file]);
  }
  assert.ok(where.has("Session") && where.has("Saying"), "classes and types are found");
  assert.deepEqual(
    [...where].filter(([, places]) => places.length > 1),
    [],
  );
});
