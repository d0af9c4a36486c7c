//! What is fuzzed: each reader of files or messages that others write, as a function of bytes. The fuzz targets beside
//! this file run them on what libFuzzer makes up, `tests/mutations.rs` on seeded mutations.

use std::{
    fs,
    io::{Cursor, Write},
    path::{Path, PathBuf},
};

use sdic::{
    editing::EngineLoader,
    face::FaceFinder,
    import::{
        Checkpoint, DirectionFile,
        pickle::{self, Pickle},
    },
    networks::device,
    pixels::{MAX_PIXELS, Picture, decode, inspect, working_size},
    weights::{Dtype, Manifest, ShardPacker, Tensor},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zip::{ZipWriter, write::SimpleFileOptions};

const MEGABYTE: usize = 1 << 20;

/// A reader.
pub struct Reader {
    pub name: &'static str,
    /// Reads anything. It may refuse, but must not panic, nor accept what cannot be.
    pub read: fn(&[u8]),
    /// Most bytes that reading may take, beside the input.
    pub memory: fn(&[u8]) -> usize,
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Objects of a pickle, in vectors that double and are copied as they grow.
const PICKLE: usize = 3 * pickle::BYTES_PER_BYTE;

pub const PICKLE_READER: Reader = Reader {
    name: "pickle",
    read: read_pickle,
    memory: |bytes| PICKLE * bytes.len() + 4 * MEGABYTE,
    seeds: pickles,
};
/// Also paths of tensors, several times over, and a buffer of a megabyte.
pub const TORCH: Reader = Reader {
    name: "torch",
    read: read_torch,
    memory: |bytes| 2 * PICKLE * bytes.len() + 24 * MEGABYTE,
    seeds: torch_files,
};
/// Values of one byte become four, and directions are copied.
pub const NPY: Reader = Reader {
    name: "npy",
    read: read_directions,
    memory: |bytes| 32 * bytes.len() + 2 * MEGABYTE,
    seeds: arrays,
};
pub const MANIFEST: Reader = Reader {
    name: "manifest",
    read: read_manifest,
    memory: |bytes| 64 * bytes.len() + 8 * MEGABYTE,
    seeds: manifests,
};
pub const SHARD: Reader = Reader {
    name: "shard",
    read: read_shard,
    memory: |bytes| 64 * bytes.len() + MEGABYTE,
    seeds: shards,
};
/// Weights are packed in blocks, and small networks run.
pub const FACE: Reader = Reader {
    name: "face",
    read: read_face,
    memory: |bytes| 128 * bytes.len() + 16 * MEGABYTE,
    seeds: face_files,
};
/// A block of the file at a time, and parts such as profiles.
pub const HEADER: Reader = Reader {
    name: "header",
    read: read_header,
    memory: |bytes| 8 * bytes.len() + 8 * MEGABYTE,
    seeds: pictures,
};
/// Pixels of up to 8 bytes as they come, as they are worked on, and as they are turned.
pub const PICTURE: Reader = Reader {
    name: "picture",
    read: read_picture,
    memory: |bytes| {
        let header = inspect(Cursor::new(bytes)).ok();
        let size = header.and_then(|header| header.stored).unwrap_or_default();
        32 * size.iter().map(|&side| side as usize).product::<usize>()
            + 64 * bytes.len()
            + 24 * MEGABYTE
    },
    seeds: pictures,
};

/// All of them, by which tests and corpus are made.
pub const READERS: [&Reader; 8] = [
    &PICKLE_READER,
    &TORCH,
    &NPY,
    &MANIFEST,
    &SHARD,
    &FACE,
    &HEADER,
    &PICTURE,
];

fn read_pickle(bytes: &[u8]) {
    let Ok((pickle, length)) = Pickle::parse(bytes) else {
        return;
    };
    assert!(length <= bytes.len());
    assert!(pickle.storages().all(|storage| storage.key.len() <= 128));
    let root = pickle.root();
    for name in ["state_dict", "config"] {
        root.get(name).map(|value| value.kind());
    }
    for (key, value) in root.entries().into_iter().flatten() {
        assert!(key.text().is_none_or(|text| text.len() <= bytes.len()));
        assert!(
            value
                .tensor()
                .is_none_or(|tensor| tensor.shape.len() <= 8 && tensor.stride.len() <= 8)
        );
    }
}

fn read_torch(bytes: &[u8]) {
    // A pickle by itself is put into an archive, past the archive's checksums.
    let archive = bytes.starts_with(b"\x80").then(|| torch_zip(bytes));
    for bytes in [Some(bytes), archive.as_deref()].into_iter().flatten() {
        read_directions(bytes);
        let checkpoint = match Checkpoint::open(Cursor::new(bytes)) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                is_one_line(&error);
                continue;
            }
        };
        let mut conversion = checkpoint.convert(Dtype::F16);
        while let Ok(Some(_)) = conversion.next_file() {}
    }
}

