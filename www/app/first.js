// What is there before the rest of the page has come: words, icons, and the samples.
import { icon } from "./dom.js";
import { startLanguage } from "./language.js";
import { showSamples } from "./ui/samples.js";

void startLanguage();
for (const element of document.querySelectorAll("[data-icon]")) {
  element.prepend(icon(element.getAttribute("data-icon") ?? ""));
}
void showSamples().catch(() => {});
