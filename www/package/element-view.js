// What the element shows, and says.
import { draw, h, write } from "../app/dom.js";
import { SliderPanel } from "../app/ui/slider-panel.js";
import { say } from "../shared/say.js";
import { spell, t } from "../shared/strings.js";
import { style } from "./element-style.js";

/** @import { Saying } from "../shared/say.js" */
/** @import { Failure } from "../shared/failure.js" */
/** @import { FoundFace } from "../shared/types.js" */

/**
 * What a visitor can do.
 * @typedef {{
 *   choose: (file: File) => void, use: (face: FoundFace) => void, reset: () => void, save: () => void,
 *   retry: () => void
 * }} Actions
 */

export class EditorView {
  sliders = new SliderPanel();
  #empty = h("p", { className: "empty", part: "empty" });
  #after = h("canvas", { part: "picture", role: "img", hidden: true });
  #before = h("canvas", { part: "picture", role: "img", hidden: true });
  #status = h("p", { className: "status", part: "status", role: "status" });
  #progress = h("progress", { part: "progress", hidden: true });
  #work = h("div", { className: "work" }, this.#status, this.#progress);
  #frame = h("div", { className: "frame", part: "frame" }, this.#empty, this.#after, this.#before, this.#work);
  #failure = h("div", { className: "failure", part: "failure", role: "alert", hidden: true });
  #faces = h("div", { className: "faces", part: "faces", role: "group", hidden: true });
  #file = h("input", { type: "file", accept: "image/*", hidden: true });
  #choose = h("button", { type: "button", className: "primary", part: "button choose" });
  #compare = h("button", { type: "button", part: "button original", disabled: true, "aria-pressed": "false" });
  #reset = h("button", { type: "button", part: "button reset", disabled: true });
  #save = h("button", { type: "button", part: "button save", disabled: true });
  #tools = h("div", { className: "tools", part: "tools" }, this.#choose, this.#compare, this.#reset, this.#save);
  #side = h("div", { className: "side", part: "sliders" }, this.sliders);
  #stage = h("div", { className: "stage" }, this.#frame, this.#failure);
  #editor = h("div", { className: "editor", part: "editor", role: "group" }, this.#stage, this.#side);
  /** @type {Saying | undefined} */
  #said;
  /** @type {Failure | undefined} */
  #failed;

