// Marks files for programs: a model edited what they show.
import { editMark } from "../pkg/cpu/sdic.js";

/** How much of a file tells where its mark goes. */
const HEAD = 64;
/** What a box with XMP is called in the family of MP4. */
const XMP_BOX = [0xbe, 0x7a, 0xcf, 0xcb, 0x97, 0xa9, 0x42, 0xe8, 0x9c, 0x71, 0x99, 0x94, 0x91, 0xe3, 0xaf, 0xac];

/**
 * A file with a mark: PNG, JPEG, WebP, and the family of MP4, to which AVIF belongs. The engine has been started.
 * @param {Blob} file without metadata
 */
export async function marked(file) {
  const head = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  if (ascii(head.subarray(4, 8)) === "ftyp") return new Blob([file, xmpBox()], { type: file.type });
  /** @type {BlobPart[]} */
  const parts = [];
  let from = 0;
  for (const { at, replaced, bytes } of editMark(head, file.size)) {
    parts.push(file.slice(from, at), Uint8Array.from(bytes));
    from = at + replaced;
  }
  return new Blob([...parts, file.slice(from)], { type: file.type });
}

/** @param {Uint8Array} bytes */
function ascii(bytes) {
  return String.fromCharCode(...bytes);
}

/** The packet as a box of its own, which readers that do not know it pass over. */
function xmpBox() {
  const packet = xmpPacket();
  const box = new Uint8Array(24 + packet.length);
  new DataView(box.buffer).setUint32(0, box.length);
  box.set([0x75, 0x75, 0x69, 0x64, ...XMP_BOX], 4);
  box.set(packet, 24);
  return box;
}

/** The packet as the engine writes it, which stands last in the segment that a JPEG file gets. */
function xmpPacket() {
  const head = new Uint8Array(HEAD);
  head.set([0xff, 0xd8]);
  const [{ bytes }] = editMark(head, HEAD);
  const text = new TextDecoder("latin1").decode(Uint8Array.from(bytes));
  return Uint8Array.from(bytes.slice(text.indexOf("<?xpacket")));
}
