//! A reader for the pickles that `torch.save` writes, which builds data and never runs anything.
//!
//! All opcodes of protocols 0 to 5 are known. Names of Python functions and classes are looked up in a short list of
//! stand-ins for what makes tensors and dictionaries. What any other name makes is an inert object: it may lie anywhere
//! in the file, and is refused only where a tensor, text or number is needed.
//!
//! A few bytes can ask for many objects. So everything that is kept is charged, by its size, to one [`NodeBudget`] for
//! all pickles of a file, which grows with their length by [`BYTES_PER_BYTE`].

mod construct;
mod error;
mod global;
mod machine;
mod node;
mod opcodes;
mod value;

pub use error::PickleError;
pub use machine::{BYTES_PER_BYTE, FREE_BYTES, NodeBudget};
pub use node::{StorageRef, TensorRef};
pub use value::{Pickle, Value};

/// Largest pickle that is read, in bytes; the released checkpoints have 0.2 MB.
pub const MAX_PICKLE_BYTES: usize = 8 << 20;
