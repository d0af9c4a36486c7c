//! Edit directions from files: InterFaceGAN vectors, GANSpace bases, and shifts of style channels as StyleCLIP's global
//! directions (Patashnik et al., ICCV 2021) are.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use safetensors::SafeTensors;

use super::archive::Archive;
use super::element::{ByteOrder, Element};
use super::error::ImportError;
use super::format;
use super::npy::{self, MAX_VALUES, read_npy};
use super::pickle::TensorRef;
use super::torch_file::{TorchFile, is_torch};
use super::tree::leaves;
use crate::config::ModelConfig;
use crate::weights::{
    Direction, DirectionKind, Dtype, EXPLORE, Manifest, ShardPacker, Tensor, WeightsDir,
    WeightsFile, list,
};

/// Largest file with directions that is read, far above the few megabytes of a whole basis.
const MAX_FILE_BYTES: u64 = 32_000_000;
/// Names of the three parts of a basis: as this project stores them, and as GANSpace does, for the latent space and
/// with arrays for other layers beside them.
const BASIS_PARTS: [[&str; 3]; 2] = [
    ["comp", "mean", "std"],
    ["lat_comp", "lat_mean", "lat_stdev"],
];

/// Layers of the largest generator that is read, with some to spare.
const MOST_LAYERS: usize = 40;
/// Channels of the widest layer.
const MOST_CHANNELS: usize = 4096;
/// Strengths offered of shifts of style channels: those that StyleCLIP's own sliders offer.
const CHANNELS_RANGE: [f32; 2] = [-10.0, 10.0];

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
    /// What is added to the style channels, layer by layer: of all modulated layers, or of the convolutions among them.
    Channels(Vec<Tensor>),
}

impl DirectionFile {
    /// Reads a file of `torch.save`, of safetensors, of `numpy.save` or of `numpy.savez`. It holds either one tensor
    /// (bare, or the only one of floats) of shape `[D]`, `[1, D]` or `[styles, D]`, or tensors `mean`, `comp` and
    /// `std`, whose names may have a prefix ending in a dot, or `lat_mean`, `lat_comp` and `lat_stdev` of GANSpace;
    /// other things beside them are not looked at. Or a list or dictionary of vectors, one for each layer's style
    /// channels, in the order of the list or of the numbers in their names.
    ///
    /// # Errors
    /// The file cannot be read, is larger than 32 MB, or holds other tensors or values that are not finite.
    pub fn read<R: Read + Seek>(mut reader: R) -> Result<Self, ImportError> {
        let start = format::start(&mut reader)?;
        let mut source = if format::is_zip(&start) {
            let archive = Archive::open(reader)?;
            match is_torch(&archive) {
                true => FileKind::torch(TorchFile::open_zip(archive)?)?,
                false => FileKind::npz(archive)?,
            }
        } else {
            let length = reader.seek(SeekFrom::End(0))?;
            if length > MAX_FILE_BYTES {
                return Err(ImportError::Content(format!(
                    "has {} MB; a file with directions has at most {} MB",
                    length / 1_000_000,
                    MAX_FILE_BYTES / 1_000_000
                )));
            }
            if start.starts_with(npy::MAGIC) {
                FileKind::Npy(read_npy(&read_all(reader)?, "direction")?)
            } else if start.get(8) == Some(&b'{') {
                FileKind::Safetensors(read_all(reader)?)
            } else {
                FileKind::torch(TorchFile::open(reader).map_err(|error| match error {
                    ImportError::UnknownFormat { .. } => format::unknown(&start, true),
                    error => error,
                })?)?
            }
        };
        let names = source.names()?;
        let named = |part: &str| {
            let is_part = |name: &&String| {
                name.strip_suffix(part)
                    .is_some_and(|p| p.is_empty() || p.ends_with('.'))
            };
            names.iter().find(is_part)
        };
        for [comp, mean, std] in BASIS_PARTS.map(|parts| parts.map(named)) {
            if let (Some(comp), Some(mean), Some(std)) = (comp, mean, std) {
                let [comp, mean, std] = source.read([comp, mean, std])?;
                return Self::basis(comp, mean, std);
            }
        }
        match &names[..] {
            [name] => {
                let [tensor] = source.read([name])?;
                Self::linear(tensor)
            }
            _ => {
                let layers = Self::layers(&mut source, &names)?;
                layers.map(Self::Channels).ok_or_else(|| {
                    ImportError::Content(format!(
                        "neither one direction nor a basis of comp, mean and std (or lat_comp, lat_mean and \
                         lat_stdev), nor a vector for each layer; tensors found: {}",
                        list(&names)
                    ))
                })
            }
        }
    }

