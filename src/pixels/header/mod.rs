//! What a file is, what its picture looks like before anything of it is decoded, and whether it is all there.
//!
//! Command line and page both begin here, so that they agree on what is opened, how large, and in which colours. The
//! file is read forwards in blocks; what is held at once is small, whatever its header says.

mod boxes;
mod bytes;
mod entropy;
mod exif;
mod facts;
mod jpeg;
mod others;
mod png;
mod webp;

use std::io::{Read, Seek};

use bytes::{FileBytes, Trouble};

use super::{error::PictureError, kind::MediaKind};

pub use facts::{Header, Patch};

/// Reads what can be known of a picture without decoding it.
///
/// # Errors
/// [`PictureError::NotAPicture`], [`PictureError::TooLarge`] and [`PictureError::Damaged`]; the latter too if any part
/// of a JPEG's picture is missing, however it is laid out.
pub fn inspect(reader: impl Read + Seek) -> Result<Header, PictureError> {
    let mut bytes = FileBytes::new(reader)?;
    let mut kind = MediaKind::Unknown;
    let header = read(&mut bytes, &mut kind).map_err(|trouble| match trouble {
        Trouble::Read(error) => PictureError::Read(error),
        Trouble::Damaged(problem) => PictureError::Damaged { kind, problem },
        Trouble::TooLarge([width, height]) => PictureError::TooLarge { width, height },
    })?;
    match header.kind {
        MediaKind::Empty
        | MediaKind::Pdf
        | MediaKind::Svg
        | MediaKind::Film
        | MediaKind::WebPage
        | MediaKind::Archive
        | MediaKind::Unknown => Err(PictureError::NotAPicture(header.kind)),
        _ => Ok(header),
    }
}

fn read<R: Read + Seek>(bytes: &mut FileBytes<R>, kind: &mut MediaKind) -> Result<Header, Trouble> {
    let first = bytes.take_up_to(512)?;
    bytes.go_to(0)?;
    *kind = others::kind(&first);
    let mut header = match *kind {
        MediaKind::Jpeg => jpeg::read(bytes)?,
        MediaKind::Png => png::read(bytes)?,
        MediaKind::WebP => webp::read(bytes)?,
        MediaKind::Gif => others::gif(bytes)?,
        MediaKind::Bmp => others::bmp(bytes)?,
        MediaKind::Tiff => others::tiff(bytes)?,
        MediaKind::Avif | MediaKind::Heic => boxes::read(bytes, *kind)?,
        kind => Header::new(kind),
    };
    if !matches!(*kind, MediaKind::Jpeg | MediaKind::Png | MediaKind::WebP) {
        header.unread = Some(kind.plural());
    }
    Ok(header)
}
