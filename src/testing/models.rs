//! A complete model small enough for tests.

use serde_json::json;

use crate::{
    config::ModelConfig,
    networks::tensor_shapes,
    weights::{Dtype, FORMAT, Manifest, ShardPacker, Tensor, WeightsFile},
};

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

/// Values between -1 and 1 that differ between tensors; variances are positive.
pub(crate) fn sample_tensor(name: &str, shape: &[usize]) -> Tensor {
    let mut state = name
        .bytes()
        .fold(7u32, |hash, b| hash.wrapping_mul(31).wrapping_add(b.into()));
    let values = (0..shape.iter().product())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .map(|value: f32| match name.ends_with(".running_var") {
            true => value.abs(),
            false => value,
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
    tensor_shapes(&tiny_config())
        .iter()
        .map(|(name, shape)| sample_tensor(name, shape))
        .collect()
}

/// The tiny model stored as `dtype` throughout: its manifest and shards.
pub(crate) fn tiny_model(dtype: Dtype) -> (Manifest, Vec<WeightsFile>) {
    model_of(tiny_config(), dtype)
}

/// A model of these sizes stored as `dtype` throughout: its manifest and shards.
pub(crate) fn model_of(config: ModelConfig, dtype: Dtype) -> (Manifest, Vec<WeightsFile>) {
    let mut packer = ShardPacker::new();
    let mut files = Vec::new();
    for (name, shape) in tensor_shapes(&config) {
        let tensor = sample_tensor(&name, &shape);
        files.extend(packer.push(&tensor, dtype).expect("a storable tensor"));
    }
    let packed = packer.finish().expect("storable tensors");
    files.extend(packed.last_shard);
    let manifest = Manifest {
        format: FORMAT,
        name: "tiny".to_owned(),
        title: "Tiny model".to_owned(),
        config,
        depicts: None,
        tensors: packed.tensors,
        shards: packed.shards,
        directions: Vec::new(),
        face_shape: None,
        plan_shape: None,
        provenance: "test values".to_owned(),
        licence: "none needed".to_owned(),
        model_card: None,
        samples: Vec::new(),
        extra: serde_json::Map::new(),
    };
    (manifest, files)
}

/// The tiny model with a direction, a basis and sliders on both.
pub(crate) fn tiny_with_directions() -> (Manifest, WeightsFile) {
    let (mut manifest, _) = tiny_model(Dtype::F32);
    let mut packer = ShardPacker::extending("directions", manifest.shards.len());
    for (name, shape) in [
        ("directions.smile", vec![1, 4]),
        ("directions.smile.motion", vec![68, 2]),
        ("directions.smile.change", vec![4, 8, 8]),
        ("face.shape", vec![68, 2]),
        ("ganspace.comp", vec![3, 1, 4]),
        ("ganspace.mean", vec![1, 4]),
        ("ganspace.std", vec![3]),
    ] {
        packer
            .push(&sample_tensor(name, &shape), Dtype::F32)
            .unwrap();
    }
    let packed = packer.finish().unwrap();
    manifest.tensors.extend(packed.tensors);
    manifest.shards.extend(packed.shards);
    manifest.directions = serde_json::from_value(json!([
        {"name": "smile", "label": "Smile", "group": "Expression", "kind": "linear", "tensor": "directions.smile",
         "motion": "directions.smile.motion", "change": "directions.smile.change", "range": [-3, 3], "styles": [0, 6]},
        {"name": "beard", "label": "Beard", "group": "Face", "kind": "ganspace", "basis": "ganspace", "component": 2,
         "range": [-20, 20], "styles": [2, 4]},
    ]))
    .unwrap();
    manifest.face_shape = Some("face.shape".to_owned());
    (manifest, packed.last_shard.unwrap())
}
