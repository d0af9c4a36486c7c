//! A reader for the pickles that `torch.save` writes, which builds data and never runs anything.
//!
//! The opcodes are those that Python's pickler emits in protocols 2 to 4 for dictionaries, lists, tuples, text, numbers,
//! tensors and option objects. Names of Python functions and classes are looked up in a short list of inert stand-ins; a
//! name outside the list is an error, as is any other opcode.

use std::collections::HashMap;

use thiserror::Error;

/// Largest pickle that is read, in bytes; the released checkpoints have 0.2 MB.
pub const MAX_PICKLE_BYTES: usize = 8 << 20;
/// Most objects that one pickle may build, and most attributes of one options object.
const MAX_NODES: usize = 1 << 20;
/// Most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;
/// Longest name of a storage.
const MAX_KEY_BYTES: usize = 128;

/// A pickle that cannot be read. `offset` is the position of the opcode.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PickleError {
    /// An opcode that no weights file needs.
    #[error("opcode 0x{code:02x}{} at byte {offset} is not allowed: it is not needed to store tensors", printable(*code))]
    Opcode {
        /// The opcode.
        code: u8,
        /// Its position.
        offset: usize,
    },
    /// A Python function or class that no weights file needs.
    #[error("\"{name}\" at byte {offset} is not allowed: it is not needed to store tensors")]
    Global {
        /// Module and name.
        name: String,
        /// Position of the opcode that refers to it.
        offset: usize,
    },
    /// The pickle ends before its STOP opcode.
    #[error("ends within the opcode at byte {offset}; the file is cut short")]
    Truncated {
        /// Position of the opcode that is cut.
        offset: usize,
    },
    /// An opcode that does not fit what comes before it.
    #[error("opcode at byte {offset}: {problem}")]
    Malformed {
        /// Position of the opcode.
        offset: usize,
        /// What does not fit.
        problem: &'static str,
    },
}

fn printable(code: u8) -> String {
    match code.is_ascii_graphic() {
        true => format!(" ('{}')", char::from(code)),
        false => String::new(),
    }
}

/// Element type of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// `torch.FloatStorage`
    F32,
    /// `torch.HalfStorage`
    F16,
    /// `torch.BFloat16Storage`
    Bf16,
    /// `torch.DoubleStorage`
    F64,
    /// `torch.LongStorage`
    I64,
    /// `torch.IntStorage`
    I32,
    /// `torch.ByteStorage` and `torch.BoolStorage`
    U8,
}

impl Element {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }
}

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

/// Stand-ins for the Python names that are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Global {
    RebuildTensor,
    RebuildParameter,
    OrderedDict,
    Namespace,
    Size,
    Device,
    Storage(Element),
}

impl Global {
    fn find(name: &str) -> Option<Self> {
        Some(match name {
            "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" => {
                Self::RebuildTensor
            }
            "torch._utils._rebuild_parameter" => Self::RebuildParameter,
            "collections.OrderedDict" => Self::OrderedDict,
            "argparse.Namespace" => Self::Namespace,
            "torch.Size" => Self::Size,
            "torch.device" => Self::Device,
            "torch.FloatStorage" => Self::Storage(Element::F32),
            "torch.HalfStorage" => Self::Storage(Element::F16),
            "torch.BFloat16Storage" => Self::Storage(Element::Bf16),
            "torch.DoubleStorage" => Self::Storage(Element::F64),
            "torch.LongStorage" => Self::Storage(Element::I64),
            "torch.IntStorage" => Self::Storage(Element::I32),
            "torch.ByteStorage" | "torch.BoolStorage" => Self::Storage(Element::U8),
            _ => return None,
        })
    }
}

type NodeId = usize;

/// One object. Objects refer to each other by index, so shared and even circular ones cost nothing.
#[derive(Clone, Debug)]
enum Node {
    None,
    Bool(bool),
    Int(i64),
    Float,
    Text(String),
    List(Vec<NodeId>),
    Tuple(Vec<NodeId>),
    Dict(Vec<(NodeId, NodeId)>),
    Namespace(Vec<(NodeId, NodeId)>),
    Opaque,
    Global(Global),
    Storage(StorageRef),
    Tensor(TensorRef),
}

/// The objects of one pickle.
#[derive(Debug)]
pub struct Pickle {
    nodes: Vec<Node>,
    root: NodeId,
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
        let mut machine = Machine {
            bytes,
            opcode_at: 0,
            position: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        let root = machine.run()?;
        let pickle = Self {
            nodes: machine.nodes,
            root,
        };
        Ok((pickle, machine.position))
    }

