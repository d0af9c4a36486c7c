//! A reader for the pickles that `torch.save` writes, which builds data and never runs anything.
//!
//! All opcodes of protocols 0 to 5 are known. Names of Python functions and classes are looked up in a short list of
//! stand-ins for what makes tensors and dictionaries. What any other name makes is an inert object: it may lie anywhere in
//! the file, and is refused only where a tensor, text or number is needed.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use thiserror::Error;

use super::element::Element;

/// Largest pickle that is read, in bytes; the released checkpoints have 0.2 MB.
pub const MAX_PICKLE_BYTES: usize = 8 << 20;
/// Most objects that one pickle may build, and most entries that they may take from other objects.
const MAX_NODES: usize = 1 << 20;
/// Most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;
/// Longest name of a storage.
const MAX_KEY_BYTES: usize = 128;
/// Longest name of a Python object that is remembered, in characters.
const MAX_NAME_CHARS: usize = 120;
/// Longest number that is remembered: the magic number of the legacy format has 10 bytes.
const MAX_LONG_BYTES: usize = 16;
/// Most wrappers around the arguments of a tensor.
const MAX_WRAPPERS: usize = 4;

/// A pickle that cannot be read. `offset` is the position of the opcode.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PickleError {
    /// An opcode that is unknown or refers to what is not in the file.
    #[error("opcode 0x{code:02x}{} at byte {offset} is not known; the file is damaged or no PyTorch file", printable(*code))]
    Opcode {
        /// The opcode.
        code: u8,
        /// Its position.
        offset: usize,
    },
    /// A Python object where data is needed.
    #[error(
        "\"{name}\" at byte {offset} stands where tensors are needed, and only Python could run it; nothing in a file is \
         run here: save the tensors themselves, such as the state_dict, with torch.save"
    )]
    Object {
        /// Module and name of the function or class that makes it.
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

/// Stand-ins for the Python names whose results are data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Global {
    RebuildTensor,
    /// Of a storage without a type; the type is an argument.
    RebuildTensorOfType,
    RebuildParameter,
    /// A subclass of tensors: a function and its arguments are among the arguments.
    RebuildFromType,
    OrderedDict,
    /// Its first argument makes the values that are not there yet.
    DefaultDict,
    Size,
    Device,
    Storage(Element),
    Type(Element),
}

impl Global {
    fn find(name: &str) -> Option<Self> {
        Some(match name {
            "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" => {
                Self::RebuildTensor
            }
            "torch._utils._rebuild_tensor_v3" => Self::RebuildTensorOfType,
            "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" => {
                Self::RebuildParameter
            }
            "torch._tensor._rebuild_from_type_v2" => Self::RebuildFromType,
            "collections.OrderedDict" | "builtins.dict" | "__builtin__.dict" => Self::OrderedDict,
            "collections.defaultdict" => Self::DefaultDict,
            "torch.Size" => Self::Size,
            "torch.device" => Self::Device,
            "torch.storage.UntypedStorage" | "torch.UntypedStorage" => Self::Storage(Element::U8),
            _ => {
                let name = name.strip_prefix("torch.")?;
                let storage = name.strip_prefix("cuda.").unwrap_or(name);
                return match storage.strip_suffix("Storage") {
                    Some(kind) => storage_element(kind).map(Self::Storage),
                    None => type_element(name).map(Self::Type),
                };
            }
        })
    }
}

/// The elements of `torch.<kind>Storage`.
fn storage_element(kind: &str) -> Option<Element> {
    let other = |name, bytes| Element::Other { name, bytes };
    Some(match kind {
        "Float" => Element::F32,
        "Half" => Element::F16,
        "BFloat16" => Element::Bf16,
        "Double" => Element::F64,
        "Long" => Element::I64,
        "Int" => Element::I32,
        "Short" => Element::I16,
        "Char" => Element::I8,
        "Byte" => Element::U8,
        "Bool" => Element::Bool,
        "ComplexFloat" => other("complex numbers", 8),
        "ComplexDouble" => other("complex numbers", 16),
        "QInt8" | "QUInt8" | "QUInt4x2" | "QUInt2x4" => other("quantised numbers", 1),
        "QInt32" => other("quantised numbers", 4),
        _ => return None,
    })
}

