// The picture and everything that decides what it shows: view, comparison, extent.
import { quantity } from "../../shared/say.js";
import { spoken, t } from "../../shared/strings.js";
import { byId, write } from "../dom.js";
import { fillRadioGroup, fillSelect, selectRadio } from "./choices.js";
import { isPhoto, startCloseLook } from "./close-look.js";
import { CompareView } from "./compare-view.js";
import { report } from "./notices.js";

/** @import { PasteMode } from "../../shared/types.js" */
/** @import { View } from "../portrait.js" */
/** @import { Session } from "../session.js" */

const VIEWS = /** @type {const} */ (["edited", "reconstruction", "initial", "discrepancy", "original"]);
/** Those of a model that compensates. */
const COMPENSATION = /** @type {readonly View[]} */ (["initial", "discrepancy"]);
const MODES = /** @type {const} */ (["difference", "face"]);
const BEFORE = /** @type {const} */ (["original", "initial", "reconstruction"]);

const compare = byId("compare", CompareView);
const views = byId("views", HTMLElement);
const toggle = byId("compare-toggle", HTMLButtonElement);
const withSelect = byId("compare-with", HTMLSelectElement);
const withLabel = byId("compare-with-label", HTMLLabelElement);
const hold = byId("hold", HTMLButtonElement);
const zoom = byId("zoom", HTMLButtonElement);
const caption = byId("caption", HTMLElement);
const scope = byId("scope", HTMLElement);
const pasteLabel = byId("paste-label", HTMLLabelElement);
const pasteMode = byId("paste-mode", HTMLSelectElement);

