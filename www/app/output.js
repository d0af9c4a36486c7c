// The ways out: saving, copying, sharing.
import { Failure } from "../shared/failure.js";
import { say } from "../shared/say.js";
import { offered } from "./abilities.js";
import { byId } from "./dom.js";
import { notice, report } from "./ui/notices.js";
import { fileName, findTypes, openSaveDialog } from "./ui/save-dialog.js";

/** @import { SaveKind } from "../shared/protocol.js" */
/** @import { Saying } from "../shared/say.js" */
/** @import { Session } from "./session.js" */

/**
 * @param {Session} session
 * @param {{ readonly extent: SaveKind }} viewer
 */
export function startOutput(session, viewer) {
  const share = byId("share", HTMLButtonElement);

  findTypes().catch(() => {}); // PNG is always written
  byId("save", HTMLButtonElement).addEventListener("click", () => void openSaveDialog(session));
  const copy = byId("copy", HTMLButtonElement);
  copy.hidden = !offered(() => ClipboardItem && navigator.clipboard.write);
  copy.addEventListener("click", async () => {
    const file = session.save(viewer.extent);
    try {
      await navigator.clipboard.write([new ClipboardItem({ "image/png": file })]);
      session.noteSaved(await file);
      notice(say("save.copied"));
    } catch (thrown) {
      // The browser only says that it got no picture; why there is none we know ourselves.
      const own = await file.then(() => undefined, Failure.from);
      if (own) report(own);
      else refused(say("save.copyFailed"), thrown);
    }
  });

  const sample = new File([], "a.png", { type: "image/png" });
  share.hidden = !offered(() => navigator.canShare({ files: [sample] }));
  share.addEventListener("click", async () => {
    const name = fileName(session.photo?.name ?? "");
    try {
      const saved = await session.save(viewer.extent);
      void send(new File([saved], name, { type: "image/png" }), () => session.noteSaved(saved));
    } catch (thrown) {
      report(thrown);
    }
  });
}

/**
 * Has the browser ask before the page is left with edits that are in no file.
 * @param {Session} session
 */
export function askBeforeLeaving(session) {
  addEventListener("beforeunload", (event) => {
    if (session.portraits.unsaved.length > 0) event.preventDefault();
  });
}

/**
 * Hands a file to the browser's ways of sharing.
 * @param {File} file
 * @param {() => void} onShared
 * @param {boolean} [again] the visitor has pressed a button for just this
 */
async function send(file, onShared, again = false) {
  try {
    await navigator.share({ files: [file] });
    onShared();
  } catch (thrown) {
    const { name } = thrown instanceof DOMException ? thrown : { name: "" };
    if (name === "AbortError") return; // the visitor thought better of it
    // Browsers share only just after a press, and a large photo takes longer to write.
    const action = { label: say("save.share"), run: () => void send(file, onShared, true) };
    if (name === "NotAllowedError" && !again) notice(say("save.shareReady", { name: file.name }), { action });
    else refused(say("save.shareFailed"), thrown);
  }
}

/**
 * @param {Saying} said
 * @param {unknown} thrown by the browser, which has its own words for it
 */
function refused(said, thrown) {
  notice({ said, hint: say("hint.saveInstead"), detail: Failure.from(thrown).message }, { kind: "failure" });
}
