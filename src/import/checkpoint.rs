//! Checkpoints of SDIC, e4e and pSp as their authors release them,
//! `{"state_dict": ..., "latent_avg": ..., "opts": ...}`, and of StyleGAN2 generators, `{"g_ema": ...}`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use super::error::ImportError;
use super::pickle::{TensorRef, Value};
use super::recognise::{CheckpointKind, DECODER, depicts, is_generator, other_model, recognise};
use super::sefa::Gram;
use super::torch_file::TorchFile;
use super::tree::{Budget, leaves};
use crate::config::ModelConfig;
use crate::networks::{mean_style, modulations, tensor_shapes};
use crate::weights::{
    Depicts, Direction, DirectionKind, Dtype, EXPLORE, FORMAT, MANIFEST_FILE, Manifest,
    ShardPacker, StagedDir, Tensor, WeightsFile, list,
};

/// Name of the mean style vector, which is stored beside the networks.
const LATENT_AVG: &str = "latent_avg";
/// A tensor of every model, whose name shows what stands before the names.
const ANCHOR: &str = "encoder.styles.0.linear.weight";
/// Parts that wrappers of PyTorch put into names, at any place.
const WRAPPERS: [&str; 6] = [
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
    "_forward_module",
    "state_dict",
];
/// What the names of a generator alone begin with, the averaged one of a training first.
const GENERATORS: [&str; 2] = ["g_ema.", ""];
/// What the names of the mapping network begin with, and its layers.
const MAPPING: &str = "decoder.style.";
const MAPPING_LAYERS: usize = 8;
/// Most models that are looked for in one file.
const MAX_MODELS: usize = 16;

/// A checkpoint whose tensors have been checked against the networks; none has been read yet.
pub struct Checkpoint<R> {
    file: TorchFile<R>,
    kind: CheckpointKind,
    config: ModelConfig,
    depicts: Option<Depicts>,
    tensors: HashMap<String, TensorRef>,
    report: Report,
}

/// What becomes of the tensors of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Names of the tensors that the networks use, in the order of the weights.
    pub kept: Vec<String>,
    /// Names of all others in order, and why they are left out.
    pub dropped: Vec<(String, DropReason)>,
    /// Whether what an inversion loses is put back; not so in models of e4e and pSp.
    pub compensates: bool,
    /// Whether there is an encoder; without one the model takes no photo, and draws faces.
    pub inverts: bool,
}

/// Why a tensor is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// `lpips_loss.*` and `id_loss.*`.
    TrainingLoss,
    /// Layers in the file that the forward pass never runs.
    NeverRun,
    /// A mapping network that is not whole; needed only to draw new pictures.
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
            Self::Mapping => "part of a mapping network that is not whole",
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
        } else if name.starts_with(MAPPING) {
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
    /// The tensors are those of `state_dict`, or of any dictionary where all of the model's are. What wrappers such as
    /// `module.` put before or into their names is left out if every name that the model needs is there then.
    ///
    /// The model is the one whose configuration is in `opts["config"]` as JSON or, without that, the face or the car
    /// model by its number of style heads; with the heads of the car model but another data set in `opts`, it is a
    /// model of the same size whose picture is the whole square. A checkpoint without DIPN and DICN is a model of e4e
    /// or of pSp, as `opts["encoder_type"]` tells, and compensates nothing. A file without an encoder may be a StyleGAN2
    /// generator, under `g_ema` or as it is; its average style is computed if it is not there.
    ///
    /// # Errors
    /// The file cannot be read, is no SDIC checkpoint, contradicts itself, or lacks tensors, which are named.
    pub fn open(reader: R) -> Result<Self, ImportError> {
        let mut file = TorchFile::open(reader)?;
        let Model {
            kind,
            config,
            depicts,
            tensors,
            report,
        } = find_model(file.root())?;
        for (name, _) in report.dropped.iter().filter(|(name, _)| is_kernel(name)) {
            let tensor = &tensors[name];
            // A kernel of another shape need not be read, however large it claims to be.
            let kernel = (tensor.shape == [4, 4]).then(|| file.read_tensor(name, tensor));
            check_kernel(name, kernel.transpose()?)?;
        }
        Ok(Self {
            file,
            kind,
            config,
            depicts,
            tensors,
            report,
        })
    }

    /// Sizes of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// What the pictures of the model show, if the checkpoint tells.
    pub fn depicts(&self) -> Option<Depicts> {
        self.depicts
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
            modulations: modulations(&self.config)
                .into_iter()
                .map(|(style, name)| (name, style))
                .collect(),
            explorers: Explorer::all(styles, self.config.style_dim),
            checkpoint: self,
        }
    }

    /// The average style of a generator alone, by its mapping network.
    fn mean_style(&mut self) -> Result<Tensor, ImportError> {
        let mut mapping = HashMap::new();
        for name in &self.report.kept {
            if name.starts_with(MAPPING) {
                let tensor = self.file.read_tensor(name, &self.tensors[name])?;
                mapping.insert(name.clone(), tensor.values);
            }
        }
        let values = mean_style(self.config.style_dim, mapping);
        let values = values.filter(|values| values.iter().all(|value| value.is_finite()));
        let values = values.ok_or_else(|| {
            let problem = "cannot be computed from the mapping network";
            ImportError::tensor(LATENT_AVG, problem)
        })?;
        Ok(Tensor {
            name: LATENT_AVG.to_owned(),
            shape: vec![values.len()],
            values,
        })
    }
}

