//! The objects that a pickle builds.

use std::sync::Arc;

use super::{super::element::Element, global::Global};

/// Where the elements of a storage are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageRef {
    /// Name of the entry with the elements.
    pub key: String,
    /// Type of the elements.
    pub element: Element,
    /// Number of elements.
    pub count: usize,
}

/// A strided view of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorRef {
    /// The storage.
    pub storage: StorageRef,
    /// First element.
    pub offset: usize,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Elements between neighbours along each dimension.
    pub stride: Vec<usize>,
}

/// All that a pickle builds is made of these, so they are small: what is larger lies in a box.
const _: () = assert!(size_of::<Node>() <= 32);

/// Position of an object among all of a pickle.
pub(super) type NodeId = usize;
/// Key and value.
pub(super) type Entry = (NodeId, NodeId);

/// One object. Objects refer to each other by index, so shared and even circular ones cost nothing.
#[derive(Clone, Debug)]
pub(super) enum Node {
    None,
    Bool(bool),
    Int(i64),
    /// A number of more than 64 bits, little-endian; empty if it is very long.
    Long(Box<[u8]>),
    Float,
    Text(Box<str>),
    Bytes,
    List(Vec<NodeId>),
    Tuple(Box<[NodeId]>),
    Dict(Vec<Entry>),
    Object(Box<Object>),
    Opaque,
    Global(Global),
    Storage(Box<StorageRef>),
    Tensor(Box<TensorRef>),
}

/// A Python function or class outside the list, or what it would have made.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub name: Arc<str>,
    /// Position of the opcode that refers to it.
    pub offset: usize,
    /// What was set by key.
    pub items: Vec<Entry>,
    /// Its attributes; of those of one name the last counts.
    pub attributes: Vec<Entry>,
}
