//! Files written by `torch.save`: the zip archive of current versions and the legacy format before 1.6.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};

use super::archive::Archive;
use super::element::{ByteOrder, Positions};
use super::error::ImportError;
use super::format;
use super::pickle::{MAX_PICKLE_BYTES, NodeBudget, Pickle, StorageRef, TensorRef, Value};
use crate::weights::{Tensor, one_line};

/// Most values that one tensor may have: 256 MB of f32, far above any in the networks.
const MAX_VALUES: usize = 64 << 20;
/// The number 0x1950a86a20f9469cfc6c; a pickle of it, of any protocol, starts the legacy format.
const LEGACY_MAGIC: &[u8] = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
/// Longest pickle of it.
const LEGACY_START: usize = 32;

/// A file written by `torch.save`. Its pickle is in memory; the elements of tensors stay in the file until they are
/// read.
pub struct TorchFile<R> {
    container: Container<R>,
    pickle: Pickle,
}

enum Container<R> {
    /// Elements of storage `key` are the entry `<root>data/<key>`.
    Zip {
        archive: Archive<R>,
        root: String,
        order: ByteOrder,
    },
    /// Elements of each storage start at an offset; machines of either byte order write the least significant byte
    /// first.
    Legacy {
        reader: R,
        offsets: HashMap<String, u64>,
    },
}

impl<R: Read + Seek> TorchFile<R> {
    /// Reads the directory and the pickle of a file.
    ///
    /// # Errors
    /// The file is of another kind, damaged or cut short, or its pickle is refused.
    pub fn open(mut reader: R) -> Result<Self, ImportError> {
        let start = format::start(&mut reader)?;
        if format::is_zip(&start) {
            Self::open_zip(Archive::open(reader)?)
        } else if legacy_start(&start).is_some() {
            Self::open_legacy(reader)
        } else {
            Err(format::unknown(&start, false))
        }
    }

    /// Reads the pickle of an archive.
    pub(super) fn open_zip(mut archive: Archive<R>) -> Result<Self, ImportError> {
        let root = root(&archive).ok_or_else(|| format::other_archive(&archive.names()))?;
        let bytes = archive.read(&format!("{root}data.pkl"), MAX_PICKLE_BYTES)?;
        let (pickle, _) = Pickle::parse(&bytes)?;
        let entry = format!("{root}byteorder");
        let order = match archive.contains(&entry) {
            true => match archive.read(&entry, 16)?.trim_ascii() {
                b"little" => ByteOrder::Little,
                b"big" => ByteOrder::Big,
                _ => {
                    return Err(ImportError::Entry {
                        entry,
                        problem: "is neither little nor big".to_owned(),
                    });
                }
            },
            false => ByteOrder::Little,
        };
        Ok(Self {
            container: Container::Zip {
                archive,
                root,
                order,
            },
            pickle,
        })
    }

    /// Legacy files are pickles of a magic number, a version, the machine, the content and a list of storages, and
    /// then, per storage, its element count in 8 bytes and its elements.
    fn open_legacy(mut reader: R) -> Result<Self, ImportError> {
        let length = reader.seek(SeekFrom::End(0))?;
        reader.rewind()?;
        let mut bytes = Vec::new();
        reader
            .by_ref()
            .take(MAX_PICKLE_BYTES as u64)
            .read_to_end(&mut bytes)?;
        let mut at = legacy_start(&bytes).unwrap_or_default();
        // One for all of them, for they are kept at the same time.
        let mut budget = NodeBudget::of(bytes.len());
        let mut next = || -> Result<Pickle, ImportError> {
            let (pickle, used) = Pickle::parse_within(&bytes[at..], &mut budget)?;
            at += used;
            Ok(pickle)
        };
        let (version, _machine) = (next()?, next()?);
        if version.root().int() != Some(1001) {
            return Err(ImportError::Content(
                "unknown version of the legacy format".to_owned(),
            ));
        }
        let (pickle, keys) = (next()?, next()?);
        let mut storages: HashMap<&str, &StorageRef> = HashMap::new();
        for storage in pickle.storages() {
            let first = *storages.entry(&storage.key).or_insert(storage);
            if first.element.bytes() != storage.element.bytes() {
                return Err(ImportError::Entry {
                    entry: one_line(&storage.key),
                    problem: "its elements have two types; the file is damaged: fetch it again"
                        .to_owned(),
                });
            }
            same_count(storage, first.count as u64)?;
        }
        let keys = keys.root().items().ok_or_else(|| {
            ImportError::Content("a legacy file without a list of storages".to_owned())
        })?;
        let mut offsets = HashMap::new();
        let mut offset = at as u64;
        for key in keys {
            let key = key.text().unwrap_or_default();
            let problem = |problem: &str| ImportError::Entry {
                entry: one_line(key),
                problem: problem.to_owned(),
            };
            let storage = *(storages.get(key))
                .filter(|storage| storage.element.bytes() > 0)
                .ok_or_else(|| problem("a storage of an unknown type"))?;
            let mut count = [0; 8];
            reader.seek(SeekFrom::Start(offset))?;
            reader
                .read_exact(&mut count)
                .map_err(|_| problem("the file is cut short"))?;
            let count = u64::from_le_bytes(count);
            // The next storage starts where this one ends: with another count its tensors would be read from others.
            same_count(storage, count)?;
            offsets.insert(key.to_owned(), offset + 8);
            offset = count
                .checked_mul(storage.element.bytes() as u64)
                .and_then(|bytes| bytes.checked_add(offset + 8))
                .filter(|&end| end <= length)
                .ok_or_else(|| problem("the file is cut short"))?;
        }
        Ok(Self {
            container: Container::Legacy { reader, offsets },
            pickle,
        })
    }

