//! The pickle machine: a stack of objects, marks on it, and a memo of objects to refer to again.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    error::PickleError,
    node::{Entry, Node, NodeId, Object},
};

/// Bytes that the objects of a pickle may take for each of its own bytes. Pickles of weights need 10 or so; none that
/// Python writes has an object of more than this for each opcode, again and again.
pub const BYTES_PER_BYTE: usize = 64;
/// Bytes that the objects of any file may take.
pub const FREE_BYTES: usize = 1 << 20;
/// Most bytes that the objects of any file may take.
const MAX_BUDGET: usize = 64 << 20;

/// Bytes that objects may still take. A file of several pickles has one for all of them.
#[derive(Clone, Debug)]
pub struct NodeBudget(usize);

impl NodeBudget {
    /// For pickles that have so many bytes together.
    pub fn of(bytes: usize) -> Self {
        let budget = bytes.saturating_mul(BYTES_PER_BYTE);
        Self(budget.saturating_add(FREE_BYTES).min(MAX_BUDGET))
    }
}

/// A pickle that is being read.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    pub opcode_at: usize,
    position: usize,
    pub nodes: Vec<Node>,
    pub stack: Vec<NodeId>,
    pub marks: Vec<usize>,
    memo: HashMap<u32, NodeId>,
    /// Names of Python objects, each once.
    pub names: HashSet<Arc<str>>,
    budget: &'a mut NodeBudget,
}

impl<'a> Machine<'a> {
    pub fn new(bytes: &'a [u8], budget: &'a mut NodeBudget) -> Self {
        Self {
            bytes,
            opcode_at: 0,
            position: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            names: HashSet::new(),
            budget,
        }
    }

    /// Bytes that have been read.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Charges what is going to be kept: `count` values of type `T`.
    pub fn charge<T>(&mut self, count: usize) -> Result<(), PickleError> {
        let left = size_of::<T>()
            .checked_mul(count)
            .and_then(|bytes| self.budget.0.checked_sub(bytes));
        self.budget.0 =
            left.ok_or_else(|| self.malformed("far more objects than a file of weights has"))?;
        Ok(())
    }

    pub fn malformed(&self, problem: &'static str) -> PickleError {
        PickleError::Malformed {
            offset: self.opcode_at,
            problem,
        }
    }

    pub fn empty(&self) -> PickleError {
        self.malformed("takes more objects than there are")
    }

    pub fn truncated(&self) -> PickleError {
        PickleError::Truncated {
            offset: self.opcode_at,
        }
    }

    /// Takes the top of the stack, which must lie above the last mark.
    pub fn pop(&mut self) -> Result<NodeId, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.empty());
        }
        self.stack.pop().ok_or_else(|| self.empty())
    }

    pub fn pop_mark(&mut self) -> Result<Vec<NodeId>, PickleError> {
        let mark = self
            .marks
            .pop()
            .ok_or_else(|| self.malformed("no mark on the stack"))?;
        if mark > self.stack.len() {
            return Err(self.empty());
        }
        Ok(self.stack.split_off(mark))
    }

    pub fn top(&mut self) -> Result<&mut Node, PickleError> {
        let top = self.top_id()?;
        Ok(&mut self.nodes[top])
    }

    /// Bytes of the pickle.
    pub fn take_slice(&mut self, length: usize) -> Result<&'a [u8], PickleError> {
        let rest = &self.bytes[self.position..];
        let slice = rest.get(..length).ok_or_else(|| self.truncated())?;
        self.position += length;
        Ok(slice)
    }

    pub fn take<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        self.take_slice(N)?.try_into().map_err(|_| self.truncated())
    }

    /// Text up to the end of its line.
    pub fn line(&mut self) -> Result<&'a str, PickleError> {
        let rest = &self.bytes[self.position..];
        let length = rest.iter().position(|&b| b == b'\n');
        let length = length.ok_or_else(|| self.truncated())?;
        self.position += length + 1;
        std::str::from_utf8(&rest[..length]).map_err(|_| self.malformed("text that is not UTF-8"))
    }

    /// A new object on the stack. What it holds has been charged.
    pub fn push(&mut self, node: Node) -> Result<(), PickleError> {
        self.charge::<Node>(1)?;
        self.nodes.push(node);
        self.push_again(self.nodes.len() - 1)
    }

    /// An object once more on the stack.
    pub fn push_again(&mut self, node: NodeId) -> Result<(), PickleError> {
        self.charge::<NodeId>(1)?;
        self.stack.push(node);
        Ok(())
    }

    pub fn mark(&mut self) -> Result<(), PickleError> {
        self.charge::<usize>(1)?;
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// What lies on top of the stack.
    pub fn top_id(&self) -> Result<NodeId, PickleError> {
        self.stack.last().copied().ok_or_else(|| self.empty())
    }

    pub fn append(&mut self, items: &[NodeId]) -> Result<(), PickleError> {
        self.charge::<NodeId>(items.len())?;
        match self.top()? {
            Node::List(list) => list.extend(items),
            Node::Object(_) => {}
            _ => return Err(self.malformed("appends to something that is not a list")),
        }
        Ok(())
    }

    pub fn set(&mut self, items: &[NodeId]) -> Result<(), PickleError> {
        if !items.len().is_multiple_of(2) {
            return Err(self.malformed("a key without a value"));
        }
        self.charge::<NodeId>(items.len())?;
        match self.top()? {
            Node::Dict(entries) => entries.extend(pairs(items)),
            Node::Object(object) => object.items.extend(pairs(items)),
            _ => return Err(self.malformed("sets items of something that is not a dictionary")),
        }
        Ok(())
    }

    /// Memorises the top of the stack.
    pub fn put(&mut self, index: u32) -> Result<(), PickleError> {
        let top = self.top_id()?;
        if self.memo.insert(index, top).is_none() {
            self.charge::<(u32, NodeId)>(1)?;
        }
        Ok(())
    }

    /// Memorises the top of the stack under the next number.
    pub fn put_next(&mut self) -> Result<(), PickleError> {
        self.put(self.memo.len() as u32)
    }

    pub fn get(&mut self, index: u32) -> Result<(), PickleError> {
        let node = self.memo.get(&index).copied();
        let missing = || self.malformed("refers to an object that was not memorised");
        self.push_again(node.ok_or_else(missing)?)
    }

    pub fn push_object(&mut self, name: Arc<str>, offset: usize) -> Result<(), PickleError> {
        self.charge::<Object>(1)?;
        self.push(Node::Object(Box::new(Object {
            name,
            offset,
            items: Vec::new(),
            attributes: Vec::new(),
        })))
    }
}

/// Keys and values that take turns, as entries.
fn pairs(items: &[NodeId]) -> impl Iterator<Item = Entry> {
    items.chunks_exact(2).map(|pair| (pair[0], pair[1]))
}