fn read_directions(bytes: &[u8]) {
    let sound = |tensor: &Tensor| {
        assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>());
        assert!(tensor.values.iter().all(|value| value.is_finite()));
    };
    match DirectionFile::read(Cursor::new(bytes)) {
        Ok(DirectionFile::Linear(tensor)) => sound(&tensor),
        Ok(DirectionFile::Basis { comp, mean, std }) => [comp, mean, std].iter().for_each(sound),
        Ok(DirectionFile::Channels(layers)) => layers.iter().for_each(sound),
        Err(error) => is_one_line(&error),
    }
}

fn is_one_line(error: &dyn std::error::Error) {
    assert!(!error.to_string().contains('\n'), "{error}");
}

fn read_manifest(bytes: &[u8]) {
    let manifest = match Manifest::parse(bytes) {
        Ok(manifest) => manifest,
        Err(error) => return is_one_line(&error),
    };
    let json = manifest.to_json().expect("what was read can be written");
    let again = Manifest::parse(&json).expect("what was written can be read");
    assert_eq!(manifest, again);
    drop(EngineLoader::with_manifest(manifest, &device::cpu()));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One tensor of each way to store them.
fn small_model() -> (Manifest, Vec<u8>) {
    let mut packer = ShardPacker::new();
    for (name, dtype, shape) in [
        ("a.weight", Dtype::Q8, vec![2, 3]),
        ("b.running_var", Dtype::F32, vec![4]),
        ("c.noise", Dtype::F16, vec![1, 1, 2, 2]),
    ] {
        let count = shape.iter().product::<usize>();
        let tensor = Tensor {
            name: name.to_owned(),
            shape,
            values: (0..count).map(|index| index as f32 / 8.0).collect(),
        };
        packer.push(&tensor, dtype).expect("a small tensor");
    }
    let packed = packer.finish().expect("small tensors");
    let manifest = json!({
        "format": 1, "name": "small", "title": "Small", "preset": "face", "tensors": packed.tensors,
        "shards": packed.shards, "provenance": "", "licence": "",
    });
    let manifest = Manifest::parse(manifest.to_string().as_bytes()).expect("a small manifest");
    (manifest, packed.last_shard.expect("a shard").bytes)
}

fn read_shard(bytes: &[u8]) {
    read_directions(bytes);
    // The manifest is right about its size and hash, so that what is in it is looked at.
    let (mut manifest, _) = small_model();
    manifest.shards[0].bytes = bytes.len() as u64;
    manifest.shards[0].sha256 = hex(&Sha256::digest(bytes));
    let tensors = match manifest.decode_shard(0, bytes) {
        Ok(tensors) => tensors,
        Err(error) => return is_one_line(&error),
    };
    for tensor in tensors.flatten() {
        let is_variance = tensor.name.ends_with(".running_var");
        assert!(tensor.values.iter().all(|value| value.is_finite()));
        assert!(!is_variance || tensor.values.iter().all(|&value| value >= 0.0));
    }
}

/// A line of text, and bytes behind it.
fn parted(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| byte == b'\n');
    let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    (line, rest.get(1..).unwrap_or_default())
}

fn read_face(bytes: &[u8]) {
    let (line, weights) = parted(bytes);
    let mut manifest = line.to_vec();
    if let Ok(mut json) = serde_json::from_slice::<Value>(line)
        && let Some(shard) = json.get_mut("shard").filter(|shard| shard.is_object())
    {
        shard["bytes"] = weights.len().into();
        shard["sha256"] = hex(&Sha256::digest(weights)).into();
        manifest = json.to_string().into_bytes();
    }
    let finder = match FaceFinder::from_bytes(&manifest, weights) {
        Ok(finder) => finder,
        Err(error) => return is_one_line(&error),
    };
    let rgba: Vec<u8> = (0..4 * 12 * 12).map(|index| (index * 37) as u8).collect();
    let photo = Picture::new(12, 12, rgba).expect("as many bytes as pixels need");
    finder.detect(&photo);
    drop(finder.landmarks_of_aligned(&photo));
}

