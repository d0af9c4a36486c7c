// Light, dark, or as the system has it.
import { spoken, t } from "../../shared/strings.js";
import { byId } from "../dom.js";
import { remember, settings } from "../settings.js";

const THEMES = /** @type {const} */ (["system", "light", "dark"]);

export function startTheme() {
  const button = byId("theme-button", HTMLButtonElement);

  function show() {
    const { theme } = settings;
    document.documentElement.dataset.theme = theme;
    const label = t("top.theme", { theme: t(`theme.${theme}`) });
    button.setAttribute("aria-label", label);
    button.title = label;
  }

  button.addEventListener("click", () => {
    remember({ theme: THEMES[(THEMES.indexOf(settings.theme) + 1) % THEMES.length] });
    show();
  });
  spoken(show);
}
