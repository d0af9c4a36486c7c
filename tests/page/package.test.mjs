// The npm package, as `npm pack` makes it: installed into a plain page and into an application that Vite bundles.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { access, mkdtemp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { pack } from "../../www/tools/pack.mjs";
import { serve } from "../../www/tools/serve.mjs";
import { until } from "./drivers/driver.mjs";
import { testIn } from "./drivers/each.mjs";
import { exampleApps, pixelsOf } from "./package-apps.mjs";
import { accessible, difference, launch, PATIENCE, root, visit } from "./support.mjs";
import { discard, temporary } from "./temporary.mjs";

/** @import { Page } from "playwright-core" */

const run = promisify(execFile);
const PHOTO = path.join(root, "weights/samples/02.webp");
/** Says in a file that a model has edited the picture. */
const MARK = "compositeWithTrainedAlgorithmicMedia";

/** @type {string} */
let folder;
/** @type {string} */
let tarball;
/** @type {{ plain: string, vite: string }} */
let apps;
/** @type {{ url: string, close: () => Promise<void> }[]} */
const servers = [];
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  folder = await temporary("package");
  tarball = await pack(path.join(folder, "made"));
  const [plain, built] = await exampleApps(folder, tarball);
  servers.push(await serve(plain, { isolated: false }), await serve(built));
  apps = { plain: servers[0].url, vite: servers[1].url };
  browser = await launch();
});

after(async () => {
  await browser?.close();
  for (const server of servers) await server.close();
  await discard(folder);
});

/**
 * Waits until the output of the plain page begins with a text.
 * @param {Page} page
 * @param {string} text
 */
async function hears(page, text) {
  const begins = (/** @type {string} */ text) => document.getElementById("told")?.textContent?.startsWith(text);
  await page.waitForFunction(begins, text, { timeout: PATIENCE });
}

/**
 * Waits until the status of the bundled application begins with a text.
 * @param {Page} page
 * @param {string} text
 */
async function says(page, text) {
  const begins = (/** @type {string} */ text) => document.getElementById("status")?.textContent?.startsWith(text);
  await page.waitForFunction(begins, text, { timeout: PATIENCE });
}

const EDITED = "sdic-editor [part~=picture]:first-of-type";

test("the tarball holds what the entries need, with types and terms, and no model", async () => {
  const { stdout } = await run("tar", ["-tzf", tarball]);
  const names = stdout.split("\n").map((name) => name.replace("package/", ""));
  for (const name of ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "notices/crates.txt", "weights/face/NOTICE"])
    assert.ok(names.includes(name), name);
  const { exports } = JSON.parse(await readFile(path.join(folder, "made/package.json"), "utf8"));
  for (const entry of [exports["."], exports["./element"]])
    for (const file of Object.values(entry)) await access(path.join(folder, "made", String(file)));
  for (const name of ["weights/manifest.json", "app/main.js", "app/session.js", "shared/engine.d.ts", ".sdic-package"])
    assert.ok(!names.includes(name), name);
});

test("a folder that was not made by the packager is left alone", async () => {
  const other = await mkdtemp(path.join(folder, "other-"));
  await writeFile(path.join(other, "thesis.txt"), "years of work");
  await assert.rejects(pack(other), /holds files that were not put there by pack\.mjs/);
  assert.equal(await readFile(path.join(other, "thesis.txt"), "utf8"), "years of work");
});

test("the types of the package are those that an application in TypeScript is checked by", async () => {
  const app = path.join(folder, "vite");
  const compiler = path.join(root, "www/node_modules/.bin/tsc");
  const options = [
    "--noEmit",
    "--strict",
    "--target",
    "es2022",
    "--module",
    "esnext",
    "--moduleResolution",
    "bundler",
  ];
  const libs = ["--lib", "es2022,dom,dom.iterable", "--types", ""];
  await run(compiler, [...options, ...libs, "main.ts"], { cwd: app });
  const misuse = `import "sdic/element";
import { loadEngine } from "sdic";
const editor = document.createElement("sdic-editor");
const file: Blob = await editor.render({ type: "image/webp" });
// @ts-expect-error: there is no such backend
await loadEngine({ backend: "cuda" });
// @ts-expect-error: strengths are numbers
editor.strengths = { smile: "much" };
export { file };
`;
  await writeFile(path.join(app, "misuse.ts"), misuse);
  await run(compiler, [...options, ...libs, "misuse.ts"], { cwd: app });
});

