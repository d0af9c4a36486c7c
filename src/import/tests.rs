use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use super::pickle::{Pickle, PickleError};
use super::testing::*;
use super::torch_file::TorchFile;
use super::*;
use crate::weights::testing::{sample_tensor, tiny_model, tiny_tensors};
use crate::weights::{Dtype, MANIFEST_FILE, Manifest, Tensor, WeightsDir, WeightsFile};

const KINDS: &[u8] = include_bytes!("../../tests/import/kinds.pt");
const LEGACY: &[u8] = include_bytes!("../../tests/import/legacy.pt");
const DIRECTION: &[u8] = include_bytes!("../../tests/import/direction.pt");
const BASIS: &[u8] = include_bytes!("../../tests/import/basis.pt");

fn open(bytes: &[u8]) -> Result<TorchFile<Cursor<&[u8]>>, ImportError> {
    TorchFile::open(Cursor::new(bytes))
}

/// The single line that refuses `bytes` as a checkpoint.
fn refusal(bytes: &[u8]) -> String {
    let error = convert(bytes, Dtype::F32).expect_err("must be refused");
    let message = error.to_string();
    assert!(!message.contains('\n'), "more than one line: {message}");
    message
}

fn convert(bytes: &[u8], dtype: Dtype) -> Result<Vec<WeightsFile>, ImportError> {
    let mut conversion = Checkpoint::open(Cursor::new(bytes))?.convert(dtype);
    let mut files = Vec::new();
    while let Some(file) = conversion.next_file()? {
        files.push(file);
    }
    let (done, total) = conversion.progress();
    assert_eq!(done, total);
    Ok(files)
}

/// Manifest and tensors of converted files.
fn decode(files: &[WeightsFile]) -> (Manifest, Vec<Tensor>) {
    let (manifest, shards) = files.split_last().unwrap();
    assert_eq!(manifest.name, MANIFEST_FILE);
    let manifest = Manifest::parse(&manifest.bytes).unwrap();
    let mut tensors = Vec::new();
    for (index, file) in shards.iter().enumerate() {
        assert_eq!(file.name, manifest.shards[index].file);
        tensors.extend(
            manifest
                .decode_shard(index, &file.bytes)
                .unwrap()
                .map(Result::unwrap),
        );
    }
    (manifest, tensors)
}

#[test]
fn every_kind_of_tensor_that_torch_saves_is_read() {
    let mut file = open(KINDS).unwrap();
    let mut read = |name: &str| {
        let state = file.root().get("state_dict").unwrap();
        let tensor = state.get(name).unwrap().tensor().unwrap().clone();
        let tensor = file.read_tensor(name, &tensor).unwrap();
        (tensor.shape, tensor.values)
    };
    let count = |n: usize| (0..n).map(|i| i as f32).collect::<Vec<_>>();
    let scaled = |by: f32| count(24).iter().map(|v| v / by).collect::<Vec<_>>();
    assert_eq!(read("f32"), (vec![2, 3, 4], scaled(4.0)));
    assert_eq!(read("f16"), (vec![24], scaled(8.0)));
    assert_eq!(read("bf16"), (vec![24], count(24)));
    let thirds = (0..24).map(|i| (f64::from(i) / 3.0) as f32).collect();
    assert_eq!(read("f64"), (vec![24], thirds));
    let signed = vec![-3.0, -2.0, -1.0, 0.0, 1.0, 2.0];
    assert_eq!(read("i64"), (vec![6], signed.clone()));
    assert_eq!(read("i32"), (vec![6], signed));
    assert_eq!(read("bool"), (vec![3], vec![1.0, 0.0, 1.0]));
    assert_eq!(read("scalar"), (vec![], vec![7.0]));
    assert_eq!(read("empty"), (vec![0, 3], vec![]));
    assert_eq!(read("parameter"), (vec![2, 3], count(6)));
    let transposed = (0..6).flat_map(|column| (0..4).map(move |row| (6 * row + column) as f32));
    assert_eq!(read("transposed"), (vec![6, 4], transposed.collect()));
    assert_eq!(read("tail"), (vec![1, 2, 2], vec![16.0, 18.0, 20.0, 22.0]));
    assert_eq!(read("repeated"), (vec![3, 2], vec![5.0; 6]));
}

