//! WebP: the chunks of its container, and the sizes inside its bitstreams.

use std::io::{Read, Seek};

use super::{
    bytes::{CUT, FileBytes, Trouble},
    facts::Header,
};
use crate::pixels::{colour::Colours, kind::MediaKind};

/// Bytes of a frame before its bitstream.
const FRAME: u64 = 16;

pub fn read<R: Read + Seek>(bytes: &mut FileBytes<R>) -> Result<Header, Trouble> {
    let mut header = Header::new(MediaKind::WebP);
    bytes.skip(4)?;
    let end = 8 + u64::from(bytes.u32_le()?);
    bytes.skip(4)?;
    if end > bytes.length() {
        return Err(CUT);
    }
    let mut pixels = false;
    let mut canvas = None;
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
                let sides = [side([w0, w1, w2]), side([h0, h1, h2])];
                header.grow(sides[0], sides[1])?;
                canvas.get_or_insert(sides);
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
        if canvas.is_some() && canvas != header.stored {
            return Err(Trouble::Damaged("a part of it is larger than the whole"));
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
    bytes: &mut FileBytes<R>,
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::inspect;
    use crate::pixels::PictureError;

    /// An animation of 48 x 32 pixels, with a frame whose own bitstream is of this size.
    fn animation(width: u32, height: u32) -> Vec<u8> {
        let chunk = |name: &[u8; 4], body: &[u8]| {
            let length = (body.len() as u32).to_le_bytes();
            [&name[..], &length, body].concat()
        };
        let bits = (width - 1) | (height - 1) << 14;
        let bitstream = chunk(
            b"VP8L",
            &[&[0x2f][..], &bits.to_le_bytes(), &[0; 3]].concat(),
        );
        let parts = [
            chunk(b"VP8X", &[2, 0, 0, 0, 47, 0, 0, 31, 0, 0]),
            chunk(b"ANIM", &[0; 6]),
            chunk(b"ANMF", &[&[0; 16][..], &bitstream].concat()),
        ];
        chunk(b"RIFF", &[b"WEBP".to_vec(), parts.concat()].concat())
    }

    #[test]
    fn frames_larger_than_the_picture_are_damage() {
        for size in [[48, 32], [20, 32]] {
            let header = inspect(Cursor::new(animation(size[0], size[1])));
            assert_eq!(header.expect("a sound header").stored, Some([48, 32]));
        }
        for size in [[49, 32], [48, 33], [1610, 9442]] {
            let header = inspect(Cursor::new(animation(size[0], size[1])));
            assert!(
                matches!(header, Err(PictureError::Damaged { .. })),
                "{size:?}"
            );
        }
    }
}
