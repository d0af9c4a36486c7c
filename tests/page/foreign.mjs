// Models of the visitor's own, made of those in the repository.
import { createHash } from "node:crypto";
import { cp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { root } from "./support.mjs";
import { temporary } from "./temporary.mjs";
import { random } from "./world.mjs";

/** @typedef {{ dtype: string, shape: number[], data: Buffer }} Stored */

/** What modulations make of the style of the mean face is part of their bias, and styles are what differs from it. */
const MODULATION = /^decoder\.(conv1|to_rgb1|convs\.(\d+)|to_rgbs\.(\d+))\.conv\.modulation\.(weight|bias)$/;
/** How far faces lie from the mean one, in every value of a style. */
const SPREAD = 0.5;
/** Learning rate of mapping networks, by which their layers are scaled. */
const MAPPING_RATE = 0.01;
/** Bytes of tensors in a shard. */
const MOST_BYTES = 12e6;

/** The tensors of a safetensors file, by name. @param {Buffer} file */
export function tensorsIn(file) {
  const start = 8 + Number(file.readBigUInt64LE(0));
  const { __metadata__, ...table } = JSON.parse(file.toString("utf8", 8, start));
  return Object.entries(table).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [from, to],
      },
    ]) => {
      return /** @type {const} */ ([name, { dtype, shape, data: file.subarray(start + from, start + to) }]);
    },
  );
}

/** @param {(readonly [string, Stored])[]} tensors */
function fileOf(tensors) {
  let end = 0;
  const table = tensors.map(([name, { dtype, shape, data }]) => {
    const from = end;
    end += data.length;
    return [name, { dtype, shape, data_offsets: [from, end] }];
  });
  let header = JSON.stringify(Object.fromEntries(table));
  header = header.padEnd(Math.ceil(header.length / 8) * 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, Buffer.from(header), ...tensors.map(([, { data }]) => data)]);
}

/** @param {number} bits of a number of 16 bits */
function half(bits) {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

/** @param {Stored} tensor */
export function values({ dtype, data }) {
  const count = data.length / (dtype === "F16" ? 2 : 4);
  return Array.from({ length: count }, (_, i) =>
    dtype === "F16" ? half(data.readUInt16LE(2 * i)) : data.readFloatLE(4 * i),
  );
}

/**
 * @param {number[]} shape
 * @param {number[]} numbers
 * @returns {Stored}
 */
const tensor = (shape, numbers) => ({ dtype: "F32", shape, data: Buffer.from(Float32Array.from(numbers).buffer) });

/**
 * The style that a modulation takes.
 * @param {RegExpExecArray} match
 */
function styleOf([, part, conv, toRgb]) {
  if (part === "conv1") return 0;
  if (part === "to_rgb1") return 1;
  return conv === undefined ? 2 * Number(toRgb) + 3 : Number(conv) + 1;
}

/** @param {() => number} uniform */
const normal = (uniform) => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());

/**
 * Gives a weights directory other contents.
 * @param {string} folder
 * @param {any} manifest
 * @param {Map<string, Stored>} tensors
 */
async function write(folder, manifest, tensors) {
  /** @type {(readonly [string, Stored])[][]} */
  const groups = [[]];
  let size = 0;
  for (const [name, stored] of tensors) {
    if (size + stored.data.length > MOST_BYTES) {
      groups.push([]);
      size = 0;
    }
    size += stored.data.length;
    groups.at(-1)?.push([name, stored]);
  }
  manifest.tensors = groups.flatMap((group, shard) =>
    group.map(([name, { shape, dtype }]) => ({ name, shape, dtype: dtype.toLowerCase(), shard })),
  );
  manifest.shards = groups.map((group, i) => {
    const bytes = fileOf(group);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return { file: `shard-00${i}.safetensors`, bytes: bytes.length, sha256, contents: bytes };
  });
  for (const shard of manifest.shards) {
    await writeFile(path.join(folder, shard.file), shard.contents);
    delete shard.contents;
  }
  await writeFile(path.join(folder, "manifest.json"), JSON.stringify(manifest));
}

/**
 * A weights directory of the repository, in memory.
 * @param {string} from
 */
async function read(from) {
  const folder = path.join(root, from);
  const manifest = JSON.parse(await readFile(path.join(folder, "manifest.json"), "utf8"));
  const files = await Promise.all(
    manifest.shards.map((/** @type {any} */ { file }) => readFile(path.join(folder, file))),
  );
  return { manifest, tensors: new Map(files.flatMap(tensorsIn)) };
}

/**
 * A mapping network of one layer, which spreads styles around 0.
 * @param {number} width
 * @param {() => number} uniform
 * @returns {[string, Stored][]}
 */
function mapping(width, uniform) {
  const weight = Array.from({ length: width * width }, () => (SPREAD / MAPPING_RATE) * normal(uniform));
  const bias = Array.from({ length: width }, () => 0);
  return [
    ["decoder.style.1.weight", tensor([width, width], weight)],
    ["decoder.style.1.bias", tensor([width], bias)],
  ];
}

/**
 * The bundled model as a stranger, in a folder: a mapping network draws its faces, and there are neither sliders nor
 * motions, but for the direction "odd", which changes the codes alone.
 */
export async function foreignWeights() {
  const { manifest, tensors } = await read("weights");
  const { style_dim: width } = manifest.config;
  const of = (/** @type {string} */ name) => /** @type {Stored} */ (tensors.get(name));
  const average = values(of("latent_avg"));
  for (const [name, stored] of tensors) {
    const match = MODULATION.exec(name);
    if (match?.[4] !== "bias") continue;
    const mean = average.slice(styleOf(match) * width).slice(0, width);
    const weight = values(of(name.replace(/bias$/, "weight")));
    const added = values(stored).map((bias, row) => {
      const products = mean.map((value, i) => value * weight[row * width + i]);
      return bias + products.reduce((sum, product) => sum + product) / Math.sqrt(width);
    });
    tensors.set(name, tensor(stored.shape, added));
  }
  const still = average.map(() => 0);
  tensors.set("latent_avg", tensor([average.length / width, width], still));
  for (const name of tensors.keys()) if (/^(directions|face|plan)\./.test(name)) tensors.delete(name);
  const uniform = random(1);
  for (const [name, stored] of mapping(width, uniform)) tensors.set(name, stored);
  const odd = Array.from({ length: width }, () => SPREAD * normal(uniform));
  tensors.set("directions.odd", tensor([1, width], odd));
  const direction = { name: "odd", label: "Odd", group: "Explore", folded: true, range: [-1, 1] };
  const styles = [0, average.length / width];
  manifest.directions = [{ ...direction, kind: "linear", tensor: "directions.odd", styles }];
  Object.assign(manifest, { name: "foreign", title: "A model from elsewhere", samples: [] });
  for (const field of ["face_shape", "plan_shape", "model_card"]) delete manifest[field];
  manifest.config.mapping_layers = 1;
  const folder = await temporary("foreign");
  await cp(path.join(root, "weights/face"), path.join(folder, "face"), { recursive: true });
  await write(folder, manifest, tensors);
  return folder;
}

/** The tiny model with a mapping network, in a folder: its pictures show no faces. */
export async function facelessWeights() {
  const { manifest, tensors } = await read("tests/golden/tiny");
  for (const [name, stored] of mapping(manifest.config.style_dim, random(2))) tensors.set(name, stored);
  Object.assign(manifest, { name: "faceless", title: "A model without faces" });
  manifest.config.mapping_layers = 1;
  const folder = await temporary("faceless");
  await write(folder, manifest, tensors);
  return folder;
}