#[test]
fn options_that_torch_saves_are_read() {
    let file = open(KINDS).unwrap();
    let opts = file.root().get("opts").unwrap();
    let option = |name: &str| opts.get(name).unwrap();
    assert_eq!(option("dataset_type").text(), Some("ffhq_encode"));
    assert_eq!(option("large").int(), Some(1 << 40));
    assert_eq!(option("negative").int(), Some(-70000));
    assert_eq!(option("flag").bool(), Some(true));
    let numbers = |name: &str| {
        option(name)
            .items()
            .unwrap()
            .map(|item| item.int())
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers("sizes"), [Some(1), Some(300), Some(70000)]);
    assert_eq!(numbers("size"), [Some(2), Some(3)]);
    assert_eq!(option("pair").kind(), "a tuple");
    assert_eq!(option("rate").kind(), "a number");
    assert!(opts.get("nothing").is_none());
}

#[test]
fn the_legacy_format_is_read() {
    let mut file = open(LEGACY).unwrap();
    for (name, expected) in [
        ("first", vec![4.0, 5.0, 6.0, 7.0]),
        ("second", vec![0.0, 1.0, 2.0]),
    ] {
        let tensor = file.root().get(name).unwrap().tensor().unwrap().clone();
        assert_eq!(file.read_tensor(name, &tensor).unwrap().values, expected);
    }
    for cut in 0..LEGACY.len() {
        assert!(open(&LEGACY[..cut]).is_err(), "cut to {cut} bytes");
    }
}

