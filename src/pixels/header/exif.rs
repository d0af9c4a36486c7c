//! Which side of a picture is up, as cameras write it.

/// Tag of the orientation in the first directory of a TIFF block.
const ORIENTATION: u16 = 0x0112;
/// Type of a number of 16 bits.
const SHORT: u16 = 3;

/// An orientation other than upright.
pub struct Orientation {
    /// From 2 to 8.
    pub value: u8,
    /// Where its two bytes stand in the block.
    pub at: usize,
    /// Those two bytes, for a picture that is upright.
    pub upright: [u8; 2],
}

/// Reads a TIFF block, which may follow the mark that JPEG puts before it.
pub fn orientation(block: &[u8]) -> Option<Orientation> {
    let prefix = if block.starts_with(b"Exif\0\0") { 6 } else { 0 };
    let tiff = &block[prefix..];
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    };
    let long = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    };
    let directory = long(4)? as usize;
    let count = usize::from(short(directory)?);
    let mut entries = (0..count).map(|i| directory + 2 + 12 * i);
    let entry = entries.find(|&at| short(at) == Some(ORIENTATION))?;
    let value = short(entry + 8)?;
    let usable = short(entry + 2)? == SHORT && long(entry + 4)? == 1 && (2..=8).contains(&value);
    usable.then_some(Orientation {
        value: value as u8,
        at: prefix + entry + 8,
        upright: if little { [1, 0] } else { [0, 1] },
    })
}
