//! Import of files made with PyTorch or NumPy: SDIC checkpoints and edit directions.
//!
//! Nothing in a file is ever executed: [`pickle`] understands the few opcodes that `torch.save` emits, stands in for the
//! few names that it refers to, and refuses everything else. Readers need `Read + Seek` only, so that a browser can hand in
//! a file of more than a gigabyte that it reads by slices.

pub mod checkpoint;
pub mod directions;
mod error;
mod npy;
pub mod pickle;
pub mod sefa;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod torch_file;

pub use checkpoint::{Checkpoint, Conversion, DropReason, Report, import_checkpoint};
pub use directions::{DirectionFile, Naming, add_directions, import_directions};
pub use error::ImportError;
