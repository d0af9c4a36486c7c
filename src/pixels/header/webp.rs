//! WebP: the chunks of its container, and the sizes inside its bitstreams.

use std::io::{Read, Seek};

use super::{
    Header, Kind,
    bytes::{Bytes, CUT, Trouble},
};
use crate::pixels::colour::Colours;

/// Bytes of a frame before its bitstream.
const FRAME: u64 = 16;

pub fn read<R: Read + Seek>(bytes: &mut Bytes<R>) -> Result<Header, Trouble> {
    let mut header = Header::new(Kind::WebP);
    bytes.skip(4)?;
    let end = 8 + u64::from(bytes.u32_le()?);
    bytes.skip(4)?;
    if end > bytes.length() {
        return Err(CUT);
    }
    let mut pixels = false;
    while bytes.position() + 8 <= end {
        let kind: [u8; 4] = bytes.array()?;
        let length = u64::from(bytes.u32_le()?);
        let position = bytes.position();
        if length > bytes.left() {
            return Err(CUT);
        }
        match &kind {
            b"VP8X" => {
                let &[flags, _, _, _, w0, w1, w2, h0, h1, h2] = &bytes.array()?;
                header.animated = flags & 2 != 0;
                let side =
                    |bytes: [u8; 3]| 1 + u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
                header.grow(side([w0, w1, w2]), side([h0, h1, h2]))?;
            }
            b"VP8 " | b"VP8L" => {
                size(bytes, &kind, &mut header)?;
                pixels = true;
            }
            b"ANMF" => {
                bytes.skip(FRAME)?;
                pixels = true;
                // An alpha chunk may stand first; the bitstream behind it is checked against the frame by decoders.
                let inner: [u8; 4] = bytes.array()?;
                bytes.skip(4)?;
                if inner[..3] == *b"VP8" {
                    size(bytes, &inner, &mut header)?;
                }
            }
            b"ICCP" => header.colours = Colours::Profile(bytes.take(length)?),
            b"EXIF" => {
                let body = bytes.take(length)?;
                let patch = header.turn(&body, position);
                header.patches.extend(patch);
            }
            _ => {}
        }
        bytes.go_to(position + length + length % 2)?;
    }
    if !pixels {
        return Err(Trouble::Damaged("there is no picture in it"));
    }
    Ok(header)
}

/// Reads the size at the beginning of a bitstream.
fn size<R: Read + Seek>(
    bytes: &mut Bytes<R>,
    kind: &[u8; 4],
    header: &mut Header,
) -> Result<(), Trouble> {
    if kind == b"VP8L" {
        bytes.skip(1)?;
        let bits = bytes.u32_le()?;
        return header.grow(1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff));
    }
    bytes.skip(6)?;
    let (width, height) = (bytes.u16_le()?, bytes.u16_le()?);
    header.grow(u32::from(width & 0x3fff), u32::from(height & 0x3fff))
}
