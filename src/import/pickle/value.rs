//! A pickle that was read, and what lies in it.

use std::borrow::Cow;

use super::{
    error::PickleError,
    machine::{Machine, NodeBudget},
    node::{Entry, Node, NodeId, StorageRef, TensorRef},
};

/// The objects of one pickle.
#[derive(Debug)]
pub struct Pickle {
    nodes: Vec<Node>,
    root: NodeId,
    length: usize,
}

/// One object of a [`Pickle`].
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    pickle: &'a Pickle,
    node: NodeId,
}

impl Pickle {
    /// Reads the pickle at the start of `bytes`; returns it and its length.
    ///
    /// # Errors
    /// [`PickleError`] names the opcode and where it is.
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), PickleError> {
        Self::parse_within(bytes, &mut NodeBudget::of(bytes.len()))
    }

    /// As [`Self::parse`], for one of several pickles whose objects share a budget.
    ///
    /// # Errors
    /// As there.
    pub fn parse_within(
        bytes: &[u8],
        budget: &mut NodeBudget,
    ) -> Result<(Self, usize), PickleError> {
        let mut machine = Machine::new(bytes, budget);
        let root = machine.run()?;
        let length = machine.position();
        let pickle = Self {
            nodes: machine.nodes,
            root,
            length,
        };
        Ok((pickle, length))
    }

    /// The object that was pickled.
    pub fn root(&self) -> Value<'_> {
        self.value(self.root)
    }

    /// Every storage that a persistent id names.
    pub fn storages(&self) -> impl Iterator<Item = &StorageRef> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Storage(storage) => Some(&**storage),
            _ => None,
        })
    }

    fn value(&self, node: NodeId) -> Value<'_> {
        Value { pickle: self, node }
    }
}

impl<'a> Value<'a> {
    fn node(self) -> &'a Node {
        &self.pickle.nodes[self.node]
    }

    /// Length of the pickle that it lies in, in bytes.
    pub fn pickle_length(self) -> usize {
        self.pickle.length
    }

    /// Keys and values of a dictionary, also of one of an unknown class; `None` for anything else.
    pub fn entries(self) -> Option<impl Iterator<Item = (Value<'a>, Value<'a>)>> {
        match self.node() {
            Node::Dict(entries) => Some(self.pairs(entries)),
            Node::Object(object) if !object.items.is_empty() => Some(self.pairs(&object.items)),
            _ => None,
        }
    }

    fn pairs(self, entries: &'a [Entry]) -> impl Iterator<Item = (Value<'a>, Value<'a>)> {
        let value = move |node| self.pickle.value(node);
        entries
            .iter()
            .map(move |&(key, item)| (value(key), value(item)))
    }

    /// The value of a dictionary under a text key, or the attribute of an object; the last one if it was set
    /// repeatedly.
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        let find = |entries: &'a [Entry]| {
            self.pairs(entries)
                .filter(|(found, _)| found.text() == Some(key))
                .last()
                .map(|(_, value)| value)
        };
        match self.node() {
            Node::Dict(entries) => find(entries),
            Node::Object(object) => find(&object.items).or_else(|| find(&object.attributes)),
            _ => None,
        }
    }

    /// The error of using this as data, if it is a Python object.
    pub fn refusal(self) -> Option<PickleError> {
        match self.node() {
            Node::Object(object) => Some(PickleError::Object {
                name: object.name.to_string(),
                offset: object.offset,
            }),
            _ => None,
        }
    }

    /// Whether this is the number whose little-endian bytes these are, for numbers of more than 64 bits.
    pub fn is_long(self, bytes: &[u8]) -> bool {
        matches!(self.node(), Node::Long(found) if **found == *bytes)
    }

    /// Elements of a list or tuple.
    pub fn items(self) -> Option<impl Iterator<Item = Value<'a>>> {
        let items: &[NodeId] = match self.node() {
            Node::List(items) => items,
            Node::Tuple(items) => items,
            _ => return None,
        };
        Some(items.iter().map(move |&item| self.pickle.value(item)))
    }

    /// Text.
    pub fn text(self) -> Option<&'a str> {
        match self.node() {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number.
    pub fn int(self) -> Option<i64> {
        match self.node() {
            Node::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// A truth value.
    pub fn bool(self) -> Option<bool> {
        match self.node() {
            Node::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A tensor.
    pub fn tensor(self) -> Option<&'a TensorRef> {
        match self.node() {
            Node::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// What kind of object this is, for messages.
    pub fn kind(self) -> Cow<'static, str> {
        Cow::Borrowed(match self.node() {
            Node::None => "None",
            Node::Bool(_) => "a truth value",
            Node::Int(_) | Node::Long(_) | Node::Float => "a number",
            Node::Text(_) => "text",
            Node::Bytes => "bytes",
            Node::List(_) => "a list",
            Node::Tuple(_) => "a tuple",
            Node::Dict(_) => "a dictionary",
            Node::Object(object) => match &*object.name {
                name if name.ends_with("multiarray._reconstruct")
                    || name.ends_with("numeric._frombuffer") =>
                {
                    "a NumPy array"
                }
                name if name.ends_with("multiarray.scalar") => "a NumPy number",
                "builtins.set" | "__builtin__.set" => "a set",
                name => return Cow::Owned(format!("the Python object \"{name}\"")),
            },
            Node::Opaque | Node::Global(_) => "a Python object",
            Node::Storage(_) => "a storage",
            Node::Tensor(_) => "a tensor",
        })
    }
}
