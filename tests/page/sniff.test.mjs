// File headers are read without trusting them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sniff } from "../../www/workers/sniff.js";
import { animatedGif, animatedPng, bomb, gradient, heic, pdf } from "./pictures.mjs";

const latin1 = (/** @type {string} */ text) => Buffer.from(text, "latin1");

test("kinds, sizes and motion are read from the first bytes", () => {
  assert.deepEqual(sniff(gradient(96, 80)), { kind: "png", width: 96, height: 80 });
  assert.deepEqual(sniff(bomb()), { kind: "png", width: 30_000, height: 30_000 });
  assert.deepEqual(sniff(animatedPng()), { kind: "png", width: 96, height: 96, animated: true });
  assert.deepEqual(sniff(animatedGif()), { kind: "gif", width: 64, height: 64, animated: true });
  assert.equal(sniff(heic()).kind, "heic");
  assert.equal(sniff(pdf()).kind, "pdf");
  assert.equal(sniff(new Uint8Array()).kind, "empty");
  assert.equal(sniff(latin1("<?xml version='1.0'?>\n<svg xmlns='x'/>")).kind, "svg");
  assert.equal(sniff(latin1("\0\0\0\x18ftypisom\0\0\0\0isommp42")).kind, "video");
  assert.equal(sniff(latin1("MM\0*....")).kind, "tiff");
  assert.equal(sniff(latin1("hello, this is text")).kind, "unknown");
});

test("JPEG sizes are found behind other segments", () => {
  const bytes = [
    0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xe1, 0, 3, 9, 0xff, 0xc2, 0, 17, 8, 0x0b, 0xb8, 0x0f, 0xa0, 3,
  ];
  assert.deepEqual(sniff(Uint8Array.from(bytes)), { kind: "jpeg", width: 4000, height: 3000 });
});

test("WebP sizes are found in all three layouts", () => {
  const riff = (/** @type {string} */ type, /** @type {number[]} */ body) =>
    Buffer.concat([latin1(`RIFF\0\0\0\0WEBP${type}\0\0\0\0`), Buffer.from(body)]);
  assert.deepEqual(sniff(riff("VP8 ", [0, 0, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0])), {
    kind: "webp",
    width: 320,
    height: 240,
  });
  const bits = (319 | (239 << 14)) >>> 0;
  const lossless = [0x2f, bits & 255, (bits >> 8) & 255, (bits >> 16) & 255, bits >>> 24];
  assert.deepEqual(sniff(riff("VP8L", lossless)), { kind: "webp", width: 320, height: 240 });
  const extended = riff("VP8X", [2, 0, 0, 0, 63, 1, 0, 239, 0, 0]);
  assert.deepEqual(sniff(extended), { kind: "webp", width: 320, height: 240, animated: true });
});

test("AVIF takes the size of its main picture, not of its thumbnail", () => {
  const ispe = (/** @type {number} */ width, /** @type {number} */ height) => {
    const box = Buffer.alloc(20);
    box.writeUInt32BE(20, 0);
    box.write("ispe", 4);
    box.writeUInt32BE(width, 12);
    box.writeUInt32BE(height, 16);
    return box;
  };
  const file = Buffer.concat([
    latin1("\0\0\0\x18ftypavif\0\0\0\0mif1avif"),
    ispe(160, 120),
    ispe(1600, 1200),
    Buffer.alloc(32),
  ]);
  const { kind, width, height } = sniff(file);
  assert.deepEqual({ kind, width, height }, { kind: "avif", width: 1600, height: 1200 });
});

test("cutting a file anywhere, or flipping bytes in its header, never breaks the reader", () => {
  const files = [gradient(96, 80), animatedPng(), animatedGif(), heic(), pdf()];
  for (const file of files) {
    for (let end = 0; end < Math.min(file.length, 400); end++) sniff(file.subarray(0, end));
    for (let at = 0; at < Math.min(file.length, 200); at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const damaged = Uint8Array.from(file);
        damaged[at] = value;
        sniff(damaged);
      }
    }
  }
});
