//! Tensors in memory, to and from their stored form.

use half::f16;

use super::dtype::{Dtype, channels};
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

/// The stored form of one tensor: its values and, for q8, its scales; all little-endian.
pub(super) struct Encoded {
    pub values: Vec<u8>,
    pub scales: Option<Vec<u8>>,
}

/// Converts a tensor to its stored form.
///
/// # Errors
/// A value that is not finite, a negative variance, or, for f16, one that rounds to an infinity; a value count that is
/// not the product of the shape.
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
    check_values(&tensor.name, &tensor.values)?;
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
/// A restored value that is not finite, or a negative variance.
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
    check_values(name, &values)?;
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

/// Refuses values that would make pictures of no numbers: those that are none, and negative variances, whose root is
/// none.
fn check_values(name: &str, values: &[f32]) -> Result<(), WeightsError> {
    let variances = name.ends_with(".running_var");
    let is_bad = |value: &f32| !value.is_finite() || (variances && *value < 0.0);
    let Some(index) = values.iter().position(is_bad) else {
        return Ok(());
    };
    let (tensor, value) = (name.to_owned(), values[index]);
    Err(match value.is_finite() {
        true => WeightsError::NegativeVariance {
            tensor,
            index,
            value,
        },
        false => WeightsError::NotFinite {
            tensor,
            index,
            value,
        },
    })
}
