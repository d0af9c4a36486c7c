// The language of the page: the visitor's choice, or the first of the browser's that there is a table for.

import { onUse } from "../shared/on-use.js";
import { say } from "../shared/say.js";
import { choose, isKey, isKnown, know, LANGUAGES, speak, spoken, spokenLanguage, t } from "../shared/strings.js";
import { remember, settings } from "./settings.js";

/** @import { Failure } from "../shared/failure.js" */
/** @import { Language, Table } from "../shared/strings.js" */

/** Tables are loaded when they are spoken: visitors need one. @type {Record<Language, () => Promise<{ default: Table }>>} */
const TABLES = {
  de: () => import("../shared/strings/de.js"),
  en: () => import("../shared/strings/en.js"),
};

export const languages = LANGUAGES;

/** The language that the browser's settings ask for. */
export function browsersLanguage() {
  return choose(navigator.languages).language;
}

/**
 * The language that a wish comes to, with numbers as its speakers write them in the visitor's country.
 * @param {"auto" | Language} wish
 */
const meant = (wish) => choose(navigator.languages, wish === "auto" ? undefined : wish);

/** @param {Language} language */
async function load(language) {
  if (!isKnown(language)) know(language, (await TABLES[language]()).default);
}

/** Counts wishes: of two languages on their way the later one is meant. */
let wishes = 0;

/**
 * Speaks another language, once it is here.
 * @param {"auto" | Language} wish
 * @throws {Failure} "network"
 */
export async function chooseLanguage(wish) {
  const own = ++wishes;
  const { language, locale } = meant(wish);
  await onUse(() => load(language), say("settings.language"));
  if (own !== wishes) return;
  remember({ language: wish });
  speak(language, locale);
}

/**
 * Speaks, and keeps all words that stand in index.html in the language that is spoken. Without a network, what is
 * spoken is a language that is here.
 */
export async function startLanguage() {
  const own = ++wishes;
  for (const language of new Set([meant(settings.language).language, "en", ...LANGUAGES])) {
    const here = await load(/** @type {Language} */ (language)).then(
      () => true,
      () => false,
    );
    if (!here) continue;
    if (own === wishes) speak(/** @type {Language} */ (language), meant(/** @type {Language} */ (language)).locale);
    break;
  }
  addEventListener("languagechange", () => void chooseLanguage(settings.language).catch(() => {}));
  spoken(() => {
    const { documentElement: html, head } = document;
    html.lang = spokenLanguage();
    document.title = t("app.title");
    head.querySelector('meta[name="description"]')?.setAttribute("content", t("app.description"));
    head.querySelector('link[rel="manifest"]')?.setAttribute("href", `app.${spokenLanguage()}.webmanifest`);
    for (const [element, words] of withKey("data-t")) element.textContent = words;
    for (const [element, words] of withKey("data-label")) {
      element.setAttribute("aria-label", words);
      if (element instanceof HTMLButtonElement) element.title = words;
    }
  });
}

/**
 * Every element with this attribute, and the sentence that it names.
 * @param {string} name
 * @returns {[Element, string][]}
 */
function withKey(name) {
  return Array.from(document.querySelectorAll(`[${name}]`), (element) => {
    const key = element.getAttribute(name) ?? "";
    if (!isKey(key)) throw new TypeError(`index.html names ${key}, which is no sentence without blanks`);
    return [element, t(key)];
  });
}
