// What the page warns of when something covers a face, or when it is drawn: how often it is right.
//
//   node benches/coverings.mjs FOLDER
//
// FOLDER holds aligned faces that the model never saw. Each is inverted by the page's own engine, and what the page
// would say is counted. Every third one is also painted over: sunglasses, plain glasses, masks, hands; and redrawn.
// Needs `./build.sh build`.
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { host, launch, root, visit } from "../tests/page/support.mjs";

const PAINTED_EVERY = 3;

const [folder] = process.argv.slice(2);
if (!folder) throw new Error("name a folder with aligned faces");
const [browser, server] = await Promise.all([launch(), host(path.join(root, "weights"), { readable: true })]);
const { page } = await visit(browser, `${server.url}icons/icon.svg`, { serviceWorkers: "block" });

/** Readies the engine, and what paints; runs in the page. */
async function ready() {
  /** @typedef {import("../www/shared/types.js").Point} Point */
  /** @typedef {OffscreenCanvasRenderingContext2D} Context */
  const address = (/** @type {string} */ name) => new URL(`/${name}`, location.href).href;
  const bytes = async (/** @type {string} */ name) => new Uint8Array(await (await fetch(address(name))).arrayBuffer());
  /** @type {typeof import("../www/pkg/cpu/sdic.js")} */
  const module = await import(address("pkg/cpu/sdic.js"));
  /** @type {typeof import("../www/app/coverings.js")} */
  const { covering } = await import(address("app/coverings.js"));
  await (await import(address("workers/cpu.js"))).startCpu();
  const engine = await module.WebEngine.create("cpu");
  const manifest = await bytes("weights/manifest.json");
  engine.begin(manifest);
  const { config, shards } = JSON.parse(new TextDecoder().decode(manifest));
  for (const [i, { file }] of shards.entries()) engine.pushShard(i, await bytes(`weights/${file}`));
  engine.finish();
  const finder = new module.FaceFinder(
    await bytes("weights/face/manifest.json"),
    await bytes("weights/face/face.safetensors"),
  );

  /** @type {number} */
  const side = config.image_size;
  const unit = side / 256;
  const canvas = () =>
    /** @type {Context} */ (new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true }));
  const read = (/** @type {Context} */ context) => context.getImageData(0, 0, side, side).data;
  const between = (/** @type {Point} */ a, /** @type {Point} */ b, share = 0.5) =>
    /** @type {Point} */ ([a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])]);

  /**
   * A line of some width, or without one a filled outline.
   * @param {Context} context
   * @param {Point[]} points
   * @param {string} colour
   * @param {number} [width]
   */
  function trace(context, points, colour, width) {
    context.beginPath();
    for (const [x, y] of points) context.lineTo(x, y);
    [context.fillStyle, context.strokeStyle, context.lineWidth] = [colour, colour, (width ?? 0) * unit];
    if (width) context.stroke();
    else context.fill();
  }

  const glasses = (/** @type {string} */ colour, /** @type {number} */ alpha) => {
    return (/** @type {Context} */ context, /** @type {Point[]} */ mesh) => {
      const tilt = Math.atan2(mesh[263][1] - mesh[33][1], mesh[263][0] - mesh[33][0]);
      for (const [a, b] of [
        [mesh[33], mesh[133]],
        [mesh[362], mesh[263]],
      ]) {
        const width = Math.hypot(a[0] - b[0], a[1] - b[1]);
        context.save();
        context.translate(...between(a, b));
        context.rotate(tilt);
        [context.fillStyle, context.globalAlpha] = [colour, alpha];
        context.beginPath();
        const radii = [0.3, 0.3, 0.65, 0.65].map((radius) => radius * width);
        context.roundRect(-0.95 * width, -0.62 * width, 1.9 * width, 1.35 * width, radii);
        context.fill();
        [context.strokeStyle, context.globalAlpha, context.lineWidth] = ["#1a1512", 1, 2 * unit];
        context.stroke();
        [context.fillStyle, context.globalAlpha] = ["#fff", 0.18];
        context.beginPath();
        context.ellipse(-0.35 * width, -0.3 * width, 0.35 * width, 0.12 * width, -0.5, 0, 7);
        context.fill();
        context.restore();
      }
      trace(context, [between(mesh[133], mesh[168]), between(mesh[362], mesh[168])], "#1a1512", 3);
      for (const [eye, ear] of [
        [33, 234],
        [263, 454],
      ])
        trace(context, [mesh[eye], mesh[ear]], "#1a1512", 3);
    };
  };

  const mask = (/** @type {string} */ colour) => {
    return (/** @type {Context} */ context, /** @type {Point[]} */ mesh) => {
      const outline = [116, 234, 132, 172, 150, 152, 379, 397, 361, 454, 345].map((i) => mesh[i]);
      trace(context, [between(mesh[168], mesh[4], 0.45), ...outline], colour);
      for (const share of [0.25, 0.5, 0.75]) {
        const ends = [between(mesh[116], mesh[172], share), between(mesh[345], mesh[397], share)];
        trace(context, [ends[0], between(mesh[4], mesh[152], share), ends[1]], "#0002", 2);
      }
    };
  };

  /**
   * Four fingers in the colour of a cheek, from beyond the edge of the picture.
   * @param {Point} from in 256ths
   * @param {(mesh: Point[]) => Point} to
   */
  const hand = (from, to) => {
    return (/** @type {Context} */ context, /** @type {Point[]} */ mesh) => {
      const skin = context.getImageData(Math.round(mesh[50][0]), Math.round(mesh[50][1]), 1, 1).data;
      context.lineCap = "round";
      const [x, y] = to(mesh);
      for (const finger of [-1.5, -0.5, 0.5, 1.5]) {
        const lower = 17 * unit * finger;
        const line = /** @type {Point[]} */ ([
          [from[0] * unit, from[1] * unit + lower],
          [x, y + lower],
        ]);
        const shade = (/** @type {number} */ of) => `rgb(${[...skin.slice(0, 3)].map((value) => value * of)})`;
        trace(context, line, shade(0.72), 18.5);
        trace(context, line, shade(1 + 0.04 * finger), 15.5);
      }
    };
  };

  /** @param {(pixels: Uint8ClampedArray, soft: Uint8ClampedArray, i: number) => number[]} colour at the pixel at i */
  const redrawn = (/** @type {number} */ blur, /** @type {any} */ colour) => {
    return (/** @type {Context} */ context) => {
      const soft = canvas();
      soft.filter = `blur(${blur * unit}px)`;
      soft.drawImage(context.canvas, 0, 0);
      const [picture, smooth] = [context.getImageData(0, 0, side, side), read(soft)];
      const from = picture.data.slice();
      for (let i = 0; i < from.length; i += 4) picture.data.set(colour(from, smooth, i), i);
      context.putImageData(picture, 0, 0);
    };
  };
  const grey = (/** @type {Uint8ClampedArray} */ p, /** @type {number} */ i) =>
    0.3 * p[i] + 0.59 * p[i + 1] + 0.11 * p[i + 2];
  const cartoon = redrawn(
    2.5,
    (/** @type {any} */ _, /** @type {Uint8ClampedArray} */ soft, /** @type {number} */ i) => {
      const edge = Math.hypot(
        grey(soft, i + 8) - grey(soft, i - 8),
        grey(soft, i + 8 * side) - grey(soft, i - 8 * side),
      );
      return [0, 1, 2].map((k) => (edge > 22 ? 20 : 53 * Math.round(soft[i + k] / 51)));
    },
  );
  const pencil = redrawn(
    5,
    (/** @type {Uint8ClampedArray} */ p, /** @type {Uint8ClampedArray} */ soft, /** @type {number} */ i) =>
      Array(3).fill(255 - 3 * (255 - Math.min(255, (255 * grey(p, i)) / Math.max(grey(soft, i), 1)))),
  );
  const poster = redrawn(1, (/** @type {Uint8ClampedArray} */ p, /** @type {any} */ _, /** @type {number} */ i) =>
    [0, 1, 2].map((k) => (p[i + k] < 85 ? 25 : p[i + k] < 150 ? 120 : 235)),
  );

  /** @type {Record<string, (context: Context, mesh: Point[]) => void>} */
  const paints = {
    "as it is": () => {},
    "black sunglasses": glasses("#0b0b0d", 0.97),
    "brown sunglasses": glasses("#3a2415", 0.85),
    "tinted glasses": glasses("#26303a", 0.65),
    "clear glasses": glasses("#dfe7ea", 0.08),
    "blue mask": mask("#a9c9dc"),
    "white mask": mask("#ecebe7"),
    "black mask": mask("#1c1c20"),
    "hand over the eyes": hand([-10, 164], (mesh) => [mesh[454][0], between(mesh[33], mesh[263])[1]]),
    "hand over the mouth": hand([270, 239], (mesh) => [mesh[132][0] + 8, between(mesh[13], mesh[14])[1]]),
    cartoon,
    pencil,
    poster,
  };

  const quad = /** @type {Point[]} */ ([
    [0, 0],
    [0, side],
    [side, side],
    [side, 0],
  ]);

  /**
   * What the page says of a face, by what was painted over it.
   * @param {string} base64
   * @param {boolean} all
   * @returns {Promise<Record<string, { said: string, finder: string[] }>>}
   */
  return async (base64, all) => {
    const file = new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))]);
    const clean = canvas();
    clean.imageSmoothingQuality = "high";
    clean.drawImage(await createImageBitmap(file), 0, 0, side, side);
    const detect = (/** @type {Context} */ context) =>
      finder.detect(new Uint8Array(read(context).buffer), side, side)[0];
    const found = detect(clean);
    if (!found) return {};
    /** @type {Record<string, { said: string, finder: string[] }>} */
    const said = {};
    for (const [what, paint] of Object.entries(paints).slice(0, all ? undefined : 1)) {
      const context = canvas();
      context.drawImage(clean.canvas, 0, 0);
      paint(context, /** @type {Point[]} */ (found.mesh));
      const face = read(context);
      await engine.invert(
        "face",
        new Uint8Array(face.slice().buffer),
        side,
        side,
        /** @type {any} */ (quad),
        undefined,
        async () => {},
      );
      const [plain, compensated] = [await engine.view("face", "initial"), await engine.view("face", "reconstruction")];
      const finder = detect(context)?.warnings ?? ["no face"];
      said[what] = { said: covering(face, plain.data, compensated.data) ?? "nothing", finder };
    }
    return said;
  };
}

