//! Convolutions on the CPU, over plain `f32` slices.
//!
//! All pictures and volumes are `[channels, depth, height, width]` in row-major order; a picture has depth 1.
//! Everything runs on the widest vector instructions of the processor it finds itself on ([`Isa`]) and,
//! outside the browser, on as many threads as the current rayon pool has. WebAssembly cannot ask what its browser
//! has: there, vector instructions are used if the crate was compiled with `-C target-feature=+simd128`. It has one
//! thread too, and shares large convolutions out to other workers if it is given a [`ThreadPool`].

mod conv;
mod depthwise;
mod epilogue;
mod geometry;
mod layer;
mod plan;
mod resample;
mod run;
mod simd;
mod task;
#[cfg(test)]
mod tests;
mod thread_pool;
mod tile;
mod winograd;

pub use depthwise::DepthwiseLayer;
pub use epilogue::{Activation, Epilogue};
pub use geometry::Kind;
pub use layer::{ConvLayer, Prologue};
pub use resample::{add_upsampled, warp};
pub use run::each;
pub use simd::Isa;
pub use task::perform;
pub use thread_pool::{Answer, ConvolutionTask, ThreadPool, set_thread_pool};
