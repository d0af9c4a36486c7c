//! A loaded model with its edits: what the command line and the browser both drive.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    io::{Read, Seek},
    path::Path,
    sync::Arc,
};

use burn::tensor::{Device, Tensor, TensorData};
use thiserror::Error;

use super::{
    directions::{Directions, check_manifest},
    edit::{EditRun, Edited, EditedPictures, InvertedFace},
    error::EditError,
    inversion::{InversionRun, Stage, invert},
};
use crate::{
    config::ModelConfig,
    face::{Face, FaceError, Landmarks},
    import::{DirectionFile, ImportError, Naming},
    networks::{
        Inverter, LoadError, Loader, Precision, ReadError, Sdic, Window, device, extended, normals,
        shown, to_tensor,
    },
    pixels::{Picture, PictureError, resize},
    weights::{
        self, Direction, DirectionKind, Dtype, Manifest, TensorEntry, WeightsDir, WeightsError,
    },
};

/// Heading under which directions from files are shown.
const OWN_GROUP: &str = "Your own";

/// Anything that stops a model from being loaded or run.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The weights directory.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The parameters.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The strengths of an edit.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A face that cannot be cut out of its photo.
    #[error(transparent)]
    Face(#[from] FaceError),
    /// The device, or what came back from it.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A picture that is not of the model's shape.
    #[error(
        "{width} x {height} pixels are {}; cut the picture to the shape of {wide} x {high} first",
        not_of_shape(*wide, *high)
    )]
    Shape {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Width of the model's pictures.
        wide: usize,
        /// Their height.
        high: usize,
    },
    /// A photo for a model without an encoder.
    #[error(
        "this model is a generator alone: it draws faces, but no photo can be turned into its codes; use a model of \
         SDIC, e4e or pSp for photos"
    )]
    NoEncoder,
    /// A face to be drawn by a model without a mapping network.
    #[error("this model has no mapping network, so it cannot draw faces")]
    NoMapping,
    /// Shards that were never given.
    #[error("shard {0} was not loaded")]
    MissingShard(usize),
}

fn not_of_shape(wide: usize, high: usize) -> &'static str {
    match wide == high {
        true => "not square",
        false => "not of the model's shape",
    }
}

/// A GPU keeps weights no more exactly than their file does; a CPU would not save anything.
fn precision(manifest: &Manifest, directions: &HashSet<String>, device: &Device) -> Precision {
    let tensors = manifest.tensors.iter();
    let mut parameters = tensors.filter(|tensor| !directions.contains(&tensor.name));
    // Small ones are 32-bit floats in every file.
    let wide = |tensor: &TensorEntry| {
        let least = Dtype::F16.for_tensor(&tensor.name, &tensor.shape);
        tensor.dtype == Dtype::F32 && least != Dtype::F32
    };
    let narrow = |tensor: &TensorEntry| tensor.dtype != Dtype::F32;
    match !device::is_cpu(device) && parameters.clone().any(narrow) && !parameters.any(wide) {
        true => Precision::Half,
        false => Precision::Single,
    }
}

/// A model that is being loaded, shard by shard in any order.
pub struct EngineLoader {
    manifest: Manifest,
    loader: Loader,
    direction_names: HashSet<String>,
    directions: HashMap<String, weights::Tensor>,
    missing: BTreeSet<usize>,
}

impl EngineLoader {
    /// Reads the manifest and prepares networks on `device`.
    ///
    /// # Errors
    /// [`EngineError::Weights`] or [`EngineError::Load`] name what is wrong in the manifest.
    pub fn new(manifest_json: &[u8], device: &Device) -> Result<Self, EngineError> {
        Self::with_manifest(Manifest::parse(manifest_json)?, device)
    }

    /// Prepares networks for a manifest that was read before.
    ///
    /// # Errors
    /// [`EngineError::Weights`] if it lists other tensors than its networks and directions need, and
    /// [`EngineError::Load`] if its configuration is impossible.
    pub fn with_manifest(manifest: Manifest, device: &Device) -> Result<Self, EngineError> {
        let weights = precision(&manifest, &manifest.direction_tensors(), device);
        Self::keeping(weights, manifest, device)
    }

