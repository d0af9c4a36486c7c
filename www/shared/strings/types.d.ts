// What the tables of sentences promise to the compiler.
import type { Quantity, Said } from "../say.js";

/** A sentence for each plural form of a language; the blank `count` decides. */
export type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { readonly other: string };
export type Sentence = string | Forms;

/** English is the measure of all other tables. */
export type English = (typeof import("./en.js"))["default"];
export type StringKey = keyof English;

/**
 * What fills a blank. Numbers, quantities and lists are written as the language writes them; a `name` is one that the
 * engine or a manifest gives.
 */
export type Value = number | Quantity | Said | { readonly either: readonly string[] } | { readonly name: string };

/** Names of the blanks in a sentence. */
export type Blanks<S> = S extends Forms
  ? Blanks<S["other"]>
  : S extends `${string}{${infer Name}}${infer Rest}`
    ? Name | Blanks<Rest>
    : never;

/** Keys of sentences without blanks. */
export type PlainKey = { [K in StringKey]: [Blanks<English[K]>] extends [never] ? K : never }[StringKey];

/** What must be given beside a key: nothing, or a value for each blank. */
export type Filling<K extends StringKey> = [Blanks<English[K]>] extends [never]
  ? []
  : [values: Readonly<Record<Blanks<English[K]>, Value>>];

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

/** A table with the keys and the blanks of the English one, and no others. */
export type Translation<T> = {
  readonly [K in StringKey]: K extends keyof T
    ? Same<Blanks<T[K]>, Blanks<English[K]>> extends true
      ? Sentence
      : { blanks: Blanks<English[K]> }
    : Sentence;
} & { readonly [K in Exclude<keyof T, StringKey>]: never };
