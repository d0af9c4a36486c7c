// The ways out: saving, copying, sharing.
import { Failure } from "../shared/failure.js";
import { say } from "../shared/say.js";
import { byId } from "./dom.js";
import { notice, report } from "./ui/notices.js";
import { fileName, openSaveDialog } from "./ui/save-dialog.js";

/** @import { SaveKind } from "../shared/protocol.js" */
/** @import { Session } from "./session.js" */

/**
 * @param {Session} session
 * @param {{ readonly extent: SaveKind }} viewer
 */
export function startOutput(session, viewer) {
  const share = byId("share", HTMLButtonElement);

  byId("save", HTMLButtonElement).addEventListener("click", () => void openSaveDialog(session));
  byId("copy", HTMLButtonElement).addEventListener("click", async () => {
    const file = session.save(viewer.extent);
    try {
      await navigator.clipboard.write([new ClipboardItem({ "image/png": file })]);
      notice(say("save.copied"));
    } catch (thrown) {
      // The browser only says that it got no picture; why there is none we know ourselves.
      const own = await file.then(() => undefined, Failure.from);
      if (own) report(own);
      else notice({ said: say("save.copyFailed"), detail: Failure.from(thrown).message }, { kind: "failure" });
    }
  });

  share.hidden = !navigator.canShare?.({ files: [new File([], "a.png", { type: "image/png" })] });
  share.addEventListener("click", async () => {
    try {
      const name = fileName(session.photo?.name ?? "");
      const file = new File([await session.save(viewer.extent)], name, { type: "image/png" });
      await navigator.share({ files: [file] });
    } catch (thrown) {
      if (!(thrown instanceof DOMException && thrown.name === "AbortError")) report(thrown);
    }
  });
}
