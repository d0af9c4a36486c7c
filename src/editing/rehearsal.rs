//! A model in the place of another one that is still on its way: the same layers and sides, but few channels.
//!
//! What a GPU compiles for the one it compiles for the other: kernels depend on layers and sides, and learn of channels
//! when they run. So the compiling is done behind the download of the weights, and what was compiled is compared with
//! the CPU before anybody sees a picture of it.

use burn::tensor::Device;

use super::{
    engine::{EngineError, EngineLoader},
    self_test::{largest_of, noise, parameter_values},
};
use crate::{
    config::{DicnSizes, DipnSizes, EditorSizes, EncoderSizes, ModelConfig},
    face::LANDMARKS,
    networks::{Precision, device, read, tensor_shapes},
    pixels::Picture,
    weights::{Dtype, Manifest, Tensor, TensorEntry},
};

/// Channels of the generator: two groups of four, as kernels take them.
const CHANNELS: usize = 8;

/// The same layers and sides with few channels. Style vectors stay as long as they are, for directions have their
/// length.
fn thin(config: &ModelConfig) -> ModelConfig {
    let few = |channels: &usize| CHANNELS.min(*channels);
    // A stage of as many channels as the one before has no layer in its shortcut.
    let rising = |index: usize| CHANNELS * (index + 1);
    ModelConfig {
        channels: config.channels.iter().map(few).collect(),
        encoder: config.encoder.as_ref().map(|sizes| EncoderSizes {
            widths: std::array::from_fn(rising),
            head_width: CHANNELS,
            ..sizes.clone()
        }),
        dipn: config.dipn.as_ref().map(|_| DipnSizes {
            features: std::array::from_fn(rising),
            descriptor: CHANNELS,
            volume: 4,
        }),
        dicn: config.dicn.as_ref().map(|sizes| DicnSizes {
            stem: CHANNELS,
            middle: CHANNELS,
            ..sizes.clone()
        }),
        editor: config.editor.as_ref().map(|sizes| EditorSizes {
            width: CHANNELS,
            ..sizes.clone()
        }),
        ..config.clone()
    }
}

/// The manifest of a thin model with the directions of `manifest`.
fn thin_manifest(manifest: &Manifest) -> Manifest {
    let config = thin(&manifest.config);
    let entry = |name: &str, shape: Vec<usize>| TensorEntry {
        name: name.to_owned(),
        shape,
        dtype: Dtype::F32,
        shard: 0,
    };
    let mut tensors: Vec<_> = (tensor_shapes(&config).into_iter())
        .map(|(name, shape)| entry(&name, shape))
        .collect();
    let shapes = manifest.shapes();
    let changes = manifest.config.change_shape();
    let channels = manifest.config.style_channels().iter().sum::<usize>();
    for name in manifest.direction_tensors() {
        let shape = shapes.get(name.as_str()).copied().unwrap_or_default();
        let shape = match shape {
            shape if shape == changes => config.change_shape().to_vec(),
            &[all] if all == channels => vec![config.style_channels().iter().sum()],
            shape => shape.to_vec(),
        };
        tensors.push(entry(&name, shape));
    }
    Manifest {
        config,
        tensors,
        shards: Vec::new(),
        samples: Vec::new(),
        ..manifest.clone()
    }
}

/// What the tensors of the thin model hold.
fn tensors(manifest: &Manifest) -> Vec<Tensor> {
    let directions = manifest.direction_tensors();
    let values = |index: usize, name: &String, shape: &[usize]| -> Vec<f32> {
        let mut faces = manifest.face_shape.iter().chain(&manifest.plan_shape);
        if faces.any(|face| face == name) {
            // Points all over a face, on a spiral.
            let point = |i: usize| {
                let (angle, distance) =
                    (2.4 * i as f32, 0.3 * (i as f32 / LANDMARKS as f32).sqrt());
                [0.5 + distance * angle.cos(), 0.5 + distance * angle.sin()]
            };
            return (0..LANDMARKS).flat_map(point).collect();
        }
        if directions.contains(name) {
            // Little, so that no face would tear, and no deviation is negative.
            let small = noise(index as u32).map(|value| 1e-3 * (2.0 + value));
            return small.take(shape.iter().product()).collect();
        }
        parameter_values(index, name, shape)
    };
    let entries = manifest.tensors.iter().enumerate();
    let tensor = |(index, TensorEntry { name, shape, .. }): (usize, &TensorEntry)| Tensor {
        name: name.clone(),
        shape: shape.clone(),
        values: values(index, name, shape),
    };
    entries.map(tensor).collect()
}

