//! Packs tensors into shards.

use std::collections::{BTreeMap, HashSet};

use safetensors::tensor::TensorView;

use super::codec::{Encoded, Tensor, encode};
use super::digest::sha256;
use super::dtype::Dtype;
use super::error::WeightsError;
use super::manifest::{MAX_SHARD_BYTES, ShardEntry, TensorEntry, is_plain_name};

/// One finished file of a weights directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightsFile {
    /// File name inside the directory, without separators.
    pub name: String,
    /// Whole content, at most 16 MiB.
    pub bytes: Vec<u8>,
}

/// What is left when every tensor has been packed.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    /// The last shard, which no [`ShardPacker::push`] has returned; `None` when nothing was packed.
    pub last_shard: Option<WeightsFile>,
    /// The manifest's tensor table.
    pub tensors: Vec<TensorEntry>,
    /// The manifest's shard table.
    pub shards: Vec<ShardEntry>,
}

/// Packs tensors, in the order in which they come, into safetensors shards of at most 16 MiB.
///
/// Holds at most one shard. Finished shards are handed out for the caller to write, wherever that is: a directory or,
/// asynchronously, a browser's private file system.
pub struct ShardPacker {
    stem: &'static str,
    first_shard: usize,
    pending: Vec<(TensorEntry, Encoded)>,
    pending_bytes: usize,
    names: HashSet<String>,
    tensors: Vec<TensorEntry>,
    shards: Vec<ShardEntry>,
}

impl ShardPacker {
    /// A packer for a new directory; its shards are `shard-000.safetensors` and so on.
    pub fn new() -> Self {
        Self::extending("shard", 0)
    }

    /// A packer whose first shard has index `first_shard` in the manifest and file `<stem>-<index>.safetensors`.
    pub(crate) fn extending(stem: &'static str, first_shard: usize) -> Self {
        Self {
            stem,
            first_shard,
            pending: Vec::new(),
            pending_bytes: 0,
            names: HashSet::new(),
            tensors: Vec::new(),
            shards: Vec::new(),
        }
    }

    /// Adds a tensor. Returns the previous shard when this tensor no longer fits into it.
    ///
    /// # Errors
    /// Names the tensor: values that are not finite or do not fit `dtype`, a repeated or unusable name, more than 16
    /// MiB.
    pub fn push(
        &mut self,
        tensor: &Tensor,
        dtype: Dtype,
    ) -> Result<Option<WeightsFile>, WeightsError> {
        let unstorable = |problem: String| WeightsError::Unstorable {
            tensor: tensor.name.clone(),
            problem,
        };
        if !is_plain_name(&tensor.name) {
            return Err(unstorable(
                "names consist of letters, digits, dot, dash and underscore".to_owned(),
            ));
        }
        if !self.names.insert(tensor.name.clone()) {
            return Err(unstorable("occurs twice".to_owned()));
        }
        let entry = TensorEntry {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            dtype,
            shard: 0,
        };
        let bytes = dtype
            .stored_bytes(&entry.shape)
            .and_then(|bytes| bytes.checked_add(header_bytes(&entry)))
            .filter(|&bytes| bytes + FILE_HEADER_BYTES <= MAX_SHARD_BYTES)
            .ok_or_else(|| {
                unstorable(format!(
                    "shape {:?} as {dtype} exceeds a shard of 16 MiB",
                    entry.shape
                ))
            })?;
        let encoded = encode(tensor, dtype)?;
        let full = if self.pending_bytes + bytes + FILE_HEADER_BYTES > MAX_SHARD_BYTES {
            self.flush()?
        } else {
            None
        };
        self.pending.push((entry, encoded));
        self.pending_bytes += bytes;
        Ok(full)
    }

    /// Ends the packing.
    ///
    /// # Errors
    /// As [`ShardPacker::push`].
    pub fn finish(mut self) -> Result<Packed, WeightsError> {
        Ok(Packed {
            last_shard: self.flush()?,
            tensors: self.tensors,
            shards: self.shards,
        })
    }

    fn flush(&mut self) -> Result<Option<WeightsFile>, WeightsError> {
        if self.pending.is_empty() {
            return Ok(None);
        }
        let index = self.first_shard + self.shards.len();
        let name = format!("{}-{index:03}.safetensors", self.stem);
        let format_error = |problem: safetensors::SafeTensorError| WeightsError::ShardFormat {
            file: name.clone(),
            problem: problem.to_string(),
        };
        let pending = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        let mut views = BTreeMap::new();
        for (entry, encoded) in &pending {
            let view = TensorView::new(entry.dtype.stored(), entry.shape.clone(), &encoded.values)
                .map_err(format_error)?;
            views.insert(entry.name.clone(), view);
            if let Some(scales) = &encoded.scales {
                let view = TensorView::new(safetensors::Dtype::F32, vec![scales.len() / 4], scales)
                    .map_err(format_error)?;
                views.insert(format!("{}.scale", entry.name), view);
            }
        }
        let bytes = safetensors::serialize(views, None).map_err(format_error)?;
        self.shards.push(ShardEntry {
            file: name.clone(),
            bytes: bytes.len() as u64,
            sha256: sha256(&bytes),
        });
        self.tensors
            .extend(pending.into_iter().map(|(entry, _)| TensorEntry {
                shard: index,
                ..entry
            }));
        Ok(Some(WeightsFile { name, bytes }))
    }
}

impl Default for ShardPacker {
    fn default() -> Self {
        Self::new()
    }
}

/// Length prefix, braces and padding of a safetensors header.
const FILE_HEADER_BYTES: usize = 32;

/// Upper bound of what one tensor, with its scales, adds to the header: two JSON entries with fixed keys and numbers of
/// at most 20 digits.
fn header_bytes(entry: &TensorEntry) -> usize {
    2 * (entry.name.len() + 120 + 21 * entry.shape.len())
}
