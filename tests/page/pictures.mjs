// Picture files made on the spot, good and bad.
import { readFileSync } from "node:fs";
import { crc32, deflateSync } from "node:zlib";

/**
 * @param {string} type
 * @param {Uint8Array} body
 */
function chunk(type, body) {
  const bytes = Buffer.alloc(12 + body.length);
  bytes.writeUInt32BE(body.length, 0);
  bytes.write(type, 4, "latin1");
  bytes.set(body, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + body.length)), 8 + body.length);
  return bytes;
}

/**
 * A PNG file of any kind.
 * @param {{
 *   width: number, height: number, depth: number, colour: 0 | 2 | 6, rows: Uint8Array, extra?: Uint8Array[]
 * }} picture `rows` are unfiltered scan lines without their filter bytes
 */
export function png({ width, height, depth, colour, rows, extra = [] }) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colour, 0, 0, 0], 8);
  const stride = rows.length / height;
  const lines = Buffer.alloc(rows.length + height);
  for (let y = 0; y < height; y++) lines.set(rows.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1);
  const signature = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    ...extra,
    chunk("IDAT", deflateSync(lines)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/**
 * A smooth colour picture, the same every time.
 * @param {number} width
 * @param {number} height
 * @param {{ depth?: 8 | 16, extra?: Uint8Array[] }} [options]
 */
export function gradient(width, height, { depth = 8, extra } = {}) {
  const bytes = depth / 8;
  const rows = new Uint8Array(width * height * 3 * bytes);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [(i % width) / width, Math.floor(i / width) / height];
    const colour = [
      0.5 + 0.4 * Math.sin(7 * x + 3 * y),
      0.5 + 0.4 * Math.sin(5 * y),
      0.5 + 0.4 * Math.cos(4 * x - 6 * y),
    ];
    for (const [c, value] of colour.entries()) {
      rows.fill(Math.round(255 * value), (i * 3 + c) * bytes, (i * 3 + c + 1) * bytes);
    }
  }
  return png({ width, height, depth, colour: 2, rows, extra });
}

/**
 * RGB values in [0, 255] as a PNG file.
 * @param {number} width
 * @param {number} height
 * @param {Uint8Array} rgb
 */
export function rgbPng(width, height, rgb) {
  return png({ width, height, depth: 8, colour: 2, rows: rgb });
}

/** A PNG that says it is 30,000 pixels square, and would take 3.6 GB to open. */
export function bomb() {
  return png({ width: 30_000, height: 30_000, depth: 1, colour: 0, rows: new Uint8Array((30_000 / 8) * 30_000) });
}

/** A photo of 100 megapixels, one bit each. */
export function hundredMegapixels() {
  return png({
    width: 10_000,
    height: 10_000,
    depth: 1,
    colour: 0,
    rows: new Uint8Array((10_000 / 8) * 10_000).fill(0xa5),
  });
}

/** An animated PNG of one frame shown twice. */
export function animatedPng() {
  const control = Buffer.alloc(8);
  control.writeUInt32BE(1, 0);
  control.writeUInt32BE(2, 4);
  const frame = Buffer.alloc(26);
  frame.writeUInt32BE(96, 4);
  frame.writeUInt32BE(96, 8);
  frame.set([0, 10, 0, 100], 20);
  return gradient(96, 96, { extra: [chunk("acTL", control), chunk("fcTL", frame)] });
}

/** An animated GIF: two frames of 64 x 64 pixels in one colour each. */
export function animatedGif() {
  const frame = (/** @type {number} */ colour) => {
    // Code size 7 and a clear code before every second pixel keep all codes at 8 bits: uncompressed, but valid.
    const codes = [];
    for (let i = 0; i < 64 * 64; i++) {
      if (i % 100 === 0) codes.push(128);
      codes.push(colour);
    }
    codes.push(129);
    const blocks = [];
    for (let at = 0; at < codes.length; at += 255) {
      const part = codes.slice(at, at + 255);
      blocks.push(part.length, ...part);
    }
    return [0x21, 0xf9, 4, 0, 10, 0, 0, 0, 0x2c, 0, 0, 0, 0, 64, 0, 64, 0, 0, 7, ...blocks, 0];
  };
  const palette = new Uint8Array(128 * 3);
  palette.set([200, 120, 80], 3);
  palette.set([80, 120, 200], 6);
  const loop = [0x21, 0xff, 11, ...Buffer.from("NETSCAPE2.0"), 3, 1, 0, 0, 0];
  return Buffer.from([
    ...Buffer.from("GIF89a"),
    64,
    0,
    64,
    0,
    0xf6,
    0,
    0,
    ...palette,
    ...loop,
    ...frame(1),
    ...frame(2),
    0x3b,
  ]);
}

