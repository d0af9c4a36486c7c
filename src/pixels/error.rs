//! What can be wrong with a picture.

use thiserror::Error;

/// Largest accepted side of a photo in pixels.
pub const MAX_SIDE: u32 = 16_384;

/// Why a picture cannot be read or written.
#[derive(Debug, Error)]
pub enum PictureError {
    /// No bytes at all.
    #[error("the picture is empty (0 bytes); choose a JPEG, PNG or WebP file")]
    Empty,
    /// Not one of the supported formats.
    #[error("the picture is not a JPEG, PNG or WebP file; convert it first")]
    UnknownFormat,
    /// More pixels than [`MAX_SIDE`] or the memory limit allow.
    #[error(
        "the picture is larger than {MAX_SIDE} pixels a side or 1 GiB decoded; scale it down first"
    )]
    TooLarge,
    /// Recognised, but damaged or unsupported inside.
    #[error("the picture cannot be decoded: {0}")]
    Damaged(#[source] image::ImageError),
    /// Encoding failed.
    #[error("the picture cannot be written as PNG: {0}")]
    Encode(#[source] image::ImageError),
    /// Raw pixels of the wrong length.
    #[error("{found} bytes are not {width} x {height} RGBA pixels; pass 4 * width * height bytes")]
    Bytes {
        /// Bytes given.
        found: usize,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
}

impl From<image::ImageError> for PictureError {
    fn from(error: image::ImageError) -> Self {
        match error {
            image::ImageError::Limits(_) => Self::TooLarge,
            image::ImageError::Unsupported(_) => Self::UnknownFormat,
            error => Self::Damaged(error),
        }
    }
}
