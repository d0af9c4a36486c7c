//! Weights directories: `manifest.json` plus safetensors shards of at most 16 MiB.
//!
//! [`Manifest::parse`] checks a manifest completely before any shard is fetched; [`Manifest::decode_shard`] checks a
//! shard and yields its tensors one at a time, so that a loader holds one shard and one tensor beside the parameters it
//! fills. Both work on bytes and run in a browser. [`WeightsDir`] and [`StagedDir`] add the file system.
//!
//! [`ShardPacker`] is the way back: tensors in, finished shards out.

mod codec;
mod digest;
mod dir;
mod dtype;
mod error;
mod manifest;
mod packer;
#[cfg(test)]
mod tests;

pub use codec::Tensor;
pub(crate) use digest::sha256;
pub use dir::{StagedDir, WeightsDir};
pub use dtype::Dtype;
pub use error::WeightsError;
pub(crate) use error::{list, one_line};
pub use manifest::{
    Cover, Depicts, Direction, DirectionKind, EXPLORE, FIT_RECORD, FIT_TENSORS, FORMAT,
    MANIFEST_FILE, MAX_MANIFEST_BYTES, MAX_SHARD_BYTES, Manifest, Sample, ShardEntry, ShardTensors,
    Shown, TensorEntry,
};
pub use packer::{Packed, ShardPacker, WeightsFile};
