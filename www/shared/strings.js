// What was said as data, in the visitor's language. Sentences come from a table for each language; numbers, units,
// lists and plural forms from the browser's knowledge of it.
import { NAMES } from "./strings/names.js";

/** @import { Quantity, Said, Saying, Unit } from "./say.js" */
/** @import { Filling, PlainKey, Sentence, StringKey, Value } from "./strings/types.d.ts" */

/** @typedef {keyof typeof import("./strings/languages.js")} Language */
/** @typedef {Readonly<Record<StringKey, Sentence>>} Table */

/** What there is a table for. English is for visitors who speak none of them. */
export const LANGUAGES = Object.freeze(/** @type {const} @satisfies {readonly Language[]} */ (["de", "en"]));

/** @type {Partial<Record<Language, Table>>} the tables that are here: nothing is said in a language before its own is */
const tables = {};
/** @type {Language} */
let language = "en";
/** The language as the visitor's browser names it, perhaps with a country: it decides how numbers are written. */
let locale = "en";
/** Whether the model's pictures show faces, so that sentences may speak of them. */
let ofFaces = true;
/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * The first of the visitor's languages that the page speaks.
 * @param {readonly string[]} wanted tags such as "de-AT", the dearest first
 * @param {Language} [only] the language if it is decided already; tags then tell how it is written
 * @returns {{ language: Language, locale: string }}
 */
export function choose(wanted, only) {
  for (const tag of wanted) {
    const base = /** @type {Language} */ (tag.toLowerCase().split("-")[0]);
    if (LANGUAGES.includes(base) && (only === undefined || base === only)) return { language: base, locale: tag };
  }
  return { language: only ?? "en", locale: only ?? "en" };
}

/**
 * Takes in the table of a language.
 * @param {Language} which
 * @param {Table} table
 */
export function know(which, table) {
  tables[which] = table;
}

/** @param {Language} which */
export function isKnown(which) {
  return which in tables;
}

/**
 * Says everything in this language from now on.
 * @param {Language} next
 * @param {string} [tag]
 */
export function speak(next, tag = next) {
  [language, locale] = [next, tag];
  for (const listener of listeners) listener();
}

/**
 * Says everything as it suits a model from now on: of one that shows no faces by the sentences of `other.…`.
 * @param {boolean} faces
 */
export function speakOfFaces(faces) {
  if (faces === ofFaces) return;
  ofFaces = faces;
  for (const listener of listeners) listener();
}

/**
 * Shows something that holds words, now and whenever they are others.
 * @param {() => void} show
 */
export function spoken(show) {
  listeners.add(show);
  show();
}

/** The language that is spoken. */
export function spokenLanguage() {
  return language;
}

/**
 * A language's name for itself.
 * @param {Language} code
 */
export function languageName(code) {
  return new Intl.DisplayNames([code], { type: "language" }).of(code) ?? code;
}

/**
 * The sentence for `key`, with its blanks filled in.
 * @template {StringKey} K
 * @param {K} key
 * @param {Filling<K>} filling
 */
export function t(key, ...filling) {
  return sentence(key, filling[0] ?? {});
}

/**
 * @param {Said} said
 * @returns {string}
 */
export function spell(said) {
  return typeof said === "string" ? said : sentence(said.key, said.values);
}

/**
 * Whether the tables have a sentence without blanks for a key that was made at run time.
 * @param {string} key
 * @returns {key is PlainKey}
 */
export function isKey(key) {
  const table = tables[language] ?? {};
  return Object.hasOwn(table, key) && !JSON.stringify(table[/** @type {keyof typeof table} */ (key)]).includes("{");
}

/** @type {Map<string, StringKey>} */
const names = new Map();
for (const [key, name] of Object.entries(NAMES)) names.set(name, /** @type {StringKey} */ (key));

/**
 * A name that the engine or a manifest gives, in the visitor's language if the tables have it.
 * @param {string} name
 */
