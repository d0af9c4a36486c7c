//! Edit directions from files: InterFaceGAN vectors and GANSpace bases.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use safetensors::SafeTensors;

use super::error::ImportError;
use super::npy::{self, read_npy};
use super::pickle::{TensorRef, Value};
use super::torch_file::TorchFile;
use crate::config::ModelConfig;
use crate::weights::{
    Direction, DirectionKind, Dtype, Manifest, ShardPacker, Tensor, WeightsDir, WeightsFile, list,
};

/// Largest file with directions that is read, far above the few megabytes of a whole basis.
const MAX_FILE_BYTES: u64 = 32_000_000;
/// Most values in the tensors of one file, whose views may repeat what is stored once.
const MAX_VALUES: usize = 8 << 20;

/// Content of a file with directions.
#[derive(Clone, Debug, PartialEq)]
pub enum DirectionFile {
    /// One direction for all styles, `[1, style_dim]`, or one per style, `[styles, style_dim]`.
    Linear(Tensor),
    /// Principal components of the style space.
    Basis {
        /// Components, `[n, 1, style_dim]`.
        comp: Tensor,
        /// Mean style, `[1, style_dim]`.
        mean: Tensor,
        /// Standard deviation along each component, `[n]`.
        std: Tensor,
    },
}

impl DirectionFile {
    /// Reads a file of `torch.save`, of safetensors or of `numpy.save`. It holds either one tensor (bare, or alone in a
    /// dictionary) of shape `[D]`, `[1, D]` or `[styles, D]`, or tensors `mean`, `comp` and `std`, whose names may have a
    /// prefix ending in a dot.
    ///
    /// # Errors
    /// The file cannot be read, is larger than 32 MB, or holds other tensors or values that are not finite.
    pub fn read<R: Read + Seek>(mut reader: R) -> Result<Self, ImportError> {
        let length = reader.seek(SeekFrom::End(0))?;
        if length > MAX_FILE_BYTES {
            return Err(ImportError::Content(format!(
                "has {} MB; a file with directions has at most {} MB",
                length / 1_000_000,
                MAX_FILE_BYTES / 1_000_000
            )));
        }
        let mut start = Vec::new();
        reader.rewind()?;
        reader.by_ref().take(9).read_to_end(&mut start)?;
        let tensors = match start.get(8) {
            _ if start.starts_with(npy::MAGIC) => vec![read_npy(reader)?],
            Some(b'{') => read_safetensors(reader)?,
            _ => read_torch(reader)?,
        };
        for tensor in &tensors {
            check_finite(tensor)?;
        }
        Self::recognise(tensors)
    }

    /// The directions in the file, named, and the tensors that they use.
    ///
    /// # Errors
    /// They are made for a model of other sizes, or would change nothing.
    pub fn into_directions(
        self,
        config: &ModelConfig,
        naming: &Naming,
    ) -> Result<(Vec<Tensor>, Vec<Direction>), ImportError> {
        let (width, styles, name) = (config.style_dim, config.styles(), &naming.name);
        match self {
            Self::Linear(mut tensor) => {
                if tensor.shape != [1, width] && tensor.shape != [styles, width] {
                    return Err(other_model(
                        &tensor,
                        &format!("[1, {width}] or [{styles}, {width}]"),
                    ));
                }
                if tensor.values.iter().all(|&value| value == 0.0) {
                    let problem = "is zero throughout and would change nothing";
                    return Err(ImportError::tensor(&tensor.name, problem));
                }
                tensor.name = format!("directions.{name}");
                let direction = Direction {
                    name: name.clone(),
                    label: naming.label.clone(),
                    group: naming.group.clone(),
                    kind: DirectionKind::Linear {
                        tensor: tensor.name.clone(),
                    },
                    motion: None,
                    change: None,
                    shown: None,
                    range: naming.range,
                    styles: [0, styles],
                };
                Ok((vec![tensor], vec![direction]))
            }
            Self::Basis {
                mut comp,
                mut mean,
                mut std,
            } => {
                if comp.shape.last() != Some(&width) {
                    return Err(other_model(&comp, &format!("[n, 1, {width}]")));
                }
                let directions = basis_directions(config, name, std.values.len());
                comp.name = format!("{name}.comp");
                mean.name = format!("{name}.mean");
                std.name = format!("{name}.std");
                Ok((vec![comp, mean, std], directions))
            }
        }
    }

