// The page on WebGPU, chosen by hand as a visitor would: the tiny golden model must come out as PyTorch has it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { rgbPng } from "./pictures.mjs";
import {
  difference,
  host,
  inverted,
  launch,
  modelReady,
  PATIENCE,
  pixels,
  restarts,
  root,
  SOFTWARE_GPU,
  settled,
  slide,
  visit,
  weightsLike,
} from "./support.mjs";

/**
 * The tensors of a safetensors file in f32.
 * @param {string} file
 */
async function tensors(file) {
  const bytes = await readFile(path.join(root, file));
  const header = Number(bytes.readBigUInt64LE(0));
  const table = JSON.parse(bytes.toString("utf8", 8, 8 + header));
  return {
    metadata: table.__metadata__,
    /** @param {string} name */
    get(name) {
      const {
        dtype,
        shape,
        data_offsets: [from, to],
      } = table[name];
      assert.equal(dtype, "F32");
      const body = bytes.subarray(8 + header + from, 8 + header + to);
      return { shape, values: new Float32Array(body.buffer.slice(body.byteOffset, body.byteOffset + body.length)) };
    },
  };
}

/**
 * The colours, in [0, 255] and not rounded, of a tensor [3, height, width] in [-1, 1].
 * @param {{ shape: number[], values: Float32Array }} tensor
 */
function colours({ shape, values }) {
  const [, height, width] = shape.slice(-3);
  const rgb = new Float64Array(width * height * 3);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < width * height; i++)
      rgb[i * 3 + c] = Math.min(255, Math.max(0, (values[c * width * height + i] + 1) * 127.5));
  }
  return { width, height, rgb };
}

/**
 * Largest distance between shown 8-bit colours and exact ones, in [-1, 1] and beyond what rounding explains.
 * @param {{ data: Uint8Array }} shown
 * @param {{ rgb: Float64Array }} exact
 */
function excess(shown, { rgb }) {
  let worst = 0;
  for (let i = 0; i < rgb.length; i++) {
    const value = shown.data[Math.floor(i / 3) * 4 + (i % 3)];
    worst = Math.max(worst, (Math.abs(value - rgb[i]) - 0.5) / 127.5);
  }
  return worst;
}

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof host>>} */
let site;
/** @type {typeof site} where every module is a file, to be replaced */
let readable;
/** @type {typeof site} with the bundled model */
let bundled;
/** @type {Awaited<ReturnType<typeof tensors>>} */
let golden;

before(async () => {
  golden = await tensors("tests/golden/tiny_trace.safetensors");
  const { width, height, rgb } = colours(golden.get("image"));
  const portrait = rgbPng(width, height, Uint8Array.from(rgb, Math.round));
  const weights = await weightsLike("tests/golden/tiny", {
    files: { "samples/golden.png": portrait },
    change: (manifest) => (manifest.samples = [{ file: "samples/golden.png", label: "golden", aligned: true }]),
  });
  [browser, site, readable, bundled] = await Promise.all([
    launch(SOFTWARE_GPU),
    host(weights),
    host(weights, { readable: true }),
    host(path.join(root, "weights")),
  ]);
});

after(async () => {
  await browser?.close();
  for (const hosted of [site, readable, bundled]) await hosted?.remove();
});

