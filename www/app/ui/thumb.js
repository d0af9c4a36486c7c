// Undo and redo: beside the sliders' other tools, or on telephones beside "Save", where the thumb is.
import { byId } from "../dom.js";

/** As in styles/phone.css. */
const small = matchMedia("(max-width: 60rem), (max-height: 32rem)");

export function startThumb() {
  const buttons = ["undo", "redo"].map((id) => byId(id, HTMLButtonElement));
  const [home] = buttons.map(({ parentElement }) => parentElement);
  const place = () => {
    const focused = buttons.find((button) => button === document.activeElement);
    (small.matches ? document.querySelector("#panel .save") : home)?.prepend(...buttons);
    focused?.focus();
  };
  small.addEventListener("change", place);
  place();
}
