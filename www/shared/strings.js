// Every sentence that a visitor can read, in one table. `{name}` is filled in by `t`.

const STRINGS = {
  "app.name": "SDIC",

  "start.title": "Change the expression. Keep the person.",
  "start.lead":
    "Drop in a portrait. It is rebuilt as something that can be edited, with the details a plain reconstruction loses put back. Then move a slider: the change goes onto your own photo, in its full resolution.",
  "start.choose": "Choose a photo",
  "start.camera": "Use the camera",
  "start.drop": "or drop or paste one anywhere on this page",
  "start.private": "Your photo never leaves this device. There is no server to send it to.",

  "start.samples": "Or begin with someone who does not exist",
  "start.samplesFrom": "These people are synthetic: drawn by an image generator, published as openpeople.",
  "start.samplesLicence": "MIT licence",
  "start.sample": "Open the sample portrait “{label}”",
  "start.consent": "Edit only pictures of people who agree to it.",
  "open.working": "Opening {name}…",
  "drop.here": "Drop the photo to open it",

  "engine.button": "Engine: {state}",
  "engine.starting": "starting",
  "engine.loading": "model {percent} %",
  "engine.ready": "{backend} ready",
  "engine.failed": "stopped",
  "engine.cpu": "Processor",
  "engine.webgpu": "Graphics card",
  "engine.software": "WebGPU (software)",
  "engine.title": "Where the work is done",
  "engine.auto": "Automatic",
  "engine.autoHint": "The graphics card if there is a real one and it passes a test, else the processor.",
  "engine.cpuHint": "WebAssembly. Works everywhere.",
  "engine.gpuHint": "WebGPU on {name}.",
  "engine.softwareHint": "WebGPU emulated by {name}: correct, but far slower than the processor.",
  "engine.gpuNone": "This browser offers no WebGPU adapter.",
  "engine.now": "Running on {backend} ({adapter}); self-test error {error}.",
  "engine.threads": "{adapter}, {threads} threads",
  "engine.idle": "Not running yet.",
  "engine.estimate": "{hint} Measured here: {inversion} for a new face, {edit} for an edit.",
  "engine.noEstimate": "Not measured yet: the first face will tell how fast this machine is.",
  "engine.selfTestFailed": "The graphics card computed wrong numbers, so the processor is used instead.",
  "engine.gpuFailed": "The graphics card could not be used ({reason}); the processor takes over.",
  "engine.gpuGivenUp":
    "The graphics card failed twice; the processor is used from now on. Switch back under “Engine”.",
  "engine.recovered": "The engine stopped and was started again. Your photo and your sliders are kept.",
  "engine.gone": "The engine stopped again and again. Switch it under “Engine”, or reload the page.",

  "own.title": "Model",
  "own.bundled": "Bundled with this page",
  "own.bundledHint": "Small: loads and runs fast.",
  "own.storedHint": "Converted on this device; {size} kept in this browser.",
  "own.import": "Load SDIC weights",
  "own.importHint":
    "The authors’ checkpoint (SDIC_ffhq.pt, 1.2 to 1.5 GB). It is converted here, without a server, and needs about 600 MB of this browser’s storage.",
  "own.progress": "Converting the weights: {percent} %",
  "own.done": "The weights are converted and kept in this browser.",
  "own.remove": "Remove the converted weights",
  "own.removed": "The converted weights were removed.",
  "error.noSpace": "This browser has not enough storage left for the converted weights.",
  "hint.noSpace": "Free about 600 MB, or leave the private window.",
  "error.notKept": "This browser has not kept all of the converted weights.",
  "error.noStorage": "This browser lets the page keep no files: {reason}.",
  "error.noStorageHere": "it offers no storage here",
  "hint.noStorage": "Open the page over https and outside of private windows, and allow it to store data.",
  "error.noOwnModel": "The converted weights are no longer in this browser.",
  "hint.noOwnModel": "Load them again under “Engine”, or choose the bundled model there.",
  "model.progress": "Loading the model: {loaded} of {total}",
  "model.left": "about {seconds} left",
  "model.cached": "Loading the model from this browser’s storage: {loaded} of {total}",
  "model.ready": "The model is ready.",

  "stage.align": "Align the face",
  "stage.encode": "Encode",
  "stage.generate": "Generate a plain reconstruction",
  "stage.predict": "Predict what it lost",
  "stage.compensate": "Compensate",
  "stage.reconstruct": "Reconstruct",
  "stage.model": "Load the model",
  "stage.estimate": "Usually {seconds} on this machine",
  "stage.done": "Done in {seconds}.",

  "face.title": "Faces in this photo",
  "face.choose": "Face {number} of {count}",
  "face.found": "{count} faces found; the largest is used.",
  "face.none": "No face was found. Place the four points yourself.",
  "face.warning.profile": "The face is turned far to the side; a picture from the front works better.",
  "face.warning.tiny": "The face is very small; a larger or closer picture works better.",
  "face.warning.dark": "The face is very dark; a picture with more light works better.",
  "face.warning.uncertain": "This may not be a face, or something covers it: check the crop.",
  "face.warning.outside": "The face reaches beyond the edge of the photo; what is missing is made up.",
  "face.adjust": "Adjust the crop",
  "align.title": "Place the face",
  "align.help":
    "Drag the points onto the eyes and the corners of the mouth. With the keyboard: Tab to a point, arrows to move it, with Shift in larger steps.",
  "align.leftEye": "Left eye, as seen",
  "align.rightEye": "Right eye, as seen",
  "align.leftMouth": "Left mouth corner",
  "align.rightMouth": "Right mouth corner",
  "align.preview": "The aligned face",
  "align.use": "Use this crop",
  "align.failed": "These points make no crop: {reason}.",
  "align.rotate": "Turn by 90°",

  "camera.title": "Camera",
  "camera.take": "Take the photo",
  "camera.denied": "The camera is not available: {reason}.",
  "camera.hint": "The preview is mirrored, the photo is not.",

  "work.title": "Editor",
  "view.title": "Show",
  "view.edited": "Edited",
  "view.reconstruction": "Compensated",
  "view.initial": "Plain",
  "view.discrepancy": "Discrepancy",
  "view.original": "Original",
  "caption.edited": "The compensated reconstruction with your sliders applied.",
  "caption.retouched": "Your own pixels, moved and changed as the sliders say.",
  "caption.reconstruction": "Rebuilt by the generator, with the predicted loss compensated.",
  "caption.initial": "What the encoder alone brings back: editable, but not quite the person.",
  "caption.discrepancy":
    "What the plain reconstruction lost, as predicted from photo and reconstruction. This is what gets put back.",
  "caption.original": "Your photo, aligned.",
  "compare.toggle": "Compare",
  "compare.with": "Compare with",
  "compare.handle": "Divider between {before} and {after}",
  "compare.value": "{percent} % {before}",
  "compare.hold": "Hold for original",
  "scope.title": "Extent",
  "scope.face": "Face",
  "scope.photo": "Whole photo",
  "paste.title": "Edits go",
  "paste.difference": "onto your photo",
  "paste.face": "onto the rebuilt face",
  "viewer.picture": "Picture: {view}",

  "slider.reset": "Reset {label}",
  "slider.value": "{label}, {value}",
  "slider.neutral": "unchanged",
  "slider.none": "This model brings no directions to edit along.",
  "direction.add": "Add a direction…",
  "direction.hint":
    "A .npy, .npz, .pt or .safetensors file for this model, such as InterFaceGAN’s. It is kept in this browser.",
  "direction.remove": "Remove {file}",
  "direction.removed": "{file} was removed.",
  "direction.refused": "{file} holds no direction for this model: {reason}.",
  "direction.unused": "{file} is kept, but not used: {reason}.",
  "direction.unusedRow": "{file}: not used",
  "hint.direction":
    "Choose a .npy, .npz, .pt or .safetensors file made for it: one vector for all styles, or one for each.",
  "edit.undo": "Undo",
  "edit.redo": "Redo",
  "edit.resetAll": "Reset all",
  "edit.timing": "Inverted in {inversion} · last edit {edit}",
  "edit.timingFirst": "Inverted in {inversion}",

  "save.button": "Save",
  "save.png": "Save as PNG",
  "save.copy": "Copy",
  "save.share": "Share",
  "save.title": "Save the picture",
  "save.what": "What",
  "save.face": "The aligned face, {size}",
  "save.photo": "The whole photo, {size}",
  "save.pair": "Before and after, side by side",
  "save.note": "Lossless, without any metadata of the original.",
  "save.saved": "Saved {name}.",
  "save.copied": "Copied.",
  "save.copyFailed": "The browser did not allow copying: {reason}.",

  "top.new": "New photo",
  "top.theme": "Theme: {theme}",
  "theme.system": "as the system",
  "theme.light": "light",
  "theme.dark": "dark",
  "top.about": "About",
  close: "Close",
  cancel: "Cancel",
  dismiss: "Dismiss",

  "about.title": "About this page",
  "about.what":
    "SDIC rebuilds a portrait with a generator, predicts what that rebuild lost (DIPN), and compensates for it inside the generator (DICN), so that edits keep hair, background and likeness. With the bundled model, an edit then moves and changes the photo’s own pixels, so that none of its detail is lost. The method is by its authors (SDIC, Spatial-contextual Discrepancy Information Compensation for GAN inversion); this is an independent implementation that runs entirely in the browser.",
  "about.privacyTitle": "Privacy",
  "about.privacy":
    "The photo is opened, rebuilt and edited inside this browser tab. The page’s security policy forbids every connection except to where the page itself came from, and once the model is loaded it works with the network off. Saved pictures carry no metadata.",
  "about.limitsTitle": "Limits",
  "about.limits":
    "Frontal, well-lit faces work best. Profiles, hands before the face, heavy make-up, and children are hard. Directions were learned from data and carry its biases: “age” or “smile” can move other traits with them. Strong settings look wrong before they look right.",
  "about.consentTitle": "Consent",
  "about.consent":
    "Edit only pictures of people who agree to it, and say that a picture is edited when you show it. Do not use it to deceive, to harass, or to imitate someone.",
  "about.keysTitle": "Keys",
  "about.keys":
    "1 to 5 choose the view · C compares · hold B for the original · Ctrl+Z undoes, Ctrl+Shift+Z redoes · Ctrl+S saves · Ctrl+V pastes a photo",
  "about.modelTitle": "Model",
  "about.licence": "Licence: {licence}",
  "about.card": "Model card",
  "about.notices": "Licences of everything this page is made of",
  "about.storageTitle": "Storage",
  "about.storage": "{size} of model kept in this browser.",
  "about.remove": "Remove it",
  "about.removed": "The stored model was removed. It is loaded again on the next visit.",
  "about.install": "Install as an app",

  "update.ready": "A newer version of this page is ready.",
  "update.readyEditing": "A newer version of this page is ready. Save your picture first: reloading closes the photo.",
  "update.reload": "Reload",

  "error.unreadable": "This cannot be read: it is a folder, or a file that has moved or changed.",
  "error.notAPicture.unknown": "This file is not a picture in a format that is known here.",
  "error.notAPicture.empty": "This file is empty.",
  "error.notAPicture.pdf": "This is a PDF, whatever its name says.",
  "error.notAPicture.svg": "This is a drawing (SVG), not a photo.",
  "error.notAPicture.film": "This is a film, not a photo.",
  "error.notAPicture.webPage": "This is a web page, not a photo, whatever its name says.",
  "error.notAPicture.archive": "This is an archive or a document, not a photo.",
  "error.unsupported": "This browser cannot open {what}.",
  "hint.another": "Choose a JPEG, PNG or WebP photo.",
  "hint.heic": "On an iPhone share it as JPEG, or open this page in Safari.",
  "hint.convert": "Save it as JPEG or PNG and try again.",
  "hint.film": "Pause it where the face is clear, and take a screenshot.",
  "error.tooLarge": "This picture is too large to open safely ({what}).",
  "hint.tooLarge": "Reduce it to at most {megapixels} megapixels.",
  "error.tooSmall": "This picture is only {width} × {height} pixels.",
  "hint.tooSmall": "Choose one with at least {side} pixels a side.",
  "error.damaged": "This picture is damaged or cut off, and cannot be opened.",
  "hint.damaged": "Download or export it again.",
  "error.noImage": "There is no picture in what was dropped or pasted.",
  "error.shardStatus": "{file} could not be loaded (status {status}).",
  "error.shardSize": "{file} has {got} bytes where the manifest says {want}.",
  "error.offline": "{file} could not be loaded: the network is not reachable.",
  "hint.retry": "Check the connection, then press “Try again”.",
  "hint.host": "The files of this page are incomplete or mixed up: load it again, or tell whoever hosts it.",
  "error.noAdapter": "This browser offers no WebGPU adapter.",
  "hint.useCpu": "Choose “Processor” under “Engine”.",
  "error.stale": "The photo or its crop was replaced in the meantime.",
  "error.saveOvertaken": "Another photo or crop came in between, so this one was not saved.",
  "error.unsettled": "Not saved: there is no picture of what the sliders say now.",
  "hint.unsettled": "Move a slider and try again.",
  "error.photo": "Something went wrong inside while working on this photo.",
  "hint.photo": "Try again, or choose another crop.",
  retry: "Try again",
  "note.reduced": "The photo has {from} megapixels; it was reduced to {to}.",
  "note.firstFrame": "Of a moving picture the first frame is used.",
  "note.profileConverted": "The photo’s colours were converted from its profile, “{name}”.",
  "note.profileUnreadable": "The photo’s colour profile cannot be read; its colours were taken for sRGB.",
  "note.gainMapDropped":
    "This is an HDR photo: its base picture is used, and what brightens it on some screens is not kept.",
  "note.depthReduced": "Of the photo’s {bits} bits per channel, 8 are kept.",
  "note.inksConverted": "This picture is made for printing: its inks were converted roughly.",
  "note.hdr": "This is an HDR picture: what is brighter than white was dimmed.",
  "note.narrowed": "This browser works in sRGB: colours beyond it were brought into it.",
  pixels: "{width} × {height} pixels",
  megabytes: "{size} MB",
};

/** @typedef {keyof typeof STRINGS} StringKey */

/**
 * The sentence for `key`, with its blanks filled in.
 * @param {StringKey} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  return STRINGS[key].replace(/\{(\w+)\}/g, (blank, name) => String(values[name] ?? blank));
}

/**
 * The sentence for a key made at run time, or `fallback` when the table has none.
 * @param {string} key
 * @param {string} fallback
 */
export function translated(key, fallback) {
  return key in STRINGS ? t(/** @type {StringKey} */ (key)) : fallback;
}

/** @param {number} bytes */
export function formatBytes(bytes) {
  return bytes < 1e5 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** @param {number} seconds */
export function formatSeconds(seconds) {
  if (seconds < 0.95) return `${Math.max(10, Math.round(seconds * 100) * 10)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
