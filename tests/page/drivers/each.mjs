// Tests that are carried out in every browser.
import { test } from "node:test";

/** @import { Driver, DriverOptions } from "./driver.mjs" */
/** @typedef {keyof typeof BROWSERS} Browser */

/** The variables by which `build.sh` names the browsers that are there. */
const BROWSERS = { chromium: "CHROMIUM", firefox: "FIREFOX", webkit: "WEBKIT" };

/**
 * Declares a test for one browser; it is left out where there is none, which `build.sh` says at the end.
 * @param {Browser} browser
 * @param {string} title
 * @param {(driver: Driver) => Promise<void>} work
 * @param {() => DriverOptions | Promise<DriverOptions>} [options]
 */
export function testIn(browser, title, work, options = () => ({})) {
  const variable = BROWSERS[browser];
  test(`${browser}: ${title}`, { skip: !process.env[variable] && `${variable} names no browser` }, async () => {
    /** @type {{ start: (options?: DriverOptions) => Promise<Driver> }} */
    const { start } = await import(`./${browser}.mjs`);
    const driver = await start(await options());
    try {
      await work(driver);
    } finally {
      await driver.close();
    }
  });
}

/**
 * Declares a test for every browser.
 * @param {string} title
 * @param {(driver: Driver, browser: Browser) => Promise<void>} work
 */
export function testInEach(title, work) {
  for (const browser of /** @type {Browser[]} */ (Object.keys(BROWSERS))) {
    testIn(browser, title, (driver) => work(driver, browser));
  }
}