/** @param {string[]} lines */
const base64 = (lines) => Buffer.from(lines.join(""), "base64");

/** 64 x 48 pixels, the left half red and the right half blue, as a printer's JPEG of four inks. */
export const cmykJpeg = base64([
  "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAGBAUGBQQGBgUGBwcGCAoQCgoJCQoUDg8MEBcUGBgXFBYWGh0lHxobIxwWFiAsICMmJykqKRkfLTAtKDAlKCko",
  "/8AAFAgAMABABEMRAE0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAAIB//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAOBEMATQBZAEsAAD8A2BPi",
  "fFUgAAAIcFxgAAAC4xDgAAAAhwXGAAAALjEOAAAACHBcYAAAAuMQ4AAAAIcFxgAAAC4xDgAAAAhwXGAAAALjEOAAAACHBcYAAAA//9k=",
]);

/** The same as AVIF. */
export const avif = base64([
  "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAAAAAOcGl0bQAA",
  "AAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAOQAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtp",
  "cGNvAAAAFGlzcGUAAAAAAAAAQAAAADAAAAAQcGl4aQAAAAADCAgIAAAADGF2MUOBAAwAAAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEA",
  "AQQBAoMEAAAAQW1kYXQSAAoJGBV/vaICGg0IMioXh4eGIYSSSSZQAAAAwhApoiowW2ojGwOoYkEL2anpBZxDUsa2PhA8g0A=",
]);

/** A photo as iPhones write them. */
export function heic() {
  return readFileSync(new URL("../photos/files/heic.heic", import.meta.url));
}

/** A PDF that calls itself a JPEG. */
export function pdf() {
  return Buffer.from("%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n");
}

/**
 * A JPEG with an EXIF block that asks for an orientation and names a place.
 * @param {Uint8Array} jpeg without EXIF
 * @param {number} orientation 1 to 8
 */
export function withExif(jpeg, orientation) {
  const tiff = Buffer.alloc(26 + 12);
  tiff.write("II*\0", 0, "latin1");
  tiff.writeUInt32LE(8, 4);
  tiff.writeUInt16LE(2, 8);
  tiff.set([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0], 10); // Orientation
  tiff.set([0x0e, 0x01, 2, 0, 4, 0, 0, 0, ...Buffer.from("GPS\0")], 22); // ImageDescription
  const body = Buffer.concat([Buffer.from("Exif\0\0"), tiff]);
  const marker = Buffer.from([0xff, 0xe1, (body.length + 2) >> 8, (body.length + 2) & 255]);
  return Buffer.concat([jpeg.subarray(0, 2), marker, body, jpeg.subarray(2)]);
}

/** What the metadata of `withMetadata` tells of its photographer, and no saved file may tell. */
const TOLD = {
  camera: "Lochkamera 7",
  date: "2019:07:14 12:34:56",
  place: "Niemandsdorf",
  author: "Erika Beispiel",
  remark: "for nobody else to read",
  // Seconds of latitude, as EXIF writes them: two whole numbers, one divided by the other.
  seconds: [3_141_592, 65_537],
};

/**
 * A JPEG with all that cameras and picture archives write into one: EXIF with camera, date, orientation and place; XMP;
 * IPTC; a comment.
 * @param {Uint8Array} jpeg without any of it
 * @param {number} orientation 1 to 8
 */