    /// What was saved.
    pub fn root(&self) -> Value<'_> {
        self.pickle.root()
    }

    /// Reads the values of one tensor as f32, in row-major order whatever its strides. In a zip archive the checksum of
    /// its whole storage is verified, once for all tensors that share it.
    ///
    /// # Errors
    /// Names the tensor: it lies outside its storage, or the storage is missing, damaged or cut short.
    pub fn read_tensor(&mut self, name: &str, tensor: &TensorRef) -> Result<Tensor, ImportError> {
        let problem = |problem: String| ImportError::tensor(name, problem);
        if let Some(refusal) = tensor.storage.element.refusal() {
            return Err(problem(refusal));
        }
        let count = tensor
            .shape
            .iter()
            .try_fold(1usize, |product, &side| product.checked_mul(side))
            .filter(|&count| count <= MAX_VALUES)
            .ok_or_else(|| problem(format!("shape {:?} is too large", tensor.shape)))?;
        let span =
            span(tensor).ok_or_else(|| problem("its strides do not fit its storage".to_owned()))?;
        if span > MAX_VALUES {
            return Err(problem(
                "its values are spread too far over its storage".to_owned(),
            ));
        }
        let element = tensor.storage.element;
        let (bytes, order) = self
            .read_storage(tensor, span * element.bytes())
            .map_err(|error| problem(error.to_string()))?;
        let values = Positions::new(&tensor.shape, &tensor.stride, count)
            .map(|position| element.read(&bytes, position, order))
            .collect();
        Ok(Tensor {
            name: name.to_owned(),
            shape: tensor.shape.clone(),
            values,
        })
    }

    /// The `length` bytes of the tensor's storage from the tensor's offset on.
    fn read_storage(
        &mut self,
        tensor: &TensorRef,
        length: usize,
    ) -> Result<(Vec<u8>, ByteOrder), ImportError> {
        let size = tensor.storage.element.bytes();
        let start = tensor.offset * size;
        match &mut self.container {
            Container::Zip {
                archive,
                root,
                order,
            } => {
                let entry = format!("{root}data/{}", tensor.storage.key);
                let bytes =
                    archive.read_range(&entry, tensor.storage.count * size, start, length)?;
                Ok((bytes, *order))
            }
            Container::Legacy { reader, offsets } => {
                let key = &tensor.storage.key;
                let offset = offsets.get(key).ok_or_else(|| ImportError::Entry {
                    entry: key.clone(),
                    problem: "is missing".to_owned(),
                })?;
                reader.seek(SeekFrom::Start(offset + start as u64))?;
                let mut bytes = vec![0; length];
                reader.read_exact(&mut bytes)?;
                Ok((bytes, ByteOrder::Little))
            }
        }
    }
}

/// Refuses a storage that has another number of elements where the file says so once more.
fn same_count(storage: &StorageRef, other: u64) -> Result<(), ImportError> {
    match storage.count as u64 == other {
        true => Ok(()),
        false => Err(ImportError::StorageCount {
            key: storage.key.clone(),
            pickled: storage.count,
            other,
        }),
    }
}

/// The folder of the pickle, with a slash at its end; none if the folder was left out when the archive was packed
/// again.
fn root<R: Read + Seek>(archive: &Archive<R>) -> Option<String> {
    let names = archive.names().into_iter();
    let roots = names.filter_map(|name| {
        let root = name.strip_suffix("data.pkl")?;
        (root.is_empty() || root.ends_with('/')).then_some(root)
    });
    roots.min_by_key(|root| root.len()).map(str::to_owned)
}

/// Whether an archive was written by `torch.save`.
pub(super) fn is_torch<R: Read + Seek>(archive: &Archive<R>) -> bool {
    root(archive).is_some()
}

/// Length of the pickle with the magic number at the start of a legacy file.
fn legacy_start(bytes: &[u8]) -> Option<usize> {
    let start = &bytes[..bytes.len().min(LEGACY_START)];
    let (pickle, length) = Pickle::parse(start).ok()?;
    pickle.root().is_long(LEGACY_MAGIC).then_some(length)
}

/// Number of storage elements from the tensor's first to its last; `None` if they are not all in the storage.
fn span(tensor: &TensorRef) -> Option<usize> {
    if tensor.shape.len() != tensor.stride.len() {
        return None;
    }
    tensor
        .storage
        .count
        .checked_mul(tensor.storage.element.bytes())?;
    if tensor.shape.contains(&0) {
        return (tensor.offset <= tensor.storage.count).then_some(0);
    }
    let mut last = 0usize;
    for (&side, &stride) in tensor.shape.iter().zip(&tensor.stride) {
        last = last.checked_add((side - 1).checked_mul(stride)?)?;
    }
    let span = last.checked_add(1)?;
    (tensor.offset.checked_add(span)? <= tensor.storage.count).then_some(span)
}
