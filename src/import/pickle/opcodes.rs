//! What each opcode does.

use super::{
    error::PickleError,
    machine::Machine,
    node::{Node, NodeId},
};

/// Longest number that is remembered: the magic number of the legacy format has 10 bytes.
const MAX_LONG_BYTES: usize = 16;

impl Machine<'_> {
    /// Runs up to STOP; returns the object that was pickled.
    pub fn run(&mut self) -> Result<NodeId, PickleError> {
        loop {
            self.opcode_at = self.position();
            let [code] = self.take()?;
            if code == b'.' {
                return self.pop();
            }
            let known = self.arrange(code)?
                || self.scalar(code)?
                || self.text_or_bytes(code)?
                || self.collection(code)?
                || self.python(code)?;
            if !known {
                return Err(PickleError::Opcode {
                    code,
                    offset: self.opcode_at,
                });
            }
        }
    }

    /// Opcodes that build nothing: stack, marks and memo. These functions say whether the opcode is one of theirs.
    fn arrange(&mut self, code: u8) -> Result<bool, PickleError> {
        match code {
            // PROTO, FRAME: the protocol makes no difference to the opcodes below, and frames are only hints.
            0x80 => drop(self.take::<1>()?),
            0x95 => drop(self.take::<8>()?),
            b'(' => self.mark()?,
            // POP takes a mark too, if that is what comes last.
            b'0' => match self.marks.last() {
                Some(&mark) if mark == self.stack.len() => drop(self.marks.pop()),
                _ => drop(self.pop()?),
            },
            b'1' => drop(self.pop_mark()?),
            b'2' => self.push_again(self.top_id()?)?,
            b'q' | b'r' | b'p' => {
                let index = self.index(code == b'p', code == b'q')?;
                self.put(index)?;
            }
            0x94 => self.put_next()?,
            b'h' | b'j' | b'g' => {
                let index = self.index(code == b'g', code == b'h')?;
                self.get(index)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A place in the memo: a line of digits, or a number of one byte or four.
    fn index(&mut self, line: bool, short: bool) -> Result<u32, PickleError> {
        if line {
            let digits = self.line()?.trim();
            return digits
                .parse()
                .map_err(|_| self.malformed("a place in the memory that is not a number"));
        }
        match short {
            true => Ok(self.take::<1>()?[0].into()),
            false => Ok(u32::from_le_bytes(self.take()?)),
        }
    }

    /// None, truth values and numbers.
    fn scalar(&mut self, code: u8) -> Result<bool, PickleError> {
        match code {
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
            0x8a | 0x8b => {
                let length = self.length(if code == 0x8a { 1 } else { 4 })?;
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
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// INT and LONG: a number in decimal digits; 00 and 01 are truth values.
    fn decimal(&mut self) -> Result<(), PickleError> {
        let line = self.line()?;
        self.push(match line.trim() {
            "00" => Node::Bool(false),
            "01" => Node::Bool(true),
            number => match number.trim_end_matches('L').parse() {
                Ok(number) => Node::Int(number),
                Err(_) => Node::Long(Box::default()),
            },
        })
    }

    /// LONG1 and LONG4: a little-endian two's complement number of any length.
    fn long(&mut self, length: usize) -> Result<(), PickleError> {
        let bytes = self.take_slice(length)?;
        if bytes.len() > 8 {
            let kept = match bytes.len() <= MAX_LONG_BYTES {
                true => bytes,
                false => &[],
            };
            self.charge::<u8>(kept.len())?;
            return self.push(Node::Long(kept.into()));
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

    /// Text and bytes.
    fn text_or_bytes(&mut self, code: u8) -> Result<bool, PickleError> {
        let width = match code {
            b'U' | b'C' | 0x8c => 1,
            b'T' | b'X' | b'B' => 4,
            0x8d | 0x8e | 0x96 => 8,
            b'V' => {
                let text = self.line()?;
                self.text(text)?;
                return Ok(true);
            }
            // The quotes around it; names have no escapes.
            b'S' => {
                let text = self.line()?;
                self.text(text.trim().trim_matches(['\'', '"']))?;
                return Ok(true);
            }
            _ => return Ok(false),
        };
        let length = self.length(width)?;
        let bytes = self.take_slice(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) if !matches!(code, b'C' | b'B' | 0x8e | 0x96) => self.text(text)?,
            // Bytes, and the rare text that is none, of which Python 2 and half characters are made, are not needed.
            _ => self.push(Node::Bytes)?,
        }
        Ok(true)
    }

    fn text(&mut self, text: &str) -> Result<(), PickleError> {
        self.charge::<u8>(text.len())?;
        self.push(Node::Text(text.into()))
    }

    /// A length of so many bytes.
    fn length(&mut self, width: usize) -> Result<usize, PickleError> {
        let mut length = [0; 8];
        length[..width].copy_from_slice(self.take_slice(width)?);
        usize::try_from(u64::from_le_bytes(length)).map_err(|_| self.truncated())
    }

    /// Sets, dictionaries, lists and tuples.
    fn collection(&mut self, code: u8) -> Result<bool, PickleError> {
        match code {
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
            b')' => self.tuple_of(Vec::new())?,
            b't' => {
                let items = self.pop_mark()?;
                self.tuple_of(items)?;
            }
            0x85..=0x87 => {
                let count = usize::from(code - 0x84);
                let start = self.stack.len().checked_sub(count);
                let start = start.ok_or_else(|| self.empty())?;
                let items = self.stack.split_off(start);
                self.tuple_of(items)?;
            }
            b'l' => {
                let items = self.pop_mark()?;
                self.push(Node::List(Vec::new()))?;
                self.append(&items)?;
            }
            b'd' => {
                let items = self.pop_mark()?;
                self.push(Node::Dict(Vec::new()))?;
                self.set(&items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' => {
                let items = self.pop_mark()?;
                self.append(&items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set(&items)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn tuple_of(&mut self, items: Vec<NodeId>) -> Result<(), PickleError> {
        self.charge::<NodeId>(items.len())?;
        self.push(Node::Tuple(items.into()))
    }

    /// What Python would look up and run.
    fn python(&mut self, code: u8) -> Result<bool, PickleError> {
        match code {
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)?;
            }
            0x93 => self.global_on_stack()?,
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
                let name = self.full_name(module, name)?;
                self.object(&name)?;
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
            _ => return Ok(false),
        }
        Ok(true)
    }
}
