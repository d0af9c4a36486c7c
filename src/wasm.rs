//! The JavaScript API; the only place that knows about a browser.
//!
//! Everything runs inside a module worker. Errors are thrown as plain objects `{code, message, hint}`.

use std::{
    collections::BTreeMap,
    io::{self, BufReader, Read, Seek, SeekFrom},
    ops::ControlFlow,
    rc::Rc,
};

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use js_sys::{
    ArrayBuffer, Float32Array, Function, Object, Promise, Reflect, Uint8Array, Uint8ClampedArray,
};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::{
    engine::{self, Edited, EngineError, EngineLoader},
    face::{self, FaceError, Landmarks, PasteMode, Point, Quad, Rendered},
    import::{Checkpoint, Conversion, ImportError},
    kernels::{self, Answer, Crew, Errand},
    motion::{FacePoints, Field},
    pipeline::{Inversion, Stage},
    selftest,
    weights::{Direction, Dtype, Manifest},
};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** A picture as `ImageData` takes it: rows of RGBA bytes. */
export interface Picture { width: number; height: number; data: Uint8ClampedArray<ArrayBuffer>; }
/** What every function throws. */
export interface SdicError { code: string; message: string; hint: string; }
/** One edit. A strength of 0 leaves the picture as it is. */
export interface DirectionInfo { name: string; label: string; group: string; range: [number, number]; }
/** A file of the weights directory. */
export interface ShardInfo { file: string; bytes: number; sha256: string; }
/** A picture that comes with the model; `aligned`: it is already cut like an aligned face, not a photo. */
export interface SampleInfo { file: string; label: string; aligned?: boolean; }
/** What the manifest of a weights directory says. */
export interface ModelInfo {
  name: string; title: string; provenance: string; licence: string; modelCard: string | null;
  imageSize: number; outputWidth: number; outputHeight: number; inputSize: number; injectSize: number; styles: number;
  /** How edits of this model are best put into a photo. */
  pasteMode: PasteMode;
  directions: DirectionInfo[]; shards: ShardInfo[]; samples: SampleInfo[];
}
/** A point in a picture: x, y in pixels. */
export type Point = [number, number];
/** Corners of an alignment square: top left, bottom left, bottom right, top right of the upright face. */
export type Quad = [Point, Point, Point, Point];
/** The points that fix an alignment, left and right as seen in the picture. */
export interface Landmarks { left_eye: Point; right_eye: Point; left_mouth: Point; right_mouth: Point; }
/** A face in a photo, in the photo's pixels. */
export interface Face {
  score: number; quad: Quad; landmarks: Landmarks; points: Point[];
  box: [number, number, number, number]; rotation: 0 | 90 | 180 | 270; yaw: number;
  warnings: ("profile" | "tiny" | "dark" | "uncertain" | "outside")[];
}
/** What comes of an edit: the edited face; the same, unedited but for its motion; and the arrows of that motion. */
export interface Edited { edited: Picture; unedited: Picture; motion: Float32Array<ArrayBuffer> | undefined; }
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
/** Workers that each do shares of convolutions by `performErrand`; members count from 0. */
export interface Crew {
  readonly members: number;
  /** Memory shared with a member: at least so many values. */
  area(member: number, values: number): Float32Array;
  /** Has a member work on the first `count` values of its area. */
  send(member: number, order: string, count: number): void;
  /** Waits, blocking, for a member's result in its area; null if it has not begun and now will not, undefined if it failed. */
  collect(member: number): Float32Array | null | undefined;
  /** Ends all members. */
  retire(): void;
}
"#;

