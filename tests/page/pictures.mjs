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