    /// With weights kept so exactly, whatever the file and the device suggest.
    pub(super) fn keeping(
        weights: Precision,
        manifest: Manifest,
        device: &Device,
    ) -> Result<Self, EngineError> {
        check_manifest(&manifest)?;
        Ok(Self {
            loader: Loader::new(&manifest.config, weights, device)?,
            direction_names: manifest.direction_tensors(),
            directions: HashMap::new(),
            missing: (0..manifest.shards.len()).collect(),
            manifest,
        })
    }

    /// How exactly weights will be kept.
    #[cfg(feature = "wgpu")]
    pub(super) fn precision(&self) -> Precision {
        self.loader.weights()
    }

    /// What is being loaded.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Checks a shard and takes its tensors.
    ///
    /// # Errors
    /// [`EngineError`] names the shard or tensor that is damaged or does not belong.
    pub fn push_shard(self, index: usize, bytes: &[u8]) -> Result<Self, EngineError> {
        let tensors = self.manifest.decode_shard(index, bytes)?;
        let tensors = tensors.collect::<Result<_, _>>()?;
        self.push_tensors(index, tensors)
    }

    /// Takes the tensors of a shard that was checked and decoded before.
    ///
    /// # Errors
    /// [`EngineError::Load`] names the tensor that does not belong.
    pub fn push_tensors(
        mut self,
        index: usize,
        tensors: Vec<weights::Tensor>,
    ) -> Result<Self, EngineError> {
        let mut parameters = Vec::new();
        for tensor in tensors {
            if self.direction_names.contains(&tensor.name) {
                self.directions.insert(tensor.name.clone(), tensor);
            } else {
                parameters.push(tensor);
            }
        }
        self.loader = self.loader.load(parameters)?;
        self.missing.remove(&index);
        Ok(self)
    }

    /// The finished engine, with all shards of a weights directory.
    ///
    /// # Errors
    /// [`EngineError`] names the file or tensor that is damaged or missing.
    pub fn finish_from(mut self, dir: &WeightsDir) -> Result<Engine, EngineError> {
        for index in 0..dir.manifest().shards.len() {
            self = self.push_tensors(index, dir.read_shard(index)?)?;
        }
        self.finish()
    }

    /// The finished engine.
    ///
    /// # Errors
    /// [`EngineError::MissingShard`] or the names of the missing tensors.
    pub fn finish(self) -> Result<Engine, EngineError> {
        if let Some(&index) = self.missing.first() {
            return Err(EngineError::MissingShard(index));
        }
        let directions = Directions::new(&self.manifest, &self.directions)?;
        let networks = self.loader.finish()?;
        let sdic = Sdic::new(self.manifest.config.clone(), networks);
        device::give_back(&sdic.device());
        Ok(Engine {
            sdic,
            manifest: self.manifest,
            directions,
        })
    }
}

/// A loaded model. Copies share the parameters.
#[derive(Clone)]
pub struct Engine {
    manifest: Manifest,
    sdic: Sdic,
    directions: Directions,
}

impl Engine {
    /// Loads the model of a weights directory.
    ///
    /// # Errors
    /// [`EngineError`] names the file or tensor that is damaged or missing, and what a manifest gets wrong.
    pub fn open(dir: &WeightsDir, device: &Device) -> Result<Self, EngineError> {
        EngineLoader::with_manifest(dir.manifest().clone(), device)?.finish_from(dir)
    }

    /// What was loaded.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The networks.
    pub fn sdic(&self) -> &Sdic {
        &self.sdic
    }

    /// The edits that the model offers.
    pub fn directions(&self) -> &Directions {
        &self.directions
    }

