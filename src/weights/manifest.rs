//! `manifest.json`: what a weights directory contains.

use std::collections::{HashMap, HashSet};

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::codec::{Tensor, decode};
use super::digest::sha256;
use super::dtype::{Dtype, channels};
use super::error::{WeightsError, one_line};
use crate::config::ModelConfig;

/// Version of the format that this program reads and writes.
pub const FORMAT: u64 = 1;
/// File name of the manifest.
pub const MANIFEST_FILE: &str = "manifest.json";
/// Largest manifest that is read.
pub const MAX_MANIFEST_BYTES: usize = 4 << 20;
/// Largest shard.
pub const MAX_SHARD_BYTES: usize = 16 << 20;

/// Group of the directions that were found without a name.
pub const EXPLORE: &str = "Explore";

/// Field of a manifest that tells of the fit which has added sliders.
pub const FIT_RECORD: &str = "fit";

/// What the names of the tensors begin with that a fit has added.
pub const FIT_TENSORS: &str = "fit.";

const MAX_SHARDS: usize = 1024;
const MAX_TENSORS: usize = 16 * 1024;
const MAX_DIRECTIONS: usize = 1024;
const MAX_DIMENSIONS: usize = 8;

/// Content of `manifest.json`. Fields that this version does not know are kept in `extra`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Manifest {
    /// Format version, [`FORMAT`].
    pub format: u64,
    /// Short name of the model.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Sizes of the networks. A file may give `"preset": "face"` instead of the whole.
    pub config: ModelConfig,
    /// What the pictures show. Ask [`Manifest::depicts`], which knows what it means not to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depicts: Option<Depicts>,
    /// Every tensor, in shard order.
    pub tensors: Vec<TensorEntry>,
    /// Every shard.
    pub shards: Vec<ShardEntry>,
    /// Edits that the model offers.
    pub directions: Vec<Direction>,
    /// Tensor: the landmarks of an average face.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub face_shape: Option<String>,
    /// Tensor: the landmarks of the face on which changes and covers are laid out, where it is not the average one. What
    /// is drawn between lips has more room where they are open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_shape: Option<String>,
    /// Where the weights come from.
    pub provenance: String,
    /// Terms under which they may be used.
    pub licence: String,
    /// File that describes the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_card: Option<String>,
    /// Pictures that come with the model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// What the pictures of a model show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depicts {
    /// Faces in FFHQ framing, which can be found in photos.
    Faces,
    /// Cars.
    Cars,
    /// Anything else.
    #[serde(other)]
    Other,
}

/// One row of the tensor table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorEntry {
    /// Tensor name.
    pub name: String,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// How its values are stored.
    pub dtype: Dtype,
    /// Index of the shard that holds it.
    pub shard: usize,
}

/// One row of the shard table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardEntry {
    /// File name in the weights directory.
    pub file: String,
    /// Size in bytes, at most [`MAX_SHARD_BYTES`].
    pub bytes: u64,
    /// SHA-256 of the content, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// One edit, shown as a slider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Direction {
    /// Name in commands, unique in the manifest.
    pub name: String,
    /// Name for people.
    pub label: String,
    /// Heading under which it is shown.
    pub group: String,
    /// How the edit is computed.
    #[serde(flatten)]
    pub kind: DirectionKind,
    /// Whether the slider is folded away until its group is opened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub folded: bool,
    /// Tensor: how far strength 1 moves the landmarks of a face. Nothing moves without it.
    #[serde(rename = "motion", default, skip_serializing_if = "Option::is_none")]
    pub displacements: Option<String>,
    /// Tensor: what strength 1 changes at the injection layer, laid out on the face of [`Manifest::plan_shape`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// Turns of a head, the smaller first, between which the change fades from whole to nothing: what was learned of faces
    /// that look at the camera is no pattern for a profile. A turn is how far the tip of the nose is to the side of the
    /// middle between the eyes, in distances between them. Without it, every face shows the whole change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turned: Option<[f32; 2]>,
    /// Tells how much of the edit a face shows already. Without it, strengths count from where the face is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
    /// Where the edit draws what a photo does not show. Without it, a photo keeps its own pixels everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<Cover>,
    /// Smallest and largest strength offered.
    pub range: [f32; 2],
    /// Styles that change, first and one past the last.
    pub styles: [usize; 2],
}

impl Direction {
    /// As this version reads it: the first one folded sliders by the name of their group.
    fn upgraded(mut self) -> Self {
        self.folded |= self.group == EXPLORE;
        self
    }
}

