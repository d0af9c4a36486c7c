//! The JavaScript API; the only room that knows about a browser. One file per worker.
//!
//! Everything runs inside module workers. Errors are thrown as plain objects `{code, message, hint}`.

mod blob;
mod convert;
mod engine;
mod fit;
mod header;
mod model;
mod photo;
mod picture;
mod thread_pool;

use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::prelude::*;

use crate::{
    face::FaceError,
    import::ImportError,
    pixels::{PictureError, Quad, QuadError},
};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A picture as `ImageData` takes it: rows of RGBA bytes. */
export interface Picture { width: number; height: number; data: Uint8ClampedArray<ArrayBuffer>; }
/** What every function throws. */
export interface SdicError { code: string; message: string; hint: string; }
/** One edit. A strength of 0 leaves the picture as it is. */
export interface DirectionInfo { name: string; label: string; group: string; folded: boolean; range: [number, number]; }
/** A file of the weights directory. */
export interface ShardInfo { file: string; bytes: number; sha256: string; }
/** A picture that comes with the model; `aligned`: it is already cut like an aligned face, not a photo. */
export interface SampleInfo { file: string; label: string; aligned?: boolean; }
/** What the manifest of a weights directory says. */
export interface ModelInfo {
  name: string; title: string; provenance: string; licence: string; modelCard: string | null;
  imageSize: number; outputWidth: number; outputHeight: number; injectSize: number; styles: number;
  /** Width of the pictures that are inverted; they are of the shape of the output. */
  inputSize: number;
  /** What the pictures show. */
  depicts: "faces" | "cars" | "other";
  /** How edits of this model are best put into a photo. */
  pasteMode: PasteMode;
  directions: DirectionInfo[]; shards: ShardInfo[]; samples: SampleInfo[];
  /** Whether the model has an encoder, so that photos can be inverted. */
  inverts: boolean;
  /** Whether the model has a mapping network, so that faces can be drawn from it. */
  draws: boolean;
  /** Whether what a first reconstruction loses is put back; without that there is no "discrepancy" to view. */
  compensates: boolean;
  /** What came of looking for sliders in the model, if that was done. */
  fit: FitInfo | null;
}
/** What came of looking for sliders in a model: pictures, those that show a face, and measures without a slider. */
export interface FitInfo { pictures: number; faces: number; dropped: DroppedInfo[]; }
/**
 * A measure without a slider, and why, also in words. `value` is an effect in standard deviations, or a share; `other`
 * the label of the measure that would move as well.
 */
export interface DroppedInfo { label: string; why: string; value: number | null; other: string | null; reason: string; }
/** How far the search for sliders has come, in pictures or styles; `entries` are the steps that the journal has. */
export interface FitProgress {
  task: "draw" | "components" | "regress" | "choose" | "check" | "follow";
  label: string | null; done: number; total: number; entries: number;
}
/** Who looks after a search for sliders. What is returned is waited for. */
export interface FitListener {
  /** Between two convolutions: lets others work. */
  rest(): Promise<void>;
  /** Before every step: true asks for the journal; a rejection stops the search. */
  step(progress: FitProgress): Promise<boolean>;
  /** The journal, with which a search goes on where this one is. A rejection stops the search. */
  keep(journal: Uint8Array<ArrayBuffer>): Promise<void>;
}
/** A file of the weights directory. */
export interface WeightsFile { name: string; bytes: Uint8Array<ArrayBuffer>; }
/** A point in a picture: x, y in pixels. */
export type Point = [number, number];
/**
 * Corners of an alignment square, or of a rectangle of the shape of the model's pictures: top left, bottom left, bottom
 * right, top right of what is upright in it.
 */
export type Quad = [Point, Point, Point, Point];
/** The points that fix a quad, left and right as seen in the picture. */
export interface QuadPoints { leftEye: Point; rightEye: Point; leftMouth: Point; rightMouth: Point; }
/** A face in a photo, in the photo's pixels. */
export interface Face {
  score: number; quad: Quad; quadPoints: QuadPoints; mesh: Point[];
  box: [number, number, number, number]; rotation: 0 | 90 | 180 | 270; yaw: number;
  warnings: ("profile" | "tiny" | "dark" | "uncertain" | "outside")[];
}
/**
 * What comes of an edit: the edited face; the same, unedited but for its motion; how they differ beyond what pictures
 * can show, in sixty-fourths of a step of their bytes; the arrows of the motion; and which sliders would have torn the
 * face, with the share of their strength that was used.
 */
