// Never run, only checked: calls between page and workers that the types must refuse. Where one slips through, its
// line expects an error that does not come, and the check fails.

/** @import { EngineEvents, EngineMethods, PhotoMethods } from "../../www/shared/protocol.js" */
/** @import { RemoteWorker } from "../../www/shared/rpc.js" */
/** @import { CropId, PhotoId, Quad } from "../../www/shared/types.js" */
import { Failure } from "../../www/shared/failure.js";

/**
 * @param {RemoteWorker<EngineMethods, EngineEvents>} engine
 * @param {RemoteWorker<PhotoMethods>} photos
 * @param {{ photo: PhotoId, crop: CropId, quad: Quad }} ids
 */
export async function refused(engine, photos, { photo, crop, quad }) {
  // @ts-expect-error: no such method
  await engine.call("paste", []);
  // @ts-expect-error: no such backend
  await engine.call("start", ["gpu"]);
  // @ts-expect-error: an argument is missing
  await engine.call("invert", ["inversion-1", crop]);
  // @ts-expect-error: a photo is no crop
  await photos.call("original", [photo, 256]);
  // @ts-expect-error: the photo is not named
  await photos.call("faces", []);
  await photos.call("crop", [photo, crop, quad, undefined]);
  // @ts-expect-error: a bitmap is no picture
  (await photos.call("original", [crop, 256])).data.fill(0);
  // @ts-expect-error: no such code
  throw new Failure({ code: "oops", message: "" });
}

/** @type {import("../../www/shared/rpc.js").Listeners<EngineEvents>} */
export const listeners = {
  progress: ({ loaded, total }) => loaded / total,
  // @ts-expect-error: a stage is no number of bytes
  stage: ({ loaded }) => loaded,
  // @ts-expect-error: no such event
  finished: () => {},
};
