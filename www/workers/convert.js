// The worker that converts the authors' checkpoint to a weights directory, by slices of the file.
import init, { CheckpointConversion } from "../pkg/cpu/sdic.js";
import { Failure } from "../shared/failure.js";
import { ownFolder, removeOwnModel } from "../shared/own-model.js";
import { t } from "../shared/strings.js";
import { answerCalls, notify } from "./answers.js";

answerCalls({
  /**
   * Replaces the visitor's own model by what is in `file`; `progress` events count tensors. Leaves nothing behind when
   * it fails.
   * @param {File} file
   */
  async convert(file) {
    await init();
    const conversion = new CheckpointConversion(file, "f16");
    await removeOwnModel();
    try {
      const folder = await ownFolder({ create: true });
      for (;;) {
        const next = conversion.nextFile();
        if (!next) return;
        await write(folder, next.name, next.bytes);
        notify("progress", { done: next.done, total: next.total });
      }
    } catch (thrown) {
      await removeOwnModel();
      if (thrown instanceof DOMException && thrown.name === "QuotaExceededError") {
        throw new Failure({ code: "no-space", message: t("error.noSpace"), hint: t("hint.noSpace") });
      }
      throw thrown;
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
    access.write(bytes);
    access.flush();
  } finally {
    access.close();
  }
}
