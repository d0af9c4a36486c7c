//! Compensate and edit: aligned face -> codes -> discrepancy -> compensation -> edit.
//!
//! One file per idea: `inversion` holds the five stages and the formula, `edit` what sliders do to an inverted face,
//! `directions` the sliders, `motion` how they move it. [`Engine`] is a loaded model with its sliders.

mod cover;
mod directions;
mod edit;
mod engine;
mod error;
pub mod fit;
mod holding;
mod inversion;
mod look;
mod motion;
#[cfg(feature = "wgpu")]
mod rehearsal;
mod self_test;

pub use cover::CoveredPhoto;
pub use directions::{
    Directions, EditedCodes, Offset, check_manifest, ganspace_offset, paste_mode,
};
pub use edit::{EditRun, Edited, EditedPictures, InvertedFace, SharedPicture};
pub use engine::{Engine, EngineError, EngineLoader};
pub use error::EditError;
pub use inversion::{Inversion, InversionRun, Stage, invert};
pub use look::{Look, LookError, MOST_STRENGTH};
pub use motion::Fields;
#[cfg(feature = "wgpu")]
pub use rehearsal::Rehearsal;
#[doc(hidden)]
pub use self_test::parameter_values as made_up_parameters;
pub use self_test::{TOLERANCE, largest_difference};
