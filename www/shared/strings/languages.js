// The tables of all languages, a line for each. The page itself loads only those that are spoken, see app/language.js.
export { default as de } from "./de.js";
export { default as en } from "./en.js";