    /// The tensors of these names in the order of the numbers in them, if all are vectors.
    fn layers<R: Read + Seek>(
        source: &mut FileKind<R>,
        names: &[String],
    ) -> Result<Option<Vec<Tensor>>, ImportError> {
        if !(2..=MOST_LAYERS).contains(&names.len()) {
            return Ok(None);
        }
        let mut names: Vec<&String> = names.iter().collect();
        names.sort_by_cached_key(|name| by_numbers(name));
        let mut layers = Vec::with_capacity(names.len());
        for name in names {
            let [layer] = source.read([name])?;
            let is_vector = layer.shape.iter().filter(|side| **side != 1).count() == 1;
            if !is_vector || layer.values.len() > MOST_CHANNELS {
                return Ok(None);
            }
            layers.push(layer);
        }
        Ok(Some(layers))
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
            Self::Linear(tensor) if is_all_channels(config, &tensor) => {
                Self::Channels(vec![tensor]).into_directions(config, naming)
            }
            Self::Channels(layers) => {
                let tensor = channels_of(config, naming, &layers)?;
                let kind = DirectionKind::StyleSpace {
                    tensor: tensor.name.clone(),
                };
                let direction = naming.direction(kind, CHANNELS_RANGE, styles);
                Ok((vec![tensor], vec![direction]))
            }
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
                let kind = DirectionKind::Linear {
                    tensor: tensor.name.clone(),
                };
                let direction = naming.direction(kind, naming.range, styles);
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

/// Widths of the layers whose style channels a file may hold: all of them, and the convolutions alone. The third of
/// every three makes RGB, and the second of all.
fn layer_widths(config: &ModelConfig) -> [Vec<usize>; 2] {
    let all = config.style_channels();
    let convs = all.iter().enumerate().filter(|(layer, _)| layer % 3 != 1);
    let convs = convs.map(|(_, width)| *width).collect();
    [all, convs]
}

/// Whether a tensor is a vector of all style channels of a model, or of those of its convolutions.
fn is_all_channels(config: &ModelConfig, tensor: &Tensor) -> bool {
    let count = tensor.values.len();
    let is_style = tensor.shape[0] != 1 || count == config.style_dim;
    !is_style
        && layer_widths(config)
            .iter()
            .any(|widths| widths.iter().sum::<usize>() == count)
}

/// Shifts of all style channels, from those of the layers.
fn channels_of(
    config: &ModelConfig,
    naming: &Naming,
    layers: &[Tensor],
) -> Result<Tensor, ImportError> {
    let found: Vec<_> = layers.iter().map(|layer| layer.values.len()).collect();
    let given: Vec<f32> = layers
        .iter()
        .flat_map(|layer| layer.values.iter().copied())
        .collect();
    let [all, convs] = layer_widths(config);
    let fits = |widths: &[usize]| found == widths || found == [widths.iter().sum::<usize>()];
    let values = if fits(&all) {
        given
    } else if fits(&convs) {
        let mut rest = &given[..];
        let mut values = Vec::with_capacity(all.iter().sum());
        for (layer, &width) in all.iter().enumerate() {
            if layer % 3 == 1 {
                values.resize(values.len() + width, 0.0);
            } else {
                let (own, others) = rest.split_at(width);
                values.extend_from_slice(own);
                rest = others;
            }
        }
        values
    } else {
        return Err(ImportError::Content(format!(
            "holds vectors of {found:?} values; the style channels of this model's {} layers are {all:?}, and of its \
             convolutions alone {convs:?}",
            all.len()
        )));
    };
    if values.iter().all(|&value| value == 0.0) {
        return Err(ImportError::Content(
            "is zero throughout and would change nothing".to_owned(),
        ));
    }
    Ok(Tensor {
        name: format!("directions.{}", naming.name),
        shape: vec![values.len()],
        values,
    })
}

/// Sorts names as people do: what is written in digits by its value.
fn by_numbers(name: &str) -> Vec<(u64, String)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let text = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (text, after) = after.split_at(text);
        // What begins with a letter comes before all numbers.
        let number = number
            .parse::<u64>()
            .map_or(0, |number| number.saturating_add(1));
        parts.push((number, text.to_owned()));
        rest = after;
    }
    parts
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

/// An opened file, of which only the tensors that are needed are read.
enum FileKind<R> {
    Npy(Tensor),
    /// Names of its arrays and of their entries.
    Npz(Archive<R>, Vec<(String, String)>),
    Safetensors(Vec<u8>),
    Torch(TorchFile<R>, Vec<(String, TensorRef)>),
}

impl<R: Read + Seek> FileKind<R> {
    fn npz(archive: Archive<R>) -> Result<Self, ImportError> {
        let names = archive.names().into_iter();
        let arrays: Vec<_> = names
            .filter_map(|entry| {
                let hidden = entry.starts_with("__MACOSX/");
                let name = entry.strip_suffix(".npy").filter(|_| !hidden)?;
                Some((name.replace('/', "."), entry.to_owned()))
            })
            .collect();
        if arrays.is_empty() {
            return Err(format::other_archive(&archive.names()));
        }
        Ok(Self::Npz(archive, arrays))
    }

