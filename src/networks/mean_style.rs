//! The average style of a mapping network.

use std::collections::HashMap;

use burn::tensor::{Tensor, TensorData};

use super::{
    device,
    generator::{map, mapping},
    model::assign,
    normal::normals,
};

/// Styles that are drawn.
const DRAWS: usize = 4096;

/// The average style, which the weights of a generator need not bring: the mean of styles that are drawn, always the
/// same ones. `tensors` are the layers of the mapping network by their names in checkpoints, for vectors of `style_dim`
/// values. `None` if the device fails.
pub fn mean_style(style_dim: usize, tensors: HashMap<String, Vec<f32>>) -> Option<Vec<f32>> {
    let device = device::cpu();
    let layers = mapping(tensors.len() / 2, style_dim, &device);
    let (layers, _) = assign(layers, &["generator", "style"], tensors);
    let z = (0..DRAWS as u64).flat_map(|index| normals(0, index, style_dim));
    let z = TensorData::new(z.collect::<Vec<_>>(), [DRAWS, style_dim]);
    let mean = map(&layers, Tensor::from_data(z, &device)).mean_dim(0);
    mean.into_data().try_into_vec().ok()
}