/// Measures how much of the upper end of a slider a face shows already: by the distance of two of its landmarks, in
/// distances between the middles of its eyes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// Two different landmarks.
    #[serde(rename = "points")]
    pub landmarks: [usize; 2],
    /// Distances at which a face shows nothing and all of it, the smaller first; linear between and constant beyond.
    pub range: [f32; 2],
}

/// Where an edit draws what a photo does not show, such as teeth: the photo's own pixels are not kept there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cover {
    /// Tensor `[image_size, image_size]`, laid out on the face of [`Manifest::plan_shape`]: how opaque what is drawn is at
    /// strength 1. Strengths above 0 multiply it; from 1 on it is wholly opaque.
    pub tensor: String,
    /// Tells how much of what is drawn a face shows already: by so much it keeps its own pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Shown>,
}

/// How an edit is computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum DirectionKind {
    /// w + strength * tensor.
    Linear {
        /// Tensor `[1, style_dim]` or `[styles, style_dim]`.
        tensor: String,
    },
    /// Moves one coordinate of a principal component basis by `strength` standard deviations.
    Ganspace {
        /// Prefix of the tensors `<basis>.comp` `[n, 1, style_dim]`, `<basis>.mean` `[1, style_dim]` and `<basis>.std`
        /// `[n]`.
        basis: String,
        /// Component, below n.
        component: usize,
    },
    /// Adds strength * tensor to the style channels that the layers make of w.
    StyleSpace {
        /// Tensor `[channels]`, in the order of [`ModelConfig::style_channels`].
        tensor: String,
    },
}

/// A picture that comes with a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Path inside the weights directory.
    pub file: String,
    /// Description for people.
    pub label: String,
    /// Whether it is already cut like an aligned face. Else it is a photo, in which the face is looked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aligned: bool,
}

/// The file as written, before `config` or `preset` is resolved.
#[derive(Deserialize)]
struct RawManifest {
    format: u64,
    name: String,
    title: String,
    config: Option<ModelConfig>,
    preset: Option<String>,
    depicts: Option<Depicts>,
    tensors: Vec<TensorEntry>,
    shards: Vec<ShardEntry>,
    #[serde(default)]
    directions: Vec<Direction>,
    face_shape: Option<String>,
    plan_shape: Option<String>,
    provenance: String,
    licence: String,
    model_card: Option<String>,
    #[serde(default)]
    samples: Vec<Sample>,
    #[serde(flatten)]
    extra: serde_json::Map<String, serde_json::Value>,
}

/// The one field that every version of the format has.
#[derive(Deserialize)]
struct Version {
    format: u64,
}

