//! Why no sliders can be found.

use thiserror::Error;

use crate::{
    editing::EditError, face::FaceError, import::ImportError, networks::ReadError,
    pixels::PictureError,
};

/// What stops a fit.
#[derive(Debug, Error)]
pub enum FitError {
    /// A model from which no codes can be drawn.
    #[error(
        "these weights have no mapping network to draw faces from; import the checkpoint again, which keeps it, or \
         give pictures of aligned faces"
    )]
    NoMapping,
    /// A model that says that it shows other things, and lacks what its components are computed from.
    #[error(
        "this model shows no faces that could be measured, and has no mapping network to compute the components of its \
         styles from; import a checkpoint that has one whole"
    )]
    NotOfFaces,
    /// Pictures of faces for a model that says that it shows other things.
    #[error(
        "this model shows no faces, so none is measured in pictures; give no pictures, and the components of its \
         styles are computed"
    )]
    PicturesGiven,
    /// A model of other things than faces, or one that draws them badly.
    #[error(
        "only {faces} of {pictures} pictures that the model draws show a face; sliders can be found only in a model of \
         faces in FFHQ framing"
    )]
    NoFaces {
        /// Pictures that show a face.
        faces: usize,
        /// Pictures drawn.
        pictures: usize,
    },
    /// Too few samples.
    #[error("{faces} faces are too few to find sliders; at least {least} are needed")]
    TooFew {
        /// Faces that there were.
        faces: usize,
        /// How many it takes.
        least: usize,
    },
    /// A model in which sliders were found before.
    #[error("sliders were found in this model before; import it again to find others")]
    Fitted,
    /// The work so far is that of another fit.
    #[error("what was kept of an earlier fit is not usable: {0}; remove it to begin anew")]
    Journal(String),
    /// A picture that was given.
    #[error("{0}")]
    Given(String),
    /// The strengths of an edit.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The face networks.
    #[error(transparent)]
    Face(#[from] FaceError),
    /// The device, or what came back from it.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The directions and their tensors.
    #[error(transparent)]
    Import(#[from] ImportError),
}
