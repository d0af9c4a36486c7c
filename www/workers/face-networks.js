// The face networks, which come with the page.
import { Failure } from "../shared/failure.js";
import { say } from "../shared/say.js";

/** The bytes of their manifest, and of the file that it names. Each has its URL here, where bundlers find it. */
export async function faceNetworks() {
  const manifest = await bytes(new URL("../weights/face/manifest.json", import.meta.url));
  return { manifest, weights: await bytes(new URL("../weights/face/face.safetensors", import.meta.url)) };
}

/** @param {URL} url */
async function bytes(url) {
  const file = url.pathname;
  const offline = () => {
    throw new Failure({ code: "network", message: say("error.offline", { file }), hint: say("hint.retry") });
  };
  const response = await fetch(url).catch(offline);
  if (!response.ok) {
    const message = say("error.shardStatus", { file, status: response.status });
    throw new Failure({ code: "missing", message, hint: say("hint.host") });
  }
  return new Uint8Array(await response.arrayBuffer().catch(offline));
}
