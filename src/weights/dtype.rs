//! The three ways in which a shard stores the values of a tensor.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a shard stores the values of one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit floats.
    F32,
    /// 16-bit floats, rounded to nearest.
    F16,
    /// 8-bit integers in -127..=127 times one f32 scale per output channel.
    ///
    /// The channels are the first dimension that is not 1, so that StyleGAN2's `[1, out, in, k, k]` has `out` scales.
    /// They are stored beside the tensor as `<name>.scale`.
    Q8,
}

/// Tensors below this many values are stored as f32: biases and normalisation statistics, under 1 MB in a whole model,
/// whose small or large values gain nothing from fewer bits.
const SMALL_TENSOR: usize = 4096;

impl Dtype {
    /// The type in which a model of this precision stores the tensor `name`.
    ///
    /// Tensors below 4096 values and vectors stay f32. Of the others q8 quantises the network weights (`*.weight`) and
    /// stores the rest (noise, the constant input, the mean style) as f16.
    pub fn for_tensor(self, name: &str, shape: &[usize]) -> Self {
        if shape.len() < 2 || shape.iter().product::<usize>() < SMALL_TENSOR {
            return Self::F32;
        }
        match self {
            Self::Q8 if !name.ends_with(".weight") => Self::F16,
            dtype => dtype,
        }
    }

    /// Bytes that a tensor of `shape` takes in a shard with its scales; `None` on overflow.
    pub(super) fn stored_bytes(self, shape: &[usize]) -> Option<usize> {
        let count = shape
            .iter()
            .try_fold(1usize, |product, &side| product.checked_mul(side))?;
        match self {
            Self::F32 => count.checked_mul(4),
            Self::F16 => count.checked_mul(2),
            Self::Q8 => count.checked_add(4 * channels(shape)),
        }
    }

    /// The safetensors type of the values.
    pub(super) fn stored(self) -> safetensors::Dtype {
        match self {
            Self::F32 => safetensors::Dtype::F32,
            Self::F16 => safetensors::Dtype::F16,
            Self::Q8 => safetensors::Dtype::I8,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8 => "q8",
        })
    }
}

impl FromStr for Dtype {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            "q8" => Ok(Self::Q8),
            other => Err(format!("unknown dtype \"{other}\"; use f32, f16 or q8")),
        }
    }
}

/// Number of q8 scales of a tensor: its first dimension that is not 1.
pub(super) fn channels(shape: &[usize]) -> usize {
    shape.iter().copied().find(|&side| side != 1).unwrap_or(1)
}