/** @param {Session} session */
export function startViewer(session) {
  /** @type {View} */
  let view = "edited";
  /** @type {"face" | "photo"} */
  let extent = "face";
  let pasting = false;
  /** Whether a whole photo is on show, if an older one: better than none while the next is made. */
  let wholeShown = false;
  /** @type {Set<() => void>} whom to tell that another picture may be shown */
  const followers = new Set();

  const choose = (/** @type {View} */ value) => {
    view = value;
    selectRadio(views, value);
    refresh();
  };

  function fillChoices() {
    const choices = VIEWS.map((value) => ({ value, label: nameOf(value), hint: t(captionOf(value)) }));
    fillRadioGroup(views, choices, view, choose);
    fillSelect(
      withSelect,
      BEFORE.map((value) => ({ value, label: nameOf(value) })),
    );
    fillSelect(
      pasteMode,
      MODES.map((value) => ({ value, label: t(`paste.${value}`) })),
    );
    fillScopes();
  }

  const compareTo = (/** @type {boolean} */ on) => {
    compare.comparing = on;
    toggle.setAttribute("aria-pressed", String(on));
    withLabel.hidden = !on;
    hold.hidden = on;
  };
  compareTo(false);

  /** Shows what view, comparison and extent ask for, as far as it exists. */
  function refresh() {
    const whole = extent === "photo" && session.hasSurroundings && session.inverted;
    const { photo, pictures } = session;
    const before = /** @type {(typeof BEFORE)[number]} */ (withSelect.value);
    if (whole && photo) {
      if (!session.pasted && session.settled) void paste();
      compare.beforeLayer = { picture: photo.bitmap, label: t("view.original") };
      const after = session.pasted ?? (wholeShown ? undefined : photo.bitmap);
      if (after) compare.afterLayer = { picture: after, label: t("view.edited") };
      if (session.pasted) wholeShown = true;
      write(caption, "");
    } else {
      wholeShown = false;
      const finest = (/** @type {View} */ value) => (isPhoto(value) ? session.finestSide : undefined);
      const shown = pictures[view] ?? pictures.original ?? photo?.bitmap;
      const base = pictures[before] ?? pictures.original ?? photo?.bitmap;
      compare.beforeLayer = base && {
        picture: base,
        label: nameOf(pictures[before] ? before : "original"),
        finest: finest(before),
      };
      compare.afterLayer = shown && { picture: shown, label: nameOf(view), finest: finest(view) };
      caption.dataset.view = session.inverted ? view : "original";
      write(caption, t(captionOf(session.inverted ? view : "original")));
    }
    compare.classList.toggle("whole", whole);
    views.classList.toggle("off", whole);
    for (const input of views.querySelectorAll("input")) {
      const value = /** @type {View} */ (input.value);
      input.disabled = whole || !pictures[value];
      if (input.parentElement) input.parentElement.hidden = !exists(value);
    }
    for (const option of withSelect.options) option.hidden = !exists(/** @type {View} */ (option.value));
    withSelect.disabled = whole;
    pasteLabel.hidden = !session.inverted || session.drawn;
    pasteMode.value = session.pasteMode;
    scope.hidden = !session.hasSurroundings || !session.inverted;
    toggle.disabled = hold.disabled = !session.inverted;
    for (const follower of followers) follower();
  }

  /**
   * Whether the model makes such a picture: what is lost, and the picture before, only where it is put back.
   * @param {View} value
   */
  const exists = (value) => !COMPENSATION.includes(value) || (compensates() && !session.drawn);
  const compensates = () => session.engine.model?.compensates !== false;

  /**
   * What a picture is called: that of a model which compensates nothing is its plain one.
   * @param {View} value
   */
  const nameOf = (value) => t(`view.${value === "reconstruction" && !exists("initial") ? "initial" : value}`);

  /** @param {View} value */
  function captionOf(value) {
    if (session.drawn) return value === "edited" ? "caption.drawnEdited" : "caption.drawn";
    if (value === "edited" && session.pasteMode === "difference") return "caption.retouched";
    if (!compensates()) {
      if (value === "edited") return "caption.plainEdited";
      if (value === "reconstruction") return "caption.initial";
    }
    return /** @type {const} */ (`caption.${value}`);
  }

  /** Makes the whole photo; `refresh` asks again where it came too late. */
  async function paste() {
    if (pasting) return;
    pasting = true;
    try {
      await session.paste();
    } catch (thrown) {
      extent = "face";
      fillScopes();
      report(thrown);
    } finally {
      pasting = false;
    }
    refresh();
  }

  function fillScopes() {
    const choices = /** @type {const} */ (["face", "photo"]).map((value) => ({ value, label: t(`scope.${value}`) }));
    fillRadioGroup(byId("scopes", HTMLElement), choices, extent, (value) => {
      extent = value;
      choose("edited");
    });
  }

  const tellZoom = () => {
    const percent = quantity(compare.density, "percent");
    write(
      /** @type {HTMLElement} */ (zoom.lastElementChild),
      compare.zoomed ? t("zoom.fit", { percent }) : t("zoom.closer"),
    );
  };
  compare.addEventListener("zoom", tellZoom);
  const photoShown = () => extent === "photo" && session.hasSurroundings;
  startCloseLook(session, compare, () => (photoShown() ? undefined : [/** @type {View} */ (withSelect.value), view]));
  zoom.addEventListener("click", () => compare.toggleZoom());
  toggle.addEventListener("click", () => compareTo(!compare.comparing));
  withSelect.addEventListener("change", refresh);
  pasteMode.addEventListener("change", () => {
    void session.choosePasteMode(/** @type {PasteMode} */ (pasteMode.value));
  });
  for (const [type, on] of /** @type {const} */ ([
    ["pointerdown", true],
    ["pointerup", false],
    ["pointerleave", false],
    ["blur", false],
  ])) {
    hold.addEventListener(type, () => (compare.held = on));
  }
  hold.addEventListener("keydown", ({ key }) => {
    if (key === " " || key === "Enter") compare.held = true;
  });
  hold.addEventListener("keyup", () => (compare.held = false));

  session.addEventListener("photo", () => {
    view = "edited";
    [extent, wholeShown] = ["face", false];
    selectRadio(views, view);
    fillScopes();
    compareTo(false);
    compare.fit();
    refresh();
  });
  session.addEventListener("picture", refresh);
  session.engine.addEventListener("model", () => {
    if (!exists(view)) choose("edited");
    fillChoices();
    if (!exists(/** @type {View} */ (withSelect.value))) withSelect.value = "original";
    refresh();
  });
  session.addEventListener("sliders", () => {
    if (session.inverted && view !== "edited") choose("edited");
    else if (extent === "photo") refresh();
  });
  session.addEventListener("busy", (event) =>
    compare.classList.toggle("busy", /** @type {CustomEvent} */ (event).detail),
  );

  spoken(() => {
    fillChoices();
    tellZoom();
    refresh();
  });

  return {
    /** What saving and copying mean now. */
    get extent() {
      return session.hasSurroundings ? extent : "face";
    },
    /** The view of the face that is shown; none while the whole photo is. */
    get view() {
      return photoShown() ? undefined : view;
    },
    choose,
    /** Shows a view of the face, instead of the whole photo. @param {View} value */
    show(value) {
      extent = "face";
      fillScopes();
      choose(value);
    },
    exists,
    nameOf,
    /** Calls when another picture may be shown. @param {() => void} follower */
    follow: (follower) => void followers.add(follower),
    views: VIEWS,
    toggleCompare: () => session.inverted && compareTo(!compare.comparing),
    hold: (/** @type {boolean} */ on) => {
      if (session.inverted) compare.held = on;
    },
  };
}
