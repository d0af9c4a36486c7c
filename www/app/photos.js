// Photos as the page sees them: kept and worked on by a worker that is replaced when it crashes.
import { Failure } from "../shared/failure.js";
import { newId } from "../shared/ids.js";
import { room } from "../shared/room.js";
import { RemoteWorker } from "../shared/rpc.js";
import { say } from "../shared/say.js";

/** @import { CloseUp, Encoding, Layer, OpenedPhoto, PhotoMethods } from "../shared/protocol.js" */
/** @import { Rendering, SaveKind, Size } from "../shared/protocol.js" */
/** @import { Saying } from "../shared/say.js" */
/** @import { CropId, EditId, PasteMode, Point, Quad, QuadPoints } from "../shared/types.js" */

/** An open photo; whoever opened it releases it. */
export class OpenPhoto {
  id = newId("photo");
  /** @type {ImageBitmap | undefined} */
  #bitmap;
  width = 0;
  height = 0;
  /** @type {PredefinedColorSpace} */
  space = "srgb";

  /** @param {string} name */
  constructor(name) {
    this.name = name;
  }

  /** All of it, upright. */
  get bitmap() {
    if (!this.#bitmap) throw new Failure({ code: "stale-photo", message: say("error.stale") });
    return this.#bitmap;
  }

  /** @param {OpenedPhoto} opened */
  show({ width, height, space, bitmap }) {
    [this.width, this.height, this.space, this.#bitmap] = [width, height, space, bitmap];
  }

  close() {
    this.#bitmap?.close();
    this.#bitmap = undefined;
  }
}

/**
 * Fires `worker` (there is another one, or none) and `crash` (photos are kept and come back by themselves, crops and
 * edits are gone).
 */
export class Photos extends EventTarget {
  /** @type {RemoteWorker<PhotoMethods> | undefined} */
  #worker;
  /** @type {Set<OpenPhoto>} */
  #open = new Set();

  /** The worker, started on first use, and given the photos that its predecessor held. */
  get #running() {
    if (this.#worker) return this.#worker;
    const script = new Worker(new URL("../workers/photo.js", import.meta.url), { type: "module" });
    /** @type {RemoteWorker<PhotoMethods>} */
    const worker = new RemoteWorker(script, {
      onCrash: (failure) => {
        if (this.#worker !== worker) return;
        this.#use(undefined);
        this.dispatchEvent(new CustomEvent("crash", { detail: failure }));
      },
    });
    this.#use(worker);
    for (const { id, bitmap, space } of this.#open) {
      worker.call("adopt", [id, bitmap, space]).catch(() => {}); // its crash is heard of
    }
    return worker;
  }

  /** @param {RemoteWorker<PhotoMethods> | undefined} worker */
  #use(worker) {
    this.#worker = worker;
    this.dispatchEvent(new CustomEvent("worker"));
  }

  /** Ends the worker, and closes all photos. */
  stop() {
    for (const photo of this.#open) photo.close();
    this.#open.clear();
    this.#worker?.stop();
    this.#use(undefined);
  }

  /** Whether there is a worker to link to another one. */
  get alive() {
    return this.#worker !== undefined;
  }

  /** @param {MessagePort | undefined} port a way to the engine's worker */
  link(port) {
    this.#worker?.link(port);
  }

  /**
   * @template {keyof PhotoMethods} Name
   * @param {Name} method
   * @param {Parameters<PhotoMethods[Name]>} args
   * @param {AbortSignal} [signal]
   * @returns {Promise<Awaited<ReturnType<PhotoMethods[Name]>>>}
   */
  async #call(method, args, signal) {
    try {
      return await this.#running.call(method, args, { signal });
    } catch (thrown) {
      const failure = Failure.from(thrown);
      if (failure.fatal) throw new Failure({ code: "photo", message: say("error.photo"), hint: say("hint.photo") });
      throw failure;
    }
  }

  /**
   * Decodes a file. The photo before stays open.
   * @param {Blob} file
   * @param {string} name
   * @param {AbortSignal} signal
   * @returns {Promise<{ photo: OpenPhoto, notes: Saying[] }>} with what the visitor is told
   */
  open(file, name, signal) {
    const photo = new OpenPhoto(name);
    return this.#opening(photo, async () => {
      const opened = await this.#call("open", [photo.id, file, room().pixels], signal);
      photo.show(opened);
      return { photo, notes: opened.notes };
    });
  }

