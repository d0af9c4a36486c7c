//! From any photo to aligned faces and back: detection, landmarks, FFHQ alignment, paste-back.
//!
//! ```text
//! Picture -> FaceFinder::detect -> Face { quad, mesh, .. } -> align -> square picture -> (edit) -> paste_back
//! ```
//!
//! The three networks are Google's full-range face detector, face mesh and selfie segmentation, converted by
//! `weights/face/convert.py`. They run on the CPU, independently of the weights of the GAN.

mod align;
mod backdrop;
mod detector;
mod error;
mod finder;
mod found;
mod landmarks;
mod mesh;
mod network;
mod paste;
mod search;

pub use align::{align, cut_out};
pub use backdrop::Backdrop;
pub use error::FaceError;
pub use finder::FaceFinder;
pub use found::{Face, Warning};
pub use landmarks::{LANDMARKS, LEFT_EYE, Landmarks, MESH_POINTS, NOSE_TIP, RIGHT_EYE};
pub use mesh::{AlignedMesh, landmarks_of};
pub(crate) use mesh::{CHEEKS, MOUTH_CORNERS};
pub use paste::{PasteMode, Rendered, paste_back, paste_before, toned};
