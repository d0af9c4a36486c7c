//! Convolutions on the GPU: WGSL written by hand, behind Burn's tensors.
//!
//! The kinds of convolution are those of [`crate::kernels`]. Pictures are `[batch, channels, height, width]` in
//! row-major order. A workgroup makes a tile of the output: it stages four input channels at a time in its memory, with
//! what comes before the convolution applied, and every thread keeps several pixels of four or eight output channels in
//! registers until what comes after the convolution has been applied, too. Small pictures, which have too few pixels
//! for many threads, share the input channels out among the threads of a workgroup instead.
//!
//! The limits are those that every WebGPU adapter has: 8 storage buffers, 256 invocations, 16 KiB of workgroup memory.

mod extended;
mod halves;
mod launch;
mod layer;
mod planes;
mod products;
mod source;
#[cfg(test)]
mod tests;
mod tilings;
mod tuner;

pub use extended::extended;
pub use layer::ShaderLayer;
pub use planes::{gated, leaky, means};
pub use products::{Product, Products};
pub use tilings::emulate;
pub use tuner::{TunedClass, Tuning};
