// Sliders under a finger: they rest at 0, where a telephone gives a tick, and a swipe that scrolls the page leaves them
// alone.

/** How near 0 a slider comes to rest there, in its own steps. */
const NEAR = 5;
const TICK_MS = 8;

/**
 * Has a slider mind fingers; to be called before others listen to its `input`.
 * @param {HTMLInputElement} input
 */
export function mindFingers(input) {
  /** @type {string | undefined} where the slider was when a finger came down on it */
  let before;
  let rests = false;
  input.addEventListener("pointerdown", ({ pointerType }) => {
    if (pointerType !== "touch") return;
    before = input.value;
    rests = before === "0";
  });
  input.addEventListener("pointerup", () => {
    before = undefined;
  });
  input.addEventListener("pointercancel", () => {
    const back = before;
    before = undefined;
    if (back === undefined || input.value === back) return;
    input.value = back;
    for (const type of ["input", "change"]) input.dispatchEvent(new Event(type, { bubbles: true }));
  });
  input.addEventListener("input", () => {
    if (before === undefined) return;
    if (Math.abs(Number(input.value)) <= NEAR) input.value = "0";
    if (input.value === "0" && !rests) navigator.vibrate?.(TICK_MS);
    rests = input.value === "0";
  });
}
