import { type Engine, type Face, Failure, loadEngine, type Photo } from "sdic";

const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const status = byId<HTMLParagraphElement>("status");
const file = byId<HTMLInputElement>("file");
const cancel = byId<HTMLButtonElement>("cancel");
const names = byId<HTMLSelectElement>("name");
const slider = byId<HTMLInputElement>("slider");
const save = byId<HTMLButtonElement>("save");
const context = byId<HTMLCanvasElement>("picture").getContext("2d") as CanvasRenderingContext2D;

let photo: Photo | undefined;
let face: Face | undefined;
let opening = new AbortController();
let moving = new AbortController();

/** Says what went wrong. A call that was given up rejects with the reason of its signal. */
function tell(thrown: unknown) {
  if (thrown instanceof Failure) status.textContent = `${thrown.code}: ${thrown.message} ${thrown.hint}`;
  else status.textContent = String(thrown);
}

/** Opens a photo and inverts its largest face. */
async function open(engine: Engine, chosen: File) {
  opening.abort();
  opening = new AbortController();
  const { signal } = opening;
  cancel.disabled = false;
  slider.disabled = save.disabled = true;
  status.textContent = "Looking for faces.";
  photo?.dispose();
  [photo, face] = [undefined, undefined];
  try {
    photo = await engine.open(chosen, { signal });
    face = await photo.invert(photo.faces[0], {
      signal,
      onProgress: ({ stage, done, total }) => {
        status.textContent = `Inverting: ${stage}, ${done} of ${total}.`;
      },
    });
    slider.disabled = save.disabled = false;
    await show();
  } catch (thrown) {
    tell(thrown);
  }
  cancel.disabled = true;
}

/** Draws the face as the slider says; an edit that is overtaken is given up. */
async function show() {
  moving.abort();
  moving = new AbortController();
  const { signal } = moving;
  try {
    const bitmap = await face?.edit({ [names.value]: Number(slider.value) }, { size: 512, signal });
    if (!bitmap) return;
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    status.textContent = `Shown: ${names.value} at ${slider.value}.`;
  } catch (thrown) {
    if (!signal.aborted) tell(thrown);
  }
}

/** Hands the whole photo to the browser's downloads. */
async function download() {
  if (!photo) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await photo.render({ type: "image/jpeg" }));
  link.download = "edited.jpg";
  link.click();
  URL.revokeObjectURL(link.href);
}

try {
  const engine = await loadEngine({
    model: new URLSearchParams(location.search).get("model") ?? "weights/",
    onProgress: ({ loaded, total }) => {
      status.textContent = `Loading the model: ${Math.round((100 * loaded) / total)} %.`;
    },
  });
  names.append(...engine.sliders.map(({ name, label }) => new Option(label, name)));
  file.disabled = false;
  file.addEventListener("change", () => {
    const [chosen] = file.files ?? [];
    file.value = ""; // or the same photo could not be chosen again
    if (chosen) void open(engine, chosen);
  });
  cancel.addEventListener("click", () => opening.abort());
  slider.addEventListener("input", show);
  names.addEventListener("change", show);
  save.addEventListener("click", () => download().catch(tell));
  status.textContent = `Ready, on ${engine.info.backend}. Choose a photo.`;
} catch (thrown) {
  tell(thrown);
}