    /// Adds the directions in a file, or replaces those of an earlier file of that name. The names of the edits begin
    /// with `own/` and the file's name, so that they are none of the model's. A single direction reaches as far as the
    /// model's own sliders do that change the codes alone, whatever the length of its vector; components of a basis
    /// count standard deviations.
    ///
    /// # Errors
    /// [`ImportError`] for a file that holds no directions, or those of a model of other sizes.
    pub fn add_directions(
        &mut self,
        file_name: &str,
        reader: impl Read + Seek,
    ) -> Result<Vec<Direction>, ImportError> {
        let stem = Path::new(file_name).file_stem().unwrap_or_default();
        let naming = Naming::new(&stem.to_string_lossy());
        let file = DirectionFile::read(reader)?;
        let (tensors, mut directions) = file.into_directions(self.config(), &naming)?;
        let tensors = tensors.into_iter().map(|t| (t.name.clone(), t)).collect();
        for direction in &mut directions {
            direction.name = format!("own/{file_name}/{}", direction.name);
            direction.group = OWN_GROUP.to_owned();
            self.directions
                .insert(direction, &tensors)
                .map_err(|error| ImportError::Content(error.to_string()))?;
            match direction.kind {
                DirectionKind::Linear { .. } => self.fit_range(direction),
                DirectionKind::StyleSpace { .. } => {}
                DirectionKind::Ganspace { .. } => {
                    direction.label = format!("{}: {}", naming.label, direction.label);
                }
            }
        }
        Ok(directions)
    }

