// Photos of people who do not exist, made in the page from the sample portraits that it shows at its start.

/**
 * A photo with a sample portrait in it, or with several side by side.
 * @param {import("playwright-core").Page} page
 * @param {{ width: number, height: number }} size
 * @param {{ count?: number, type?: "image/png" | "image/jpeg" }} [options] `count`: of the first portrait, again and again
 */
export async function photoOf(page, size, { count = 1, type = "image/png" } = {}) {
  const text = await page.evaluate(
    async ({ width, height, count, type }) => {
      const { src } = /** @type {HTMLElement} */ (document.querySelector("#sample-list button")).dataset;
      const face = await createImageBitmap(await (await fetch(/** @type {string} */ (src))).blob());
      const canvas = new OffscreenCanvas(width, height);
      const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
      context.fillStyle = "#9db4c8";
      context.fillRect(0, 0, width, height);
      const side = 0.9 * Math.min(width / count, height);
      for (let i = 0; i < count; i++)
        context.drawImage(face, ((i + 0.5) * width) / count - side / 2, (height - side) / 2, side, side);
      const bytes = new Uint8Array(await (await canvas.convertToBlob({ type, quality: 0.95 })).arrayBuffer());
      return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    },
    { ...size, count, type },
  );
  const name = type === "image/png" ? "holiday.png" : "holiday.jpg";
  return { name, mimeType: type, buffer: Buffer.from(text, "base64") };
}
