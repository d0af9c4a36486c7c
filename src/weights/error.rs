//! What can be wrong with a weights directory.

use std::path::PathBuf;

use thiserror::Error;

use super::dtype::Dtype;
use crate::config::ConfigError;

/// A weights directory that cannot be read or written. Every message is one line and names the file and the tensor.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The manifest is not the JSON that it must be.
    #[error("manifest.json: {}", one_line(&.0.to_string()))]
    Json(#[from] serde_json::Error),
    /// The manifest was written for another version of this program.
    #[error(
        "manifest.json: format {found} is not format {supported}, which this program reads; {advice}"
    )]
    Format {
        /// Version in the file.
        found: u64,
        /// Version that this program reads.
        supported: u64,
        /// What to do.
        advice: &'static str,
    },
    /// A field of the manifest contradicts the format or another field.
    #[error("manifest.json: {field}: {problem}")]
    Manifest {
        /// Path of the field, such as `tensors[3] "latent_avg"`.
        field: String,
        /// What is wrong and what it must be.
        problem: String,
    },
    /// The model configuration in the manifest.
    #[error("manifest.json: {0}")]
    Config(#[from] ConfigError),
    /// The tensor table does not hold exactly the tensors of the configured networks and of the directions.
    #[error(
        "manifest.json: tensor table: missing: {}; used by no network or direction: {}",
        list(missing),
        list(unused)
    )]
    Layout {
        /// Tensors that a network needs.
        missing: Vec<String>,
        /// Tensors that nothing needs.
        unused: Vec<String>,
    },
    /// A shard index that the manifest does not have.
    #[error("shard {index} does not exist; manifest.json lists {count}")]
    NoSuchShard {
        /// The index asked for.
        index: usize,
        /// Number of shards.
        count: usize,
    },
    /// A shard is shorter or longer than the manifest says.
    #[error(
        "{file}: {found} bytes instead of {expected}; the file is damaged or cut short, fetch it again"
    )]
    ShardSize {
        /// Shard file.
        file: String,
        /// Size in the manifest.
        expected: u64,
        /// Size found.
        found: u64,
    },
    /// A shard's content is not what was written.
    #[error(
        "{file}: SHA-256 is {found} instead of {expected}; the file is damaged, fetch it again"
    )]
    ShardHash {
        /// Shard file.
        file: String,
        /// Digest in the manifest.
        expected: String,
        /// Digest found.
        found: String,
    },
    /// A shard is not a safetensors file.
    #[error("{file}: not a safetensors file: {problem}")]
    ShardFormat {
        /// Shard file.
        file: String,
        /// The reader's reason.
        problem: String,
    },
    /// A tensor of the table is not in its shard.
    #[error("{file}: tensor \"{tensor}\" is missing")]
    MissingTensor {
        /// Shard file.
        file: String,
        /// Tensor name.
        tensor: String,
    },
    /// A shard holds a tensor that the table does not list there.
    #[error("{file}: tensor \"{tensor}\" is not in the tensor table of manifest.json")]
    ExtraTensor {
        /// Shard file.
        file: String,
        /// Tensor name.
        tensor: String,
    },
    /// A tensor has another shape than it must.
    #[error("{file}: tensor \"{tensor}\" has shape {found:?} instead of {expected:?}")]
    Shape {
        /// File that holds it.
        file: String,
        /// Tensor name.
        tensor: String,
        /// Shape that it must have.
        expected: Vec<usize>,
        /// Shape that it has.
        found: Vec<usize>,
    },
    /// A tensor is stored in another type than the table says.
    #[error("{file}: tensor \"{tensor}\" is stored as {found} instead of {expected}")]
    StoredAs {
        /// Shard file.
        file: String,
        /// Tensor name.
        tensor: String,
        /// Type in the table.
        expected: Dtype,
        /// Type in the shard.
        found: String,
    },
    /// A tensor holds NaN or an infinity.
    #[error("tensor \"{tensor}\": value {index} is {value}, which is not a finite number")]
    NotFinite {
        /// Tensor name.
        tensor: String,
        /// Position in row-major order.
        index: usize,
        /// The value.
        value: f32,
    },
    /// A variance below zero, of which no normalisation can be made.
    #[error(
        "tensor \"{tensor}\": value {index} is {value}, but variances are not negative; the weights are damaged"
    )]
    NegativeVariance {
        /// Tensor name.
        tensor: String,
        /// Position in row-major order.
        index: usize,
        /// The value.
        value: f32,
    },
    /// A value is outside the range of the stored type.
    #[error(
        "tensor \"{tensor}\": value {index} is {value}, beyond the range of f16 (65504); store it as f32"
    )]
    OutOfRange {
        /// Tensor name.
        tensor: String,
        /// Position in row-major order.
        index: usize,
        /// The value.
        value: f32,
    },
    /// A tensor that cannot be stored at all.
    #[error("tensor \"{tensor}\": {problem}")]
    Unstorable {
        /// Tensor name.
        tensor: String,
        /// Why.
        problem: String,
    },
    /// The output exists already.
    #[error("{}: already exists and is not an empty directory; remove it or choose another name", .0.display())]
    Exists(PathBuf),
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl WeightsError {
    pub(crate) fn manifest(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Manifest {
            field: field.into(),
            problem: problem.into(),
        }
    }

    pub(crate) fn direction(index: usize, name: &str, problem: String) -> Self {
        Self::manifest(format!("directions[{index}] {name:?}"), problem)
    }

    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// A name from a file, or a message with one, without what would break its line.
pub(crate) fn one_line(name: &str) -> String {
    name.replace(char::is_control, "\u{fffd}")
}

/// Joins names for one line of text, at most eight of them; "none" for an empty list.
pub(crate) fn list(names: &[String]) -> String {
    const SHOWN: usize = 8;
    if names.is_empty() {
        return "none".to_owned();
    }
    let shown: Vec<_> = names
        .iter()
        .take(SHOWN)
        .map(|name| one_line(name))
        .collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