/// The elements of `torch.<name>`.
fn type_element(name: &str) -> Option<Element> {
    let other = |name, bytes| Element::Other { name, bytes };
    Some(match name {
        "float32" => Element::F32,
        "float16" => Element::F16,
        "bfloat16" => Element::Bf16,
        "float64" => Element::F64,
        "float8_e4m3fn" => Element::F8E4M3,
        "float8_e5m2" => Element::F8E5M2,
        "float8_e4m3fnuz" | "float8_e5m2fnuz" | "float8_e8m0fnu" => other("8-bit floats", 1),
        "int64" => Element::I64,
        "int32" => Element::I32,
        "int16" => Element::I16,
        "int8" => Element::I8,
        "uint64" => Element::U64,
        "uint32" => Element::U32,
        "uint16" => Element::U16,
        "uint8" => Element::U8,
        "bool" => Element::Bool,
        "complex32" => other("complex numbers", 4),
        "complex64" => other("complex numbers", 8),
        "complex128" => other("complex numbers", 16),
        _ => return None,
    })
}

type NodeId = usize;

/// One object. Objects refer to each other by index, so shared and even circular ones cost nothing.
#[derive(Clone, Debug)]
enum Node {
    None,
    Bool(bool),
    Int(i64),
    /// A number of more than 64 bits, little-endian; empty if it is very long.
    Long(Vec<u8>),
    Float,
    Text(String),
    Bytes,
    List(Vec<NodeId>),
    Tuple(Vec<NodeId>),
    Dict(Vec<(NodeId, NodeId)>),
    Object(Object),
    Opaque,
    Global(Global),
    Storage(StorageRef),
    Tensor(TensorRef),
}

/// A Python function or class outside the list, or what it would have made.
#[derive(Clone, Debug)]
struct Object {
    name: Arc<str>,
    offset: usize,
    /// What was set by key.
    items: Vec<(NodeId, NodeId)>,
    /// Dictionaries of attributes.
    states: Vec<NodeId>,
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
            names: HashSet::new(),
            taken: 0,
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

    /// Keys and values of a dictionary, also of one of an unknown class; `None` for anything else.
    pub fn entries(self) -> Option<impl Iterator<Item = (Value<'a>, Value<'a>)>> {
        match self.node() {
            Node::Dict(entries) => Some(self.pairs(entries)),
            Node::Object(object) if !object.items.is_empty() => Some(self.pairs(&object.items)),
            _ => None,
        }
    }

    fn pairs(
        self,
        entries: &'a [(NodeId, NodeId)],
    ) -> impl Iterator<Item = (Value<'a>, Value<'a>)> {
        let value = move |node| self.pickle.value(node);
        entries
            .iter()
            .map(move |&(key, item)| (value(key), value(item)))
    }

