//! What can be wrong with a picture.

use std::io;

use thiserror::Error;

use super::kind::MediaKind;

/// Most pixels of a photo that is decoded at all.
pub const MAX_PIXELS: u64 = 120_000_000;

/// Why a picture cannot be read or written.
#[derive(Debug, Error)]
pub enum PictureError {
    /// No picture in any format.
    #[error("{}", not_a_picture(*.0))]
    NotAPicture(MediaKind),
    /// A picture in a format or of a sort that is not read.
    #[error("{what} are not read here; save the picture as an ordinary JPEG, PNG or WebP first")]
    Unsupported {
        /// Pictures of what sort.
        what: &'static str,
    },
    /// More pixels than [`MAX_PIXELS`].
    #[error(
        "{width} x {height} pixels are more than the {} million that are read; scale the picture down first",
        MAX_PIXELS / 1_000_000
    )]
    TooLarge {
        /// Width in pixels, as stored.
        width: u64,
        /// Height in pixels, as stored.
        height: u64,
    },
    /// A part is missing or contradicts the rest.
    #[error("the {} is damaged: {problem}; download or export it again", kind.name())]
    Damaged {
        /// Format of the file.
        kind: MediaKind,
        /// What is wrong.
        problem: &'static str,
    },
    /// The file could not be read from where it is.
    #[error("the picture cannot be read: {0}")]
    Read(#[from] io::Error),
    /// Sides that a format cannot tell.
    #[error("a {format} file has at most {most} pixels a side; write a PNG instead")]
    Sides {
        /// Name of the format.
        format: &'static str,
        /// Longest side.
        most: usize,
    },
    /// Encoding failed.
    #[error("the picture cannot be written: {0}")]
    Encode(#[source] image::ImageError),
    /// Resampling failed.
    #[error("the picture cannot be resized: {0}")]
    Resize(String),
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

fn not_a_picture(kind: MediaKind) -> String {
    let what = match kind {
        MediaKind::Empty => "the file is empty (0 bytes)",
        MediaKind::Pdf => "this is a PDF",
        MediaKind::Svg => "this is a drawing (SVG), not a photo",
        MediaKind::Film => "this is a film; take a still of it",
        MediaKind::WebPage => "this is a web page",
        MediaKind::Archive => "this is a zip archive, or a document made of one",
        _ => "this is no picture in a known format",
    };
    format!("{what}; choose a JPEG, PNG or WebP file")
}
