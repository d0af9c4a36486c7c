// A camera that a test moves, and a clock that it slows down.

/** Pixels of the camera. */
export const CAMERA = { width: 640, height: 480 };

/**
 * For scripts that run before any of the page's: to the page, time passes `scene.haste` times as fast as it does, at
 * first far slower. How busy a machine is then decides nothing.
 */
export const SCRIPTED_CLOCK = `(() => {
  globalThis.scene = { haste: 0.05 };
  const now = performance.now.bind(performance);
  let [last, time] = [now(), 0];
  performance.now = () => {
    const real = now();
    time += scene.haste * (real - last);
    last = real;
    return time;
  };
})();`;

/**
 * Runs before any of the page's scripts. The camera films `scene`: `face`, at first that of the first sample portrait,
 * around `x`, `y` with sides of `side` pixels, turned by `tilt`, `squeeze` times as wide, and nobody unless it is
 * `there`. `scene.tracks` are those that were given away, `scene.wishes` what was asked for; `scene.refuse` names the
 * error by which the next wish is refused. `scene.pictures` counts what the mirror has shown. The clock is slow, too.
 */
export const SCRIPTED_CAMERA = `${SCRIPTED_CLOCK}(() => {
  const { width, height } = ${JSON.stringify(CAMERA)};
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  Object.assign(scene, { x: 320, y: 240, side: 400, tilt: 0, squeeze: 1, there: true });
  Object.assign(scene, { canvas, tracks: [], wishes: [], refuse: "", pictures: 0 });
  const draw = () => {
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#8fa7b8";
    context.fillRect(0, 0, width, height);
    if (scene.there) {
      context.save();
      context.translate(scene.x, scene.y);
      context.rotate(scene.tilt);
      context.scale(scene.squeeze, 1);
      context.drawImage(scene.face, -scene.side / 2, -scene.side / 2, scene.side, scene.side);
      context.restore();
    }
    setTimeout(draw, 30);
  };
  MediaDevices.prototype.getUserMedia = async (wish) => {
    scene.wishes.push(wish);
    if (scene.refuse) throw new DOMException("No camera here", scene.refuse);
    if (!scene.face) {
      const { src } = document.querySelector("#sample-list button").dataset;
      scene.face = await createImageBitmap(await (await fetch(src)).blob());
      draw();
    }
    const stream = canvas.captureStream(30);
    scene.tracks.push(...stream.getTracks());
    return stream;
  };
  const { transferFromImageBitmap } = ImageBitmapRenderingContext.prototype;
  ImageBitmapRenderingContext.prototype.transferFromImageBitmap = function (bitmap) {
    if (bitmap) scene.pictures++;
    return transferFromImageBitmap.call(this, bitmap);
  };
})();`;
