// A clip: the way from the photo to the edit and back, as a video. What it would be, and whether it can be made.
import { RATE } from "../shared/rate.js";

/** @import { Size } from "../shared/protocol.js" */
/** @import { DirectionInfo } from "../shared/types.js" */

/**
 * What moves: all sliders from rest to where they are, or one from end to end while the others stay.
 * @typedef {{ slider: DirectionInfo | undefined, seconds: number }} Way
 *
 * `size`: that of the whole photo in the video, which without it is of the face alone.
 * @typedef {Way & { size: Size | undefined }} ClipPlan
 */

/** How long the way rests at either end, as a share of the way between them. */
const REST = 0.16;
/** Bits for each pixel of a picture; a small one gets more. */
const [BITS_PER_PIXEL, LEAST_BITRATE] = [0.25, 1_500_000];
/**
 * In the order of how many programs play them. H.264 plays everywhere; some browsers on Linux lack its encoder, but
 * have VP9's. Recording a canvas would do without encoders, but in the time that pictures take here, and without
 * those for which a machine is too slow.
 */
const CODECS = ["avc1.640028", "avc1.420028", "vp09.00.40.08"];
/**
 * The largest picture of level 4 of these codecs, which every player is made for: the longer side of full HD, and as
 * many blocks of pixels as that level has.
 */
const [MOST_SIDE, BLOCK, MOST_BLOCKS] = [1920, 16, 8192];

/**
 * The codecs about which its encoder can be asked: those that the browser plays. What it does not play it hardly
 * writes, and where parts of its machinery are missing, the question alone has ended pages of WebKitGTK.
 */
function playable() {
  if (typeof VideoEncoder !== "function" || typeof VideoFrame !== "function") return [];
  const video = document.createElement("video");
  return CODECS.filter((codec) => video.canPlayType(`video/mp4; codecs="${codec}"`) !== "");
}

/** Whether this browser may be able to write a clip; its encoder has the last word. */
export function canFilm() {
  return playable().length > 0;
}

/**
 * The part of a picture that is in a video of it: colours are kept for squares of two by two pixels.
 * @param {Size} picture
 * @returns {Size}
 */
export function filmed({ width, height }) {
  return { width: width - (width % 2), height: height - (height % 2) };
}

/**
 * How large a photo is in a video of it.
 * @param {Size} photo
 * @returns {Size}
 */
export function videoSize({ width, height }) {
  const longer = Math.max(width, height);
  for (let side = Math.min(MOST_SIDE, longer); ; side--) {
    const [across, down] = [width, height].map((each) => Math.max(2, Math.round((each * side) / longer)));
    if (Math.ceil(across / BLOCK) * Math.ceil(down / BLOCK) <= MOST_BLOCKS) return { width: across, height: down };
  }
}

/**
 * How this browser can write a video of pictures; undefined if it cannot.
 * @param {Size} picture
 * @param {LatencyMode} [latencyMode] "realtime" for what is filmed while it happens
 * @returns {Promise<VideoEncoderConfig | undefined>}
 */
export async function videoConfig(picture, latencyMode = "quality") {
  const { width, height } = filmed(picture);
  const bitrate = Math.max(LEAST_BITRATE, Math.round(BITS_PER_PIXEL * RATE * width * height));
  for (const codec of playable()) {
    /** @type {VideoEncoderConfig} */
    const config = { codec, width, height, bitrate, framerate: RATE, latencyMode };
    if (codec.startsWith("avc1")) config.avc = { format: "avc" };
    const { supported } = await VideoEncoder.isConfigSupported(config).catch(() => ({ supported: false }));
    if (supported) return config;
  }
  return undefined;
}

/**
 * Where each picture of a clip is on the way: from 0 to 1 and back, slowly at both ends. Played again and again it has
 * no jump.
 * @param {number} seconds
 * @returns {number[]}
 */
export function way(seconds) {
  const count = seconds * RATE;
  return Array.from({ length: count }, (_, i) => {
    const there = (2 * Math.min(i, count - i)) / count;
    const at = Math.min(1, Math.max(0, (there - REST) / (1 - 2 * REST)));
    return at * at * (3 - 2 * at);
  });
}

/**
 * How many pictures the engine has to make.
 * @param {number} seconds
 */
export function picturesOf(seconds) {
  return new Set(way(seconds)).size;
}
