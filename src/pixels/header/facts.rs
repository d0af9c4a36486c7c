//! What is known of a picture before it is decoded.

use super::{bytes::Trouble, exif};
use crate::pixels::{colour::Colours, error::MAX_PIXELS, kind::MediaKind};

/// What can be said of a picture before it is decoded.
#[derive(Debug)]
pub struct Header {
    /// Format.
    pub kind: MediaKind,
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
    pub(in crate::pixels) colours: Colours,
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
    pub(super) fn new(kind: MediaKind) -> Self {
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
    pub(super) fn grow(&mut self, width: u32, height: u32) -> Result<(), Trouble> {
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
    pub(super) fn turn(&mut self, block: &[u8], position: u64) -> Option<Patch> {
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
