//! What a file is by its first bytes, and formats that are left to browsers.

use std::io::{Read, Seek};

use super::{
    bytes::{CUT, FileBytes, Trouble},
    facts::Header,
};
use crate::pixels::kind::MediaKind;

/// Beginnings of files that are pictures, but not read.
const PICTURES: [(&[u8], &str); 13] = [
    (b"\xff\x0a", "JPEG XL pictures"),
    (b"\0\0\0\x0cJXL ", "JPEG XL pictures"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000 pictures"),
    (b"\xff\x4f\xff\x51", "JPEG 2000 pictures"),
    (b"FUJIFILMCCD-RAW", "raw files of cameras"),
    (b"IIU\0", "raw files of cameras"),
    (b"IIRO", "raw files of cameras"),
    (b"FOVb", "raw files of cameras"),
    (b"8BPS", "Photoshop files"),
    (b"gimp xcf", "GIMP files"),
    (b"\x76\x2f\x31\x01", "OpenEXR pictures"),
    (b"#?RADIANCE", "Radiance pictures"),
    (b"qoif", "QOI pictures"),
];

/// Brands of the container that films use, of which some are pictures.
const BRANDS: [(&[u8], MediaKind); 24] = [
    (b"avif", MediaKind::Avif),
    (b"avis", MediaKind::Avif),
    (b"heic", MediaKind::Heic),
    (b"heix", MediaKind::Heic),
    (b"heim", MediaKind::Heic),
    (b"heis", MediaKind::Heic),
    (b"hevc", MediaKind::Heic),
    (b"hevx", MediaKind::Heic),
    (b"mif1", MediaKind::Heic),
    (b"msf1", MediaKind::Heic),
    (
        b"crx ",
        MediaKind::Other("raw files of Canon cameras (CR3)"),
    ),
    (b"jxl ", MediaKind::Other("JPEG XL pictures")),
    (b"jp2 ", MediaKind::Other("JPEG 2000 pictures")),
    (b"isom", MediaKind::Film),
    (b"iso2", MediaKind::Film),
    (b"iso4", MediaKind::Film),
    (b"iso5", MediaKind::Film),
    (b"iso6", MediaKind::Film),
    (b"mp41", MediaKind::Film),
    (b"mp42", MediaKind::Film),
    (b"avc1", MediaKind::Film),
    (b"qt  ", MediaKind::Film),
    (b"M4V ", MediaKind::Film),
    (b"3gp4", MediaKind::Film),
];

/// What a file is, by its first 512 bytes.
pub fn kind(first: &[u8]) -> MediaKind {
    if first.is_empty() {
        return MediaKind::Empty;
    }
    if first.starts_with(b"\xff\xd8\xff") {
        return MediaKind::Jpeg;
    }
    if first.starts_with(b"\x89PNG\r\n\x1a\n") {
        return MediaKind::Png;
    }
    if first.starts_with(b"RIFF") {
        return match first.get(8..12) {
            Some(b"WEBP") => MediaKind::WebP,
            Some(b"AVI ") => MediaKind::Film,
            _ => MediaKind::Unknown,
        };
    }
    if first.get(4..8) == Some(b"ftyp") {
        // The main brand first, then those it is compatible with.
        let brands = || first[8..].chunks_exact(4).take(16);
        let known = |brand: &[u8]| BRANDS.iter().find(|(name, _)| *name == brand);
        let film = brands()
            .next()
            .is_some_and(|brand| brand.starts_with(b"3g"));
        let found = brands().find_map(known).map(|(_, kind)| *kind);
        let avif = brands().any(|brand| matches!(brand, b"avif" | b"avis"));
        return match found {
            Some(MediaKind::Heic) if avif => MediaKind::Avif,
            Some(kind) => kind,
            None if film => MediaKind::Film,
            None => MediaKind::Unknown,
        };
    }
    if let Some((_, name)) = PICTURES.iter().find(|(start, _)| first.starts_with(start)) {
        return MediaKind::Other(name);
    }
    let starts: [(&[u8], MediaKind); 11] = [
        (b"GIF87a", MediaKind::Gif),
        (b"GIF89a", MediaKind::Gif),
        (b"II*\0", MediaKind::Tiff),
        (b"MM\0*", MediaKind::Tiff),
        (b"II+\0", MediaKind::Tiff),
        (b"MM\0+", MediaKind::Tiff),
        (b"%PDF", MediaKind::Pdf),
        (b"\x1a\x45\xdf\xa3", MediaKind::Film),
        (b"OggS", MediaKind::Film),
        (b"FLV\x01", MediaKind::Film),
        (b"PK\x03\x04", MediaKind::Archive),
    ];
    if let Some((_, kind)) = starts.iter().find(|(start, _)| first.starts_with(start)) {
        return *kind;
    }
    // "BM" begins words too; the size of the header behind it is one of a few.
    if first.starts_with(b"BM")
        && matches!(
            first.get(14..18),
            Some([12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0])
        )
    {
        return MediaKind::Bmp;
    }
    text(first)
}

fn text(first: &[u8]) -> MediaKind {
    let text = String::from_utf8_lossy(first).to_ascii_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with("<!doctype html") || text.starts_with("<html") {
        return MediaKind::WebPage;
    }
    let markup = text.starts_with("<svg") || text.starts_with("<?xml") || text.starts_with("<!--");
    match (markup, text.find("<svg"), text.find("<html")) {
        (true, Some(_), _) => MediaKind::Svg,
        (true, _, Some(_)) => MediaKind::WebPage,
        _ => MediaKind::Unknown,
    }
}

pub fn gif<R: Read + Seek>(bytes: &mut FileBytes<R>) -> Result<Header, Trouble> {
    let mut header = Header::new(MediaKind::Gif);
    let table = |flags: u8| {
        if flags & 0x80 == 0 {
            0
        } else {
            3 << ((flags & 7) + 1)
        }
    };
    bytes.skip(6)?;
    header.grow(bytes.u16_le()?.into(), bytes.u16_le()?.into())?;
    let flags = bytes.u8()?;
    bytes.skip(2 + table(flags))?;
    let mut frames = 0;
    loop {
        match bytes.next()? {
            Some(0x2c) => {
                bytes.skip(4)?;
                header.grow(bytes.u16_le()?.into(), bytes.u16_le()?.into())?;
                let flags = bytes.u8()?;
                bytes.skip(table(flags) + 1)?;
                frames += 1;
            }
            Some(0x21) => bytes.skip(1)?,
            // Some writers leave the end mark out.
            Some(0x3b) | None if frames > 0 => break,
            _ => return Err(CUT),
        }
        loop {
            match bytes.u8()? {
                0 => break,
                length => bytes.skip(length.into())?,
            }
        }
    }
    header.animated = frames > 1;
    Ok(header)
}

pub fn bmp<R: Read + Seek>(bytes: &mut FileBytes<R>) -> Result<Header, Trouble> {
    let mut header = Header::new(MediaKind::Bmp);
    bytes.skip(10)?;
    let start = u64::from(bytes.u32_le()?);
    // The header of OS/2 has sides of 16 bits; in that of Windows, a negative height stands for rows from the top.
    let (width, height) = if bytes.u32_le()? == 12 {
        (bytes.u16_le()?.into(), bytes.u16_le()?.into())
    } else {
        (bytes.u32_le()?, (bytes.u32_le()? as i32).unsigned_abs())
    };
    header.grow(width, height)?;
    bytes.skip(2)?;
    let depth = u64::from(bytes.u16_le()?);
    let old = bytes.position() == 26;
    let packed = !old && !matches!(bytes.u32_le()?, 0 | 3 | 6);
    let row = (u64::from(width) * depth).div_ceil(32) * 4;
    if !packed && start + row * u64::from(height) > bytes.length() {
        return Err(CUT);
    }
    Ok(header)
}

pub fn tiff<R: Read + Seek>(bytes: &mut FileBytes<R>) -> Result<Header, Trouble> {
    let mut header = Header::new(MediaKind::Tiff);
    let little = bytes.array::<4>()?[0] == b'I';
    let short = |bytes: [u8; 2]| {
        if little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        }
    };
    let long = |bytes: [u8; 4]| {
        if little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        }
    };
    let directory = long(bytes.array()?);
    if u64::from(directory) + 2 > bytes.length() {
        return Err(CUT);
    }
    bytes.go_to(directory.into())?;
    let mut size = [0, 0];
    for _ in 0..short(bytes.array()?) {
        let (tag, kind) = (short(bytes.array()?), short(bytes.array()?));
        bytes.skip(4)?;
        let value: [u8; 4] = bytes.array()?;
        let value = if kind == 3 {
            short([value[0], value[1]]).into()
        } else {
            long(value)
        };
        if let Some(side) = size.get_mut(usize::from(tag).wrapping_sub(256)) {
            *side = value;
        }
    }
    if size != [0, 0] {
        header.grow(size[0], size[1])?;
    }
    Ok(header)
}
