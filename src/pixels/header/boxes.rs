//! AVIF and HEIC: the boxes of the container that they share with films.

use std::io::{Read, Seek};

use super::{
    bytes::{CUT, FileBytes, Trouble},
    facts::Header,
    png::HDR,
};
use crate::pixels::{colour::Colours, kind::MediaKind};

/// How deep properties lie in boxes of boxes; those of real files lie two deep.
const DEEPEST: usize = 4;
const NESTED: Trouble = Trouble::Damaged("its boxes are nested without end");

pub fn read<R: Read + Seek>(bytes: &mut FileBytes<R>, kind: MediaKind) -> Result<Header, Trouble> {
    let mut header = Header::new(kind);
    while bytes.left() >= 8 {
        let position = bytes.position();
        let mut length = u64::from(bytes.u32_be()?);
        let name: [u8; 4] = bytes.array()?;
        if length == 1 {
            length = u64::from(bytes.u32_be()?) << 32 | u64::from(bytes.u32_be()?);
        }
        let end = match length {
            0 => bytes.length(),
            length => position.saturating_add(length),
        };
        if end > bytes.length() || end < bytes.position() {
            return Err(CUT);
        }
        if &name == b"ftyp" || &name == b"meta" {
            let body = bytes.take(end - bytes.position())?;
            if &name == b"meta" {
                meta(body.get(4..).unwrap_or_default(), DEEPEST, &mut header)?;
            } else {
                header.animated = has(&body, b"avis") || has(&body, b"msf1");
            }
        }
        bytes.go_to(end)?;
    }
    Ok(header)
}

fn has(body: &[u8], name: &[u8; 4]) -> bool {
    body.chunks_exact(4).any(|brand| brand == name)
}

/// The boxes inside a box.
fn children(mut body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let length = u32::from_be_bytes(*body.first_chunk()?) as usize;
        let length = if length == 0 { body.len() } else { length };
        let (this, rest) = body.split_at_checked(length)?;
        body = rest;
        Some((this.get(4..8)?, &this[8..]))
    })
}

/// Properties of the pictures inside; the largest is taken for the size of all.
fn meta(body: &[u8], levels: usize, header: &mut Header) -> Result<(), Trouble> {
    let number = |body: &[u8], at: usize| {
        let bytes = body.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    };
    for (name, body) in children(body) {
        match name {
            b"iprp" | b"ipco" => {
                let levels = levels.checked_sub(1).ok_or(NESTED)?;
                meta(body, levels, header)?;
            }
            b"iinf" => header.gain_map |= body.windows(4).any(|part| part == b"tmap"),
            b"ispe" => {
                if let (Some(width), Some(height)) = (number(body, 4), number(body, 8)) {
                    header.grow(width, height)?;
                }
            }
            b"pixi" => header.depth = header.depth.max(body.get(5).copied().unwrap_or(8)),
            b"colr" => match body {
                [b'n', b'c', b'l', b'x', _, primaries, _, transfer, ..] => {
                    header.hdr |= HDR.contains(transfer);
                    if matches!(header.colours, Colours::Srgb) {
                        header.colours = Colours::Coded([*primaries, *transfer, 0, 1]);
                    }
                }
                [b'p', b'r', b'o', b'f', ..] | [b'r', b'I', b'C', b'C', ..] => {
                    header.colours = Colours::Profile(body[4..].to_vec());
                }
                _ => {}
            },
            _ => {}
        }
    }
    Ok(())
}
