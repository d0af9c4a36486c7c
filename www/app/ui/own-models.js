// The models to choose from, in the dialog about the engine: the bundled one, and the visitor's own with their names.
import {
  LONGEST_NAME,
  ownModels,
  partialModels,
  removeOwnModel,
  renameOwnModel,
  tidyName,
} from "../../shared/own-model.js";
import { quantity, say } from "../../shared/say.js";
import { t } from "../../shared/strings.js";
import { byId, h } from "../dom.js";
import { askFor } from "../own.js";
import { remember, settings } from "../settings.js";
import { fillRadioGroup } from "./choices.js";
import { notice, report } from "./notices.js";

/** @import { OwnModel, PartialModel } from "../../shared/own-model.js" */
/** @import { SliderSearch } from "../slider-search.js" */

/** The choice of the model that comes with the page; others are named by their ids. */
const BUNDLED = "bundled";

/** Shows the models as they are now, if they are shown. */
export let refreshModels = async () => {};

/**
 * Offers the models there are.
 * @param {SliderSearch} search
 * @param {() => void} onChange called after another one was chosen
 * @param {string} [focus] id of the model whose button for renaming is focused
 */
export async function showModels(search, onChange, focus) {
  const [kept, partial] = [await ownModels(), await partialModels()];
  refreshModels = async () => {
    if (byId("engine-dialog", HTMLDialogElement).open) await showModels(search, onChange);
  };
  const group = byId("own-choices", HTMLElement);
  const again = (/** @type {string} */ id) => showModels(search, onChange, id);
  const use = (/** @type {string} */ id) => {
    remember(id === BUNDLED ? { model: BUNDLED } : { model: "own", own: id });
    byId("engine-dialog", HTMLDialogElement).close();
    onChange();
  };
  const choices = kept.map(({ id, title, from, bytes, fitted, inverts, compensates }) => {
    const size = quantity(bytes, "byte");
    const parts = [from ? t("own.from", { from, size }) : t("own.storedHint", { size })];
    if (!inverts) parts.push(t("own.drawsShort"));
    else if (!compensates) parts.push(t("own.plainShort"));
    if (fitted) parts.push(t("own.fitted"));
    return { value: id, label: title, hint: parts.join(" ") };
  });
  const bundled = { value: BUNDLED, label: t("own.bundled"), hint: t("own.bundledHint") };
  const used = settings.model === "own" ? settings.own : BUNDLED;
  fillRadioGroup(group, [bundled, ...choices], used, use, { weighty: true });
  showPartial(partial);

  for (const model of kept) {
    const { id, title, from } = model;
    const input = group.querySelector(`input[value="${CSS.escape(id)}"]`);
    const row = /** @type {HTMLElement} */ (input?.closest("label"));
    const clash = kept.filter((other) => other.title === title).length > 1;
    const named = { title: clash && from ? from : title };
    const remove = async () => {
      try {
        if (id === used) await search.pause(); // it writes there
        await removeOwnModel(id);
      } catch (thrown) {
        await again(id);
        report(thrown);
        return;
      }
      if (id === used) use(BUNDLED);
      else await again(kept[kept.indexOf(model) + 1]?.id ?? kept[0].id);
      notice(say("own.removed", { title }));
    };
    const rename = button("own.rename", t("own.renameOf", named), () => edit(row, tools, model, again));
    const tools = h(
      "div",
      { className: "model-tools" },
      rename,
      button("own.removeShort", t("own.remove", named), () => void remove()),
    );
    row.after(tools);
    if (id === focus) rename.focus();
  }
}

/**
 * Lists the conversions that were broken off.
 * @param {PartialModel[]} partial
 */
function showPartial(partial) {
  byId("own-partial", HTMLElement).hidden = partial.length === 0;
  byId("own-partial-list", HTMLElement).replaceChildren(
    ...partial.map(({ id, source, written }) => {
      const { name: title, needed } = source;
      // What it takes is an estimate, and what is missing is never nothing.
      const share = quantity(Math.min(99, Math.floor((100 * written) / needed)) / 100, "percent");
      const sizes = { size: quantity(written, "byte"), needed: quantity(Math.max(needed, written), "byte"), share };
      const remove = async () => {
        let failure;
        try {
          await removeOwnModel(id);
        } catch (thrown) {
          failure = thrown;
        }
        await refreshModels();
        byId("own-import", HTMLButtonElement).focus();
        if (failure) report(failure);
        else notice(say("own.removed", { title }));
      };
      const tools = h(
        "div",
        { className: "model-tools" },
        button("own.resume", t("own.resumeOf", { title }), () => askFor(source)),
        button("own.removeShort", t("own.remove", { title }), () => void remove()),
      );
      const hint = h("span", { className: "hint" }, t("own.partialHint", sizes));
      return h("li", {}, h("span", { className: "name" }, title), hint, tools);
    }),
  );
}

/**
 * A button of few words, whose whole meaning is said to who cannot see what it stands beside.
 * @param {"own.rename" | "own.removeShort" | "own.keepName" | "own.dropName" | "own.resume"} key
 * @param {string} label
 * @param {() => void} onclick
 */
function button(key, label, onclick) {
  const className = key === "own.keepName" || key === "own.resume" ? "secondary" : "quiet";
  const made = h("button", { className, type: "button", onclick }, t(key));
  made.setAttribute("aria-label", label);
  return made;
}

/**
 * Has the visitor write another name in the place of a model's row.
 * @param {HTMLElement} row
 * @param {HTMLElement} tools below it
 * @param {OwnModel} model
 * @param {(id: string) => Promise<void>} again shows the rows as they are then
 */
function edit(row, tools, { id, title, plainTitle }, again) {
  const hint = h("p", { id: "name-hint", className: "aside" }, t("own.nameHint", { title: plainTitle }));
  const input = h("input", { type: "text", value: title, maxLength: LONGEST_NAME, placeholder: plainTitle });
  input.setAttribute("aria-label", t("own.name"));
  input.setAttribute("aria-describedby", hint.id);
  const keep = async () => {
    const name = tidyName(input.value) ?? plainTitle;
    try {
      if (name !== title) await renameOwnModel(id, name === plainTitle ? "" : name);
    } catch (thrown) {
      await again(id);
      report(thrown);
      return;
    }
    await again(id);
    if (name !== title) notice(say("own.renamed", { title, name }));
  };
  input.addEventListener("keydown", (event) => {
    // Neither key is for the dialog, which would close.
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (event.isComposing) return;
    void (event.key === "Enter" ? keep() : again(id));
  });
  const buttons = h(
    "div",
    { className: "model-tools" },
    button("own.dropName", t("own.dropName"), () => void again(id)),
    button("own.keepName", t("own.keepName"), () => void keep()),
  );
  tools.remove();
  row.replaceWith(h("div", { className: "renaming" }, input, hint, buttons));
  input.focus();
  input.select();
}
