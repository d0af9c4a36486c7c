//! SDIC checkpoints as the authors release them: `{"state_dict": ..., "latent_avg": ..., "opts": ...}`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use super::error::ImportError;
use super::pickle::{TensorRef, Value};
use super::sefa::Gram;
use super::torch_file::TorchFile;
use crate::config::ModelConfig;
use crate::weights::{
    Direction, DirectionKind, Dtype, FORMAT, MANIFEST_FILE, Manifest, ShardPacker, StagedDir,
    Tensor, WeightsFile, conv_modulations, expected_tensors,
};

/// Name of the mean style vector, which is stored beside the networks.
const LATENT_AVG: &str = "latent_avg";

/// A checkpoint whose tensors have been checked against the networks; none has been read yet.
pub struct Checkpoint<R> {
    file: TorchFile<R>,
    kind: Kind,
    config: ModelConfig,
    tensors: HashMap<String, TensorRef>,
    report: Report,
}

/// Which model a checkpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Face,
    Cars,
    Other,
}

/// What becomes of the tensors of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Names of the tensors that the networks use, in the order of the weights.
    pub kept: Vec<String>,
    /// Names of all others in order, and why they are left out.
    pub dropped: Vec<(String, DropReason)>,
}

/// Why a tensor is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// `lpips_loss.*` and `id_loss.*`.
    TrainingLoss,
    /// Layers in the file that the forward pass never runs.
    NeverRun,
    /// The mapping network, needed only to sample new pictures.
    Mapping,
    /// Blur kernels, the same in every generator of this kind; checked before they are dropped.
    ConstantKernel,
    /// Batch counters of normalisation layers.
    BatchCounter,
    /// A name that is not known.
    Unknown,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TrainingLoss => "used in training only",
            Self::NeverRun => "never run in inference",
            Self::Mapping => "mapping network, used to sample only",
            Self::ConstantKernel => "constant blur kernel",
            Self::BatchCounter => "batch counter",
            Self::Unknown => "not part of the model",
        })
    }
}

impl DropReason {
    fn of(name: &str) -> Self {
        const NEVER_RUN: [&str; 12] = [
            "DIP.stem_2.",
            "DIP.stem_4.",
            "DIP.spx.",
            "DIP.spx_2.",
            "DIP.spx_4.",
            "DIP.semantic.",
            "DIP.agg.",
            "DIP.hourglass_fusion.conv1_up.bn.",
            "SAF.aff1.",
            "SAF.conv1.",
            "SAF.aff2.",
            "SAF.aff1d.agg.",
        ];
        if name.starts_with("lpips_loss.") || name.starts_with("id_loss.") {
            Self::TrainingLoss
        } else if NEVER_RUN.iter().any(|prefix| name.starts_with(prefix)) {
            Self::NeverRun
        } else if name.starts_with("decoder.style.") {
            Self::Mapping
        } else if is_kernel(name) {
            Self::ConstantKernel
        } else if name.ends_with(".num_batches_tracked") {
            Self::BatchCounter
        } else {
            Self::Unknown
        }
    }
}

fn is_kernel(name: &str) -> bool {
    name.starts_with("decoder.")
        && (name.ends_with(".blur.kernel") || name.ends_with(".upsample.kernel"))
}

impl<R: Read + Seek> Checkpoint<R> {
    /// Reads the names and shapes of a checkpoint, recognises the model and checks that every tensor of its networks is
    /// there in the right shape.
    ///
    /// The model is the one whose configuration is in `opts["config"]` as JSON or, without that, the face or the car
    /// model by its number of style heads; with the heads of the car model but another data set in `opts`, it is a model
    /// of the same size whose picture is the whole square.
    ///
    /// # Errors
    /// The file cannot be read, is no SDIC checkpoint, contradicts itself, or lacks tensors, which are named.
    pub fn open(reader: R) -> Result<Self, ImportError> {
        let mut file = TorchFile::open(reader)?;
        let root = file.root();
        let mut tensors = state_dict(root)?;
        let (kind, config) = recognise(root, &tensors)?;
        let latent_avg = root
            .get(LATENT_AVG)
            .and_then(Value::tensor)
            .ok_or_else(|| {
                ImportError::Content("no tensor \"latent_avg\": not an SDIC checkpoint".to_owned())
            })?;
        tensors.insert(LATENT_AVG.to_owned(), latent_avg.clone());
        let report = check_tensors(&config, &tensors)?;
        for (name, _) in report.dropped.iter().filter(|(name, _)| is_kernel(name)) {
            check_kernel(&file.read_tensor(name, &tensors[name])?)?;
        }
        Ok(Self {
            file,
            kind,
            config,
            tensors,
            report,
        })
    }

