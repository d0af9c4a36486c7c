//! The worker that holds the networks.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use burn::tensor::Device;
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::{
    EditedJs, MeshJs, QuadJs, argument,
    blob::BlobReader,
    model::{DirectionInfo, ModelInfoJs, model_info},
    picture::{PictureJs, edited_to_js, picture_to_js},
    plain, quad_argument, thrown,
};
#[cfg(feature = "wgpu")]
use crate::networks::{Tuning, emulate};
use crate::{
    editing::{
        EditError, Engine, EngineError, EngineLoader, InvertedFace, Stage, TOLERANCE,
        fit::{Seen, edit_as_seen},
        largest_difference,
    },
    face::{FaceFinder, Landmarks, landmarks_of},
    networks::{ReadError, device},
    pixels::{Picture, Point},
};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "DirectionInfo[]")]
    pub type DirectionsJs;
    #[wasm_bindgen(typescript_type = "ViewName")]
    pub type ViewNameJs;
    #[wasm_bindgen(typescript_type = "StageCallback")]
    pub type StageCallbackJs;
    #[wasm_bindgen(typescript_type = "PauseCallback")]
    pub type PauseCallbackJs;
    #[wasm_bindgen(typescript_type = "Record<string, number>")]
    pub type StrengthsJs;
    #[wasm_bindgen(typescript_type = "Tuning | undefined")]
    pub type TuningJs;

    /// Milliseconds since the worker began.
    #[cfg(feature = "wgpu")]
    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}

impl From<EngineError> for JsValue {
    fn from(error: EngineError) -> Self {
        let code = match &error {
            EngineError::Weights(_) | EngineError::MissingShard(_) => "weights",
            EngineError::Load(_) => "load",
            EngineError::Edit(_) => "edit",
            EngineError::Face(_) => "face",
            EngineError::NoEncoder => "no-encoder",
            EngineError::NoMapping => "no-mapping",
            EngineError::Picture(_)
            | EngineError::Shape { .. }
            | EngineError::Read(ReadError::Shape { .. }) => "picture",
            EngineError::Read(ReadError::Device(_) | ReadError::NotFinite { .. }) => "device",
        };
        thrown(code, &error.to_string())
    }
}

impl From<ReadError> for JsValue {
    fn from(error: ReadError) -> Self {
        EngineError::from(error).into()
    }
}

impl From<EditError> for JsValue {
    fn from(error: EditError) -> Self {
        EngineError::from(error).into()
    }
}

/// Waits for what a callback has returned.
async fn answered(returned: Result<JsValue, JsValue>) -> Result<(), JsValue> {
    JsFuture::from(Promise::resolve(&returned?)).await.map(drop)
}

/// A device with, once loaded, a model and the inverted faces, each by the name that it was given.
#[wasm_bindgen]
pub struct WebEngine {
    device: Device,
    backend: &'static str,
    adapter: String,
    loader: RefCell<Option<EngineLoader>>,
    engine: RefCell<Option<Rc<Engine>>>,
    faces: RefCell<BTreeMap<String, Rc<HeldFace>>>,
    finder: RefCell<Option<Rc<FaceFinder>>>,
}

/// How far from the average face others are drawn: they come out well, and still differ.
const TRUNCATION: f64 = 0.7;

/// An inverted face, and what was seen of how it moves.
struct HeldFace {
    face: InvertedFace,
    seen: RefCell<Seen>,
}

#[wasm_bindgen]
impl WebEngine {
    /// Opens a device: "cpu", or "webgpu" where this build has it.
    pub async fn create(backend: &str) -> Result<WebEngine, JsValue> {
        let (device, backend, adapter) = match backend {
            "cpu" => (device::cpu(), "cpu", "CPU (WebAssembly)".to_owned()),
            #[cfg(feature = "wgpu")]
            "webgpu" => {
                let gpu = device::gpu::open()
                    .await
                    .map_err(|error| thrown("no-gpu", &error.to_string()))?;
                (gpu.device, "webgpu", gpu.adapter)
            }
            other => {
                let text = format!("this build has no \"{other}\" backend; use \"cpu\"");
                return Err(thrown("no-backend", &text));
            }
        };
        Ok(WebEngine {
            device,
            backend,
            adapter,
            loader: RefCell::default(),
            engine: RefCell::default(),
            faces: RefCell::default(),
            finder: RefCell::default(),
        })
    }