  /**
   * A photo turned by a quarter, as a photo of its own.
   * @param {OpenPhoto} photo
   * @param {AbortSignal} signal
   */
  turn(photo, signal) {
    const turned = new OpenPhoto(photo.name);
    return this.#opening(turned, async () => {
      turned.show(await this.#call("turn", [photo.id, turned.id], signal));
      return turned;
    });
  }

  /**
   * @template T
   * @param {OpenPhoto} photo
   * @param {() => Promise<T>} work opens it
   */
  async #opening(photo, work) {
    try {
      const done = await work();
      this.#open.add(photo);
      return done;
    } catch (thrown) {
      this.release(photo.id); // the worker may have finished all the same
      throw thrown;
    }
  }

  /** @param {OpenPhoto} photo */
  close(photo) {
    this.#open.delete(photo);
    photo.close();
    this.release(photo.id);
  }

  /**
   * Has the worker forget a photo or crop.
   * @param {OpenPhoto["id"] | CropId} id
   */
  release(id) {
    this.#worker?.call("release", [id]).catch(() => {}); // a crashed worker has forgotten it, too
  }

  /**
   * Every face of a photo, largest first.
   * @param {OpenPhoto} photo
   * @param {AbortSignal} signal
   */
  faces(photo, signal) {
    return this.#call("faces", [photo.id, room().searchSide], signal);
  }

  /** @param {QuadPoints} points */
  quadFromPoints(points) {
    return this.#call("quadFromPoints", [points]);
  }

  /**
   * The face in a quad that is not a crop yet.
   * @param {OpenPhoto} photo
   * @param {Quad} quad
   * @param {number} size
   * @param {boolean} faceless whether it is no face
   */
  preview(photo, quad, size, faceless) {
    return this.#call("preview", [photo.id, quad, size, faceless]);
  }

  /**
   * Begins a crop of a photo.
   * @param {OpenPhoto} photo
   * @param {CropId} crop
   * @param {Quad} quad
   * @param {Point[] | undefined} mesh of the face, when it was found and not placed by hand
   * @param {boolean} faceless whether what is in the quad is no face
   */
  crop(photo, crop, quad, mesh, faceless) {
    return this.#call("crop", [photo.id, crop, quad, mesh, faceless]);
  }

  /**
   * The face in a crop, as a bitmap that the caller closes.
   * @param {CropId} crop
   * @param {number} side
   * @param {AbortSignal} signal
   */
  original(crop, side, signal) {
    return this.#call("original", [crop, side], signal);
  }

  /**
   * The edited face, as a bitmap that the caller closes.
   * @param {CropId} crop
   * @param {EditId} edit
   * @param {Rendering} rendering
   * @param {AbortSignal} signal
   */
  retouch(crop, edit, rendering, signal) {
    return this.#call("retouch", [crop, edit, rendering], signal);
  }

  /**
   * A part of the face in a crop with the photo's own pixels, edited or as it was, as a bitmap that the caller closes.
   * @param {CropId} crop
   * @param {EditId | undefined} edit
   * @param {CloseUp} part
   * @param {AbortSignal} signal
   */
  closeUp(crop, edit, part, signal) {
    return this.#call("closeUp", [crop, edit, part], signal);
  }

  /**
   * What an edit changes, for other pictures of the same face.
   * @param {CropId} crop
   * @param {EditId} edit
   * @param {AbortSignal} signal
   */
  change(crop, edit, signal) {
    return this.#call("change", [crop, edit], signal);
  }

  /**
   * Makes a smaller copy of a photo, with edited faces in it. It is gone with the worker; whoever made it releases it.
   * @param {OpenPhoto} photo
   * @param {Layer[]} layers
   * @param {PasteMode} mode
   * @param {{ id: OpenPhoto["id"], size: Size }} reduced
   * @param {AbortSignal} signal
   */
  reduce(photo, layers, mode, { id, size }, signal) {
    return this.#call("reduce", [photo.id, layers, mode, id, size], signal);
  }

  /**
   * The whole photo with edited faces in it, as a bitmap that the caller closes.
   * @param {Layer[]} layers
   * @param {PasteMode} mode
   * @param {AbortSignal} signal
   * @param {OpenPhoto["id"]} [onto] a smaller copy of the photo
   */
  paste(layers, mode, signal, onto) {
    return this.#call("paste", [layers, mode, onto], signal);
  }

  /**
   * The whole photo with edited faces in it, or the last face alone, as a file.
   * @param {Layer[]} layers
   * @param {SaveKind} what
   * @param {Rendering} rendering
   * @param {Encoding} encoding
   */
  save(layers, what, rendering, encoding) {
    return this.#call("save", [layers, what, rendering, encoding]);
  }

  /**
   * A file without metadata as one that says to programs that a model edited what it shows.
   * @param {Blob} file
   * @param {AbortSignal} signal
   */
  mark(file, signal) {
    return this.#call("mark", [file], signal);
  }
}