    /// Sizes of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Which tensors will be kept and which not.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Starts to convert the checkpoint to a weights directory in which tensors are stored as
    /// [`dtype.for_tensor`](Dtype::for_tensor) says.
    pub fn convert(self, dtype: Dtype) -> Conversion<R> {
        let styles = self.config.styles();
        Conversion {
            dtype,
            next: 0,
            packer: Some(ShardPacker::new()),
            ready: VecDeque::new(),
            modulations: conv_modulations(&self.config)
                .into_iter()
                .map(|(style, name)| (name, style))
                .collect(),
            explorers: Explorer::all(styles, self.config.style_dim),
            checkpoint: self,
        }
    }
}

/// The tensors of `state_dict` by name.
fn state_dict(root: Value<'_>) -> Result<HashMap<String, TensorRef>, ImportError> {
    let entries = root
        .get("state_dict")
        .and_then(Value::entries)
        .ok_or_else(|| {
            ImportError::Content("no dictionary \"state_dict\": not an SDIC checkpoint".to_owned())
        })?;
    let mut tensors = HashMap::new();
    for (name, value) in entries {
        let name = name.text().ok_or_else(|| {
            ImportError::Content(format!(
                "state_dict: a name is {} instead of text",
                name.kind()
            ))
        })?;
        let tensor = value.tensor().ok_or_else(|| {
            ImportError::tensor(name, format!("is {} instead of a tensor", value.kind()))
        })?;
        tensors.insert(name.to_owned(), tensor.clone());
    }
    Ok(tensors)
}

fn recognise(
    root: Value<'_>,
    tensors: &HashMap<String, TensorRef>,
) -> Result<(Kind, ModelConfig), ImportError> {
    let option = |name: &str| root.get("opts").and_then(|opts| opts.get(name));
    if let Some(json) = option("config").and_then(Value::text) {
        let config: ModelConfig = serde_json::from_str(json).map_err(|error| {
            ImportError::Content(format!(
                "opts: \"config\" is not a model configuration: {error}"
            ))
        })?;
        config.validate()?;
        return Ok((Kind::Other, config));
    }
    let heads = (0..)
        .take_while(|style| tensors.contains_key(&format!("encoder.styles.{style}.linear.weight")))
        .count();
    let data_set = option("dataset_type")
        .and_then(Value::text)
        .unwrap_or_default();
    let is_car = data_set.contains("car");
    let (kind, config) = match heads {
        18 => (Kind::Face, ModelConfig::face()),
        16 if is_car || data_set.is_empty() => (Kind::Cars, ModelConfig::cars()),
        16 => {
            let crop = None;
            (
                Kind::Other,
                ModelConfig {
                    crop,
                    ..ModelConfig::cars()
                },
            )
        }
        0 => {
            return Err(ImportError::Content(
                "state_dict: no style heads \"encoder.styles.*\": not an SDIC checkpoint"
                    .to_owned(),
            ));
        }
        _ => {
            return Err(ImportError::Content(format!(
                "state_dict: {heads} style heads; the face model has 18 and the car model 16, others need \
                 their configuration in opts[\"config\"]"
            )));
        }
    };
    let contradiction = |name: &str, value: &dyn fmt::Display| {
        Err(ImportError::Content(format!(
            "opts: {name} = {value} contradicts the {heads} style heads of a {} px model",
            config.image_size
        )))
    };
    if let Some(size) = option("stylegan_size").and_then(Value::int)
        && size != config.image_size as i64
    {
        return contradiction("stylegan_size", &size);
    }
    if is_car && kind != Kind::Cars {
        return contradiction("dataset_type", &data_set);
    }
    Ok((kind, config))
}