/// A model in a file.
#[derive(PartialEq)]
struct Model {
    kind: CheckpointKind,
    config: ModelConfig,
    depicts: Option<Depicts>,
    tensors: HashMap<String, TensorRef>,
    report: Report,
}

/// Looks for the model under names as they are, and then without what wrappers put into them.
fn find_model(root: Value<'_>) -> Result<Model, ImportError> {
    let plain = leaves(root)?;
    let unwrapped: Vec<_> = plain
        .iter()
        .map(|(path, value)| (unwrap_name(path), *value))
        .collect();
    let mut first_error = None;
    let mut budget = Budget::of(root);
    for leaves in [&plain, &unwrapped] {
        let mut models = Vec::new();
        for prefix in prefixes(leaves) {
            let paths = leaves.iter().map(|(path, _)| path);
            for path in paths.filter(|path| path.starts_with(prefix)) {
                budget.take(path.len())?;
            }
            match Model::under(prefix, leaves, &plain) {
                Ok(model) => models.push((prefix, model)),
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        if let Some(model) = choose(models)? {
            return Ok(model);
        }
    }
    if let Some(error) = first_error {
        return Err(error);
    }
    for leaves in [&plain, &unwrapped] {
        let has = |name: &str| {
            leaves
                .iter()
                .any(|(path, value)| path == name && value.tensor().is_some())
        };
        let mut prefixes = GENERATORS.iter();
        let prefix = prefixes.find(|prefix| is_generator(|name| has(&format!("{prefix}{name}"))));
        if let Some(prefix) = prefix {
            for (path, _) in leaves.iter().filter(|(path, _)| path.starts_with(prefix)) {
                budget.take(path.len() + DECODER.len())?;
            }
            let (leaves, plain) = (decoder_of(prefix, leaves), decoder_of(prefix, &plain));
            return Model::under("", &leaves, &plain);
        }
    }
    Err(no_model(root))
}

/// Leaves with the names that a generator under `prefix` has in the checkpoints of models.
fn decoder_of<'a>(prefix: &str, leaves: &[(String, Value<'a>)]) -> Vec<(String, Value<'a>)> {
    let named = |(path, value): &(String, Value<'a>)| {
        let name = match path.strip_prefix(prefix) {
            Some(name) if path != LATENT_AVG => format!("{DECODER}{name}"),
            _ => path.clone(),
        };
        (name, *value)
    };
    leaves.iter().map(named).collect()
}

/// A path without the parts that only wrappers add.
fn unwrap_name(path: &str) -> String {
    let parts = path.split('.').filter(|part| !WRAPPERS.contains(part));
    parts.collect::<Vec<_>>().join(".")
}