for (const backend of /** @type {const} */ (["cpu", "webgpu"])) {
  test(`the golden model on ${backend} shows PyTorch's pictures to 1e-3`, { timeout: 2 * PATIENCE }, async () => {
    const { context, page, problems } = await visit(browser, site.url);
    await modelReady(page);
    // A software adapter is no graphics card: left alone, the page takes the processor.
    assert.equal(await page.locator("#engine-label").textContent(), "Processor ready");
    await page.click("#engine-button");
    assert.match((await page.locator("#engine-choices").textContent()) ?? "", /WebGPU \(software\).*emulated by/s);
    if (backend === "webgpu") {
      await restarts(page, () => page.locator("#engine-choices").getByText("WebGPU (software)").click());
      assert.equal(await page.locator("#engine-label").textContent(), "WebGPU (software) ready");
    } else {
      await page.keyboard.press("Escape");
    }
    await page.locator("#sample-list button").click();
    await inverted(page);
    await page.keyboard.press("3");
    assert.ok(excess(await pixels(page), colours(golden.get("initial.full"))) <= 1e-3, "plain reconstruction");
    await page.keyboard.press("2");
    assert.ok(excess(await pixels(page), colours(golden.get("reconstruction"))) <= 1e-3, "compensated reconstruction");
    await page.keyboard.press("1");
    await page.selectOption("#paste-mode", "face");
    // Strengths 1.5 of 3 and -1 of 2, as the golden file's metadata says.
    await slide(page, "tilt", 50);
    assert.ok(excess(await pixels(page), colours(golden.get("average.tilt"))) <= 1e-3, "one edit");
    await slide(page, "bend", -50);
    assert.ok(excess(await pixels(page), colours(golden.get("edit.tilt+bend"))) <= 1e-3, "two edits");
    await page.click("#reset-all");
    await settled(page);
    assert.ok(excess(await pixels(page), colours(golden.get("edit.none"))) <= 1e-3, "no edit");
    assert.deepEqual(problems, []);
    await context.close();
  });
}

/**
 * A script that has the page begin with a choice of the visitor's. Later, the page would write over it.
 * @param {"auto" | "cpu" | "webgpu"} backend
 */
function wishFor(backend) {
  return `localStorage.getItem("sdic") ?? localStorage.setItem("sdic", '${JSON.stringify({ backend })}')`;
}

test("the bundled model shows by WebGPU what it shows by the processor", { timeout: 4 * PATIENCE }, async () => {
  /** @type {Record<string, Awaited<ReturnType<typeof pixels>>[]>} */
  const shown = {};
  for (const backend of /** @type {const} */ (["webgpu", "cpu"])) {
    const { context, page, problems } = await visit(browser, bundled.url, { script: wishFor(backend) });
    let start = performance.now();
    /** @type {string[]} */
    const times = [];
    const lap = (/** @type {string} */ what) => {
      times.push(`${what} ${((performance.now() - start) / 1000).toFixed(1)} s`);
      start = performance.now();
    };
    await modelReady(page);
    assert.match((await page.locator("#engine-label").textContent()) ?? "", backend === "cpu" ? /^Proc/ : /^WebGPU/);
    lap("ready");
    await page.locator("#sample-list button").first().click();
    await inverted(page);
    lap("inverted");
    await page.selectOption("#paste-mode", "face");
    await settled(page);
    const unedited = await pixels(page);
    start = performance.now();
    await slide(page, "smile", 60);
    lap("edited");
    const edited = await pixels(page);
    assert.ok(difference(unedited, edited) > 1, "the smile is seen");
    shown[backend] = [unedited, edited];
    console.log(`bundled model, ${backend}: ${times.join(", ")}`);
    assert.deepEqual(problems, []);
    await context.close();
  }
  for (const [step, picture] of shown.webgpu.entries()) {
    const off = difference(picture, shown.cpu[step]);
    assert.ok(off < 0.2, `picture ${step} is off by ${off} of 255`);
  }
});

/** Lets a test get at the device that the engine asks for. */
const KEEP_DEVICE = `
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (wanted) {
      return (self.device = await requestDevice.call(this, wanted));
    };`;

test("photos and edits do not pile up on the graphics card", { timeout: 4 * PATIENCE }, async () => {
  const { context, page } = await failing(`
    self.made = 0;
    const { createBuffer } = GPUDevice.prototype;
    GPUDevice.prototype.createBuffer = function (buffer) {
      self.made += buffer.size;
      return createBuffer.call(this, buffer);
    };`);
  const made = () => {
    const worker = page.workers().find((each) => each.url().endsWith("/workers/engine.js"));
    return /** @type {Promise<number>} */ (worker?.evaluate(() => /** @type {any} */ (self).made));
  };
  const counts = [];
  for (let photo = 0; photo < 3; photo++) {
    await page.setInputFiles("#file", path.join(root, "weights/samples/01.webp"));
    await page.waitForSelector("#progress:not([hidden])");
    await inverted(page);
    for (const position of [50, -50]) await slide(page, "tilt", position);
    counts.push(await made());
  }
  assert.ok(counts[0] > 1e6, `the first photo needs ${counts[0]} bytes`);
  assert.equal(counts[2], counts[1], "the third photo finds the memory of those before it");
  await context.close();
});

