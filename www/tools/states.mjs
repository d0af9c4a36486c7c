// Takes a picture of every state of the page, light and dark, at a desk and on two telephones, to be looked at.
//
//   node www/tools/states.mjs FOLDER [WIDTH...]
//
// WIDTH: 1280, 390 or 320; all of them unless told. Needs what `./build.sh build` built, and CHROMIUM where the browser
// is not found without.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { SCRIPTED_CAMERA } from "../../tests/page/scripted-camera.mjs";
import { states } from "../../tests/page/states.mjs";
import { launch, root, still, visit } from "../../tests/page/support.mjs";
import { serve } from "./serve.mjs";

const [folder, ...widths] = process.argv.slice(2);
if (!folder) throw new Error("name the folder that the pictures go into");
const PHONE = { isMobile: true, hasTouch: true };
const SCREENS = [
  { viewport: { width: 1280, height: 860 } },
  { viewport: { width: 390, height: 844 }, ...PHONE },
  { viewport: { width: 320, height: 640 }, ...PHONE },
];

await mkdir(folder, { recursive: true });
const site = await serve(path.join(root, "dist"));
const browser = await launch();
for (const screen of SCREENS) {
  if (widths.length > 0 && !widths.includes(String(screen.viewport.width))) continue;
  const script = SCRIPTED_CAMERA;
  const { page, context } = await visit(browser, site.url, { ...screen, script, serviceWorkers: "block" });
  for await (const state of states(page)) {
    const name = state.replaceAll(/\W+/g, "-");
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      await page.emulateMedia({ colorScheme });
      await still(page);
      const file = `${name}-${screen.viewport.width}-${colorScheme}.png`;
      await page.screenshot({ path: path.join(folder, file) });
    }
  }
  await context.close();
}
await browser.close();
await site.close();
