// Chromium, driven through its own protocol.
import path from "node:path";
import { launch, NO_CARD } from "../support.mjs";
import { temporary } from "../temporary.mjs";
import { watchOrigin } from "./driver.mjs";

/** @returns {Promise<import("./driver.mjs").Driver>} */
export async function start() {
  const downloads = await temporary("downloads");
  const browser = await launch();
  const page = await (await browser.newContext({ acceptDownloads: true })).newPage();
  /** @type {string[]} */
  const problems = [];
  page.on("console", (message) => {
    if (message.text() === NO_CARD) return;
    if (["error", "warning"].includes(message.type())) problems.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", ({ message }) => problems.push(`uncaught: ${message}`));
  page.on("download", (download) => void download.saveAs(path.join(downloads, download.suggestedFilename())));
  return {
    version: `Chromium ${browser.version()}`,
    problems: async () => problems,
    downloads,
    open(url) {
      page.context().on("request", (request) => watchOrigin(problems, request.url(), url));
      return page.goto(url);
    },
    reload: () => page.reload(),
    click: (selector) => page.click(selector),
    press: (key) => page.keyboard.press(key),
    setFile: (selector, file) => page.setInputFiles(selector, file),
    evaluate: (work, argument) => page.evaluate(/** @type {any} */ (work), argument),
    close: () => browser.close(),
  };
}