    fn recognise(mut tensors: Vec<Tensor>) -> Result<Self, ImportError> {
        let mut part = |name: &str| {
            let is_part = |t: &Tensor| t.name == name || t.name.ends_with(&format!(".{name}"));
            let index = tensors.iter().position(is_part)?;
            Some(tensors.swap_remove(index))
        };
        match (part("comp"), part("mean"), part("std")) {
            (Some(comp), Some(mean), Some(std)) => Self::basis(comp, mean, std),
            (None, None, None) if tensors.len() == 1 => Self::linear(tensors.remove(0)),
            (comp, mean, std) => {
                let found = [comp, mean, std].into_iter().flatten().chain(tensors);
                let names: Vec<_> = found.map(|tensor| tensor.name).collect();
                Err(ImportError::Content(format!(
                    "neither one direction nor a basis of comp, mean and std; tensors found: {}",
                    list(&names)
                )))
            }
        }
    }

    fn linear(mut tensor: Tensor) -> Result<Self, ImportError> {
        let inner = tensor.shape.iter().position(|&side| side != 1).unwrap_or(0);
        tensor.shape = match tensor.shape[inner..] {
            [width] => vec![1, width],
            [styles, width] => vec![styles, width],
            _ => {
                return Err(ImportError::tensor(
                    &tensor.name,
                    format!(
                        "has shape {:?} instead of [1, width] or [styles, width]",
                        tensor.shape
                    ),
                ));
            }
        };
        Ok(Self::Linear(tensor))
    }

    fn basis(mut comp: Tensor, mut mean: Tensor, mut std: Tensor) -> Result<Self, ImportError> {
        let (count, width) = (std.values.len(), mean.values.len());
        if count == 0 || comp.values.len() != count * width || comp.shape.first() != Some(&count) {
            return Err(ImportError::tensor(
                &comp.name,
                format!(
                    "shape {:?} does not go with mean {:?} and std {:?}; [n, 1, width], [1, width] and [n] do",
                    comp.shape, mean.shape, std.shape
                ),
            ));
        }
        if let Some(index) = std.values.iter().position(|&value| value <= 0.0) {
            return Err(ImportError::tensor(
                &std.name,
                format!(
                    "value {index} is {}; standard deviations are positive",
                    std.values[index]
                ),
            ));
        }
        comp.shape = vec![count, 1, width];
        mean.shape = vec![1, width];
        std.shape = vec![count];
        Ok(Self::Basis { comp, mean, std })
    }
}

fn other_model(tensor: &Tensor, expected: &str) -> ImportError {
    let shape = &tensor.shape;
    let problem =
        format!("has shape {shape:?} instead of {expected}; take one made for this model");
    ImportError::tensor(&tensor.name, problem)
}

fn check_finite(tensor: &Tensor) -> Result<(), ImportError> {
    match tensor.values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => Err(ImportError::tensor(
            &tensor.name,
            format!(
                "value {index} is {}, which is not a finite number",
                tensor.values[index]
            ),
        )),
    }
}

fn read_torch<R: Read + Seek>(reader: R) -> Result<Vec<Tensor>, ImportError> {
    let mut file = TorchFile::open(reader).map_err(|error| match error {
        ImportError::UnknownFormat { .. } => ImportError::UnknownFormat { directions: true },
        error => error,
    })?;
    let root = file.root();
    let refs: Vec<_> = match (root.tensor(), root.entries()) {
        (Some(tensor), _) => vec![("direction".to_owned(), tensor.clone())],
        (None, Some(entries)) => entries
            .filter_map(|(name, value)| {
                Some((name.text()?.to_owned(), Value::tensor(value)?.clone()))
            })
            .collect(),
        (None, None) => {
            return Err(ImportError::Content(format!(
                "holds {} instead of a tensor or a dictionary of tensors",
                root.kind()
            )));
        }
    };
    let count = |tensor: &TensorRef| {
        tensor
            .shape
            .iter()
            .fold(1, |n: usize, &side| n.saturating_mul(side))
    };
    let values = refs.iter().fold(0, |sum: usize, (_, tensor)| {
        sum.saturating_add(count(tensor))
    });
    if values > MAX_VALUES {
        return Err(ImportError::Content(format!(
            "holds {values} values; a file with directions has at most {MAX_VALUES}"
        )));
    }
    refs.iter()
        .map(|(name, tensor)| file.read_tensor(name, tensor))
        .collect()
}

