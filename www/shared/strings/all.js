// Every language is known from the beginning, for those who cannot wait for one: package, tools and tests.
import { know } from "../strings.js";
import * as tables from "./languages.js";

for (const [language, table] of Object.entries(tables)) know(/** @type {keyof typeof tables} */ (language), table);
