// Looks at videos.

/**
 * Frames of a video, and what a browser says of it.
 * @param {import("playwright-core").Browser} browser
 * @param {Buffer} bytes
 * @param {number[]} times in seconds, from the end where they are negative
 */
export async function film(browser, bytes, times) {
  const context = await browser.newContext(); // the page's own policy allows no videos
  const page = await context.newPage();
  const { frames, ...about } = await page.evaluate(
    async ({ file, times }) => {
      const video = document.createElement("video");
      const blob = new Blob([Uint8Array.from(atob(file), (c) => c.charCodeAt(0))], { type: "video/mp4" });
      const event = (/** @type {string} */ name) =>
        new Promise((resolve, reject) => {
          video.addEventListener(name, resolve, { once: true });
          video.addEventListener("error", () => reject(new Error(video.error?.message)), { once: true });
        });
      // "seeked" comes before the frame can be drawn: for a moment there is none, or the one before.
      const frameAt = async (/** @type {number} */ seconds) => {
        for (;;) {
          try {
            const frame = new VideoFrame(video);
            const since = seconds * 1e6 - frame.timestamp;
            if (since >= 0 && since < (frame.duration ?? Number.POSITIVE_INFINITY)) return frame;
            frame.close();
          } catch (failure) {
            if (/** @type {Error} */ (failure).name !== "InvalidStateError") throw failure;
          }
          await new Promise(requestAnimationFrame);
        }
      };
      const loaded = event("loadeddata");
      video.src = URL.createObjectURL(blob);
      await loaded;
      const frames = [];
      for (const time of times) {
        const seeked = event("seeked");
        video.currentTime = time < 0 ? video.duration + time : time;
        await seeked;
        const frame = await frameAt(video.currentTime);
        const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
        const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
        context.drawImage(frame, 0, 0);
        frame.close();
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
        let binary = "";
        for (let i = 0; i < data.length; i += 0x8000) binary += String.fromCharCode(...data.subarray(i, i + 0x8000));
        frames.push(btoa(binary));
      }
      return { frames, duration: video.duration, width: video.videoWidth, height: video.videoHeight };
    },
    { file: bytes.toString("base64"), times },
  );
  await context.close();
  const { width, height } = about;
  const pictures = frames.map((text) => ({ width, height, data: new Uint8Array(Buffer.from(text, "base64")) }));
  return { ...about, pictures };
}