fn read_header(bytes: &[u8]) {
    let Ok(header) = inspect(Cursor::new(bytes)) else {
        return;
    };
    if let Some([width, height]) = header.stored {
        assert!(width > 0 && height > 0);
        assert!(header.unread.is_some() || u64::from(width) * u64::from(height) <= MAX_PIXELS);
    }
    for patch in &header.patches {
        assert!(patch.at + patch.bytes.len() as u64 <= bytes.len() as u64);
    }
    header.plan();
}

fn read_picture(bytes: &[u8]) {
    let decoded = match decode(bytes) {
        Ok(decoded) => decoded,
        Err(error) => return is_one_line(&error),
    };
    let [width, height] = working_size(decoded.original).map(|side| side as usize);
    let picture = decoded.picture;
    assert_eq!([picture.width(), picture.height()], [width, height]);
    assert_eq!(picture.rgba().len(), 4 * width * height);
}

/// A folder of the repository's tests.
fn fixtures(folder: &str) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    match package.join("tests").is_dir() {
        true => package.join("tests").join(folder),
        // The package of the fuzz targets lies in there.
        false => package.join("..").join(folder),
    }
}

/// The files of a folder whose names end so, if they are not large.
fn files(folder: &str, ends: &[&str]) -> Vec<Vec<u8>> {
    const LARGE: u64 = 12_000;
    let entries = fs::read_dir(fixtures(folder)).expect("a folder of the repository");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.retain(|path| {
        let name = path.to_string_lossy();
        ends.iter().any(|end| name.ends_with(end))
            && fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() <= LARGE)
    });
    paths.sort();
    assert!(!paths.is_empty(), "{folder} has no such files");
    let read = |path: &PathBuf| fs::read(path).expect("a file of the repository");
    paths.iter().map(read).collect()
}

/// Values of the storages that [`torch_zip`] adds.
const STORED: usize = 16;

/// An archive as `torch.save` writes it, with storages "0" to "3" of floats.
fn torch_zip(pickle: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: String, bytes: &[u8]| {
        let options = SimpleFileOptions::default();
        let options = options.compression_method(zip::CompressionMethod::Stored);
        zip.start_file(name, options).expect("a new entry");
        zip.write_all(bytes).expect("room in memory");
    };
    add("archive/data.pkl".to_owned(), pickle);
    let floats: Vec<u8> = (0..STORED)
        .flat_map(|at| (at as f32).to_le_bytes())
        .collect();
    for key in 0..4 {
        add(format!("archive/data/{key}"), &floats);
    }
    let bytes = zip.finish().expect("an archive in memory");
    bytes.into_inner()
}

/// Opcodes of a tensor of floats.
pub fn tensor(key: &str, shape: &[u8]) -> Vec<u8> {
    let numbers = |numbers: &[u8]| -> Vec<u8> {
        let items = numbers.iter().flat_map(|&number| [b'K', number]);
        [b"(".to_vec(), items.collect(), b"t".to_vec()].concat()
    };
    let mut stride = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        stride[axis - 1] = stride[axis] * shape[axis];
    }
    [
        &b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n"[..],
        &text(key),
        b"X\x03\0\0\0cpuK",
        &[STORED as u8],
        b"tQK\0",
        &numbers(shape),
        &numbers(&stride),
        b"\x89ccollections\nOrderedDict\n)RtR",
    ]
    .concat()
}

pub fn text(text: &str) -> Vec<u8> {
    let length = (text.len() as u32).to_le_bytes();
    [b"X", &length[..], text.as_bytes()].concat()
}

pub fn dictionary(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items = entries.iter();
    let items = items.flat_map(|(key, value)| [text(key), value.clone()].concat());
    [b"}(".to_vec(), items.collect(), b"u".to_vec()].concat()
}