    /// The value of a dictionary under a text key, or the attribute of an object; the last one if it was set repeatedly.
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        let find = |entries| {
            self.pairs(entries)
                .filter(|(found, _)| found.text() == Some(key))
                .last()
                .map(|(_, value)| value)
        };
        match self.node() {
            Node::Dict(entries) => find(entries),
            Node::Object(object) => find(&object.items).or_else(|| {
                let states = object.states.iter().rev();
                states
                    .filter_map(|&state| match &self.pickle.nodes[state] {
                        Node::Dict(entries) => find(entries),
                        _ => None,
                    })
                    .next()
            }),
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
        matches!(self.node(), Node::Long(found) if found == bytes)
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

/// The pickle machine: a stack of objects, marks on it, and a memo of objects to refer to again.
struct Machine<'a> {
    bytes: &'a [u8],
    opcode_at: usize,
    position: usize,
    nodes: Vec<Node>,
    stack: Vec<NodeId>,
    marks: Vec<usize>,
    memo: HashMap<u32, NodeId>,
    /// Names of Python objects, each once.
    names: HashSet<Arc<str>>,
    /// Entries that objects took from other objects, which the file need not repeat.
    taken: usize,
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
                b'I' | b'L' => self.decimal()?,
                0x8a => {
                    let [length] = self.take()?;
                    self.long(length.into())?;
                }
                0x8b => {
                    let length = u32::from_le_bytes(self.take()?) as usize;
                    self.long(length)?;
                }
                b'F' => {
                    self.line()?;
                    self.push(Node::Float)?;
                }
                b'G' => {
                    self.take::<8>()?;
                    self.push(Node::Float)?;
                }
                b'X' => {
                    let length = u32::from_le_bytes(self.take()?) as usize;
                    self.text(length)?;
                }
                0x8c | b'U' => {
                    let [length] = self.take()?;
                    self.text(length.into())?;
                }
                b'T' => {
                    let length = u32::from_le_bytes(self.take()?) as usize;
                    self.text(length)?;
                }
                0x8d => {
                    let length = self.long_length()?;
                    self.text(length)?;
                }
                b'V' => {
                    let text = self.line()?;
                    self.push(Node::Text(text))?;
                }
                // The quotes around it; names have no escapes.
                b'S' => {
                    let text = self.line()?;
                    let text = text.trim().trim_matches(['\'', '"']).to_owned();
                    self.push(Node::Text(text))?;
                }
                b'C' => {
                    let [length] = self.take()?;
                    self.bytes(length.into())?;
                }
                b'B' => {
                    let length = u32::from_le_bytes(self.take()?) as usize;
                    self.bytes(length)?;
                }
                0x8e | 0x96 => {
                    let length = self.long_length()?;
                    self.bytes(length)?;
                }
                // EMPTY_SET, and FROZENSET of what lies above the mark. No set is needed as data.
                0x8f => self.object("builtins.set")?,
                0x91 => {
                    self.pop_mark()?;
                    self.object("builtins.frozenset")?;
                }
                0x90 => {
                    self.pop_mark()?;
                    match self.top()? {
                        Node::Object(_) => {}
                        _ => return Err(self.malformed("adds to something that is not a set")),
                    }
                }
                b'}' => self.push(Node::Dict(Vec::new()))?,
                b']' => self.push(Node::List(Vec::new()))?,
                b')' => self.push(Node::Tuple(Vec::new()))?,
                b't' => {
                    let items = self.pop_mark()?;
                    self.push(Node::Tuple(items))?;
                }
                b'l' => {
                    let items = self.pop_mark()?;
                    self.push(Node::List(items))?;
                }
                b'd' => {
                    let items = self.pop_mark()?;
                    self.push(Node::Dict(Vec::new()))?;
                    self.set(&items)?;
                }
                // POP takes a mark too, if that is what comes last.
                b'0' => match self.marks.last() {
                    Some(&mark) if mark == self.stack.len() => drop(self.marks.pop()),
                    _ => drop(self.pop()?),
                },
                b'1' => drop(self.pop_mark()?),
                b'2' => {
                    let top = self.stack.last().copied().ok_or_else(|| self.empty())?;
                    self.stack.push(top);
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
                b'p' => {
                    let index = self.line_index()?;
                    self.put(index)?;
                }
                b'g' => {
                    let index = self.line_index()?;
                    self.get(index)?;
                }
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
                // NEWOBJ_EX, with arguments by name.
                0x92 => {
                    self.pop()?;
                    self.new_object()?;
                }
                b'i' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.pop_mark()?;
                    self.object(&format!("{module}.{name}"))?;
                }
                b'o' => match self.pop_mark()?.first() {
                    Some(&class) => self.instance(class)?,
                    None => return Err(self.empty()),
                },
                // EXT1, EXT2, EXT4: a number of a class in a registry that only Python has.
                0x82..=0x84 => {
                    self.take_slice(1 << (code - 0x82))?;
                    self.object("copyreg.extension")?;
                }
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

    /// Text; the rare bytes that are none, of which Python 2 and half characters are made, are needed nowhere.
    fn text(&mut self, length: usize) -> Result<(), PickleError> {
        let bytes = self.take_slice(length)?;
        self.push(match std::str::from_utf8(bytes) {
            Ok(text) => Node::Text(text.to_owned()),
            Err(_) => Node::Bytes,
        })
    }

    fn bytes(&mut self, length: usize) -> Result<(), PickleError> {
        self.take_slice(length)?;
        self.push(Node::Bytes)
    }

    fn long_length(&mut self) -> Result<usize, PickleError> {
        usize::try_from(u64::from_le_bytes(self.take()?)).map_err(|_| self.truncated())
    }

    fn line_index(&mut self) -> Result<u32, PickleError> {
        let line = self.line()?;
        line.trim()
            .parse()
            .map_err(|_| self.malformed("a place in the memory that is not a number"))
    }

    /// INT and LONG: a number in decimal digits; 00 and 01 are truth values.
    fn decimal(&mut self) -> Result<(), PickleError> {
        let line = self.line()?;
        self.push(match line.trim() {
            "00" => Node::Bool(false),
            "01" => Node::Bool(true),
            number => match number.trim_end_matches('L').parse() {
                Ok(number) => Node::Int(number),
                Err(_) => Node::Long(Vec::new()),
            },
        })
    }

    /// LONG1 and LONG4: a little-endian two's complement number of any length.
    fn long(&mut self, length: usize) -> Result<(), PickleError> {
        let bytes = self.take_slice(length)?;
        if bytes.len() > 8 {
            let kept = match bytes.len() <= MAX_LONG_BYTES {
                true => bytes.to_vec(),
                false => Vec::new(),
            };
            return self.push(Node::Long(kept));
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
            Node::Object(_) => {}
            _ => return Err(self.malformed("appends to something that is not a list")),
        }
        Ok(())
    }

    fn set(&mut self, items: &[NodeId]) -> Result<(), PickleError> {
        if !items.len().is_multiple_of(2) {
            return Err(self.malformed("a key without a value"));
        }
        match self.top()? {
            Node::Dict(entries) | Node::Object(Object { items: entries, .. }) => {
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
            None => self.object(&name),
        }
    }

    /// Something that Python would look up by its name.
    fn object(&mut self, name: &str) -> Result<(), PickleError> {
        let name: String = name.escape_debug().take(MAX_NAME_CHARS).collect();
        let name = match self.names.get(name.as_str()) {
            Some(name) => name.clone(),
            None => {
                let name: Arc<str> = name.into();
                self.names.insert(name.clone());
                name
            }
        };
        let offset = self.opcode_at;
        self.push_object(name, offset)
    }

    fn push_object(&mut self, name: Arc<str>, offset: usize) -> Result<(), PickleError> {
        self.push(Node::Object(Object {
            name,
            offset,
            items: Vec::new(),
            states: Vec::new(),
        }))
    }

    /// Counts entries that an object takes from another.
    fn take_entries(&mut self, count: usize) -> Result<(), PickleError> {
        self.taken = self.taken.saturating_add(count);
        match self.taken > MAX_NODES {
            true => Err(self.malformed("too many attributes")),
            false => Ok(()),
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
            // The legacy format adds its source to a class; only the class is kept.
            [kind, class, _file, _source] if matches!(&self.nodes[kind], Node::Text(kind) if kind == "module") =>
            {
                self.stack.push(class);
                return Ok(());
            }
            [kind, element, key, _location, count] => (kind, element, key, count),
            [kind, element, key, _location, count, view]
                if matches!(self.nodes[view], Node::None) =>
            {
                (kind, element, key, count)
            }
            _ => return Err(self.malformed("a persistent id that is not a storage")),
        };
        let count = self.size(count)?;
        let element = match self.nodes[element] {
            Node::Global(Global::Storage(element)) => element,
            Node::Object(_) => Element::Other {
                name: "numbers of an unknown type",
                bytes: 0,
            },
            _ => return Err(self.malformed("a persistent id that is not a storage")),
        };
        match (&self.nodes[kind], &self.nodes[key]) {
            (Node::Text(kind), Node::Text(key))
                if kind == "storage" && key.len() <= MAX_KEY_BYTES =>
            {
                let storage = StorageRef {
                    key: key.clone(),
                    element,
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
        self.call(function, arguments, 0)
    }

    fn call(
        &mut self,
        function: NodeId,
        arguments: NodeId,
        wrappers: usize,
    ) -> Result<(), PickleError> {
        let arguments = self.tuple(arguments)?;
        let function = match &self.nodes[function] {
            Node::Global(function) => *function,
            Node::Object(object) => {
                let (name, offset) = (object.name.clone(), object.offset);
                return self.push_object(name, offset);
            }
            _ => return Err(self.malformed("calls something that is not a function")),
        };
        let node = match (function, arguments) {
            (Global::RebuildTensor, &[storage, offset, shape, stride, ..]) => {
                let storage = self.storage_of(storage)?.clone();
                self.tensor(storage, offset, shape, stride)?
            }
            (Global::RebuildTensorOfType, &[storage, offset, shape, stride, _, _, element, ..]) => {
                let mut storage = self.storage_of(storage)?.clone();
                let Node::Global(Global::Type(element)) = self.nodes[element] else {
                    return Err(self.malformed("a tensor of an unknown type"));
                };
                // It counts bytes.
                storage.count /= element.bytes().max(1);
                storage.element = element;
                self.tensor(storage, offset, shape, stride)?
            }
            // These wrap what they are given: the object itself stands in for them.
            (Global::RebuildParameter, &[inner, ..]) | (Global::Size, &[inner]) => {
                self.stack.push(inner);
                return Ok(());
            }
            (Global::RebuildFromType, &[function, _class, arguments, ..])
                if wrappers < MAX_WRAPPERS =>
            {
                return self.call(function, arguments, wrappers + 1);
            }
            (Global::OrderedDict, &[]) | (Global::DefaultDict, &[] | &[_]) => {
                Node::Dict(Vec::new())
            }
            (Global::OrderedDict, &[items]) | (Global::DefaultDict, &[_, items]) => {
                let entries = self.dict_of(items)?;
                self.take_entries(entries.len())?;
                Node::Dict(entries)
            }
            (Global::Device | Global::Type(_) | Global::Storage(_), _) => Node::Opaque,
            _ => return Err(self.malformed("unexpected arguments of a constructor")),
        };
        self.push(node)
    }

    fn storage_of(&self, node: NodeId) -> Result<&StorageRef, PickleError> {
        match &self.nodes[node] {
            Node::Storage(storage) => Ok(storage),
            _ => Err(self.malformed("a tensor without a storage")),
        }
    }

    fn tensor(
        &self,
        storage: StorageRef,
        offset: NodeId,
        shape: NodeId,
        stride: NodeId,
    ) -> Result<Node, PickleError> {
        Ok(Node::Tensor(TensorRef {
            storage,
            offset: self.size(offset)?,
            shape: self.sizes(shape)?,
            stride: self.sizes(stride)?,
        }))
    }

    /// The entries of a dictionary that is made from another one or from pairs.
    fn dict_of(&self, items: NodeId) -> Result<Vec<(NodeId, NodeId)>, PickleError> {
        let problem = || self.malformed("a dictionary made of something else than pairs");
        match &self.nodes[items] {
            Node::Dict(entries) if entries.len() <= MAX_NODES => Ok(entries.clone()),
            Node::List(pairs) | Node::Tuple(pairs) => pairs
                .iter()
                .map(|&pair| match &self.nodes[pair] {
                    Node::List(pair) | Node::Tuple(pair) => match pair[..] {
                        [key, value] => Ok((key, value)),
                        _ => Err(problem()),
                    },
                    _ => Err(problem()),
                })
                .collect(),
            _ => Err(problem()),
        }
    }

    /// NEWOBJ: an object of the class below its arguments.
    fn new_object(&mut self) -> Result<(), PickleError> {
        let (_arguments, class) = (self.pop()?, self.pop()?);
        self.instance(class)
    }

    fn instance(&mut self, class: NodeId) -> Result<(), PickleError> {
        match &self.nodes[class] {
            Node::Object(object) => {
                let (name, offset) = (object.name.clone(), object.offset);
                self.push_object(name, offset)
            }
            Node::Global(Global::OrderedDict | Global::DefaultDict) => {
                self.push(Node::Dict(Vec::new()))
            }
            Node::Global(_) => self.push(Node::Opaque),
            _ => Err(self.malformed("creates an object of something that is not a class")),
        }
    }

    /// BUILD: the attributes of an object. Those of a dictionary, such as module versions, are not needed, nor are those
    /// of other data.
    fn build(&mut self) -> Result<(), PickleError> {
        let state = self.pop()?;
        let entries = match &self.nodes[state] {
            Node::Dict(entries) => Some(entries.len()),
            _ => None,
        };
        match (self.top()?, entries) {
            (Node::Object(object), entries) => {
                object.states.push(state);
                self.take_entries(entries.unwrap_or(0))?;
            }
            (Node::Dict(_), None) => {
                return Err(self.malformed("attributes that are not a dictionary"));
            }
            (Node::Dict(_) | Node::List(_) | Node::Tensor(_) | Node::Opaque, _) => {}
            _ => return Err(self.malformed("sets attributes of an unexpected object")),
        }
        Ok(())
    }
}
