// Pictures as encoders take them. Browsers convert colours themselves, but not all by the matrix that they then name:
// a video of theirs would play in other colours. So they are converted here, and the file says how.

/** How the colours of all frames are coded: those of sRGB, with the luma of high definition. */
export const COLOURS = /** @type {const} */ ({
  primaries: "bt709",
  transfer: "iec61966-2-1",
  matrix: "bt709",
  fullRange: false,
});

/** Shares of red, green and blue in luma. */
const [RED, GREEN, BLUE] = [0.2126, 0.7152, 0.0722];
/** Luma takes 219 steps from 16 on; the two differences of colours take 224 around 128. */
const [LUMA, CHROMA] = [219 / 255, 224 / 255];

/**
 * The upper left part of a picture as a frame, which the caller closes.
 * @param {CanvasImageSource} picture
 * @param {{ width: number, height: number, timestamp: number, duration: number }} about even sides; microseconds
 */
export function frameOf(picture, { width, height, timestamp, duration }) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context?.drawImage(picture, 0, 0);
  const { data } = context?.getImageData(0, 0, width, height) ?? { data: new Uint8ClampedArray(4 * width * height) };
  canvas.width = canvas.height = 0;
  const planes = planar(data, width, height);
  const size = { codedWidth: width, codedHeight: height };
  return new VideoFrame(planes, { format: "I420", ...size, timestamp, duration, colorSpace: COLOURS });
}

/**
 * Luma of all pixels, then both differences of colours for squares of two by two.
 * @param {Uint8ClampedArray} rgba
 * @param {number} width
 * @param {number} height
 */
export function planar(rgba, width, height) {
  const [all, quarter] = [width * height, (width * height) / 4];
  const out = new Uint8Array(all + 2 * quarter);
  for (let i = 0; i < all; i++) {
    const at = 4 * i;
    out[i] = 16.5 + LUMA * (RED * rgba[at] + GREEN * rgba[at + 1] + BLUE * rgba[at + 2]);
  }
  for (let y = 0, i = all; y < height; y += 2) {
    for (let x = 0; x < width; x += 2, i++) {
      const [a, below] = [4 * (y * width + x), 4 * width];
      const mean = (/** @type {number} */ c) =>
        (rgba[a + c] + rgba[a + c + 4] + rgba[a + c + below] + rgba[a + c + below + 4]) / 4;
      const [red, green, blue] = [mean(0), mean(1), mean(2)];
      const luma = RED * red + GREEN * green + BLUE * blue;
      out[i] = 128.5 + (CHROMA * (blue - luma)) / (2 * (1 - BLUE));
      out[i + quarter] = 128.5 + (CHROMA * (red - luma)) / (2 * (1 - RED));
    }
  }
  return out;
}