fn pickles() -> Vec<Vec<u8>> {
    let pickle = |root: Vec<u8>| [b"\x80\x02", &root[..], b"."].concat();
    let linear = dictionary(&[("direction", tensor("0", &[1, 4]))]);
    let basis = dictionary(&[
        ("comp", tensor("0", &[3, 1, 4])),
        ("mean", tensor("1", &[1, 4])),
        ("std", tensor("2", &[3])),
    ]);
    let heads: Vec<_> = (0..6)
        .map(|head| format!("encoder.styles.{head}.linear.weight"))
        .collect();
    let heads: Vec<_> = heads
        .iter()
        .map(|name| (name.as_str(), tensor("3", &[2, 2])))
        .collect();
    let checkpoint = dictionary(&[
        ("state_dict", dictionary(&heads)),
        ("latent_avg", tensor("0", &[4])),
        ("opts", dictionary(&[("dataset_type", text("cars"))])),
    ]);
    // Everything is memorised, taken again, and put into everything.
    let shared = [
        &b"}q\0]q\x01(h\0h\0eh\x01X\x01\0\0\0as0h\0X\x01\0\0\0bh\x01s(h\0h\x01l0cargparse\nNamespace\n)\x81h\0b"[..],
        b"0\x8c\x04name\x94\x8c\x01x\x93\x94h\x02\x85R0\x8f(K\x01\x90\x88\x89NI01\nL5L\nF1.5\nh\0",
    ]
    .concat();
    let mut seeds: Vec<_> = [linear, basis, checkpoint, shared].map(pickle).to_vec();
    for file in files("import", &[".pt"]) {
        if let Ok(mut zip) = zip::ZipArchive::new(Cursor::new(&file)) {
            let names: Vec<_> = zip.file_names().map(str::to_owned).collect();
            let name = names.iter().find(|name| name.ends_with("data.pkl"));
            let name = name.expect("a pickle in each archive");
            let mut bytes = Vec::new();
            let mut entry = zip.by_name(name).expect("the entry that was found");
            std::io::Read::read_to_end(&mut entry, &mut bytes).expect("a whole entry");
            seeds.push(bytes);
        } else {
            seeds.push(file);
        }
    }
    seeds
}

fn torch_files() -> Vec<Vec<u8>> {
    [pickles(), files("import", &[".pt"])].concat()
}

fn arrays() -> Vec<Vec<u8>> {
    let array = |header: &str, data: &[u8]| {
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), data].concat()
    };
    let floats: Vec<u8> = (1..9).flat_map(|at| (at as f32).to_le_bytes()).collect();
    let plain = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }\n";
    let other = "{'descr': '>i2', 'fortran_order': True, 'shape': (4L, 2, 2,), }";
    let record =
        "{'descr': [('x', '<f4'), ('y', [('z', '|u1')])], 'fortran_order': False, 'shape': (1,)}";
    let mut seeds = vec![
        array(plain, &floats),
        array(other, &floats),
        array(record, &floats),
    ];
    seeds.extend(files("import", &[".npz"]));
    seeds
}

fn manifests() -> Vec<Vec<u8>> {
    let (small, _) = small_model();
    let mut full = serde_json::to_value(&small).expect("a manifest");
    full["config"] = json!({
        "image_size": 16, "style_dim": 4, "channels": [4, 4, 4], "inject_size": 8, "crop": [12, 16],
        "encoder": {"input_size": 32, "units": [1, 1, 1, 1], "widths": [2, 2, 4, 4], "head_width": 2},
        "dipn": {"features": [2, 2, 2, 2, 2], "descriptor": 4, "volume": 1},
        "dicn": {"stem": 2, "middle": 2, "latent_map": 4, "condition": 6},
        "editor": {"width": 3, "plan": 2, "fold": 2, "detail": 2, "covering": 2},
    });
    full["tensors"] = json!([
        {"name": "d", "shape": [1, 4], "dtype": "f32", "shard": 0},
        {"name": "d.motion", "shape": [68, 2], "dtype": "f16", "shard": 0},
        {"name": "d.change", "shape": [2, 16, 16], "dtype": "q8", "shard": 0},
        {"name": "d.cover", "shape": [16, 16], "dtype": "f16", "shard": 0},
        {"name": "face", "shape": [68, 2], "dtype": "f32", "shard": 0},
        {"name": "plan", "shape": [68, 2], "dtype": "f32", "shard": 0},
        {"name": "b.comp", "shape": [3, 1, 4], "dtype": "f32", "shard": 0},
        {"name": "b.mean", "shape": [1, 4], "dtype": "f32", "shard": 0},
        {"name": "b.std", "shape": [3], "dtype": "f32", "shard": 0},
    ]);
    full["shards"][0]["bytes"] = 100_000.into();
    full["face_shape"] = "face".into();
    full["plan_shape"] = "plan".into();
    full["samples"] = json!([{"file": "samples/a.jpg", "label": "A", "aligned": true}]);
    full["directions"] = json!([
        {"name": "a", "label": "A", "group": "G", "kind": "linear", "tensor": "d", "motion": "d.motion",
         "change": "d.change", "shown": {"points": [60, 64], "range": [0.5, 1.5]},
         "cover": {"tensor": "d.cover", "shown": {"points": [62, 66], "range": [0.1, 0.2]}}, "range": [-3, 3],
         "styles": [0, 6]},
        {"name": "b", "label": "B", "group": "Explore", "kind": "ganspace", "basis": "b", "component": 2,
         "range": [-20, 20], "styles": [2, 4]},
    ]);
    let preset = small.to_json().expect("a manifest");
    vec![full.to_string().into_bytes(), preset]
}