impl Manifest {
    /// Reads a manifest and checks everything that can be checked without the shards: the format version, the model
    /// configuration, the tables and the directions. What networks and faces ask of it is theirs to check.
    ///
    /// # Errors
    /// Names the field or the tensor.
    pub fn parse(json: &[u8]) -> Result<Self, WeightsError> {
        if json.len() > MAX_MANIFEST_BYTES {
            return Err(WeightsError::manifest(
                "size",
                format!(
                    "{} bytes; at most {MAX_MANIFEST_BYTES} are read",
                    json.len()
                ),
            ));
        }
        let Version { format } = serde_json::from_slice(json)?;
        if format != FORMAT {
            return Err(WeightsError::Format {
                found: format,
                supported: FORMAT,
                advice: if format > FORMAT {
                    "update this program"
                } else {
                    "import the weights again"
                },
            });
        }
        let raw: RawManifest = serde_json::from_slice(json)?;
        let config = match (raw.config, raw.preset) {
            (Some(config), None) => config,
            (None, Some(preset)) => ModelConfig::preset(&preset)?,
            _ => {
                return Err(WeightsError::manifest(
                    "config",
                    "exactly one of \"config\" and \"preset\" is needed",
                ));
            }
        };
        let manifest = Self {
            format: raw.format,
            name: raw.name,
            title: raw.title,
            config,
            depicts: raw.depicts,
            tensors: raw.tensors,
            shards: raw.shards,
            directions: raw
                .directions
                .into_iter()
                .map(Direction::upgraded)
                .collect(),
            face_shape: raw.face_shape,
            plan_shape: raw.plan_shape,
            provenance: raw.provenance,
            licence: raw.licence,
            model_card: raw.model_card,
            samples: raw.samples,
            extra: raw.extra,
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// The JSON to write, after the same checks as [`Manifest::parse`].
    ///
    /// # Errors
    /// As [`Manifest::parse`].
    pub fn to_json(&self) -> Result<Vec<u8>, WeightsError> {
        self.check()?;
        let mut json = serde_json::to_vec(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// What the model's pictures show. One that does not say shows faces, but for pictures that are not square: those
    /// are the authors' cars.
    pub fn depicts(&self) -> Depicts {
        let [rows, columns] = self.config.output_size();
        self.depicts.unwrap_or(match rows == columns {
            true => Depicts::Faces,
            false => Depicts::Cars,
        })
    }

    /// Tensors that the directions use, by name.
    pub fn direction_tensors(&self) -> HashSet<String> {
        self.directions
            .iter()
            .flat_map(|direction| {
                let mut names = match &direction.kind {
                    DirectionKind::Linear { tensor } | DirectionKind::StyleSpace { tensor } => {
                        vec![tensor.clone()]
                    }
                    DirectionKind::Ganspace { basis, .. } => ["comp", "mean", "std"]
                        .map(|part| format!("{basis}.{part}"))
                        .to_vec(),
                };
                names.extend(direction.displacements.clone());
                names.extend(direction.change.clone());
                names.extend(direction.cover.iter().map(|cover| cover.tensor.clone()));
                names
            })
            .chain(self.face_shape.clone())
            .chain(self.plan_shape.clone())
            .collect()
    }

    /// Checks a shard completely and yields its tensors, decoded one at a time.
    ///
    /// # Errors
    /// Size, SHA-256, format and any disagreement with the tensor table are found before the first tensor is yielded;
    /// the items fail on values that are not finite.
    pub fn decode_shard<'a>(
        &'a self,
        index: usize,
        bytes: &'a [u8],
    ) -> Result<ShardTensors<'a>, WeightsError> {
        let shard = self.shards.get(index).ok_or(WeightsError::NoSuchShard {
            index,
            count: self.shards.len(),
        })?;
        let file = &shard.file;
        if bytes.len() as u64 != shard.bytes {
            return Err(WeightsError::ShardSize {
                file: file.clone(),
                expected: shard.bytes,
                found: bytes.len() as u64,
            });
        }
        let digest = sha256(bytes);
        if digest != shard.sha256 {
            return Err(WeightsError::ShardHash {
                file: file.clone(),
                expected: shard.sha256.clone(),
                found: digest,
            });
        }
        let contents =
            SafeTensors::deserialize(bytes).map_err(|problem| WeightsError::ShardFormat {
                file: file.clone(),
                problem: one_line(&problem.to_string()),
            })?;
        let entries: Vec<_> = self
            .tensors
            .iter()
            .filter(|entry| entry.shard == index)
            .collect();
        let mut left: HashSet<String> = contents.names().into_iter().map(str::to_owned).collect();
        for entry in &entries {
            take(
                file,
                &contents,
                &mut left,
                &entry.name,
                entry.dtype,
                entry.dtype.stored(),
                &entry.shape,
            )?;
            if entry.dtype == Dtype::Q8 {
                let scale = format!("{}.scale", entry.name);
                let shape = [channels(&entry.shape)];
                take(
                    file,
                    &contents,
                    &mut left,
                    &scale,
                    Dtype::F32,
                    safetensors::Dtype::F32,
                    &shape,
                )?;
            }
        }
        if let Some(tensor) = left.into_iter().min() {
            return Err(WeightsError::ExtraTensor {
                file: file.clone(),
                tensor: one_line(&tensor),
            });
        }
        Ok(ShardTensors {
            entries: entries.into_iter(),
            contents,
        })
    }

    fn check(&self) -> Result<(), WeightsError> {
        self.config.validate()?;
        self.check_texts()?;
        self.check_shards()?;
        let tensors = self.check_table()?;
        self.check_directions(&tensors)
    }

    fn check_texts(&self) -> Result<(), WeightsError> {
        if !is_plain_name(&self.name) {
            return Err(WeightsError::manifest(
                "name",
                "must consist of letters, digits, dot, dash and underscore",
            ));
        }
        let files = self
            .model_card
            .iter()
            .map(|file| ("model_card", file))
            .chain(self.samples.iter().map(|sample| ("samples", &sample.file)));
        for (field, file) in files {
            if !file.split('/').all(is_plain_name) {
                return Err(WeightsError::manifest(
                    field,
                    format!("{file:?} is not a path inside the directory"),
                ));
            }
        }
        Ok(())
    }

    fn check_shards(&self) -> Result<(), WeightsError> {
        if self.shards.len() > MAX_SHARDS {
            return Err(WeightsError::manifest(
                "shards",
                format!("more than {MAX_SHARDS}"),
            ));
        }
        let mut files = HashSet::new();
        for (index, shard) in self.shards.iter().enumerate() {
            let problem = if !is_plain_name(&shard.file) {
                Some("not a plain file name".to_owned())
            } else if !files.insert(&shard.file) || shard.file == MANIFEST_FILE {
                Some("file name is used twice".to_owned())
            } else if shard.bytes > MAX_SHARD_BYTES as u64 {
                Some(format!(
                    "{} bytes; a shard has at most {MAX_SHARD_BYTES}",
                    shard.bytes
                ))
            } else if shard.sha256.len() != 64
                || !shard
                    .sha256
                    .bytes()
                    .all(|b| b"0123456789abcdef".contains(&b))
            {
                Some("sha256 is not 64 lower-case hexadecimal digits".to_owned())
            } else {
                None
            };
            if let Some(problem) = problem {
                return Err(WeightsError::manifest(
                    format!("shards[{index}] {:?}", shard.file),
                    problem,
                ));
            }
        }
        Ok(())
    }

    /// Checks the tensor table against the shard table; returns the shapes by name.
    fn check_table(&self) -> Result<HashMap<&str, &[usize]>, WeightsError> {
        if self.tensors.len() > MAX_TENSORS {
            return Err(WeightsError::manifest(
                "tensors",
                format!("more than {MAX_TENSORS}"),
            ));
        }
        let mut shapes = HashMap::new();
        let mut room: Vec<usize> = self
            .shards
            .iter()
            .map(|shard| shard.bytes as usize)
            .collect();
        for (index, tensor) in self.tensors.iter().enumerate() {
            let error = |problem: String| {
                WeightsError::manifest(format!("tensors[{index}] {:?}", tensor.name), problem)
            };
            if !is_plain_name(&tensor.name) {
                return Err(error(
                    "names consist of letters, digits, dot, dash and underscore".to_owned(),
                ));
            }
            if tensor.shape.len() > MAX_DIMENSIONS {
                return Err(error(format!("more than {MAX_DIMENSIONS} dimensions")));
            }
            let room = room.get_mut(tensor.shard).ok_or_else(|| {
                error(format!(
                    "shard {} does not exist; there are {}",
                    tensor.shard,
                    self.shards.len()
                ))
            })?;
            *room = tensor
                .dtype
                .stored_bytes(&tensor.shape)
                .and_then(|bytes| room.checked_sub(bytes))
                .ok_or_else(|| {
                    error(format!(
                        "shape {:?} as {} does not fit into its shard",
                        tensor.shape, tensor.dtype
                    ))
                })?;
            if shapes
                .insert(tensor.name.as_str(), tensor.shape.as_slice())
                .is_some()
            {
                return Err(error("occurs twice".to_owned()));
            }
        }
        Ok(shapes)
    }

    fn check_directions(&self, tensors: &HashMap<&str, &[usize]>) -> Result<(), WeightsError> {
        if self.directions.len() > MAX_DIRECTIONS {
            return Err(WeightsError::manifest(
                "directions",
                format!("more than {MAX_DIRECTIONS}"),
            ));
        }
        let (width, styles) = (self.config.style_dim, self.config.styles());
        let channels = || self.config.style_channels().iter().sum::<usize>();
        let mut names = HashSet::new();
        for (index, direction) in self.directions.iter().enumerate() {
            let error = |problem| WeightsError::direction(index, &direction.name, problem);
            if !is_plain_name(&direction.name) {
                return Err(error(
                    "names consist of letters, digits, dot, dash and underscore".to_owned(),
                ));
            }
            if !names.insert(&direction.name) {
                return Err(error("occurs twice".to_owned()));
            }
            let [low, high] = direction.range;
            if !(low.is_finite() && high.is_finite() && low < high && low <= 0.0 && high >= 0.0) {
                return Err(error(format!(
                    "range [{low}, {high}] must be finite and contain 0"
                )));
            }
            let [first, end] = direction.styles;
            if first >= end || end > styles {
                return Err(error(format!(
                    "styles [{first}, {end}] must be a range within 0..{styles}"
                )));
            }
            let shape_of = |name: &str| {
                tensors
                    .get(name)
                    .copied()
                    .ok_or_else(|| error(format!("its tensor {name:?} is not in the tensor table")))
            };
            match &direction.kind {
                DirectionKind::Linear { tensor } => {
                    let shape = shape_of(tensor)?;
                    if shape != [1, width] && shape != [styles, width] {
                        return Err(error(format!(
                            "tensor {tensor:?} has shape {shape:?} instead of [1, {width}] or [{styles}, {width}]"
                        )));
                    }
                }
                DirectionKind::StyleSpace { tensor } => {
                    let (shape, channels) = (shape_of(tensor)?, channels());
                    if shape != [channels] {
                        return Err(error(format!(
                            "tensor {tensor:?} has shape {shape:?} instead of [{channels}]"
                        )));
                    }
                }
                DirectionKind::Ganspace { basis, component } => {
                    let comp = shape_of(&format!("{basis}.comp"))?;
                    let count = comp.first().copied().unwrap_or(0);
                    for (part, expected) in [
                        ("comp", vec![count, 1, width]),
                        ("mean", vec![1, width]),
                        ("std", vec![count]),
                    ] {
                        let shape = shape_of(&format!("{basis}.{part}"))?;
                        if shape != expected {
                            return Err(error(format!(
                                "tensor \"{basis}.{part}\" has shape {shape:?} instead of {expected:?}"
                            )));
                        }
                    }
                    if *component >= count {
                        return Err(error(format!(
                            "component {component} does not exist; {basis:?} has {count}"
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    /// Shapes of the tensor table by name.
    pub fn shapes(&self) -> HashMap<&str, &[usize]> {
        self.tensors
            .iter()
            .map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()))
            .collect()
    }

    /// Checks that the tensor table holds these tensors, those of the directions, and no others.
    ///
    /// # Errors
    /// [`WeightsError::Shape`] or [`WeightsError::Layout`] name the tensors.
    pub fn check_tensors(&self, expected: &[(String, Vec<usize>)]) -> Result<(), WeightsError> {
        let tensors = self.shapes();
        let mut known = self.direction_tensors();
        let mut missing = Vec::new();
        for (name, shape) in expected {
            match tensors.get(name.as_str()) {
                None => missing.push(name.clone()),
                Some(found) if *found != shape => {
                    return Err(WeightsError::Shape {
                        file: MANIFEST_FILE.to_owned(),
                        tensor: name.clone(),
                        expected: shape.clone(),
                        found: found.to_vec(),
                    });
                }
                Some(_) => {}
            }
            known.insert(name.clone());
        }
        let unused: Vec<_> = self
            .tensors
            .iter()
            .filter(|tensor| !known.contains(&tensor.name))
            .map(|tensor| tensor.name.clone())
            .collect();
        if missing.is_empty() && unused.is_empty() {
            return Ok(());
        }
        Err(WeightsError::Layout { missing, unused })
    }
}

/// Checks one tensor of a shard and strikes it off the list of those `left`.
fn take(
    file: &str,
    contents: &SafeTensors<'_>,
    left: &mut HashSet<String>,
    name: &str,
    dtype: Dtype,
    stored: safetensors::Dtype,
    shape: &[usize],
) -> Result<(), WeightsError> {
    let Ok(view) = contents.tensor(name) else {
        return Err(WeightsError::MissingTensor {
            file: file.to_owned(),
            tensor: name.to_owned(),
        });
    };
    if view.shape() != shape {
        return Err(WeightsError::Shape {
            file: file.to_owned(),
            tensor: name.to_owned(),
            expected: shape.to_vec(),
            found: view.shape().to_vec(),
        });
    }
    if view.dtype() != stored {
        return Err(WeightsError::StoredAs {
            file: file.to_owned(),
            tensor: name.to_owned(),
            expected: dtype,
            found: format!("{:?}", view.dtype()),
        });
    }
    left.remove(name);
    Ok(())
}

/// The tensors of one checked shard.
pub struct ShardTensors<'a> {
    entries: std::vec::IntoIter<&'a TensorEntry>,
    contents: SafeTensors<'a>,
}

impl Iterator for ShardTensors<'_> {
    type Item = Result<Tensor, WeightsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next()?;
        let data = |name: &str| {
            self.contents
                .tensor(name)
                .map(|view| view.data())
                .unwrap_or_default()
        };
        let scales = match entry.dtype {
            Dtype::Q8 => data(&format!("{}.scale", entry.name)),
            Dtype::F32 | Dtype::F16 => &[],
        };
        Some(decode(
            &entry.name,
            &entry.shape,
            entry.dtype,
            data(&entry.name),
            scales,
        ))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

/// Letters, digits, dot, dash and underscore, at most 128, not starting with a dot: no path can be built from it.
pub(super) fn is_plain_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}
