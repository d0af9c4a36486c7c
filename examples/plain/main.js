// Without a bundler the package is imported by its address.
import "./node_modules/sdic/package/element.js";

const editor = document.querySelector("sdic-editor");
const told = document.getElementById("told");

editor.addEventListener("ready", ({ detail }) => {
  told.value = `the model is ready, on ${detail.engine.info.backend}`;
});
editor.addEventListener("progress", ({ detail }) => {
  told.value = `${detail.stage}: ${detail.done} of ${detail.total}`;
});
editor.addEventListener("change", ({ detail }) => {
  told.value = `sliders ${JSON.stringify(detail.strengths)}`;
});
editor.addEventListener("failure", ({ detail }) => {
  told.value = `${detail.code}: ${detail.message}`;
});
