// Every state of the page by the rules for what all can use: light and dark, at a desk, on a telephone, on a narrow one.
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { SCRIPTED_CAMERA } from "./scripted-camera.mjs";
import { states } from "./states.mjs";
import { accessible, root, shared, visit } from "./support.mjs";

const here = shared(async () => path.join(root, "weights"));

test("in every state, light and dark, at 1280, 390 and 320 pixels, axe finds nothing and all fits", async () => {
  const { page, problems, context } = await visit(here.browser, here.site.url, { script: SCRIPTED_CAMERA });
  const seen = [];
  for await (const state of states(page)) {
    seen.push(state);
    for (const width of [320, 390, 1280]) {
      await page.setViewportSize({ width, height: 860 });
      for (const colorScheme of /** @type {const} */ (["dark", "light"])) {
        await page.emulateMedia({ colorScheme });
        await accessible(page, `${state}, ${colorScheme}, ${width} pixels wide`);
      }
      assert.ok(
        await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
        `${state} at ${width} pixels does not scroll sideways`,
      );
    }
  }
  for (const named of ["faces", "looks", "method", "mirror"]) assert.ok(seen.includes(named), named);
  assert.deepEqual(problems, []);
  await context.close();
});
