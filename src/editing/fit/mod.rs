//! Sliders found in the model itself.
//!
//! Faces are drawn from the model and measured with the face mesh. Each measure is regressed on the codes, the others
//! partialled out; what comes out is tried on faces held out from the regression, in groups of styles, and kept only if
//! it moves its measure and leaves the others. The trials also tell how the slider moves the landmarks, which is the
//! motion that the residual follows.

mod channels;
mod components;
mod error;
mod faces;
mod find;
mod found;
#[cfg(test)]
mod golden;
mod install;
mod journal;
mod linear;
mod measures;
mod run;
#[cfg(test)]
mod tests;

pub use channels::{REFUSAL, judge};
pub use components::principal_components;
pub use error::FitError;
pub use faces::{CodeSource, ModelFaces, Rest};
pub use find::{Request, find_components, find_sliders};
pub use found::{Seen, edit_as_seen, found_displacements};
pub use install::{DroppedRecord, FitRecord, Installation};
pub use journal::Journal;
pub use measures::{MEASURES, Measure, Reading};
pub use run::{
    Dropped, Faces, Fit, FitPlan, Followed, FoundSlider, Probe, Progress, Task, check_faces, fit,
};
