// Run as a thread by session-model.test.mjs, which says from which seed to which.
//
// The session against workers that are models of the real ones, through many random days: files good, bad and
// slow, photos that come back with their edits, turns, faces, crops, sliders, undo, modes, saves, and crashes, in any
// order. Whatever happens, the following holds in the end, when nothing is under way:
//
// - every call has settled, and every failure has a sentence;
// - the photo's worker holds the photo that the page shows, turned the same way, and nothing else;
// - the crops and inversions that are held are those of the faces that were worked on, the one in use among them;
// - the picture shown is that of the sliders and the mode as they are, in full;
// - a file that was saved shows what the sliders said when it was ready, those of all faces in a whole photo, or it
//   was said why there is none;
// - a clip shows the face that was in use, at the strengths it asked for, and the sliders' picture comes back;
// - a file that cannot be opened changes nothing but for its sentence, one that can is open in the end;
// - the page has closed every bitmap that it does not show, and none that it does;
// - it does not look busy.
import assert from "node:assert/strict";
import { parentPort, workerData } from "node:worker_threads";
import { enter, FakeBitmap, install, settle, World } from "./world.mjs";

install();
const { PageEngine } = await import("../../www/app/engine.js");
const { Session } = await import("../../www/app/session.js");
const { Failure } = await import("../../www/shared/failure.js");
const { Remote } = await import("../../www/shared/rpc.js");
const { same } = await import("../../www/shared/strengths.js");
const { answerCalls } = await import("../../www/workers/answers.js");

/** @import { FakeWorker } from "./world.mjs" */

const ACTIONS = 24;
const MOST_STEPS = 5000;

/** @typedef {{ content: string, good: boolean, slow: boolean, crashes: boolean, faces: number }} FakeFile */

const MODEL = {
  name: "model",
  depicts: "faces",
  pasteMode: "difference",
  imageSize: 256,
  outputWidth: 256,
  outputHeight: 256,
  inputSize: 256,
  injectSize: 64,
  inverts: true,
  compensates: true,
  directions: [{ name: "smile" }, { name: "age" }],
  shards: [{ sha256: "abc" }],
};

/** @type {World} */
let world;

/** @param {string} code @param {string} message */
const failure = (code, message) => new Failure({ code: /** @type {any} */ (code), message });

