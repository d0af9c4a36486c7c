//! `sdic trace`: every intermediate of an inversion, and edits by the reference's formulas.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use burn::tensor::{Tensor, module::avg_pool2d, ops::AvgPoolOptions};
use clap::Args;
use half::f16;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use sdic::{
    editing::{Engine, Inversion, InvertedFace, ganspace_offset},
    networks::read,
};

use crate::{
    Backend,
    commands::{
        self, Failure, Telling, check_place, open_device, open_engine, read_manifest, read_picture,
        shape_problem, write_file,
    },
    paths::read_file,
};

/// Every this many-th channel of the residual is written.
const CHANNEL_STEP: usize = 32;
/// Side of the centre crops.
const CROP: usize = 128;

#[derive(Args)]
pub struct Trace {
    /// An aligned face of the encoder's input size.
    aligned: PathBuf,
    /// Weights directory.
    #[arg(long, default_value = "weights")]
    weights: PathBuf,
    /// Safetensors file to write.
    #[arg(long)]
    out: PathBuf,
    /// Safetensors file with an InterFaceGAN direction: a tensor "direction", [1, style_dim] or [styles, style_dim].
    #[arg(long)]
    direction: Option<PathBuf>,
    /// Strength of that direction.
    #[arg(long, default_value_t = 2.0, value_parser = commands::parse_number, allow_hyphen_values = true)]
    direction_strength: f32,
    /// Safetensors file with a GANSpace basis: "pca.comp" [n, 1, style_dim], "pca.mean" [1, style_dim], "pca.std" [n].
    #[arg(long)]
    ganspace: Option<PathBuf>,
    /// Component of that basis.
    #[arg(long, default_value_t = 0)]
    component: usize,
    /// Styles it changes, the last one excluded.
    #[arg(long, default_value = "0..1", value_parser = parse_styles)]
    styles: std::ops::Range<usize>,
    /// Coordinate to move to, in standard deviations.
    #[arg(long, default_value_t = 5.0, value_parser = commands::parse_number, allow_hyphen_values = true)]
    ganspace_strength: f32,
    /// Where to compute.
    #[arg(long, value_enum, default_value_t = Backend::Cpu)]
    backend: Backend,
}

fn parse_styles(text: &str) -> Result<std::ops::Range<usize>, String> {
    text.split_once("..")
        .and_then(|(first, end)| Some(first.parse().ok()?..end.parse().ok()?))
        .filter(|styles| !styles.is_empty())
        .ok_or_else(|| format!("\"{text}\" is not a range such as 7..8"))
}

/// A tensor to be written.
struct TraceTensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// Collects tensors without their batch dimension.
#[derive(Default)]
struct Recorder(BTreeMap<String, TraceTensor>);

impl Recorder {
    fn record<const D: usize>(
        &mut self,
        name: &str,
        tensor: Tensor<D>,
        dtype: Dtype,
    ) -> Result<(), Failure> {
        let shape = tensor.dims()[1..].to_vec();
        let values = pollster::block_on(read(tensor))?;
        let bytes = match dtype {
            Dtype::F16 => values
                .iter()
                .flat_map(|&value| f16::from_f32(value).to_le_bytes())
                .collect(),
            _ => values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        };
        self.0.insert(
            name.to_owned(),
            TraceTensor {
                dtype,
                shape,
                bytes,
            },
        );
        Ok(())
    }

    /// A generator output, averaged to the encoder's input size (f16), and its centre.
    fn record_image(&mut self, name: &str, image: Tensor<4>, side: usize) -> Result<(), Failure> {
        let size = image.dims()[2];
        let factor = size / side;
        let small = if factor > 1 {
            let options = AvgPoolOptions::new([factor; 2]);
            avg_pool2d(image.clone(), options)
        } else {
            image.clone()
        };
        self.record(&format!("{name}.{side}"), small, Dtype::F16)?;
        self.record(&format!("{name}.crop"), centre(image), Dtype::F32)
    }
}

fn centre(image: Tensor<4>) -> Tensor<4> {
    let size = image.dims()[2];
    let side = CROP.min(size);
    let from = (size - side) / 2;
    image.narrow(2, from, side).narrow(3, from, side)
}

/// A file of f32 tensors.
struct TensorFile {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl TensorFile {
    fn open(path: &Path) -> Result<Self, Failure> {
        Ok(Self {
            path: path.to_path_buf(),
            bytes: read_file(path)?,
        })
    }

