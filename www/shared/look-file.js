// A look as a file to keep and pass on. The command line reads and writes the same (`src/editing/look.rs`), by the same
// rules.
import { Failure } from "./failure.js";
import { quantity, say } from "./say.js";

/** @import { Saying } from "./say.js" */
/** @import { Strengths } from "./types.js" */

/** @typedef {{ name: string, strengths: Strengths }} KeptLook what sliders do together, under a name */

/** The version of the format that is written. */
const VERSION = 1;
/** A look takes some hundred bytes; more is another file. */
const MOST_BYTES = 64 * 1024;
/** Largest strength that an edit may have. */
const MOST_STRENGTH = 1000;
/** Decimals of a strength: a slider's steps are a hundred times as large. */
const DECIMALS = 1e4;

/**
 * @param {Saying} message
 * @param {Saying} [hint]
 * @param {string} [detail]
 */
function refusal(message, hint = say("hint.look"), detail = "") {
  return new Failure({ code: "look", message, hint, detail });
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads the text of a look.
 * @param {string} text
 * @returns {KeptLook}
 * @throws {Failure} "look" that says what is wrong
 */
export function parseLook(text) {
  /** @type {unknown} */
  let value;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    throw refusal(say("error.look"), undefined, thrown instanceof Error ? thrown.message : "");
  }
  return checkedLook(value);
}

/**
 * A look of anything that was read.
 * @param {unknown} value
 * @returns {KeptLook}
 * @throws {Failure} "look" that says what is wrong
 */
export function checkedLook(value) {
  if (!isObject(value)) throw refusal(say("error.look"));
  const { sdicLook: version, name, strengths, ...others } = value;
  if (typeof version !== "number" || !Number.isInteger(version) || version < 0) throw refusal(say("error.look"));
  // Said first: what a later version has besides is no mistake of the file.
  if (version !== VERSION) {
    throw refusal(say("error.lookVersion", { version: quantity(version, "digits") }), say("hint.lookVersion"));
  }
  const [other] = Object.keys(others);
  if (other !== undefined) throw refusal(say("error.lookField", { field: other }));
  if (typeof name !== "string" || !isObject(strengths)) throw refusal(say("error.look"));
  for (const [slider, strength] of Object.entries(strengths)) {
    if (typeof strength !== "number") throw refusal(say("error.look"));
    if (!(Math.abs(Math.fround(strength)) <= MOST_STRENGTH)) {
      throw refusal(say("error.lookStrength", { slider, most: MOST_STRENGTH }));
    }
  }
  return { name, strengths: /** @type {Strengths} */ (strengths) };
}

/**
 * Reads a file.
 * @param {Blob} file
 * @returns {Promise<KeptLook>}
 * @throws {Failure} "look" that says what is wrong
 */
export async function readLook(file) {
  if (file.size > MOST_BYTES) throw refusal(say("error.lookSize", { size: quantity(file.size, "byte") }));
  /** @type {string} */
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await file.arrayBuffer());
  } catch {
    throw refusal(say("error.look")); // a folder, a file that has gone, or no text
  }
  return parseLook(text);
}

/**
 * The text of the file.
 * @param {KeptLook} look
 */
export function writeLook({ name, strengths }) {
  const sorted = Object.entries(strengths).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify({ sdicLook: VERSION, name, strengths: Object.fromEntries(sorted) }, undefined, 2)}\n`;
}

/**
 * Strengths as a look keeps them: short numbers, and no sliders at rest.
 * @param {Strengths} strengths
 * @returns {Strengths}
 */
export function rounded(strengths) {
  const entries = Object.entries(strengths).map(([name, strength]) => [
    name,
    Math.round(strength * DECIMALS) / DECIMALS,
  ]);
  return Object.fromEntries(entries.filter(([, strength]) => strength !== 0));
}

/**
 * Whether sliders stand as in a look, but for what a look rounds.
 * @param {Strengths} a
 * @param {Strengths} b
 */
export function alike(a, b) {
  const names = Object.keys({ ...a, ...b });
  return names.every((name) => Math.abs((a[name] ?? 0) - (b[name] ?? 0)) <= 1 / DECIMALS);
}