/** A model of workers/photo.js. @param {FakeWorker} worker */
function photoScript(worker) {
  /** @type {Map<string, { content: string, turns: number, faces: number, reduced?: any }>} */
  const photos = new Map();
  /** @type {Map<string, any>} */
  const crops = new Map();
  worker.state = { photos, crops };
  const photoOf = (/** @type {string} */ id) => {
    const photo = photos.get(id);
    if (!photo) throw failure("stale-photo", "no such photo");
    return photo;
  };
  const cropOf = (/** @type {string} */ id) => {
    const crop = crops.get(id);
    if (!crop) throw failure("stale-crop", "no such crop");
    return crop;
  };
  const madeOf = (/** @type {string} */ id, /** @type {string} */ edit) => {
    const crop = cropOf(id);
    if (crop.made?.edit !== edit) throw failure("stale-edit", "no such edit");
    return { photo: crop.photo, quad: crop.quad, ...crop.made.edited };
  };
  const photoWith = (/** @type {any[]} */ layers) => {
    const made = layers.map(({ crop, edit }) => madeOf(crop, edit));
    return { ...made.pop(), others: made };
  };
  const opened = (/** @type {any} */ photo) => ({ width: 256, height: 192, bitmap: new FakeBitmap({ photo }) });
  /** @type {any} */
  const methods = {
    async open(/** @type {string} */ id, /** @type {FakeFile} */ file) {
      for (let i = file.slow ? 12 : 1; i > 0; i--) await world.pause();
      if (file.crashes) {
        worker.crash();
        await new Promise(() => {});
      }
      if (!file.good) throw failure("damaged", "damaged");
      this.check();
      const photo = { content: file.content, turns: 0, faces: file.faces };
      photos.set(id, photo);
      return { ...opened(photo), notes: [] };
    },
    adopt(/** @type {string} */ id, /** @type {FakeBitmap} */ bitmap) {
      photos.set(id, bitmap.shows.photo);
    },
    async turn(/** @type {string} */ id, /** @type {string} */ turned) {
      const photo = photoOf(id);
      await world.pause();
      photos.set(turned, { ...photo, turns: (photo.turns + 1) % 4 });
      return opened(photos.get(turned));
    },
    async faces(/** @type {string} */ id) {
      await world.pause();
      const { content, turns, faces } = photoOf(id);
      return Array.from({ length: faces }, (_, i) => ({
        quad: quad(`${content} ${turns} ${i}`),
        mesh: [],
        warnings: [],
      }));
    },
    crop(/** @type {string} */ id, /** @type {string} */ crop, /** @type {any} */ quad) {
      crops.set(crop, { of: id, photo: photoOf(id), quad, made: undefined });
    },
    async original(/** @type {string} */ id, /** @type {number} */ side) {
      await world.pause();
      const { photo, quad } = cropOf(id);
      return new FakeBitmap({ photo, quad, side });
    },
    async retouch(/** @type {string} */ id, /** @type {string} */ edit, /** @type {any} */ look) {
      await world.pause();
      return new FakeBitmap({ ...madeOf(id, edit), ...look });
    },
    async reduce(
      /** @type {string} */ id,
      /** @type {any[]} */ layers,
      /** @type {string} */ mode,
      /** @type {string} */ reduced,
      /** @type {any} */ size,
    ) {
      await world.pause();
      this.check();
      const others = layers.map(({ crop, edit }) => madeOf(crop, edit));
      photos.set(reduced, { ...photoOf(id), reduced: { others, mode, size } });
    },
    async paste(/** @type {any[]} */ layers, /** @type {string} */ mode, /** @type {string | undefined} */ onto) {
      await world.pause();
      return new FakeBitmap({ ...photoWith(layers), mode, onto: onto && photoOf(onto).reduced });
    },
    async save(/** @type {any[]} */ layers, /** @type {string} */ what, /** @type {any} */ look) {
      const shows = { ...photoWith(layers), ...look, what };
      await world.pause();
      return { shows };
    },
    async mark(/** @type {any} */ file) {
      await world.pause();
      return { ...file, marked: true };
    },
    release(/** @type {string} */ id) {
      for (const [crop, { of }] of crops) if (crop === id || of === id) crops.delete(crop);
      photos.delete(id);
    },
  };
  /** @type {any} */
  const forEngine = {
    async face(/** @type {string} */ id) {
      await world.pause();
      const { photo, quad } = cropOf(id);
      return { photo, quad };
    },
    take(/** @type {string} */ id, /** @type {string} */ edit, /** @type {any} */ edited) {
      cropOf(id).made = { edit, edited };
    },
  };
  answerCalls(methods, {
    endpoint: worker.inside,
    concurrent: true,
    onLink: (port) => port && answerCalls(forEngine, { endpoint: port, concurrent: true }),
  });
}