    fn values(&self, name: &str) -> Result<Vec<f32>, Failure> {
        let path = self.path.display();
        let file = SafeTensors::deserialize(&self.bytes)
            .map_err(|error| format!("{path}: not a safetensors file: {error}"))?;
        let tensor = file
            .tensor(name)
            .map_err(|_| format!("{path}: there is no tensor \"{name}\""))?;
        if tensor.dtype() != Dtype::F32 {
            return Err(format!("{path}: tensor \"{name}\" is not f32").into());
        }
        let values = tensor.data().as_chunks::<4>().0.iter();
        Ok(values.map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

/// An edit by the reference's formula: the residual is relative to G(w), not to G(w').
fn reference_edit(engine: &Engine, inversion: &Inversion, codes: Vec<f32>) -> Tensor<4> {
    let codes = engine.codes_tensor(codes);
    let injection = inversion.residual.clone().into();
    let size = engine.config().image_size;
    engine.sdic().pass(codes, injection, size).finish()
}

/// `sdic trace`.
pub fn run(trace: &Trace) -> Result<(), Failure> {
    check_place("--out", &trace.out)?;
    let picture = read_picture(&trace.aligned)?;
    if let Some(problem) = shape_problem(&picture, &read_manifest(&trace.weights)?.config) {
        let path = trace.aligned.display();
        return Err(format!("{path}: {problem}; run `sdic align` first").into());
    }
    let engine = open_engine(&trace.weights, &open_device(trace.backend)?)?;
    let styles = engine.config().styles();
    if trace.styles.end > styles {
        let end = trace.styles.end;
        return Err(format!(
            "--styles: this model has {styles} styles; end the range at most there, not at {end}"
        )
        .into());
    }
    let side = engine.config().input_size();
    let begin = Telling::Lines.report(engine.config());
    let face = pollster::block_on(engine.invert(&picture, None, begin))?;
    let InvertedFace {
        inversion,
        compensated_codes: codes,
        ..
    } = face;
    let mut recorder = Recorder::default();
    recorder.record("codes", inversion.codes.clone(), Dtype::F32)?;
    let seen = engine.sdic().seen(inversion.initial.clone());
    recorder.record(&format!("initial.{side}"), seen, Dtype::F32)?;
    recorder.record(
        "initial.crop",
        centre(inversion.initial.clone()),
        Dtype::F32,
    )?;
    if let Some(discrepancy) = inversion.discrepancy.clone() {
        recorder.record("discrepancy", discrepancy, Dtype::F32)?;
    }
    recorder.record("wp", inversion.compensated_codes.clone(), Dtype::F32)?;
    let [_, channels, _, _] = inversion.residual.dims();
    let some: Vec<_> = (0..channels)
        .step_by(CHANNEL_STEP)
        .map(|channel| inversion.residual.clone().narrow(1, channel, 1))
        .collect();
    let name = format!("residual.{}ch", some.len());
    recorder.record(&name, Tensor::cat(some, 1), Dtype::F32)?;
    recorder.record_image("inversion", inversion.reconstruction.clone(), side)?;

    let style_dim = engine.config().style_dim;
    if let Some(path) = &trace.direction {
        let direction = TensorFile::open(path)?.values("direction")?;
        if direction.len() != style_dim && direction.len() != codes.len() {
            return Err(format!(
                "{}: tensor \"direction\" has {} values instead of {style_dim} or {}",
                path.display(),
                direction.len(),
                codes.len()
            )
            .into());
        }
        let offsets = direction.iter().cycle();
        let edited = codes
            .iter()
            .zip(offsets)
            .map(|(code, offset)| code + trace.direction_strength * offset);
        let image = reference_edit(&engine, &inversion, edited.collect());
        recorder.record_image("interfacegan", image, side)?;
    }
    if let Some(path) = &trace.ganspace {
        let file = TensorFile::open(path)?;
        let axes = file.values("pca.comp")?;
        let mean = file.values("pca.mean")?;
        let deviations = file.values("pca.std")?;
        let axis = axes.chunks_exact(style_dim).nth(trace.component);
        let deviation = deviations.get(trace.component);
        let (Some(axis), Some(&deviation), true) = (axis, deviation, mean.len() == style_dim)
        else {
            return Err(format!(
                "{}: the basis has no component {} of {style_dim} values",
                path.display(),
                trace.component
            )
            .into());
        };
        let mut edited = codes.clone();
        let (styles, strength) = (trace.styles.clone(), trace.ganspace_strength);
        ganspace_offset(&mut edited, axis, &mean, deviation, styles, strength);
        let image = reference_edit(&engine, &inversion, edited);
        recorder.record_image("ganspace", image, side)?;
    }
    let views = recorder.0.iter().map(|(name, entry)| {
        let view = TensorView::new(entry.dtype, entry.shape.clone(), &entry.bytes);
        view.map(|view| (name, view))
    });
    let bytes = safetensors::serialize(views.collect::<Result<Vec<_>, _>>()?, None)?;
    write_file(&trace.out, &bytes)
}