#[wasm_bindgen]
extern "C" {
    /// A file that is read by slices.
    #[wasm_bindgen(typescript_type = "Blob")]
    pub type Blob;
    #[wasm_bindgen(method, getter)]
    fn size(this: &Blob) -> f64;
    #[wasm_bindgen(method)]
    fn slice(this: &Blob, start: f64, end: f64) -> Blob;

    /// Reads without waiting; exists in workers only.
    type FileReaderSync;
    #[wasm_bindgen(constructor, catch)]
    fn new() -> Result<FileReaderSync, JsValue>;
    #[wasm_bindgen(method, catch, js_name = readAsArrayBuffer)]
    fn read(this: &FileReaderSync, blob: &Blob) -> Result<ArrayBuffer, JsValue>;

    #[wasm_bindgen(typescript_type = "ConvertedFile | undefined")]
    pub type ConvertedFileJs;
    #[wasm_bindgen(typescript_type = "ModelInfo")]
    pub type ModelInfoJs;
    #[wasm_bindgen(typescript_type = "DirectionInfo[]")]
    pub type DirectionsJs;
    #[wasm_bindgen(typescript_type = "Picture")]
    pub type PictureJs;
    #[wasm_bindgen(typescript_type = "ViewName")]
    pub type ViewNameJs;
    #[wasm_bindgen(typescript_type = "StageCallback")]
    pub type StageCallbackJs;
    #[wasm_bindgen(typescript_type = "PauseCallback")]
    pub type PauseCallbackJs;
    #[wasm_bindgen(typescript_type = "Record<string, number>")]
    pub type StrengthsJs;
    #[wasm_bindgen(typescript_type = "Crew")]
    pub type CrewJs;
    #[wasm_bindgen(method, getter)]
    fn members(this: &CrewJs) -> usize;
    #[wasm_bindgen(method, catch)]
    fn area(this: &CrewJs, member: usize, values: usize) -> Result<Float32Array, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn send(this: &CrewJs, member: usize, order: &str, count: usize) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    fn collect(this: &CrewJs, member: usize) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method)]
    fn retire(this: &CrewJs);

    #[wasm_bindgen(typescript_type = "Face[]")]
    pub type FacesJs;
    #[wasm_bindgen(typescript_type = "Quad")]
    pub type QuadJs;
    #[wasm_bindgen(typescript_type = "Landmarks")]
    pub type LandmarksJs;
    #[wasm_bindgen(typescript_type = "Point[] | undefined")]
    pub type PointsJs;
    #[wasm_bindgen(typescript_type = "PasteMode")]
    pub type PasteModeJs;
    #[wasm_bindgen(typescript_type = "Edited")]
    pub type EditedJs;
}

/// Sends panics to the console, readable.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
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

fn plain(value: &impl Serialize) -> Result<JsValue, JsValue> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|error| JsValue::from_str(&error.to_string()))
}

impl From<EngineError> for JsValue {
    fn from(error: EngineError) -> Self {
        let code = match &error {
            EngineError::Weights(_) | EngineError::MissingShard(_) => "weights",
            EngineError::Load(_) => "load",
            EngineError::Edit(_) | EngineError::Points | EngineError::PreviewSize { .. } => "edit",
            EngineError::Picture(_) => "picture",
            EngineError::Device(_) => "device",
        };
        thrown(code, &error.to_string())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModelInfo<'a> {
    name: &'a str,
    title: &'a str,
    provenance: &'a str,
    licence: &'a str,
    model_card: Option<&'a str>,
    image_size: usize,
    output_width: usize,
    output_height: usize,
    input_size: usize,
    inject_size: usize,
    styles: usize,
    paste_mode: PasteMode,
    directions: Vec<DirectionInfo<'a>>,
    shards: &'a [crate::weights::ShardEntry],
    samples: &'a [crate::weights::Sample],
}

#[derive(Serialize)]
struct DirectionInfo<'a> {
    name: &'a str,
    label: &'a str,
    group: &'a str,
    range: [f32; 2],
}

impl<'a> From<&'a Direction> for DirectionInfo<'a> {
    fn from(direction: &'a Direction) -> Self {
        Self {
            name: &direction.name,
            label: &direction.label,
            group: &direction.group,
            range: direction.range,
        }
    }
}

fn model_info(manifest: &Manifest) -> ModelInfo<'_> {
    let config = &manifest.config;
    let [output_height, output_width] = config.output_size();
    ModelInfo {
        name: &manifest.name,
        title: &manifest.title,
        provenance: &manifest.provenance,
        licence: &manifest.licence,
        model_card: manifest.model_card.as_deref(),
        image_size: config.image_size,
        output_width,
        output_height,
        input_size: config.encoder.input_size,
        inject_size: config.inject_size,
        styles: config.styles(),
        paste_mode: manifest.paste_mode(),
        directions: manifest.directions.iter().map(Into::into).collect(),
        shards: &manifest.shards,
        samples: &manifest.samples,
    }
}

