//! Sliders that are found in the loaded model, while it is used.

use std::pin::Pin;

use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::{
    engine::{WebEngine, no_model},
    model::{ModelInfoJs, model_info},
    plain, thrown,
};
use crate::{
    editing::{
        EngineError,
        fit::{
            CodeSource, FitError, Journal, ModelFaces, Progress, Request, Task, find_components,
            find_sliders,
        },
    },
    face,
    weights::{Depicts, MANIFEST_FILE, Manifest},
};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "FitListener")]
    pub type FitListener;
    #[wasm_bindgen(method, catch)]
    fn rest(this: &FitListener) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn step(this: &FitListener, progress: &JsValue) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn keep(this: &FitListener, journal: Uint8Array) -> Result<Promise, JsValue>;

    #[wasm_bindgen(typescript_type = "WeightsFile[]")]
    pub type WeightsFilesJs;
}

impl From<FitError> for JsValue {
    fn from(error: FitError) -> Self {
        let text = error.to_string();
        match error {
            FitError::NoMapping => thrown("no-mapping", &text),
            FitError::NotOfFaces | FitError::NoFaces { .. } | FitError::TooFew { .. } => {
                thrown("no-faces", &text)
            }
            FitError::Edit(error) => error.into(),
            FitError::Picture(error) => error.into(),
            FitError::Face(error) => error.into(),
            FitError::Import(error) => error.into(),
            FitError::Read(error) => error.into(),
            FitError::PicturesGiven
            | FitError::Fitted
            | FitError::Journal(_)
            | FitError::Given(_) => thrown("fit", &text),
        }
    }
}

#[derive(Serialize)]
struct FitProgress {
    task: &'static str,
    label: Option<&'static str>,
    done: usize,
    total: usize,
    entries: usize,
}

impl FitProgress {
    fn new(Progress { task, done, total }: Progress, journal: &Journal) -> Self {
        let (task, measure) = match task {
            Task::Draw => ("draw", None),
            Task::Components => ("components", None),
            Task::Regress(measure) => ("regress", Some(measure)),
            Task::Choose(measure) => ("choose", Some(measure)),
            Task::Check(measure) => ("check", Some(measure)),
            Task::Follow => ("follow", None),
        };
        Self {
            task,
            label: measure.map(|measure| measure.names()[1]),
            done,
            total,
            entries: journal.entries(),
        }
    }
}

#[wasm_bindgen]
impl WebEngine {
    /// Gives the engine the face networks, from the bytes of `face/manifest.json` and of the file it names. With them
    /// it sees how edits move a face where the model does not tell, and finds sliders.
    #[wasm_bindgen(js_name = useFaces)]
    pub fn use_faces(&self, manifest_json: &[u8], weights: &[u8]) -> Result<(), JsValue> {
        let finder = face::FaceFinder::from_bytes(manifest_json, weights)?;
        self.set_finder(finder);
        Ok(())
    }

    /// Looks for sliders in the model: draws faces, measures them, and finds what moves the measures. Takes long; other
    /// calls can be made meanwhile, whenever the listener is waited for. `journal` is what an earlier search of the
    /// same kind has kept; any other is ignored. A model of other things than faces gets the components of its styles
    /// alone, and needs no face networks. Returns the files that the weights directory gains, the new manifest last.
    #[wasm_bindgen(js_name = findSliders)]
    pub async fn find_sliders(
        &self,
        samples: usize,
        seed: u32,
        journal: Option<Vec<u8>>,
        listener: &FitListener,
    ) -> Result<WeightsFilesJs, JsValue> {
        // A copy: the model itself may gain directions meanwhile.
        let engine = self.loaded()?;
        let seed = u64::from(seed);
        let request = Request {
            samples,
            seed,
            pictures: "",
        };
        let key = request.key(engine.manifest());
        let kept = journal.and_then(|bytes| Journal::from_bytes(&bytes, &key).ok());
        let mut journal = kept.unwrap_or_else(|| Journal::new(key));
        let pause = async |progress: Progress, journal: &Journal| {
            let progress = plain(&FitProgress::new(progress, journal))?;
            let wanted = JsFuture::from(listener.step(&progress)?).await?;
            if wanted.is_truthy() {
                let bytes = Uint8Array::from(journal.to_bytes()?.as_slice());
                JsFuture::from(listener.keep(bytes)?).await?;
            }
            Ok::<_, JsValue>(())
        };
        let (fit, installation) = match engine.manifest().depicts() {
            Depicts::Faces => {
                let finder = self.finder().ok_or_else(|| {
                    let text = "there are no face networks; call useFaces first";
                    thrown("order", text)
                })?;
                let rest = || -> Pin<Box<dyn Future<Output = ()>>> {
                    // Who is in the way stops the search at the next step instead.
                    let rested = listener.rest();
                    Box::pin(async {
                        if let Ok(promise) = rested {
                            let _ = JsFuture::from(promise).await;
                        }
                    })
                };
                let faces = ModelFaces::new(&engine, &finder, CodeSource::Mapping(seed))?;
                let mut faces = faces.resting(Box::new(rest));
                let found = find_sliders(&engine, &mut faces, &request, &mut journal, pause);
                let (fit, installation) = found.await?;
                (Some(fit), installation)
            }
            Depicts::Cars | Depicts::Other => {
                let found = find_components(&engine, &request, &mut journal, pause);
                (None, found.await?)
            }
        };
        let (files, manifest) = installation.finish(fit.as_ref(), seed)?;
        let manifest = manifest.to_json().map_err(EngineError::from)?;
        let list = Array::new();
        let files = files.iter().map(|file| (&file.name[..], &file.bytes[..]));
        for (name, bytes) in files.chain([(MANIFEST_FILE, &manifest[..])]) {
            let object = Object::new();
            Reflect::set(&object, &"name".into(), &name.into())?;
            Reflect::set(&object, &"bytes".into(), &Uint8Array::from(bytes))?;
            list.push(&object);
        }
        Ok(list.unchecked_into())
    }

    /// Takes the sliders that [`Self::find_sliders`] has found, from the files it has made.
    #[wasm_bindgen(js_name = takeSliders)]
    pub fn take_sliders(&self, files: &WeightsFilesJs) -> Result<ModelInfoJs, JsValue> {
        let files: &Array = files.unchecked_ref();
        let bytes = |file: JsValue| {
            let bytes = Reflect::get(&file, &"bytes".into())?;
            Ok::<_, JsValue>(bytes.dyn_into::<Uint8Array>()?.to_vec())
        };
        let mut shards = files.iter().map(bytes).collect::<Result<Vec<_>, _>>()?;
        let manifest = shards.pop().ok_or_else(no_model)?;
        let manifest = Manifest::parse(&manifest).map_err(EngineError::from)?;
        self.change(|engine| engine.extend(manifest, shards.iter().map(Vec::as_slice)))?;
        let engine = self.loaded()?;
        Ok(plain(&model_info(engine.manifest()))?.unchecked_into())
    }
}
