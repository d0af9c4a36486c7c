//! PNG: its chunks, each with its checksum.

use std::io::{Read, Seek};

use flate2::{Crc, read::ZlibDecoder};

use super::{
    bytes::{CUT, FileBytes, Trouble},
    facts::{Header, Patch},
};
use crate::pixels::{colour::Colours, kind::MediaKind};

/// Largest chunk whose contents are looked at.
const MAX_CHUNK: u64 = 1 << 22;
/// Largest colour profile.
const MAX_PROFILE: u64 = 1 << 24;
/// Transfer functions of television beyond white: PQ and HLG.
pub const HDR: [u8; 2] = [16, 18];

/// Chunks that say what the colours are, the more binding ones later.
#[derive(Default)]
struct Says {
    gamma: Option<u32>,
    chromaticities: Option<[u32; 8]>,
    srgb: bool,
    profile: Option<Vec<u8>>,
    cicp: Option<[u8; 4]>,
}

pub fn read<R: Read + Seek>(bytes: &mut FileBytes<R>) -> Result<Header, Trouble> {
    let mut header = Header::new(MediaKind::Png);
    let mut says = Says::default();
    let mut pixels = false;
    bytes.skip(8)?;
    loop {
        let length = u64::from(bytes.u32_be()?);
        let kind: [u8; 4] = bytes.array()?;
        if length + 4 > bytes.left() {
            return Err(CUT);
        }
        let position = bytes.position();
        let mut crc = Crc::new();
        crc.update(&kind);
        let wanted = length <= MAX_CHUNK && &kind != b"IDAT";
        let mut body = Vec::new();
        let mut left = length;
        while left > 0 {
            let part = bytes.take(left.min(MAX_CHUNK))?;
            crc.update(&part);
            left -= part.len() as u64;
            if wanted {
                body = part;
            }
        }
        if bytes.u32_be()? != crc.sum() {
            // Without a chunk that is not critical, the picture is what it was.
            if kind[0].is_ascii_uppercase() {
                return Err(Trouble::Damaged("a checksum in it does not fit"));
            }
            continue;
        }
        match &kind {
            b"IHDR" => {
                let (&[w3, w2, w1, w0, h3, h2, h1, h0, depth, colour], _) =
                    body.split_first_chunk().ok_or(CUT)?;
                header.grow(
                    u32::from_be_bytes([w3, w2, w1, w0]),
                    u32::from_be_bytes([h3, h2, h1, h0]),
                )?;
                header.depth = if colour == 3 { 8 } else { depth.max(8) };
                header.grey = colour & 2 == 0;
            }
            b"acTL" => {
                header.animated = true;
                // Under another name, browsers show the picture that stands in front of the moving ones, as all
                // other programs do.
                let unknown = *b"acXL";
                header.patches.extend(renamed(unknown, &body, position));
            }
            b"IDAT" => pixels = true,
            b"eXIf" => {
                let patch = header.turn(&body, position).map(|patch| {
                    let at = (patch.at - position) as usize;
                    body[at..at + 2].copy_from_slice(&patch.bytes);
                    let mut crc = Crc::new();
                    crc.update(&kind);
                    crc.update(&body);
                    [
                        patch,
                        Patch {
                            at: position + length,
                            bytes: crc.sum().to_be_bytes().to_vec(),
                        },
                    ]
                });
                header.patches.extend(patch.into_iter().flatten());
            }
            _ => says.chunk(&kind, &body),
        }
        if &kind == b"IEND" {
            break;
        }
    }
    if header.stored.is_none() || !pixels {
        return Err(Trouble::Damaged("there is no picture in it"));
    }
    header.hdr = says.cicp.is_some_and(|cicp| HDR.contains(&cicp[1]));
    if header.hdr {
        header.unread = Some("PNG pictures brighter than white (HDR)");
    }
    header.colours = says.colours();
    Ok(header)
}

/// Patches that give a chunk another type.
fn renamed(kind: [u8; 4], body: &[u8], position: u64) -> [Patch; 2] {
    let mut crc = Crc::new();
    crc.update(&kind);
    crc.update(body);
    [
        Patch {
            at: position - 4,
            bytes: kind.to_vec(),
        },
        Patch {
            at: position + body.len() as u64,
            bytes: crc.sum().to_be_bytes().to_vec(),
        },
    ]
}

impl Says {
    fn chunk(&mut self, kind: &[u8; 4], body: &[u8]) {
        let number = |at: usize| {
            let bytes = body.get(4 * at..4 * at + 4)?.try_into().ok()?;
            Some(u32::from_be_bytes(bytes))
        };
        match kind {
            b"gAMA" => self.gamma = number(0).filter(|&gamma| gamma > 0),
            b"cHRM" => {
                let numbers: Option<Vec<u32>> = (0..8).map(number).collect();
                self.chromaticities = numbers.and_then(|numbers| numbers.try_into().ok());
            }
            b"sRGB" => self.srgb = true,
            b"iCCP" => {
                let name = body.iter().position(|&byte| byte == 0).unwrap_or(0);
                let mut profile = Vec::new();
                let packed = body.get(name + 2..).unwrap_or_default();
                // One that cannot be unpacked is as one that cannot be read.
                let _ = ZlibDecoder::new(packed)
                    .take(MAX_PROFILE)
                    .read_to_end(&mut profile);
                self.profile = Some(profile);
            }
            b"cICP" => self.cicp = body.first_chunk().copied(),
            _ => {}
        }
    }

    fn colours(self) -> Colours {
        if let Some(code) = self.cicp {
            return Colours::Coded(code);
        }
        if let Some(profile) = self.profile {
            return Colours::Profile(profile);
        }
        match self.gamma {
            Some(gamma) if !self.srgb => Colours::Gamma {
                gamma,
                chromaticities: self.chromaticities,
            },
            _ => Colours::Srgb,
        }
    }
}