/// Compares names and shapes with those of the networks.
fn check_tensors(
    config: &ModelConfig,
    tensors: &HashMap<String, TensorRef>,
) -> Result<Report, ImportError> {
    let mut report = Report::default();
    let mut missing = Vec::new();
    for (name, expected) in expected_tensors(config) {
        let Some(tensor) = tensors.get(&name) else {
            missing.push(name);
            continue;
        };
        let found = &tensor.shape;
        let broadcast =
            name == LATENT_AVG && matches!(found[..], [width] | [1, width] if width == expected[1]);
        if *found != expected && !broadcast {
            return Err(ImportError::tensor(
                &name,
                format!("has shape {found:?}, the model needs {expected:?}"),
            ));
        }
        report.kept.push(name);
    }
    if !missing.is_empty() {
        return Err(ImportError::Missing(missing));
    }
    let kept: HashSet<&String> = report.kept.iter().collect();
    report.dropped = tensors
        .keys()
        .filter(|name| !kept.contains(name))
        .map(|name| (name.clone(), DropReason::of(name)))
        .collect();
    report.dropped.sort();
    Ok(report)
}

/// The generator computes its blur with fixed weights: outer([1,3,3,1]) / 64, times 4 for the zeros that upsampling
/// inserts.
fn check_kernel(kernel: &Tensor) -> Result<(), ImportError> {
    const TAPS: [f32; 4] = [1.0, 3.0, 3.0, 1.0];
    let expected = TAPS
        .iter()
        .flat_map(|row| TAPS.map(|column| row * column / 16.0));
    let same = kernel.shape == [4, 4]
        && kernel
            .values
            .iter()
            .zip(expected)
            .all(|(a, b)| (a - b).abs() < 1e-4);
    match same {
        true => Ok(()),
        false => Err(ImportError::tensor(
            &kernel.name,
            "is another blur than [1, 3, 3, 1]; this generator cannot be run",
        )),
    }
}

/// A conversion in progress. Holds one tensor and one shard.
///
/// Files come out one by one, so that the caller can write them however it must, also asynchronously; the manifest is the
/// last, and without it the rest is not a weights directory.
pub struct Conversion<R> {
    checkpoint: Checkpoint<R>,
    dtype: Dtype,
    next: usize,
    packer: Option<ShardPacker>,
    ready: VecDeque<WeightsFile>,
    modulations: HashMap<String, usize>,
    explorers: Vec<Explorer>,
}

impl<R: Read + Seek> Conversion<R> {
    /// The next finished file, or `None` when the manifest has been returned.
    ///
    /// # Errors
    /// Names the tensor that cannot be read or stored.
    pub fn next_file(&mut self) -> Result<Option<WeightsFile>, ImportError> {
        while self.ready.is_empty() {
            let Some(packer) = &mut self.packer else {
                return Ok(None);
            };
            match self.checkpoint.report.kept.get(self.next) {
                Some(name) => {
                    let mut tensor = self
                        .checkpoint
                        .file
                        .read_tensor(name, &self.checkpoint.tensors[name])?;
                    if name == LATENT_AVG {
                        broadcast(&mut tensor, self.checkpoint.config.styles());
                    }
                    if let Some(style) = self.modulations.get(name) {
                        let explorers = self.explorers.iter_mut();
                        explorers
                            .filter(|e| e.covers(*style))
                            .for_each(|e| e.gram.add(&tensor.values));
                    }
                    let dtype = self.dtype.for_tensor(name, &tensor.shape);
                    self.ready.extend(packer.push(&tensor, dtype)?);
                    self.next += 1;
                }
                None => self.finish()?,
            }
        }
        Ok(self.ready.pop_front())
    }

    /// Tensors converted so far and in all.
    pub fn progress(&self) -> (usize, usize) {
        (self.next, self.checkpoint.report.kept.len())
    }