/** A model of workers/engine.js. @param {FakeWorker} worker */
function engineScript(worker) {
  /** @type {InstanceType<typeof Remote> | undefined} */
  let photos;
  /** @type {Map<string, any>} */
  const held = new Map();
  worker.state = { held };
  const gone = () => failure("disconnected", "the photo's worker is gone");
  const supply = () => {
    if (!photos) throw gone();
    return photos;
  };
  const holding = (/** @type {string} */ inversion) => {
    const found = held.get(inversion);
    if (!found) throw failure("stale-inversion", "no such inversion");
    return found;
  };
  /** @type {any} */
  const methods = {
    start: () => ({ backend: "cpu", adapter: "CPU", selfTestError: 0, threads: 1 }),
    async load() {
      await world.pause();
      worker.inside.postMessage({ event: "model", data: MODEL });
      return MODEL;
    },
    async invert(/** @type {string} */ inversion, /** @type {string} */ crop) {
      const face = await supply().call("face", [crop, 256]);
      for (let i = 0; i < 3; i++) await this.yield();
      held.set(inversion, { crop, face });
    },
    release: (/** @type {string} */ inversion) => void held.delete(inversion),
    async view(/** @type {string} */ inversion, /** @type {string} */ kind) {
      await world.pause();
      return new FakeBitmap({ ...holding(inversion).face, kind });
    },
    async addDirections(/** @type {string} */ name) {
      await world.pause();
      if (name.startsWith("bad")) throw failure("import", "no direction");
      if (name.startsWith("crash")) {
        worker.crash();
        await new Promise(() => {});
      }
      return [{ name: `own/${name}` }];
    },
    async edit(
      /** @type {string} */ inversion,
      /** @type {string} */ edit,
      /** @type {any} */ strengths,
      /** @type {any} */ size,
    ) {
      const { crop, face } = holding(inversion);
      for (let i = 0; i < 3; i++) await this.yield();
      await supply().call("take", [crop, edit, { face, strengths, full: size === undefined }], { move: true });
      return {};
    },
  };
  answerCalls(methods, {
    endpoint: worker.inside,
    onLink(port) {
      photos?.end(gone());
      photos = port && new Remote(/** @type {any} */ (port));
    },
  });
}

/** @param {string} name @returns {any} a quad that can be told from others */
function quad(name) {
  let hash = 0;
  for (const letter of name) hash = (hash * 31 + letter.charCodeAt(0)) % 97;
  return [
    [10 + hash, 10],
    [10 + hash, 90],
    [90 + hash, 90],
    [90 + hash, 10],
  ];
}

/** @param {any} quad what tells it from others, also when it was sent to a worker */
const name = (quad) => quad[0][0];

/** One visitor's day. */
class Day {
  engine = new PageEngine();
  session = new Session(this.engine);
  /** @type {Set<string>} what has not settled yet */
  open = new Set();
  /** @type {string[]} */
  log = [];
  /** @type {unknown[]} failures that the visitor saw */
  failures = [];
  /** @type {string | undefined} content of the last good file, until a worker crashes on the way to it */
  expected;
  files = 0;
  busy = false;
  working = false;
  /** @type {string | undefined} */
  opening;
  /** @type {import("../../www/app/photos.js").OpenPhoto | undefined} */
  present;
  /** @type {import("../../www/app/photos.js").OpenPhoto | undefined} the one before, on which a crop may still lie */
  earlier;
  gone = false;
  /** @type {{ content: string, back: () => void } | undefined} the photo that gave way last, with unsaved edits */
  left;

  constructor() {
    const { session, engine } = this;
    /** @param {string} type @param {(detail: any) => void} act */
    const on = (type, act) =>
      session.addEventListener(type, (event) => act(/** @type {CustomEvent} */ (event).detail));
    on("failure", (thrown) => {
      this.failures.push(thrown);
      if (thrown.code === "photo") this.expected = undefined;
    });
    on("busy", (busy) => {
      this.busy = busy;
    });
    on("step", ({ stage }) => {
      this.working = stage !== undefined;
    });
    on("photo", () => {
      [this.earlier, this.present] = [this.present, session.photo];
    });
    on("opening", (name) => {
      this.opening = name;
    });
    on("need-crop", () => {
      this.working = false;
    });
    on("notice", ({ said, action }) => {
      if (action) this.left = { content: said.values.name.name, back: action.run };
    });
    engine.addEventListener("status", () => {
      if (engine.status.state === "failed") this.gone = true;
    });
    engine.start().catch(() => {});
  }

  /**
   * @param {string} name
   * @param {Promise<unknown>} promise
   */
  watch(name, promise) {
    const key = `${this.log.length} ${name}`;
    this.open.add(key);
    promise.then(
      () => this.open.delete(key),
      (thrown) => {
        this.open.delete(key);
        if (!(thrown instanceof Failure) || !thrown.message) this.failures.push(`${name}: ${thrown}`);
      },
    );
  }

