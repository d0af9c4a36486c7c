//! Why an edit is refused.

use thiserror::Error;

/// Why sliders cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EditError {
    /// A name that the model does not offer.
    #[error("this model has no edit called \"{name}\"; it has: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// All names, comma-separated.
        known: String,
    },
    /// A strength that is not a finite number.
    #[error("the strength of \"{0}\" is not a finite number")]
    Strength(String),
    /// A direction whose tensor is not in the weights.
    #[error("the tensor \"{0}\" of a direction is missing; import the weights again")]
    Tensor(String),
    /// Landmarks that cannot be a face's.
    #[error("the points of the face are no numbers or coincide; set eyes and mouth by hand")]
    Landmarks,
    /// A preview size that the generator does not pass through.
    #[error("preview size {size} must be a power of two from {least} to {most}")]
    PreviewSize {
        /// The size asked for.
        size: usize,
        /// Resolution of the injection layer.
        least: usize,
        /// Resolution of the full picture.
        most: usize,
    },
}
