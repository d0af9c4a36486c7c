// The part of the save dialog that asks for a clip, makes it, and tells how far it is.
import { onUse } from "../../shared/on-use.js";
import { quantity, say } from "../../shared/say.js";
import { atRest } from "../../shared/strengths.js";
import { t } from "../../shared/strings.js";
import { picturesOf } from "../clip.js";
import { byId, write } from "../dom.js";
import { fillRadioGroup, fillSelect } from "./choices.js";
import { announce, notice, report } from "./notices.js";

/** @import { Session } from "../session.js" */
/** @import { Size } from "../../shared/protocol.js" */

/** How long a clip can be, in seconds. */
const LENGTHS = [2, 3, 4, 6];
const USUAL = 3;
/** The choice of all sliders together; sliders are named by their place in the list. */
const ALL = "all";

export class ClipForm {
  #seconds = USUAL;
  #moves = byId("clip-moves", HTMLSelectElement);
  #sliders;

  /**
   * @param {Session} session
   * @param {() => void} onChange
   */
  constructor(session, onChange) {
    this.session = session;
    const { engine, ownFiles, strengths } = session;
    this.#sliders = [...(engine.model?.directions ?? []), ...ownFiles.flatMap(({ directions }) => directions)];
    const choices = this.#sliders.map(({ label }, i) => {
      return { value: String(i), label: t("clip.one", { slider: { name: label } }) };
    });
    if (!atRest(strengths)) choices.unshift({ value: ALL, label: t("clip.all") });
    fillSelect(this.#moves, choices);
    if (choices.length > 0) this.#moves.value = choices[0].value;
    this.#moves.onchange = onChange;
    const lengths = LENGTHS.map((seconds) => ({ value: String(seconds), label: t("clip.seconds", { seconds }) }));
    fillRadioGroup(byId("clip-seconds", HTMLElement), lengths, String(USUAL), (value) => {
      this.#seconds = Number(value);
      onChange();
    });
  }

  /** Whether there is anything that can move. */
  get possible() {
    return this.#sliders.length > 0;
  }

  /** What it takes to make the clip. */
  get effort() {
    const count = picturesOf(this.#seconds);
    const { edit } = this.session.timing;
    return edit ? t("clip.takes", { count, time: quantity(count * edit, "second") }) : t("clip.pictures", { count });
  }

  /**
   * Makes the clip; what goes wrong is told.
   * @param {Size | undefined} size that of the whole photo in it, which without it is of the face alone
   * @param {AbortSignal} signal
   * @returns {Promise<Blob | undefined>} undefined where there is none
   */
  async make(size, signal) {
    const [bar, done] = [byId("clip-bar", HTMLProgressElement), byId("clip-done", HTMLElement)];
    const place = byId("clip-progress", HTMLElement);
    const onProgress = (/** @type {number} */ count, /** @type {number} */ total) => {
      [bar.max, bar.value] = [total, count];
      write(done, t("clip.progress", { done: count, total }));
    };
    const slider = this.#moves.value === ALL ? undefined : this.#sliders[Number(this.#moves.value)];
    onProgress(0, picturesOf(this.#seconds));
    place.hidden = false;
    announce(say("clip.making"));
    try {
      const { makeClip } = await onUse(() => import("../clip-maker.js"), say("clip.making"));
      const about = { slider, seconds: this.#seconds, size };
      return await makeClip(this.session, about, { comment: t("clip.comment"), signal, onProgress });
    } catch (thrown) {
      if (signal.aborted) notice(say("clip.cancelled"));
      else report(thrown);
      return undefined;
    } finally {
      place.hidden = true;
    }
  }
}