  /** What the picture must be now. */
  get wish() {
    const { session } = this;
    return {
      photo: session.photo?.bitmap && /** @type {any} */ (session.photo.bitmap).shows.photo,
      quad: session.quad,
      strengths: session.strengths,
      mode: session.pasteMode,
    };
  }

  /** Does something that a visitor can do now, or lets a worker crash. */
  act() {
    const { session } = this;
    const { photo } = session;
    /** @type {[string, () => void][]} */
    const choices = [
      ["open", () => this.openFile({})],
      ["open bad", () => this.openFile({ good: false })],
      ["open slow", () => this.openFile({ slow: true })],
      ["open slow bad", () => this.openFile({ slow: true, good: false })],
      ["mode", () => this.watch("mode", session.choosePasteMode(world.pick(["face", "difference"])))],
    ];
    if (world.chance(0.25)) {
      choices.push(["engine crash", () => world.workers.get("engine.js")?.crash()]);
      choices.push(["photo crash", () => world.workers.get("photo.js")?.crash()]);
      choices.push(["add directions", () => this.addDirections()]);
      choices.push(["restart engine", () => this.watch("restart", session.restartEngine())]);
      choices.push(["open crashing", () => this.openFile({ crashes: true })]);
    }
    const { earlier, left } = this;
    if (left) {
      choices.push([
        "bring back",
        () => {
          [this.left, this.expected] = [undefined, left.content];
          left.back();
        },
      ]);
    }
    if (earlier) {
      choices.push(["late crop", () => this.watch("crop", session.use(earlier, quad("too late"), undefined))]);
    }
    if (photo) {
      choices.push(["turn", () => this.watch("turn", session.turnPhoto())]);
      choices.push([
        "crop",
        () => this.watch("crop", session.use(photo, quad(`by hand ${this.log.length}`), undefined)),
      ]);
      for (const face of session.faces) {
        choices.push(["face", () => this.watch("face", session.use(photo, face.quad, face))]);
      }
    }
    if (session.inverted) {
      for (let i = 0; i < 5; i++) choices.push(["slider", () => this.slide()]);
      choices.push(
        ["undo", () => session.undo()],
        ["redo", () => session.redo()],
        ["reset", () => session.resetAll()],
      );
      choices.push(["paste", () => this.watch("paste", session.paste())]);
      for (const what of /** @type {const} */ (["face", "photo", "pair", "photo-pair"]))
        choices.push([`save ${what}`, () => this.save(what)]);
      choices.push(["film", () => this.film()], ["film photo", () => this.film({ width: 64, height: 48 })]);
    }
    const [name, run] = world.pick(choices);
    this.log.push(name);
    run();
  }

  slide() {
    const name = world.pick([
      "smile",
      "age",
      ...this.session.ownFiles.flatMap((own) => own.directions.map((d) => d.name)),
    ]);
    this.session.set({ [name]: world.pick([0, 1, 2, -1]) }, { moving: world.chance(0.5) });
  }

  /** @param {Partial<FakeFile>} about */
  openFile({ good = true, slow = false, crashes = false }) {
    const content = `file ${this.files++}`;
    /** @type {any} */
    const file = Object.assign(Object.create({}), { content, good, slow, crashes, faces: world.pick([0, 1, 1, 2]) });
    this.expected = good && !crashes ? content : undefined;
    this.watch("open", this.session.open(file, { name: content, aligned: world.chance(0.2) }));
  }

  addDirections() {
    const name = world.pick(["lean", "bad", "crash"]);
    const file = /** @type {any} */ ({ name, arrayBuffer: async () => new ArrayBuffer(0) });
    this.watch("directions", this.session.addDirections([file]));
  }