  /**
   * @param {ShadowRoot} root
   * @param {Actions} actions
   */
  constructor(root, actions) {
    this.actions = actions;
    this.#stage.append(this.#faces, this.#tools, this.#file);
    root.adoptedStyleSheets = [style];
    root.append(this.#editor);
    this.#choose.addEventListener("click", () => this.#file.click());
    this.#file.addEventListener("change", () => {
      const [file] = this.#file.files ?? [];
      this.#file.value = "";
      if (file) actions.choose(file);
    });
    this.#compare.addEventListener("click", () => this.#showOriginal(this.#after.hidden === false));
    this.#reset.addEventListener("click", actions.reset);
    this.#save.addEventListener("click", actions.save);
    this.#takeDrops(actions.choose);
  }

  /** @param {(file: File) => void} take */
  #takeDrops(take) {
    const over = (/** @type {boolean} */ is) => this.#frame.classList.toggle("over", is);
    this.#editor.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      over(true);
    });
    this.#editor.addEventListener("dragleave", () => over(false));
    this.#editor.addEventListener("drop", (event) => {
      over(false);
      const [file] = event.dataTransfer?.files ?? [];
      if (!file) return;
      event.preventDefault();
      take(file);
    });
  }

  /** Says everything in the language that is spoken. */
  speak() {
    this.#editor.setAttribute("aria-label", t("editor.label"));
    this.#faces.setAttribute("aria-label", t("face.title"));
    this.#progress.setAttribute("aria-label", t("editor.progress"));
    this.#after.setAttribute("aria-label", t("viewer.picture", { view: t("view.edited") }));
    this.#before.setAttribute("aria-label", t("viewer.picture", { view: t("view.original") }));
    write(this.#empty, t("editor.empty"));
    write(this.#choose, t("start.choose"));
    write(this.#compare, t("view.original"));
    write(this.#reset, t("edit.resetAll"));
    write(this.#save, t("save.button"));
    write(this.#status, this.#said ? spell(this.#said) : "");
    for (const [i, button] of [...this.#faces.children].entries()) {
      button.setAttribute("aria-label", t("face.choose", { number: i + 1, total: this.#faces.childElementCount }));
    }
    this.#showFailure();
  }

  /**
   * What is being done, and how far it is.
   * @param {Saying | undefined} said
   * @param {{ done: number, total: number }} [progress]
   */
  tell(said, progress) {
    this.#said = said;
    write(this.#status, said ? spell(said) : "");
    this.#progress.hidden = said === undefined || progress === undefined;
    if (!progress) return;
    if (progress.total > 0) Object.assign(this.#progress, { max: progress.total, value: progress.done });
    else this.#progress.removeAttribute("value");
  }

  /** @param {Failure | undefined} failure */
  fail(failure) {
    this.#failed = failure;
    this.tell(undefined);
    this.#showFailure();
  }

  #showFailure() {
    const failure = this.#failed;
    this.#failure.hidden = failure === undefined;
    if (!failure) return this.#failure.replaceChildren();
    const words = h("p", {}, h("b", {}, spell(failure.said)), spell(failure.hint));
    const retry = h("button", { type: "button", part: "button retry", onclick: this.actions.retry }, t("retry"));
    this.#failure.replaceChildren(words, retry);
  }

  /** @param {import("../shared/types.js").DirectionInfo[]} directions */
  set directions(directions) {
    this.sliders.directions = directions;
    /** @type {[string, string][]} */
    const parts = [
      ["details", "group"],
      ["label", "label"],
      ["output", "value"],
      ["input", "slider"],
    ];
    for (const [selector, part] of parts)
      for (const each of this.sliders.querySelectorAll(selector)) each.setAttribute("part", part);
  }

  /**
   * @param {FoundFace[]} faces
   * @param {FoundFace | undefined} used
   */
  showFaces(faces, used) {
    const focused = [...this.#faces.children].findIndex((button) => button.matches(":focus"));
    const buttons = faces.map((face) => {
      const picture = h("canvas", { "aria-hidden": "true" });
      draw(picture, face.thumbnail);
      const pressed = String(face === used);
      const onclick = () => this.actions.use(face);
      return h("button", { type: "button", part: "button face", "aria-pressed": pressed, onclick }, picture);
    });
    this.#faces.replaceChildren(...buttons);
    this.#faces.hidden = faces.length < 2;
    if (focused >= 0) buttons.at(focused)?.focus();
    this.speak();
  }

  /** @param {ImageBitmap} bitmap */
  showEdited(bitmap) {
    draw(this.#after, bitmap);
    bitmap.close();
    this.#empty.hidden = true;
    this.#after.hidden = !this.#before.hidden;
  }

  /** @param {ImageBitmap} bitmap */
  setOriginal(bitmap) {
    draw(this.#before, bitmap);
    bitmap.close();
    this.#empty.hidden = true;
    this.#showOriginal(true);
  }

  /** @param {boolean} shown */
  #showOriginal(shown) {
    this.#before.hidden = !shown;
    this.#after.hidden = shown;
    this.#compare.setAttribute("aria-pressed", String(shown));
  }

  /** Shows that there is no photo. */
  clear() {
    this.#empty.hidden = false;
    this.#before.hidden = this.#after.hidden = true;
    this.#compare.setAttribute("aria-pressed", "false");
  }

  /** Leaves the picture of the photo before for that of the edited face. */
  unveil() {
    this.#showOriginal(false);
  }

  /** @param {{ editable: boolean, moved: boolean }} state */
  enable({ editable, moved }) {
    this.sliders.disabled = !editable;
    this.#compare.disabled = this.#save.disabled = !editable;
    this.#reset.disabled = !editable || !moved;
  }

  /**
   * Hands a file to the browser's downloads.
   * @param {Blob} file
   * @param {string} name
   */
  download(file, name) {
    const href = URL.createObjectURL(file);
    h("a", { href, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000); // the download has begun by then
    this.tell(say("save.saved", { name }));
  }
}
