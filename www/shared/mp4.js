// Writes an MP4 file with one track of video, as ISO/IEC 14496-12 and -15 lay it out. That is all a clip needs: a
// library that knows every container would be a hundred times as long as this, and the page has none otherwise.

/**
 * @typedef {{ data: Uint8Array<ArrayBuffer>, key: boolean, timestamp: number }} VideoSample `timestamp` in
 *   microseconds, in the order in which they are decoded
 *
 * `rate` is the number of pictures in a second, for how long the last one stays; `comment` is what players show of the
 * file.
 * @typedef {{
 *   config: VideoDecoderConfig, width: number, height: number, rate: number, comment: string
 * }} Track
 *
 * @typedef {Uint8Array<ArrayBuffer> | readonly number[] | string} BoxPart bytes, or letters of one byte each
 */

/** Units of time in which one picture lasts. */
const PER_PICTURE = 1000;
/** No rotation, no scaling. */
const UPRIGHT = [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30].flatMap(u32);
/** Numbers of ISO/IEC 23091-2 for the colours that browsers name; 2 where one is unknown. */
const UNKNOWN = 2;
/** @type {Record<string, number>} */
const PRIMARIES = { bt709: 1, bt470bg: 5, smpte170m: 6, bt2020: 9, smpte432: 12 };
/** @type {Record<string, number>} */
const TRANSFERS = { bt709: 1, smpte170m: 6, linear: 8, "iec61966-2-1": 13, pq: 16, hlg: 18 };
/** @type {Record<string, number>} */
const MATRICES = { rgb: 0, bt709: 1, bt470bg: 5, smpte170m: 6, "bt2020-ncl": 9 };

/** @param {number} value */
function u16(value) {
  return [(value >> 8) & 255, value & 255];
}