  /**
   * Makes a clip, or thinks better of it.
   * @param {{ width: number, height: number }} [size] of the whole photo
   */
  film(size) {
    const { photo, quad, mode } = this.wish;
    const others = this.session.portraits.all.slice(0, -1).filter(({ edited }) => edited);
    const wanted = others.map((each) => ({ face: { photo, quad: each.quad }, strengths: each.strengths }));
    const cancel = new AbortController();
    const work = async (/** @type {(strengths: any) => Promise<any>} */ frame) => {
      for (const smile of [0, 0.5, 1]) {
        const picture = await frame({ smile });
        const { shows } = picture;
        picture.close();
        assert.ok(!cancel.signal.aborted, "a picture of a clip that nobody wants");
        assert.deepEqual(shows.face, { photo, quad }, "filmed another face");
        assert.ok(same(shows.strengths, { smile }) && shows.full, "filmed other sliders");
        assert.equal(shows.mode, mode, "filmed otherwise");
        assert.deepEqual(shows.onto?.size, size, "filmed in another size");
        const found = shows.onto?.others.map((/** @type {any} */ { face, strengths }) => ({ face, strengths }));
        if (size) assert.deepEqual(found, wanted, "filmed other faces otherwise");
        if (world.chance(0.2)) cancel.abort();
      }
      return /** @type {any} */ ({});
    };
    const filmed = this.session.film(work, cancel.signal, size).then((/** @type {any} */ file) => {
      assert.ok(file.marked && !cancel.signal.aborted, "a clip that is not marked, or not wanted");
    });
    this.watch("film", filmed);
  }

  /** @param {"face" | "photo" | "pair" | "photo-pair"} what */
  save(what) {
    const { photo, quad } = this.wish;
    const saved = this.session.save(what).then((/** @type {any} */ file) => {
      const { shows } = file;
      assert.deepEqual(shows.photo, photo, "saved another photo");
      assert.deepEqual(shows.face, { photo, quad }, "saved another face");
      const now = this.wish;
      if (now.photo !== photo || now.quad !== quad) return; // finished after another one was opened
      const { strengths, mode } = now;
      assert.ok(same(shows.strengths, strengths) && shows.full, "saved other sliders");
      assert.deepEqual([shows.mode, shows.what], [mode, what], "saved otherwise");
      const others = what.startsWith("photo")
        ? this.session.portraits.all.slice(0, -1).filter(({ edited }) => edited)
        : [];
      const wanted = others.map((each) => ({ face: { photo, quad: each.quad }, strengths: each.strengths }));
      const found = shows.others.map((/** @type {any} */ { face, strengths }) => ({ face, strengths }));
      assert.deepEqual(found, wanted, "saved other faces otherwise");
    });
    this.watch("save", saved);
  }

  async rest() {
    await settle();
    for (let steps = 0; !world.atRest; steps++) {
      assert.ok(steps < MOST_STEPS, "it never comes to rest");
      await world.step();
    }
  }

  /** What holds whenever nothing is under way. */
  check() {
    const { session } = this;
    const { photo, quad, strengths, mode } = this.wish;
    assert.equal([...this.open].join(), "", `calls that never settle: ${[...this.open]}`);
    for (const thrown of this.failures)
      assert.ok(thrown instanceof Failure && thrown.message, `no sentence: ${thrown}`);
    assert.equal(this.busy, false, "looks busy");
    assert.equal(this.working, false, "shows a stage");
    assert.ok(!this.opening, "seems to open a file");
    if (this.expected !== undefined) assert.equal(photo?.content, this.expected, "the file is not open");

    const worker = world.workers.get("photo.js");
    const crops = worker && !worker.dead ? [...worker.state.crops.values()] : [];
    if (worker && !worker.dead) {
      assert.deepEqual([...worker.state.photos.values()], photo ? [photo] : [], "photos in the worker");
      const quads = session.portraits.all.map((portrait) => name(portrait.quad));
      for (const crop of crops) assert.deepEqual(crop.photo, photo, "the photo of a crop in the worker");
      for (const crop of crops) assert.ok(quads.includes(name(crop.quad)), "a crop in the worker that nobody uses");
      assert.equal(new Set(crops.map((crop) => name(crop.quad))).size, crops.length, "two crops of one face");
    }
    const engine = world.workers.get("engine.js");
    const inversions = engine && !engine.dead ? [...engine.state.held.values()] : [];
    const inverted = inversions.map(({ face }) => name(face.quad));
    const wanted = session.portraits.all.map((portrait) => name(portrait.quad));
    assert.ok(
      inverted.every((each) => wanted.includes(each)),
      "an inversion that nobody uses",
    );
    assert.equal(new Set(inverted).size, inverted.length, "two inversions of one face");
    assert.ok(inverted.length <= 5, "too many inversions");
    const shown = [
      session.photo?.bitmap,
      ...session.portraits.all.flatMap((each) => [each.pasted, ...Object.values(each.pictures)]),
    ].filter((each) => each);
    for (const each of shown) assert.ok(!(/** @type {any} */ (each).closed), "a closed bitmap is shown");
    assert.deepEqual(new Set(shown), world.held, "bitmaps that the page holds");
    return { photo, quad, strengths, mode, crops };
  }