#[test]
fn other_opcodes_and_names_are_refused() {
    let parse = |code: &[u8]| Pickle::parse(code).map(|_| ()).unwrap_err();
    // INST would create an object of any class.
    let error = parse(b"\x80\x02(ios\nsystem\n.");
    assert_eq!(
        error,
        PickleError::Opcode {
            code: b'i',
            offset: 3
        }
    );
    assert_eq!(
        error.to_string(),
        "opcode 0x69 ('i') at byte 3 is not allowed: it is not needed to store tensors"
    );
    for name in [
        "posix\nsystem",
        "builtins\neval",
        "__builtin__\ngetattr",
        "torch\nload",
        "numpy\nload",
    ] {
        let code = format!("c{name}\n(X\x02\0\0\0lstR.");
        let error = parse(code.as_bytes());
        let dotted = name.replace('\n', ".");
        assert_eq!(
            error,
            PickleError::Global {
                name: dotted,
                offset: 0
            }
        );
    }
    let stack_global = [text("os"), text("system"), b"\x93.".to_vec()].concat();
    assert!(matches!(parse(&stack_global), PickleError::Global { .. }));
    let bytes = torch_zip(b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.", &[]);
    assert_eq!(
        refusal(&bytes),
        "pickle: \"os.system\" at byte 2 is not allowed: it is not needed to store tensors"
    );
    // Allowed names in unexpected places.
    for code in [
        &b"ccollections\nOrderedDict\n)\x81."[..],
        b"ccollections\nOrderedDict\nK\x01\x85R.",
        b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"K\x01)R.",
        b"K\x01Q.",
        b"K\x01N\x61.",
        b"}K\x01\x85b.",
        b"(K\x01u.",
        b"}(K\x01u.",
        b"h\x00.",
        b"t.",
        b"(.",
        b".",
        b"\x8a\x09123456789.",
        b"X\x02\0\0\0\xff\xff.",
    ] {
        assert!(Pickle::parse(code).is_err(), "{}", code.escape_ascii());
    }
}

#[test]
fn hostile_pickles_stay_small() {
    // A dictionary inside itself.
    let (circular, _) = Pickle::parse(b"}q\x00X\x01\0\0\0ah\x00s.").unwrap();
    let root = circular.root();
    assert!(root.get("a").unwrap().get("a").is_some());
    // Options that take in a large dictionary over and over.
    let entries = b"NN".repeat(300_000);
    let many = |times: usize| {
        let builds = b"h\x00b".repeat(times);
        let code = [
            b"}(",
            &entries[..],
            b"uq\x00cargparse\nNamespace\n)\x81",
            &builds,
            b".",
        ]
        .concat();
        Pickle::parse(&code)
    };
    assert!(many(2).is_ok());
    assert!(many(9).is_err_and(|error| error.to_string().ends_with("too many attributes")));
    // More objects, dimensions and elements than any tensor file has.
    assert!(Pickle::parse(&[b"(", &b"N".repeat(2 << 20)[..], b"t."].concat()).is_err());
    assert!(Pickle::parse(&pickle(tensor("0", 1, 0, &[1; 9], &[1; 9]))).is_err());
    for (count, offset, shape, stride) in [
        (4, 0, vec![5], vec![1]),
        (4, 4, vec![1], vec![1]),
        (4, 0, vec![2, 2], vec![3, 1]),
        (4, 0, vec![2, 2], vec![2]),
        (4, 0, vec![1 << 30, 1 << 30], vec![0, 0]),
        (4, 0, vec![1 << 28], vec![0]),
        (4, 0, vec![2], vec![i32::MAX as usize]),
    ] {
        let bytes = torch_zip(
            &pickle(tensor("0", count, offset, &shape, &stride)),
            &[("0".to_owned(), bytes_of(&[0.0; 4]))],
        );
        let mut file = open(&bytes).unwrap();
        let tensor = file.root().tensor().unwrap().clone();
        let error = file.read_tensor("weird", &tensor).unwrap_err();
        assert!(
            error.to_string().starts_with("tensor \"weird\": "),
            "{error}"
        );
    }
}

#[test]
fn damaged_pickles_never_panic() {
    let mut archive = zip::ZipArchive::new(Cursor::new(KINDS)).unwrap();
    let name = archive
        .file_names()
        .find(|name| name.ends_with("/data.pkl"))
        .unwrap()
        .to_owned();
    let mut code = Vec::new();
    std::io::Read::read_to_end(&mut archive.by_name(&name).unwrap(), &mut code).unwrap();
    for offset in 0..code.len() {
        assert!(Pickle::parse(&code[..offset]).is_err());
        for byte in [
            0,
            b'(',
            b'R',
            b'b',
            b'Q',
            b'u',
            0x86,
            0xff,
            code[offset] ^ 1,
        ] {
            let mut code = code.clone();
            code[offset] = byte;
            if let Err(error) = Pickle::parse(&code) {
                assert!(!error.to_string().contains('\n'));
            }
        }
    }
}

#[test]
fn a_checkpoint_becomes_a_weights_directory() {
    let parts = Parts::tiny();
    let bytes = parts.write();
    let checkpoint = Checkpoint::open(Cursor::new(&bytes[..])).unwrap();
    assert_eq!(checkpoint.report().kept.len(), tiny_tensors().len());
    let dropped: Vec<_> = checkpoint
        .report()
        .dropped
        .iter()
        .map(|(n, r)| (n.as_str(), *r))
        .collect();
    assert_eq!(
        dropped,
        [
            ("SAF.conv1.weight", DropReason::NeverRun),
            (
                "decoder.convs.0.conv.blur.kernel",
                DropReason::ConstantKernel
            ),
            ("decoder.style.1.weight", DropReason::Mapping),
            (
                "encoder.input_layer.1.num_batches_tracked",
                DropReason::BatchCounter
            ),
            ("extra.weight", DropReason::Unknown),
            ("lpips_loss.net.weight", DropReason::TrainingLoss),
        ]
    );

    let (manifest, tensors) = decode(&convert(&bytes, Dtype::F32).unwrap());
    let (networks, explored) = tensors.split_at(tiny_tensors().len());
    assert_eq!(networks, tiny_tensors());
    let labels: Vec<_> = manifest
        .directions
        .iter()
        .map(|d| d.label.as_str())
        .collect();
    assert_eq!(
        labels,
        [
            "Coarse 1", "Coarse 2", "Coarse 3", "Middle 1", "Middle 2", "Middle 3"
        ]
    );
    assert!(manifest.directions.iter().all(|d| d.group == "Explore"));
    for direction in explored {
        let length: f32 = direction.values.iter().map(|v| v * v).sum();
        assert!(
            (length - 1.0).abs() < 1e-5,
            "{} has squared length {length}",
            direction.name
        );
    }
}

#[test]
fn explored_directions_change_the_modulation_most() {
    let parts = Parts::tiny();
    let (_, tensors) = decode(&convert(&parts.write(), Dtype::F32).unwrap());
    let rows = ["decoder.conv1", "decoder.convs.0"].map(|conv| {
        let name = format!("{conv}.conv.modulation.weight");
        &tensors
            .iter()
            .find(|tensor| tensor.name == name)
            .unwrap()
            .values
    });
    let gain = |direction: &[f32]| -> f32 {
        let rows = rows.iter().flat_map(|matrix| matrix.chunks(4));
        rows.map(|row| {
            row.iter()
                .zip(direction)
                .map(|(a, b)| a * b)
                .sum::<f32>()
                .powi(2)
        })
        .sum()
    };
    let found = |name: &str| {
        gain(
            &tensors
                .iter()
                .find(|tensor| tensor.name == name)
                .unwrap()
                .values,
        )
    };
    let coarse = found("directions.coarse-1");
    assert!(
        coarse > found("directions.coarse-2")
            && found("directions.coarse-2") > found("directions.coarse-3")
    );
    for index in 0..50 {
        let other = sample_tensor(&index.to_string(), &[4]).values;
        let length: f32 = other.iter().map(|v| v * v).sum();
        assert!(gain(&other) / length <= coarse * 1.0001);
    }
}

#[test]
fn a_single_mean_style_is_repeated() {
    for shape in [vec![4], vec![1, 4]] {
        let mut parts = Parts::tiny();
        parts.latent_avg = sample_tensor("latent_avg", &shape);
        let (_, tensors) = decode(&convert(&parts.write(), Dtype::F32).unwrap());
        let found = tensors
            .iter()
            .find(|tensor| tensor.name == "latent_avg")
            .unwrap();
        assert_eq!(found.shape, [6, 4]);
        assert_eq!(found.values, parts.latent_avg.values.repeat(6));
    }
}

#[test]
fn unsuitable_checkpoints_are_named() {
    let refused = |change: fn(&mut Parts)| {
        let mut parts = Parts::tiny();
        change(&mut parts);
        refusal(&parts.write())
    };
    assert_eq!(
        refused(|p| p.tensors[0].name = "encoder.first.weight".to_owned()),
        "1 of the model's tensors missing: encoder.input_layer.0.weight"
    );
    assert_eq!(
        refused(|p| p.tensors[0].shape = vec![2, 27]),
        "tensor \"encoder.input_layer.0.weight\": has shape [2, 27], the model needs [2, 3, 3, 3]"
    );
    assert_eq!(
        refused(|p| p.latent_avg = sample_tensor("latent_avg", &[5, 4])),
        "tensor \"latent_avg\": has shape [5, 4], the model needs [6, 4]"
    );
    assert_eq!(
        refused(|p| p.tensors[3].values[1] = f32::NAN),
        "tensor \"encoder.input_layer.1.running_mean\": value 1 is NaN, which is not a finite number"
    );
    let kernel = "tensor \"decoder.convs.0.conv.blur.kernel\": is another blur than [1, 3, 3, 1]";
    let changed = refused(|p| {
        let blur = p
            .tensors
            .iter_mut()
            .find(|t| t.name.ends_with(".kernel"))
            .unwrap();
        blur.values[5] = 0.0;
    });
    assert!(changed.starts_with(kernel), "{changed}");
    assert!(
        refused(|p| p.opts[0].1 = "{".to_owned())
            .starts_with("opts: \"config\" is not a model configuration")
    );
    assert!(
        refused(|p| p.opts[0].1 = p.opts[0]
            .1
            .replace("\"image_size\":16", "\"image_size\":17"))
        .contains("image_size = 17")
    );
    assert!(
        refused(|p| p.opts.clear())
            .contains("6 style heads; the face model has 18 and the car model 16")
    );

    let heads = |count: usize, name: &'static str, value: &str| {
        let mut parts = Parts::tiny();
        parts.opts = vec![(name, value.to_owned())];
        let linear =
            |style: usize| sample_tensor(&format!("encoder.styles.{style}.linear.weight"), &[1]);
        parts.tensors = (0..count).map(linear).collect();
        refusal(&parts.write())
    };
    assert!(
        heads(18, "dataset_type", "cars_encode").contains("dataset_type = cars_encode contradicts")
    );
    assert!(heads(0, "dataset_type", "cars_encode").contains("not an SDIC checkpoint"));
    assert!(
        heads(18, "dataset_type", "ffhq_encode")
            .contains("encoder.styles.0.linear.weight\": has shape [1]")
    );
    let missing = refusal(&torch_zip(&pickle(dict(&[("weights", int(1))])), &[]));
    assert_eq!(
        missing,
        "no dictionary \"state_dict\": not an SDIC checkpoint"
    );
    let odd = refusal(&torch_zip(
        &pickle(dict(&[("state_dict", dict(&[("a", int(1))]))])),
        &[],
    ));
    assert_eq!(odd, "tensor \"a\": is a number instead of a tensor");
}