    fn torch(file: TorchFile<R>) -> Result<Self, ImportError> {
        let root = file.root();
        if let Some(tensor) = root.tensor() {
            let tensor = ("direction".to_owned(), tensor.clone());
            return Ok(Self::Torch(file, vec![tensor]));
        }
        if let Some(object) = root.refusal().filter(|_| root.entries().is_none()) {
            return Err(object.into());
        }
        let in_list = root.items().and_then(|items| {
            let tensors = items.take(MOST_LAYERS + 1).enumerate();
            let named = tensors.map(|(i, item)| Some((i.to_string(), item.tensor()?.clone())));
            named.collect::<Option<Vec<_>>>()
        });
        if let Some(tensors) = in_list.filter(|tensors| !tensors.is_empty()) {
            return Ok(Self::Torch(file, tensors));
        }
        if root.entries().is_none() {
            return Err(ImportError::Content(format!(
                "holds {} instead of a tensor or a list or dictionary of tensors",
                root.kind()
            )));
        }
        let leaves = leaves(root)?;
        // Of a key that is set repeatedly the last counts.
        let last: HashMap<_, _> = leaves.iter().map(|(name, value)| (name, value)).collect();
        let mut tensors: Vec<_> = last
            .into_iter()
            .filter_map(|(name, value)| Some((name.clone(), value.tensor()?.clone())))
            .collect();
        tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
        if tensors.is_empty()
            && let Some(object) = leaves.iter().find_map(|(_, value)| value.refusal())
        {
            return Err(object.into());
        }
        Ok(Self::Torch(file, tensors))
    }

