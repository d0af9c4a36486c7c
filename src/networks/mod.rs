//! The four networks of SDIC and the feature editor, on Burn.
//!
//! One file per network. [`Networks`] is all of them as one module, whose tree gives every parameter its name;
//! [`Sdic`] runs them step by step.

pub mod device;
mod dicn;
mod dipn;
mod encoder;
mod feature_editor;
mod generator;
mod layers;
mod model;
mod pictures;
mod sdic;

pub use generator::Synthesis;
#[cfg(test)]
pub(crate) use layers::cpu_values;
pub(crate) use layers::warp;
#[cfg(test)]
pub(crate) use model::assign;
pub use model::{LoadError, Loader, Networks, modulations, tensor_shapes};
pub use pictures::{ReadError, difference, from_data, read, to_tensor};
pub use sdic::{Compensation, Compensator, GeneratorPass, Initial, Injection, Sdic};