fn read_safetensors<R: Read + Seek>(mut reader: R) -> Result<Vec<Tensor>, ImportError> {
    let mut bytes = Vec::new();
    reader.rewind()?;
    reader.read_to_end(&mut bytes)?;
    let contents = SafeTensors::deserialize(&bytes).map_err(|problem| {
        ImportError::Content(format!("not a valid safetensors file: {problem}"))
    })?;
    let mut tensors = Vec::new();
    for (name, view) in contents.iter() {
        if view.dtype() != safetensors::Dtype::F32 {
            return Err(ImportError::tensor(
                name,
                format!("is {:?}; directions are read as F32", view.dtype()),
            ));
        }
        let values = view.data().chunks_exact(4);
        tensors.push(Tensor {
            name: name.to_owned(),
            shape: view.shape().to_vec(),
            values: values
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
        });
    }
    Ok(tensors)
}

/// How an imported direction appears. For a basis only the name counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Naming {
    /// Name in commands: letters, digits, dot, dash and underscore.
    pub name: String,
    /// Name for people.
    pub label: String,
    /// Heading under which it is shown.
    pub group: String,
    /// Smallest and largest strength offered.
    pub range: [f32; 2],
}

impl Naming {
    /// The usual label, group and range of a direction of this name. Ranges of the published directions are those in
    /// common use: age 10, smile 5, rotation 7, both ways.
    pub fn new(name: &str) -> Self {
        let (label, group, limit) = match name {
            "age" => ("Age", "Age & identity", 10.0),
            "smile" => ("Smile", "Expression", 5.0),
            "pose" | "rotation" => ("Pose", "Pose", 7.0),
            other => (other, "Explore", 5.0),
        };
        let mut label = label.replace(['-', '_'], " ");
        if let Some(first) = label.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        Self {
            name: name.to_owned(),
            label,
            group: group.to_owned(),
            range: [-limit, limit],
        }
    }

    /// Named after a file: `Smile.pt` is `smile`.
    pub fn of_file(path: &Path) -> Self {
        let stem = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        Self::new(&stem.chars().map(plain).collect::<String>())
    }
}

/// A published edit on a GANSpace basis: component, styles from and to (exclusive), and the strength it is used with.
struct Preset {
    name: &'static str,
    label: &'static str,
    group: &'static str,
    component: usize,
    styles: [usize; 2],
    strength: f32,
}

/// Edits published with the code for the face model.
const FACE_PRESETS: [Preset; 3] = [
    Preset {
        name: "eyes",
        label: "Eyes",
        group: "Face",
        component: 54,
        styles: [7, 8],
        strength: 20.0,
    },
    Preset {
        name: "beard",
        label: "Beard",
        group: "Face",
        component: 58,
        styles: [7, 9],
        strength: -20.0,
    },
    Preset {
        name: "lip",
        label: "Lip",
        group: "Face",
        component: 34,
        styles: [10, 11],
        strength: 20.0,
    },
];

/// Edits published with the code for the car model; "left" and "right" are the two ends of "turn".
const CAR_PRESETS: [Preset; 4] = [
    Preset {
        name: "turn",
        label: "Turn",
        group: "Pose",
        component: 0,
        styles: [0, 5],
        strength: 2.0,
    },
    Preset {
        name: "cube",
        label: "Cube",
        group: "Car",
        component: 16,
        styles: [3, 6],
        strength: 25.0,
    },
    Preset {
        name: "colour",
        label: "Colour",
        group: "Car",
        component: 22,
        styles: [9, 11],
        strength: -8.0,
    },
    Preset {
        name: "grass",
        label: "Grass",
        group: "Car",
        component: 41,
        styles: [9, 11],
        strength: -18.0,
    },
];