    fn names(&self) -> Result<Vec<String>, ImportError> {
        let typed: Vec<(String, Option<Element>)> = match self {
            Self::Npy(tensor) => vec![(tensor.name.clone(), None)],
            Self::Npz(_, arrays) => arrays
                .iter()
                .map(|(name, _)| (name.clone(), None))
                .collect(),
            Self::Safetensors(bytes) => parse_safetensors(bytes)?
                .iter()
                .map(|(name, view)| (name.to_owned(), element(view.dtype())))
                .collect(),
            Self::Torch(_, tensors) => tensors
                .iter()
                .map(|(name, tensor)| (name.clone(), Some(tensor.storage.element)))
                .collect(),
        };
        // Counters and the like beside a direction are whole numbers.
        let is_float = |element: Element| {
            use Element::{Bf16, F8E4M3, F8E5M2, F16, F32, F64};
            matches!(element, F8E4M3 | F8E5M2 | F16 | Bf16 | F32 | F64)
        };
        let mut floats = typed
            .iter()
            .filter(|(_, element)| element.is_some_and(is_float));
        if let (Some((name, _)), None) = (floats.next(), floats.next()) {
            return Ok(vec![name.clone()]);
        }
        let mut names: Vec<_> = typed.into_iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Reads tensors whose names come from [`names`](Self::names) and checks that they are finite.
    fn read<const N: usize>(&mut self, names: [&String; N]) -> Result<[Tensor; N], ImportError> {
        if let Self::Torch(_, tensors) = self {
            let wanted = tensors.iter().filter(|(name, _)| names.contains(&name));
            let count = |tensor: &TensorRef| {
                let sides = tensor.shape.iter();
                sides.fold(1, |n: usize, &side| n.saturating_mul(side))
            };
            let values = wanted.fold(0, |sum: usize, (_, tensor)| {
                sum.saturating_add(count(tensor))
            });
            if values > MAX_VALUES {
                return Err(ImportError::Content(format!(
                    "holds {values} values; a file with directions has at most {MAX_VALUES}"
                )));
            }
        }
        let mut tensors = Vec::with_capacity(N);
        for name in names {
            let tensor = self.read_one(name)?;
            check_finite(&tensor)?;
            tensors.push(tensor);
        }
        let wrong = || ImportError::Content("holds no such tensors".to_owned());
        tensors.try_into().map_err(|_| wrong())
    }

    fn read_one(&mut self, name: &str) -> Result<Tensor, ImportError> {
        let missing = || ImportError::tensor(name, "is missing");
        match self {
            Self::Npy(tensor) => Ok(tensor.clone()),
            Self::Npz(archive, arrays) => {
                let mut arrays = arrays.iter();
                let (_, entry) = arrays.find(|(n, _)| n == name).ok_or_else(missing)?;
                let bytes = archive.read(entry, MAX_FILE_BYTES as usize)?;
                read_npy(&bytes, name).map_err(|error| ImportError::Entry {
                    entry: entry.clone(),
                    problem: error.to_string(),
                })
            }
            Self::Safetensors(bytes) => {
                let contents = parse_safetensors(bytes)?;
                let view = contents.tensor(name).map_err(|_| missing())?;
                let element = element(view.dtype()).ok_or_else(|| {
                    let problem = format!("is {:?}; save it as float32", view.dtype());
                    ImportError::tensor(name, problem)
                })?;
                let count = view.data().len() / element.bytes();
                if count > MAX_VALUES {
                    let problem = format!("has {count} values; at most {MAX_VALUES} are read");
                    return Err(ImportError::tensor(name, problem));
                }
                let read = |position| element.read(view.data(), position, ByteOrder::Little);
                Ok(Tensor {
                    name: name.to_owned(),
                    shape: view.shape().to_vec(),
                    values: (0..count).map(read).collect(),
                })
            }
            Self::Torch(file, tensors) => {
                let mut tensors = tensors.iter();
                let (_, tensor) = tensors.find(|(n, _)| n == name).ok_or_else(missing)?;
                file.read_tensor(name, tensor)
            }
        }
    }
}

fn read_all<R: Read + Seek>(mut reader: R) -> Result<Vec<u8>, ImportError> {
    let mut bytes = Vec::new();
    reader.rewind()?;
    reader.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn parse_safetensors(bytes: &[u8]) -> Result<SafeTensors<'_>, ImportError> {
    SafeTensors::deserialize(bytes)
        .map_err(|problem| ImportError::Content(format!("not a valid safetensors file: {problem}")))
}

/// The elements of a safetensors type, if they are read.
fn element(dtype: safetensors::Dtype) -> Option<Element> {
    use safetensors::Dtype;
    Some(match dtype {
        Dtype::F8_E4M3 => Element::F8E4M3,
        Dtype::F8_E5M2 => Element::F8E5M2,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::F32 => Element::F32,
        Dtype::F64 => Element::F64,
        Dtype::I8 => Element::I8,
        Dtype::I16 => Element::I16,
        Dtype::I32 => Element::I32,
        Dtype::I64 => Element::I64,
        Dtype::U8 => Element::U8,
        Dtype::U16 => Element::U16,
        Dtype::U32 => Element::U32,
        Dtype::U64 => Element::U64,
        Dtype::BOOL => Element::Bool,
        _ => return None,
    })
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
            other => (other, EXPLORE, 5.0),
        };
        Self {
            name: name.to_owned(),
            label: as_heading(label),
            group: group.to_owned(),
            range: [-limit, limit],
        }
    }

