//! Why a file cannot be imported.

use std::path::PathBuf;

use thiserror::Error;

use super::pickle::PickleError;
use crate::config::ConfigError;
use crate::weights::{WeightsError, list, one_line};

/// A file that cannot be imported. Every message is one line and names the entry or the tensor.
#[derive(Debug, Error)]
pub enum ImportError {
    /// Another error, with the file that it is about.
    #[error("{}: {source}", path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<ImportError>,
    },
    /// The file starts like none of the known formats.
    #[error(
        "not a PyTorch file (zip archive or legacy format){}{}{}",
        if *.directions { ", safetensors file or NumPy file (.npy, .npz)" } else { "" },
        if .found.is_some() { ": " } else { "" },
        .found.unwrap_or_default(),
    )]
    UnknownFormat {
        /// Whether the other formats of directions would have been welcome too.
        directions: bool,
        /// What it is instead, if that is known.
        found: Option<&'static str>,
    },
    /// The zip archive around a PyTorch file.
    #[error("damaged or incomplete zip archive ({0}); fetch the file again")]
    Zip(#[source] zip::result::ZipError),
    /// An entry of the zip archive.
    #[error("entry \"{entry}\": {problem}")]
    Entry {
        /// Name in the archive.
        entry: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A storage of the legacy format, whose number of elements is in the file more than once.
    #[error(
        "storage \"{}\" has {pickled} elements in one place of the file and {other} in another; the file is damaged: \
         fetch it again, or save it again with torch.save",
        one_line(key)
    )]
    StorageCount {
        /// Name of the storage.
        key: String,
        /// Elements that a tensor counts on.
        pickled: usize,
        /// Elements before its data, or that another tensor counts on.
        other: u64,
    },
    /// The pickle that describes the tensors.
    #[error("pickle: {0}")]
    Pickle(#[from] PickleError),
    /// The file holds other things than expected.
    #[error("{}", one_line(.0))]
    Content(String),
    /// A tensor that cannot be read.
    #[error("tensor \"{tensor}\": {problem}")]
    Tensor {
        /// Its name.
        tensor: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Tensors that the networks need are not in the checkpoint.
    #[error("{} of the model's tensors missing: {}", .0.len(), list(.0))]
    Missing(Vec<String>),
    /// The model configuration in the checkpoint.
    #[error("opts: {0}")]
    Config(#[from] ConfigError),
    /// Reading failed.
    #[error("cannot read: {0}")]
    Read(#[from] std::io::Error),
    /// The weights directory cannot be read or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl ImportError {
    pub(super) fn tensor(tensor: &str, problem: impl Into<String>) -> Self {
        Self::Tensor {
            tensor: one_line(tensor),
            problem: one_line(&problem.into()),
        }
    }

    /// Names the file that the error is about; errors about a weights directory name theirs already.
    pub(super) fn in_file(self, path: impl Into<PathBuf>) -> Self {
        match self {
            Self::In { .. } | Self::Weights(WeightsError::Io { .. } | WeightsError::Exists(_)) => {
                self
            }
            error => Self::In {
                path: path.into(),
                source: Box::new(error),
            },
        }
    }
}
