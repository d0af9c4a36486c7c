// The visitor's own directions: which files there are, and which of them the engine has taken.
import { Failure } from "../shared/failure.js";
import { say } from "../shared/say.js";
import { fingerprint, forgetFile, keepFile, keptFiles } from "./kept-files.js";

/** @import { PageEngine } from "./engine.js" */
/** @import { DirectionInfo, ModelInfo } from "../shared/types.js" */

/** What files with directions are called. */
export const FORMATS = Object.freeze([".npy", ".npz", ".pt", ".safetensors"]);

/**
 * @typedef {{ file: File, directions: DirectionInfo[], refusal?: Failure }} OwnFile
 *   `refusal`: why the engine does not use it; the file is kept all the same
 */

/** Fires `change`, and `notice` (what the visitor is told). */
export class OwnDirections extends EventTarget {
  #engine;
  /** The fingerprint of the model that `files` belong to. */
  #model = "";
  /** @type {{ model: ModelInfo, done: Promise<void> } | undefined} the loaded model that was given the files */
  #equipped;
  /** @type {OwnFile[]} */
  files = [];

  /** @param {PageEngine} engine */
  constructor(engine) {
    super();
    this.#engine = engine;
  }

  /** All directions that the engine has taken. */
  get directions() {
    return this.files.flatMap(({ directions }) => directions);
  }

  /**
   * Gives a model that was just loaded the visitor's own directions, once.
   * @param {ModelInfo} model
   */
  equip(model) {
    if (this.#equipped?.model === model) return this.#equipped.done;
    const done = this.#giveAll(model);
    const equipped = { model, done };
    this.#equipped = equipped;
    done.catch(() => {
      if (this.#equipped === equipped) this.#equipped = undefined;
    });
    return done;
  }

  /** @param {ModelInfo} model */
  async #giveAll(model) {
    const key = await fingerprint(model);
    if (this.#model !== key) {
      this.files = (await keptFiles(key, model.name)).map((file) => ({ file, directions: [] }));
      this.#model = key;
    }
    for (const own of [...this.files]) {
      // One that brought the engine down must not do so again and again.
      if (own.refusal?.fatal) continue;
      try {
        own.directions = await this.#engine.addDirections(own.file);
        own.refusal = undefined;
      } catch (thrown) {
        const failure = Failure.from(thrown);
        if (failure.code !== "import" && !failure.fatal) throw failure;
        own.directions = [];
        own.refusal = failure;
        this.#tell("notice", { said: say("direction.unused", { file: own.file.name }), detail: failure.message });
        if (failure.fatal) throw failure;
      }
    }
    this.#tell("change");
  }

  /**
   * Adds the directions in a file to the model, in place of an earlier file of its name, and keeps the file for the
   * next visit.
   * @param {File} file
   * @returns {Promise<DirectionInfo[]>} those that have changed, the earlier file's included
   * @throws {Failure} "import" where the file holds none for this model
   */
  async add(file) {
    await this.equip(await this.#engine.ready);
    const copy = new File([await file.arrayBuffer()], file.name); // the one on the disk may change
    const directions = await this.#engine.addDirections(copy);
    const replaced = this.files.filter((other) => other.file.name === file.name);
    this.files = [...this.files.filter((other) => !replaced.includes(other)), { file: copy, directions }];
    this.#tell("change");
    void keepFile(this.#model, copy).then((kept) => {
      if (!kept) this.#tell("notice", { said: say("direction.notKept", { file: copy.name }) });
    });
    return [...directions, ...replaced.flatMap((other) => other.directions)];
  }

  /**
   * Removes a file and its sliders, as the visitor asked.
   * @param {OwnFile} own
   */
  async remove(own) {
    this.files = this.files.filter((other) => other !== own);
    this.#tell("change");
    await forgetFile(this.#model, own.file.name);
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