fn shards() -> Vec<Vec<u8>> {
    let values: Vec<u8> = (0..4).flat_map(|at| (at as f32).to_le_bytes()).collect();
    let header = br#"{"direction":{"dtype":"F32","shape":[1,4],"data_offsets":[0,16]}}"#;
    let length = (header.len() as u64).to_le_bytes();
    vec![small_model().1, [&length[..], header, &values].concat()]
}

/// Networks of every operation, whose shapes are those that face networks must have.
fn face_files() -> Vec<Vec<u8>> {
    let points = 3 * 468;
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, shape) in [
        ("three", vec![3, 1, 1, 3]),
        ("each", vec![1, 3, 3, 3]),
        ("boxes", vec![16, 1, 1, 6]),
        ("one", vec![1, 1, 1, 6]),
        ("points", vec![points, 1, 1, 1]),
        ("zero", vec![3]),
        ("zero.boxes", vec![16]),
        ("zero.one", vec![1]),
        ("zero.points", vec![points]),
        ("flat", vec![1, 4, 4, 3]),
        ("larger", vec![1, 2, 2, 3]),
    ] {
        let start = data.len();
        let count: usize = shape.iter().product();
        // 0.25 and, for every other, 0.5 as 16-bit floats.
        data.extend((0..count).flat_map(|at| [0, 0x34 + 4 * (at % 2) as u8]));
        let offsets = [start, data.len()];
        let entry = json!({"dtype": "F16", "shape": shape, "data_offsets": offsets});
        header.insert(name.to_owned(), entry);
    }
    let header = Value::Object(header).to_string().into_bytes();
    let length = (header.len() as u64).to_le_bytes();
    let weights = [&length[..], &header, &data].concat();
    let conv = |op: &str,
                input: &str,
                output: &str,
                weight: &str,
                bias: &str,
                stride: usize,
                padding: &str| {
        json!({"op": op, "input": input, "output": output, "weight": weight, "bias": bias, "stride": stride,
               "padding": padding, "activation": null, "slope": null})
    };
    let mut first = conv("conv2d", "in", "a", "three", "zero", 1, "same");
    first["activation"] = "prelu".into();
    first["slope"] = "zero".into();
    let mut halved = conv("conv2d", "in", "a", "three", "zero", 2, "same");
    halved["activation"] = "hard_swish".into();
    let manifest = json!({
        "format": 1,
        "shard": {"file": "face.safetensors", "bytes": weights.len(), "sha256": hex(&Sha256::digest(&weights))},
        "networks": {
            "detector": {
                "input": {"value": "in", "shape": [4, 4, 3]},
                "outputs": {"boxes": "boxes", "scores": "scores"},
                "ops": [
                    first,
                    conv("depthwise_conv2d", "a", "b", "each", "zero", 1, "same"),
                    {"op": "add", "input": "a", "other": "b", "output": "c", "activation": "relu", "slope": null},
                    {"op": "max_pool", "input": "c", "output": "d"},
                    {"op": "upsample", "input": "d", "output": "e"},
                    {"op": "pad_channels", "input": "e", "output": "f", "channels": 6},
                    conv("conv2d", "f", "boxes", "boxes", "zero.boxes", 2, "same"),
                    conv("conv2d", "f", "scores", "one", "zero.one", 2, "same"),
                ],
            },
            "mesh": {
                "input": {"value": "in", "shape": [4, 4, 3]},
                "outputs": {"points": "points", "face": "face"},
                "ops": [
                    conv("conv2d", "in", "face", "flat", "zero.one", 1, "valid"),
                    conv("conv2d", "face", "points", "points", "zero.points", 1, "valid"),
                ],
            },
            "person": {
                "input": {"value": "in", "shape": [64, 64, 3]},
                "outputs": {"mask": "mask"},
                "ops": [
                    halved,
                    {"op": "mean", "input": "a", "output": "b"},
                    conv("conv2d", "b", "c", "three", "zero", 1, "valid"),
                    {"op": "multiply", "input": "a", "other": "c", "output": "d"},
                    {"op": "transposed_conv2d", "input": "d", "output": "mask", "weight": "larger",
                     "bias": "zero.one", "stride": 2, "activation": "sigmoid", "slope": null},
                ],
            },
        },
    });
    let seed = [manifest.to_string().as_bytes(), b"\n", &weights].concat();
    let line = manifest.to_string();
    assert!(
        FaceFinder::from_bytes(line.as_bytes(), &weights).is_ok(),
        "the seed is a face network"
    );
    vec![seed]
}

fn pictures() -> Vec<Vec<u8>> {
    files("photos/files", &[""])
}