export function withMetadata(jpeg, orientation) {
  const text = (/** @type {string} */ words) => Buffer.from(`${words}\0`, "latin1");
  const rationals = (/** @type {number[]} */ ...values) => Buffer.from(Uint32Array.from(values).buffer);
  /** Entries of a directory at `start`, and behind it what does not fit into an entry. */
  const directory = (
    /** @type {number} */ start,
    /** @type {[tag: number, type: number, count: number, value: Buffer | number][]} */ entries,
  ) => {
    const table = Buffer.alloc(2 + 12 * entries.length + 4);
    table.writeUInt16LE(entries.length, 0);
    const behind = [];
    let at = start + table.length;
    for (const [i, [tag, type, count, value]] of entries.entries()) {
      const entry = 2 + 12 * i;
      table.writeUInt16LE(tag, entry);
      table.writeUInt16LE(type, entry + 2);
      table.writeUInt32LE(count, entry + 4);
      if (typeof value === "number") table.writeUInt32LE(value, entry + 8);
      else if (value.length <= 4) table.set(value, entry + 8);
      else {
        table.writeUInt32LE(at, entry + 8);
        behind.push(value);
        at += value.length;
      }
    }
    return Buffer.concat([table, ...behind]);
  };
  const [SHORT, LONG, TEXT, RATIONAL] = [3, 4, 2, 5];
  const [camera, date] = [text(TOLD.camera), text(TOLD.date)];
  const first = (/** @type {number} */ place) =>
    directory(8, [
      [0x0110, TEXT, camera.length, camera],
      [0x0112, SHORT, 1, orientation],
      [0x0132, TEXT, date.length, date],
      [0x8825, LONG, 1, place],
    ]);
  const place = 8 + first(0).length;
  const gps = directory(place, [
    [1, TEXT, 2, text("N")],
    [2, RATIONAL, 3, rationals(48, 1, 12, 1, ...TOLD.seconds)],
    [3, TEXT, 2, text("E")],
    [4, RATIONAL, 3, rationals(16, 1, 22, 1, ...TOLD.seconds)],
  ]);
  const exif = Buffer.concat([Buffer.from("Exif\0\0II*\0\x08\0\0\0", "latin1"), first(place), gps]);
  const xmp = Buffer.from(
    `http://ns.adobe.com/xap/1.0/\0<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
    <x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
    <rdf:Description xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" photoshop:City="${TOLD.place}"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="${TOLD.camera}"/></rdf:RDF></x:xmpmeta>
    <?xpacket end="w"?>`,
    "latin1",
  );
  const dataset = (/** @type {number} */ number, /** @type {string} */ words) =>
    Buffer.concat([Buffer.from([0x1c, 2, number, 0, words.length]), Buffer.from(words, "latin1")]);
  const datasets = Buffer.concat([dataset(80, TOLD.author), dataset(90, TOLD.place)]);
  const length = Buffer.from([0, 0, datasets.length >> 8, datasets.length & 255]);
  const odd = Buffer.alloc(datasets.length % 2);
  const iptc = Buffer.concat([Buffer.from("Photoshop 3.0\x008BIM\x04\x04\0\0", "latin1"), length, datasets, odd]);
  const segment = (/** @type {number} */ marker, /** @type {Buffer} */ body) =>
    Buffer.concat([Buffer.from([0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255]), body]);
  return Buffer.concat([
    jpeg.subarray(0, 2),
    segment(0xe1, exif),
    segment(0xe1, xmp),
    segment(0xed, iptc),
    segment(0xfe, Buffer.from(TOLD.remark)),
    jpeg.subarray(2),
  ]);
}

/**
 * What a file still tells of the metadata of `withMetadata`, by name.
 * @param {Buffer} file
 */
export function betrays(file) {
  return Object.entries(TOLD).flatMap(([name, secret]) => {
    if (typeof secret === "string") return file.includes(secret) ? [name] : [];
    return file.includes(Buffer.from(Uint32Array.from(secret).buffer)) ? [name] : [];
  });
}

/**
 * The parts of a PNG, JPEG or WebP file that are neither its pixels nor say what colours those are, by name, in their
 * order.
 * @param {Buffer} file
 */
export function besidesPixels(file) {
  /** @type {string[]} */
  const found = [];
  if (file.toString("latin1", 1, 4) === "PNG") {
    for (let at = 8; at < file.length; at += 12 + file.readUInt32BE(at)) {
      const type = file.toString("latin1", at + 4, at + 8);
      found.push(type === "iTXt" ? `iTXt ${file.toString("latin1", at + 8, at + 25)}` : type);
    }
    return found.filter((type) => !["IHDR", "sRGB", "iCCP", "IDAT", "IEND"].includes(type));
  }
  if (file.toString("latin1", 8, 12) === "WEBP") {
    for (let at = 12; at < file.length; ) {
      const length = file.readUInt32LE(at + 4);
      found.push(file.toString("latin1", at, at + 4));
      at += 8 + length + (length % 2);
    }
    return found.filter((type) => !["VP8X", "ICCP", "VP8 ", "VP8L", "ALPH"].includes(type));
  }
  for (let at = 2; file[at + 1] !== 0xda; at += 2 + file.readUInt16BE(at + 2)) {
    const marker = file[at + 1];
    const named = marker === 0xfe || (marker >= 0xe0 && marker <= 0xef);
    if (named) found.push(`${marker.toString(16)} ${file.toString("latin1", at + 4, file.indexOf(0, at + 4))}`);
  }
  return found.filter((name) => !["e0 JFIF", "e2 ICC_PROFILE"].includes(name));
}
