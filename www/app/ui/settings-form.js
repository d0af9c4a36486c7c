// What the visitor can set: the language, and where single keys work. The theme and the engine have their own places.
import { languageName, spoken, spokenLanguage, t } from "../../shared/strings.js";
import { byId, h } from "../dom.js";
import { browsersLanguage, chooseLanguage, languages } from "../language.js";
import { remember, settings } from "../settings.js";
import { fillSelect } from "./choices.js";
import { helpRows, showKeysFocus } from "./keys.js";
import { report } from "./notices.js";

/** @import { Settings } from "../settings.js" */

const KEYS = /** @type {const} */ (["everywhere", "picture", "off"]);

export function startSettings() {
  const language = byId("language", HTMLSelectElement);
  const keys = byId("single-keys", HTMLSelectElement);
  // On the start page languages name themselves: whoever cannot read the page can read that.
  const buttons = languages.map((code) => {
    const onclick = () => void chooseLanguage(code).catch(report);
    const button = h("button", { type: "button", className: "link", lang: code, onclick }, languageName(code));
    return { code, button };
  });
  byId("languages", HTMLElement).append(...buttons.map(({ button }) => button));

  spoken(() => {
    const auto = t("settings.languageAuto", { language: languageName(browsersLanguage()) });
    fillSelect(language, [
      { value: "auto", label: auto },
      ...languages.map((value) => ({ value, label: languageName(value) })),
    ]);
    language.value = settings.language;
    fillSelect(
      keys,
      KEYS.map((value) => ({ value, label: t(`settings.keys.${value}`) })),
    );
    keys.value = settings.keys;
    byId("keys-help", HTMLElement).replaceChildren(...helpRows());
    for (const { code, button } of buttons) button.setAttribute("aria-pressed", String(spokenLanguage() === code));
  });
  language.addEventListener("change", async () => {
    await chooseLanguage(/** @type {Settings["language"]} */ (language.value)).catch(report);
    language.value = settings.language;
  });
  keys.addEventListener("change", () => {
    remember({ keys: /** @type {Settings["keys"]} */ (keys.value) });
    showKeysFocus();
  });
  showKeysFocus();
}