/// RGBA bytes as pixels, transparency over white.
fn picture_from_rgba(rgba: &[u8], width: u32, height: u32) -> Result<RgbImage, JsValue> {
    crate::picture::from_rgba(rgba, width, height).map_err(|error| EngineError::from(error).into())
}

/// RGBA bytes as a `Picture`.
fn rgba_to_js(rgba: &[u8], width: usize, height: usize) -> Result<PictureJs, JsValue> {
    let object = Object::new();
    Reflect::set(&object, &"width".into(), &width.into())?;
    Reflect::set(&object, &"height".into(), &height.into())?;
    Reflect::set(&object, &"data".into(), &Uint8ClampedArray::from(rgba))?;
    Ok(object.unchecked_into())
}

/// Pixels as a `Picture`.
fn picture_to_js(picture: &RgbImage) -> Result<PictureJs, JsValue> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    rgba_to_js(&crate::picture::to_rgba(picture), width, height)
}

/// A `Picture` as pixels.
fn picture_from_js(picture: &JsValue) -> Result<face::Picture<'static>, JsValue> {
    let side = |name: &str| {
        let value = Reflect::get(picture, &name.into())
            .ok()
            .and_then(|side| side.as_f64());
        value.ok_or_else(|| thrown("picture", &format!("the picture has no {name}")))
    };
    let (width, height) = (side("width")? as usize, side("height")? as usize);
    let data = Reflect::get(picture, &"data".into())?;
    let data = data
        .dyn_into::<Uint8ClampedArray>()
        .map_err(|_| thrown("picture", "the picture's data is no Uint8ClampedArray"))?;
    face::Picture::new(width, height, data.to_vec()).map_err(face_error)
}

/// Both pictures of an edit and its motion as an `Edited`.
fn edited_to_js(edited: &Edited<RgbImage>) -> Result<EditedJs, JsValue> {
    let object = Object::new();
    let pictures = [("edited", &edited.picture), ("unedited", &edited.unedited)];
    for (name, picture) in pictures {
        Reflect::set(&object, &name.into(), &picture_to_js(picture)?.into())?;
    }
    if let Some(motion) = &edited.motion {
        let arrows = Float32Array::from(motion.arrows().as_flattened());
        Reflect::set(&object, &"motion".into(), &arrows)?;
    }
    Ok(object.unchecked_into())
}

/// The motion of an `Edited`.
fn motion_from_js(edited: &JsValue) -> Result<Option<Field>, JsValue> {
    let motion = Reflect::get(edited, &"motion".into())?;
    if motion.is_undefined() {
        return Ok(None);
    }
    let arrows = motion.dyn_into::<Float32Array>().ok();
    let arrows = arrows.map(|arrows| arrows.to_vec().as_chunks::<2>().0.to_vec());
    let field = arrows.and_then(Field::new);
    field
        .map(Some)
        .ok_or_else(|| thrown("argument", "the motion is not that of an edit"))
}

fn face_error(error: FaceError) -> JsValue {
    thrown("face", &error.to_string())
}

fn argument<T: serde::de::DeserializeOwned>(value: &JsValue) -> Result<T, JsValue> {
    serde_wasm_bindgen::from_value(value.clone())
        .map_err(|error| thrown("argument", &error.to_string()))
}

/// Waits until everything that `tensor` depends on has been computed.
async fn settle<const D: usize>(tensor: &Tensor<D>) -> Result<(), EngineError> {
    let first = tensor
        .clone()
        .slice(std::array::from_fn::<_, D, _>(|_| 0..1));
    engine::read(first).await.map(drop)
}

/// Waits for what a callback has returned.
async fn answered(returned: Result<JsValue, JsValue>) -> Result<(), JsValue> {
    JsFuture::from(Promise::resolve(&returned?)).await.map(drop)
}

struct Session {
    inversion: Inversion,
    codes: Vec<f32>,
    points: Option<FacePoints>,
}

