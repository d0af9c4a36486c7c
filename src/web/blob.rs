//! A file of the visitor's, read by slices.

use std::io::{self, Read, Seek, SeekFrom};

use js_sys::Uint8Array;
use wasm_bindgen::prelude::*;
use web_sys::{Blob, FileReaderSync};

/// Bytes that are fetched at a time.
const WINDOW_BYTES: u64 = 1 << 19;

/// A `Blob` as a Rust reader.
pub(super) struct BlobReader {
    blob: Blob,
    reader: FileReaderSync,
    position: u64,
    /// What was fetched last, from `start` on. Readers of archives jump to and fro: it is kept while they do.
    window: Vec<u8>,
    start: u64,
}

impl BlobReader {
    /// Nothing is read yet.
    pub fn new(blob: Blob) -> Result<Self, JsValue> {
        Ok(Self {
            blob,
            reader: FileReaderSync::new()?,
            position: 0,
            window: Vec::new(),
            start: 0,
        })
    }

    fn len(&self) -> u64 {
        self.blob.size() as u64
    }

    /// Has the window begin at the position.
    fn fetch(&mut self) -> io::Result<()> {
        let start = self.position;
        let end = (start + WINDOW_BYTES).min(self.len());
        let slice = self.blob.slice_with_f64_and_f64(start as f64, end as f64);
        let bytes = slice.and_then(|slice| self.reader.read_as_array_buffer(&slice));
        let unreadable = |_| io::Error::other("the browser cannot read the file; choose it again");
        let bytes = Uint8Array::new(&bytes.map_err(unreadable)?.into());
        self.window.resize(bytes.length() as usize, 0);
        bytes.copy_to(&mut self.window);
        self.start = start;
        Ok(())
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.len() {
            return Ok(0);
        }
        let end = self.start + self.window.len() as u64;
        if !(self.start..end).contains(&self.position) {
            self.fetch()?;
        }
        let from = &self.window[(self.position - self.start) as usize..];
        let count = from.len().min(buffer.len());
        buffer[..count].copy_from_slice(&from[..count]);
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