export interface Edited {
  edited: Picture; unedited: Picture;
  difference?: Int16Array<ArrayBuffer>; motion: Float32Array<ArrayBuffer> | undefined;
  held: Record<string, number>;
}
/**
 * Which kernels were the fastest on a graphics card: per class of convolutions, billions of multiplications per second
 * with each way to share out the work, and the one that is taken. `kernels` tells those of this program from others.
 */
export interface Tuning { kernels: string; classes: TunedClass[]; }
export interface TunedClass { name: string; rates: number[]; tiling: number; }
/** A file of the weights directory that a checkpoint is converted to; `manifest.json` comes last. */
export interface ConvertedFile { name: string; bytes: Uint8Array<ArrayBuffer>; done: number; total: number; }
/** What goes into a photo: the edited face itself, or the photo's own pixels, moved and changed as the edit does. */
export type PasteMode = "face" | "difference";
export type StageName = "encode" | "generate" | "predict" | "compensate" | "reconstruct";
export type ViewName = "initial" | "reconstruction" | "discrepancy";
/** Hears of a stage as it begins; what it returns is waited for, and a rejection stops the inversion. */
export type StageCallback = (stage: StageName, done: number, total: number) => Promise<void>;
/** Asked between the steps of an edit; what it returns is waited for, and a rejection stops the edit. */
export type PauseCallback = () => Promise<void>;
"#;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "Quad")]
    pub type QuadJs;
    #[wasm_bindgen(typescript_type = "Point[] | undefined")]
    pub type MeshJs;
    #[wasm_bindgen(typescript_type = "Edited")]
    pub type EditedJs;
}

#[cfg(feature = "wgpu")]
unsafe extern "C" {
    /// Written by the linker: has the crates that are compiled in register what they must.
    fn __wasm_call_ctors();
}

/// Sends panics to the console, readable.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
    // Called here, it is called once. Otherwise the linker has every function that JavaScript may call begin with it,
    // and that takes more time than all else on the way to a GPU.
    #[cfg(feature = "wgpu")]
    // SAFETY: It takes nothing, returns nothing, and runs before anything that depends on it.
    unsafe {
        __wasm_call_ctors();
    }
}

#[derive(Serialize)]
struct Thrown<'a> {
    code: &'a str,
    message: &'a str,
    hint: &'a str,
}

/// An error object; messages say what is wrong and, after a semicolon, what to do.
fn thrown(code: &str, text: &str) -> JsValue {
    let (message, hint) = text.rsplit_once("; ").unwrap_or((text, ""));
    plain(&Thrown {
        code,
        message,
        hint,
    })
    .unwrap_or_else(|_| JsValue::from_str(text))
}

/// A value as a plain object.
fn plain(value: &impl Serialize) -> Result<JsValue, JsValue> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|error| JsValue::from_str(&error.to_string()))
}

/// A plain object as a value.
fn argument<T: DeserializeOwned>(value: &JsValue) -> Result<T, JsValue> {
    serde_wasm_bindgen::from_value(value.clone())
        .map_err(|error| thrown("argument", &error.to_string()))
}

fn quad_argument(quad: &QuadJs) -> Result<Quad, JsValue> {
    Ok(Quad::from_corners(&argument(quad)?)?)
}

impl From<FaceError> for JsValue {
    fn from(error: FaceError) -> Self {
        thrown("face", &error.to_string())
    }
}

impl From<QuadError> for JsValue {
    fn from(error: QuadError) -> Self {
        thrown("face", &error.to_string())
    }
}

impl From<PictureError> for JsValue {
    fn from(error: PictureError) -> Self {
        thrown("picture", &error.to_string())
    }
}

impl From<ImportError> for JsValue {
    fn from(error: ImportError) -> Self {
        thrown("import", &error.to_string())
    }
}