test("losing the device costs nothing: photo and sliders come back", { timeout: 4 * PATIENCE }, async () => {
  const { context, page } = await failing(KEEP_DEVICE);
  await page.locator("#sample-list button").click();
  await inverted(page);
  await page.selectOption("#paste-mode", "face");
  await slide(page, "tilt", 50);
  const lose = () =>
    page
      .workers()
      .find((each) => each.url().endsWith("/workers/engine.js"))
      ?.evaluate(() => /** @type {any} */ (self).device.destroy());
  await lose();
  await page.locator(".notice", { hasText: "started again" }).waitFor();
  await modelReady(page);
  await page.waitForSelector("#progress[hidden]", { state: "attached", timeout: 2 * PATIENCE });
  await settled(page);
  assert.equal(await page.locator("#engine-label").textContent(), "WebGPU (software) ready");
  assert.equal(await page.locator('[id="slider-tilt"]').inputValue(), "50");
  assert.ok(excess(await pixels(page), colours(golden.get("average.tilt"))) <= 1e-3, "the edit");

  // A device that is lost again soon is given up.
  await lose();
  await page.locator(".notice", { hasText: "The graphics card failed twice" }).waitFor();
  await page.locator("#engine-label", { hasText: "Processor ready" }).waitFor({ timeout: 2 * PATIENCE });
  await inverted(page);
  assert.equal(await page.locator('[id="slider-tilt"]').inputValue(), "50");
  assert.ok(excess(await pixels(page), colours(golden.get("average.tilt"))) <= 1e-3, "the edit on the processor");
  await context.close();
});

/**
 * Has a module come otherwise than it was written.
 * @param {import("playwright-core").BrowserContext} context
 * @param {string} url a pattern
 * @param {(body: string) => string} change
 */
function altered(context, url, change) {
  return context.route(url, async (route) => {
    const body = change(await (await route.fetch()).text());
    await route.fulfill({ contentType: "text/javascript", body });
  });
}

/**
 * Opens the page with WebGPU wished for, and a script before any other in its engine's worker, which can have the card
 * fail.
 * @param {string} script
 */
async function failing(script) {
  const { context, page } = await visit(browser, readable.url, { serviceWorkers: "block", script: wishFor("webgpu") });
  await altered(context, "**/shared/adapter.js", (body) => `${script}\n${body}`);
  await page.reload();
  await modelReady(page);
  assert.equal(await page.locator("#engine-label").textContent(), "WebGPU (software) ready");
  const worker = page.workers().find((each) => each.url().endsWith("/workers/engine.js"));
  assert.ok(worker);
  /** From now on the card fails. */
  const fail = () =>
    worker.evaluate(() => {
      /** @type {any} */ (self).failing = true;
    });
  return { context, page, fail };
}

/**
 * Waits until the engine is back with the photo and its edit, and checks both.
 * @param {import("playwright-core").Page} page
 * @param {string} label of the engine
 */
async function back(page, label) {
  await page.locator(".notice", { hasText: "started again" }).waitFor({ timeout: 2 * PATIENCE });
  await page.locator("#engine-label", { hasText: label }).waitFor({ timeout: 2 * PATIENCE });
  await page.waitForSelector("#progress[hidden]", { state: "attached", timeout: 2 * PATIENCE });
  await inverted(page);
  assert.equal(await page.locator('[id="slider-tilt"]').inputValue(), "50");
  assert.ok(excess(await pixels(page), colours(golden.get("average.tilt"))) <= 1e-3, "the edit");
}

test("a device lost in the middle of an edit costs nothing", { timeout: 6 * PATIENCE }, async () => {
  const { context, page, fail } = await failing(`${KEEP_DEVICE}
    const { submit } = GPUQueue.prototype;
    GPUQueue.prototype.submit = function (commands) {
      submit.call(this, commands);
      if (self.failing) self.device.destroy();
    };`);
  await page.locator("#sample-list button").click();
  await inverted(page);
  await page.selectOption("#paste-mode", "face");
  await fail();
  await slide(page, "tilt", 50);
  await back(page, "WebGPU (software) ready");
  await context.close();
});

