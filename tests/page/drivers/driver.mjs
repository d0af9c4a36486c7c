// What a test may ask of any browser: one page in it, and little more than a visitor can do.
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { PATIENCE } from "../support.mjs";

/**
 * @typedef {{
 *   version: string,
 *   problems: () => Promise<string[]>,
 *   open: (url: string) => Promise<unknown>,
 *   reload: () => Promise<unknown>,
 *   click: (selector: string) => Promise<unknown>,
 *   press: (key: "Home" | "End") => Promise<unknown>,
 *   setFile: (selector: string, file: string) => Promise<unknown>,
 *   evaluate: <A, T>(work: (argument: A) => T, argument?: A) => Promise<Awaited<T>>,
 *   downloads: string,
 *   close: () => Promise<void>,
 * }} Driver
 * `problems`: what the page complained of, and requests to other origins where the browser tells of them;
 * `evaluate`: `work` is carried out in the page; `downloads`: the folder where files arrive
 *
 * @typedef {{ preferences?: Record<string, unknown> }} DriverOptions of browsers that have preferences
 */

/** How often a condition is looked at. */
const POLL_MS = 25;

/**
 * Waits for `condition`, here or, through a driver, in the page.
 * @template T
 * @param {() => Promise<T | undefined | false>} condition
 * @param {string} what for the message
 * @returns {Promise<T>}
 */
export async function until(condition, what) {
  for (const end = Date.now() + PATIENCE; Date.now() < end; ) {
    const met = await condition();
    if (met) return met;
    await pause(POLL_MS);
  }
  throw new Error(`${what}: not within ${PATIENCE / 1000} s`);
}

/**
 * The first file that has arrived whole in a folder.
 * @param {string} folder
 * @returns {Promise<{ name: string, bytes: Buffer }>}
 */
export function arrival(folder) {
  return until(async () => {
    const names = await readdir(folder);
    // Browsers write into a file of another ending, and some hold the final name by an empty file.
    const [name] = names;
    if (names.length !== 1 || !name.endsWith(".png") || (await stat(path.join(folder, name))).size === 0) return false;
    return { name, bytes: await readFile(path.join(folder, name)) };
  }, "a file is saved");
}

/**
 * Notes requests that leave the page's origin.
 * @param {string[]} problems
 * @param {string} address of the request
 * @param {string} page
 */
export function watchOrigin(problems, address, page) {
  const { origin, protocol } = new URL(address);
  if (protocol.startsWith("http") && origin !== new URL(page).origin) problems.push(`request to ${origin}`);
}
