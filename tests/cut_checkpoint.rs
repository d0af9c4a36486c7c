//! A checkpoint that was not fetched whole is refused at once, however large it is.

use std::cell::Cell;
use std::io::{Read, Result, Seek, SeekFrom};
use std::rc::Rc;

use sdic::import::Checkpoint;

/// A file that begins as an archive does and goes on with zeros, and counts what is read of it.
struct Cut {
    length: u64,
    position: u64,
    read: Rc<Cell<u64>>,
}

impl Read for Cut {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let left = self.length.saturating_sub(self.position);
        let count = left.min(buffer.len() as u64) as usize;
        for (byte, at) in buffer[..count].iter_mut().zip(self.position..) {
            *byte = usize::try_from(at)
                .ok()
                .and_then(|at| b"PK\x03\x04".get(at).copied())
                .unwrap_or(0);
        }
        self.position += count as u64;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

impl Seek for Cut {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.position = match to {
            SeekFrom::Start(offset) => offset,
            SeekFrom::End(offset) => self.length.checked_add_signed(offset).unwrap(),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset).unwrap(),
        };
        Ok(self.position)
    }
}

#[test]
fn a_cut_checkpoint_is_refused_without_being_read() {
    for length in [4, 22, 1000, 1 << 20, 1_200_000_000] {
        let read = Rc::new(Cell::new(0));
        let (position, counter) = (0, read.clone());
        let file = Cut {
            length,
            position,
            read: counter,
        };
        let error = match Checkpoint::open(file) {
            Ok(_) => panic!("must be refused"),
            Err(error) => error.to_string(),
        };
        assert!(
            error.contains("incomplete zip archive") && error.contains("fetch the file again"),
            "{error}"
        );
        assert!(
            read.get() < 1 << 18,
            "{} of {length} bytes read",
            read.get()
        );
    }
}
