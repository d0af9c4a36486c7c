//! Types of stored numbers, and the orders in which arrays lay them out.

use half::{bf16, f16};

/// Type of the numbers of an array, in whatever format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 8-bit floats with 4 bits of exponent, without infinities.
    F8E4M3,
    /// 8-bit floats with 5 bits of exponent.
    F8E5M2,
    /// 16-bit floats.
    F16,
    /// The upper halves of 32-bit floats.
    Bf16,
    /// 32-bit floats.
    F32,
    /// 64-bit floats.
    F64,
    /// Signed whole numbers.
    I8,
    /// Signed whole numbers of 16 bits.
    I16,
    /// Signed whole numbers of 32 bits.
    I32,
    /// Signed whole numbers of 64 bits.
    I64,
    /// Whole numbers from 0, and untyped bytes.
    U8,
    /// Whole numbers from 0 of 16 bits.
    U16,
    /// Whole numbers from 0 of 32 bits.
    U32,
    /// Whole numbers from 0 of 64 bits.
    U64,
    /// Truth values of one byte, read as 0 and 1.
    Bool,
    /// Numbers that are no values of a network, such as complex ones: their size is known, but they are not read.
    Other {
        /// What they are, for messages.
        name: &'static str,
        /// Bytes of one element; 0 if that is not known.
        bytes: u8,
    },
}

/// Which byte of a number comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// The least significant one.
    Little,
    /// The most significant one.
    Big,
}

impl Element {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Self::F8E4M3 | Self::F8E5M2 | Self::I8 | Self::U8 | Self::Bool => 1,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::Other { bytes, .. } => bytes.into(),
        }
    }

    /// Why elements of this type are not read, if they are not.
    pub fn refusal(self) -> Option<String> {
        match self {
            Self::Other { name, .. } => Some(format!("holds {name}; save it as float32")),
            _ => None,
        }
    }

    /// The number at `position` of an array; elements without a [meaning](Self::refusal) are NaN.
    pub fn read(self, bytes: &[u8], position: usize, order: ByteOrder) -> f32 {
        let size = self.bytes();
        let mut raw = [0; 8];
        match bytes.get(position * size..(position + 1) * size) {
            Some(element) if size <= raw.len() => raw[..size].copy_from_slice(element),
            _ => return f32::NAN,
        }
        if order == ByteOrder::Big {
            raw[..size].reverse();
        }
        let bits = u64::from_le_bytes(raw);
        match self {
            Self::F8E4M3 => f8_e4m3(bits as u8),
            // It is the upper half of an f16.
            Self::F8E5M2 => f16::from_bits((bits as u16) << 8).to_f32(),
            Self::F16 => f16::from_bits(bits as u16).to_f32(),
            Self::Bf16 => bf16::from_bits(bits as u16).to_f32(),
            Self::F32 => f32::from_bits(bits as u32),
            Self::F64 => f64::from_bits(bits) as f32,
            Self::I8 => f32::from(bits as i8),
            Self::I16 => f32::from(bits as i16),
            Self::I32 => bits as i32 as f32,
            Self::I64 => bits as i64 as f32,
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => bits as f32,
            Self::Bool => f32::from(u8::from(bits != 0)),
            Self::Other { .. } => f32::NAN,
        }
    }
}

/// Sign, 4 bits of exponent with a bias of 7, 3 bits of fraction; all ones are NaN, and nothing is infinite.
fn f8_e4m3(bits: u8) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 3 & 15), f32::from(bits & 7) / 8.0);
    let magnitude = match exponent {
        15 if bits & 7 == 7 => f32::NAN,
        0 => fraction * 2f32.powi(-6),
        _ => (1.0 + fraction) * 2f32.powi(exponent - 7),
    };
    if bits & 0x80 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

/// Strides of an array whose first index runs fastest, as in Fortran.
pub(super) fn fortran_strides(shape: &[usize]) -> Vec<usize> {
    let mut next = 1usize;
    let stride = |&side: &usize| {
        let stride = next;
        next = next.saturating_mul(side);
        stride
    };
    shape.iter().map(stride).collect()
}

/// Positions of an array's values relative to its first, in row-major order.
pub(super) struct Positions<'a> {
    shape: &'a [usize],
    stride: &'a [usize],
    index: Vec<usize>,
    position: usize,
    left: usize,
}

impl<'a> Positions<'a> {
    /// Of an array of `count` values, the product of `shape`; `stride` has as many sides.
    pub(super) fn new(shape: &'a [usize], stride: &'a [usize], count: usize) -> Self {
        Self {
            shape,
            stride,
            index: vec![0; shape.len()],
            position: 0,
            left: count,
        }
    }
}

impl Iterator for Positions<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let position = self.position;
        for axis in (0..self.index.len()).rev() {
            let (side, stride) = (self.shape[axis], self.stride[axis]);
            if self.index[axis] + 1 < side {
                self.index[axis] += 1;
                self.position += stride;
                break;
            }
            self.position -= self.index[axis] * stride;
            self.index[axis] = 0;
        }
        Some(position)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}
