// The ways in: a file chosen, dropped or pasted, and the camera.
import { Failure } from "../shared/failure.js";
import { say } from "../shared/say.js";
import { offered } from "./abilities.js";
import { byId } from "./dom.js";
import { LOOK_FILE } from "./looks.js";
import { openCamera } from "./ui/dialogs.js";
import { report } from "./ui/notices.js";

/** @import { Looks } from "./looks.js" */
/** @import { Session } from "./session.js" */

/**
 * @param {Session} session
 * @param {Looks} looks
 * @param {(checkpoint: File) => Promise<void>} convert takes the authors' weights
 */
export function startInput(session, looks, convert) {
  const picker = byId("file", HTMLInputElement);
  const drop = byId("drop", HTMLElement);
  const panel = byId("panel", HTMLElement);
  const camera = byId("camera", HTMLButtonElement);

  /**
   * @param {Blob | Promise<Blob>} file
   * @param {{ name?: string, aligned?: boolean }} [about]
   */
  function open(file, { name = file instanceof File ? file.name : "photo.png", aligned } = {}) {
    void session.open(file, { name, aligned });
  }

  /** @param {DataTransfer | null} data */
  function openFrom(data) {
    const files = [...(data?.files ?? [])];
    if (files.length > 0 && files.every(({ name }) => LOOK_FILE.test(name))) return void looks.add(files);
    const file = files.find(({ type }) => type.startsWith("image/")) ?? files[0];
    if (file && /\.(pt|pth)$/i.test(file.name)) void convert(file);
    else if (file) open(file);
    else report(new Failure({ code: "no-image", message: say("error.noImage"), hint: say("hint.another") }));
  }

  /**
   * Whether what is dragged is meant for the panel: files over it that are no pictures.
   * @param {DragEvent} event
   */
  function forPanel({ target, dataTransfer }) {
    const items = [...(dataTransfer?.items ?? [])];
    return target instanceof Node && panel.contains(target) && !items.some(({ type }) => type.startsWith("image/"));
  }

  /**
   * Takes what belongs to the panel: looks, and else directions.
   * @param {Iterable<File>} files
   */
  function addTo(files) {
    const { true: looked = [], false: others = [] } = Object.groupBy(files, ({ name }) => `${LOOK_FILE.test(name)}`);
    void looks.add(looked);
    void session.addDirections(others);
  }

  function endDrag() {
    drop.hidden = true;
    panel.classList.remove("dropping");
  }

  for (const id of ["choose", "new-photo"]) {
    byId(id, HTMLButtonElement).addEventListener("click", () => picker.click());
  }
  picker.addEventListener("change", () => {
    if (picker.files?.[0]) open(picker.files[0]);
    picker.value = "";
  });
  camera.hidden = !offered(() => navigator.mediaDevices.getUserMedia);
  let taking = false;
  camera.addEventListener("click", async () => {
    if (taking) return; // the browser asks the visitor, who may take a while
    taking = true;
    const shot = await openCamera();
    taking = false;
    if (shot) open(shot, { name: "camera.png" });
  });

  addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    drop.hidden = forPanel(event);
    panel.classList.toggle("dropping", drop.hidden);
  });
  addEventListener("dragleave", ({ relatedTarget }) => relatedTarget === null && endDrag());
  addEventListener("drop", (event) => {
    event.preventDefault();
    endDrag();
    if (event.dataTransfer && forPanel(event)) addTo(event.dataTransfer.files);
    else openFrom(event.dataTransfer);
  });
  addEventListener("paste", ({ target, clipboardData }) => {
    const writing = target instanceof HTMLInputElement && target.type === "text";
    if (!writing && !looks.pasteFrom(clipboardData)) openFrom(clipboardData);
  });
  return open;
}
