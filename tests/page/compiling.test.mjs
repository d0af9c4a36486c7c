// A page that is served while its engine for WebGPU is still compiled.
import assert from "node:assert/strict";
import { cp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { seal } from "../../www/tools/assemble.mjs";
import { compiled } from "../../www/tools/serve.mjs";
import { host, launch, modelReady, root, visit, weightsLike } from "./support.mjs";
import { temporary } from "./temporary.mjs";

test("how far cargo is, is read from its progress bar", () => {
  assert.deepEqual(compiled(""), { done: 0, total: 0 });
  assert.deepEqual(compiled("   Compiling half v2.7.1\n"), { done: 0, total: 0 });
  const bar =
    "    Building [====>   ] 41/120: burn-wgpu\r   Compiling naga v30.0.1\n    Building [====>   ] 42/120: naga, wgpu\r";
  assert.deepEqual(compiled(bar), { done: 42, total: 120 });
});

test("the page runs on the processor, says how far the engine is, and offers it when it is there", async () => {
  const log = path.join(await temporary("log"), "cargo.txt");
  const says = (/** @type {number} */ done) => writeFile(log, `    Building [==>     ] ${done}/200: naga\r`);
  await says(30);
  const site = await host(await weightsLike("tests/golden/tiny"), { compiling: log });
  const engine = path.join(site.folder, "pkg/webgpu");
  await rm(engine, { recursive: true });
  await seal(site.folder);
  const browser = await launch();
  try {
    const { page, problems } = await visit(browser, site.url);
    await page.locator(".notice", { hasText: "still being compiled" }).waitFor();
    await modelReady(page);
    await page.click("#engine-button");
    const choice = page.locator('#engine-choices label:has(input[value="webgpu"])');
    await choice.filter({ hasText: "15%" }).waitFor();
    assert.equal(await choice.locator("input").isDisabled(), true);
    await says(90);
    await choice.filter({ hasText: "45%" }).waitFor();
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);

    await says(200);
    await cp(path.join(root, "www/pkg/webgpu"), engine, { recursive: true });
    await seal(site.folder);
    const offer = page.locator(".notice", { hasText: "A newer version of this page is ready." });
    await Promise.all([page.waitForEvent("load"), offer.getByRole("button", { name: "Reload" }).click()]);
    await modelReady(page);
    await page.click("#engine-button");
    await page.locator("#engine-dialog[open]").waitFor();
    assert.equal(await page.locator("#engine-dialog", { hasText: "Still being compiled" }).count(), 0);
    assert.deepEqual(problems, []);
  } finally {
    await browser.close();
    await site.remove();
  }
});