    /// Tells that what WebGPU calls an adapter is a program on the processor. The CPU has no adapter.
    pub fn emulated(&self) {
        #[cfg(feature = "wgpu")]
        emulate();
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

    /// Starts loading a model from the bytes of its `manifest.json`; a model loaded before is dropped, with the faces
    /// it has inverted.
    pub fn begin(&self, manifest_json: &[u8]) -> Result<ModelInfoJs, JsValue> {
        self.faces.borrow_mut().clear();
        self.engine.replace(None);
        let loader = EngineLoader::new(manifest_json, &self.device)?;
        let info = plain(&model_info(loader.manifest()))?;
        self.loader.replace(Some(loader));
        Ok(info.unchecked_into())
    }

    /// Verifies one shard (size, SHA-256, tensor table) and takes its tensors; any order. After an error the
    /// load starts again with `begin`.
    #[wasm_bindgen(js_name = pushShard)]
    pub fn push_shard(&self, index: usize, bytes: &[u8]) -> Result<(), JsValue> {
        let loader = self.loader.take().ok_or_else(not_loading)?;
        self.loader.replace(Some(loader.push_shard(index, bytes)?));
        Ok(())
    }

    /// Completes the model; an error names every tensor that is missing.
    pub fn finish(&self) -> Result<(), JsValue> {
        let loader = self.loader.take().ok_or_else(not_loading)?;
        self.engine.replace(Some(Rc::new(loader.finish()?)));
        Ok(())
    }

    /// Adds the edit directions in a file (PyTorch, safetensors or NumPy) to the model, in place of those that came
    /// from a file of this name before.
    #[wasm_bindgen(js_name = addDirections)]
    pub fn add_directions(&self, name: &str, file: Blob) -> Result<DirectionsJs, JsValue> {
        let reader = BlobReader::new(file)?;
        let added = self.change(|engine| engine.add_directions(name, reader))?;
        self.forget_seen();
        let infos: Vec<DirectionInfo> = added.iter().map(Into::into).collect();
        Ok(plain(&infos)?.unchecked_into())
    }

    /// Runs a tiny model on this device and on the CPU; returns the largest relative difference and throws
    /// ("self-test") if it is above 1e-3. Also compiles the shaders.
    #[wasm_bindgen(js_name = selfTest)]
    pub async fn self_test(&self) -> Result<f32, JsValue> {
        self.judged(largest_difference(&self.device).await?)
    }

    /// Between `begin` and `finish`: has this device compile what the model will need, on a model of the same layers
    /// with few channels, and compares it with the CPU as `selfTest` does. The CPU compiles nothing.
    pub async fn rehearse(&self) -> Result<f32, JsValue> {
        #[cfg(feature = "wgpu")]
        if self.backend != "cpu" {
            let rehearsal = self.loader.borrow().as_ref().map(EngineLoader::rehearsal);
            let rehearsal = rehearsal.ok_or_else(not_loading)?;
            return self.judged(rehearsal.run(&self.device).await?);
        }
        Ok(0.0)
    }

    /// Has a graphics card's convolutions share out their work as is the fastest there: as `known` says, if that was
    /// returned for these kernels before, or as is measured now, within seconds. The CPU has nothing to choose.
    #[cfg_attr(not(feature = "wgpu"), allow(unused_variables))]
    pub async fn tune(&self, known: &TuningJs) -> Result<TuningJs, JsValue> {
        #[cfg(feature = "wgpu")]
        if self.backend != "cpu" {
            // What the page remembers may be of any release.
            let known = argument::<Tuning>(known).ok().filter(Tuning::apply);
            let tuning = match known {
                Some(known) => known,
                None => {
                    let measured = Tuning::measure(&self.device, || now() / 1e3).await;
                    measured.apply();
                    measured
                }
            };
            return Ok(plain(&tuning)?.unchecked_into());
        }
        Ok(JsValue::UNDEFINED.unchecked_into())
    }

    fn judged(&self, difference: f32) -> Result<f32, JsValue> {
        if difference > TOLERANCE {
            let text = format!(
                "the adapter {} computes wrongly (difference {difference}); use the CPU instead",
                self.adapter
            );
            return Err(thrown("self-test", &text));
        }
        Ok(difference)
    }

    /// Inverts an aligned face (RGBA bytes of any size in the model's shape), which was cut out along `quad` from a
    /// photo in which it has the given mesh, if it was found there. `onStage` hears of each stage as it begins, and can
    /// stop the inversion. What comes of it is kept as `name` until it is released.
    #[allow(clippy::too_many_arguments)] // each is one of JavaScript's
    pub async fn invert(
        &self,
        name: String,
        rgba: &[u8],
        width: usize,
        height: usize,
        quad: &QuadJs,
        mesh: &MeshJs,
        on_stage: &StageCallbackJs,
    ) -> Result<(), JsValue> {
        let landmarks = landmarks_argument(quad, mesh)?;
        let picture = Picture::new(width, height, rgba)?;
        let engine = self.loaded()?;
        let on_stage: &Function = on_stage.unchecked_ref();
        let total = Stage::of(engine.config()).len();
        let begin = async |stage: Stage| stage_begun(on_stage, stage, stage as usize, total).await;
        let face = engine.invert(&picture, landmarks, begin).await?;
        self.hold(name, face);
        Ok(())
    }

    /// Has the model draw a face, another one for every seed, where one of these landmarks was found: those of `mesh` in
    /// the square `quad` of its picture. What comes of it is kept as `name`, as of `invert`; `onStage` is as there.
    pub async fn draw(
        &self,
        name: String,
        seed: u32,
        quad: &QuadJs,
        mesh: &MeshJs,
        on_stage: &StageCallbackJs,
    ) -> Result<(), JsValue> {
        let landmarks = landmarks_argument(quad, mesh)?;
        let engine = self.loaded()?;
        let on_stage: &Function = on_stage.unchecked_ref();
        let begin = async |stage: Stage| stage_begun(on_stage, stage, 0, 1).await;
        let face = engine
            .draw(seed.into(), TRUNCATION, landmarks, begin)
            .await?;
        self.hold(name, face);
        Ok(())
    }

    /// Forgets an inverted face, if there is one of this name; edits of it that are under way go on.
    pub fn release(&self, name: &str) {
        self.faces.borrow_mut().remove(name);
    }

    /// A picture of an inversion: the plain e4e reconstruction ("initial"), the compensated one
    /// ("reconstruction"), or DIPN's map ("discrepancy", grey where nothing was lost), if the model compensates.
    pub async fn view(&self, name: &str, kind: &ViewNameJs) -> Result<PictureJs, JsValue> {
        let (engine, held) = self.inverted(name)?;
        let inversion = &held.face.inversion;
        let image = match kind.as_string().as_deref() {
            Some("initial") => inversion.initial.clone(),
            Some("reconstruction") => {
                return picture_to_js(&engine.reconstruction(&held.face).await?);
            }
            Some("discrepancy") => {
                let map = inversion.discrepancy.clone();
                map.ok_or_else(|| thrown("view", "this model predicts no discrepancy"))?
            }
            _ => {
                let text = "no such view; use \"initial\", \"reconstruction\" or \"discrepancy\"";
                return Err(thrown("view", text));
            }
        };
        picture_to_js(&engine.render(image).await?)
    }

    /// Renders an inverted face with the given strengths by edit name;
    /// `previewSize`, a power of two from `injectSize`, stops at that resolution. `pause` is called between the
    /// generator's convolutions, and can stop the edit. Where the model does not tell how the edit moves the face, its
    /// own pictures do, if there are face networks.
    pub async fn edit(
        &self,
        name: &str,
        strengths: &StrengthsJs,
        preview_size: Option<usize>,
        pause: &PauseCallbackJs,
    ) -> Result<EditedJs, JsValue> {
        let (engine, held_face) = self.inverted(name)?;
        let face = &held_face.face;
        let strengths: BTreeMap<String, f32> = argument(strengths)?;
        let strengths: Vec<_> = (strengths.iter())
            .map(|(name, &value)| (name.as_str(), value))
            .collect();
        let pause: &Function = pause.unchecked_ref();
        let pause = async || answered(pause.call0(&JsValue::NULL)).await;
        let run = match self.finder() {
            Some(finder) => {
                // Nobody else looks at this face meanwhile; else it is looked at once more.
                let mut seen = held_face.seen.take();
                let size = preview_size;
                let run =
                    edit_as_seen(&engine, &finder, face, &strengths, size, &mut seen, pause).await;
                // A model with other directions moves faces in other ways.
                if self.is_in_use(&engine) {
                    held_face.seen.replace(seen);
                }
                run?
            }
            None => engine.edit(face, strengths, preview_size)?,
        };
        let held = run.held().to_vec();
        edited_to_js(&engine.finish(run, pause).await?, &held)
    }
}

/// The landmarks of a mesh, if there is one, in the quad of a photo.
fn landmarks_argument(quad: &QuadJs, mesh: &MeshJs) -> Result<Option<Landmarks>, JsValue> {
    let quad = quad_argument(quad)?;
    let mesh: Option<Vec<Point>> = argument(mesh)?;
    Ok(mesh.map(|mesh| landmarks_of(&mesh, &quad)).transpose()?)
}

/// Tells that a stage begins, and waits for the answer.
async fn stage_begun(
    on_stage: &Function,
    stage: Stage,
    done: usize,
    total: usize,
) -> Result<(), JsValue> {
    let stage_name = JsValue::from(stage.name());
    let called = on_stage.call3(&JsValue::NULL, &stage_name, &done.into(), &total.into());
    answered(called).await
}

impl WebEngine {
    fn hold(&self, name: String, face: InvertedFace) {
        let seen = RefCell::default();
        let held = Rc::new(HeldFace { face, seen });
        self.faces.borrow_mut().insert(name, held);
    }

