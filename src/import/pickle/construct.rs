//! What Python would make of names and arguments, and what stands in for it.

use std::sync::Arc;

use super::{
    super::element::Element,
    error::PickleError,
    global::Global,
    machine::Machine,
    node::{Entry, Node, NodeId, StorageRef, TensorRef},
};

/// Most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;
/// Longest name of a storage.
const MAX_KEY_BYTES: usize = 128;
/// Longest name of a module, and of what lies in it.
const MAX_NAME_BYTES: usize = 1024;
/// Longest name of a Python object that is remembered, in characters.
const MAX_NAME_CHARS: usize = 120;
/// Most wrappers around the arguments of a tensor.
const MAX_WRAPPERS: usize = 4;

impl Machine<'_> {
    /// STACK_GLOBAL: module and name lie on the stack.
    pub fn global_on_stack(&mut self) -> Result<(), PickleError> {
        let (name, module) = (self.pop()?, self.pop()?);
        let (Node::Text(module), Node::Text(name)) = (&self.nodes[module], &self.nodes[name])
        else {
            return Err(self.malformed("a name that is not text"));
        };
        let name = self.full_name(module, name)?;
        self.named(&name)
    }

    pub fn global(&mut self, module: &str, name: &str) -> Result<(), PickleError> {
        let name = self.full_name(module, name)?;
        self.named(&name)
    }

    pub fn full_name(&self, module: &str, name: &str) -> Result<String, PickleError> {
        if module.len().max(name.len()) > MAX_NAME_BYTES {
            return Err(self.malformed("a name that is far too long"));
        }
        Ok(format!("{module}.{name}"))
    }

    fn named(&mut self, name: &str) -> Result<(), PickleError> {
        match Global::find(name) {
            Some(global) => self.push(Node::Global(global)),
            None => self.object(name),
        }
    }

    /// Something that Python would look up by its name.
    pub fn object(&mut self, name: &str) -> Result<(), PickleError> {
        let name: String = name.escape_debug().take(MAX_NAME_CHARS).collect();
        let name = match self.names.get(name.as_str()) {
            Some(name) => name.clone(),
            None => {
                let name: Arc<str> = name.into();
                self.charge::<u8>(name.len())?;
                self.charge::<Arc<str>>(1)?;
                self.names.insert(name.clone());
                name
            }
        };
        let offset = self.opcode_at;
        self.push_object(name, offset)
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
    pub fn storage(&mut self) -> Result<(), PickleError> {
        let id = self.pop()?;
        let (kind, element, key, count) = match *self.tuple(id)? {
            // The legacy format adds its source to a class; only the class is kept.
            [kind, class, _file, _source] if matches!(&self.nodes[kind], Node::Text(kind) if &**kind == "module") =>
            {
                return self.push_again(class);
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
                if &**kind == "storage" && key.len() <= MAX_KEY_BYTES =>
            {
                let storage = StorageRef {
                    key: key.to_string(),
                    element,
                    count,
                };
                self.charge::<u8>(storage.key.len())?;
                self.charge::<StorageRef>(1)?;
                self.push(Node::Storage(Box::new(storage)))
            }
            _ => Err(self.malformed("a persistent id that is not a storage")),
        }
    }

    /// REDUCE: what Python would call, replaced by what it would give.
    pub fn reduce(&mut self) -> Result<(), PickleError> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        self.call(function, arguments, 0)
    }

    fn call(
        &mut self,
        function: NodeId,
        arguments: NodeId,
        wrappers: usize,
    ) -> Result<(), PickleError> {
        let function = match &self.nodes[function] {
            Node::Global(function) => *function,
            Node::Object(object) => {
                let (name, offset) = (object.name.clone(), object.offset);
                return self.push_object(name, offset);
            }
            _ => return Err(self.malformed("calls something that is not a function")),
        };
        let node = match (function, self.tuple(arguments)?) {
            (Global::RebuildTensor, &[storage, offset, shape, stride, ..]) => {
                let storage = self.storage_of(storage)?.clone();
                let tensor = self.tensor(storage, offset, shape, stride)?;
                return self.push_tensor(tensor);
            }
            (Global::RebuildTensorOfType, &[storage, offset, shape, stride, _, _, element, ..]) => {
                let mut storage = self.storage_of(storage)?.clone();
                let Node::Global(Global::Type(element)) = self.nodes[element] else {
                    return Err(self.malformed("a tensor of an unknown type"));
                };
                // It counts bytes.
                storage.count /= element.bytes().max(1);
                storage.element = element;
                let tensor = self.tensor(storage, offset, shape, stride)?;
                return self.push_tensor(tensor);
            }
            // These wrap what they are given: the object itself stands in for them.
            (Global::RebuildParameter, &[inner, ..]) | (Global::Size, &[inner]) => {
                return self.push_again(inner);
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
                self.charge::<Entry>(entries.len())?;
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
    ) -> Result<TensorRef, PickleError> {
        Ok(TensorRef {
            storage,
            offset: self.size(offset)?,
            shape: self.sizes(shape)?,
            stride: self.sizes(stride)?,
        })
    }

    fn push_tensor(&mut self, tensor: TensorRef) -> Result<(), PickleError> {
        self.charge::<u8>(tensor.storage.key.len())?;
        self.charge::<usize>(tensor.shape.len() + tensor.stride.len())?;
        self.charge::<TensorRef>(1)?;
        self.push(Node::Tensor(Box::new(tensor)))
    }

    /// The entries of a dictionary that is made from another one or from pairs.
    fn dict_of(&self, items: NodeId) -> Result<Vec<Entry>, PickleError> {
        let problem = || self.malformed("a dictionary made of something else than pairs");
        let pairs: &[NodeId] = match &self.nodes[items] {
            Node::Dict(entries) => return Ok(entries.clone()),
            Node::List(pairs) => pairs,
            Node::Tuple(pairs) => pairs,
            _ => return Err(problem()),
        };
        let entry = |&pair: &NodeId| {
            let pair: &[NodeId] = match &self.nodes[pair] {
                Node::List(pair) => pair,
                Node::Tuple(pair) => pair,
                _ => return Err(problem()),
            };
            match *pair {
                [key, value] => Ok((key, value)),
                _ => Err(problem()),
            }
        };
        pairs.iter().map(entry).collect()
    }

    /// NEWOBJ: an object of the class below its arguments.
    pub fn new_object(&mut self) -> Result<(), PickleError> {
        let (_arguments, class) = (self.pop()?, self.pop()?);
        self.instance(class)
    }

    pub fn instance(&mut self, class: NodeId) -> Result<(), PickleError> {
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

    /// BUILD: the attributes of an object. Those of a dictionary, such as module versions, are not needed, nor are
    /// those of other data.
    pub fn build(&mut self) -> Result<(), PickleError> {
        let state = self.pop()?;
        let target = self.top_id()?;
        match (&self.nodes[target], &self.nodes[state]) {
            (Node::Object(_), Node::Dict(entries)) => {
                let count = entries.len();
                self.charge::<Entry>(count)?;
                let Node::Dict(entries) = &self.nodes[state] else {
                    return Ok(());
                };
                let entries = entries.clone();
                if let Node::Object(object) = &mut self.nodes[target] {
                    object.attributes.extend(entries);
                }
            }
            (Node::Dict(_), other) if !matches!(other, Node::Dict(_)) => {
                return Err(self.malformed("attributes that are not a dictionary"));
            }
            (
                Node::Object(_) | Node::Dict(_) | Node::List(_) | Node::Tensor(_) | Node::Opaque,
                _,
            ) => {}
            _ => return Err(self.malformed("sets attributes of an unexpected object")),
        }
        Ok(())
    }
}
