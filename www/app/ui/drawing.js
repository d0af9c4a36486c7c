// Faces that nobody has: a model with a mapping network draws one after another. With a generator alone, which takes no
// photo, there is nothing else to begin with.
import { byId } from "../dom.js";

/** @import { Session } from "../session.js" */

/** @param {Session} session */
export function offerDrawing(session) {
  const { engine } = session;
  const [first, another] = [byId("draw", HTMLButtonElement), byId("draw-another", HTMLButtonElement)];
  const show = () => {
    const draws = engine.model?.draws === true;
    const alone = engine.model?.inverts === false;
    document.body.classList.toggle("draws-only", alone);
    first.classList.toggle("primary", alone);
    first.classList.toggle("secondary", !alone);
    first.hidden = !draws;
    another.hidden = !draws || session.photo === undefined;
  };
  for (const button of [first, another]) button.addEventListener("click", () => void session.draw());
  engine.addEventListener("model", show);
  session.addEventListener("photo", show);
}
