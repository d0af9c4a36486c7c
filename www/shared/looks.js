// The looks that come with the page: strengths of the bundled model's sliders, chosen on its sample portraits and on
// photos so that nothing tears and nobody becomes a caricature. A strong smile draws teeth as one white band where lips
// were closed, hence none is at its end. Names are said by `look.name.ID`.

/** @import { PlainKey } from "./strings/types.d.ts" */
/** @import { Strengths } from "./types.js" */

/**
 * `main`: the sliders without which it would not be this look; a model without one of them is not offered it. Of the
 * others a model uses those that it has.
 * @typedef {{ id: string, name: PlainKey, main: readonly string[], strengths: Readonly<Strengths> }} GivenLook
 */

/** @type {readonly GivenLook[]} */
export const LOOKS = [
  { id: "hint", name: "look.name.hint", main: ["smile"], strengths: { smile: 0.5, eyes: 0.2 } },
  { id: "warm", name: "look.name.warm", main: ["smile"], strengths: { smile: 0.85, eyes: -0.4, brows: 0.2 } },
  { id: "beaming", name: "look.name.beaming", main: ["smile"], strengths: { smile: 1.3, eyes: 0.2, brows: 0.6 } },
  { id: "fresh", name: "look.name.fresh", main: ["age", "eyes"], strengths: { smile: 0.4, eyes: 0.8, age: -1.2 } },
  { id: "awake", name: "look.name.awake", main: ["eyes", "brows"], strengths: { eyes: 1.3, brows: 1.2 } },
  { id: "dreamy", name: "look.name.dreamy", main: ["eyes"], strengths: { smile: 0.3, eyes: -1.5, pitch: -0.6 } },
  { id: "serious", name: "look.name.serious", main: ["smile"], strengths: { smile: -1, brows: -0.5 } },
  { id: "stern", name: "look.name.stern", main: ["brows"], strengths: { smile: -0.8, eyes: -0.5, brows: -1.3 } },
  { id: "younger", name: "look.name.younger", main: ["age"], strengths: { eyes: 0.4, age: -2.5, slim: -0.4 } },
  { id: "older", name: "look.name.older", main: ["age"], strengths: { age: 2.1 } },
  { id: "softer", name: "look.name.softer", main: ["gender"], strengths: { smile: 0.3, gender: 1, slim: 0.4 } },
  { id: "bolder", name: "look.name.bolder", main: ["gender"], strengths: { brows: -0.5, gender: -1, slim: -0.4 } },
];
