//! The mark of a picture that a generative model has edited, for programs to read: the IPTC's digital source type, in
//! an XMP packet. Nothing else is said in it.

use flate2::Crc;

/// The packet. The source type is that of photos into which a model's output was put.
const PACKET: &str = concat!(
    "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>",
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">",
    "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">",
    "<rdf:Description rdf:about=\"\" xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\"",
    " Iptc4xmpExt:DigitalSourceType=",
    "\"http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia\"/>",
    "</rdf:RDF></x:xmpmeta><?xpacket end=\"r\"?>",
);
const IN_JPEG: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const IN_PNG: &[u8] = b"XML:com.adobe.xmp\0\0\0\0\0";
/// Flags of a WebP file with an extended header.
const HAS_XMP: u8 = 0x04;
const HAS_ALPHA: u8 = 0x10;
/// Bytes from a file's beginning that [`mark`] has to see.
pub const HEAD: usize = 64;

/// Bytes of a file that are replaced by others, or put in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where, from the file's beginning.
    pub at: u64,
    /// How many bytes are replaced.
    pub replaced: u64,
    /// By what.
    pub bytes: Vec<u8>,
}

/// What makes a PNG, JPEG or WebP file without metadata a marked one, in the order of the file; `None` for others.
/// `head` are its first [`HEAD`] bytes, `length` is that of all of it.
pub fn mark(head: &[u8], length: u64) -> Option<Vec<Change>> {
    let changes = changes(head, length)?;
    // Of a file that ends sooner there is nothing to be marked.
    let within = |change: &Change| change.at + change.replaced <= length;
    changes.iter().all(within).then_some(changes)
}

fn changes(head: &[u8], length: u64) -> Option<Vec<Change>> {
    match head {
        [0x89, b'P', b'N', b'G', ..] => Some(vec![in_png()]),
        [0xff, 0xd8, ..] => Some(vec![in_jpeg(head)?]),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => in_webp(head, length),
        _ => None,
    }
}

/// The bytes of a marked file; a file of another kind is left as it is.
pub fn marked(file: Vec<u8>) -> Vec<u8> {
    let head = &file[..file.len().min(HEAD)];
    let Some(changes) = mark(head, file.len() as u64) else {
        return file;
    };
    let (mut bytes, mut from) = (Vec::with_capacity(file.len() + 1024), 0);
    for Change {
        at,
        replaced,
        bytes: by,
    } in changes
    {
        bytes.extend_from_slice(&file[from..at as usize]);
        bytes.extend(by);
        from = (at + replaced) as usize;
    }
    bytes.extend_from_slice(&file[from..]);
    bytes
}

/// A text chunk behind the header, which always is as long.
fn in_png() -> Change {
    let body = [b"iTXt", IN_PNG, PACKET.as_bytes()].concat();
    let length = (body.len() - 4) as u32;
    let mut crc = Crc::new();
    crc.update(&body);
    Change {
        at: 33,
        replaced: 0,
        bytes: [&length.to_be_bytes()[..], &body, &crc.sum().to_be_bytes()].concat(),
    }
}

/// A segment behind the first one, which says that this is a JFIF file, if it does.
fn in_jpeg(head: &[u8]) -> Option<Change> {
    let at = match head.get(2..6)? {
        [0xff, 0xe0, high, low] => 4 + u64::from(u16::from_be_bytes([*high, *low])),
        _ => 2,
    };
    let body = [IN_JPEG, PACKET.as_bytes()].concat();
    let length = (body.len() + 2) as u16;
    Some(Change {
        at,
        replaced: 0,
        bytes: [&[0xff, 0xe1][..], &length.to_be_bytes(), &body].concat(),
    })
}

/// A chunk at the end, which the extended header announces; a file without one gets it.
fn in_webp(head: &[u8], length: u64) -> Option<Vec<Change>> {
    let mut chunk = [
        &b"XMP "[..],
        &(PACKET.len() as u32).to_le_bytes(),
        PACKET.as_bytes(),
    ]
    .concat();
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    let extended = match head.get(12..16)? {
        b"VP8X" => Change {
            at: 20,
            replaced: 1,
            bytes: vec![head.get(20)? | HAS_XMP],
        },
        _ => Change {
            at: 12,
            replaced: 0,
            bytes: extended_header(head)?,
        },
    };
    let grown = chunk.len() as u64 + extended.bytes.len() as u64 - extended.replaced;
    let size = u32::try_from(length + grown - 8).ok()?;
    let whole = Change {
        at: 4,
        replaced: 4,
        bytes: size.to_le_bytes().to_vec(),
    };
    let end = Change {
        at: length,
        replaced: 0,
        bytes: chunk,
    };
    Some(vec![whole, extended, end])
}

/// The extended header of a simple WebP file.
fn extended_header(head: &[u8]) -> Option<Vec<u8>> {
    let number = |at: usize| -> Option<u32> {
        Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?))
    };
    let (width, height, alpha) = match head.get(12..16)? {
        b"VP8L" => {
            let bits = number(21)?;
            (bits & 0x3fff, bits >> 14 & 0x3fff, bits >> 28 & 1 == 1)
        }
        b"VP8 " => {
            let bits = number(26)?;
            (
                (bits & 0x3fff).checked_sub(1)?,
                (bits >> 16 & 0x3fff).checked_sub(1)?,
                false,
            )
        }
        _ => return None,
    };
    let flags = HAS_XMP | if alpha { HAS_ALPHA } else { 0 };
    let sides = [width, height].map(|side| side.to_le_bytes());
    let sides = sides.iter().flat_map(|side| &side[..3]).copied();
    let mut header = [&b"VP8X"[..], &10u32.to_le_bytes(), &[flags, 0, 0, 0]].concat();
    header.extend(sides);
    Some(header)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageDecoder, ImageReader};

    use super::*;
    use crate::pixels::{Format, Picture, Space, decode, encode};

    fn picture(alpha: u8, space: Space) -> Picture<'static> {
        let rgba = (0..40 * 30 * 4).map(|i| if i % 4 == 3 { alpha } else { (i * 7) as u8 });
        let picture = Picture::new(40, 30, rgba.collect::<Vec<u8>>()).unwrap();
        picture.with_space(space)
    }

    #[test]
    fn a_marked_file_holds_the_same_picture_and_the_packet() {
        for format in [Format::Png, Format::Jpeg, Format::WebP] {
            for space in [Space::Srgb, Space::DisplayP3] {
                for alpha in [255, 100] {
                    let plain = encode(&picture(alpha, space), format).unwrap();
                    let file = marked(plain.clone());
                    let mut decoder = ImageReader::new(Cursor::new(&file[..]))
                        .with_guessed_format()
                        .unwrap()
                        .into_decoder()
                        .unwrap();
                    let packet = decoder.xmp_metadata().unwrap();
                    assert_eq!(packet.as_deref(), Some(PACKET.as_bytes()), "{format:?}");
                    let [before, after] = [&plain, &file].map(|file| decode(file).unwrap().picture);
                    assert_eq!(before, after, "{format:?} {space:?} {alpha}");
                }
            }
        }
    }

    #[test]
    fn other_files_are_left_as_they_are() {
        for file in [
            &b""[..],
            b"GIF89a",
            b"RIFF\0\0\0\0WEBP",
            b"RIFF\0\0\0\0WEBPVP8 ",
            b"\xff\xd8",
            b"\xff\xd8\xff\xe0\xff\xff",
            b"\x89PNG",
        ] {
            assert_eq!(marked(file.to_vec()), file);
        }
    }
}
