//! The bytes of a file, read forwards in blocks, from memory or from a disk.

use std::io::{self, Read, Seek, SeekFrom};

/// Bytes read at a time.
const BLOCK: u64 = 1 << 18;
/// Largest part that is taken into memory whole, such as a colour profile.
const MAX_PART: u64 = 1 << 24;

/// Why no further bytes come.
#[derive(Debug)]
pub enum Trouble {
    /// The file cannot be read.
    Read(io::Error),
    /// What stands there cannot be.
    Damaged(&'static str),
    /// The picture has too many pixels.
    TooLarge([u64; 2]),
}

/// The file ends inside something.
pub const CUT: Trouble = Trouble::Damaged("its end is missing");

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

pub struct FileBytes<R> {
    reader: R,
    length: u64,
    /// Position in the file of the block's first byte.
    start: u64,
    block: Vec<u8>,
    at: usize,
}

impl<R: Read + Seek> FileBytes<R> {
    pub fn new(mut reader: R) -> io::Result<Self> {
        let length = reader.seek(SeekFrom::End(0))?;
        reader.seek(SeekFrom::Start(0))?;
        Ok(Self {
            reader,
            length,
            start: 0,
            block: Vec::new(),
            at: 0,
        })
    }

    /// Size of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where the next byte stands in the file.
    pub fn position(&self) -> u64 {
        self.start + self.at as u64
    }

    /// Bytes that are left.
    pub fn left(&self) -> u64 {
        self.length.saturating_sub(self.position())
    }

    /// Goes to a place in the file, which may be beyond its end.
    pub fn go_to(&mut self, position: u64) -> io::Result<()> {
        if (self.start..=self.start + self.block.len() as u64).contains(&position) {
            self.at = (position - self.start) as usize;
            return Ok(());
        }
        self.start = position.min(self.length);
        self.reader.seek(SeekFrom::Start(self.start))?;
        self.block.clear();
        self.at = 0;
        Ok(())
    }

    /// Passes over bytes that must be there.
    pub fn skip(&mut self, count: u64) -> Result<(), Trouble> {
        if count > self.left() {
            return Err(CUT);
        }
        Ok(self.go_to(self.position() + count)?)
    }

    /// The next byte; `None` at the end.
    #[inline]
    pub fn next(&mut self) -> Result<Option<u8>, Trouble> {
        if self.at == self.block.len() && !self.refill()? {
            return Ok(None);
        }
        self.at += 1;
        Ok(Some(self.block[self.at - 1]))
    }

    #[cold]
    fn refill(&mut self) -> io::Result<bool> {
        self.start = self.position();
        self.block.clear();
        self.at = 0;
        (&mut self.reader)
            .take(BLOCK)
            .read_to_end(&mut self.block)?;
        Ok(!self.block.is_empty())
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: u64) -> Result<Vec<u8>, Trouble> {
        if count > self.left() {
            return Err(CUT);
        }
        if count > MAX_PART {
            return Err(Trouble::Damaged(
                "a part of it is larger than such a part can be",
            ));
        }
        let mut taken = Vec::with_capacity(count as usize);
        while (taken.len() as u64) < count {
            if self.at == self.block.len() && !self.refill()? {
                return Err(CUT);
            }
            let wanted = count as usize - taken.len();
            let end = self.block.len().min(self.at + wanted);
            taken.extend_from_slice(&self.block[self.at..end]);
            self.at = end;
        }
        Ok(taken)
    }

    /// Up to `count` bytes: fewer at the end.
    pub fn take_up_to(&mut self, count: u64) -> Result<Vec<u8>, Trouble> {
        self.take(count.min(self.left()))
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Trouble> {
        let mut array = [0; N];
        for byte in &mut array {
            *byte = self.next()?.ok_or(CUT)?;
        }
        Ok(array)
    }

    pub fn u8(&mut self) -> Result<u8, Trouble> {
        self.next()?.ok_or(CUT)
    }

    pub fn u16_be(&mut self) -> Result<u16, Trouble> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub fn u32_be(&mut self) -> Result<u32, Trouble> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub fn u16_le(&mut self) -> Result<u16, Trouble> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub fn u32_le(&mut self) -> Result<u32, Trouble> {
        Ok(u32::from_le_bytes(self.array()?))
    }
}
