// The worker that converts the authors' checkpoint to a weights directory, by slices of the file.
import { CheckpointConversion } from "../pkg/cpu/sdic.js";
import { Failure } from "../shared/failure.js";
import { FROM, keepOwnModel, SOURCE } from "../shared/own-model.js";
import { answerCalls, notify } from "./answers.js";
import { startCpu } from "./cpu.js";
import { holds, storageFailure, writeFile } from "./files.js";

/** @import { SourceFile } from "../shared/source-file.js" */

/** How often progress is told at most. */
const TELL_MS = 100;

/**
 * Has `onRead` hear how many bytes are read of a file, whoever reads it.
 * @param {File} file
 * @param {(bytes: number) => void} onRead
 */
function followed(file, onRead) {
  return Object.assign(file, {
    slice(/** @type {number} */ start, /** @type {number} */ end) {
      const part = Blob.prototype.slice.call(file, start, end);
      onRead(part.size);
      return part;
    },
  });
}

/**
 * Tells how much of a file is read, now and then.
 * @param {File} file
 */
function teller({ size: total }) {
  let [read, told] = [0, Number.NEGATIVE_INFINITY];
  return (/** @type {number} */ bytes) => {
    read = Math.min(total, read + bytes); // names and shapes are read twice
    const now = performance.now();
    if (now - told < TELL_MS) return;
    told = now;
    notify("progress", { read, total });
  };
}

/**
 * Whether a failure is the file's: then what was made of it is good for nothing. A file that is gone may come back.
 * @param {unknown} thrown
 * @param {File} file
 */
async function isDamaged(thrown, file) {
  const { code } = Failure.from(thrown);
  if (code !== "import" && code !== "weights") return false;
  const readable = Blob.prototype.slice.call(file, 0, 1).arrayBuffer();
  return readable.then(
    () => true,
    () => false,
  );
}

/**
 * Writes a file, unless it is there already, from a conversion that was broken off. One that does not fit is not left
 * half written.
 * @param {FileSystemDirectoryHandle} folder
 * @param {string} name
 * @param {Uint8Array} bytes
 */
async function put(folder, name, bytes) {
  if (await holds(folder, name, bytes)) return;
  try {
    await writeFile(folder, name, bytes);
  } catch (thrown) {
    await folder.removeEntry(name).catch(() => {});
    throw thrown;
  }
}

answerCalls({
  /**
   * Keeps the model in `file` as one of the visitor's own; `progress` events count the bytes that are read. When it
   * fails, the models kept before stay. Shards that are whole stay too, and the same file goes on from there, unless
   * the file itself is damaged.
   * @param {File} file
   * @param {SourceFile} source what the file is recognised by
   * @returns {Promise<string>} what the model is called by where it is kept
   */
  async convert(file, source) {
    await startCpu();
    const conversion = new CheckpointConversion(followed(file, teller(file)), "f16");
    const text = new TextEncoder();
    const next = async (/** @type {FileSystemDirectoryHandle} */ folder) => {
      try {
        return conversion.nextFile();
      } catch (thrown) {
        // Without this the folder is a left-over.
        if (await isDamaged(thrown, file)) await folder.removeEntry(SOURCE).catch(() => {});
        throw thrown;
      }
    };
    try {
      return await keepOwnModel(async (folder) => {
        await put(folder, FROM, text.encode(file.name));
        await put(folder, SOURCE, text.encode(JSON.stringify(source)));
        for (let made = await next(folder); made; made = await next(folder)) await put(folder, made.name, made.bytes);
      }, source);
    } catch (thrown) {
      throw storageFailure(thrown);
    } finally {
      conversion.free();
    }
  },
});