    /// Takes the sliders that a fit has found: `manifest` is that of the model with them, `shards` the bytes of those
    /// that this model has not.
    ///
    /// # Errors
    /// [`EngineError::Weights`] for the manifest of another model, and damaged shards.
    pub fn extend<'b>(
        &mut self,
        manifest: Manifest,
        shards: impl IntoIterator<Item = &'b [u8]>,
    ) -> Result<(), EngineError> {
        check_manifest(&manifest)?;
        if !manifest.shards.starts_with(&self.manifest.shards) {
            let problem = "are not those of the loaded model, and more";
            return Err(WeightsError::manifest("shards", problem.to_owned()).into());
        }
        let first = self.manifest.shards.len();
        let mut tensors = HashMap::new();
        for (index, bytes) in shards.into_iter().enumerate() {
            for tensor in manifest.decode_shard(first + index, bytes)? {
                let tensor = tensor?;
                tensors.insert(tensor.name.clone(), tensor);
            }
        }
        self.directions.extend(&manifest, &tensors)?;
        self.manifest = manifest;
        Ok(())
    }

    /// Gives a direction the range that takes it as far as the middle one of the model's own. Of these only those count
    /// that change nothing but codes, where there are any: the codes of the others do little by themselves.
    fn fit_range(&mut self, direction: &mut Direction) {
        let reach = |own: &Direction| {
            let [low, high] = own.range;
            Some(high.max(-low) * self.directions.length(&own.name)?)
        };
        let codes_only = |own: &&Direction| own.displacements.is_none() && own.change.is_none();
        let own = || self.manifest.directions.iter();
        let mut reaches: Vec<_> = own().filter(codes_only).filter_map(reach).collect();
        if reaches.is_empty() {
            reaches = own().filter_map(reach).collect();
        }
        reaches.sort_by(f32::total_cmp);
        let length = self.directions.length(&direction.name);
        if let (Some(reach), Some(length)) = (reaches.get(reaches.len() / 2), length) {
            let limit = reach / length;
            // A vector of extreme length keeps the usual range.
            if limit.is_normal() {
                direction.range = [-limit, limit];
                self.directions.set_range(&direction.name, direction.range);
            }
        }
    }

    /// Sizes of the model.
    pub fn config(&self) -> &ModelConfig {
        self.sdic.config()
    }

    /// An aligned face, or another picture of the model's shape, as the encoder's input,
    /// `[1, 3, input_size, input_size]` in [-1, 1]; another size is resampled. What is not square stands between black
    /// bars, as in the data of such models.
    ///
    /// # Errors
    /// [`EngineError::Shape`], and [`EngineError::Picture`] for a picture without pixels.
    pub fn face_tensor(&self, face: &Picture) -> Result<Tensor<4>, EngineError> {
        Ok(self.as_input(&self.seen(face)?))
    }

    /// What the encoder sees of an aligned face, but for bars.
    fn seen<'a>(&self, face: &'a Picture) -> Result<Picture<'a>, EngineError> {
        let [width, height] = [face.width(), face.height()];
        if !self.config().is_shape_of([width, height]) {
            let [high, wide] = self.config().output_size();
            return Err(EngineError::Shape {
                width,
                height,
                wide,
                high,
            });
        }
        let [rows, columns] = self.config().picture_in(self.config().input_size());
        Ok(resize(face, [columns, rows])?)
    }

    /// The encoder's input from what it sees of a face.
    fn as_input(&self, seen: &Picture) -> Tensor<4> {
        let (side, device) = (self.config().input_size(), self.sdic.device());
        match [seen.width(), seen.height()] == [side; 2] {
            true => to_tensor(seen, &device),
            false => to_tensor(&seen.letterboxed(side), &device),
        }
    }

    /// Codes as the generator takes them: rows of `style_dim` values to `[1, styles, style_dim]`.
    pub fn codes_tensor(&self, codes: Vec<f32>) -> Tensor<3> {
        let shape = [1, self.config().styles(), self.config().style_dim];
        Tensor::from_data(TensorData::new(codes, shape), &self.sdic.device())
    }

    /// Inverts an aligned face, or another picture of the model's shape, with these landmarks, if they are known.
    /// `begin` hears of every stage as it begins; its error stops the inversion.
    ///
    /// # Errors
    /// Those of `begin`, or [`EngineError`] for an unusable picture or a failing device.
    pub async fn invert<E: From<EngineError>>(
        &self,
        face: &Picture<'_>,
        landmarks: Option<Landmarks>,
        begin: impl AsyncFnMut(Stage) -> Result<(), E>,
    ) -> Result<InvertedFace, E> {
        let seen = self.seen(face)?;
        let run = InversionRun::new(&self.sdic, self.as_input(&seen));
        let run = run.ok_or(EngineError::NoEncoder)?;
        let inverted = self.finished(run, landmarks, begin).await?;
        let face = Some(Arc::new(seen.into_owned()));
        Ok(InvertedFace { face, ..inverted })
    }

    /// What turns a photo into codes.
    ///
    /// # Errors
    /// [`EngineError::NoEncoder`] if the model is a generator alone.
    pub fn inverter(&self) -> Result<Inverter<'_>, EngineError> {
        self.sdic.inverter().ok_or(EngineError::NoEncoder)
    }

    /// A face that the model makes up, another one for every seed, with its landmarks, if they are known: they are
    /// those of its [`Inversion::reconstruction`](super::Inversion::reconstruction). `truncation` is how far it may be
    /// from the average face, from 0, which is the average, to 1, which is anything that the model knows.
    ///
    /// # Errors
    /// Those of `begin`, [`EngineError::NoMapping`], or a failing device.
    pub async fn draw<E: From<EngineError>>(
        &self,
        seed: u64,
        truncation: f64,
        landmarks: Option<Landmarks>,
        begin: impl AsyncFnMut(Stage) -> Result<(), E>,
    ) -> Result<InvertedFace, E> {
        let width = self.config().style_dim;
        let z = TensorData::new(normals(seed, 0, width), [1, width]);
        let z = Tensor::from_data(z, &self.sdic.device());
        let codes = self.sdic.sample(z, truncation);
        let codes = codes.ok_or(EngineError::NoMapping)?;
        let run = InversionRun::drawn(&self.sdic, codes);
        self.finished(run, landmarks, begin).await
    }

    async fn finished<E: From<EngineError>>(
        &self,
        run: InversionRun<'_>,
        landmarks: Option<Landmarks>,
        mut begin: impl AsyncFnMut(Stage) -> Result<(), E>,
    ) -> Result<InvertedFace, E> {
        let stopped = async |stage| begin(stage).await.map_err(Stopped::Caller);
        let inversion = invert(run, stopped).await;
        let inversion = inversion.map_err(|stopped| match stopped {
            Stopped::Caller(error) => error,
            Stopped::Device(error) => EngineError::from(error).into(),
        })?;
        device::give_back(&self.sdic.device());
        let inverted = InvertedFace::new(inversion, landmarks).await;
        Ok(inverted.map_err(EngineError::from)?)
    }

    /// [`Self::invert`] for a face that was found in a photo: cut out as the model knows faces, with its landmarks.
    ///
    /// # Errors
    /// As there, and [`EngineError::Face`] for a photo without pixels.
    pub async fn invert_face<E: From<EngineError>>(
        &self,
        photo: &Picture<'_>,
        face: &Face,
        begin: impl AsyncFnMut(Stage) -> Result<(), E>,
    ) -> Result<InvertedFace, E> {
        let aligned = face.aligned(photo, self.config().input_size());
        let aligned = aligned.map_err(EngineError::from)?;
        let landmarks = face.landmarks().map_err(EngineError::from)?;
        self.invert(&aligned, Some(landmarks), begin).await
    }

    /// [`InvertedFace::edit`] with this model's sliders.
    ///
    /// # Errors
    /// As there.
    pub fn edit<'s>(
        &self,
        face: &InvertedFace,
        strengths: impl IntoIterator<Item = (&'s str, f32)>,
        size: Option<usize>,
    ) -> Result<EditRun<'_>, EditError> {
        face.edit(&self.sdic, &self.directions, strengths, size)
    }

    /// [`InvertedFace::edit_moving`] with this model's sliders.
    ///
    /// # Errors
    /// As there.
    pub fn edit_moving<'s>(
        &self,
        face: &InvertedFace,
        strengths: impl IntoIterator<Item = (&'s str, f32)>,
        size: Option<usize>,
        displacements: Option<&Landmarks>,
    ) -> Result<EditRun<'_>, EditError> {
        face.edit_moving(&self.sdic, &self.directions, strengths, size, displacements)
    }

    /// [`EditRun::finish`], and what comes of it as a person sees it.
    ///
    /// # Errors
    /// Those of `pause`, or [`EngineError::Read`].
    pub async fn finish<E: From<EngineError>>(
        &self,
        edit: EditRun<'_>,
        pause: impl AsyncFnMut() -> Result<(), E>,
    ) -> Result<EditedPictures, E> {
        let edited = edit.finish(pause).await?;
        Ok(self.render_edited(edited).await?)
    }

    /// Both pictures of an edit as a person sees them.
    ///
    /// # Errors
    /// [`EngineError::Read`].
    pub async fn render_edited(
        &self,
        edited: Edited<Tensor<4>>,
    ) -> Result<EditedPictures, EngineError> {
        let window = self.window(&edited.picture);
        let shared = edited.shown.unwrap_or_default();
        let mut pictures = vec![edited.picture];
        if shared.get().is_none() {
            pictures.push(edited.unedited);
        }
        let mut found = extended(pictures, window).await?.into_iter();
        let picture = found.next().expect("the first picture");
        // Another edit may have been faster, with the same unedited picture.
        let unedited = shared.get_or_init(|| found.next().expect("the second picture"));
        Ok(EditedPictures {
            picture: picture.picture(),
            unedited: unedited.picture(),
            difference: match &edited.cover {
                Some(cover) => picture.difference_over(unedited, |uv| {
                    let opacity = cover.opacity(uv);
                    (opacity > 0.0).then(|| (opacity, cover.own(uv)))
                }),
                None => picture.difference(unedited),
            },
            motion: edited.motion,
        })
    }

    /// The compensated picture of a face. Once it is known, the device is not asked again.
    ///
    /// # Errors
    /// [`EngineError::Read`].
    pub async fn reconstruction(
        &self,
        face: &InvertedFace,
    ) -> Result<Picture<'static>, EngineError> {
        if let Some(known) = face.shown.get() {
            return Ok(known.picture());
        }
        let reconstruction = face.inversion.reconstruction.clone();
        let window = self.window(&reconstruction);
        let mut found = extended(vec![reconstruction], window).await?;
        let picture = found.pop().expect("the picture");
        Ok(face.shown.get_or_init(|| picture).picture())
    }

    /// A generator output `[1, 3, size, size]` as the picture a person sees.
    ///
    /// # Errors
    /// [`EngineError::Read`].
    pub async fn render(&self, image: Tensor<4>) -> Result<Picture<'static>, EngineError> {
        let window = self.window(&image);
        Ok(shown(image, window).await?)
    }

    /// What is seen of a generator output.
    fn window(&self, image: &Tensor<4>) -> Window {
        let [_, _, side, _] = image.dims();
        self.sdic.window(side)
    }
}

