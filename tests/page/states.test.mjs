// Every state of the page by the rules for what all can use: light and dark, at a desk, on a telephone, on a narrow
// one.
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { SCRIPTED_CAMERA } from "./scripted-camera.mjs";
import { states } from "./states.mjs";
import { accessible, root, shared, visit, WCAG } from "./support.mjs";

const here = shared(async () => path.join(root, "weights"));

/**
 * Sizes of what is tapped are left to the tests of each part: a telephone scrolls below a bar that may lie over the
 * half of something.
 */
const tags = [...WCAG.filter((tag) => tag !== "wcag22aa"), "best-practice"];

/** Colours change with the theme alone, and places with the width alone: so each is looked at, but not all pairs. */
const LOOKS = /** @type {const} */ ([
  { width: 320, height: 640, colorScheme: "dark" },
  { width: 390, height: 844, colorScheme: "light" },
  { width: 1280, height: 860, colorScheme: "dark" },
]);

test("in every state, light and dark, at 1280, 390 and 320 pixels, axe finds nothing and all fits", async () => {
  const { page, problems, context } = await visit(here.browser, here.site.url, { script: SCRIPTED_CAMERA });
  const seen = [];
  for await (const state of states(page)) {
    seen.push(state);
    for (const { width, height, colorScheme } of LOOKS) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      await accessible(page, `${state}, ${colorScheme}, ${width} pixels wide`, { tags });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${state} at ${width} pixels is ${over} too wide`);
    }
  }
  for (const named of ["faces", "looks", "method", "mirror"]) assert.ok(seen.includes(named), named);
  assert.deepEqual(problems, []);
  await context.close();
});