test("memory that is refused costs nothing", { timeout: 6 * PATIENCE }, async () => {
  const { context, page, fail } = await failing(`
    const { createBuffer } = GPUDevice.prototype;
    GPUDevice.prototype.createBuffer = function (buffer) {
      if (!self.failing) return createBuffer.call(this, buffer);
      // Where memory is short, a buffer is none; scopes for errors of validation do not hear of it.
      this.pushErrorScope("validation");
      const none = createBuffer.call(this, { ...buffer, mappedAtCreation: false, size: 2 ** 50 });
      void this.popErrorScope();
      const error = new GPUOutOfMemoryError("no memory");
      setTimeout(() => this.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error })));
      return none;
    };`);
  // An inversion makes new buffers; the edit after it finds them all.
  await fail();
  await page.locator("#sample-list button").click();
  await page.locator(".notice", { hasText: "started again" }).waitFor({ timeout: 2 * PATIENCE });
  await inverted(page);
  assert.equal(await page.locator("#engine-label").textContent(), "WebGPU (software) ready");
  await page.selectOption("#paste-mode", "face");
  await slide(page, "tilt", 50);
  assert.ok(excess(await pixels(page), colours(golden.get("average.tilt"))) <= 1e-3, "the edit");
  await context.close();
});

/**
 * Opens the page with a worker in which WebGPU is as `spoil` makes it.
 * @param {string} spoil
 * @param {"auto" | "cpu" | "webgpu"} backend
 * @param {RegExp} [said] what the console may be told of it
 */
async function spoiled(spoil, backend, said = /^$/) {
  const script = wishFor(backend);
  const { context, page, problems } = await visit(browser, readable.url, { serviceWorkers: "block", script });
  await altered(context, "**/shared/adapter.js", (body) => `${spoil}\n${body}`);
  await page.reload();
  await modelReady(page);
  const label = await page.locator("#engine-label").textContent();
  assert.deepEqual(
    problems.filter((problem) => !problem.includes("Service Worker registration blocked") && !said.test(problem)),
    [],
  );
  await context.close();
  return label;
}

test("an adapter that does not describe itself is used all the same", { timeout: 2 * PATIENCE }, async () => {
  assert.equal(await spoiled("delete GPUAdapter.prototype.info;", "webgpu"), "Graphics card ready");
  assert.equal(await spoiled("delete GPUAdapter.prototype.info;", "cpu"), "Processor ready");
});

test("a card that fails the rehearsal gives way to the processor", { timeout: 6 * PATIENCE }, async () => {
  const { context, page } = await visit(browser, readable.url, { serviceWorkers: "block", script: wishFor("webgpu") });
  // Real cards alone rehearse, and one that does not describe itself passes for one.
  await altered(context, "**/shared/adapter.js", (body) => `delete GPUAdapter.prototype.info;\n${body}`);
  const fails = 'WebEngine.prototype.rehearse = async () => { throw new Error("it computes wrongly"); };';
  await altered(context, "**/pkg/webgpu/sdic.js", (body) => `${body}\n${fails}`);
  await page.reload();
  await page.locator(".notice", { hasText: "The graphics card failed twice" }).waitFor({ timeout: 4 * PATIENCE });
  await page.locator("#engine-label", { hasText: "Processor ready" }).waitFor();
  await context.close();
});