  /** What holds besides, when both workers could do their work. */
  checkEdited() {
    const { photo, quad, strengths, mode, crops } = this.check();
    if (!quad) return;
    const { pictures, pasted } = this.session;
    assert.ok(pictures.edited, "not inverted");
    const { shows } = /** @type {any} */ (pictures.edited);
    assert.deepEqual(shows.photo, photo, "shows another photo");
    assert.deepEqual(shows.face, { photo, quad }, "shows another face");
    assert.ok(
      same(shows.strengths, strengths),
      `sliders say ${JSON.stringify(strengths)}, shown ${JSON.stringify(shows.strengths)}`,
    );
    assert.deepEqual([shows.mode, shows.full], [mode, true], "shows another mode, or a preview");
    assert.deepEqual(
      /** @type {any} */ (pictures.original).shows,
      { photo, quad, side: shows.side },
      "another original",
    );
    if (pasted) assert.ok(same(/** @type {any} */ (pasted).shows.strengths, strengths), "an old whole photo");
    assert.ok(
      crops.some((crop) => name(crop.quad) === name(quad)),
      "the crop in use",
    );
    const inversions = [...(world.workers.get("engine.js")?.state.held.values() ?? [])];
    assert.ok(
      inversions.some(({ face }) => name(face.quad) === name(quad)),
      "the engine's face",
    );
  }

  /** From morning to evening. */
  async live() {
    for (let acts = 0; acts < ACTIONS; ) {
      if (world.atRest || world.chance(0.08)) {
        acts++;
        this.act();
        await settle();
      } else {
        await world.step();
      }
    }
    await this.rest();
    const undisturbed = !this.gone && !this.failures.some((thrown) => /** @type {any} */ (thrown).code === "photo");
    if (undisturbed) this.checkEdited();
    else this.check();
    // A visitor who was told to try again does so.
    this.log.push("try again");
    if (this.gone) this.watch("restart", this.session.restartEngine());
    await this.rest();
    if (this.session.quad) this.session.set({ smile: 1.5 });
    await this.rest();
    this.checkEdited();
    if (this.session.inverted) {
      for (const what of /** @type {const} */ (["face", "photo", "pair", "photo-pair"])) this.save(what);
    }
    await this.rest();
    this.check();
  }
}

/** @param {number} seed */
async function live(seed) {
  world = new World(seed, { "engine.js": engineScript, "photo.js": photoScript });
  enter(world);
  const day = new Day();
  try {
    await day.live();
    return undefined;
  } catch (thrown) {
    return `seed ${seed}: ${/** @type {Error} */ (thrown).message.split("\n")[0]} (after ${day.log.join(", ")})`;
  }
}

Error.stackTraceLimit = 0; // failures are made by the million here
const { from, to, step } = workerData;
const faults = [];
for (let seed = from; seed < to; seed += step) {
  const fault = await live(seed);
  if (fault) faults.push(fault);
}
parentPort?.postMessage(faults);
