// The look of the element. What developers may change are custom properties that begin with --sdic, and parts.

/** Made by a constructor, since pages may forbid style elements. */
export const style = new CSSStyleSheet();

style.replaceSync(`
:host { display: block; container-type: inline-size; }
:host([hidden]), [hidden] { display: none !important; }
*, *::before, *::after { box-sizing: border-box; }

.editor {
  --paper: var(--sdic-background, light-dark(#f5f3ef, #141312));
  --raised: var(--sdic-surface, light-dark(#fffefb, #1d1c1a));
  --line: var(--sdic-line, light-dark(#d9d5cc, #33302d));
  --ink: var(--sdic-text, light-dark(#1d1b18, #f1eee8));
  --soft: var(--sdic-text-soft, light-dark(#5d584f, #aaa49a));
  --accent: var(--sdic-accent, light-dark(#17614f, #74d0b4));
  --on-accent: var(--sdic-on-accent, light-dark(#ffffff, #0c211b));
  --failure: var(--sdic-failure, light-dark(#a02b1d, #f3a195));
  --control: var(--sdic-control, light-dark(#8b857a, #7d776e));
  --radius: var(--sdic-radius, 14px);
  --touch: 2.25rem;
  display: grid;
  gap: 1rem;
  padding: var(--sdic-padding, 1rem);
  border: 1px solid var(--line);
  border-radius: var(--radius);
  background: var(--paper);
  color: var(--ink);
  font: 400 1rem/1.5 var(--sdic-font, Inter, ui-sans-serif, system-ui, sans-serif);
  text-align: start;
}
@media (pointer: coarse) { .editor { --touch: 2.75rem; } }

.side { display: grid; gap: 1rem; align-content: start; min-width: 0; }
.stage { display: contents; }
.frame { position: sticky; top: 0; z-index: 1; display: grid; place-items: center; width: 100%; aspect-ratio: 1; max-height: var(--sdic-picture-height, 55dvh); border-radius: calc(var(--radius) - 4px); background: var(--raised); box-shadow: 0 -1rem var(--paper), 0 0.5rem 0.5rem -0.25rem var(--paper); overflow: hidden; }
.frame.over { outline: 2.5px dashed var(--accent); outline-offset: -6px; }
canvas { grid-area: 1 / 1; width: 100%; height: 100%; min-height: 0; display: block; object-fit: contain; }
.empty { grid-area: 1 / 1; margin: 0; padding: 1.5rem; color: var(--soft); text-align: center; text-wrap: balance; }
.work { grid-area: 1 / 1; place-self: end stretch; display: grid; gap: 0.4rem; margin: 0.75rem; padding: 0.5rem 0.9rem; border-radius: 12px; background: var(--raised); font-size: 0.875rem; }
.work:has(.status:empty) { padding: 0; background: none; }
.status { margin: 0; overflow-wrap: anywhere; }
progress { appearance: none; width: 100%; height: 4px; border: 0; border-radius: 2px; background: var(--line); overflow: hidden; }
progress::-webkit-progress-bar { background: var(--line); }
progress::-webkit-progress-value { background: var(--accent); }
progress::-moz-progress-bar { background: var(--accent); }
.failure { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; justify-content: space-between; font-size: 0.925rem; }
.failure p { margin: 0; flex: 1 1 16rem; overflow-wrap: anywhere; }
.failure b { display: block; color: var(--failure); font-weight: 560; }

button { display: inline-flex; align-items: center; justify-content: center; min-height: max(2.5rem, var(--touch)); padding: 0.4rem 1rem; border: 1px solid var(--line); border-radius: var(--sdic-button-radius, 999px); background: var(--raised); color: inherit; font: inherit; font-size: 0.925rem; font-weight: 560; line-height: 1.2; cursor: pointer; }
button:hover:not(:disabled) { border-color: var(--control); }
button:disabled { cursor: default; opacity: 0.42; }
button[aria-pressed="true"] { border-color: var(--accent); color: var(--accent); }
.primary { border-color: transparent; background: var(--accent); color: var(--on-accent); }
.primary:hover:not(:disabled) { background: color-mix(in oklab, var(--accent), var(--ink) 18%); }
.tools, .faces { display: flex; flex-wrap: wrap; gap: 0.5rem; }
.faces button { width: 3.25rem; height: 3.25rem; padding: 0; border-width: 2px; border-radius: 12px; overflow: hidden; }
:focus-visible { outline: 2.5px solid var(--accent); outline-offset: 2px; }

@container (max-width: 37.99rem) {
  .tools button { flex: 1 0 auto; padding-inline: 0.6rem; }
  .tools .primary { flex-basis: 100%; }
}

/* Beside the picture where there is room. */
@container (min-width: 38rem) {
  .editor { grid-template-columns: minmax(0, 1fr) minmax(14rem, 18rem); }
  .stage { position: sticky; top: 0; align-self: start; display: grid; gap: 0.75rem; min-width: 0; }
  .frame { position: relative; box-shadow: none; max-height: var(--sdic-picture-height, 80dvh); }
}

sdic-sliders { display: grid; }
details { border-top: 1px solid var(--line); padding-block: 0.3rem; }
details:first-child { border-top: 0; }
summary { display: flex; align-items: center; justify-content: space-between; min-height: var(--touch); font-size: 0.8rem; font-weight: 600; color: var(--soft); cursor: pointer; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary::after { content: ""; width: 0.45rem; height: 0.45rem; margin-inline-end: 0.3rem; border: solid currentColor; border-width: 0 1.8px 1.8px 0; transform: rotate(45deg); }
details[open] summary::after { transform: rotate(-135deg); }
.row { display: grid; grid-template-columns: 1fr auto var(--touch); align-items: center; column-gap: 0.35rem; }
.row label { font-size: 0.95rem; min-width: 0; overflow-wrap: anywhere; }
.row output { min-width: 3ch; text-align: end; font-size: 0.875rem; font-variant-numeric: tabular-nums; color: var(--soft); }
.row input, .row .note { grid-column: 1 / -1; }
.row .note, .aside { margin: 0; font-size: 0.875rem; color: var(--soft); }
.reset { width: var(--touch); min-height: var(--touch); padding: 0; border: 0; background: none; color: var(--soft); }
.reset:disabled { visibility: hidden; }
.icon { width: 1.1rem; height: 1.1rem; }

input[type="range"] { --from: 0.5; --to: 0.5; appearance: none; width: 100%; height: var(--touch); margin: 0; background: none; cursor: pointer; touch-action: pan-y; }
input[type="range"]:disabled { cursor: default; opacity: 0.5; }
input[type="range"]::-webkit-slider-runnable-track { height: 4px; border-radius: 2px; --a: calc(0.6rem + var(--from) * (100% - 1.2rem)); --b: calc(0.6rem + var(--to) * (100% - 1.2rem)); background: linear-gradient(90deg, var(--line) var(--a), var(--accent) var(--a) var(--b), var(--line) var(--b)); }
input[type="range"]::-moz-range-track { height: 4px; border-radius: 2px; background: linear-gradient(90deg, var(--line) calc(100% * var(--from)), var(--accent) calc(100% * var(--from)) calc(100% * var(--to)), var(--line) calc(100% * var(--to))); }
input[type="range"]::-webkit-slider-thumb { appearance: none; width: 1.2rem; height: 1.2rem; margin-top: calc(2px - 0.6rem); border: 1.5px solid var(--control); border-radius: 50%; background: var(--raised); }
input[type="range"]::-moz-range-thumb { width: 1.05rem; height: 1.05rem; border: 1.5px solid var(--control); border-radius: 50%; background: var(--raised); }
input[type="range"]:focus-visible { outline-offset: -2px; border-radius: 6px; }

@media (forced-colors: active) {
  input[type="range"] { appearance: auto; }
  button { border-color: ButtonBorder; }
}
`);