#[test]
fn other_files_are_refused() {
    let unknown = "not a PyTorch file (zip archive or legacy format)";
    assert_eq!(refusal(b""), unknown);
    assert_eq!(refusal(b"PK"), unknown);
    assert_eq!(refusal(&[0; 4096]), unknown);
    assert_eq!(refusal(b"\x89PNG\r\n\x1a\n and so on"), unknown);
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("picture.png", zip::write::SimpleFileOptions::default())
        .unwrap();
    let other = zip.finish().unwrap().into_inner();
    assert_eq!(
        refusal(&other),
        "a zip archive without data.pkl: not written by torch.save"
    );
}

#[test]
fn every_truncated_checkpoint_is_refused() {
    let bytes = Parts::tiny().write();
    for cut in (0..bytes.len()).step_by(1009) {
        assert!(
            convert(&bytes[..cut], Dtype::F32).is_err(),
            "cut to {cut} bytes"
        );
    }
    assert!(refusal(&bytes[..bytes.len() - 1]).starts_with("damaged or incomplete zip archive ("));
}

#[test]
fn every_damaged_checkpoint_is_refused_or_harmless() {
    let bytes = Parts::tiny().write();
    let whole = convert(&bytes, Dtype::F32).unwrap();
    for offset in (0..bytes.len()).step_by(887) {
        let mut bytes = bytes.clone();
        bytes[offset] ^= 0x20;
        // What is left are bytes without meaning, such as dates.
        if let Ok(files) = convert(&bytes, Dtype::F32) {
            assert!(
                files == whole,
                "damage at byte {offset} changed the weights"
            );
        }
    }
    let mut damaged = bytes.clone();
    damaged[latent_avg_offset(&bytes)] ^= 1;
    let message = refusal(&damaged);
    assert!(
        message.starts_with("tensor \"latent_avg\": entry \"archive/data/"),
        "{message}"
    );
}