/// A device with, once loaded, a model and the face being edited.
#[wasm_bindgen]
pub struct Engine {
    device: Device,
    backend: &'static str,
    adapter: String,
    loader: Option<EngineLoader>,
    engine: Option<engine::Engine>,
    session: Option<Session>,
}

#[wasm_bindgen]
impl Engine {
    /// Opens a device: "cpu", or "webgpu" where this build has it.
    pub async fn create(backend: &str) -> Result<Engine, JsValue> {
        let (device, backend, adapter) = match backend {
            "cpu" => (crate::device::cpu(), "cpu", "CPU (WebAssembly)".to_owned()),
            #[cfg(feature = "wgpu")]
            "webgpu" => {
                let gpu = crate::device::gpu::open()
                    .await
                    .map_err(|error| thrown("no-gpu", &error.to_string()))?;
                (gpu.device, "webgpu", gpu.adapter)
            }
            other => {
                let text = format!("this build has no \"{other}\" backend; use \"cpu\"");
                return Err(thrown("no-backend", &text));
            }
        };
        Ok(Engine {
            device,
            backend,
            adapter,
            loader: None,
            engine: None,
            session: None,
        })
    }

    /// "cpu" or "webgpu".
    #[wasm_bindgen(getter)]
    pub fn backend(&self) -> String {
        self.backend.to_owned()
    }

    /// Name of the adapter, for people.
    #[wasm_bindgen(getter)]
    pub fn adapter(&self) -> String {
        self.adapter.clone()
    }

    /// Starts loading a model from the bytes of its `manifest.json`; a model loaded before is dropped.
    pub fn begin(&mut self, manifest_json: &[u8]) -> Result<ModelInfoJs, JsValue> {
        self.session = None;
        self.engine = None;
        let loader = EngineLoader::new(manifest_json, &self.device)?;
        let info = plain(&model_info(loader.manifest()))?;
        self.loader = Some(loader);
        Ok(info.unchecked_into())
    }

    /// Verifies one shard (size, SHA-256, tensor table) and takes its tensors; any order. After an error the
    /// load starts again with `begin`.
    #[wasm_bindgen(js_name = pushShard)]
    pub fn push_shard(&mut self, index: usize, bytes: &[u8]) -> Result<(), JsValue> {
        let loader = self.loader.take().ok_or_else(not_loading)?;
        self.loader = Some(loader.push_shard(index, bytes)?);
        Ok(())
    }

    /// Completes the model; an error names every tensor that is missing.
    pub fn finish(&mut self) -> Result<(), JsValue> {
        let loader = self.loader.take().ok_or_else(not_loading)?;
        self.engine = Some(loader.finish()?);
        Ok(())
    }

    /// Adds the edit directions in a file (PyTorch, safetensors or NumPy) to the model, in place of those that came
    /// from a file of this name before.
    #[wasm_bindgen(js_name = addDirections)]
    pub fn add_directions(&mut self, name: &str, file: Blob) -> Result<DirectionsJs, JsValue> {
        let engine = self.engine.as_mut().ok_or_else(no_model)?;
        let reader = BufReader::new(BlobReader::new(file)?);
        let added = engine.add_directions(name, reader).map_err(import_error)?;
        let infos: Vec<DirectionInfo> = added.iter().map(Into::into).collect();
        Ok(plain(&infos)?.unchecked_into())
    }

    /// Runs a tiny model on this device and on the CPU; returns the largest relative difference and throws
    /// ("self-test") if it is above 1e-3. Also compiles the shaders.
    #[wasm_bindgen(js_name = selfTest)]
    pub async fn self_test(&self) -> Result<f32, JsValue> {
        let difference = selftest::largest_difference(&self.device).await?;
        if difference > selftest::TOLERANCE {
            let text = format!(
                "the adapter {} computes wrongly (difference {difference}); use the CPU instead",
                self.adapter
            );
            return Err(thrown("self-test", &text));
        }
        Ok(difference)
    }

