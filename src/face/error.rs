//! What can go wrong between a photo and an aligned face.

use thiserror::Error;

use super::landmarks::MESH_POINTS;
use crate::{
    pixels::{PictureError, QuadError},
    weights::one_line,
};

/// Why a face cannot be found, cut out or put back.
#[derive(Debug, Error)]
pub enum FaceError {
    /// The manifest of the face networks is not valid JSON of the expected form.
    #[error("face manifest: {}; use the manifest.json that belongs to the face weights", one_line(&.0.to_string()))]
    Manifest(#[from] serde_json::Error),
    /// The manifest has another format version.
    #[error(
        "face manifest: format {found} is unknown, this program reads format {expected}; convert the weights anew"
    )]
    Format {
        /// Version in the manifest.
        found: u32,
        /// The only version understood.
        expected: u32,
    },
    /// The weights are not those that the manifest describes.
    #[error("face weights: {problem}; download {file} again")]
    Weights {
        /// File name in the manifest.
        file: String,
        /// What differs.
        problem: String,
    },
    /// A tensor is missing or unusable.
    #[error("face weights: tensor {name}: {problem}; convert the weights anew")]
    Tensor {
        /// Name of the tensor.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The graph in the manifest is inconsistent.
    #[error("face manifest: network {network}: {at}: {problem}; convert the weights anew")]
    Graph {
        /// Name of the network.
        network: String,
        /// The value or output concerned.
        at: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The picture itself.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The points for an alignment do not define a square.
    #[error(transparent)]
    Quad(#[from] QuadError),
    /// An operation that needs pixels was given an empty picture.
    #[error("{what}: the picture is empty; open a photo first")]
    Empty {
        /// What was to be done.
        what: &'static str,
    },
    /// There is nothing like a face where an aligned picture has it.
    #[error(
        "no face is found where an aligned one lies; run `sdic align` on the photo first, or leave the picture out"
    )]
    NoFace,
    /// An aligned face in a picture that is not square.
    #[error(
        "aligned face: {width} x {height} pixels are not square; run `sdic align` on the photo first"
    )]
    NotSquare {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// The two pictures of a difference have different sizes.
    #[error(
        "paste-back: the edited face is {edited:?} pixels and the unedited one {unedited:?}; generate both at one size"
    )]
    Sizes {
        /// Width and height.
        edited: [usize; 2],
        /// Width and height.
        unedited: [usize; 2],
    },
    /// A mesh with a wrong number of points.
    #[error(
        "face: {found} mesh points where {expected} are expected; pass those of the detected face",
        expected = MESH_POINTS
    )]
    Mesh {
        /// Number of points passed.
        found: usize,
    },
}
