// Looks: what sliders do together. Which are offered, the one that a face has, the visitor's own, and the one that is
// carried from photo to photo.
import { Failure } from "../shared/failure.js";
import { alike, parseLook, readLook, rounded, writeLook } from "../shared/look-file.js";
import { LOOKS } from "../shared/looks.js";
import { say } from "../shared/say.js";
import { atRest } from "../shared/strengths.js";
import { fingerprint } from "./kept-files.js";
import { KEY, keepLooks, keptLooks } from "./kept-looks.js";

/** @import { Portrait } from "./portrait.js" */
/** @import { Session } from "./session.js" */
/** @import { KeptLook } from "../shared/look-file.js" */
/** @import { Said } from "../shared/say.js" */
/** @import { DirectionInfo, ModelInfo, Strengths } from "../shared/types.js" */

/**
 * A look as this model does it.
 * @typedef {{ id: string, name: Said, strengths: Strengths, own: boolean }} OfferedLook
 */

/** What files of looks are called. */
export const LOOK_FILE = /\.json$/i;

/** Fires `change` (other looks are offered, or another one is carried), `notice` (what is told) and `failure`. */
export class Looks extends EventTarget {
  #session;
  /** The fingerprint of the model that `own` belongs to. */
  #model = "";
  /** @type {Promise<void>} when the own looks of the model in use are there */
  #greeted = Promise.resolve();
  /** @type {WeakMap<Portrait, { set: Strengths, before: Strengths }>} sliders by a look, and as they were before */
  #before = new WeakMap();

  /** @type {KeptLook[]} the visitor's own, for this model */
  own = [];
  /** @type {Strengths | undefined} what was copied */
  copied;

  /** @param {Session} session */
  constructor(session) {
    super();
    this.#session = session;
    const { engine } = session;
    const greet = () => {
      if (engine.model) this.#greeted = this.#greet(engine.model);
    };
    engine.addEventListener("model", greet);
    session.addEventListener("directions", () => this.#tell("change"));
    // Another tab keeps its looks in the same place.
    addEventListener("storage", ({ key }) => key === KEY && this.#model && this.#reread());
  }

  /** @param {ModelInfo} model */
  async #greet(model) {
    const key = await fingerprint(model);
    if (model !== this.#session.engine.model) return;
    this.#model = key;
    this.#reread();
  }

  #reread() {
    this.own = keptLooks(this.#model);
    this.#tell("change");
  }

  /** The sliders that there are. */
  get #sliders() {
    const { engine, ownFiles } = this.#session;
    const all = [...(engine.model?.directions ?? []), ...ownFiles.flatMap(({ directions }) => directions)];
    return new Map(all.map((direction) => [direction.name, direction]));
  }

  /**
   * Strengths that the sliders there are can have: those of others are left out, and none goes beyond its slider's end.
   * @param {Readonly<Strengths>} strengths
   * @param {Map<string, DirectionInfo>} [sliders]
   * @returns {Strengths}
   */
  #fitted(strengths, sliders = this.#sliders) {
    const entries = Object.entries(strengths).flatMap(([name, strength]) => {
      const [min, max] = sliders.get(name)?.range ?? [0, 0];
      const within = Math.min(Math.max(strength, min), max);
      return sliders.has(name) && within !== 0 ? [[name, within]] : [];
    });
    return Object.fromEntries(entries);
  }

