// The page's languages: a line for each.
export { default as de } from "./de.js";
export { default as en } from "./en.js";
