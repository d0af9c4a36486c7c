//! What a file is, by its first bytes or by the names in its archive, so that a refusal can say it.

use std::io::{Read, Seek};

use super::archive;
use super::error::ImportError;
use super::npy;
use crate::weights::list;

/// Bytes that tell formats apart.
const START_BYTES: u64 = 4096;
/// Modules that pickles of NVIDIA's code name near their beginning: those of PyTorch, and older ones of TensorFlow.
const NVIDIA: [(&[u8], &str); 2] = [
    (
        b"torch_utils.persistence",
        "it is a pickle of NVIDIA's StyleGAN code, which only that code can load, and holds no encoder; a StyleGAN2 \
         becomes a PyTorch file by export_weights.py of dvschultz/stylegan2-ada-pytorch, and a model to use here once \
         e4e or pSp has trained an encoder for that file",
    ),
    (
        b"dnnlib.tflib",
        "it is a pickle of NVIDIA's StyleGAN code for TensorFlow, which only that code can load, and holds no encoder; \
         a StyleGAN2 becomes a PyTorch file by convert_weight.py of rosinality/stylegan2-pytorch, and a model to \
         use here once e4e or pSp has trained an encoder for that file",
    ),
];

/// The first bytes of a file.
pub(super) fn start<R: Read + Seek>(reader: &mut R) -> Result<Vec<u8>, ImportError> {
    let mut start = Vec::new();
    reader.rewind()?;
    reader.take(START_BYTES).read_to_end(&mut start)?;
    Ok(start)
}

/// The refusal of a file that starts like none of the formats that are read.
pub(super) fn unknown(start: &[u8], directions: bool) -> ImportError {
    let found = if start.is_empty() {
        Some("it is empty")
    } else if start.starts_with(npy::MAGIC) {
        Some("it is a NumPy array")
    } else if start.get(8) == Some(&b'{') {
        Some("it is a safetensors file")
    } else if let Some(found) = nvidia(start) {
        Some(found)
    } else {
        let known: [(&[u8], &str); 17] = [
            (
                b"\x80",
                "it is a Python pickle; load it in Python and save its tensors with torch.save",
            ),
            (
                b"<",
                "it is a web page or other text with tags, perhaps of a download that went wrong; fetch it again",
            ),
            (
                b"version https://git-lfs",
                "it is only a pointer to the file in Git LFS; fetch the file itself",
            ),
            (b"\x89HDF", "it is an HDF5 file"),
            (b"\x1f\x8b", "it is packed by gzip; unpack it first"),
            (b"BZh", "it is packed by bzip2; unpack it first"),
            (b"\xfd7zXZ", "it is packed by xz; unpack it first"),
            (
                b"\x28\xb5\x2f\xfd",
                "it is packed by Zstandard; unpack it first",
            ),
            (b"7z\xbc\xaf", "it is a 7z archive; unpack it first"),
            (b"Rar!", "it is a RAR archive; unpack it first"),
            (b"GGUF", "it is a GGUF file"),
            (b"\x89PNG", "it is a PNG picture"),
            (b"\xff\xd8\xff", "it is a JPEG picture"),
            (b"RIFF", "it is a picture or a sound"),
            (b"GIF8", "it is a GIF picture"),
            (b"%PDF", "it is a PDF document"),
            (b"MATLAB", "it is a MATLAB file"),
        ];
        let found = known.iter().find(|(magic, _)| start.starts_with(magic));
        found.map(|&(_, found)| found)
    };
    ImportError::UnknownFormat { directions, found }
}

/// What a pickle of NVIDIA's code is, and what can be made of it.
fn nvidia(start: &[u8]) -> Option<&'static str> {
    let names = |module: &[u8]| start.windows(module.len()).any(|part| part == module);
    let found = NVIDIA.iter().find(|(module, _)| names(module))?;
    start.starts_with(b"\x80").then_some(found.1)
}

/// The refusal of a zip archive that is not one of `torch.save`.
pub(super) fn other_archive(names: &[&str]) -> ImportError {
    let ends = |end: &[&str]| {
        let suits = |name: &&&str| end.iter().any(|end| name.to_lowercase().ends_with(end));
        names.iter().find(suits)
    };
    ImportError::Content(if names.is_empty() {
        "an empty zip archive".to_owned()
    } else if let Some(inner) = ends(&[".pt", ".pth", ".safetensors", ".npz", ".ckpt", ".bin"]) {
        format!(
            "a zip archive around \"{}\"; unpack it and choose that file",
            inner.escape_debug()
        )
    } else if ends(&[".npy"]).is_some() {
        "a NumPy archive (.npz), not written by torch.save".to_owned()
    } else {
        let names: Vec<_> = names
            .iter()
            .map(|name| name.escape_debug().to_string())
            .collect();
        format!(
            "a zip archive without data.pkl: not written by torch.save; it holds {}",
            list(&names)
        )
    })
}

/// Whether a file starts as a zip archive.
pub(super) fn is_zip(start: &[u8]) -> bool {
    start.starts_with(archive::MAGIC) || start.starts_with(archive::EMPTY_MAGIC)
}