    fn inverted(&self, name: &str) -> Result<(Rc<Engine>, Rc<HeldFace>), JsValue> {
        let engine = self.loaded()?;
        let face = self.faces.borrow().get(name).cloned();
        let unknown = || {
            let text = format!("no face is kept as \"{name}\"; call invert first");
            thrown("order", &text)
        };
        Ok((engine, face.ok_or_else(unknown)?))
    }

    /// The model.
    pub(super) fn loaded(&self) -> Result<Rc<Engine>, JsValue> {
        self.engine.borrow().clone().ok_or_else(no_model)
    }

    /// Changes the model; who uses it at the moment goes on with what it was.
    pub(super) fn change<T, E: Into<JsValue>>(
        &self,
        change: impl FnOnce(&mut Engine) -> Result<T, E>,
    ) -> Result<T, JsValue> {
        let mut engine = self.engine.borrow_mut();
        let engine = engine.as_mut().ok_or_else(no_model)?;
        change(Rc::make_mut(engine)).map_err(Into::into)
    }

    /// The face networks, if they were given.
    pub(super) fn finder(&self) -> Option<Rc<FaceFinder>> {
        self.finder.borrow().clone()
    }

    pub(super) fn set_finder(&self, finder: FaceFinder) {
        self.finder.replace(Some(Rc::new(finder)));
    }

    /// Whether this is the model still: one that was changed is another.
    fn is_in_use(&self, engine: &Rc<Engine>) -> bool {
        let now = self.engine.borrow();
        now.as_ref().is_some_and(|now| Rc::ptr_eq(now, engine))
    }

    /// A direction of a name that was seen may be another one now.
    fn forget_seen(&self) {
        for held in self.faces.borrow().values() {
            held.seen.take();
        }
    }
}

fn not_loading() -> JsValue {
    thrown("order", "no model is being loaded; call begin first")
}

pub(super) fn no_model() -> JsValue {
    thrown(
        "order",
        "no model is loaded; call begin, pushShard and finish first",
    )
}
