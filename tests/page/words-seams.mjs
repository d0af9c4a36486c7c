// Never run, only checked: tables and sayings that the types must refuse. Where one slips through, its line expects an
// error that does not come, and the check fails.
import { say } from "../../www/shared/say.js";
import de from "../../www/shared/strings/de.js";
import { translation } from "../../www/shared/strings/translation.js";
import { t } from "../../www/shared/strings.js";

const { close: _, ...incomplete } = de;

export const tables = [
  translation(de),
  // @ts-expect-error: a sentence is missing
  translation(incomplete),
  // @ts-expect-error: a blank is missing
  translation({ ...de, "engine.loading": "Modell" }),
  // @ts-expect-error: a blank has another name
  translation({ ...de, "engine.loading": "Modell {prozent}" }),
  // @ts-expect-error: a blank too many
  translation({ ...de, "engine.idle": "{percent}" }),
  // @ts-expect-error: a plural form without the number
  translation({ ...de, "face.found": { one: "Ein Gesicht.", other: "Gesichter." } }),
  // @ts-expect-error: no such sentence
  translation({ ...de, "engine.oops": "Hoppla" }),
  // Forms where English has none are as good.
  translation({ ...de, "engine.idle": { one: "Läuft noch nicht.", other: "Laufen noch nicht." } }),
];

export const sayings = [
  say("engine.idle"),
  say("engine.loading", { percent: 1 }),
  // @ts-expect-error: no such sentence
  say("engine.oops"),
  // @ts-expect-error: the blank is not filled
  say("engine.loading"),
  // @ts-expect-error: another blank is filled
  say("engine.loading", { share: 1 }),
  // @ts-expect-error: nothing to fill
  t("engine.idle", { percent: 1 }),
];
