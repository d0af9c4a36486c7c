// What a file is, and how large its picture would be, read from its first bytes before anything is decoded.

/**
 * @typedef {"jpeg" | "png" | "webp" | "gif" | "avif" | "heic" | "bmp" | "tiff" | "svg" | "pdf" | "video" | "empty" | "unknown"} Kind
 * @typedef {{ kind: Kind, width?: number, height?: number, animated?: boolean }} Header
 */

/** Bytes that the reader wants to see: enough for the size behind a large EXIF block or embedded preview. */
export const HEADER_BYTES = 1 << 20;

/**
 * Reads the header; sizes are left out when the bytes end before them.
 * @param {Uint8Array} bytes the beginning of the file
 * @returns {Header}
 */
export function sniff(bytes) {
  if (bytes.length === 0) return { kind: "empty" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (/** @type {number} */ from, /** @type {number} */ count) =>
    String.fromCharCode(...bytes.subarray(from, from + count));
  try {
    if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return jpeg(view);
    if (text(0, 8) === "\x89PNG\r\n\x1a\n") return png(view, text);
    if (text(0, 4) === "RIFF" && text(8, 4) === "WEBP") return webp(view, text);
    if (/^GIF8[79]a/.test(text(0, 6))) return gif(view, text);
    if (text(4, 4) === "ftyp") return isobmff(view, text);
    if (text(0, 2) === "BM" && bytes.length > 26) {
      return { kind: "bmp", width: view.getInt32(18, true), height: Math.abs(view.getInt32(22, true)) };
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // the bytes ended inside a header: the kind is still known below
  }
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return { kind: "jpeg" };
  if (text(1, 3) === "PNG") return { kind: "png" };
  if (text(0, 4) === "RIFF") return { kind: "webp" };
  if (/^GIF8/.test(text(0, 4))) return { kind: "gif" };
  if (text(0, 4) === "%PDF") return { kind: "pdf" };
  if (/^(II\*\0|MM\0\*)/.test(text(0, 4))) return { kind: "tiff" };
  if (/^\s*(<\?xml[\s\S]*)?<svg/i.test(text(0, 512))) return { kind: "svg" };
  return { kind: "unknown" };
}

/**
 * @param {DataView} view
 * @returns {Header}
 */
function jpeg(view) {
  let at = 2;
  for (;;) {
    if (view.getUint8(at) !== 0xff) return { kind: "jpeg" };
    const marker = view.getUint8(at + 1);
    const startOfFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (startOfFrame) return { kind: "jpeg", width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    const standalone = marker === 0xff || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);
    at += standalone ? (marker === 0xff ? 1 : 2) : 2 + view.getUint16(at + 2);
  }
}

/**
 * @param {DataView} view
 * @param {(from: number, count: number) => string} text
 * @returns {Header}
 */
function png(view, text) {
  const size = { width: view.getUint32(16), height: view.getUint32(20) };
  for (let at = 8; at + 8 <= view.byteLength; at += 12 + view.getUint32(at)) {
    const type = text(at + 4, 4);
    if (type === "acTL") return { kind: "png", ...size, animated: true };
    if (type === "IDAT") break;
  }
  return { kind: "png", ...size };
}

/**
 * @param {DataView} view
 * @param {(from: number, count: number) => string} text
 * @returns {Header}
 */
function gif(view, text) {
  const size = { width: view.getUint16(6, true), height: view.getUint16(8, true) };
  const animated = text(0, Math.min(view.byteLength, 2048)).includes("NETSCAPE2.0"); // the block that says "repeat"
  return animated ? { kind: "gif", ...size, animated } : { kind: "gif", ...size };
}

/**
 * @param {DataView} view
 * @param {(from: number, count: number) => string} text
 * @returns {Header}
 */
function webp(view, text) {
  const uint24 = (/** @type {number} */ at) => view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
  switch (text(12, 4)) {
    case "VP8 ":
      return { kind: "webp", width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
    case "VP8L": {
      const bits = view.getUint32(21, true);
      return { kind: "webp", width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
    }
    case "VP8X":
      return { kind: "webp", width: 1 + uint24(24), height: 1 + uint24(27), animated: (view.getUint8(20) & 2) !== 0 };
    default:
      return { kind: "webp" };
  }
}

/**
 * AVIF, HEIC and films share one container; the size is in the largest `ispe` box.
 * @param {DataView} view
 * @param {(from: number, count: number) => string} text
 * @returns {Header}
 */
function isobmff(view, text) {
  const brands = text(8, Math.min(view.getUint32(0), 64) - 8);
  const kind = /avif|avis/.test(brands) ? "avif" : /hei[cxms]|hev[cx]|mif1|msf1/.test(brands) ? "heic" : "video";
  /** @type {Header} */
  const header = { kind, animated: /avis|msf1/.test(brands) };
  const end = Math.min(view.byteLength, 1 << 16) - 16;
  for (let at = 8; at < end; at++) {
    if (view.getUint32(at) !== 0x69737065) continue; // "ispe"
    const [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
    if (width * height > (header.width ?? 0) * (header.height ?? 0)) Object.assign(header, { width, height });
  }
  return header;
}
