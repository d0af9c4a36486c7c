//! A loaded model with its edits: what the command line and the browser both drive.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::ControlFlow,
};

use burn::tensor::{Device, ExecutionError, Tensor, TensorData};
use image::RgbImage;
use thiserror::Error;

use crate::{
    config::ModelConfig,
    directions::{Directions, EditError},
    model::{LoadError, Loader},
    picture::{self, PictureError},
    pipeline::{Edit, Inversion, Sdic},
    weights::{self, Manifest, WeightsError},
};

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
    /// The device failed while computing.
    #[error("the device failed: {0}; reload and try again, or run on the CPU")]
    Device(#[from] ExecutionError),
    /// Shards that were never given.
    #[error("shard {0} was not loaded")]
    MissingShard(usize),
    /// A preview size that the generator does not pass through.
    #[error("preview size {size} must be a power of two from {least} to {most}")]
    PreviewSize {
        /// The size asked for.
        size: usize,
        /// Resolution of the injection layer.
        least: usize,
        /// Resolution of the full picture.
        most: usize,
    },
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
    /// [`EngineError::Load`] if its configuration is impossible.
    pub fn with_manifest(manifest: Manifest, device: &Device) -> Result<Self, EngineError> {
        Ok(Self {
            loader: Loader::new(&manifest.config, device)?,
            direction_names: manifest.direction_tensors(),
            directions: HashMap::new(),
            missing: (0..manifest.shards.len()).collect(),
            manifest,
        })
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
        Ok(Engine {
            sdic: Sdic::new(self.manifest.config.clone(), networks),
            manifest: self.manifest,
            directions,
        })
    }
}

/// A loaded model.
pub struct Engine {
    manifest: Manifest,
    sdic: Sdic,
    directions: Directions,
}

impl Engine {
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

    /// Sizes of the model.
    pub fn config(&self) -> &ModelConfig {
        self.sdic.config()
    }

    /// An aligned square face as the encoder's input, `[1, 3, input_size, input_size]` in [-1, 1];
    /// another size is resampled.
    pub fn face_tensor(&self, face: &RgbImage) -> Tensor<4> {
        let side = self.config().encoder.input_size;
        picture::to_tensor(&picture::resize_square(face, side), &self.sdic.device())
    }

    /// The compensated codes of an inversion as rows of `style_dim` values.
    ///
    /// # Errors
    /// [`EngineError::Device`].
    pub async fn codes(&self, inversion: &Inversion) -> Result<Vec<f32>, EngineError> {
        read(inversion.codes.clone()).await
    }

    /// Codes as the generator takes them: rows of `style_dim` values to `[1, styles, style_dim]`.
    pub fn codes_tensor(&self, codes: Vec<f32>) -> Tensor<3> {
        let shape = [1, self.config().styles(), self.config().style_dim];
        Tensor::from_data(TensorData::new(codes, shape), &self.sdic.device())
    }

    /// Renders `codes` (from [`Self::codes`]) with the given edits, in one generator pass.
    ///
    /// `size` below the model's `image_size` gives a preview at that resolution.
    ///
    /// # Errors
    /// [`EngineError`] for an unknown edit, an impossible size or a failing device.
    pub async fn edit<'a>(
        &self,
        inversion: &Inversion,
        codes: &[f32],
        strengths: impl IntoIterator<Item = (&'a str, f32)>,
        size: Option<usize>,
    ) -> Result<RgbImage, EngineError> {
        let mut edit = self.begin_edit(inversion, codes, strengths, size)?;
        loop {
            match edit.advance() {
                ControlFlow::Continue(further) => edit = further,
                ControlFlow::Break(image) => return self.render(image).await,
            }
        }
    }

    /// [`Self::edit`] in steps; what they arrive at is for [`Self::render`].
    ///
    /// # Errors
    /// [`EngineError`] for an unknown edit or an impossible size.
    pub fn begin_edit<'a>(
        &self,
        inversion: &Inversion,
        codes: &[f32],
        strengths: impl IntoIterator<Item = (&'a str, f32)>,
        size: Option<usize>,
    ) -> Result<Edit<'_>, EngineError> {
        let config = self.config();
        let (least, most) = (config.inject_size, config.image_size);
        let size = size.unwrap_or(most);
        if !size.is_power_of_two() || !(least..=most).contains(&size) {
            return Err(EngineError::PreviewSize { size, least, most });
        }
        let edited = self.codes_tensor(self.directions.apply(codes, strengths)?);
        let residual = inversion.residual.clone();
        Ok(self.sdic.begin_edit(edited, residual, size))
    }

    /// A generator output `[1, 3, size, size]` as the picture a person sees.
    ///
    /// # Errors
    /// [`EngineError::Device`].
    pub async fn render(&self, image: Tensor<4>) -> Result<RgbImage, EngineError> {
        let data = self.sdic.crop(image).into_data_async().await?;
        Ok(picture::from_data(data)?)
    }
}

/// Values of a tensor in row-major order.
///
/// # Errors
/// [`EngineError::Device`].
pub async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, EngineError> {
    let data = tensor.into_data_async().await?;
    let shape = data.shape().iter().copied().collect();
    data.try_into_vec::<f32>()
        .map_err(|_| PictureError::Shape(shape).into())
}