    /// Inverts an aligned square face (RGBA bytes of any size), which was cut out along `quad` from a photo in which its
    /// mesh has the given points, if it was found there; `onStage` hears of each stage as it begins, and can stop the
    /// inversion. The face inverted before is forgotten in any case.
    pub async fn invert(
        &mut self,
        rgba: &[u8],
        width: u32,
        height: u32,
        quad: &QuadJs,
        points: &PointsJs,
        on_stage: &StageCallbackJs,
    ) -> Result<(), JsValue> {
        self.session = None;
        let quad = read_quad(quad)?;
        let points: Option<Vec<Point>> = argument(points)?;
        let points = points.map(|points| face::face_points(&points, &quad));
        let points = points.transpose().map_err(face_error)?;
        let engine = self.engine.as_ref().ok_or_else(no_model)?;
        let sdic = engine.sdic();
        let on_stage: &Function = on_stage.unchecked_ref();
        let report = |stage: Stage| {
            let done = stage as usize;
            let arguments = (stage.name().into(), done.into(), Stage::ALL.len().into());
            answered(on_stage.call3(&JsValue::NULL, &arguments.0, &arguments.1, &arguments.2))
        };
        let face = engine.face_tensor(&picture_from_rgba(rgba, width, height)?);
        report(Stage::Encode).await?;
        let initial_codes = sdic.encode(face.clone());
        settle(&initial_codes).await?;
        report(Stage::Generate).await?;
        let initial = sdic.generate(&initial_codes);
        settle(&initial.image).await?;
        report(Stage::Predict).await?;
        let discrepancy = sdic.predict(face, initial.image.clone());
        settle(&discrepancy).await?;
        report(Stage::Compensate).await?;
        let compensation = sdic.compensate(
            discrepancy.clone(),
            initial.feature.clone(),
            initial_codes.clone(),
        );
        settle(&compensation.residual).await?;
        report(Stage::Reconstruct).await?;
        let inversion = sdic.reconstruct(initial_codes, initial, discrepancy, compensation);
        settle(&inversion.reconstruction).await?;
        let codes = engine.codes(&inversion).await?;
        self.session = Some(Session {
            inversion,
            codes,
            points,
        });
        Ok(())
    }

    /// A picture of the current inversion: the plain e4e reconstruction ("initial"), the compensated one
    /// ("reconstruction"), or DIPN's map ("discrepancy", grey where nothing was lost).
    pub async fn view(&self, kind: &ViewNameJs) -> Result<PictureJs, JsValue> {
        let (engine, session) = self.session()?;
        let inversion = &session.inversion;
        let image = match kind.as_string().as_deref() {
            Some("initial") => inversion.initial.clone(),
            Some("reconstruction") => inversion.reconstruction.clone(),
            Some("discrepancy") => inversion.discrepancy.clone(),
            _ => {
                let text = "no such view; use \"initial\", \"reconstruction\" or \"discrepancy\"";
                return Err(thrown("view", text));
            }
        };
        picture_to_js(&engine.render(image).await?)
    }

    /// Renders the inverted face with the given strengths by edit name;
    /// `previewSize`, a power of two from `injectSize`, stops at that resolution. `pause` is called between the
    /// generator's convolutions, and can stop the edit.
    pub async fn edit(
        &self,
        strengths: &StrengthsJs,
        preview_size: Option<usize>,
        pause: &PauseCallbackJs,
    ) -> Result<EditedJs, JsValue> {
        let (engine, session) = self.session()?;
        let strengths: BTreeMap<String, f32> = argument(strengths)?;
        let strengths = strengths
            .iter()
            .map(|(name, &value)| (name.as_str(), value));
        let pause: &Function = pause.unchecked_ref();
        let (inversion, points) = (&session.inversion, session.points.as_ref());
        let mut edit =
            engine.begin_edit(inversion, &session.codes, points, strengths, preview_size)?;
        let edited = loop {
            answered(pause.call0(&JsValue::NULL)).await?;
            match edit.advance() {
                ControlFlow::Continue(further) => edit = further,
                ControlFlow::Break(edited) => break edited,
            }
        };
        edited_to_js(&engine.render_edited(edited).await?)
    }
}

impl Engine {
    fn session(&self) -> Result<(&engine::Engine, &Session), JsValue> {
        let engine = self.engine.as_ref().ok_or_else(no_model)?;
        let session = self
            .session
            .as_ref()
            .ok_or_else(|| thrown("order", "no face has been inverted; call invert first"))?;
        Ok((engine, session))
    }
}

