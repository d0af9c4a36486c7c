//! Arrays written by `numpy.save`.

use std::io::{Read, Seek};

use super::error::ImportError;
use crate::weights::Tensor;

/// First bytes of every such file.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads an array of floating-point numbers in C order; a file has no name for it.
///
/// # Errors
/// The file is damaged, or holds something else.
pub(super) fn read_npy<R: Read + Seek>(mut reader: R) -> Result<Tensor, ImportError> {
    let mut bytes = Vec::new();
    reader.rewind()?;
    reader.read_to_end(&mut bytes)?;
    let refused = |problem: &str| {
        ImportError::Content(format!(
            "a .npy file {problem}; save it again with numpy.save"
        ))
    };
    let (header, data) = split(&bytes).ok_or_else(|| refused("without a whole header"))?;
    let Header {
        element,
        fortran_order,
        shape,
    } = Header::parse(header).ok_or_else(|| refused("whose header is no array of numbers"))?;
    if fortran_order && shape.iter().filter(|&&side| side != 1).count() > 1 {
        return Err(refused("in Fortran order, not in C order"));
    }
    let size = match element {
        "<f4" => 4,
        "<f8" => 8,
        _ => return Err(refused(&format!("of {element:?}, not of <f4 or <f8"))),
    };
    let count = shape
        .iter()
        .try_fold(size, |bytes: usize, &side| bytes.checked_mul(side));
    if count != Some(data.len()) {
        return Err(refused(&format!(
            "whose {} bytes are not those of shape {shape:?}",
            data.len()
        )));
    }
    let values = match size {
        4 => data
            .as_chunks()
            .0
            .iter()
            .map(|&value| f32::from_le_bytes(value))
            .collect(),
        _ => data
            .as_chunks()
            .0
            .iter()
            .map(|&value| f64::from_le_bytes(value) as f32)
            .collect(),
    };
    Ok(Tensor {
        name: "direction".to_owned(),
        shape,
        values,
    })
}

/// Header text and data. The length of the header has 2 bytes in version 1 and 4 later.
fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (&[major, _minor], rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
    let (length, rest) = if major == 1 {
        let (&length, rest) = rest.split_first_chunk()?;
        (usize::from(u16::from_le_bytes(length)), rest)
    } else {
        let (&length, rest) = rest.split_first_chunk()?;
        (u32::from_le_bytes(length) as usize, rest)
    };
    let (header, data) = rest.split_at_checked(length)?;
    Some((str::from_utf8(header).ok()?, data))
}

struct Header<'a> {
    element: &'a str,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl<'a> Header<'a> {
    /// The header is a Python dictionary such as `{'descr': '<f4', 'fortran_order': False, 'shape': (1, 512), }`.
    fn parse(text: &'a str) -> Option<Self> {
        let field = |name: &str| {
            let (_, rest) = text.split_once(&format!("'{name}':"))?;
            Some(rest.trim_start())
        };
        let (element, _) = field("descr")?.strip_prefix('\'')?.split_once('\'')?;
        let (shape, _) = field("shape")?.strip_prefix('(')?.split_once(')')?;
        let sides = shape.split(',').map(str::trim).filter(|s| !s.is_empty());
        Some(Self {
            element,
            fortran_order: field("fortran_order")?.starts_with("True"),
            shape: sides.map(|side| side.parse().ok()).collect::<Option<_>>()?,
        })
    }
}
