//! Convolutions on the CPU, over plain `f32` slices.
//!
//! All pictures and volumes are `[channels, depth, height, width]` in row-major order; a picture has depth 1.
//! Everything runs on the widest vector instructions of the processor it finds itself on ([`Isa`]), and on all
//! [`threads`]. WebAssembly cannot ask what its browser has: there, vector instructions are used if the crate was
//! compiled with `-C target-feature=+simd128`, and threads if it was with `+atomics` and others [`take_part`].

mod conv;
mod depthwise;
mod epilogue;
mod geometry;
mod layer;
mod memory;
mod plan;
mod resample;
mod run;
mod simd;
#[cfg(test)]
mod tests;
mod thread_pool;
mod tile;
mod winograd;

pub use depthwise::DepthwiseLayer;
pub use epilogue::{Activation, Epilogue};
pub use geometry::Kind;
pub use layer::{ConvLayer, Prologue};
pub use memory::keep_memory;
pub use resample::{add_upsampled, warp};
pub use simd::Isa;
pub use thread_pool::{each, enter, leave, take_part, threads};