export function nameOf(name) {
  const [, number] = /^Component (\d+)$/.exec(name) ?? [];
  if (number) return t("name.component", { number });
  const key = names.get(name);
  return key ? sentence(key, {}) : name;
}

/**
 * @param {StringKey} key
 * @param {Readonly<Record<string, Value>>} values
 * @returns {string}
 */
function sentence(key, values) {
  const other = /** @type {StringKey} */ (`other.${key}`);
  const table = tables[language];
  if (!table) return "";
  const suited = !ofFaces && Object.hasOwn(table, other) ? other : key;
  const text = form(table[suited], values.count);
  return text.replace(/\{(\w+)\}/g, (blank, name) => (name in values ? written(values[name]) : blank));
}

/**
 * @param {Sentence} sentence
 * @param {Value | undefined} count
 */
function form(sentence, count) {
  if (typeof sentence === "string") return sentence;
  return sentence[pluralRules().select(Number(count))] ?? sentence.other;
}

/** @param {Value} value */
function written(value) {
  if (typeof value === "number") return numberFormat().format(value);
  if (typeof value === "string") return value;
  if ("either" in value) return listFormat("disjunction").format(value.either);
  if ("name" in value) return nameOf(value.name);
  return "amount" in value ? measure(value) : spell(value);
}

/**
 * A quantity with its unit, in one line.
 * @param {Quantity} quantity
 */
function measure({ amount, unit }) {
  return MEASURES[unit](amount).replaceAll(" ", "\u00a0");
}

/** @type {Record<Unit, (amount: number) => string>} */
const MEASURES = {
  percent: (share) => numberFormat({ style: "percent" }).format(share),
  digits: (number) => numberFormat({ useGrouping: false }).format(number),
  scientific: (number) =>
    numberFormat(number === 0 ? {} : { notation: "scientific", maximumFractionDigits: 1 }).format(number),
  byte(bytes) {
    if (bytes < 1e5) return inUnit(bytes / 1e3, "kilobyte", 0);
    return bytes < 1e10 ? inUnit(bytes / 1e6, "megabyte", 1) : inUnit(bytes / 1e9, "gigabyte", 1);
  },
  second(seconds) {
    if (seconds < 0.95) return inUnit(Math.max(10, Math.round(seconds * 100) * 10), "millisecond", 0);
    if (seconds < 59.5) return inUnit(seconds, "second", seconds < 9.95 ? 1 : 0);
    const whole = Math.round(seconds);
    const parts = [inUnit(Math.floor(whole / 60), "minute", 0), inUnit(whole % 60, "second", 0)];
    return listFormat("unit").format(whole % 60 === 0 ? parts.slice(0, 1) : parts);
  },
};

/**
 * @param {number} amount
 * @param {string} unit
 * @param {number} digits behind the point
 */
function inUnit(amount, unit, digits) {
  return numberFormat({
    style: "unit",
    unit,
    unitDisplay: unit.endsWith("byte") ? "short" : "long",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(amount);
}

/** @type {Map<string, any>} formats made before: making one takes far longer than using it */
const formats = new Map();

/**
 * @template T
 * @param {string} kind
 * @param {object} options
 * @param {() => T} make
 * @returns {T}
 */
function kept(kind, options, make) {
  const key = `${kind} ${locale} ${JSON.stringify(options)}`;
  if (!formats.has(key)) formats.set(key, make());
  return formats.get(key);
}

/** @param {Intl.NumberFormatOptions} [options] */
function numberFormat(options = {}) {
  return kept("number", options, () => new Intl.NumberFormat(locale, options));
}

/** @param {"disjunction" | "unit"} type */
function listFormat(type) {
  /** @type {Intl.ListFormatOptions} */
  const options = { type, style: type === "unit" ? "narrow" : "long" };
  return kept("list", options, () => new Intl.ListFormat(locale, options));
}

function pluralRules() {
  return kept("plural", {}, () => new Intl.PluralRules(locale));
}
