// The language of the page: the visitor's choice, or the first of the browser's that there is a table for.
import { choose, isKey, LANGUAGES, speak, spoken, spokenLanguage, t } from "../shared/strings.js";
import { remember, settings } from "./settings.js";

/** @import { Language } from "../shared/strings.js" */

/** @type {Language[]} */
export const languages = /** @type {Language[]} */ (Object.keys(LANGUAGES));

/** The language that the browser's settings ask for. */
export function browsersLanguage() {
  return choose(navigator.languages).language;
}

/** @param {"auto" | Language} language */
export function chooseLanguage(language) {
  remember({ language });
  settle();
}

/** Speaks the language that the settings ask for, with numbers as its speakers write them in the visitor's country. */
function settle() {
  const wish = settings.language;
  const { language, locale } = choose(navigator.languages, wish === "auto" ? undefined : wish);
  speak(language, locale);
}

/** Speaks, and keeps all words that stand in index.html in the language that is spoken. */
export function startLanguage() {
  settle();
  addEventListener("languagechange", settle);
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