test("the fastest kernels are measured once, and remembered for the card", { timeout: 6 * PATIENCE }, async () => {
  const { context, page } = await visit(browser, readable.url, { serviceWorkers: "block", script: wishFor("webgpu") });
  // Real cards alone are measured. Proofs of what stands in for one take long, and are other tests'.
  await altered(context, "**/shared/adapter.js", (body) => `delete GPUAdapter.prototype.info;\n${body}`);
  const quick = "WebEngine.prototype.selfTest = WebEngine.prototype.rehearse = async () => 0;";
  await altered(context, "**/pkg/webgpu/sdic.js", (body) => `${body}\n${quick}`);
  const kept = async () => {
    await page.reload();
    await modelReady(page);
    const waited = await page.waitForFunction(() => {
      const key = Object.keys(localStorage).find((each) => each.endsWith("settings")) ?? "";
      const { tunings = {} } = JSON.parse(localStorage.getItem(key) ?? "{}");
      const [tuning] = Object.values(tunings);
      return tuning?.classes && tuning.kernels !== "others" && { key, tunings, tuning };
    });
    return /** @type {any} */ (await waited.jsonValue());
  };
  const first = await kept();
  const [plain] = first.tuning.classes;
  assert.equal(plain.name, "plain");
  assert.ok(plain.rates[0] > 0 && plain.tiling < plain.rates.length, JSON.stringify(plain));
  // What is measured anew is never the same to the last digit.
  assert.deepEqual((await kept()).tuning, first.tuning);
  await page.locator("#engine-button").click();
  const told = await page.locator("#engine-kernels").textContent();
  const taken = `\\(${plain.tiling + 1} of ${plain.rates.length}\\)`;
  assert.match(told ?? "", new RegExp(`^The fastest kernels of this card, in billions .*: 3×3 \\d+ ${taken}`));

  // What another release has kept is measured anew.
  await page.evaluate(({ key, tunings }) => {
    const old = Object.entries(tunings).map(([name, tuning]) => [name, { ...tuning, kernels: "others" }]);
    const settings = JSON.parse(localStorage.getItem(key) ?? "{}");
    localStorage.setItem(key, JSON.stringify({ ...settings, tunings: Object.fromEntries(old) }));
  }, first);
  const again = await kept();
  assert.equal(again.tuning.kernels, first.tuning.kernels);
  assert.notDeepEqual(again.tuning, first.tuning);
  await context.close();
});

test("kernels that do not compile are found out at the start", { timeout: 2 * PATIENCE }, async () => {
  const broken = `const { createShaderModule } = GPUDevice.prototype;
    GPUDevice.prototype.createShaderModule = function (about) {
      return createShaderModule.call(this, { ...about, code: "fn broken(" });
    };`;
  assert.equal(await spoiled(broken, "webgpu", /wgpu error: .* is invalid/), "Processor ready");
});

test("an adapter that promises more than it has is done without", { timeout: 2 * PATIENCE }, async () => {
  const boasting = `const { get } = Object.getOwnPropertyDescriptor(GPUAdapter.prototype, "limits");
    Object.defineProperty(GPUAdapter.prototype, "limits", {
      get() {
        const limits = get.call(this);
        const more = { maxBufferSize: 2 ** 45, maxStorageBufferBindingSize: 2 ** 45 };
        return new Proxy(limits, { get: (_, name) => more[name] ?? limits[name] });
      },
    });`;
  assert.equal(await spoiled(boasting, "webgpu"), "Processor ready");
});

test("an adapter or a device that never answers costs a few seconds, and the processor none", async () => {
  const never = "= () => new Promise(() => {});";
  assert.equal(await spoiled(`GPU.prototype.requestAdapter ${never}`, "auto"), "Processor ready");
  const device = `GPUAdapter.prototype.requestDevice ${never};
    self.setTimeout = ((set) => (f, after, ...rest) => set(f, after === 30000 ? 3000 : after, ...rest))(setTimeout);`;
  assert.equal(await spoiled(device, "webgpu"), "Processor ready");
  // For the processor the adapter's time is not waited for, however long it is.
  const late = `GPU.prototype.requestAdapter ${never};
    self.setTimeout = ((set) => (f, after, ...rest) => (after === 5000 ? 0 : set(f, after, ...rest)))(setTimeout);`;
  assert.equal(await spoiled(late, "cpu"), "Processor ready");
});

test("without an adapter the choice is explained and closed", async () => {
  const plain = await launch();
  const { page } = await visit(plain, site.url);
  await modelReady(page);
  await page.click("#engine-button");
  const choice = page.locator("#engine-choices label", { hasText: "Graphics card" }).filter({ hasText: "no WebGPU" });
  assert.ok(await choice.locator("input").isDisabled());
  await plain.close();
});
