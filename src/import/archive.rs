//! Zip archives, as `torch.save` and `numpy.savez` write them or as they come out of a packing program.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{Read, Seek, SeekFrom};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::error::ImportError;

/// First bytes of an archive with entries.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";
/// First bytes of an archive without any.
pub(super) const EMPTY_MAGIC: &[u8] = b"PK\x05\x06";
/// Bytes of the record that every archive ends with, and most of the comment after it.
const END_BYTES: usize = 22;
const MOST_COMMENT: usize = u16::MAX as usize;
/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;
/// An archive may unpack to this many times its length and then [`FREE_BYTES`] more, over all that is read from it.
/// Weights shrink by a tenth; only arrays of one value exceed this, and files made to exhaust their reader.
const MAX_RATIO: u64 = 100;
/// Most bytes that deflate can pack into one.
const MAX_DEFLATE: u64 = 1032;
/// What any archive may unpack to.
const FREE_BYTES: u64 = 256 << 20;

/// Most bytes of unpacked entries that are kept for who asks for another part of one. A larger one is unpacked anew.
const KEPT_BYTES: usize = 128 << 20;

/// A zip archive whose entries are stored or deflated.
pub(super) struct Archive<R> {
    zip: ZipArchive<R>,
    /// Positions of entries by their names with forward slashes.
    entries: HashMap<String, usize>,
    /// Bytes that may still be unpacked.
    budget: u64,
    length: u64,
    /// Stored entries whose checksum was right: of these a part is read alone.
    verified: HashSet<usize>,
    /// Deflated entries that were unpacked last, oldest first, whose checksum was right.
    unpacked: VecDeque<(usize, Vec<u8>)>,
}

/// Refuses an archive that lacks its end, as one does that was not fetched whole. Who looks for the end any further
/// reads all of a large file, many times over.
fn find_end(reader: &mut (impl Read + Seek), length: u64) -> Result<(), ImportError> {
    let start = length.saturating_sub((END_BYTES + MOST_COMMENT) as u64);
    let mut tail = Vec::new();
    reader.seek(SeekFrom::Start(start))?;
    reader
        .take((END_BYTES + MOST_COMMENT) as u64)
        .read_to_end(&mut tail)?;
    let is_end = |record: &[u8]| {
        let comment = u16::from_le_bytes([record[END_BYTES - 2], record[END_BYTES - 1]]);
        record.starts_with(EMPTY_MAGIC) && record.len() >= END_BYTES + usize::from(comment)
    };
    let mut records = (0..(tail.len() + 1).saturating_sub(END_BYTES)).map(|at| &tail[at..]);
    match records.any(is_end) {
        true => Ok(()),
        false => Err(ZipError::InvalidArchive("its end is missing".into()).into()),
    }
}

impl<R: Read + Seek> Archive<R> {
    /// Reads the directory.
    ///
    /// # Errors
    /// It is damaged, missing, or of a kind that is not read.
    pub(super) fn open(mut reader: R) -> Result<Self, ImportError> {
        let length = reader.seek(SeekFrom::End(0))?;
        find_end(&mut reader, length)?;
        reader.rewind()?;
        let zip = ZipArchive::new(reader)?;
        let names = (0..zip.len()).filter_map(|index| Some((zip.name_for_index(index)?, index)));
        let entries = names
            .map(|(name, index)| (plain(name), index))
            .filter(|(name, _)| !name.ends_with('/'))
            .collect();
        Ok(Self {
            zip,
            entries,
            budget: length.saturating_mul(MAX_RATIO).saturating_add(FREE_BYTES),
            length,
            verified: HashSet::new(),
            unpacked: VecDeque::new(),
        })
    }

    /// Names of all entries that are files, in order.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.entries.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Reads a whole entry of at most `limit` bytes.
    pub(super) fn read(&mut self, name: &str, limit: usize) -> Result<Vec<u8>, ImportError> {
        let (size, _) = self.size(name)?;
        match usize::try_from(size) {
            Ok(size) if size <= limit => self.unpack(name, size, 0, size),
            _ => Err(entry_error(
                name,
                format!("has {size} bytes; at most {limit} are read here"),
            )),
        }
    }

    fn index(&self, name: &str) -> Result<usize, ImportError> {
        let index = self.entries.get(name).copied();
        index.ok_or_else(|| entry_error(name, "is missing"))
    }

    /// Bytes of an entry when unpacked, and whether it is deflated, after everything that can be known before has been
    /// checked.
    fn size(&mut self, name: &str) -> Result<(u64, bool), ImportError> {
        let index = self.index(name)?;
        let entry = self.zip.by_index_raw(index)?;
        if entry.encrypted() {
            return Err(entry_error(
                name,
                "is encrypted; unpack the archive with its password and pack it again without one",
            ));
        }
        let method = entry.compression();
        let (size, packed) = (entry.size(), entry.compressed_size());
        let possible = match method {
            CompressionMethod::Stored => size == packed,
            CompressionMethod::Deflated => size <= packed.saturating_mul(MAX_DEFLATE),
            _ => {
                return Err(entry_error(
                    name,
                    format!(
                        "is compressed by {}, which is not read; pack the archive again \
                         without compression or with deflate",
                        method_name(method)
                    ),
                ));
            }
        };
        if !possible || packed > self.length {
            return Err(entry_error(
                name,
                format!("is damaged: {packed} bytes cannot hold {size}"),
            ));
        }
        let deflated = method != CompressionMethod::Stored;
        if deflated && size > self.budget {
            return Err(entry_error(
                name,
                format!(
                    "unpacks to {} MB, far more than an archive of {} kB with weights does; it is not unpacked",
                    size / 1_000_000,
                    self.length / 1000
                ),
            ));
        }
        Ok((size, deflated))
    }

