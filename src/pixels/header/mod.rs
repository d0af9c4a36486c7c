//! What a file is, what its picture looks like before anything of it is decoded, and whether it is all there.
//!
//! Command line and page both begin here, so that they agree on what is opened, how large, and in which colours. The
//! file is read forwards in blocks; what is held at once is small, whatever its header says.

mod boxes;
mod bytes;
mod entropy;
mod exif;
mod jpeg;
mod others;
mod png;
mod webp;

use std::io::{Read, Seek};

use bytes::{Bytes, Trouble};

use super::{
    colour::Colours,
    error::{MAX_PIXELS, PictureError},
    kind::Kind,
};

/// What can be said of a picture before it is decoded.
#[derive(Debug)]
pub struct Header {
    /// Format.
    pub kind: Kind,
    /// Width and height as they are stored; `None` where only a decoder knows.
    pub stored: Option<[u32; 2]>,
    /// How the stored picture has to be turned to be upright: 1 is as it is, as EXIF counts. Formats that are left to
    /// a browser are turned by it.
    pub orientation: u8,
    /// Several frames, of which the first is used.
    pub animated: bool,
    /// A second picture, which brightens this one on some screens.
    pub gain_map: bool,
    /// Bits per channel.
    pub depth: u8,
    /// Four printing inks instead of three colours.
    pub inks: bool,
    /// One channel of lightness.
    pub grey: bool,
    /// Lightness beyond white, by the curves of television.
    pub hdr: bool,
    /// What the numbers mean.
    pub(super) colours: Colours,
    /// Why only some programs read this file, if so: pictures of what sort they are.
    pub unread: Option<&'static str>,
    /// Bytes to be put over those of the file so that a decoder turns nothing by itself.
    pub patches: Vec<Patch>,
    /// Bytes to be put behind the file so that a strict decoder takes it.
    pub tail: &'static [u8],
}

/// Bytes that belong at a place in a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Patch {
    /// Position of the first.
    pub at: u64,
    /// What to write there.
    pub bytes: Vec<u8>,
}

impl Header {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            stored: None,
            orientation: 1,
            animated: false,
            gain_map: false,
            depth: 8,
            inks: false,
            grey: false,
            hdr: false,
            colours: Colours::Srgb,
            unread: None,
            patches: Vec::new(),
            tail: &[],
        }
    }

    /// Takes a size, which grows if another part of the file names a larger one.
    fn grow(&mut self, width: u32, height: u32) -> Result<(), Trouble> {
        let size = [width, height].map(u64::from);
        if size.contains(&0) {
            return Err(Trouble::Damaged("its size is 0"));
        }
        if size[0] * size[1] > MAX_PIXELS {
            return Err(Trouble::TooLarge(size));
        }
        let [w, h] = self.stored.unwrap_or_default();
        self.stored = Some([w.max(width), h.max(height)]);
        Ok(())
    }

    /// Takes the orientation of an EXIF block that stands at `position`.
    fn turn(&mut self, block: &[u8], position: u64) -> Option<Patch> {
        let found = exif::orientation(block)?;
        if self.orientation == 1 {
            self.orientation = found.value;
        }
        Some(Patch {
            at: position + found.at as u64,
            bytes: found.upright.to_vec(),
        })
    }

    /// Width and height of the picture once it is upright.
    pub fn upright(&self) -> Option<[u32; 2]> {
        let [width, height] = self.stored?;
        Some(if self.orientation > 4 {
            [height, width]
        } else {
            [width, height]
        })
    }
}

/// Reads what can be known of a picture without decoding it.
///
/// # Errors
/// [`PictureError::NotAPicture`], [`PictureError::TooLarge`] and [`PictureError::Damaged`]; the latter too if any part
/// of a JPEG's picture is missing, however it is laid out.
pub fn inspect(reader: impl Read + Seek) -> Result<Header, PictureError> {
    let mut bytes = Bytes::new(reader)?;
    let mut kind = Kind::Unknown;
    let header = read(&mut bytes, &mut kind).map_err(|trouble| match trouble {
        Trouble::Read(error) => PictureError::Read(error),
        Trouble::Damaged(problem) => PictureError::Damaged { kind, problem },
        Trouble::TooLarge([width, height]) => PictureError::TooLarge { width, height },
    })?;
    match header.kind {
        Kind::Empty
        | Kind::Pdf
        | Kind::Svg
        | Kind::Film
        | Kind::WebPage
        | Kind::Archive
        | Kind::Unknown => Err(PictureError::NotAPicture(header.kind)),
        _ => Ok(header),
    }
}

fn read<R: Read + Seek>(bytes: &mut Bytes<R>, kind: &mut Kind) -> Result<Header, Trouble> {
    let first = bytes.take_up_to(512)?;
    bytes.go_to(0)?;
    *kind = others::kind(&first);
    let mut header = match *kind {
        Kind::Jpeg => jpeg::read(bytes)?,
        Kind::Png => png::read(bytes)?,
        Kind::WebP => webp::read(bytes)?,
        Kind::Gif => others::gif(bytes)?,
        Kind::Bmp => others::bmp(bytes)?,
        Kind::Tiff => others::tiff(bytes)?,
        Kind::Avif | Kind::Heic => boxes::read(bytes, *kind)?,
        kind => Header::new(kind),
    };
    if !matches!(*kind, Kind::Jpeg | Kind::Png | Kind::WebP) {
        header.unread = Some(kind.plural());
    }
    Ok(header)
}
