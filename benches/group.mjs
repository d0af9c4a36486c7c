// A group photo as a telephone takes them.

const ACROSS = 4;

/**
 * The page's sample portraits in rows on a plain ground, the first one largest, as a JPEG file.
 * @param {import("playwright-core").Page} page
 * @param {readonly [number, number]} [size] 24 megapixels unless told
 */
export async function groupPhoto(page, size = [6000, 4000]) {
  const text = await page.evaluate(
    async ([width, height, across]) => {
      const { samples } = await (await fetch("weights/manifest.json")).json();
      const canvas = new OffscreenCanvas(width, height);
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
      context.fillStyle = "#9db4c8";
      context.fillRect(0, 0, width, height);
      const cell = [width / across, height / Math.ceil(samples.length / across)];
      for (const [i, { file }] of samples.entries()) {
        const face = await createImageBitmap(await (await fetch(`weights/${file}`)).blob());
        const side = (0.95 - 0.03 * i) * Math.min(...cell);
        context.drawImage(face, (i % across) * cell[0], Math.floor(i / across) * cell[1], side, side);
      }
      const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg" })).arrayBuffer());
      return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    },
    /** @type {const} */ ([...size, ACROSS]),
  );
  return { name: "group.jpg", mimeType: "image/jpeg", buffer: Buffer.from(text, "base64") };
}
