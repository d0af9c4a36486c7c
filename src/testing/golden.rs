//! Single layers against PyTorch: the cases of `tests/golden/layers.safetensors`.

use std::collections::HashMap;

use burn::{
    module::Module,
    tensor::{Device, Tensor, TensorData},
};
use safetensors::SafeTensors;

use crate::networks::assign;

static LAYERS: &[u8] = include_bytes!("../../tests/golden/layers.safetensors");

/// One layer with its inputs, parameters and output.
pub struct Case {
    name: &'static str,
    file: SafeTensors<'static>,
    device: Device,
}

impl Case {
    /// The case called `name`, on the CPU.
    pub fn open(name: &'static str) -> Self {
        Self {
            name,
            file: SafeTensors::deserialize(LAYERS).unwrap(),
            device: crate::networks::device::cpu(),
        }
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    fn values(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let view = self.file.tensor(name).unwrap();
        let values = view.data().as_chunks::<4>().0.iter();
        let values = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
        (view.shape().to_vec(), values)
    }

    /// Fills `module` with the case's parameters; `path` is where the module sits in the networks, if names
    /// depend on it.
    pub fn load<M: Module>(&self, module: M, path: &[&str]) -> M {
        let prefix = format!("{}.weight.", self.name);
        let mut place = path.join(".");
        if !place.is_empty() {
            place.push('.');
        }
        let values: HashMap<_, _> = self
            .file
            .names()
            .into_iter()
            .filter_map(|name| {
                let parameter = name.strip_prefix(&prefix)?;
                Some((format!("{place}{parameter}"), self.values(name).1))
            })
            .collect();
        let (module, unused) = assign(module, path, values);
        assert!(unused.is_empty(), "{}: no place for {unused:?}", self.name);
        module
    }

    /// Input `index` of several, or the only input.
    pub fn input<const D: usize>(&self, index: impl Into<Option<usize>>) -> Tensor<D> {
        let (shape, values) = self.values(&match index.into() {
            Some(index) => format!("{}.in.{index}", self.name),
            None => format!("{}.in", self.name),
        });
        let shape: [usize; D] = shape.try_into().unwrap();
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    /// Fails unless `found` is the case's only output.
    pub fn check<const D: usize>(&self, found: Tensor<D>) {
        self.compare("out", found);
    }

    /// Fails unless `found` is output `index` of several.
    pub fn check_output<const D: usize>(&self, index: usize, found: Tensor<D>) {
        self.compare(&format!("out.{index}"), found);
    }

    fn compare<const D: usize>(&self, output: &str, found: Tensor<D>) {
        let (shape, expected) = self.values(&format!("{}.{output}", self.name));
        assert_eq!(found.dims().as_slice(), shape, "{}", self.name);
        let found = found.into_data().try_into_vec::<f32>().unwrap();
        let scale = expected
            .iter()
            .fold(1e-3_f32, |scale, v| scale.max(v.abs()));
        let worst = found
            .iter()
            .zip(&expected)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0_f32, f32::max);
        assert!(
            worst <= 1e-5 * scale,
            "{}: off by {worst} of {scale}",
            self.name
        );
    }
}