test("the element opens a photo, edits it by keyboard, shows the original, and saves all of it", async () => {
  const { context, page, problems } = await visit(browser, apps.plain);
  await hears(page, "sliders {}");
  await accessible(page, "the element with a face");
  const plain = await pixelsOf(page, EDITED);
  await page.locator('sdic-editor [id="slider-age"]').press("End");
  await hears(page, 'sliders {"age":2.5}');
  const moved = difference(plain, await pixelsOf(page, EDITED));
  assert.ok(moved > 1, `a slider changes the picture: ${moved}`);

  const original = page.getByRole("button", { name: "Original" });
  await original.press("Enter");
  assert.equal(await original.getAttribute("aria-pressed"), "true");
  await page.getByRole("img", { name: "Picture: Original" }).waitFor();
  await original.press("Enter");
  await page.getByRole("img", { name: "Picture: Edited" }).waitFor();

  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save" }).press("Enter");
  const saved = await download;
  assert.equal(saved.suggestedFilename(), "02-edited.png");
  const file = await readFile(await saved.path());
  assert.ok(file.includes(MARK), "the file says that it was edited");
  const { width, height } = await page.evaluate(() => {
    const { photo } = /** @type {any} */ (document.querySelector("sdic-editor"));
    return { width: photo.width, height: photo.height };
  });
  assert.deepEqual([file.readUInt32BE(16), file.readUInt32BE(20)], [width, height]);

  await page.getByRole("button", { name: "Reset all" }).press("Enter");
  await hears(page, "sliders {}");
  assert.equal(difference(plain, await pixelsOf(page, EDITED)), 0);
  assert.deepEqual(problems, []);
  await context.close();
});

