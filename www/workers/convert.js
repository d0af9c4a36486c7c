// The worker that converts the authors' checkpoint to a weights directory, by slices of the file.
import { CheckpointConversion } from "../pkg/cpu/sdic.js";
import { FROM, keepOwnModel } from "../shared/own-model.js";
import { answerCalls, notify } from "./answers.js";
import { startCpu } from "./cpu.js";
import { storageFailure, writeFile } from "./files.js";

answerCalls({
  /**
   * Keeps the model in `file` as one of the visitor's own; `progress` events count tensors. When it fails, the models
   * kept before stay and nothing else is left behind.
   * @param {File} file
   * @returns {Promise<string>} what the model is called by where it is kept
   */
  async convert(file) {
    await startCpu();
    const conversion = new CheckpointConversion(file, "f16");
    try {
      return await keepOwnModel(async (folder) => {
        await writeFile(folder, FROM, new TextEncoder().encode(file.name));
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
