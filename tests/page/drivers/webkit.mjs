// WebKit in its GTK port's test browser, driven through WebDriver, on a display that nobody sees.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { temporary } from "../temporary.mjs";

const require = createRequire(new URL("../../../www/package.json", import.meta.url));
/** @type {typeof import("selenium-webdriver")} */
const { Builder, By, Capabilities, Key } = require("selenium-webdriver");
/** @type {typeof import("selenium-webdriver/remote")} */
const { DriverService } = require("selenium-webdriver/remote");

/** A display in memory. */
async function display() {
  const server = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const [number] = await Promise.race([
    once(/** @type {import("node:stream").Readable} */ (server.stdio[3]), "data"),
    once(server, "exit").then(() => Promise.reject(new Error("Xvfb did not start"))),
  ]);
  return { name: `:${String(number).trim()}`, stop: () => server.kill() };
}

/** Carried out in the page: begins to note what it complains of. WebKit's driver tells nothing of that. */
function listen() {
  /** @type {string[]} */
  const heard = [];
  Object.assign(globalThis, { heard });
  addEventListener("error", ({ message }) => heard.push(`uncaught: ${message}`));
  addEventListener("unhandledrejection", ({ reason }) => heard.push(`uncaught: ${reason}`));
  addEventListener("securitypolicyviolation", ({ blockedURI }) => heard.push(`request to ${blockedURI}`));
  for (const level of /** @type {const} */ (["error", "warn"])) {
    const say = console[level];
    console[level] = (...words) => {
      heard.push(`${level}: ${words.join(" ")}`);
      say(...words);
    };
  }
}

/** Carried out in the page: what was noted. */
function complaints() {
  return /** @type {{ heard: string[] }} */ (/** @type {unknown} */ (globalThis)).heard.splice(0);
}

/**
 * Starts the browser that `WEBKIT` names through the driver that `WEBKIT_DRIVER` names. It forgets everything when it
 * ends.
 * @returns {Promise<import("./driver.mjs").Driver>}
 */
export async function start() {
  const home = await temporary("webkit");
  const downloads = path.join(home, "downloads");
  await mkdir(downloads);
  await writeFile(path.join(home, "user-dirs.dirs"), `XDG_DOWNLOAD_DIR="${downloads}"\n`);
  const screen = await display();
  const service = new DriverService.Builder(/** @type {string} */ (process.env.WEBKIT_DRIVER))
    .setLoopback(true)
    .setHostname("127.0.0.1")
    .setEnvironment(
      /** @type {any} */ ({
        ...process.env,
        DISPLAY: screen.name,
        XDG_CONFIG_HOME: home,
        XDG_DATA_HOME: home,
        XDG_CACHE_HOME: home,
      }),
    )
    .build();
  const end = async () => {
    await service.kill();
    screen.stop();
  };
  let driver;
  try {
    const args = ["--automation"];
    driver = await new Builder()
      .usingServer(await service.start())
      .withCapabilities(
        new Capabilities({
          browserName: "MiniBrowser",
          "webkitgtk:browserOptions": { binary: process.env.WEBKIT, args },
        }),
      )
      .build();
  } catch (thrown) {
    await end();
    throw thrown;
  }
  await driver.manage().setTimeouts({ script: 600_000 });
  const find = (/** @type {string} */ selector) => driver.findElement(By.css(selector));
  /** @type {import("./driver.mjs").Driver["evaluate"]} */
  const evaluate = async (work, argument) => {
    // As JSON, or what is undefined would come as null.
    const { value, error } = await driver.executeAsyncScript(
      `const [argument, done] = arguments;
       const work = async () => ({ value: JSON.stringify(await (${work})(argument)) });
       work().catch((error) => ({ error: String(error) })).then(done);`,
      argument ?? null,
    );
    if (error) throw new Error(error);
    return typeof value === "string" ? JSON.parse(value) : undefined;
  };
  /** @type {string[]} */
  const problems = [];
  return {
    version: `WebKitGTK ${(await driver.getCapabilities()).get("browserVersion")}`,
    async problems() {
      problems.push(...(await evaluate(complaints)));
      return problems;
    },
    downloads,
    async open(url) {
      await driver.get(url);
      await evaluate(listen);
    },
    async reload() {
      problems.push(...(await evaluate(complaints)));
      await driver.navigate().refresh();
      await evaluate(listen);
    },
    click: (selector) => find(selector).click(),
    press: (key) => driver.actions().sendKeys({ Home: Key.HOME, End: Key.END }[key]).perform(),
    setFile: (selector, file) => find(selector).sendKeys(file),
    evaluate,
    async close() {
      await driver.quit();
      await end();
    },
  };
}
