//! Import of files made with PyTorch or NumPy: checkpoints of SDIC, e4e and pSp, and edit directions.
//!
//! Nothing in a file is ever executed: [`pickle`] stands in for the few names of Python that tensors are made with, and
//! what any other name would make is inert until data is read from it, which is refused. Readers need `Read + Seek`
//! only, so that a browser can hand in a file of more than a gigabyte that it reads by slices.

mod archive;
pub mod checkpoint;
pub mod directions;
mod element;
mod error;
mod format;
mod npy;
pub mod pickle;
mod recognise;
#[cfg(test)]
mod recognise_tests;
pub mod sefa;
#[cfg(test)]
mod tests;
pub mod torch_file;
mod tree;

pub use checkpoint::{Checkpoint, Conversion, DropReason, Report, import_checkpoint};
pub use directions::{DirectionFile, Naming, add_directions, import_directions};
pub use element::{ByteOrder, Element};
pub use error::ImportError;
