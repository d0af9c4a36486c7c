// A stock Firefox, driven through WebDriver BiDi.
import { createRequire } from "node:module";
import { temporary } from "../temporary.mjs";
import { watchOrigin } from "./driver.mjs";

const require = createRequire(new URL("../../../www/package.json", import.meta.url));
/** @type {import("puppeteer-core").PuppeteerNode} */
const puppeteer = require("puppeteer-core");

/**
 * Starts the browser that `FIREFOX` names.
 * @param {import("./driver.mjs").DriverOptions} [options]
 * @returns {Promise<import("./driver.mjs").Driver>}
 */
export async function start({ preferences = {} } = {}) {
  const downloads = await temporary("downloads");
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: process.env.FIREFOX,
    defaultViewport: null,
    args: ["--width=1280", "--height=960"],
    extraPrefsFirefox: {
      // On virtual machines with AVX-512, Firefox 140 came to run all scripts of a process some 30 times slower once
      // a second page in it had computed in WebAssembly by AVX instructions; by SSE it does not.
      "javascript.options.wasm_simd_avx": false,
      "browser.download.folderList": 2,
      "browser.download.dir": downloads,
      ...preferences,
    },
  });
  const page = await browser.newPage();
  /** @type {string[]} */
  const problems = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) problems.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`uncaught: ${error}`));
  return {
    version: (await browser.version()).replace("firefox/", "Firefox "),
    problems: async () => problems,
    downloads,
    open(url) {
      page.on("request", (request) => watchOrigin(problems, request.url(), url));
      return page.goto(url);
    },
    reload: () => page.reload(),
    click: (selector) => page.click(selector),
    press: (key) => page.keyboard.press(key),
    async setFile(selector, file) {
      const input = await page.$(selector);
      await /** @type {import("puppeteer-core").ElementHandle<HTMLInputElement>} */ (input).uploadFile(file);
    },
    evaluate: (work, argument) => page.evaluate(/** @type {any} */ (work), argument),
    close: () => browser.close(),
  };
}