/// What stopped an inversion.
enum Stopped<E> {
    Caller(E),
    Device(ReadError),
}

impl<E> From<ReadError> for Stopped<E> {
    fn from(error: ReadError) -> Self {
        Self::Device(error)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::{
        import::add_directions,
        testing::{
            files::{int, npy, pickle, tensor, torch_zip},
            models::{sample_tensor, tiny_model},
        },
        weights::Dtype,
    };

    /// The tiny model (styles of 4 values, 6 of them) with a slider "smile" that reaches a length of 5 * 2.
    fn engine() -> Engine {
        let (manifest, mut shards) = tiny_model(Dtype::F32);
        let mut smile = sample_tensor("smile", &[1, 4]);
        smile.values = vec![0.0, 2.0, 0.0, 0.0];
        let file = DirectionFile::Linear(smile);
        let (files, manifest) = add_directions(&manifest, file, &Naming::new("smile")).unwrap();
        shards.extend(files);
        let mut loader =
            EngineLoader::with_manifest(manifest, &crate::networks::device::cpu()).unwrap();
        for (index, shard) in shards.iter().enumerate() {
            loader = loader.push_shard(index, &shard.bytes).unwrap();
        }
        loader.finish().unwrap()
    }

    /// Pictures come back from any device by the same way.
    #[test]
    fn what_is_no_number_is_never_shown_as_black() {
        let engine = engine();
        let devices = [
            crate::networks::device::cpu(),
            #[cfg(feature = "wgpu")]
            crate::testing::gpu().device.clone(),
        ];
        for device in devices {
            for bad in [f32::NAN, f32::INFINITY] {
                let mut values = vec![0.0; 3 * 16 * 16];
                let image = |values: &[f32]| {
                    let data = TensorData::new(values.to_vec(), [1, 3, 16, 16]);
                    Tensor::from_data(data, &device)
                };
                let good = image(&values);
                values[300] = bad;
                let refused = |error: EngineError| {
                    matches!(error, EngineError::Read(ReadError::NotFinite { count: 1 }))
                };
                let shown = pollster::block_on(engine.render(image(&values)));
                assert!(shown.is_err_and(refused), "{bad}");
                let edited = Edited {
                    picture: image(&values),
                    unedited: good,
                    shown: None,
                    motion: None,
                    cover: None,
                };
                let shown = pollster::block_on(engine.render_edited(edited));
                assert!(shown.is_err_and(refused), "{bad}");
            }
        }
    }

    /// Sizes near those of the tiny model, one of them changed at a time.
    fn neighbours() -> Vec<ModelConfig> {
        use serde_json::{Value, json, to_value};
        let mut tiny = to_value(crate::testing::models::tiny_config()).unwrap();
        tiny["editor"] = json!({"width": 3, "plan": 2, "fold": 1});
        let fields = [
            "/image_size",
            "/style_dim",
            "/channels/0",
            "/channels/1",
            "/channels/2",
            "/mapping_layers",
            "/inject_size",
            "/encoder/input_size",
            "/encoder/units/0",
            "/encoder/units/3",
            "/encoder/widths/0",
            "/encoder/widths/1",
            "/encoder/widths/2",
            "/encoder/widths/3",
            "/encoder/head_width",
            "/dipn/features/0",
            "/dipn/features/1",
            "/dipn/features/2",
            "/dipn/features/3",
            "/dipn/features/4",
            "/dipn/descriptor",
            "/dipn/volume",
            "/dicn/stem",
            "/dicn/middle",
            "/dicn/latent_map",
            "/editor/width",
            "/editor/plan",
            "/editor/fold",
        ];
        let changed = |field: &str, value: Value| {
            let mut config = tiny.clone();
            *config.pointer_mut(field)? = value;
            serde_json::from_value(config).ok()
        };
        let numbers = [1, 2, 3, 4, 5, 7, 8, 16, 32, 64];
        let pairs = fields
            .iter()
            .flat_map(|field| numbers.map(|number| (*field, json!(number))));
        let crops = [[1, 1], [1, 16], [16, 1], [3, 16], [7, 7], [16, 16]];
        let crops = crops.map(|crop| ("/crop", json!(crop)));
        pairs
            .chain(crops)
            .filter_map(|(field, value)| changed(field, value))
            .collect()
    }

    #[test]
    fn every_accepted_size_runs() {
        let (mut ran, mut broken) = (0, Vec::new());
        let small = |config: &ModelConfig| {
            let shapes = crate::networks::tensor_shapes(config);
            shapes
                .iter()
                .all(|(_, shape)| shape.iter().product::<usize>() < 1 << 18)
        };
        for config in neighbours() {
            if config.validate().is_err() || !small(&config) {
                continue;
            }
            let shown = format!("{config:?}");
            let run = || {
                let (manifest, shards) = crate::testing::models::model_of(config, Dtype::F32);
                let device = crate::networks::device::cpu();
                let mut loader = EngineLoader::with_manifest(manifest, &device).unwrap();
                for (index, shard) in shards.iter().enumerate() {
                    loader = loader.push_shard(index, &shard.bytes).unwrap();
                }
                let engine = loader.finish().unwrap();
                let [rows, columns] = engine.config().output_size();
                let colour = |x: usize, y: usize| [(20 * x) as u8, (20 * y) as u8, 90];
                let face = Picture::from_rgb(columns, rows, colour);
                pollster::block_on(async {
                    let begun = async |_| Ok::<_, EngineError>(());
                    let inverted = engine.invert(&face, None, begun).await.unwrap();
                    let edit = engine.edit(&inverted, [], None).unwrap();
                    let edited = edit
                        .finish(async || Ok::<_, EngineError>(()))
                        .await
                        .unwrap();
                    // The values are any that come; after many layers some are too large for a number.
                    let pictures = match engine.render_edited(edited).await {
                        Err(EngineError::Read(ReadError::NotFinite { .. })) => return,
                        pictures => pictures.unwrap(),
                    };
                    let [height, width] = engine.config().output_size();
                    assert_eq!(
                        (pictures.picture.width(), pictures.picture.height()),
                        (width, height)
                    );
                });
            };
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err() {
                broken.push(shown);
            }
            ran += 1;
        }
        assert!(broken.is_empty(), "accepted: {broken:#?}");
        assert!(ran > 100, "{ran}");
    }

    fn add(engine: &mut Engine, name: &str, bytes: &[u8]) -> Result<Vec<Direction>, ImportError> {
        engine.add_directions(name, Cursor::new(bytes))
    }

    #[test]
    fn directions_from_files_join_the_models_own() {
        let mut engine = engine();
        let codes = vec![0.0; 24];
        let offset_of = |engine: &Engine, name: &str, strength| {
            let edited = engine
                .directions()
                .edited_codes(&codes, &[(name, strength)]);
            edited.unwrap().rows
        };

        let added = add(
            &mut engine,
            "head_tilt.npy",
            &npy("<f8", &[4], &[0.0, 0.0, 0.5, 0.0]),
        )
        .unwrap();
        let [tilt] = &added[..] else {
            panic!("one direction")
        };
        let about = (tilt.name.as_str(), tilt.label.as_str(), tilt.group.as_str());
        assert_eq!(
            about,
            ("own/head_tilt.npy/head_tilt", "Head tilt", "Your own")
        );
        assert_eq!((tilt.range, tilt.styles), ([-20.0, 20.0], [0, 6]));
        assert_eq!(
            offset_of(&engine, &tilt.name, 2.0),
            [0.0, 0.0, 1.0, 0.0].repeat(6)
        );

        // Another file of a name that the model has stands beside it; the same file again replaces the first.
        let rows: Vec<f32> = (0..24).map(|i| i as f32).collect();
        for values in [&vec![1.0; 24], &rows] {
            let added = add(&mut engine, "smile.npy", &npy("<f4", &[1, 6, 4], values)).unwrap();
            assert_eq!(added.len(), 1);
        }
        assert_eq!(offset_of(&engine, "own/smile.npy/smile", 1.0), rows);
        assert_eq!(
            offset_of(&engine, "smile", 1.0),
            [0.0, 2.0, 0.0, 0.0].repeat(6)
        );

        let basis = include_bytes!("../../tests/import/basis.pt");
        let added = add(&mut engine, "pca.pt", basis).unwrap();
        let labels: Vec<_> = added.iter().map(|d| d.label.as_str()).collect();
        assert_eq!(
            labels,
            ["Pca: Component 0", "Pca: Component 1", "Pca: Component 2"]
        );
        assert_eq!(added[1].range, [-4.0, 4.0]);
        assert_eq!(
            offset_of(&engine, &added[1].name, 1.0),
            [0.0, 2.0, 0.0, 0.0].repeat(6)
        );
    }

    #[test]
    fn files_that_are_no_direction_of_this_model_are_refused() {
        let mut engine = engine();
        let good = npy("<f4", &[1, 4], &[1.0; 4]);
        let too_large = vec![0; 33_000_000];
        let cases: &[(&[u8], &str)] = &[
            (b"", "not a PyTorch file"),
            (b"remember the milk", "not a PyTorch file"),
            (&too_large, "has 33 MB; a file with directions has at most"),
            (
                &npy("<f4", &[1, 5], &[1.0; 5]),
                "has shape [1, 5] instead of [1, 4] or [6, 4]; take",
            ),
            (
                &npy("<f4", &[3, 4], &[1.0; 12]),
                "has shape [3, 4] instead of",
            ),
            (
                &npy("<f4", &[2, 6, 4], &[1.0; 48]),
                "has shape [2, 6, 4] instead of",
            ),
            (&npy("<f4", &[0], &[]), "has shape [1, 0] instead of"),
            (&npy("<f4", &[], &[1.0]), "has shape [] instead of"),
            (
                &npy("<f4", &[4], &[1.0, f32::NAN, 0.0, 0.0]),
                "value 1 is NaN, which is not",
            ),
            (&npy("<f4", &[4], &[0.0; 4]), "would change nothing"),
            (
                &npy("|O", &[4], &[1.0; 4]),
                "of Python objects, which only running them would restore",
            ),
            (
                &npy("<f4", &[5], &[1.0; 4]),
                "16 bytes are not those of shape [5]",
            ),
            (
                &npy("<f4", &[usize::MAX, 8], &[1.0; 4]),
                "are not those of shape",
            ),
            (&good[..9], "without a whole header"),
            (
                &good[..good.len() - 1],
                "15 bytes are not those of shape [1, 4]",
            ),
            (include_bytes!("../../tests/import/hostile.pt"), "pickle: "),
            (
                &torch_zip(&pickle(int(5)), &[]),
                "holds a number instead of a tensor",
            ),
        ];
        for (bytes, reason) in cases {
            let error = add(&mut engine, "file", bytes)
                .expect_err(reason)
                .to_string();
            assert!(error.contains(reason), "{error}, expected {reason}");
        }
        assert!(engine.directions().length("own/file/file").is_none());
    }

    #[test]
    fn views_that_repeat_few_values_endlessly_are_not_unfolded() {
        let mut engine = engine();
        let repeated = tensor("0", 1, 0, &[4_000_000, 4], &[0, 0]);
        let file = torch_zip(&pickle(repeated), &[("0".to_owned(), vec![0, 0, 128, 63])]);
        let error = add(&mut engine, "wide.pt", &file).unwrap_err().to_string();
        assert!(error.starts_with("holds 16000000 values; "), "{error}");
    }

    #[test]
    fn sliders_that_change_more_than_codes_do_not_say_how_far_others_reach() {
        let mut engine = engine();
        // Beside "smile", which reaches 10, one that reaches 50 with a motion.
        let mut turn = engine.manifest.directions[0].clone();
        turn.range = [-25.0, 25.0];
        turn.displacements = Some("turn.motion".to_owned());
        engine.manifest.directions.push(turn);
        let range = |engine: &mut Engine| {
            let tilt = npy("<f4", &[4], &[0.0, 0.0, 0.5, 0.0]);
            add(engine, "tilt.npy", &tilt).unwrap()[0].range
        };
        assert_eq!(range(&mut engine), [-20.0, 20.0]);
        engine.manifest.directions.remove(0);
        assert_eq!(range(&mut engine), [-100.0, 100.0]);
    }

    #[test]
    fn vectors_of_extreme_length_keep_the_usual_range() {
        let mut engine = engine();
        for value in [1e-30, 1e30] {
            let added = add(&mut engine, "odd.npy", &npy("<f4", &[4], &[value; 4])).unwrap();
            assert_eq!(added[0].range, [-5.0, 5.0]);
        }
    }
}