fn not_loading() -> JsValue {
    thrown("order", "no model is being loaded; call begin first")
}

fn no_model() -> JsValue {
    thrown(
        "order",
        "no model is loaded; call begin, pushShard and finish first",
    )
}

impl Crew for CrewJs {
    fn members(&self) -> usize {
        self.members()
    }

    fn send(&self, member: usize, errand: &Errand) -> bool {
        let count = errand.values.iter().map(|values| values.len()).sum();
        let Ok(area) = self.area(member, errand.result.max(count)) else {
            return false;
        };
        let mut start = 0;
        for values in &errand.values {
            let end = start + values.len() as u32;
            area.subarray(start, end).copy_from(values);
            start = end;
        }
        self.send(member, &errand.order, count).is_ok()
    }

    fn collect(&self, member: usize) -> Answer {
        match self.collect(member) {
            Ok(values) if values.is_null() => Answer::Withdrawn,
            Ok(values) => match values.dyn_into::<Float32Array>() {
                Ok(values) => Answer::Done(values.to_vec()),
                Err(_) => Answer::Failed,
            },
            Err(_) => Answer::Failed,
        }
    }

    fn retire(&self) {
        self.retire();
    }
}

/// Shares large convolutions of this worker's engine out among `crew` until one of its members fails.
#[wasm_bindgen(js_name = setCrew)]
pub fn set_crew(crew: CrewJs) {
    kernels::set_crew(Some(Rc::new(crew)));
}

/// Does a member's share: reads the first `count` values of `area`, writes its result over them, and returns how
/// many values that has.
#[wasm_bindgen(js_name = performErrand)]
pub fn perform_errand(order: &str, area: &Float32Array, count: u32) -> Result<u32, JsValue> {
    let values = area.subarray(0, count).to_vec();
    let result = kernels::perform(order, &values)
        .ok_or_else(|| thrown("errand", "the errand is damaged; load the page again"))?;
    let length = result.len() as u32;
    if length > area.length() {
        return Err(thrown("errand", "the area is too small for the result"));
    }
    area.subarray(0, length).copy_from(&result);
    Ok(length)
}

/// Finds faces; runs on the CPU, needs no model.
#[wasm_bindgen]
pub struct FaceFinder(face::FaceFinder);

#[wasm_bindgen]
impl FaceFinder {
    /// From the bytes of `face/manifest.json` and of the file it names.
    #[wasm_bindgen(constructor)]
    pub fn new(manifest_json: &[u8], weights: &[u8]) -> Result<FaceFinder, JsValue> {
        let finder = face::FaceFinder::from_bytes(manifest_json, weights).map_err(face_error)?;
        Ok(Self(finder))
    }

    /// The faces in a photo (RGBA bytes), largest first; none is an empty list, not an error.
    pub fn detect(&self, rgba: &[u8], width: usize, height: usize) -> Result<FacesJs, JsValue> {
        let photo = face::Picture::new(width, height, rgba).map_err(face_error)?;
        Ok(plain(&self.0.detect(&photo))?.unchecked_into())
    }
}

/// Cuts the square `quad` out of a photo (RGBA bytes), `size` pixels a side; what lies outside the photo is
/// mirrored and blurred as in FFHQ.
#[wasm_bindgen]
pub fn align(
    rgba: &[u8],
    width: usize,
    height: usize,
    quad: &QuadJs,
    size: usize,
) -> Result<PictureJs, JsValue> {
    let photo = face::Picture::new(width, height, rgba).map_err(face_error)?;
    let aligned = face::align(&photo, &read_quad(quad)?, size).map_err(face_error)?;
    rgba_to_js(aligned.rgba(), aligned.width(), aligned.height())
}

/// The FFHQ square of four points set by hand.
#[wasm_bindgen(js_name = quadFromPoints)]
pub fn quad_from_points(landmarks: &LandmarksJs) -> Result<QuadJs, JsValue> {
    let landmarks: Landmarks = argument(landmarks)?;
    let quad = Quad::from_landmarks(&landmarks).map_err(face_error)?;
    Ok(plain(&quad.corners())?.unchecked_into())
}