/// A model of few channels that stands in for the one that is being loaded.
pub struct Rehearsal {
    manifest: Manifest,
    precision: Precision,
}

impl EngineLoader {
    /// A model of the same layers that can be run while the weights of this one come.
    pub fn rehearsal(&self) -> Rehearsal {
        Rehearsal {
            manifest: thin_manifest(self.manifest()),
            precision: self.precision(),
        }
    }
}

impl Rehearsal {
    /// Runs it on `device` and on the CPU; returns how far they are apart, as
    /// `largest_difference` does.
    ///
    /// # Errors
    /// [`EngineError`] if the device fails outright.
    pub async fn run(&self, device: &Device) -> Result<f32, EngineError> {
        let reference = self.perform(&device::cpu()).await?;
        Ok(largest_of(&reference, &self.perform(device).await?))
    }

    /// Values for a made-up picture: of its inversion, and of an edit by all sliders.
    async fn perform(&self, device: &Device) -> Result<Vec<f32>, EngineError> {
        let manifest = &self.manifest;
        let loader = EngineLoader::keeping(self.precision, manifest.clone(), device)?;
        let engine = loader.push_tensors(0, tensors(manifest))?.finish()?;
        let [height, width] = engine.config().output_size();
        let pixel = |i: usize| [(i % width) as u8, (i / width) as u8, 90, 255];
        let rgba: Vec<u8> = (0..width * height).flat_map(pixel).collect();
        let picture = Picture::new(width, height, &rgba)?;
        let begin = async |_| Ok::<_, EngineError>(());
        let face = match engine.config().inverts() {
            true => engine.invert(&picture, None, begin).await?,
            false => engine.draw(1, 1.0, None, begin).await?,
        };
        let mut seen = face.compensated_codes.clone();
        seen.extend(read(face.inversion.reconstruction.clone()).await?);
        let sliders = manifest.directions.iter();
        let strengths =
            sliders.map(|direction| (direction.name.as_str(), 0.1 * direction.range[1]));
        let edit = engine.edit(&face, strengths, None)?;
        let pause = async || Ok::<_, EngineError>(());
        let pictures = engine.finish(edit, pause).await?;
        seen.extend(
            pictures
                .picture
                .rgba()
                .iter()
                .map(|&byte| f32::from(byte) / 255.0),
        );
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Heads,
        testing::models::{model_of, tiny_config},
        weights::{Direction, DirectionKind},
    };

    /// Every model that can be loaded can be rehearsed: what goes wrong here would be taken for a faulty card.
    #[test]
    fn models_of_all_kinds_rehearse() {
        let small = ModelConfig {
            mapping_layers: 2,
            ..tiny_config()
        };
        let authors = [
            ModelConfig::face(),
            ModelConfig::cars(),
            ModelConfig::uncompensated(256, None, Heads::Codes),
        ];
        for config in authors.into_iter().chain([small]) {
            let (mut manifest, _) = model_of(tiny_config(), Dtype::F32);
            let slider = |name: &str, kind: DirectionKind| Direction {
                name: name.to_owned(),
                label: name.to_owned(),
                group: "Face".to_owned(),
                kind,
                folded: false,
                displacements: None,
                change: None,
                turned: None,
                shown: None,
                cover: None,
                range: [-3.0, 3.0],
                styles: [0, config.styles()],
            };
            let tensor = "channels".to_owned();
            let basis = "basis".to_owned();
            manifest.directions = vec![
                slider("channel", DirectionKind::StyleSpace { tensor }),
                slider(
                    "component",
                    DirectionKind::Ganspace {
                        basis,
                        component: 1,
                    },
                ),
            ];
            manifest.face_shape = None;
            let own = [
                ("channels", vec![config.style_channels().iter().sum()]),
                ("basis.comp", vec![2, 1, config.style_dim]),
                ("basis.mean", vec![1, config.style_dim]),
                ("basis.std", vec![2]),
            ];
            let own = own.map(|(name, shape)| (name.to_owned(), shape));
            let entry = |(name, shape)| TensorEntry {
                name,
                shape,
                dtype: Dtype::F16,
                shard: 0,
            };
            let shapes = tensor_shapes(&config).into_iter().chain(own);
            manifest.tensors = shapes.map(entry).collect();
            manifest.config = config;
            let loader = EngineLoader::with_manifest(manifest, &device::cpu()).unwrap();
            let difference = pollster::block_on(loader.rehearsal().run(&device::cpu())).unwrap();
            assert_eq!(difference, 0.0);
        }
    }
}
