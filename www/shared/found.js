/** Shards of what was found in a model; it is the same model without them. */
export const FOUND = /^fit-/;