  /** @returns {OfferedLook[]} the visitor's own first */
  get offered() {
    const sliders = this.#sliders;
    const given = LOOKS.filter(({ main }) => main.every((name) => sliders.has(name)));
    const all = [
      ...this.own.map(({ name, strengths }) => ({ id: `own/${name}`, name, strengths, own: true })),
      ...given.map(({ id, name, strengths }) => ({ id, name: say(name), strengths, own: false })),
    ];
    const fitted = all.map((look) => ({ ...look, strengths: this.#fitted(look.strengths, sliders) }));
    return fitted.filter(({ strengths }) => !atRest(strengths));
  }

  /** @returns {OfferedLook | undefined} the one that the face in use has */
  get present() {
    const { strengths } = this.#session;
    return this.offered.find((look) => alike(look.strengths, strengths));
  }

  /** Whether there are sliders to keep or to copy. */
  get any() {
    return this.#session.inverted && !atRest(this.#session.strengths);
  }

  // ---- On the face in use

  /**
   * Sets all sliders to a look, as one step; of a face that has it, takes it back.
   * @param {OfferedLook} look
   */
  choose(look) {
    if (!this.#session.inverted) return;
    if (alike(look.strengths, this.#session.strengths)) this.withdraw();
    else this.#put(look.strengths);
  }

  /** Takes back a look: sliders are as they were before the first one. */
  withdraw() {
    const { present } = this;
    if (!present || !this.#session.inverted) return;
    const portrait = this.#portrait;
    const known = portrait && this.#before.get(portrait);
    this.#setAll(known && alike(known.set, present.strengths) ? known.before : {});
  }

  get #portrait() {
    return this.#session.portraits.inUse;
  }

  /** @param {Strengths} strengths */
  #put(strengths) {
    const portrait = this.#portrait;
    if (!portrait) return;
    const known = this.#before.get(portrait);
    // From look to look, what was before the first one stays.
    const goesOn = known && this.present && alike(known.set, portrait.strengths);
    this.#before.set(portrait, { set: strengths, before: goesOn ? known.before : { ...portrait.strengths } });
    this.#setAll(strengths);
  }

  /**
   * Sets these sliders, and all others to rest.
   * @param {Strengths} strengths
   */
  #setAll(strengths) {
    const rest = Object.keys(this.#session.strengths).map((name) => [name, 0]);
    this.#session.set({ ...Object.fromEntries(rest), ...strengths });
  }

  // ---- From photo to photo

  /** Remembers the sliders of the face in use; also as text, for other tabs and programs, where the browser lets us. */
  copy() {
    if (!this.any) return;
    this.copied = rounded(this.#session.strengths);
    navigator.clipboard?.writeText(writeLook({ name: "", strengths: this.copied })).catch(() => {});
    this.#tell("change");
    this.#tell("notice", { said: say("look.copied") });
  }

  /** Sets the sliders of the face in use to those that were copied. */
  paste() {
    if (!this.copied || !this.#session.inverted) return;
    const fitted = this.#fitted(this.copied);
    if (atRest(fitted)) return this.#fail(unfit());
    const missing = Object.keys(this.copied).length - Object.keys(fitted).length;
    this.#put(fitted);
    const said = missing > 0 ? say("look.pastedPartly", { count: missing }) : say("look.pasted");
    this.#tell("notice", { said });
  }

  /**
   * Takes a look from what is pasted by key, if there is one in it.
   * @param {DataTransfer | null} data
   * @returns {boolean} false where it is something else
   */
  pasteFrom(data) {
    if (!data || data.files.length > 0) return false;
    const text = data.getData("text/plain");
    // With nothing there the browser did not let us put it there.
    if (text ? !text.includes('"sdicLook"') : data.types.length > 0 || !this.copied) return false;
    try {
      if (text) this.copied = rounded(parseLook(text).strengths);
    } catch (thrown) {
      this.#fail(thrown);
      return true;
    }
    this.#tell("change");
    if (this.#session.inverted) this.paste();
    else this.#tell("notice", { said: say("look.waits") });
    return true;
  }

  // ---- The visitor's own

  /**
   * A name that no own look has.
   * @param {string} name
   */
  #free(name) {
    const taken = new Set(this.own.map((look) => look.name));
    let free = name;
    for (let number = 2; taken.has(free); number++) free = `${name} (${number})`;
    return free;
  }

  /**
   * Keeps the sliders of the face in use as a look.
   * @param {string} name
   */
  save(name) {
    const look = { name: this.#free(name), strengths: rounded(this.#session.strengths) };
    this.#keep([...this.own, look]);
    this.#tell("notice", { said: say("look.saved", { name: look.name }) });
  }

  /**
   * @param {KeptLook} look
   * @param {string} name
   * @returns {KeptLook} under a name that no other has
   */
  rename(look, name) {
    if (name === look.name) return look;
    const renamed = { ...look, name: this.#free(name) };
    this.#keep(this.own.map((each) => (each.name === look.name ? renamed : each)));
    return renamed;
  }

  /**
   * @param {KeptLook} look
   * @returns {() => void} brings it back to its place
   */
  remove(look) {
    const [model, at] = [this.#model, this.own.findIndex(({ name }) => name === look.name)];
    this.#keep(this.own.filter((each) => each.name !== look.name));
    return () => {
      if (model === this.#model) this.#keep(this.own.toSpliced(at, 0, { ...look, name: this.#free(look.name) }));
      else keepLooks(model, keptLooks(model).toSpliced(at, 0, look)); // another model is in use by now
    };
  }

  /**
   * Takes looks from files.
   * @param {Iterable<File>} files
   */
  async add(files) {
    for (const file of files) {
      try {
        const { name, strengths } = await readLook(file);
        await this.#session.engine.ready;
        await this.#greeted;
        this.#take({ name: name.trim() || file.name.replace(LOOK_FILE, ""), strengths: rounded(strengths) });
      } catch (thrown) {
        const { code, said: problem, hint, detail } = Failure.from(thrown);
        const message = code === "look" ? say("error.lookFile", { file: file.name, problem }) : problem;
        this.#fail(new Failure({ code, message, hint, detail }));
      }
    }
  }

  /** @param {KeptLook} look */
  #take(look) {
    const { name, strengths } = look;
    const sliders = this.#sliders;
    if (atRest(this.#fitted(strengths, sliders))) throw unfit();
    const before = this.own.find((each) => each.name === name);
    if (!before || !alike(before.strengths, strengths)) this.#keep([...this.own, { ...look, name: this.#free(name) }]);
    const count = Object.keys(strengths).filter((each) => !sliders.has(each)).length;
    this.#tell("notice", { said: count > 0 ? say("look.addedPartly", { name, count }) : say("look.saved", { name }) });
  }

  /** @param {KeptLook[]} looks */
  #keep(looks) {
    this.own = looks;
    const kept = keepLooks(this.#model, looks);
    this.#tell("change");
    if (!kept) this.#tell("notice", { said: say("look.notKept") });
  }

  /** @param {unknown} thrown */
  #fail(thrown) {
    this.#tell("failure", Failure.from(thrown));
  }

  /**
   * @param {string} type
   * @param {unknown} [detail]
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Why a look does nothing here. */
function unfit() {
  return new Failure({ code: "look", message: say("error.lookUnfit"), hint: say("hint.lookUnfit") });
}
