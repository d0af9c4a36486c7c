// The worker that converts the authors' checkpoint to a weights directory, by slices of the file.
import init, { CheckpointConversion } from "../pkg/cpu/sdic.js";
import { replaceOwnModel } from "../shared/own-model.js";
import { answerCalls, notify } from "./answers.js";
import { storageFailure, writeFile } from "./files.js";

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
          await writeFile(folder, next.name, next.bytes);
          notify("progress", { done: next.done, total: next.total });
        }
      });
    } catch (thrown) {
      throw storageFailure(thrown);
    } finally {
      conversion.free();
    }
  },
});
