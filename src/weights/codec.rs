//! Tensors in memory and the three ways in which a shard stores their values.

use std::fmt;
use std::str::FromStr;

use half::f16;
use serde::{Deserialize, Serialize};

use super::error::WeightsError;

/// A named tensor in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Name as in the released checkpoints, such as `decoder.conv1.conv.weight`.
    pub name: String,
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values in row-major order, as many as the product of `shape`.
    pub values: Vec<f32>,
}

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

/// The stored form of one tensor: its values and, for q8, its scales; all little-endian.
pub(super) struct Encoded {
    pub values: Vec<u8>,
    pub scales: Option<Vec<u8>>,
}

/// Converts a tensor to its stored form.
///
/// # Errors
/// A value that is not finite or, for f16, rounds to an infinity; a value count that is not the product of the shape.
pub(super) fn encode(tensor: &Tensor, dtype: Dtype) -> Result<Encoded, WeightsError> {
    if tensor.shape.iter().product::<usize>() != tensor.values.len() {
        return Err(WeightsError::Unstorable {
            tensor: tensor.name.clone(),
            problem: format!(
                "{} values do not fill shape {:?}",
                tensor.values.len(),
                tensor.shape
            ),
        });
    }
    check_finite(&tensor.name, &tensor.values)?;
    let encoded = |values| Encoded {
        values,
        scales: None,
    };
    match dtype {
        Dtype::F32 => Ok(encoded(
            tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        )),
        Dtype::F16 => {
            let mut bytes = Vec::with_capacity(2 * tensor.values.len());
            for (index, &value) in tensor.values.iter().enumerate() {
                let rounded = f16::from_f32(value);
                if rounded.is_infinite() {
                    return Err(WeightsError::OutOfRange {
                        tensor: tensor.name.clone(),
                        index,
                        value,
                    });
                }
                bytes.extend(rounded.to_le_bytes());
            }
            Ok(encoded(bytes))
        }
        Dtype::Q8 => Ok(quantise(tensor)),
    }
}

/// Rounds each channel to 255 levels spread over its largest magnitude.
fn quantise(tensor: &Tensor) -> Encoded {
    let channels = channels(&tensor.shape);
    let mut values = Vec::with_capacity(tensor.values.len());
    let mut scales = Vec::with_capacity(4 * channels);
    if !tensor.values.is_empty() {
        for row in tensor.values.chunks_exact(tensor.values.len() / channels) {
            let largest = row.iter().fold(0f32, |largest, v| largest.max(v.abs()));
            let scale = largest / 127.0;
            let inverse = if scale > 0.0 {
                1.0 / f64::from(scale)
            } else {
                0.0
            };
            values.extend(
                row.iter()
                    .map(|&v| (f64::from(v) * inverse).round().clamp(-127.0, 127.0) as i8 as u8),
            );
            scales.extend(scale.to_le_bytes());
        }
    }
    Encoded {
        values,
        scales: Some(scales),
    }
}

/// Restores a tensor from its stored form; the byte counts agree with `shape` already.
///
/// # Errors
/// A restored value that is not finite.
pub(super) fn decode(
    name: &str,
    shape: &[usize],
    dtype: Dtype,
    bytes: &[u8],
    scales: &[u8],
) -> Result<Tensor, WeightsError> {
    let values = match dtype {
        Dtype::F32 => floats(bytes),
        Dtype::F16 => bytes
            .chunks_exact(2)
            .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
            .collect(),
        Dtype::Q8 => {
            let row = (bytes.len() / channels(shape).max(1)).max(1);
            bytes
                .chunks(row)
                .zip(floats(scales))
                .flat_map(|(row, scale)| row.iter().map(move |&b| f32::from(b as i8) * scale))
                .collect()
        }
    };
    check_finite(name, &values)?;
    Ok(Tensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
        values,
    })
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

fn check_finite(name: &str, values: &[f32]) -> Result<(), WeightsError> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(index) => Err(WeightsError::NotFinite {
            tensor: name.to_owned(),
            index,
            value: values[index],
        }),
    }
}