/** The chapter of the element: names in the first column of the table whose head begins so. */
async function documented(/** @type {string} */ head) {
  const readme = await readFile(path.join(root, "www/package/README.md"), "utf8");
  const [, , table] =
    readme.slice(readme.indexOf("## The element")).match(`(^|\n)\\| ${head}[^\n]*\n((?:\\|[^\n]*\n)+)`) ?? [];
  assert.ok(table, `README has a table of each ${head}`);
  const cells = table.split("\n").map((row) => row.split("|")[1] ?? "");
  return cells.flatMap((cell) => Array.from(cell.matchAll(/`([\w-]+)/g), ([, name]) => name)).sort();
}

test("all that README tells of the element is there, and nothing that it does not tell", async () => {
  // Tells what the element says and asks for, before any script of the page runs.
  const listen = () => {
    const told = { events: /** @type {string[]} */ ([]), attributes: /** @type {string[]} */ ([]) };
    const dispatch = EventTarget.prototype.dispatchEvent;
    EventTarget.prototype.dispatchEvent = function (event) {
      if (/** @type {Element} */ (this).localName === "sdic-editor") {
        const { detail } = /** @type {CustomEvent} */ (event);
        const keys = detail instanceof Error ? "a Failure" : Object.keys(detail).join();
        told.events.push(`${event.type}: ${keys}${event.bubbles ? "" : ", silent"}`);
      }
      return dispatch.call(this, event);
    };
    for (const name of /** @type {const} */ (["getAttribute", "hasAttribute"])) {
      const ask = /** @type {(name: string) => any} */ (Element.prototype[name]);
      Element.prototype[name] = function (/** @type {string} */ asked) {
        if (this.localName === "sdic-editor") told.attributes.push(asked);
        return ask.call(this, asked);
      };
    }
    Object.assign(globalThis, { told });
  };
  const { context, page } = await visit(browser, apps.plain, { script: `(${listen})()` });
  await hears(page, "sliders {}");
  const editor = page.locator("sdic-editor");
  await editor.evaluate(async (element) => {
    element.setAttribute("lang", "en");
    element.replaceWith(element);
    const canvas = new OffscreenCanvas(1200, 600);
    const drawing = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const bitmap = await createImageBitmap(await (await fetch("weights/samples/01.webp")).blob());
    for (const x of [0, 600]) drawing.drawImage(bitmap, x, 0, 600, 600);
    await /** @type {any} */ (element).open(canvas, { name: "couple.png" });
  });
  await page.getByRole("button", { name: "Face 2 of 2" }).waitFor();

  const partsOf = () =>
    editor.evaluate(({ shadowRoot }) => {
      const parts = [...(shadowRoot?.querySelectorAll("[part]") ?? [])];
      return parts.flatMap(({ part }) => [...part]);
    });
  const parts = new Set(await partsOf());
  await editor.evaluate((element) => element.setAttribute("model", "nowhere"));
  await hears(page, "network: ");
  for (const part of await partsOf()) parts.add(part);
  assert.deepEqual([...parts].sort(), await documented("part,"));

  const { events, attributes } = await page.evaluate(() => /** @type {any} */ (globalThis).told);
  const details = {
    ready: "engine",
    progress: "stage,done,total",
    change: "strengths,face",
    failure: "a Failure",
  };
  assert.deepEqual(Object.keys(details).sort(), await documented("event,"));
  assert.deepEqual(
    [...new Set(events)].sort(),
    Object.entries(details)
      .map(([type, keys]) => `${type}: ${keys}`)
      .sort(),
  );
  assert.deepEqual([...new Set(attributes)].sort(), await documented("attribute"));
  const members = await editor.evaluate((element) => Object.getOwnPropertyNames(Object.getPrototypeOf(element)));
  const own = members.filter((name) => !/^constructor$|Callback$|^speak$/.test(name));
  assert.deepEqual(own.sort(), await documented("property,"));
  await context.close();
});

test("each custom property of README changes what it says, and there is no other", async () => {
  const { context, page } = await visit(browser, apps.plain);
  await hears(page, "sliders {}");
  const properties = await documented("custom property");
  const style = await readFile(path.join(root, "www/package/element-style.js"), "utf8");
  const used = new Set(Array.from(style.matchAll(/var\((--sdic-[a-z-]+)/g), ([, name]) => name));
  assert.deepEqual([...used].sort(), properties);
  // With a failure everything that has a colour is there; a button lies below the pointer.
  await page.locator("sdic-editor").evaluate((element) => element.setAttribute("model", "nowhere"));
  await page.getByRole("button", { name: "Try again" }).hover();
  const sizes = /-(radius|padding|height)$/;
  for (const property of properties) {
    const value = property === "--sdic-font" ? "fantasy" : sizes.test(property) ? "37px" : "rgb(1, 2, 3)";
    const [without, changed] = await page.locator("sdic-editor").evaluate(
      (element, { property, value }) => {
        const having = () => {
          const all = [...(element.shadowRoot?.querySelectorAll("*") ?? [])].map((each) => getComputedStyle(each));
          const values = all.flatMap((style) => [...style].map((name) => style.getPropertyValue(name)));
          return values.filter((each) => each === value).length;
        };
        const before = having();
        /** @type {HTMLElement} */ (element).style.setProperty(property, value);
        const after = having();
        /** @type {HTMLElement} */ (element).style.removeProperty(property);
        return [before, after];
      },
      { property, value },
    );
    assert.ok(changed > without, `${property} is seen somewhere`);
  }
  await context.close();
});

test("the element tells what failed, and recovers when it is told the right address", async () => {
  const { context, page } = await visit(browser, apps.plain);
  await page.evaluate(() => document.querySelector("sdic-editor")?.setAttribute("model", "nowhere"));
  await hears(page, "network: manifest.json could not be loaded");
  await page.getByRole("alert").getByText("manifest.json could not be loaded (status 404).").waitFor();
  await accessible(page, "the element with a failure");
  await page.evaluate(() => document.querySelector("sdic-editor")?.setAttribute("model", "weights"));
  await hears(page, "sliders {}");
  assert.equal(await page.getByRole("alert").count(), 0);

  const [chooser] = await Promise.all([
    page.waitForEvent("filechooser"),
    page.getByRole("button", { name: "Choose a photo" }).click(),
  ]);
  await chooser.setFiles({ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no picture at all") });
  await hears(page, "not-a-picture: This file is not a picture");
  await page.getByRole("button", { name: "Try again" }).waitFor();

  await page.evaluate(() => {
    const editor = document.querySelector("sdic-editor");
    editor?.setAttribute("lang", "de");
    editor?.replaceWith(editor);
  });
  await page.getByRole("button", { name: "Foto auswählen" }).waitFor();
  await context.close();
});

for (const name of /** @type {const} */ (["firefox", "webkit"])) {
  testIn(name, "the element inverts a photo and edits it", async (driver) => {
    await driver.open(apps.plain);
    const told = (/** @type {string} */ text) =>
      until(
        async () => (await driver.evaluate(() => document.getElementById("told")?.textContent)) === text,
        `the element tells: ${text}`,
      );
    await told("sliders {}");
    await driver.evaluate(() => {
      const shadow = document.querySelector("sdic-editor")?.shadowRoot;
      const slider = /** @type {HTMLInputElement} */ (shadow?.querySelector('[id="slider-age"]'));
      slider.value = slider.max;
      for (const type of ["input", "change"]) slider.dispatchEvent(new Event(type, { bubbles: true }));
    });
    await told('sliders {"age":2.5}');
    assert.deepEqual(await driver.problems(), []);
  });
}

test("each of two faces keeps its sliders, and the whole photo has both edits", async () => {
  const { context, page, problems } = await visit(browser, apps.plain);
  await hears(page, "sliders {}");
  await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(1200, 760);
    const drawing = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    drawing.fillStyle = "#8fa3b5";
    drawing.fillRect(0, 0, 1200, 760);
    for (const [name, x, y, side] of /** @type {const} */ ([
      ["01", 20, 20, 720],
      ["03", 760, 180, 420],
    ])) {
      const file = await (await fetch(`weights/samples/${name}.webp`)).blob();
      drawing.drawImage(await createImageBitmap(file), x, y, side, side);
    }
    const editor = /** @type {import("../../www/package/element.js").SdicEditor} */ (
      document.querySelector("sdic-editor")
    );
    await editor.open(canvas, { name: "couple.png" });
  });
  const slider = page.locator('sdic-editor [id="slider-age"]');
  await slider.press("End");
  await hears(page, 'sliders {"age":2.5}');
  const second = page.getByRole("button", { name: "Face 2 of 2" });
  await second.press("Enter");
  await hears(page, "sliders {}");
  assert.equal(await second.getAttribute("aria-pressed"), "true");
  assert.ok(await second.evaluate((button) => button.matches(":focus")), "the button keeps the focus");
  await accessible(page, "the element with two faces");
  await slider.press("Home");
  await hears(page, 'sliders {"age":-2.5}');
  await page.getByRole("button", { name: "Face 1 of 2" }).press("Enter");
  await hears(page, 'sliders {"age":2.5}');
  const changed = await page.evaluate(async () => {
    const editor = /** @type {any} */ (document.querySelector("sdic-editor"));
    const pixels = (/** @type {ImageBitmap} */ bitmap) => {
      const drawing = /** @type {OffscreenCanvasRenderingContext2D} */ (
        new OffscreenCanvas(1200, 760).getContext("2d", { willReadFrequently: true })
      );
      drawing.drawImage(bitmap, 0, 0);
      return [drawing.getImageData(20, 20, 720, 720), drawing.getImageData(760, 180, 420, 420)];
    };
    const before = pixels(editor.photo.bitmap);
    const after = pixels(await createImageBitmap(await editor.render()));
    return before.map(({ data }, i) => data.some((value, at) => Math.abs(value - after[i].data[at]) > 20));
  });
  assert.deepEqual(changed, [true, true]);
  assert.deepEqual(problems, []);
  await context.close();
});

test("a crashed worker of photos is replaced by itself, a crashed engine when the visitor says so", async () => {
  const { context, page } = await visit(browser, apps.plain);
  await hears(page, "sliders {}");
  const crash = async (/** @type {string} */ script) => {
    const worker = page.workers().find((worker) => worker.url().endsWith(script));
    assert.ok(worker, script);
    const closed = worker.waitForEvent("close");
    await worker.evaluate(() => {
      setTimeout(() => {
        throw new Error("broken");
      });
    });
    await closed;
  };
  await crash("workers/photo.js");
  await page.locator('sdic-editor [id="slider-age"]').press("End");
  await hears(page, 'sliders {"age":2.5}');
  await crash("workers/engine.js");
  await hears(page, "crash: The engine stopped.");
  await page.getByRole("button", { name: "Try again" }).press("Enter");
  await hears(page, "sliders {}");
  await context.close();
});

test("calls reject with the reason of their signal, and with typed failures", async () => {
  const { context, page } = await visit(browser, apps.plain);
  await hears(page, "sliders {}");
  const outcomes = await page.evaluate(async () => {
    const address = "./node_modules/sdic/package/index.js";
    /** @type {typeof import("../../www/package/index.js")} */
    const { Failure, loadEngine } = await import(new URL(address, location.href).href);
    const outcome = (/** @type {Promise<unknown>} */ call) =>
      call.then(
        () => "done",
        (thrown) => (thrown instanceof Failure ? `${thrown.code}: ${thrown.message}` : thrown.name),
      );
    const giveUp = new AbortController();
    const { signal } = giveUp;
    const loading = await outcome(loadEngine({ signal, onProgress: () => giveUp.abort(), backend: "cpu" }));
    const nowhere = await outcome(loadEngine({ model: "nowhere/", backend: "cpu" }));
    const before = await outcome(loadEngine({ signal: AbortSignal.abort(new RangeError("too late")) }));

    /** @type {number[]} */
    const shares = [];
    const onProgress = (/** @type {{ loaded: number, total: number }} */ { loaded, total }) =>
      shares.push(loaded / total);
    // Without an adapter the processor takes over from the graphics card.
    const engine = await loadEngine({ backend: "webgpu", threads: 1, onProgress });
    const fallback = `${engine.info.backend} for ${engine.fallback?.code}: ${engine.fallback?.hint}`;
    const sample = await (await fetch("weights/samples/02.webp")).blob();
    const photo = await engine.open(sample);
    const stop = new AbortController();
    /** @type {string[]} */
    const stages = [];
    const stage = (/** @type {{ stage: string }} */ { stage }) => {
      stages.push(stage);
      if (stage === "generate") stop.abort();
    };
    const inverting = await outcome(photo.invert(photo.faces[0], { signal: stop.signal, onProgress: stage }));
    const face = await photo.invert();
    const edit = new AbortController();
    const editing = outcome(face.edit({ smile: 1 }, { signal: edit.signal }));
    edit.abort();
    const unknown = await outcome(face.edit({ frown: 1 }));
    // Edits that are asked for at once come one after another, and each gets its own picture.
    const sizes = await Promise.all([64, 96].map((size) => face.edit({ smile: size / 64 }, { size })));
    const bitmap = await createImageBitmap(new ImageData(64, 64));
    const blank = await engine.open(bitmap);
    const faceless = await outcome(blank.invert());
    const copy = await photo.paste();
    const jpeg = await photo.render({ type: "image/jpeg" });
    const about = { strengths: face.strengths, sliders: engine.sliders.length, drawnAt: engine.sizes };
    engine.dispose();
    const after = await outcome(face.edit({ smile: 0.5 }));
    return {
      loading,
      nowhere,
      before,
      last: shares.at(-1),
      fallback,
      threads: engine.info.threads,
      inverting,
      stages,
      editing: await editing,
      unknown,
      sizes: sizes.map(({ width }) => width),
      faceless,
      copy: copy.width === photo.width && copy.height === photo.height,
      jpeg: jpeg.type,
      lost: (await engine.lost).code,
      after,
      ...about,
    };
  });
  assert.deepEqual(outcomes, {
    loading: "AbortError",
    nowhere: "network: manifest.json could not be loaded (status 404).",
    before: "RangeError",
    last: 1,
    fallback: "cpu for no-adapter: Use the processor instead.",
    threads: 1,
    inverting: "AbortError",
    stages: ["encode", "generate"],
    editing: "AbortError",
    unknown: "edit: The edit did not succeed.",
    sizes: [64, 96],
    faceless: "no-faces: No face was found in this photo.",
    copy: true,
    jpeg: "image/jpeg",
    strengths: { smile: 1.5 },
    sliders: 14,
    drawnAt: [256, 128, 64],
    lost: "stopped",
    after: "stopped: the engine was disposed of",
  });
  await context.close();
});

test("an application bundled by Vite inverts a face, edits it, and can give up", async () => {
  const { context, page, problems } = await visit(browser, apps.vite);
  await says(page, "Ready, on cpu");
  assert.ok(await page.evaluate(() => crossOriginIsolated));
  await page.evaluate(() => {
    const status = /** @type {HTMLElement} */ (document.getElementById("status"));
    const give = new MutationObserver(() => {
      if (!status.textContent?.startsWith("Inverting: generate")) return;
      give.disconnect();
      document.getElementById("cancel")?.click();
    });
    give.observe(status, { childList: true });
  });
  await page.setInputFiles("#file", PHOTO);
  await says(page, "AbortError");

  await page.setInputFiles("#file", PHOTO);
  await says(page, "Shown: smile at 0");
  await page.selectOption("#name", "age");
  await says(page, "Shown: age at 0");
  const plain = await pixelsOf(page, "#picture");
  await page.press("#slider", "End");
  await says(page, "Shown: age at 1");
  const moved = difference(plain, await pixelsOf(page, "#picture"));
  assert.ok(moved > 0.5, `the slider changes the picture: ${moved}`);
  const download = page.waitForEvent("download");
  await page.click("#save");
  assert.ok((await readFile(await (await download).path())).includes(MARK));
  assert.deepEqual(problems, []);

  await page.goto(`${apps.vite}?model=nowhere`);
  await says(page, "network: manifest.json could not be loaded (status 404).");
  await context.close();
});