/// Puts an edited face back into its photo (RGBA bytes). `points` are those of the detected face, if there is one.
#[wasm_bindgen(js_name = pasteBack)]
#[allow(clippy::too_many_arguments)]
pub fn paste_back(
    rgba: &[u8],
    width: usize,
    height: usize,
    quad: &QuadJs,
    points: &PointsJs,
    edited: &EditedJs,
    mode: &PasteModeJs,
) -> Result<PictureJs, JsValue> {
    let photo = face::Picture::new(width, height, rgba).map_err(face_error)?;
    let points: Option<Vec<Point>> = argument(points)?;
    let picture = |name: &str| picture_from_js(&Reflect::get(edited, &name.into())?);
    let motion = motion_from_js(edited)?;
    let rendered = Rendered {
        edited: &picture("edited")?,
        unedited: &picture("unedited")?,
        motion: motion.as_ref(),
    };
    let (quad, mode) = (read_quad(quad)?, argument(mode)?);
    let finished = face::paste_back(&photo, &quad, points.as_deref(), rendered, mode);
    let finished = finished.map_err(face_error)?;
    rgba_to_js(finished.rgba(), width, height)
}

fn read_quad(quad: &QuadJs) -> Result<Quad, JsValue> {
    Quad::from_corners(&argument(quad)?).map_err(face_error)
}

/// Bytes of a file fetched at a time; tensors of a checkpoint are read in order.
const SLICE_BYTES: usize = 4 << 20;

/// A `Blob` as a Rust reader.
struct BlobReader {
    blob: Blob,
    reader: FileReaderSync,
    position: u64,
}

impl BlobReader {
    fn new(blob: Blob) -> Result<Self, JsValue> {
        Ok(Self {
            blob,
            reader: FileReaderSync::new()?,
            position: 0,
        })
    }

    fn len(&self) -> u64 {
        self.blob.size() as u64
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = (self.position + buffer.len() as u64).min(self.len());
        if end <= self.position {
            return Ok(0);
        }
        let slice = self.blob.slice(self.position as f64, end as f64);
        let bytes = self
            .reader
            .read(&slice)
            .map_err(|_| io::Error::other("the browser cannot read the file; choose it again"))?;
        let bytes = Uint8Array::new(&bytes);
        let count = bytes.length() as usize;
        bytes.copy_to(&mut buffer[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        Ok(self.position)
    }
}

/// Converts the authors' checkpoint to a weights directory, file by file; never whole in memory.
#[wasm_bindgen]
pub struct CheckpointConversion(Conversion<BufReader<BlobReader>>);

#[wasm_bindgen]
impl CheckpointConversion {
    /// Reads names and shapes, and refuses what is no SDIC checkpoint. `dtype` is "f32", "f16" or "q8".
    #[wasm_bindgen(constructor)]
    pub fn new(file: Blob, dtype: &str) -> Result<CheckpointConversion, JsValue> {
        let dtype: Dtype = dtype
            .parse()
            .map_err(|error: String| thrown("argument", &error))?;
        let reader = BufReader::with_capacity(SLICE_BYTES, BlobReader::new(file)?);
        let checkpoint = Checkpoint::open(reader).map_err(import_error)?;
        Ok(Self(checkpoint.convert(dtype)))
    }

    /// The next finished file with how many tensors of how many are done, or undefined after the manifest.
    #[wasm_bindgen(js_name = nextFile)]
    pub fn next_file(&mut self) -> Result<ConvertedFileJs, JsValue> {
        let Some(file) = self.0.next_file().map_err(import_error)? else {
            return Ok(JsValue::UNDEFINED.unchecked_into());
        };
        let (done, total) = self.0.progress();
        let object = Object::new();
        Reflect::set(&object, &"name".into(), &file.name.into())?;
        Reflect::set(
            &object,
            &"bytes".into(),
            &Uint8Array::from(file.bytes.as_slice()),
        )?;
        Reflect::set(&object, &"done".into(), &done.into())?;
        Reflect::set(&object, &"total".into(), &total.into())?;
        Ok(object.unchecked_into())
    }
}

fn import_error(error: ImportError) -> JsValue {
    thrown("import", &error.to_string())
}
