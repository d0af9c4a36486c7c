//! What a fit has seen so far. Everything else follows from it: a fit which was stopped goes on from its journal as if
//! nothing had happened.

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::{
    error::FitError,
    measures::{MEASURES, Reading},
};
use crate::{face::LANDMARKS, import::DirectionFile, weights};

/// Numbers of a row: whether there is a face, the measures, the landmarks.
const ROW: usize = 1 + MEASURES + 2 * LANDMARKS;

/// Tensors of the principal components, as the journal names them.
const COMPONENTS: [&str; 3] = ["components", "mean", "deviations"];

/// The codes and readings of a fit, in the order in which it asked for them, and the principal components of the
/// styles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Journal {
    key: String,
    /// Codes that were drawn.
    pub(super) codes: Vec<Vec<f32>>,
    /// What was read from every picture.
    pub(super) readings: Vec<Option<Reading>>,
    /// The principal components, once they are computed.
    pub(super) components: Option<DirectionFile>,
}

impl Journal {
    /// Of a fit that has not begun. `key` tells fits apart: by model, seed, and number of samples.
    pub fn new(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            ..Self::default()
        }
    }

    /// Pictures read so far.
    pub fn pictures(&self) -> usize {
        self.readings.len()
    }

    /// Steps of the work that are in the journal.
    pub fn entries(&self) -> usize {
        self.pictures() + usize::from(self.components.is_some())
    }

    /// As a safetensors file.
    ///
    /// # Errors
    /// [`FitError::Journal`] if it cannot be written in that form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, FitError> {
        let width = self.codes.first().map_or(0, Vec::len);
        let codes = self.codes.iter().flatten().flat_map(|v| v.to_le_bytes());
        let rows = self
            .readings
            .iter()
            .flat_map(row)
            .flat_map(f64::to_le_bytes);
        let (codes, rows): (Vec<u8>, Vec<u8>) = (codes.collect(), rows.collect());
        let tables = [
            ("codes", [self.codes.len(), width], Dtype::F32, &codes),
            ("readings", [self.readings.len(), ROW], Dtype::F64, &rows),
        ];
        let bytes_of = |tensor: &weights::Tensor| -> Vec<u8> {
            tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect()
        };
        let components: Vec<_> = match &self.components {
            Some(DirectionFile::Basis { comp, mean, std }) => COMPONENTS
                .into_iter()
                .zip([comp, mean, std])
                .map(|(name, tensor)| (name, tensor.shape.clone(), bytes_of(tensor)))
                .collect(),
            _ => Vec::new(),
        };
        let tables = tables.map(|(name, shape, dtype, bytes)| (name, shape.to_vec(), dtype, bytes));
        let components = (components.iter())
            .map(|(name, shape, bytes)| (*name, shape.clone(), Dtype::F32, bytes));
        let tensors = tables.into_iter().chain(components);
        let tensors = tensors.map(|(name, shape, dtype, bytes)| {
            let view = TensorView::new(dtype, shape, bytes);
            view.map(|view| (name, view)).map_err(broken)
        });
        let tensors = tensors.collect::<Result<Vec<_>, _>>()?;
        let about = HashMap::from([("key".to_owned(), self.key.clone())]);
        safetensors::serialize(tensors, Some(about)).map_err(broken)
    }

    /// What [`Self::to_bytes`] has written for a fit of this key.
    ///
    /// # Errors
    /// [`FitError::Journal`] for other bytes, and those of another fit.
    pub fn from_bytes(bytes: &[u8], key: &str) -> Result<Self, FitError> {
        let (_, about) = SafeTensors::read_metadata(bytes).map_err(broken)?;
        let file = SafeTensors::deserialize(bytes).map_err(broken)?;
        let found = about.metadata().as_ref().and_then(|about| about.get("key"));
        if found.is_none_or(|found| found != key) {
            return Err(broken(
                "it belongs to another model, seed or number of samples",
            ));
        }
        let table = |name: &str, dtype: Dtype| {
            let tensor = file.tensor(name).map_err(broken)?;
            match *tensor.shape() {
                [rows, width] if tensor.dtype() == dtype => {
                    Ok((rows, width, tensor.data().to_vec()))
                }
                _ => Err(broken(format!("\"{name}\" is no table"))),
            }
        };
        let (_, width, codes) = table("codes", Dtype::F32)?;
        let codes: Vec<f32> = (codes.as_chunks().0.iter().copied())
            .map(f32::from_le_bytes)
            .collect();
        let (_, columns, rows) = table("readings", Dtype::F64)?;
        if columns != ROW {
            return Err(broken(format!(
                "its rows have {columns} numbers instead of {ROW}"
            )));
        }
        let rows: Vec<f64> = (rows.as_chunks().0.iter().copied())
            .map(f64::from_le_bytes)
            .collect();
        let component = |(name, kind): (&str, &str)| {
            let tensor = file.tensor(name).ok()?;
            let values = tensor.data().as_chunks().0.iter().copied();
            Some(weights::Tensor {
                name: kind.to_owned(),
                shape: tensor.shape().to_vec(),
                values: values.map(f32::from_le_bytes).collect(),
            })
        };
        let [first, second, third] = COMPONENTS;
        let components = [(first, "comp"), (second, "mean"), (third, "std")].map(component);
        let components = match components {
            [Some(comp), Some(mean), Some(std)] => Some(DirectionFile::Basis { comp, mean, std }),
            _ => None,
        };
        Ok(Self {
            key: key.to_owned(),
            components,
            codes: codes
                .chunks_exact(width.max(1))
                .map(<[f32]>::to_vec)
                .collect(),
            readings: rows.as_chunks::<ROW>().0.iter().map(reading).collect(),
        })
    }
}