const say = await page.evaluateHandle(ready);
/** @type {Map<string, Map<string, number>>} */
const counts = new Map();
const files = (await readdir(folder)).filter((name) => /\.(webp|jpe?g|png)$/.test(name)).sort();
for (const [i, name] of files.entries()) {
  const base64 = (await readFile(path.join(folder, name))).toString("base64");
  const all = i % PAINTED_EVERY === 0;
  const results = await say.evaluate((say, [base64, all]) => say(base64, all), /** @type {const} */ ([base64, all]));
  for (const what of Object.keys(results)) {
    const { said, finder } = results[what];
    const row = counts.get(what) ?? new Map();
    counts.set(what, row);
    for (const each of ["all", said, ...finder]) row.set(each, 1 + (row.get(each) ?? 0));
    if (what === "as it is" && said !== "nothing") console.log(`${name}: ${said}`);
  }
}
for (const [what, row] of counts) {
  const total = row.get("all") ?? 0;
  const share = (/** @type {string} */ said) => `${said} ${Math.round((100 * (row.get(said) ?? 0)) / total)} %`;
  const said = ["eyes", "mouth", "unlike", "nothing", "uncertain", "no face", "profile"].map(share).join(", ");
  console.log(`${what.padEnd(20)} ${total} faces: ${said}`);
}
await browser.close();
await server.remove();
