// Draws a mirror's picture: the camera's, with what an edit changes on it. The same as `src/face/paste.rs` does with a
// photo, on the graphics card, and bent as the face has bent since the still.
import { Failure } from "../shared/failure.js";
import { say } from "../shared/say.js";

/** @import { Edited, Picture, Quad } from "../shared/types.js" */

/** @typedef {"picture" | "change" | "place" | "motion" | "person"} TextureName */

/**
 * Where a face is, and where each of its spots lies on the still. `person` is what `FaceFinder.silhouette` gives;
 * without it, all around the face moves as the face does.
 * @typedef {{ quad: Quad, place: Float32Array | undefined, person: Picture | undefined }} Placed
 */

/** Cells per side of a field of arrows. */
const GRID = 64;
/** Units of a difference in an 8-bit step. */
const UNITS = 64;

/** Two triangles that cover everything. */
const VERTICES = `#version 300 es
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  gl_Position = vec4(2.0 * corner - 1.0, 0.0, 1.0);
}`;

/**
 * `uv` is a spot of the square around the face, `still` where it lies in the square of the still. What is moved there
 * comes from elsewhere on the still, and that from somewhere in the camera's picture, from `source` in the square: of
 * that the second guess is good. `person` is the person's mask in the square, how far the background is hidden there,
 * and how near the person is: only the person moves, and what was behind it is taken from where the motion says.
 */
const FRAGMENTS = `#version 300 es
precision highp float;
uniform sampler2D picture, change, place, motion, person;
uniform vec2 size, centre, halfSide;
uniform float strength;
out vec4 colour;

float feather(vec2 uv) {
  vec2 depth = min(uv, 1.0 - uv);
  return smoothstep(0.0, 0.1, min(depth.x, depth.y));
}

void main() {
  vec2 at = vec2(gl_FragCoord.x, size.y - gl_FragCoord.y);
  colour = texture(picture, at / size);
  vec2 away = at - centre;
  vec2 turned = vec2(dot(away, halfSide), away.y * halfSide.x - away.x * halfSide.y);
  vec2 uv = 0.5 * (turned / dot(halfSide, halfSide) + 1.0);
  float alpha = strength * feather(uv);
  if (alpha <= 0.0) return;
  vec2 still = uv + texture(place, uv).xy;
  vec2 arrow = alpha * texture(motion, still).xy;
  vec2 origin = still + arrow;
  vec2 source = origin - texture(place, uv + arrow).xy;
  vec2 from = 2.0 * source - 1.0;
  vec2 own = centre + from.x * halfSide + from.y * vec2(-halfSide.y, halfSide.x);
  vec3 moved = texture(picture, own / size).rgb;
  vec3 here = texture(person, uv).rgb;
  float mask = texture(person, source).r;
  vec3 behind = mix(colour.rgb, moved, here.g);
  colour.rgb = mix(behind, moved, mask) + alpha * max(here.b, mask) * texture(change, still).rgb;
}`;

export class MirrorCanvas {
  #canvas = new OffscreenCanvas(1, 1);
  #gl;
  #program;
  /** @type {Record<TextureName, WebGLTexture>} */
  #textures;

