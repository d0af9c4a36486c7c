//! What tests of imported checkpoints have in common.

#[path = "../scratch/mod.rs"]
mod scratch;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use burn::tensor::Device;
use safetensors::SafeTensors;
use sdic::{editing::Engine, networks::device, weights::WeightsDir};

pub use scratch::Scratch;

impl Scratch {
    pub fn run(&self, arguments: &[&str]) -> Output {
        let program = Command::new(env!("CARGO_BIN_EXE_sdic"))
            .args(arguments)
            .current_dir(&self.0)
            .output();
        program.unwrap()
    }

    /// What a command that must succeed says.
    pub fn output(&self, arguments: &[&str]) -> (String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.run(arguments);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(stdout), text(stderr));
        assert!(status.success(), "{arguments:?}: {stderr}");
        (stdout, stderr)
    }
}

pub fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(file)
}

/// Shapes and values of what PyTorch computed.
pub type Trace = HashMap<String, (Vec<usize>, Vec<f32>)>;

pub fn trace(file: &str) -> Trace {
    let bytes = fs::read(golden(file)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter().map(|(name, view)| {
        let values = view.data().as_chunks::<4>().0.iter();
        let values = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
        (name, (view.shape().to_vec(), values))
    });
    tensors.collect()
}

/// The model in a weights directory, on the CPU.
pub fn engine(model: PathBuf) -> Engine {
    engine_on(model, &device::cpu())
}

/// The model in a weights directory.
pub fn engine_on(model: PathBuf, device: &Device) -> Engine {
    let dir = WeightsDir::open(model).unwrap();
    Engine::open(&dir, device).unwrap()
}
