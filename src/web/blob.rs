//! A file of the visitor's, read by slices.

use std::io::{self, Read, Seek, SeekFrom};

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::{Blob, FileReaderSync};

/// A `Blob` as a Rust reader.
pub(super) struct BlobReader {
    blob: Blob,
    reader: FileReaderSync,
    position: u64,
}

impl BlobReader {
    /// Nothing is read yet.
    pub fn new(blob: Blob) -> Result<Self, JsValue> {
        Ok(Self {
            blob,
            reader: FileReaderSync::new()?,
            position: 0,
        })
    }

    fn len(&self) -> u64 {
        self.blob.size() as u64
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = (self.position + buffer.len() as u64).min(self.len());
        if end <= self.position {
            return Ok(0);
        }
        let slice = self
            .blob
            .slice_with_f64_and_f64(self.position as f64, end as f64);
        let bytes = slice.and_then(|slice| self.reader.read_as_array_buffer(&slice));
        let unreadable = |_| io::Error::other("the browser cannot read the file; choose it again");
        let bytes = Uint8Array::new(&bytes.map_err(unreadable)?.into());
        let count = bytes.length() as usize;
        bytes.copy_to(&mut buffer[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        Ok(self.position)
    }
}
