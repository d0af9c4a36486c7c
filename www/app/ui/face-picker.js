// The faces of a photo, to choose from.
import { spoken, t } from "../../shared/strings.js";
import { byId, draw, h } from "../dom.js";
import { fillRadioGroup, selectRadio } from "./choices.js";

/** @import { FoundFace } from "../../shared/types.js" */
/** @import { Session } from "../session.js" */

const faces = byId("faces", HTMLElement);

/** @param {Session} session */
export function startFacePicker(session) {
  /** Which faces are edited, of those that are offered. */
  const editedFaces = () =>
    session.faces.map((face) => session.portraits.all.some((p) => p.face === face && p.edited));
  let marked = "";
  /** @type {FoundFace[]} those among which the visitor chooses now */
  let offered = [];

  const chosenFace = () => String(session.face ? session.faces.indexOf(session.face) : -1);

  function fill() {
    const edited = editedFaces();
    marked = edited.join();
    faces.hidden = session.faces.length < 2;
    offered = faces.hidden ? [] : session.faces;
    const choices = offered.map((face, i) => {
      const picture = h("canvas");
      draw(picture, face.thumbnail);
      const place = { number: i + 1, total: session.faces.length };
      const label = edited[i] ? t("face.chooseEdited", place) : t("face.choose", place);
      return { value: String(i), label, picture, marked: edited[i] };
    });
    fillRadioGroup(faces, choices, chosenFace(), (index) => {
      const face = session.faces[Number(index)];
      if (session.photo) void session.use(session.photo, face.quad, face);
    });
  }

  session.addEventListener("sliders", () => {
    if (editedFaces().join() !== marked) fill();
  });
  session.addEventListener("faces", () => {
    if (offered === session.faces && editedFaces().join() === marked) selectRadio(faces, chosenFace());
    else fill();
  });
  spoken(fill);
}
