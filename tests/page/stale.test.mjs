// Workers know photos, crops, inversions and edits by their ids alone: what they do not hold they refuse by name, and
// nothing in them is "the present one".
import assert from "node:assert/strict";
import { test } from "node:test";
import * as pictures from "./pictures.mjs";
import { shared, visit, weightsLike } from "./support.mjs";

const here = shared(() => weightsLike("tests/golden/tiny"));

test("workers refuse what they do not hold, and answer for what they hold, whatever came after it", async () => {
  // No page of ours is open: the test alone has the workers.
  const { page, context } = await visit(here.browser, `${here.site.url}notices.txt`);
  const [wide, high] = [pictures.gradient(90, 60), pictures.gradient(40, 80)].map((bytes) => [...bytes]);
  const found = await page.evaluate(
    async ({ wide, high }) => {
      const { Remote, RemoteWorker } = await import(new URL("shared/rpc.js", location.href).href);
      const [photos, engine] = ["photo", "engine"].map(
        (name) => new RemoteWorker(new URL(`workers/${name}.js`, location.href)),
      );
      const { port1, port2 } = new MessageChannel();
      photos.link(port1);
      const supply = new Remote(port2);
      const codeOf = (/** @type {any} */ worker, /** @type {string} */ method, /** @type {unknown[]} */ args) =>
        worker.call(method, args).then(
          () => "answered",
          (/** @type {{ code: string }} */ { code }) => code,
        );
      const quad = [
        [10, 10],
        [10, 40],
        [40, 40],
        [40, 10],
      ];
      const look = { mode: "face", side: 32 };
      const png = { type: "image/png", quality: 1 };
      const layer = [{ crop: "crop", edit: "edit" }];
      const face = { width: 32, height: 32, data: new Uint8ClampedArray(32 * 32 * 4).fill(200) };
      const edited = () => ({ edited: face, unedited: face, motion: undefined });
      /** @type {[any, string, unknown[]][]} */
      const ofPhoto = [
        [photos, "turn", ["photo", "turned"]],
        [photos, "faces", ["photo"]],
        [photos, "preview", ["photo", quad, 32]],
        [photos, "crop", ["photo", "crop", quad, undefined]],
      ];
      /** @type {[any, string, unknown[]][]} */
      const ofCrop = [
        [photos, "original", ["crop", 32]],
        [photos, "retouch", ["crop", "edit", look]],
        [photos, "paste", [layer, "face"]],
        [photos, "save", [layer, "photo", look, png]],
        [supply, "face", ["crop", 32]],
        [supply, "take", ["crop", "edit", edited()]],
      ];
      const ofEdit = ofCrop.slice(1, 4);
      const ask = async (/** @type {[any, string, unknown[]][]} */ calls) => {
        const answers = [];
        for (const [worker, method, args] of calls) answers.push(await codeOf(worker, method, args));
        return answers;
      };
      const open = (/** @type {string} */ id, /** @type {number[]} */ bytes) =>
        photos.call("open", [id, new Blob([Uint8Array.from(bytes)])]);

      const unknown = [...(await ask(ofPhoto)), ...(await ask(ofCrop))];
      await open("photo", wide);
      await photos.call("crop", ["photo", "crop", quad, undefined]);
      const unmade = await ask(ofEdit);
      await supply.call("take", ["crop", "edit", edited()]);
      await open("another", high);
      const sizeOf = async (/** @type {string} */ id) => {
        const { width, height } = await photos.call("turn", [id, `${id} turned`]);
        return [width, height];
      };
      const sizes = [await sizeOf("photo"), await sizeOf("another")];
      const pasted = await photos.call("paste", [layer, "face"]);
      sizes.push([pasted.width, pasted.height]);
      const made = await ask(ofEdit);
      await supply.call("take", ["crop", "newer", edited()]);
      const overtaken = await ask(ofEdit);
      await photos.call("release", ["photo"]);
      const released = [...(await ask(ofPhoto)), ...(await ask(ofCrop))];
      const other = await codeOf(photos, "preview", ["another", quad, 32]);

      const early = await codeOf(engine, "view", ["inversion", "reconstruction"]);
      await engine.call("start", ["cpu"]);
      const { inputSize } = await engine.call("load", [{ folder: new URL("weights/", location.href).href }]);
      const { port1: toPhotos, port2: toEngine } = new MessageChannel();
      engine.link(toPhotos);
      photos.link(toEngine);
      const edit = (/** @type {number} */ tilt) => codeOf(engine, "edit", ["inversion", "edit", { tilt }, undefined]);
      const view = () => codeOf(engine, "view", ["inversion", "reconstruction"]);
      const invert = (/** @type {string} */ crop) => codeOf(engine, "invert", ["inversion", crop, inputSize]);
      const none = [await view(), await edit(0), await edit(1), await invert("crop")];
      await photos.call("crop", ["another", "third", quad, undefined]);
      const held = [await invert("third"), await view(), await edit(1)];
      await photos.call("release", ["third"]);
      const cropless = [await view(), await edit(1)];
      await engine.call("release", ["inversion"]);
      const gone = [await view(), await edit(0)];
      return { unknown, unmade, sizes, made, overtaken, released, other, early, none, held, cropless, gone };
    },
    { wide, high },
  );
  const stale = (/** @type {string} */ what, /** @type {number} */ times) => Array(times).fill(`stale-${what}`);
  assert.deepEqual(found, {
    unknown: [...stale("photo", 4), ...stale("crop", 6)],
    unmade: stale("edit", 3),
    sizes: [
      [60, 90],
      [80, 40],
      [90, 60],
    ],
    made: Array(3).fill("answered"),
    overtaken: stale("edit", 3),
    released: [...stale("photo", 4), ...stale("crop", 6)],
    other: "answered",
    early: "stale-inversion",
    none: [...stale("inversion", 3), "stale-crop"],
    held: Array(3).fill("answered"),
    cropless: ["answered", "stale-crop"],
    gone: stale("inversion", 2),
  });
  await context.close();
});
