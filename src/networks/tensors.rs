//! Making tensors, and looking at them.

use burn::{
    module::{Initializer, Param},
    tensor::{Device, Tensor},
};

/// A lazily created parameter filled with zeros, to be overwritten by loading.
pub fn parameter<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Initializer::Zeros.init(shape, device)
}

/// Values of a tensor on the CPU, without a copy if nothing else holds it.
pub fn cpu_values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let values = tensor.into_data().try_into_vec::<f32>();
    values.expect("networks compute in f32")
}

/// `[first, second, ...]` of up to three more sides as `[first, second, depth, height, width]`.
pub fn volume_dims(dims: &[usize]) -> [usize; 5] {
    let mut volume = [1; 5];
    volume[..2].copy_from_slice(&dims[..2]);
    let sides = dims.len() - 2;
    volume[5 - sides..].copy_from_slice(&dims[2..]);
    volume
}

/// A tensor with sides of 1 put behind its first two dimensions.
pub fn raise<const D: usize, const E: usize>(x: Tensor<D>) -> Tensor<E> {
    let volume = volume_dims(&x.dims());
    let mut shape = [1; E];
    shape[..2].copy_from_slice(&volume[..2]);
    shape[2..].copy_from_slice(&volume[7 - E..]);
    x.reshape(shape)
}
