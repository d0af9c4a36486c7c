//! A complete model small enough for tests.

use super::{Dtype, Manifest, ShardPacker, Tensor, WeightsFile, expected_tensors};
use crate::config::ModelConfig;

/// The smallest sizes that [`ModelConfig::validate`] accepts: 16 px, 6 styles.
pub(crate) fn tiny_config() -> ModelConfig {
    serde_json::from_str(
        r#"{
            "image_size": 16, "style_dim": 4, "channels": [4, 4, 4], "inject_size": 8,
            "encoder": {"input_size": 32, "units": [1, 1, 1, 1], "widths": [2, 2, 4, 4], "head_width": 2},
            "dipn": {"features": [2, 2, 2, 2, 2], "descriptor": 4, "volume": 1},
            "dicn": {"stem": 2, "middle": 2, "latent_map": 4}
        }"#,
    )
    .expect("a valid configuration")
}

/// Values between -1 and 1 that differ between tensors.
pub(crate) fn sample_tensor(name: &str, shape: &[usize]) -> Tensor {
    let mut state = name
        .bytes()
        .fold(7u32, |hash, b| hash.wrapping_mul(31).wrapping_add(b.into()));
    let values = (0..shape.iter().product())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect();
    Tensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
        values,
    }
}

/// Every tensor of [`tiny_config`].
pub(crate) fn tiny_tensors() -> Vec<Tensor> {
    expected_tensors(&tiny_config())
        .iter()
        .map(|(name, shape)| sample_tensor(name, shape))
        .collect()
}

/// The tiny model stored as `dtype` throughout: its manifest and shards.
pub(crate) fn tiny_model(dtype: Dtype) -> (Manifest, Vec<WeightsFile>) {
    let mut packer = ShardPacker::new();
    let mut files = Vec::new();
    for tensor in tiny_tensors() {
        files.extend(packer.push(&tensor, dtype).expect("a storable tensor"));
    }
    let packed = packer.finish().expect("storable tensors");
    files.extend(packed.last_shard);
    let manifest = Manifest {
        format: super::FORMAT,
        name: "tiny".to_owned(),
        title: "Tiny model".to_owned(),
        config: tiny_config(),
        tensors: packed.tensors,
        shards: packed.shards,
        directions: Vec::new(),
        face_shape: None,
        provenance: "test values".to_owned(),
        licence: "none needed".to_owned(),
        model_card: None,
        samples: Vec::new(),
        extra: serde_json::Map::new(),
    };
    (manifest, files)
}
