//! Files written by `torch.save`: the zip archive of current versions and the legacy format before 1.6.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};

use half::{bf16, f16};
use zip::{CompressionMethod, ZipArchive};

use super::error::ImportError;
use super::pickle::{Element, MAX_PICKLE_BYTES, Pickle, TensorRef, Value};
use crate::weights::Tensor;

/// Most values that one tensor may have: 256 MB of f32, far above any in the networks.
const MAX_VALUES: usize = 64 << 20;
/// Bytes read at once.
const READ_BYTES: usize = 1 << 20;
/// First bytes of the legacy format: a pickle of the number 0x1950a86a20f9469cfc6c.
const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e";

/// A file written by `torch.save`. Its pickle is in memory; the elements of tensors stay in the file until they are read.
pub struct TorchFile<R> {
    container: Container<R>,
    pickle: Pickle,
}

enum Container<R> {
    /// Elements of storage `key` are the entry `<root>/data/<key>`.
    Zip {
        archive: ZipArchive<R>,
        root: String,
    },
    /// Elements of each storage start at an offset.
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
        let mut start = Vec::new();
        reader.rewind()?;
        reader
            .by_ref()
            .take(LEGACY_MAGIC.len() as u64)
            .read_to_end(&mut start)?;
        if start.starts_with(b"PK\x03\x04") {
            Self::open_zip(reader)
        } else if start == LEGACY_MAGIC {
            Self::open_legacy(reader)
        } else {
            Err(ImportError::UnknownFormat { directions: false })
        }
    }

    fn open_zip(reader: R) -> Result<Self, ImportError> {
        let mut archive = ZipArchive::new(reader)?;
        let name = archive
            .file_names()
            .find(|name| name.ends_with("/data.pkl"))
            .map(str::to_owned)
            .ok_or_else(|| {
                ImportError::Content(
                    "a zip archive without data.pkl: not written by torch.save".to_owned(),
                )
            })?;
        let root = name.trim_end_matches("/data.pkl").to_owned();
        let bytes = read_entry(&mut archive, &name, MAX_PICKLE_BYTES)?;
        let (pickle, _) = Pickle::parse(&bytes)?;
        let order = format!("{root}/byteorder");
        if archive.index_for_name(&order).is_some()
            && read_entry(&mut archive, &order, 16)? != b"little"
        {
            return Err(ImportError::Entry {
                entry: order,
                problem: "only little-endian files can be read".to_owned(),
            });
        }
        Ok(Self {
            container: Container::Zip { archive, root },
            pickle,
        })
    }

    /// Legacy files are pickles of a magic number, a version, the machine, the content and a list of storages, and then,
    /// per storage, its element count in 8 bytes and its elements.
    fn open_legacy(mut reader: R) -> Result<Self, ImportError> {
        let length = reader.seek(SeekFrom::End(0))?;
        reader.rewind()?;
        let mut bytes = Vec::new();
        reader
            .by_ref()
            .take(MAX_PICKLE_BYTES as u64)
            .read_to_end(&mut bytes)?;
        let mut at = LEGACY_MAGIC.len();
        let mut next = || -> Result<Pickle, ImportError> {
            let (pickle, used) = Pickle::parse(&bytes[at..])?;
            at += used;
            Ok(pickle)
        };
        let (version, machine) = (next()?, next()?);
        if version.root().int() != Some(1001) {
            return Err(ImportError::Content(
                "unknown version of the legacy format".to_owned(),
            ));
        }
        if machine.root().get("little_endian").and_then(Value::bool) != Some(true) {
            return Err(ImportError::Content(
                "only little-endian files can be read".to_owned(),
            ));
        }
        let (pickle, keys) = (next()?, next()?);
        let element_bytes: HashMap<&str, usize> = pickle
            .storages()
            .map(|storage| (storage.key.as_str(), storage.element.bytes()))
            .collect();
        let keys = keys.root().items().ok_or_else(|| {
            ImportError::Content("a legacy file without a list of storages".to_owned())
        })?;
        let mut offsets = HashMap::new();
        let mut offset = at as u64;
        for key in keys {
            let key = key.text().unwrap_or_default();
            let problem = |problem: &str| ImportError::Entry {
                entry: key.to_owned(),
                problem: problem.to_owned(),
            };
            let size = *element_bytes
                .get(key)
                .ok_or_else(|| problem("a storage that no tensor uses"))?;
            let mut count = [0; 8];
            reader.seek(SeekFrom::Start(offset))?;
            reader
                .read_exact(&mut count)
                .map_err(|_| problem("the file is cut short"))?;
            offsets.insert(key.to_owned(), offset + 8);
            offset = u64::from_le_bytes(count)
                .checked_mul(size as u64)
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
    /// its whole storage is verified.
    ///
    /// # Errors
    /// Names the tensor: it lies outside its storage, or the storage is missing, damaged or cut short.
    pub fn read_tensor(&mut self, name: &str, tensor: &TensorRef) -> Result<Tensor, ImportError> {
        let problem = |problem: String| ImportError::tensor(name, problem);
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
        let size = tensor.storage.element.bytes();
        let mut bytes = vec![0; span * size];
        self.read_storage(tensor, &mut bytes)
            .map_err(|error| problem(error.to_string()))?;
        let element = |index: usize| {
            decode(
                tensor.storage.element,
                &bytes[index * size..(index + 1) * size],
            )
        };
        let values = Positions::new(tensor, count).map(element).collect();
        Ok(Tensor {
            name: name.to_owned(),
            shape: tensor.shape.clone(),
            values,
        })
    }

    /// Fills `bytes` with the elements of the tensor's storage from the tensor's offset on.
    fn read_storage(&mut self, tensor: &TensorRef, bytes: &mut [u8]) -> Result<(), ImportError> {
        let size = tensor.storage.element.bytes();
        let start = tensor.offset * size;
        match &mut self.container {
            Container::Zip { archive, root } => {
                let entry = format!("{root}/data/{}", tensor.storage.key);
                read_range(archive, &entry, tensor.storage.count * size, start, bytes)
            }
            Container::Legacy { reader, offsets } => {
                let key = &tensor.storage.key;
                let offset = offsets.get(key).ok_or_else(|| ImportError::Entry {
                    entry: key.clone(),
                    problem: "is missing".to_owned(),
                })?;
                reader.seek(SeekFrom::Start(offset + start as u64))?;
                Ok(reader.read_exact(bytes)?)
            }
        }
    }
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

/// Positions of a tensor's values relative to its first, in row-major order.
struct Positions<'a> {
    tensor: &'a TensorRef,
    index: Vec<usize>,
    position: usize,
    left: usize,
}

impl<'a> Positions<'a> {
    fn new(tensor: &'a TensorRef, count: usize) -> Self {
        Self {
            tensor,
            index: vec![0; tensor.shape.len()],
            position: 0,
            left: count,
        }
    }
}

impl Iterator for Positions<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let position = self.position;
        for axis in (0..self.index.len()).rev() {
            let (side, stride) = (self.tensor.shape[axis], self.tensor.stride[axis]);
            if self.index[axis] + 1 < side {
                self.index[axis] += 1;
                self.position += stride;
                break;
            }
            self.position -= self.index[axis] * stride;
            self.index[axis] = 0;
        }
        Some(position)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

fn decode(element: Element, bytes: &[u8]) -> f32 {
    let array = || {
        let mut array = [0; 8];
        array[..bytes.len()].copy_from_slice(bytes);
        array
    };
    match (element, bytes) {
        (Element::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
        (Element::F16, &[a, b]) => f16::from_le_bytes([a, b]).to_f32(),
        (Element::Bf16, &[a, b]) => bf16::from_le_bytes([a, b]).to_f32(),
        (Element::F64, _) => f64::from_le_bytes(array()) as f32,
        (Element::I32, &[a, b, c, d]) => i32::from_le_bytes([a, b, c, d]) as f32,
        _ => i64::from_le_bytes(array()) as f32,
    }
}

fn read_entry<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    name: &str,
    limit: usize,
) -> Result<Vec<u8>, ImportError> {
    let size = archive.by_name(name)?.size();
    if size > limit as u64 {
        return Err(ImportError::Entry {
            entry: name.to_owned(),
            problem: format!("{size} bytes; at most {limit} are read"),
        });
    }
    let mut bytes = vec![0; size as usize];
    read_range(archive, name, size as usize, 0, &mut bytes)?;
    Ok(bytes)
}

/// Fills `target` from `start` on in an entry of exactly `size` bytes, and reads the entry to its end to verify its
/// checksum.
fn read_range<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    name: &str,
    size: usize,
    start: usize,
    target: &mut [u8],
) -> Result<(), ImportError> {
    let problem = |problem: String| ImportError::Entry {
        entry: name.to_owned(),
        problem,
    };
    let mut entry = match archive.by_name(name) {
        Err(zip::result::ZipError::FileNotFound) => return Err(problem("is missing".to_owned())),
        result => result?,
    };
    if entry.compression() != CompressionMethod::Stored {
        return Err(problem(
            "is compressed; torch.save stores entries as they are".to_owned(),
        ));
    }
    if entry.size() != size as u64 {
        return Err(problem(format!(
            "has {} bytes instead of {size}",
            entry.size()
        )));
    }
    let unreadable = |error: std::io::Error| problem(format!("damaged or cut short ({error})"));
    skip(&mut entry, start).map_err(unreadable)?;
    entry.read_exact(target).map_err(unreadable)?;
    skip(&mut entry, size - start - target.len()).map_err(unreadable)?;
    // The checksum is compared when the end is reached.
    let end = entry.read(&mut [0]).map_err(unreadable)?;
    match end {
        0 => Ok(()),
        _ => Err(problem("is longer than the archive says".to_owned())),
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