    /// The object that was pickled.
    pub fn root(&self) -> Value<'_> {
        self.value(self.root)
    }

    /// Every storage that a persistent id names.
    pub fn storages(&self) -> impl Iterator<Item = &StorageRef> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Storage(storage) => Some(storage),
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

    /// Keys and values of a dictionary or of an options object; `None` for anything else.
    pub fn entries(self) -> Option<impl Iterator<Item = (Value<'a>, Value<'a>)>> {
        match self.node() {
            Node::Dict(entries) | Node::Namespace(entries) => Some(
                entries
                    .iter()
                    .map(move |&(key, value)| (self.pickle.value(key), self.pickle.value(value))),
            ),
            _ => None,
        }
    }

    /// The value of a dictionary under a text key; the last one if it was set repeatedly.
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        self.entries()?
            .filter(|(found, _)| found.text() == Some(key))
            .last()
            .map(|(_, value)| value)
    }

    /// Elements of a list or tuple.
    pub fn items(self) -> Option<impl Iterator<Item = Value<'a>>> {
        match self.node() {
            Node::List(items) | Node::Tuple(items) => {
                Some(items.iter().map(move |&item| self.pickle.value(item)))
            }
            _ => None,
        }
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
    pub fn kind(self) -> &'static str {
        match self.node() {
            Node::None => "None",
            Node::Bool(_) => "a truth value",
            Node::Int(_) | Node::Float => "a number",
            Node::Text(_) => "text",
            Node::List(_) => "a list",
            Node::Tuple(_) => "a tuple",
            Node::Dict(_) => "a dictionary",
            Node::Namespace(_) => "an options object",
            Node::Opaque | Node::Global(_) => "a Python object",
            Node::Storage(_) => "a storage",
            Node::Tensor(_) => "a tensor",
        }
    }
}

