// The page's states, one after another: for those who look whether each is as it should be.
import { photoOf } from "./people.mjs";
import { inverted, modelReady, PATIENCE, settled, slide, still } from "./support.mjs";

/** @import { Page } from "playwright-core" */

/**
 * Leads a page with the bundled model from state to state, and tells what each is called. The page has a camera that a
 * script moves (`SCRIPTED_CAMERA`); between two states it may take any width and any theme.
 * @param {Page} page
 * @returns {AsyncGenerator<string>}
 */
export async function* states(page) {
  const press = (/** @type {string} */ id) => page.evaluate((id) => document.getElementById(id)?.click(), id);
  const dialog = async (/** @type {string} */ button, /** @type {string} */ id) => {
    await press(button);
    await page.locator(`#${id}[open]`).waitFor();
  };
  await modelReady(page);
  await page.locator("#sample-list button").first().waitFor();
  await still(page);
  yield "start";
  await dialog("engine-button", "engine-dialog");
  yield "models";
  await page.keyboard.press("Escape");
  await dialog("about-button", "about-dialog");
  yield "about";
  await page.keyboard.press("Escape");

  await press("mirror-start");
  await page.locator("#mirror-word", { hasText: "Move a slider" }).waitFor({ timeout: PATIENCE });
  await slide(page, "smile", 100);
  await page.locator('#mirror-picture[data-shown="1.00"]').waitFor({ timeout: PATIENCE });
  yield "mirror";
  await press("mirror-close");
  await page.locator("#mirror").waitFor({ state: "hidden" });

  await page.setInputFiles("#file", await photoOf(page, { width: 1200, height: 640 }, { count: 2 }));
  await inverted(page);
  await page.waitForFunction(() => document.querySelectorAll("#faces input").length === 2, undefined, {
    timeout: PATIENCE,
  });
  await inverted(page);
  await slide(page, "smile", 100);
  await page.waitForFunction(() => !document.querySelector(".look:not(.made)"), undefined, { timeout: PATIENCE });
  await page.evaluate(() => {
    const buttons = /** @type {NodeListOf<HTMLElement>} */ (
      document.querySelectorAll("#notices [aria-label=Dismiss]")
    );
    for (const button of buttons) button.click();
  });
  await page.waitForFunction(() => !document.querySelector("#notices .notice"));
  yield "faces";
  await press("compare-toggle");
  yield "comparing";
  await press("compare-toggle");
  await press("zoom");
  yield "enlarged";
  await press("zoom");
  await press("method-toggle");
  await page.locator("#method .number").last().filter({ hasText: /\w/ }).waitFor();
  yield "method";
  await press("method-toggle");
  await page.getByRole("radio", { name: "Whole photo" }).check();
  await settled(page);
  yield "whole photo";
  await page.getByRole("radio", { name: "Face", exact: true }).check();
  await dialog("save", "save-dialog");
  await page.locator("#save-types input[value='image/jpeg']").check();
  await page.locator("#save-size", { hasText: /\d/ }).waitFor();
  yield "saving";
  await page.keyboard.press("Escape");
  await dialog("save-look", "look-dialog");
  await page.locator("#look-dialog input").first().fill("Warm");
  yield "saving a look";
  await page.keyboard.press("Enter");
  await dialog("own-looks", "own-looks-dialog");
  yield "looks of one's own";
  await page.keyboard.press("Escape");
  await page.locator("#looks").evaluate((list) => list.scrollIntoView({ block: "center" }));
  yield "looks";
  await dialog("adjust", "align-dialog");
  yield "placing the face";
  await page.keyboard.press("Escape");
  await page.setInputFiles("#file", { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("milk") });
  await page.locator(".notice.failure").waitFor();
  yield "a failure";
  await page.locator(".notice.failure button").last().click();
}