/// Where the elements of the last storage, those of `latent_avg`, start.
fn latent_avg_offset(bytes: &[u8]) -> usize {
    let values = bytes_of(&Parts::tiny().latent_avg.values);
    bytes
        .windows(values.len())
        .position(|window| window == values)
        .unwrap()
}

/// A directory of its own for one test, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sdic-import-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_failed_import_leaves_nothing() {
    let scratch = Scratch::new("failed");
    let out = scratch.0.join("model");
    let whole = Parts::tiny().write();
    let mut damaged = whole.clone();
    damaged[latent_avg_offset(&whole)] ^= 1;
    for bytes in [&whole[..whole.len() / 2], &damaged, b"nothing"] {
        let path = scratch.file("model.pt", bytes);
        let error = import_checkpoint(&path, &out, Dtype::F16, |_, _| {}).unwrap_err();
        assert!(
            error.to_string().starts_with(&path.display().to_string()),
            "{error}"
        );
        assert_eq!(scratch.names(), ["model.pt"]);
    }
    let path = scratch.file("model.pt", &whole);
    let mut calls = 0;
    let report = import_checkpoint(&path, &out, Dtype::F16, |done, total| {
        calls += usize::from(done <= total)
    })
    .unwrap();
    assert_eq!(report.kept.len(), tiny_tensors().len());
    assert!(calls > 0);
    assert_eq!(scratch.names(), ["model", "model.pt"]);
    WeightsDir::open(&out).unwrap().read_shard(0).unwrap();
    let error = import_checkpoint(&path, &out, Dtype::F16, |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("already exists"), "{error}");
    let error =
        import_checkpoint(Path::new("nowhere.pt"), &out, Dtype::F16, |_, _| {}).unwrap_err();
    assert!(error.to_string().starts_with("nowhere.pt: "), "{error}");
}