fn broken(problem: impl ToString) -> FitError {
    FitError::Journal(problem.to_string())
}

fn row(reading: &Option<Reading>) -> [f64; ROW] {
    let mut row = [0.0; ROW];
    if let Some(reading) = reading {
        let landmarks = reading.landmarks.iter().flatten().map(|&v| f64::from(v));
        let values = [1.0].into_iter().chain(reading.values).chain(landmarks);
        row.iter_mut()
            .zip(values)
            .for_each(|(place, value)| *place = value);
    }
    row
}

fn reading(row: &[f64; ROW]) -> Option<Reading> {
    let landmark = |i: usize| [0, 1].map(|axis| row[1 + MEASURES + 2 * i + axis] as f32);
    (row[0] == 1.0).then(|| Reading {
        values: std::array::from_fn(|i| row[1 + i]),
        landmarks: std::array::from_fn(landmark),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> Journal {
        let reading = Reading {
            values: std::array::from_fn(|i| 0.1 * i as f64),
            landmarks: std::array::from_fn(|i| [0.01 * i as f32, 0.3]),
        };
        Journal {
            key: "a".to_owned(),
            codes: vec![vec![0.1, -0.2, 0.3], vec![1e-30, 2.0, 3.0]],
            readings: vec![Some(reading), None],
            components: None,
        }
    }

    #[test]
    fn journals_come_back_to_the_last_bit() {
        let tensor = |name: &str, shape: &[usize]| weights::Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            values: (0..shape.iter().product())
                .map(|i: usize| i as f32 / 3.0)
                .collect(),
        };
        let components = DirectionFile::Basis {
            comp: tensor("comp", &[2, 1, 3]),
            mean: tensor("mean", &[1, 3]),
            std: tensor("std", &[2]),
        };
        let compared = Journal {
            components: Some(components),
            ..journal()
        };
        assert_eq!(compared.entries(), journal().entries() + 1);
        for journal in [journal(), compared, Journal::new("a")] {
            let bytes = journal.to_bytes().unwrap();
            assert_eq!(Journal::from_bytes(&bytes, "a").unwrap(), journal);
        }
    }

    #[test]
    fn journals_of_other_fits_and_damaged_ones_are_refused() {
        let bytes = journal().to_bytes().unwrap();
        let refusal = |bytes: &[u8], key| Journal::from_bytes(bytes, key).unwrap_err().to_string();
        assert!(refusal(&bytes, "b").contains("another model, seed"));
        for length in 0..bytes.len() {
            assert!(refusal(&bytes[..length], "a").contains("remove it to begin anew"));
        }
    }
}