    /// Named after a file: `Smile.pt` is `smile`, and `Lächeln_2.npy` is `l-cheln-2`, shown as "Lächeln 2".
    pub fn of_file(path: &Path) -> Self {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::of_words(&stem, &plain(&stem.to_lowercase().replace(['_', '.'], "-")))
    }

    /// Named by a person, in any letters: those that commands cannot have become dashes there, and are shown as they
    /// are.
    pub fn of_person(words: &str) -> Self {
        Self::of_words(words, &plain(words))
    }

    /// A direction on all of so many styles.
    fn direction(&self, kind: DirectionKind, range: [f32; 2], styles: usize) -> Direction {
        Direction {
            name: self.name.clone(),
            label: self.label.clone(),
            group: self.group.clone(),
            folded: self.group == EXPLORE,
            kind,
            displacements: None,
            change: None,
            turned: None,
            shown: None,
            cover: None,
            range,
            styles: [0, styles],
        }
    }

    fn of_words(words: &str, name: &str) -> Self {
        let usual = Self::new(name);
        match words.to_lowercase() == name {
            true => usual,
            false => Self {
                label: as_heading(words),
                ..usual
            },
        }
    }
}

/// What commands can have of a name, with a dash for what they cannot.
fn plain(words: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let parts = words.split(|c| !allowed(c)).filter(|part| !part.is_empty());
    let name = parts.collect::<Vec<_>>().join("-");
    match name.trim_start_matches('.') {
        "" => "direction".to_owned(),
        name => name.to_owned(),
    }
}

/// With spaces between words, and a capital letter at the beginning.
fn as_heading(words: &str) -> String {
    let words = words.replace(['-', '_'], " ");
    let mut letters = words.trim().chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
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
            folded: false,
            kind: kind(preset.component),
            displacements: None,
            change: None,
            turned: None,
            shown: None,
            cover: None,
            range: [-preset.strength.abs(), preset.strength.abs()],
            styles: preset.styles,
        });
    let explored = (0..count.min(EXPLORED_COMPONENTS)).map(|component| Direction {
        name: format!("{basis}-{component}"),
        label: format!("Component {component}"),
        group: EXPLORE.to_owned(),
        folded: true,
        kind: kind(component),
        displacements: None,
        change: None,
        turned: None,
        shown: None,
        cover: None,
        range: [-EXPLORED_RANGE, EXPLORED_RANGE],
        styles: [0, styles],
    });
    published.chain(explored).collect()
}

/// Gives what a basis brings names and labels of its own: published edits and components of all bases are called alike.
pub(super) fn tell_apart(new: &mut [Direction], old: &[Direction], naming: &Naming) {
    for direction in new {
        if !matches!(direction.kind, DirectionKind::Ganspace { .. }) {
            continue;
        }
        if old.iter().any(|other| other.label == direction.label) {
            direction.label = format!("{}: {}", naming.label, direction.label);
        }
        let components = format!("{}-", naming.name);
        let taken = old.iter().any(|other| other.name == direction.name);
        if taken && !direction.name.starts_with(&components) {
            direction.name = components + &direction.name;
        }
    }
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
    let (tensors, mut directions) = file.into_directions(&manifest.config, naming)?;
    tell_apart(&mut directions, &manifest.directions, naming);
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
