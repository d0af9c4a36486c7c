// Offline use and installation.
import { byId } from "./dom.js";
import { notice } from "./ui/notices.js";
import { t } from "../shared/strings.js";

/** Chromium's event that offers installation. @typedef {Event & { prompt: () => Promise<unknown> }} InstallEvent */

addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  const install = byId("install", HTMLButtonElement);
  install.hidden = false;
  install.onclick = () => {
    install.hidden = true;
    void (/** @type {InstallEvent} */ (event).prompt());
  };
});

/** Lets the service worker keep this version of the page; called when the model has loaded, so as not to compete with it. */
export async function keepForOffline() {
  if (!("serviceWorker" in navigator)) return;
  try {
    const replacing = navigator.serviceWorker.controller !== null;
    const registration = await navigator.serviceWorker.register(new URL("../sw.js", import.meta.url), { updateViaCache: "none" });
    const offer = (/** @type {ServiceWorker | null} */ worker) => {
      if (worker?.state !== "installed" || !replacing) return;
      navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
      notice(t("update.ready"), { action: { label: t("update.reload"), run: () => worker.postMessage("take over") } });
    };
    offer(registration.waiting);
    registration.addEventListener("updatefound", () => {
      const worker = registration.installing;
      worker?.addEventListener("statechange", () => offer(worker));
    });
  } catch {
    // a browser that forbids service workers only loses offline use
  }
}