  constructor() {
    const gl = this.#canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false });
    if (!gl) throw new Failure({ code: "unsupported", message: say("mirror.unsupported") });
    this.#gl = gl;
    this.#program = program(gl);
    gl.useProgram(this.#program);
    // Smaller pictures of a change are drawn, where the card can, for faces that are smaller than it.
    gl.getExtension("EXT_color_buffer_float");
    this.#textures = {
      picture: texture(gl),
      change: texture(gl),
      place: texture(gl),
      motion: texture(gl),
      person: texture(gl),
    };
    Object.keys(this.#textures).forEach((name, unit) => {
      gl.uniform1i(gl.getUniformLocation(this.#program, name), unit);
    });
    this.change(undefined);
    this.#field("place", undefined);
    this.#mask(undefined);
  }

  /**
   * What is put onto the pictures from now on.
   * @param {Edited | undefined} edited nothing, unless given
   */
  change(edited) {
    const gl = this.#gl;
    this.#field("motion", edited?.motion);
    this.#bind("change");
    const { width, height } = edited?.edited ?? { width: 1, height: 1 };
    const values = edited ? steps(edited) : new Float32Array(4);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA16F, width, height, 0, gl.RGBA, gl.FLOAT, values);
    const drawable = gl.getExtension("EXT_color_buffer_float") !== null;
    if (drawable) gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, drawable ? gl.LINEAR_MIPMAP_LINEAR : gl.LINEAR);
  }

  /**
   * Draws a picture of the camera, and with `strength` the change onto the face in `quad`.
   * @param {ImageBitmap} bitmap
   * @param {Placed & { strength: number } | undefined} face
   * @returns {OffscreenCanvas} as long as nothing else is drawn, and this task lasts
   */
  draw(bitmap, face) {
    const [gl, { width, height }] = [this.#gl, bitmap];
    if (gl.isContextLost()) throw new Failure({ code: "device", message: say("mirror.lostCard") });
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      Object.assign(this.#canvas, { width, height });
      gl.viewport(0, 0, width, height);
    }
    this.#bind("picture");
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    if (face) {
      this.#field("place", face.place);
      this.#mask(face.person);
    }
    const [[left, top], , [right, bottom], [x, y]] = face?.quad ?? UNIT;
    const centre = [(left + right) / 2, (top + bottom) / 2];
    this.#set("size", [width, height]);
    this.#set("centre", centre);
    this.#set("halfSide", [(x + right) / 2 - centre[0], (y + bottom) / 2 - centre[1]]);
    gl.uniform1f(gl.getUniformLocation(this.#program, "strength"), face?.strength ?? 0);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    return this.#canvas;
  }

  /** What was drawn, as a bitmap that the caller closes. */
  taken() {
    return this.#canvas.transferToImageBitmap();
  }

  /**
   * @param {string} name
   * @param {number[]} pair
   */
  #set(name, [x, y]) {
    this.#gl.uniform2f(this.#gl.getUniformLocation(this.#program, name), x, y);
  }

  /** @param {TextureName} name */
  #bind(name) {
    const gl = this.#gl;
    gl.activeTexture(gl.TEXTURE0 + Object.keys(this.#textures).indexOf(name));
    gl.bindTexture(gl.TEXTURE_2D, this.#textures[name]);
  }

  /** @param {Picture | undefined} person all is person, unless given */
  #mask(person) {
    const gl = this.#gl;
    this.#bind("person");
    const { width, height, data } = person ?? { width: 1, height: 1, data: new Uint8Array(4).fill(255) };
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
  }

  /**
   * @param {"place" | "motion"} name
   * @param {Float32Array | undefined} arrows none, unless given
   */
  #field(name, arrows) {
    const gl = this.#gl;
    this.#bind(name);
    const side = arrows ? GRID : 1;
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RG16F, side, side, 0, gl.RG, gl.FLOAT, arrows ?? new Float32Array(2));
  }
}

/** Somewhere, where nothing is put onto a picture. @type {Quad} */
const UNIT = [
  [0, 0],
  [0, 1],
  [1, 1],
  [1, 0],
];

/**
 * What is added to each pixel: red, green, blue, and nothing, as shares of white.
 * @param {Edited} edited
 */
function steps({ edited, unedited, difference }) {
  const values = new Float32Array(4 * edited.width * edited.height);
  for (let i = 0; i < edited.width * edited.height; i++) {
    for (let c = 0; c < 3; c++) {
      const at = 4 * i + c;
      values[at] = (difference ? difference[3 * i + c] / UNITS : edited.data[at] - unedited.data[at]) / 255;
    }
  }
  return values;
}

/** @param {WebGL2RenderingContext} gl */
function program(gl) {
  const made = gl.createProgram();
  for (const [type, source] of /** @type {const} */ ([
    [gl.VERTEX_SHADER, VERTICES],
    [gl.FRAGMENT_SHADER, FRAGMENTS],
  ])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(type));
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) {
    const detail = gl.getProgramInfoLog(made) ?? "";
    throw new Failure({ code: "unsupported", message: say("mirror.unsupported"), detail });
  }
  return made;
}

/** @param {WebGL2RenderingContext} gl */
function texture(gl) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const [name, value] of [
    [gl.TEXTURE_MIN_FILTER, gl.LINEAR],
    [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
    [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE],
    [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
  ])
    gl.texParameteri(gl.TEXTURE_2D, name, value);
  return made;
}