    /// Adds the explored directions and writes the manifest.
    fn finish(&mut self) -> Result<(), ImportError> {
        let Some(mut packer) = self.packer.take() else {
            return Ok(());
        };
        let mut directions = Vec::new();
        for (direction, tensor) in self.explorers.iter().flat_map(Explorer::directions) {
            self.ready.extend(packer.push(&tensor, Dtype::F32)?);
            directions.push(direction);
        }
        let packed = packer.finish()?;
        self.ready.extend(packed.last_shard);
        let (name, title) = match self.checkpoint.kind {
            Kind::Face => ("sdic-face", "SDIC face model, imported"),
            Kind::Cars => ("sdic-cars", "SDIC car model, imported"),
            Kind::Other => ("sdic-custom", "SDIC model, imported"),
        };
        let manifest = Manifest {
            format: FORMAT,
            name: name.to_owned(),
            title: title.to_owned(),
            config: self.checkpoint.config.clone(),
            tensors: packed.tensors,
            shards: packed.shards,
            directions,
            face_shape: None,
            provenance: "Imported from a checkpoint supplied by the user".to_owned(),
            licence: "Not stated in the checkpoint; the terms of its authors apply".to_owned(),
            model_card: None,
            samples: Vec::new(),
            extra: serde_json::Map::new(),
        };
        self.ready.push_back(WeightsFile {
            name: MANIFEST_FILE.to_owned(),
            bytes: manifest.to_json()?,
        });
        Ok(())
    }
}

/// Repeats a single mean style for every style.
fn broadcast(latent_avg: &mut Tensor, styles: usize) {
    let width = latent_avg.shape.last().copied().unwrap_or(1);
    if latent_avg.values.len() == width {
        latent_avg.values = latent_avg.values.repeat(styles);
    }
    latent_avg.shape = vec![styles, width];
}

/// Finds directions without supervision over one range of styles.
struct Explorer {
    name: &'static str,
    styles: [usize; 2],
    gram: Gram,
}

impl Explorer {
    /// Directions found per range.
    const COUNT: usize = 3;
    /// Strengths offered: a few times the usual distance between two faces along one direction, both ways.
    const RANGE: [f32; 2] = [-8.0, 8.0];

    /// The ranges that SeFa separates: coarse shape, parts, and colour.
    fn all(styles: usize, width: usize) -> Vec<Self> {
        [
            ("coarse", [0, 2]),
            ("middle", [2, 6]),
            ("fine", [6, styles]),
        ]
        .into_iter()
        .filter(|(_, [first, end])| first < end && *end <= styles)
        .map(|(name, styles)| Self {
            name,
            styles,
            gram: Gram::new(width),
        })
        .collect()
    }

    fn covers(&self, style: usize) -> bool {
        (self.styles[0]..self.styles[1]).contains(&style)
    }

    fn directions(&self) -> Vec<(Direction, Tensor)> {
        let vectors = self.gram.top_eigenvectors(Self::COUNT).into_iter();
        let numbered = vectors.enumerate().map(|(index, values)| {
            let name = format!("{}-{}", self.name, index + 1);
            let tensor = Tensor {
                name: format!("directions.{name}"),
                shape: vec![1, values.len()],
                values,
            };
            let mut label = format!("{} {}", self.name, index + 1);
            label[..1].make_ascii_uppercase();
            let direction = Direction {
                name,
                label,
                group: "Explore".to_owned(),
                kind: DirectionKind::Linear {
                    tensor: tensor.name.clone(),
                },
                motion: None,
                change: None,
                shown: None,
                range: Self::RANGE,
                styles: self.styles,
            };
            (direction, tensor)
        });
        numbered.collect()
    }
}

/// Imports a checkpoint file as a new weights directory `out`, which appears complete or not at all. `progress` hears how
/// many tensors of how many have been converted.
///
/// # Errors
/// As [`Checkpoint::open`] and [`Conversion::next_file`]; `out` exists; or the file system's reason.
pub fn import_checkpoint(
    checkpoint: &Path,
    out: &Path,
    dtype: Dtype,
    mut progress: impl FnMut(usize, usize),
) -> Result<Report, ImportError> {
    let mut convert = || {
        let opened = Checkpoint::open(BufReader::new(File::open(checkpoint)?))?;
        let report = opened.report().clone();
        let staged = StagedDir::create(out)?;
        let mut conversion = opened.convert(dtype);
        while let Some(file) = conversion.next_file()? {
            staged.write(&file)?;
            let (done, total) = conversion.progress();
            progress(done, total);
        }
        staged.commit()?;
        Ok(report)
    };
    convert().map_err(|error: ImportError| error.in_file(checkpoint))
}