    /// The `length` bytes from `start` on in an entry of exactly `size` bytes. The first time all of it is read to
    /// verify its checksum; another part of it is then read alone, or taken from what was unpacked.
    pub(super) fn read_range(
        &mut self,
        name: &str,
        size: usize,
        start: usize,
        length: usize,
    ) -> Result<Vec<u8>, ImportError> {
        let wrong_size = |found| {
            let problem = format!("has {found} bytes instead of {size}");
            entry_error(name, problem)
        };
        let end = start.checked_add(length).filter(|end| *end <= size);
        let end = end.ok_or_else(|| entry_error(name, format!("has only {size} bytes")))?;
        let index = self.index(name)?;
        if let Some((_, bytes)) = self.unpacked.iter().find(|(known, _)| *known == index) {
            let part = (bytes.len() == size).then(|| bytes[start..end].to_vec());
            return part.ok_or_else(|| wrong_size(bytes.len() as u64));
        }
        let (found, deflated) = self.size(name)?;
        if found != size as u64 {
            return Err(wrong_size(found));
        }
        if deflated && size <= KEPT_BYTES {
            let kept = |unpacked: &VecDeque<(usize, Vec<u8>)>| -> usize {
                unpacked.iter().map(|(_, bytes)| bytes.len()).sum()
            };
            while kept(&self.unpacked) > KEPT_BYTES - size {
                self.unpacked.pop_front();
            }
            let bytes = self.unpack(name, size, 0, size)?;
            let part = bytes[start..end].to_vec();
            self.unpacked.push_back((index, bytes));
            return Ok(part);
        }
        if self.verified.contains(&index) {
            let unreadable =
                |error: std::io::Error| entry_error(name, format!("cut short ({error})"));
            let mut entry = self.zip.by_index_seek(index)?;
            entry
                .seek(SeekFrom::Start(start as u64))
                .map_err(unreadable)?;
            let mut bytes = vec![0; length];
            entry.read_exact(&mut bytes).map_err(unreadable)?;
            return Ok(bytes);
        }
        let bytes = self.unpack(name, size, start, length)?;
        if !deflated {
            self.verified.insert(index);
        }
        Ok(bytes)
    }

    /// The `length` bytes from `start` on in an entry of `size` bytes, which is read to its end to verify its
    /// checksum.
    fn unpack(
        &mut self,
        name: &str,
        size: usize,
        start: usize,
        length: usize,
    ) -> Result<Vec<u8>, ImportError> {
        let problem = |problem: String| entry_error(name, problem);
        let (_, deflated) = self.size(name)?;
        if deflated {
            self.budget -= size as u64;
        }
        let rest = size - start - length;
        let mut bytes = vec![0; length];
        let index = self.index(name)?;
        let mut entry = self.zip.by_index(index)?;
        let unreadable = |error: std::io::Error| problem(format!("damaged or cut short ({error})"));
        skip(&mut entry, start).map_err(unreadable)?;
        entry.read_exact(&mut bytes).map_err(unreadable)?;
        skip(&mut entry, rest).map_err(unreadable)?;
        // The checksum is compared when the end is reached.
        let end = entry.read(&mut [0]).map_err(unreadable)?;
        match end {
            0 => Ok(bytes),
            _ => Err(problem("is longer than the archive says".to_owned())),
        }
    }
}

fn method_name(method: CompressionMethod) -> &'static str {
    match method {
        CompressionMethod::DEFLATE64 => "Deflate64",
        CompressionMethod::BZIP2 => "bzip2",
        CompressionMethod::LZMA => "LZMA",
        CompressionMethod::ZSTD => "Zstandard",
        CompressionMethod::XZ => "xz",
        _ => "an unusual method",
    }
}

/// Some programs write backslashes, or start at the current folder.
fn plain(name: &str) -> String {
    let name = name.replace('\\', "/");
    match name.strip_prefix("./") {
        Some(rest) => rest.to_owned(),
        None => name,
    }
}

fn entry_error(name: &str, problem: impl Into<String>) -> ImportError {
    ImportError::Entry {
        entry: name.escape_debug().take(200).collect(),
        problem: problem.into(),
    }
}

impl From<ZipError> for ImportError {
    fn from(error: ZipError) -> Self {
        match error {
            ZipError::UnsupportedArchive(reason) => Self::Content(format!(
                "a zip archive of a kind that is not read ({reason}); unpack it and pack it again plainly"
            )),
            error => Self::Zip(error),
        }
    }
}

fn skip(reader: &mut impl Read, count: usize) -> std::io::Result<()> {
    let mut buffer = vec![0; count.min(READ_BYTES)];
    let mut left = count;
    while left > 0 {
        let part = left.min(READ_BYTES);
        reader.read_exact(&mut buffer[..part])?;
        left -= part;
    }
    Ok(())
}
