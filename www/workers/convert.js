// The worker that converts the authors' checkpoint to a weights directory, by slices of the file.
import init, { CheckpointConversion } from "../pkg/cpu/sdic.js";
import { Failure } from "../shared/failure.js";
import { replaceOwnModel } from "../shared/own-model.js";
import { say } from "../shared/say.js";
import { answerCalls, notify } from "./answers.js";

answerCalls({
  /**
   * Replaces the visitor's own model by what is in `file`; `progress` events count tensors. When it fails, the model
   * kept before stays and nothing else is left behind.
   * @param {File} file
   */
  async convert(file) {
    await init();
    const conversion = new CheckpointConversion(file, "f16");
    try {
      await replaceOwnModel(async (folder) => {
        for (let next = conversion.nextFile(); next; next = conversion.nextFile()) {
          await write(folder, next.name, next.bytes);
          notify("progress", { done: next.done, total: next.total });
        }
      });
    } catch (thrown) {
      if (!(thrown instanceof DOMException)) throw thrown;
      const full = thrown.name === "QuotaExceededError";
      const message = say(full ? "error.noSpace" : "error.noStorage");
      const hint = say(full ? "hint.noSpace" : "hint.noStorage");
      throw new Failure({ code: full ? "no-space" : "no-storage", message, hint, detail: full ? "" : thrown.message });
    } finally {
      conversion.free();
    }
  },
});

/**
 * @param {FileSystemDirectoryHandle} folder
 * @param {string} name
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
async function write(folder, name, bytes) {
  const file = await folder.getFileHandle(name, { create: true });
  const access = await file.createSyncAccessHandle();
  try {
    access.truncate(0);
    if (access.write(bytes) < bytes.length) throw new DOMException("the file was cut short", "QuotaExceededError");
    access.flush();
  } finally {
    access.close();
  }
}