/// The pickle machine: a stack of objects, marks on it, and a memo of objects to refer to again.
struct Machine<'a> {
    bytes: &'a [u8],
    opcode_at: usize,
    position: usize,
    nodes: Vec<Node>,
    stack: Vec<NodeId>,
    marks: Vec<usize>,
    memo: HashMap<u32, NodeId>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<NodeId, PickleError> {
        loop {
            self.opcode_at = self.position;
            let [code] = self.take()?;
            match code {
                b'.' => return self.pop(),
                // PROTO, FRAME: the protocol makes no difference to the opcodes below, and frames are only hints.
                0x80 => drop(self.take::<1>()?),
                0x95 => drop(self.take::<8>()?),
                b'(' => self.marks.push(self.stack.len()),
                b'N' => self.push(Node::None)?,
                0x88 => self.push(Node::Bool(true))?,
                0x89 => self.push(Node::Bool(false))?,
                b'J' => {
                    let value = i32::from_le_bytes(self.take()?);
                    self.push(Node::Int(value.into()))?;
                }
                b'K' => {
                    let [value] = self.take()?;
                    self.push(Node::Int(value.into()))?;
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.take()?);
                    self.push(Node::Int(value.into()))?;
                }
                0x8a => self.long()?,
                b'G' => {
                    self.take::<8>()?;
                    self.push(Node::Float)?;
                }
                b'X' => {
                    let length = u32::from_le_bytes(self.take()?) as usize;
                    self.text(length)?;
                }
                0x8c => {
                    let [length] = self.take()?;
                    self.text(length.into())?;
                }
                b'}' => self.push(Node::Dict(Vec::new()))?,
                b']' => self.push(Node::List(Vec::new()))?,
                b')' => self.push(Node::Tuple(Vec::new()))?,
                b't' => {
                    let items = self.pop_mark()?;
                    self.push(Node::Tuple(items))?;
                }
                0x85..=0x87 => {
                    let count = usize::from(code - 0x84);
                    let start = self.stack.len().checked_sub(count).ok_or(self.empty())?;
                    let items = self.stack.split_off(start);
                    self.push(Node::Tuple(items))?;
                }
                b'a' => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                b'e' => {
                    let items = self.pop_mark()?;
                    self.append(items)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set(&[key, value])?;
                }
                b'u' => {
                    let items = self.pop_mark()?;
                    self.set(&items)?;
                }
                b'q' => {
                    let [index] = self.take()?;
                    self.put(index.into())?;
                }
                b'r' => {
                    let index = u32::from_le_bytes(self.take()?);
                    self.put(index)?;
                }
                0x94 => self.put(self.memo.len() as u32)?,
                b'h' => {
                    let [index] = self.take()?;
                    self.get(index.into())?;
                }
                b'j' => {
                    let index = u32::from_le_bytes(self.take()?);
                    self.get(index)?;
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.global(&module, &name)?;
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    match (&self.nodes[module], &self.nodes[name]) {
                        (Node::Text(module), Node::Text(name)) => {
                            let (module, name) = (module.clone(), name.clone());
                            self.global(&module, &name)?;
                        }
                        _ => return Err(self.malformed("a name that is not text")),
                    }
                }
                b'Q' => self.storage()?,
                b'R' => self.reduce()?,
                0x81 => self.new_object()?,
                b'b' => self.build()?,
                code => {
                    return Err(PickleError::Opcode {
                        code,
                        offset: self.opcode_at,
                    });
                }
            }
        }
    }

    fn malformed(&self, problem: &'static str) -> PickleError {
        PickleError::Malformed {
            offset: self.opcode_at,
            problem,
        }
    }

    fn empty(&self) -> PickleError {
        self.malformed("takes more objects than there are")
    }

    fn truncated(&self) -> PickleError {
        PickleError::Truncated {
            offset: self.opcode_at,
        }
    }

    fn take_slice(&mut self, length: usize) -> Result<&'a [u8], PickleError> {
        let rest = &self.bytes[self.position..];
        let slice = rest.get(..length).ok_or_else(|| self.truncated())?;
        self.position += length;
        Ok(slice)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        self.take_slice(N)?.try_into().map_err(|_| self.truncated())
    }

    fn line(&mut self) -> Result<String, PickleError> {
        let rest = &self.bytes[self.position..];
        let length = rest
            .iter()
            .position(|&b| b == b'\n')
            .ok_or_else(|| self.truncated())?;
        self.position += length + 1;
        self.utf8(&rest[..length])
    }

    fn utf8(&self, bytes: &[u8]) -> Result<String, PickleError> {
        let text =
            std::str::from_utf8(bytes).map_err(|_| self.malformed("text that is not UTF-8"))?;
        Ok(text.to_owned())
    }

    fn text(&mut self, length: usize) -> Result<(), PickleError> {
        let bytes = self.take_slice(length)?;
        let text = self.utf8(bytes)?;
        self.push(Node::Text(text))
    }

    /// LONG1: a little-endian two's complement number of any length; more than 64 bits occur in no weights file.
    fn long(&mut self) -> Result<(), PickleError> {
        let [length] = self.take()?;
        let bytes = self.take_slice(length.into())?;
        if bytes.len() > 8 {
            return Err(self.malformed("a number of more than 64 bits"));
        }
        let fill = if bytes.last().is_some_and(|&b| b >= 0x80) {
            0xff
        } else {
            0
        };
        let mut value = [fill; 8];
        value[..bytes.len()].copy_from_slice(bytes);
        self.push(Node::Int(i64::from_le_bytes(value)))
    }

    fn push(&mut self, node: Node) -> Result<(), PickleError> {
        if self.nodes.len() == MAX_NODES {
            return Err(self.malformed("too many objects"));
        }
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }

    /// Takes the top of the stack, which must lie above the last mark.
    fn pop(&mut self) -> Result<NodeId, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.empty());
        }
        self.stack.pop().ok_or_else(|| self.empty())
    }

    fn pop_mark(&mut self) -> Result<Vec<NodeId>, PickleError> {
        let mark = self
            .marks
            .pop()
            .ok_or_else(|| self.malformed("no mark on the stack"))?;
        if mark > self.stack.len() {
            return Err(self.empty());
        }
        Ok(self.stack.split_off(mark))
    }

    fn top(&mut self) -> Result<&mut Node, PickleError> {
        let top = self.stack.last().copied().ok_or_else(|| self.empty())?;
        Ok(&mut self.nodes[top])
    }

    fn append(&mut self, items: Vec<NodeId>) -> Result<(), PickleError> {
        match self.top()? {
            Node::List(list) => list.extend(items),
            _ => return Err(self.malformed("appends to something that is not a list")),
        }
        Ok(())
    }

    fn set(&mut self, items: &[NodeId]) -> Result<(), PickleError> {
        if !items.len().is_multiple_of(2) {
            return Err(self.malformed("a key without a value"));
        }
        match self.top()? {
            Node::Dict(entries) => {
                entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])))
            }
            _ => return Err(self.malformed("sets items of something that is not a dictionary")),
        }
        Ok(())
    }

    fn put(&mut self, index: u32) -> Result<(), PickleError> {
        let top = self.stack.last().copied().ok_or_else(|| self.empty())?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn get(&mut self, index: u32) -> Result<(), PickleError> {
        let node = self.memo.get(&index).copied();
        self.stack.push(
            node.ok_or_else(|| self.malformed("refers to an object that was not memorised"))?,
        );
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), PickleError> {
        let name = format!("{module}.{name}");
        match Global::find(&name) {
            Some(global) => self.push(Node::Global(global)),
            None => Err(PickleError::Global {
                name: name.escape_debug().take(120).collect(),
                offset: self.opcode_at,
            }),
        }
    }

    fn tuple(&self, node: NodeId) -> Result<&[NodeId], PickleError> {
        match &self.nodes[node] {
            Node::Tuple(items) => Ok(items),
            _ => Err(self.malformed("arguments that are not a tuple")),
        }
    }

    fn size(&self, node: NodeId) -> Result<usize, PickleError> {
        match self.nodes[node] {
            Node::Int(value) => usize::try_from(value)
                .map_err(|_| self.malformed("a negative or too large size, stride or offset")),
            _ => Err(self.malformed("a size, stride or offset that is not a number")),
        }
    }

    fn sizes(&self, node: NodeId) -> Result<Vec<usize>, PickleError> {
        let items = self.tuple(node)?;
        if items.len() > MAX_DIMENSIONS {
            return Err(self.malformed("a tensor of too many dimensions"));
        }
        items.iter().map(|&item| self.size(item)).collect()
    }

    /// BINPERSID: the tuple `("storage", type, key, location, count)`; the legacy format adds None.
    fn storage(&mut self) -> Result<(), PickleError> {
        let id = self.pop()?;
        let (kind, element, key, count) = match *self.tuple(id)? {
            [kind, element, key, _location, count] => (kind, element, key, count),
            [kind, element, key, _location, count, view]
                if matches!(self.nodes[view], Node::None) =>
            {
                (kind, element, key, count)
            }
            _ => return Err(self.malformed("a persistent id that is not a storage")),
        };
        let count = self.size(count)?;
        match (&self.nodes[kind], &self.nodes[element], &self.nodes[key]) {
            (Node::Text(kind), Node::Global(Global::Storage(element)), Node::Text(key))
                if kind == "storage" && key.len() <= MAX_KEY_BYTES =>
            {
                let storage = StorageRef {
                    key: key.clone(),
                    element: *element,
                    count,
                };
                self.push(Node::Storage(storage))
            }
            _ => Err(self.malformed("a persistent id that is not a storage")),
        }
    }

    /// REDUCE: what Python would call, replaced by what it would give.
    fn reduce(&mut self) -> Result<(), PickleError> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Node::Global(function) = self.nodes[function] else {
            return Err(self.malformed("calls something that is not a function"));
        };
        let arguments = self.tuple(arguments)?;
        let node = match (function, arguments) {
            (Global::RebuildTensor, &[storage, offset, shape, stride, ..]) => {
                let Node::Storage(storage) = &self.nodes[storage] else {
                    return Err(self.malformed("a tensor without a storage"));
                };
                Node::Tensor(TensorRef {
                    storage: storage.clone(),
                    offset: self.size(offset)?,
                    shape: self.sizes(shape)?,
                    stride: self.sizes(stride)?,
                })
            }
            // These wrap what they are given: the object itself stands in for them.
            (Global::RebuildParameter, &[inner, ..]) | (Global::Size, &[inner]) => {
                self.stack.push(inner);
                return Ok(());
            }
            (Global::OrderedDict, &[]) => Node::Dict(Vec::new()),
            (Global::Namespace, &[]) => Node::Namespace(Vec::new()),
            (Global::Device, _) => Node::Opaque,
            _ => return Err(self.malformed("unexpected arguments of a constructor")),
        };
        self.push(node)
    }

    /// NEWOBJ: only options objects are made this way.
    fn new_object(&mut self) -> Result<(), PickleError> {
        let (_arguments, class) = (self.pop()?, self.pop()?);
        match self.nodes[class] {
            Node::Global(Global::Namespace) => self.push(Node::Namespace(Vec::new())),
            _ => Err(self.malformed("creates an object of an unexpected class")),
        }
    }

    /// BUILD: the attributes of an options object; those of a dictionary, such as module versions, are not needed.
    fn build(&mut self) -> Result<(), PickleError> {
        let state = self.pop()?;
        let attributes = match &self.nodes[state] {
            Node::Dict(entries) => entries.clone(),
            _ => return Err(self.malformed("attributes that are not a dictionary")),
        };
        match self.top()? {
            Node::Namespace(entries) if entries.len() + attributes.len() > MAX_NODES => {
                return Err(self.malformed("too many attributes"));
            }
            Node::Namespace(entries) => entries.extend(attributes),
            Node::Dict(_) => {}
            _ => return Err(self.malformed("sets attributes of an unexpected object")),
        }
        Ok(())
    }
}
