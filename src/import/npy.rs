//! Arrays written by `numpy.save`.

use super::element::{ByteOrder, Element, Positions, fortran_strides};
use super::error::ImportError;
use crate::weights::Tensor;

/// First bytes of every such file.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";
/// Most values of one array, far above those of a whole basis.
pub(super) const MAX_VALUES: usize = 8 << 20;
/// Deepest nesting in a header; that of a record of records is 6 or so.
const MAX_DEPTH: usize = 32;

/// Reads an array of numbers of any width, byte order and order of indices. The file has no name for it: `name` is
/// used.
///
/// # Errors
/// The file is damaged, or holds something else than numbers.
pub(super) fn read_npy(bytes: &[u8], name: &str) -> Result<Tensor, ImportError> {
    let refused = |problem: String| ImportError::Content(format!("a .npy file {problem}"));
    let damaged = |problem: String| refused(format!("{problem}; it is damaged: fetch it again"));
    let (header, data) = match split(bytes) {
        Ok(parts) => parts,
        Err(Unsplit::Short) => return Err(damaged("without a whole header".to_owned())),
        Err(Unsplit::Version(major)) => {
            return Err(refused(format!(
                "of version {major}, which is not known; save it again with numpy.save"
            )));
        }
    };
    let header = String::from_utf8_lossy(header);
    let NpyHeader {
        descr,
        fortran_order,
        shape,
    } = NpyHeader::parse(&header)
        .ok_or_else(|| damaged("whose header describes no array".to_owned()))?;
    let (element, order) = match &descr {
        Literal::Text(descr) => element(descr).map_err(|content| {
            refused(format!(
                "of {content} (\"{}\"); save it as float32 with numpy.save",
                descr.escape_debug().take(40).collect::<String>()
            ))
        })?,
        _ => {
            return Err(refused(
                "of records with named fields; save the field with the numbers by itself"
                    .to_owned(),
            ));
        }
    };
    let count = shape
        .iter()
        .try_fold(1usize, |count, &side| count.checked_mul(side));
    let Some(count) = count.filter(|count| count.checked_mul(element.bytes()) == Some(data.len()))
    else {
        return Err(damaged(format!(
            "whose {} bytes are not those of shape {shape:?}",
            data.len()
        )));
    };
    if count > MAX_VALUES {
        return Err(refused(format!(
            "of {count} values; at most {MAX_VALUES} are read"
        )));
    }
    let read = |position| element.read(data, position, order);
    let values = match fortran_order {
        true => Positions::new(&shape, &fortran_strides(&shape), count)
            .map(read)
            .collect(),
        false => (0..count).map(read).collect(),
    };
    Ok(Tensor {
        name: name.to_owned(),
        shape,
        values,
    })
}

enum Unsplit {
    Short,
    Version(u8),
}

/// Header and data. The length of the header has 2 bytes in version 1 and 4 in versions 2 and 3, which differ in the
/// encoding of names only.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), Unsplit> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(Unsplit::Short)?;
    let (&[major, _minor], rest) = rest.split_first_chunk().ok_or(Unsplit::Short)?;
    let (length, rest) = match major {
        1 => {
            let (&length, rest) = rest.split_first_chunk().ok_or(Unsplit::Short)?;
            (usize::from(u16::from_le_bytes(length)), rest)
        }
        2 | 3 => {
            let (&length, rest) = rest.split_first_chunk().ok_or(Unsplit::Short)?;
            (u32::from_le_bytes(length) as usize, rest)
        }
        _ => return Err(Unsplit::Version(major)),
    };
    rest.split_at_checked(length).ok_or(Unsplit::Short)
}