/// What stands before the names of models, `state_dict` first.
fn prefixes<'a>(leaves: &'a [(String, Value<'_>)]) -> Vec<&'a str> {
    let before = |(path, _): &'a (String, Value<'_>)| {
        let prefix = path.strip_suffix(ANCHOR)?;
        (prefix.is_empty() || prefix.ends_with('.')).then_some(prefix)
    };
    let mut found: Vec<_> = leaves.iter().filter_map(before).collect();
    found.sort_by_key(|prefix| (!in_state_dict(prefix), prefix.len()));
    found.dedup();
    found.truncate(MAX_MODELS);
    found
}

fn in_state_dict(prefix: &str) -> bool {
    prefix.starts_with("state_dict.")
}

/// The only model, or the only one in `state_dict`.
fn choose(mut models: Vec<(&str, Model)>) -> Result<Option<Model>, ImportError> {
    if models.iter().any(|(prefix, _)| in_state_dict(prefix)) {
        models.retain(|(prefix, _)| in_state_dict(prefix));
    }
    let mut models = models.into_iter();
    let Some((prefix, model)) = models.next() else {
        return Ok(None);
    };
    let others: Vec<_> = models
        .filter(|(_, other)| *other != model)
        .map(|(prefix, _)| prefix)
        .collect();
    if others.is_empty() {
        return Ok(Some(model));
    }
    let names: Vec<_> = std::iter::once(prefix)
        .chain(others)
        .map(|prefix| format!("\"{}\"", prefix.trim_end_matches('.').escape_debug()))
        .collect();
    Err(ImportError::Content(format!(
        "holds {} models, {}; save the one to use by itself",
        names.len(),
        list(&names)
    )))
}

/// Why nothing in the file can be a model.
fn no_model(root: Value<'_>) -> ImportError {
    let state = root.get("state_dict");
    if let Some(other) = other_model(root) {
        return other;
    }
    if let Some(object) = root
        .refusal()
        .or_else(|| state.and_then(|state| state.refusal()))
    {
        return object.into();
    }
    ImportError::Content(match state.map(|state| state.entries().is_some()) {
        Some(true) => {
            "state_dict: no style heads \"encoder.styles.*\": not an SDIC checkpoint".to_owned()
        }
        _ => "no dictionary \"state_dict\": not an SDIC checkpoint".to_owned(),
    })
}

impl Model {
    /// The model whose names are those of `leaves` after `prefix`; `plain` are the names in the file. Mean style and
    /// options lie beside it or further out.
    fn under(
        prefix: &str,
        leaves: &[(String, Value<'_>)],
        plain: &[(String, Value<'_>)],
    ) -> Result<Self, ImportError> {
        let mut values = HashMap::new();
        let mut origins: HashMap<&str, &str> = HashMap::new();
        for ((path, value), (origin, _)) in leaves.iter().zip(plain) {
            let Some(name) = path.strip_prefix(prefix) else {
                continue;
            };
            // Of a key that is set repeatedly the last counts, but two names are two tensors.
            let (old, other) = (values.insert(name, *value), origins.insert(name, origin));
            if let (Some(old), Some(other)) = (old, other)
                && other != origin
                && old.tensor() != value.tensor()
            {
                let problem = format!("is there twice, as \"{other}\" and as \"{origin}\"");
                return Err(ImportError::tensor(name, problem));
            }
        }
        if let Some(latent_avg) = outside(prefix, LATENT_AVG, leaves) {
            values.insert(LATENT_AVG, latent_avg);
        }
        let opts = outside(prefix, "opts", leaves);
        let (kind, mut config) = recognise(opts, &values)?;
        if config.mapping_layers == 0 {
            config.mapping_layers = mapping_layers(&config, &values);
        }
        if config.inverts() && !values.contains_key(LATENT_AVG) {
            return Err(ImportError::Content(
                "no tensor \"latent_avg\", the average style that codes count from".to_owned(),
            ));
        }
        for (name, _) in tensor_shapes(&config) {
            if let Some(value) = values.get(name.as_str())
                && value.tensor().is_none()
            {
                let problem = format!("is {} instead of a tensor", value.kind());
                return Err(ImportError::tensor(&name, problem));
            }
        }
        let tensors = values
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.tensor()?.clone())))
            .collect();
        let report = check_tensors(&config, &tensors)?;
        Ok(Self {
            kind,
            config,
            depicts: depicts(opts),
            tensors,
            report,
        })
    }
}

/// What has this name in the nearest dictionary around those under `prefix`, or is the only one of its name in the
/// file.
fn outside<'a>(prefix: &str, name: &str, leaves: &[(String, Value<'a>)]) -> Option<Value<'a>> {
    let at = |path: &str| {
        let found = leaves.iter().rev().find(|(other, _)| other == path);
        found.map(|(_, value)| *value)
    };
    let mut around = prefix;
    while let Some(dot) = around.trim_end_matches('.').rfind('.') {
        around = &around[..=dot];
        if let Some(found) = at(&format!("{around}{name}")) {
            return Some(found);
        }
    }
    at(name)
        .or_else(|| at(&format!("{prefix}{name}")))
        .or_else(|| {
            let mut named = leaves.iter().filter(|(path, _)| {
                path.strip_suffix(name)
                    .is_some_and(|before| before.ends_with('.'))
            });
            let only = named.next()?;
            named.next().is_none().then_some(only.1)
        })
}

