//! The four networks of SDIC and the feature editor, on Burn.
//!
//! One file per network. [`Networks`] is all of them as one module, whose tree gives every parameter its name;
//! [`Sdic`] runs them step by step.

mod around;
mod convolution;
pub mod device;
mod dicn;
mod dipn;
mod encoder;
mod feature_editor;
mod generator;
mod layers;
mod mean_style;
mod model;
mod normal;
mod pictures;
mod precision;
mod queue;
mod sdic;
#[cfg(feature = "wgpu")]
mod shaders;
mod tensors;

pub use feature_editor::{DrawnPlan, Plans};
pub use generator::{Codes, Synthesis};
pub(crate) use layers::Warp;
pub use mean_style::mean_style;
#[cfg(test)]
pub(crate) use model::assign;
pub use model::{LoadError, Loader, Networks, modulations, tensor_shapes};
pub use normal::normals;
pub use pictures::{ReadError, Window, extended, from_data, read, shown, to_tensor};
pub use precision::Precision;
pub(crate) use queue::Groups;
pub use queue::Mark;
pub use sdic::{
    Compensation, Compensator, GeneratorPass, Initial, Injection, Inverter, Overlay, Sdic,
};
#[cfg(feature = "wgpu")]
pub use shaders::{TunedClass, Tuning, emulate};
#[cfg(test)]
pub(crate) use tensors::cpu_values;
