//! Golden values by NumPy: the tables of `tests/golden/fit.safetensors`.

use safetensors::{Dtype, SafeTensors};

static VALUES: &[u8] = include_bytes!("../../../tests/golden/fit.safetensors");

/// Width and values of a table; a vector is a table of one row.
pub(super) fn table(name: &str) -> (usize, Vec<f64>) {
    let file = SafeTensors::deserialize(VALUES).unwrap();
    let tensor = file.tensor(name).unwrap();
    let bytes = tensor.data();
    let values = match tensor.dtype() {
        Dtype::F32 => {
            let values = bytes.as_chunks().0.iter().copied();
            values
                .map(|value| f64::from(f32::from_le_bytes(value)))
                .collect()
        }
        _ => bytes
            .as_chunks()
            .0
            .iter()
            .copied()
            .map(f64::from_le_bytes)
            .collect(),
    };
    (*tensor.shape().last().unwrap(), values)
}