/// The element type that NumPy writes as a byte order, a kind and a number of bytes; else what the array holds.
fn element(descr: &str) -> Result<(Element, ByteOrder), &'static str> {
    let (order, kind) = match descr.as_bytes().first() {
        Some(b'>' | b'!') => (ByteOrder::Big, &descr[1..]),
        // Bytes have no order. "=" is that of the machine, which is little-endian nearly everywhere.
        Some(b'<' | b'|' | b'=') => (ByteOrder::Little, &descr[1..]),
        _ => (ByteOrder::Little, descr),
    };
    let element = match kind {
        "f2" => Element::F16,
        "f4" => Element::F32,
        "f8" => Element::F64,
        "i1" => Element::I8,
        "i2" => Element::I16,
        "i4" => Element::I32,
        "i8" => Element::I64,
        "u1" => Element::U8,
        "u2" => Element::U16,
        "u4" => Element::U32,
        "u8" => Element::U64,
        "b1" | "?" => Element::Bool,
        // NumPy has no name of its own for bfloat16 and writes it as two bytes of no known kind.
        "V2" => Element::Bf16,
        _ => {
            return Err(match kind.as_bytes().first() {
                Some(b'O') => "Python objects, which only running them would restore",
                Some(b'c') => "complex numbers",
                Some(b'f') => "floats whose width depends on the machine",
                Some(b'U' | b'S' | b'a') => "text",
                Some(b'M' | b'm') => "dates or times",
                Some(b'V') => "raw bytes of no known type",
                _ => "an unknown type",
            });
        }
    };
    Ok((element, order))
}

/// What a header says. It is a Python dictionary such as
/// `{'descr': '<f4', 'fortran_order': False, 'shape': (1, 512), }`.
struct NpyHeader<'a> {
    descr: Literal<'a>,
    fortran_order: bool,
    shape: Vec<usize>,
}

/// A literal of Python, as far as a header needs it.
enum Literal<'a> {
    Text(&'a str),
    Bool(bool),
    Whole(usize),
    Tuple(Vec<Literal<'a>>),
    /// The fields of a record.
    List,
}

impl<'a> NpyHeader<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut scanner = Scanner { rest: text };
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        scanner.token('{')?;
        while scanner.token('}').is_none() {
            let Literal::Text(key) = scanner.literal(0)? else {
                return None;
            };
            scanner.token(':')?;
            let value = scanner.literal(0)?;
            match (key, value) {
                ("descr", value @ (Literal::Text(_) | Literal::List | Literal::Tuple(_))) => {
                    descr = Some(value);
                }
                ("fortran_order", Literal::Bool(value)) => fortran_order = Some(value),
                ("shape", Literal::Tuple(sides)) => {
                    let side = |side: &Literal| match side {
                        Literal::Whole(side) => Some(*side),
                        _ => None,
                    };
                    shape = Some(sides.iter().map(side).collect::<Option<Vec<_>>>()?);
                }
                _ => return None,
            }
            if scanner.token(',').is_none() {
                scanner.token('}')?;
                break;
            }
        }
        Some(Self {
            descr: descr?,
            fortran_order: fortran_order?,
            shape: shape?,
        })
    }
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn token(&mut self, token: char) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(token)?;
        Some(())
    }

    fn literal(&mut self, depth: usize) -> Option<Literal<'a>> {
        if depth == MAX_DEPTH {
            return None;
        }
        self.rest = self.rest.trim_start();
        // Python 2 could mark text as unicode or bytes.
        let marked = self.rest.trim_start_matches(['u', 'b']);
        let quote = marked.chars().next()?;
        if matches!(quote, '\'' | '"') {
            let (text, rest) = marked[1..].split_once(quote)?;
            self.rest = rest;
            return Some(Literal::Text(text));
        }
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Some(Literal::Bool(value));
            }
        }
        for (open, close) in [('(', ')'), ('[', ']')] {
            if self.token(open).is_none() {
                continue;
            }
            let mut items = Vec::new();
            while self.token(close).is_none() {
                items.push(self.literal(depth + 1)?);
                if self.token(',').is_none() {
                    self.token(close)?;
                    break;
                }
            }
            return Some(match open {
                '(' => Literal::Tuple(items),
                _ => Literal::List,
            });
        }
        let digits = self.rest.len()
            - self
                .rest
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .len();
        let (number, rest) = self.rest.split_at(digits);
        // Python 2 wrote long numbers with an L.
        self.rest = rest.strip_prefix('L').unwrap_or(rest);
        number.parse().ok().map(Literal::Whole)
    }
}