/// Layers of the mapping network, from which faces are drawn to find sliders; 0 if the file has not all of them.
fn mapping_layers(config: &ModelConfig, tensors: &HashMap<&str, Value<'_>>) -> usize {
    let whole = ModelConfig {
        mapping_layers: MAPPING_LAYERS,
        ..config.clone()
    };
    let is_mapping = |(name, _): &(String, Vec<usize>)| name.starts_with(MAPPING);
    let mut layers = tensor_shapes(&whole).into_iter().filter(is_mapping);
    let has = |(name, shape): (String, Vec<usize>)| {
        let tensor = tensors.get(name.as_str()).and_then(|value| value.tensor());
        tensor.is_some_and(|tensor| tensor.shape == shape)
    };
    if layers.all(has) { MAPPING_LAYERS } else { 0 }
}

/// Compares names and shapes with those of the networks.
fn check_tensors(
    config: &ModelConfig,
    tensors: &HashMap<String, TensorRef>,
) -> Result<Report, ImportError> {
    let mut report = Report {
        compensates: config.compensates(),
        inverts: config.inverts(),
        ..Report::default()
    };
    let mut missing = Vec::new();
    for (name, expected) in tensor_shapes(config) {
        let Some(tensor) = tensors.get(&name) else {
            // That of a generator alone is computed.
            match name == LATENT_AVG && !config.inverts() {
                true => report.kept.push(name),
                false => missing.push(name),
            }
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
fn check_kernel(name: &str, kernel: Option<Tensor>) -> Result<(), ImportError> {
    const TAPS: [f32; 4] = [1.0, 3.0, 3.0, 1.0];
    let expected = TAPS
        .iter()
        .flat_map(|row| TAPS.map(|column| row * column / 16.0));
    let same = kernel.is_some_and(|kernel| {
        let mut pairs = kernel.values.iter().zip(expected);
        pairs.all(|(a, b)| (a - b).abs() < 1e-4)
    });
    match same {
        true => Ok(()),
        false => Err(ImportError::tensor(
            name,
            "is another blur than [1, 3, 3, 1]; this generator cannot be run",
        )),
    }
}

/// A conversion in progress. Holds one tensor and one shard.
///
/// Files come out one by one, so that the caller can write them however it must, also asynchronously; the manifest is
/// the last, and without it the rest is not a weights directory.
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
            match self.checkpoint.report.kept.get(self.next).cloned() {
                Some(name) => {
                    let mut tensor = match self.checkpoint.tensors.get(&name) {
                        Some(tensor) => self.checkpoint.file.read_tensor(&name, tensor)?,
                        None => self.checkpoint.mean_style()?,
                    };
                    if name == LATENT_AVG {
                        broadcast(&mut tensor, self.checkpoint.config.styles());
                    }
                    if let Some(style) = self.modulations.get(&name) {
                        let explorers = self.explorers.iter_mut();
                        explorers
                            .filter(|e| e.covers(*style))
                            .for_each(|e| e.gram.add(&tensor.values));
                    }
                    let dtype = self.dtype.for_tensor(&name, &tensor.shape);
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
        let [name, title] = self.checkpoint.kind.names();
        let manifest = Manifest {
            format: FORMAT,
            name: name.to_owned(),
            title: title.to_owned(),
            config: self.checkpoint.config.clone(),
            depicts: self.checkpoint.depicts,
            tensors: packed.tensors,
            shards: packed.shards,
            directions,
            face_shape: None,
            plan_shape: None,
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
                group: EXPLORE.to_owned(),
                folded: true,
                kind: DirectionKind::Linear {
                    tensor: tensor.name.clone(),
                },
                displacements: None,
                change: None,
                turned: None,
                shown: None,
                cover: None,
                range: Self::RANGE,
                styles: self.styles,
            };
            (direction, tensor)
        });
        numbered.collect()
    }
}

/// Imports a checkpoint file as a new weights directory `out`, which appears complete or not at all. `progress` hears
/// how many tensors of how many have been converted.
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
