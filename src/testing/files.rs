//! Writes PyTorch files of chosen content, down to single opcodes.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::models::{sample_tensor, tiny_config};
use crate::{config::ModelConfig, weights::Tensor};

/// A zip archive laid out as by `torch.save`.
pub(crate) fn torch_zip(pickle: &[u8], storages: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut entries = vec![
        ("archive/data.pkl".to_owned(), pickle.to_vec()),
        ("archive/byteorder".to_owned(), b"little".to_vec()),
    ];
    let data = |(key, bytes): &(String, Vec<u8>)| (format!("archive/data/{key}"), bytes.clone());
    entries.extend(storages.iter().map(data));
    entries.push(("archive/version".to_owned(), b"3\n".to_vec()));
    zipped(&entries, CompressionMethod::Stored)
}

/// A zip archive of any entries.
pub(crate) fn zipped(entries: &[(String, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in entries {
        zip.start_file(name.as_str(), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The entries of an archive.
pub(crate) fn unzipped(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let count = zip.len();
    let read = |index| {
        let mut entry = zip.by_index(index).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        (entry.name().to_owned(), bytes)
    };
    (0..count).map(read).collect()
}

/// A file of `numpy.save` of any version and header.
pub(crate) fn npy_file(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let length = match version {
        1 => (header.len() as u16).to_le_bytes().to_vec(),
        _ => (header.len() as u32).to_le_bytes().to_vec(),
    };
    let start = [b"\x93NUMPY", &[version, 0][..]].concat();
    [&start, &length, header.as_bytes(), data].concat()
}

/// A file of `numpy.save` with elements "<f4" or "<f8"; other types are written as the former.
pub(crate) fn npy(element: &str, shape: &[usize], values: &[f32]) -> Vec<u8> {
    let sides: String = shape.iter().map(|side| format!("{side}, ")).collect();
    let header =
        format!("{{'descr': '{element}', 'fortran_order': False, 'shape': ({sides}), }}\n");
    let data = match element {
        "<f8" => values
            .iter()
            .flat_map(|&v| f64::from(v).to_le_bytes())
            .collect(),
        _ => bytes_of(values),
    };
    npy_file(1, &header, &data)
}

/// Opcodes of one object.
pub(crate) fn text(value: &str) -> Vec<u8> {
    let mut code = vec![b'X'];
    code.extend((value.len() as u32).to_le_bytes());
    code.extend(value.bytes());
    code
}

pub(crate) fn int(value: usize) -> Vec<u8> {
    let mut code = vec![b'J'];
    code.extend(i32::try_from(value).unwrap().to_le_bytes());
    code
}

fn tuple(items: &[usize]) -> Vec<u8> {
    let items: Vec<_> = items.iter().flat_map(|&item| int(item)).collect();
    [b"(", &items[..], b"t"].concat()
}

pub(crate) fn dict(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<_> = entries
        .iter()
        .flat_map(|(key, value)| [text(key), value.clone()].concat())
        .collect();
    [b"}(", &items[..], b"u"].concat()
}

pub(crate) fn tensor(
    key: &str,
    count: usize,
    offset: usize,
    shape: &[usize],
    stride: &[usize],
) -> Vec<u8> {
    [
        b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
        text("storage"),
        b"ctorch\nFloatStorage\n".to_vec(),
        text(key),
        text("cuda:0"),
        int(count),
        b"tQ".to_vec(),
        int(offset),
        tuple(shape),
        tuple(stride),
        b"\x89ccollections\nOrderedDict\n)RtR".to_vec(),
    ]
    .concat()
}

pub(crate) fn pickle(root: Vec<u8>) -> Vec<u8> {
    [b"\x80\x02", &root[..], b"."].concat()
}

pub(crate) fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Content of a checkpoint before it is written.
pub(crate) struct Parts {
    pub tensors: Vec<Tensor>,
    pub latent_avg: Tensor,
    pub opts: Vec<(&'static str, String)>,
}

impl Parts {
    /// A complete checkpoint of the tiny model, with some tensors that inference does not need.
    pub fn tiny() -> Self {
        let mut tensors = super::models::tiny_tensors();
        let latent_avg = tensors.pop().unwrap();
        let kernel =
            [1.0, 3.0, 3.0, 1.0].map(|row| [1.0, 3.0, 3.0, 1.0].map(|column| row * column / 16.0));
        tensors.push(Tensor {
            name: "decoder.convs.0.conv.blur.kernel".to_owned(),
            shape: vec![4, 4],
            values: kernel.concat(),
        });
        for name in [
            "lpips_loss.net.weight",
            "SAF.conv1.weight",
            "decoder.style.1.weight",
            "extra.weight",
        ] {
            tensors.push(sample_tensor(name, &[2, 2]));
        }
        tensors.push(sample_tensor(
            "encoder.input_layer.1.num_batches_tracked",
            &[],
        ));
        Self {
            tensors,
            latent_avg,
            opts: vec![("config", config_json(&tiny_config()))],
        }
    }

    /// The file.
    pub fn write(&self) -> Vec<u8> {
        self.write_as(|state, latent_avg, opts| {
            dict(&[
                ("state_dict", dict(state)),
                ("latent_avg", latent_avg.to_vec()),
                ("opts", opts.to_vec()),
            ])
        })
    }

    /// The file with the dictionary that `root` makes of the opcodes of the tensors, of the mean style and of the
    /// options.
    pub fn write_as(&self, root: impl Fn(&[(&str, Vec<u8>)], &[u8], &[u8]) -> Vec<u8>) -> Vec<u8> {
        let mut storages = Vec::new();
        let mut stored = |tensor_: &Tensor| {
            let key = storages.len().to_string();
            let mut stride = vec![1; tensor_.shape.len()];
            for axis in (1..stride.len()).rev() {
                stride[axis - 1] = stride[axis] * tensor_.shape[axis];
            }
            storages.push((key.clone(), bytes_of(&tensor_.values)));
            tensor(&key, tensor_.values.len(), 0, &tensor_.shape, &stride)
        };
        let state: Vec<_> = self
            .tensors
            .iter()
            .map(|t| (t.name.as_str(), stored(t)))
            .collect();
        let latent_avg = stored(&self.latent_avg);
        let opts: Vec<_> = self
            .opts
            .iter()
            .map(|(name, value)| (*name, text(value)))
            .collect();
        let root = root(&state, &latent_avg, &dict(&opts));
        torch_zip(&pickle(root), &storages)
    }
}

pub(crate) fn config_json(config: &ModelConfig) -> String {
    serde_json::to_string(config).unwrap()
}