/** @param {number} value */
function u32(value) {
  return [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

/** @param {BoxPart[]} parts */
function joined(parts) {
  const bytes = parts.map((part) => (typeof part === "string" ? [...part].map((c) => c.charCodeAt(0)) : part));
  const whole = new Uint8Array(bytes.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of bytes) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * @param {string} type of four letters
 * @param {...BoxPart} parts
 */
function box(type, ...parts) {
  const body = joined(parts);
  return joined([u32(8 + body.length), type, body]);
}

/**
 * A box with a version and flags.
 * @param {string} type
 * @param {number} versionAndFlags
 * @param {...BoxPart} parts
 */
function full(type, versionAndFlags, ...parts) {
  return box(type, u32(versionAndFlags), ...parts);
}

/**
 * A whole file. What it says of itself comes first, so that it plays while it is still on its way.
 * @param {VideoSample[]} samples
 * @param {Track} track
 * @returns {Blob}
 */
export function mp4(samples, track) {
  const brand = isAvc(track.config) ? "avc1" : "mp42";
  const head = box("ftyp", "isom", u32(0x200), "isom", "iso2", brand, "mp41");
  const length = samples.reduce((sum, { data }) => sum + data.length, 0);
  // The index is as long wherever the pictures begin.
  const begin = head.length + index(samples, track, 0).length + 8;
  const about = index(samples, track, begin);
  return new Blob([head, about, joined([u32(8 + length), "mdat"]), ...samples.map(({ data }) => data)], {
    type: "video/mp4",
  });
}

/** @param {VideoDecoderConfig} config */
function isAvc({ codec }) {
  return codec.startsWith("avc1");
}

/**
 * @param {VideoSample[]} samples
 * @param {Track} track
 * @param {number} begin where the first sample begins in the file
 */
function index(samples, track, begin) {
  const { width, height, rate, comment } = track;
  const { durations, shifts } = timing(samples, rate);
  const duration = durations.reduce((sum, each) => sum + each, 0);
  const scale = rate * PER_PICTURE;
  const [unmade, language] = [[0, 0], u16(0x55c4)]; // no times, and "und": neither is anybody's business
  const times = unmade.flatMap(u32);
  return box(
    "moov",
    full("mvhd", 0, times, u32(scale), u32(duration), u32(1 << 16), u16(256), zeros(10), UPRIGHT, zeros(24), u32(2)),
    box(
      "trak",
      // Enabled, and part of the presentation.
      full(
        "tkhd",
        3,
        times,
        u32(1),
        zeros(4),
        u32(duration),
        zeros(16),
        UPRIGHT,
        u32(width * 65536),
        u32(height * 65536),
      ),
      box(
        "mdia",
        full("mdhd", 0, times, u32(scale), u32(duration), language, zeros(2)),
        full("hdlr", 0, zeros(4), "vide", zeros(12), "video\0"),
        box(
          "minf",
          full("vmhd", 1, zeros(8)),
          box("dinf", full("dref", 0, u32(1), full("url ", 1))),
          sampleTable(samples, track, begin, durations, shifts),
        ),
      ),
    ),
    box("udta", remark(comment)),
  );
}

/** @param {number} count */
function zeros(count) {
  return new Uint8Array(count);
}

/**
 * @param {VideoSample[]} samples
 * @param {Track} track
 * @param {number} begin
 * @param {number[]} durations
 * @param {number[]} shifts
 */
function sampleTable(samples, track, begin, durations, shifts) {
  const count = u32(samples.length);
  const keys = samples.flatMap(({ key }, i) => (key ? [i + 1] : []));
  return box(
    "stbl",
    full("stsd", 0, u32(1), entry(track)),
    full("stts", 0, ...runs(durations)),
    // Only where an encoder has changed their order.
    ...(shifts.some((shift) => shift !== 0) ? [full("ctts", 1 << 24, ...runs(shifts))] : []),
    full("stss", 0, u32(keys.length), keys.flatMap(u32)),
    full("stsc", 0, u32(1), u32(1), count, u32(1)),
    full(
      "stsz",
      0,
      u32(0),
      count,
      samples.flatMap(({ data }) => u32(data.length)),
    ),
    full("stco", 0, u32(1), u32(begin)),
  );
}

/**
 * In units of time: for how long each picture is decoded, and how much later it is shown than it is decoded.
 * @param {VideoSample[]} samples
 * @param {number} rate
 */
function timing(samples, rate) {
  const shown = samples.map(({ timestamp }) => Math.round((timestamp * rate * PER_PICTURE) / 1e6));
  const decoded = shown.toSorted((a, b) => a - b);
  const durations = decoded.map((at, i) => (i + 1 < decoded.length ? decoded[i + 1] - at : PER_PICTURE));
  return { durations, shifts: shown.map((at, i) => at - decoded[i]) };
}

/**
 * Values one after another, each with how often it comes.
 * @param {number[]} values
 */
function runs(values) {
  /** @type {[count: number, value: number][]} */
  const found = [];
  for (const value of values) {
    const last = found.at(-1);
    if (last?.[1] === value) last[0]++;
    else found.push([1, value]);
  }
  return [u32(found.length), found.flatMap(([count, value]) => [...u32(count), ...u32(value)])];
}

/**
 * How the pictures are coded.
 * @param {Track} track
 */
function entry({ config, width, height }) {
  const picture = [zeros(6), u16(1), zeros(16), u16(width), u16(height), u32(72 << 16), u32(72 << 16), zeros(4)];
  const about = [...picture, u16(1), zeros(32), u16(24), u16(0xffff)];
  const colours = colourBox(config.colorSpace ?? {});
  if (isAvc(config)) return box("avc1", ...about, box("avcC", description(config)), colours);
  return box("vp09", ...about, vp9(config), colours);
}

/** @param {VideoDecoderConfig} config */
function description({ description: given }) {
  if (given === undefined) return zeros(0);
  if (ArrayBuffer.isView(given)) {
    return new Uint8Array(/** @type {ArrayBuffer} */ (given.buffer), given.byteOffset, given.byteLength);
  }
  return new Uint8Array(/** @type {ArrayBuffer} */ (given));
}

/**
 * What a decoder of VP9 must know, all of which stands in the codec's name: `vp09.PROFILE.LEVEL.DEPTH`.
 * @param {VideoDecoderConfig} config
 */
function vp9({ codec, colorSpace }) {
  const [, profile, level, depth] = codec.split(".").map(Number);
  const { primaries, transfer, matrix, range } = colourNumbers(colorSpace ?? {});
  const sampling = 1; // 4:2:0
  const layout = (depth << 4) | (sampling << 1) | range;
  return full("vpcC", 1 << 24, [profile, level, layout, primaries, transfer, matrix], u16(0));
}

/** @param {VideoColorSpaceInit} space */
function colourNumbers({ primaries, transfer, matrix, fullRange }) {
  return {
    primaries: PRIMARIES[primaries ?? ""] ?? UNKNOWN,
    transfer: TRANSFERS[transfer ?? ""] ?? UNKNOWN,
    matrix: MATRICES[matrix ?? ""] ?? UNKNOWN,
    range: fullRange ? 1 : 0,
  };
}

/** @param {VideoColorSpaceInit} space */
function colourBox(space) {
  const { primaries, transfer, matrix, range } = colourNumbers(space);
  return box("colr", "nclx", u16(primaries), u16(transfer), u16(matrix), [range << 7]);
}

/**
 * A comment, where players look for one.
 * @param {string} comment
 */
function remark(comment) {
  const UTF8 = 1;
  const value = box("data", u32(UTF8), zeros(4), new TextEncoder().encode(comment));
  const handler = full("hdlr", 0, zeros(4), "mdir", "appl", zeros(9));
  return full("meta", 0, handler, box("ilst", box("\u00a9cmt", value)));
}
