// Offline use and installation.

import { say } from "../shared/say.js";
import { VERSION } from "./build.js";
import { byId } from "./dom.js";
import { kept } from "./own.js";
import { notice } from "./ui/notices.js";

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

/**
 * Lets the service worker keep this version of the page, and offers the next one when there is one.
 * @param {Promise<unknown>} engine settles when the first start of the engine has ended, well or badly
 */
export async function keepForOffline(engine) {
  void kept().then((own) => own?.sweepOwnModels());
  try {
    const container = navigator.serviceWorker;
    // The first visit's files must not compete with its model. Later on nothing may stand between a page and its
    // successor, least of all an engine that does not start.
    if (!container.controller) await engine.catch(() => {});
    let offered = "";
    const greet = async () => {
      const { active } = await container.ready;
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = ({ data }) => {
        if (data.version === VERSION || data.version === offered) return;
        offered = data.version;
        offerReload();
      };
      // What this page has loaded on use before it was served offline is to be kept, too, such as its language.
      const used = performance.getEntriesByType("resource").map(({ name }) => name);
      active?.postMessage({ version: VERSION, used }, [port2]);
    };
    const registration = await container.register(new URL("../sw.js", import.meta.url), { updateViaCache: "none" });
    const watch = () => registration.installing?.addEventListener("statechange", () => void greet());
    watch();
    registration.addEventListener("updatefound", watch);
    container.addEventListener("controllerchange", () => void greet());
    const update = () => registration.update().catch(() => {}); // the network is not always there
    document.addEventListener("visibilitychange", () => void (document.visibilityState === "visible" && update()));
    void update();
    await greet();
  } catch {
    // a browser that forbids service workers only loses offline use
  }
}

/** Has the browser look whether the host has another version of the page. */
export async function lookForUpdate() {
  try {
    const registration = await navigator.serviceWorker.getRegistration();
    await registration?.update();
  } catch {
    // where service workers are forbidden, the next visit has it
  }
}

/** A newer version is kept: pages opened from now on run it, this one goes on until its visitor wants otherwise. */
function offerReload() {
  const editing = document.body.dataset.view === "work";
  const run = () => {
    if (!editing && document.body.dataset.view === "work")
      offerReload(); // a photo was opened in the meantime
    else location.reload();
  };
  notice(say(editing ? "update.readyEditing" : "update.ready"), { action: { label: say("update.reload"), run } });
}

/** Asks the browser not to throw out what is kept when it needs room. */
export async function askToPersist() {
  try {
    await navigator.storage?.persist?.();
  } catch {
    // then it may
  }
}
