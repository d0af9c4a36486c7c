// The dialogs about looks: one asks for a name, the other shows the visitor's own.
import { writeLook } from "../../shared/look-file.js";
import { say } from "../../shared/say.js";
import { spoken, t } from "../../shared/strings.js";
import { byId, h, icon } from "../dom.js";
import { ask } from "./dialogs.js";
import { notice } from "./notices.js";

/** @import { Looks } from "../looks.js" */
/** @import { Session } from "../session.js" */
/** @import { KeptLook } from "../../shared/look-file.js" */

const button = (/** @type {string} */ id) => byId(id, HTMLButtonElement);

/**
 * @param {Session} session
 * @param {Looks} looks
 */
export function startLookDialogs(session, looks) {
  const list = byId("own-looks-list", HTMLElement);
  const files = byId("look-files", HTMLInputElement);

  function show() {
    const empty = looks.own.length === 0;
    byId("own-looks-hint", HTMLElement).textContent = t(empty ? "look.ownNone" : "look.ownHint");
    list.replaceChildren(...looks.own.map((look) => row(looks, look)));
    list.hidden = empty;
  }

  button("save-look").addEventListener("click", () => void saveLook(session, looks));
  button("own-looks").addEventListener("click", () => {
    show();
    void ask(byId("own-looks-dialog", HTMLDialogElement));
  });
  button("add-look").addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    void looks.add([...(files.files ?? [])]);
    files.value = "";
  });
  // A look that was only renamed keeps its row, which has the focus.
  looks.addEventListener("change", () => list.children.length !== looks.own.length && show());
  spoken(show);
}

/**
 * Asks for a name, and keeps the sliders under it.
 * @param {Session} session
 * @param {Looks} looks
 */
async function saveLook(session, looks) {
  const dialog = byId("look-dialog", HTMLDialogElement);
  const input = byId("look-name", HTMLInputElement);
  input.value = "";
  const close = () => dialog.close();
  button("look-cancel").onclick = close;
  session.addEventListener("photo", close, { once: true });
  const answer = await ask(dialog);
  session.removeEventListener("photo", close);
  const name = input.value.trim();
  if (answer === "save" && name) looks.save(name);
}

/**
 * One of the visitor's own looks: its name to change, and what can be done with it.
 * @param {Looks} looks
 * @param {KeptLook} look
 */
function row(looks, look) {
  let present = look;
  const input = h("input", { type: "text", value: look.name, maxLength: 60, autocomplete: "off" });
  const save = h("button", { type: "button", className: "quiet round" }, icon("download"));
  const remove = h("button", { type: "button", className: "quiet round" }, icon("close"));
  const name = () => {
    input.value = present.name;
    input.setAttribute("aria-label", t("look.rename", { name: present.name }));
    for (const [element, title] of /** @type {const} */ ([
      [save, t("look.export", { name: present.name })],
      [remove, t("look.remove", { name: present.name })],
    ])) {
      element.title = title;
      element.setAttribute("aria-label", title);
    }
  };
  name();
  input.addEventListener("change", () => {
    const wish = input.value.trim();
    if (wish) present = looks.rename(present, wish);
    name();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // which would close the dialog
    input.blur();
    input.focus();
  });
  save.addEventListener("click", () => exportLook(present));
  const line = h("li", {}, input, save, remove);
  remove.addEventListener("click", () => {
    const list = line.parentElement;
    const at = [...(list?.children ?? [])].indexOf(line);
    const run = looks.remove(present);
    const next = list?.children[at] ?? list?.lastElementChild;
    (next?.querySelector("button") ?? button("add-look")).focus();
    notice(say("look.removed", { name: present.name }), { action: { label: say("edit.undo"), run } });
  });
  return line;
}

/**
 * Saves a look as a file, which the command line takes, too.
 * @param {KeptLook} look
 */
function exportLook(look) {
  const file = new Blob([writeLook(look)], { type: "application/json" });
  const link = h("a", { href: URL.createObjectURL(file), download: fileName(look.name) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/**
 * A name that no file system refuses.
 * @param {string} name
 */
function fileName(name) {
  const plain = name.replace(/[\p{Cc}\\/:*?"<>|]/gu, "-").replace(/^[. ]+|[. ]+$/g, "");
  return `${plain || "look"}.json`;
}
