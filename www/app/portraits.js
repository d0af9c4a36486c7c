// The faces of the open photo that were worked on.
import { samePlace } from "../shared/quad.js";
import { same } from "../shared/strengths.js";

/** @import { Portrait } from "./portrait.js" */
/** @import { FoundFace, Quad, Strengths } from "../shared/types.js" */

/** Portraits besides the one in use that keep their inversion and pictures. */
const MOST_AWAKE = 4;

export class Portraits {
  /** @type {readonly Portrait[]} */
  #all = [];
  /** @type {WeakMap<Portrait, Strengths>} the sliders of each when it was last saved */
  #saved = new WeakMap();

  /** The one in use last. */
  get all() {
    return this.#all;
  }

  /** The one that the visitor sees. */
  get inUse() {
    return this.#all.at(-1);
  }

  get busy() {
    return this.#all.some(({ busy }) => busy);
  }

  /** Those with edits that are in no file. */
  get unsaved() {
    return this.#all.filter((each) => each.edited && !same(each.strengths, this.#saved.get(each) ?? {}));
  }

  /** @param {Portrait} portrait */
  besides(portrait) {
    return this.#all.filter((other) => other !== portrait);
  }

  /** @param {FoundFace | undefined} face */
  of(face) {
    return this.#all.find((each) => face && each.face === face);
  }

  /** @param {Quad} quad */
  at(quad) {
    return this.#all.find((each) => samePlace(each.quad, quad));
  }

  /**
   * Takes one into use. Those that were not for long give up what can be made again.
   * @param {Portrait} portrait
   */
  use(portrait) {
    const others = this.besides(portrait);
    this.#all = [...others, portrait];
    for (const other of others.slice(0, -MOST_AWAKE)) other.rest();
  }

  /**
   * Adds one that nobody sees yet.
   * @param {Portrait} portrait
   */
  add(portrait) {
    this.#all = [portrait, ...this.#all];
  }

  /**
   * Closes some, whose sliders another one takes over.
   * @param {Portrait} heir
   * @param {(portrait: Portrait) => boolean} which
   */
  replace(heir, which) {
    for (const portrait of this.#all.filter(which)) {
      heir.inherit(portrait);
      portrait.close();
      this.#all = this.besides(portrait);
    }
  }

  /** Closes all. */
  clear() {
    for (const portrait of this.#all) portrait.close();
    this.#all = [];
  }

  /**
   * Notes which edits are in a file now.
   * @param {readonly [Portrait, Strengths][]} edits
   */
  noteSaved(edits) {
    for (const [portrait, strengths] of edits) this.#saved.set(portrait, strengths);
  }

  /**
   * Forgets all sliders but these.
   * @param {Set<string>} names
   * @returns {boolean} whether one of those that are used is forgotten
   */
  keepOnly(names) {
    return this.#all.filter((portrait) => portrait.keepOnly(names)).length > 0;
  }

  /**
   * Has the edits of some made anew, for sliders mean something else now: of the one in use at once, of others when they
   * are wanted.
   * @param {readonly Portrait[]} portraits
   */
  renew(portraits) {
    for (const each of portraits) {
      if (each === this.inUse) each.refresh();
      else each.forgetEdit();
    }
  }
}
