// A page that is served while its engine for WebGPU is still compiled: how far that is, and when it is there.
import { say } from "../shared/say.js";
import { COMPILING } from "./build.js";
import { lookForUpdate } from "./offline.js";
import { notice } from "./ui/notices.js";

/** How often it is asked. */
const EVERY_MS = 1000;

/** So many of how many parts are compiled; nothing is known of them while both are 0. */
export const compilation = Object.assign(new EventTarget(), { done: 0, total: 0 });

/** Whether the page on the host still lacks the engine. */
async function lacksEngine() {
  const page = await fetch("index.html", { cache: "no-store" });
  return !page.ok || /name="compiling" content="webgpu"/.test(await page.text());
}

/** Says how far the engine is, until the page with it is there, and has that one offered. */
export async function followCompilation() {
  if (!COMPILING) return;
  notice(say("engine.compiling"));
  for (;;) {
    try {
      const told = await fetch("compiling.json", { cache: "no-store" });
      if (!told.ok) return; // nobody compiles it here
      const { done, total } = await told.json();
      if (done !== compilation.done || total !== compilation.total) {
        Object.assign(compilation, { done, total });
        compilation.dispatchEvent(new Event("change"));
      }
      if (!(await lacksEngine())) return await lookForUpdate();
    } catch {
      return; // the program that compiles it, and serves the page, is gone
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}
