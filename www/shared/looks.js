// The looks that come with the page: strengths of the bundled model's sliders, chosen on its sample portraits so that
// nothing tears and nobody becomes a caricature. Names are said by `look.name.ID`.

/** @import { PlainKey } from "./strings/types.d.ts" */
/** @import { Strengths } from "./types.js" */

/**
 * `main`: the sliders without which it would not be this look; a model without one of them is not offered it. Of the
 * others a model uses those that it has.
 * @typedef {{ id: string, name: PlainKey, main: readonly string[], strengths: Readonly<Strengths> }} GivenLook
 */

/** @type {readonly GivenLook[]} */
export const LOOKS = [
  { id: "hint", name: "look.name.hint", main: ["smile"], strengths: { smile: 0.7, eyes: 0.2 } },
  { id: "warm", name: "look.name.warm", main: ["smile"], strengths: { smile: 1, eyes: -0.4, brows: 0.2 } },
  { id: "beaming", name: "look.name.beaming", main: ["smile"], strengths: { smile: 1.6, eyes: 0.2, brows: 0.6 } },
  { id: "fresh", name: "look.name.fresh", main: ["age", "eyes"], strengths: { smile: 0.6, eyes: 0.8, age: -1.2 } },
  { id: "awake", name: "look.name.awake", main: ["eyes", "brows"], strengths: { eyes: 1.5, brows: 1.5 } },
  { id: "dreamy", name: "look.name.dreamy", main: ["eyes"], strengths: { smile: 0.5, eyes: -1.5, pitch: -0.8 } },
  { id: "serious", name: "look.name.serious", main: ["smile"], strengths: { smile: -1.2, brows: -0.5 } },
  { id: "stern", name: "look.name.stern", main: ["brows"], strengths: { smile: -0.9, eyes: -0.5, brows: -1.6 } },
  { id: "younger", name: "look.name.younger", main: ["age"], strengths: { age: -2.1 } },
  { id: "older", name: "look.name.older", main: ["age"], strengths: { age: 2.1 } },
  { id: "softer", name: "look.name.softer", main: ["gender"], strengths: { smile: 0.4, gender: 1.2, slim: 0.4 } },
  { id: "bolder", name: "look.name.bolder", main: ["gender"], strengths: { brows: -0.5, gender: -1.2, slim: -0.5 } },
];