/// Components of a basis that are offered as they are.
const EXPLORED_COMPONENTS: usize = 8;
/// Standard deviations to which they go.
const EXPLORED_RANGE: f32 = 4.0;

pub(super) fn basis_directions(config: &ModelConfig, basis: &str, count: usize) -> Vec<Direction> {
    let styles = config.styles();
    let presets: &[Preset] = match (styles, config.crop) {
        (18, None) => &FACE_PRESETS,
        (16, Some(_)) => &CAR_PRESETS,
        _ => &[],
    };
    let kind = |component| DirectionKind::Ganspace {
        basis: basis.to_owned(),
        component,
    };
    let published = presets
        .iter()
        .filter(|p| p.component < count)
        .map(|preset| Direction {
            name: preset.name.to_owned(),
            label: preset.label.to_owned(),
            group: preset.group.to_owned(),
            kind: kind(preset.component),
            motion: None,
            change: None,
            shown: None,
            range: [-preset.strength.abs(), preset.strength.abs()],
            styles: preset.styles,
        });
    let explored = (0..count.min(EXPLORED_COMPONENTS)).map(|component| Direction {
        name: format!("{basis}-{component}"),
        label: format!("Component {component}"),
        group: "Explore".to_owned(),
        kind: kind(component),
        motion: None,
        change: None,
        shown: None,
        range: [-EXPLORED_RANGE, EXPLORED_RANGE],
        styles: [0, styles],
    });
    published.chain(explored).collect()
}

/// Adds a direction, or a basis with its published edits and first components, to a model: the new shards and the new
/// manifest, which the caller writes in this order.
///
/// # Errors
/// The name is taken or unusable, or the tensors do not fit the model.
pub fn add_directions(
    manifest: &Manifest,
    file: DirectionFile,
    naming: &Naming,
) -> Result<(Vec<WeightsFile>, Manifest), ImportError> {
    let (tensors, directions) = file.into_directions(&manifest.config, naming)?;
    let taken = |new: &Direction| manifest.directions.iter().any(|old| old.name == new.name);
    if let Some(direction) = directions.iter().find(|direction| taken(direction)) {
        return Err(ImportError::Content(format!(
            "the model has a direction \"{}\" already; choose another name",
            direction.name
        )));
    }
    let mut packer = ShardPacker::extending("directions", manifest.shards.len());
    let mut files = Vec::new();
    for tensor in &tensors {
        files.extend(packer.push(tensor, Dtype::F32)?);
    }
    let packed = packer.finish()?;
    files.extend(packed.last_shard);
    let mut manifest = manifest.clone();
    manifest.tensors.extend(packed.tensors);
    manifest.shards.extend(packed.shards);
    manifest.directions.extend(directions);
    // The same checks as when it is written: an unusable name, for example, is refused here.
    manifest.to_json()?;
    Ok((files, manifest))
}

/// Adds the direction or basis in a file to an existing weights directory; returns the names of the new directions.
///
/// # Errors
/// As [`DirectionFile::read`] and [`add_directions`], or the file system's reason; the directory is unchanged then.
pub fn import_directions(
    path: &Path,
    dir: &Path,
    naming: &Naming,
) -> Result<Vec<String>, ImportError> {
    let mut dir = WeightsDir::open(dir)?;
    let add = || {
        let file = DirectionFile::read(BufReader::new(File::open(path)?))?;
        add_directions(dir.manifest(), file, naming)
    };
    let (files, manifest) = add().map_err(|error| error.in_file(path))?;
    let old = dir.manifest().directions.len();
    let names = manifest.directions[old..]
        .iter()
        .map(|d| d.name.clone())
        .collect();
    dir.extend(&files, manifest)?;
    Ok(names)
}