fn direction(bytes: &[u8]) -> Result<DirectionFile, ImportError> {
    DirectionFile::read(Cursor::new(bytes))
}

fn safetensors(tensors: &[Tensor]) -> Vec<u8> {
    let data: Vec<_> = tensors
        .iter()
        .map(|tensor| bytes_of(&tensor.values))
        .collect();
    let views = tensors.iter().zip(&data).map(|(tensor, data)| {
        let view = safetensors::tensor::TensorView::new(
            safetensors::Dtype::F32,
            tensor.shape.clone(),
            data,
        )
        .unwrap();
        (tensor.name.clone(), view)
    });
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn directions_are_read_from_both_formats() {
    let DirectionFile::Linear(found) = direction(DIRECTION).unwrap() else {
        panic!("one direction")
    };
    assert_eq!(
        (found.shape, found.values),
        (vec![1, 4], vec![0.5, -1.0, 2.0, 0.25])
    );
    for (shape, expected) in [
        (vec![4], vec![1, 4]),
        (vec![6, 4], vec![6, 4]),
        (vec![1, 6, 4], vec![6, 4]),
    ] {
        let file = safetensors(&[sample_tensor("smile", &shape)]);
        let DirectionFile::Linear(found) = direction(&file).unwrap() else {
            panic!("one direction")
        };
        assert_eq!(found.shape, expected);
    }

    let DirectionFile::Basis { comp, mean, std } = direction(BASIS).unwrap() else {
        panic!("a basis")
    };
    assert_eq!(
        (comp.shape, mean.shape, std.shape),
        (vec![3, 1, 4], vec![1, 4], vec![3])
    );
    assert_eq!(std.values, [3.0, 2.0, 1.0]);
    assert_eq!(comp.values[4..8], [0.0, 1.0, 0.0, 0.0]);
    let positive = Tensor {
        name: "pca.std".to_owned(),
        shape: vec![2],
        values: vec![1.0, 2.0],
    };
    let parts = [
        sample_tensor("pca.comp", &[2, 4]),
        sample_tensor("pca.mean", &[4]),
        positive,
    ];
    let DirectionFile::Basis { comp, mean, .. } = direction(&safetensors(&parts)).unwrap() else {
        panic!("a basis")
    };
    assert_eq!((comp.shape, mean.shape), (vec![2, 1, 4], vec![1, 4]));

    let refused = |file: &[u8]| direction(file).expect_err("must be refused").to_string();
    assert!(refused(b"").contains("safetensors"));
    assert!(refused(LEGACY).contains("tensors found: first, second"));
    assert!(refused(&safetensors(&parts[..2])).contains("neither one direction nor a basis"));
    let [comp, mean, mut std] = parts;
    std.values[1] = 0.0;
    assert!(
        refused(&safetensors(&[comp.clone(), mean.clone(), std]))
            .contains("\"pca.std\": value 1 is 0")
    );
    let long = sample_tensor("pca.std", &[3]);
    assert!(
        refused(&safetensors(&[comp, mean, long]))
            .contains("\"pca.comp\": shape [2, 4] does not go with")
    );
    assert!(refused(&safetensors(&[sample_tensor("x", &[2, 3, 4])])).contains("shape [2, 3, 4]"));
    assert!(
        refused(&torch_zip(&pickle(int(5)), &[])).contains("holds a number instead of a tensor")
    );
    let whole = safetensors(&[sample_tensor("x", &[4])]);
    assert!(refused(&whole[..whole.len() - 1]).contains("not a valid safetensors file"));
}

#[test]
fn directions_join_a_weights_directory() {
    let scratch = Scratch::new("directions");
    let model = scratch.0.join("model");
    fs::create_dir(&model).unwrap();
    let (manifest, shards) = tiny_model(Dtype::F16);
    fs::write(model.join(MANIFEST_FILE), manifest.to_json().unwrap()).unwrap();
    fs::write(model.join(&shards[0].name), &shards[0].bytes).unwrap();

    let smile = scratch.file("Smile.pt", DIRECTION);
    let basis = scratch.file("pca.pt", BASIS);
    let add = |path: &Path| import_directions(path, &model, &Naming::of_file(path));
    assert_eq!(add(&smile).unwrap(), ["smile"]);
    assert_eq!(add(&basis).unwrap(), ["pca-0", "pca-1", "pca-2"]);
    let error = add(&smile).unwrap_err().to_string();
    assert!(
        error.ends_with("the model has a direction \"smile\" already; choose another name"),
        "{error}"
    );
    let wide = scratch.file(
        "wide.safetensors",
        &safetensors(&[sample_tensor("wide", &[1, 5])]),
    );
    let error = add(&wide).unwrap_err().to_string();
    assert!(
        error.contains("\"wide\": has shape [1, 5] instead of [1, 4] or [6, 4]"),
        "{error}"
    );

    let dir = WeightsDir::open(&model).unwrap();
    assert_eq!(dir.manifest().shards.len(), 3);
    let found = dir.read_shard(1).unwrap();
    assert_eq!(found[0].values, [0.5, -1.0, 2.0, 0.25]);
    assert_eq!(dir.read_shard(2).unwrap().len(), 3);
    let direction = &dir.manifest().directions[0];
    assert_eq!(
        (direction.label.as_str(), direction.range),
        ("Smile", [-5.0, 5.0])
    );
}

#[test]
fn published_edits_come_with_their_basis() {
    use crate::config::ModelConfig;
    let names = |config: &ModelConfig, count: usize| {
        let directions = directions::basis_directions(config, "pca", count);
        for direction in &directions {
            let [low, high] = direction.range;
            assert!(low < 0.0 && high == -low && direction.styles[1] <= config.styles());
        }
        directions
            .into_iter()
            .map(|d| d.name)
            .filter(|name| !name.starts_with("pca-"))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&ModelConfig::face(), 80), ["eyes", "beard", "lip"]);
    assert_eq!(names(&ModelConfig::face(), 58), ["eyes", "lip"]);
    assert_eq!(
        names(&ModelConfig::cars(), 80),
        ["turn", "cube", "colour", "grass"]
    );
    assert!(names(&crate::weights::testing::tiny_config(), 80).is_empty());
}

#[test]
fn names_of_directions_follow_their_files() {
    let age = Naming::of_file(Path::new("directions/Age.pt"));
    assert_eq!(
        (age.name.as_str(), age.group.as_str(), age.range),
        ("age", "Age & identity", [-10.0, 10.0])
    );
    let other = Naming::of_file(Path::new("head tilt v2.pt"));
    assert_eq!(
        (other.name.as_str(), other.label.as_str()),
        ("head-tilt-v2", "Head tilt v2")
    );
}
