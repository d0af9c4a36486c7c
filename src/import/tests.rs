use std::cell::Cell;
use std::fs;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use zip::CompressionMethod;

use super::pickle::{Pickle, PickleError};
use super::torch_file::TorchFile;
use super::*;
use crate::testing::files::*;
use crate::testing::models::{sample_tensor, tiny_config, tiny_model, tiny_tensors};
use crate::weights::{
    DirectionKind, Dtype, MANIFEST_FILE, Manifest, Tensor, WeightsDir, WeightsFile,
};

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

/// A file of the legacy format: what it says of the machine, its content, and its storages with their elements.
fn legacy(machine: &[u8], content: &[u8], storages: &[(&str, &[f32])]) -> Vec<u8> {
    let keys = storages.iter().flat_map(|(key, _)| text(key));
    let keys = [b"](".to_vec(), keys.collect(), b"e".to_vec()].concat();
    let mut file =
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.".to_vec();
    for root in [machine, content, &keys] {
        file.extend(pickle(root.to_vec()));
    }
    for (_, values) in storages {
        file.extend((values.len() as u64).to_le_bytes());
        file.extend(bytes_of(values));
    }
    file
}

#[test]
fn counts_of_the_legacy_format_must_agree() {
    let of = |count: usize| tensor("one", count, 0, &[4], &[1]);
    let second = tensor("two", 2, 0, &[2], &[1]);
    let file = |first: Vec<u8>, again: Vec<u8>| {
        let content = dict(&[("a", first), ("b", second.clone()), ("c", again)]);
        let storages: [(_, &[f32]); 2] = [("one", &[1.0, 2.0, 3.0, 4.0]), ("two", &[5.0, 6.0])];
        legacy(b"}", &content, &storages)
    };
    let bytes = file(of(4), of(4));
    let mut whole = open(&bytes).unwrap();
    let view = whole.root().get("b").unwrap().tensor().unwrap().clone();
    assert_eq!(whole.read_tensor("b", &view).unwrap().values, [5.0, 6.0]);
    // A tensor of six elements would end in the next storage, and one count moves all storages that follow.
    let six = tensor("one", 6, 0, &[6], &[1]);
    let mut moved = bytes.clone();
    let count = moved.len() - 8 - 8 - 16 - 8;
    assert_eq!(moved[count], 4);
    moved[count] = 3;
    for (bytes, counts) in [
        (
            file(six.clone(), six),
            "6 elements in one place of the file and 4 in another",
        ),
        (
            file(of(4), of(5)),
            "5 elements in one place of the file and 4 in another",
        ),
        (
            moved,
            "4 elements in one place of the file and 3 in another",
        ),
    ] {
        let error = open(&bytes).map(drop).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!(
                "storage \"one\" has {counts}; the file is damaged"
            )),
            "{error}"
        );
    }
    let (mut halves, single) = (of(4), b"FloatStorage");
    let mut places = halves.windows(single.len());
    let at = places.position(|bytes| bytes == single).unwrap();
    halves.splice(at..at + single.len(), *b"HalfStorage");
    let error = open(&file(of(4), halves)).map(drop).unwrap_err();
    assert!(
        error.to_string().contains("its elements have two types"),
        "{error}"
    );
}

#[test]
fn one_budget_bounds_all_pickles_of_a_file() {
    // A dictionary, and an object that takes it in over and over.
    let entries = b"NN".repeat(20_000);
    let greedy = |times: usize| {
        let builds = b"h\x00b".repeat(times);
        let start = &b"uq\x00cargparse\nNamespace\n)\x81"[..];
        [b"}(", &entries[..], start, &builds].concat()
    };
    let open = |machine: Vec<u8>, content: Vec<u8>| {
        let bytes = legacy(&machine, &content, &[("one", &[1.0])]);
        open(&bytes).map(drop)
    };
    // The list of storages names one that no tensor has, which is found after all pickles.
    let accepted = |result: Result<(), ImportError>| {
        let error = result.unwrap_err().to_string();
        error.contains("\"one\": a storage of an unknown type")
    };
    assert!(accepted(open(greedy(3), greedy(3))));
    // By itself each of these would have enough.
    let error = open(greedy(8), greedy(4)).unwrap_err().to_string();
    assert!(
        error.ends_with("far more objects than a file of weights has"),
        "{error}"
    );
}

#[test]
fn names_of_python_are_inert_and_refused_where_data_is_needed() {
    let parse = |code: &[u8]| Pickle::parse(code).map(|_| ());
    for name in [
        "posix\nsystem",
        "builtins\neval",
        "__builtin__\ngetattr",
        "torch\nload",
        "numpy\nload",
    ] {
        // REDUCE, INST and OBJ each stand for a call; BUILD would set attributes of what it gives.
        for code in [
            format!("c{name}\n(X\x02\0\0\0lstR}}b."),
            format!("(X\x02\0\0\0lsi{name}\n}}b."),
            format!("(c{name}\nX\x02\0\0\0lso}}b."),
        ] {
            let (pickle, _) = Pickle::parse(code.as_bytes()).unwrap();
            let root = pickle.root();
            let kind = format!("the Python object \"{}\"", name.replace('\n', "."));
            assert_eq!(root.kind(), kind);
            let refused = root.refusal().unwrap();
            assert!(
                matches!(&refused, PickleError::Object { name: n, .. } if **n == name.replace('\n', "."))
            );
            assert!(root.text().is_none() && root.entries().is_none() && root.get("a").is_none());
        }
    }
    let bytes = torch_zip(b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.", &[]);
    let refused = "pickle: \"os.system\" at byte 2 stands where tensors are needed, and only Python could run it; ";
    assert!(refusal(&bytes).starts_with(refused));
    assert!(
        direction(&bytes)
            .unwrap_err()
            .to_string()
            .starts_with(refused)
    );
    let error = parse(b"\x80\x02\x97.").unwrap_err();
    assert_eq!(
        error.to_string(),
        "opcode 0x97 at byte 2 is not known; the file is damaged or no PyTorch file"
    );
    // Known names and opcodes in unexpected places.
    for code in [
        &b"ccollections\nOrderedDict\nK\x01\x85R."[..],
        b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"ctorch._utils\n_rebuild_tensor_v3\n)R.",
        b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nN)tR.",
        b"K\x01)R.",
        b"K\x01)\x81.",
        b"K\x01Q.",
        b"K\x01N\x61.",
        b"K\x01(\x90.",
        b"}K\x01\x85b.",
        b"(K\x01u.",
        b"(K\x01d.",
        b"}(K\x01u.",
        b"h\x00.",
        b"gx\n.",
        b"t.",
        b"(.",
        b"(o.",
        b"0.",
        b"1.",
        b"2.",
        b".",
    ] {
        assert!(parse(code).is_err(), "{}", code.escape_ascii());
    }
}

#[test]
fn every_protocol_is_read() {
    let entries = |code: &[u8]| {
        let (pickle, length) = Pickle::parse(code).unwrap();
        assert_eq!(length, code.len());
        let value = pickle.root().get("a").unwrap();
        (value.int(), value.kind().into_owned())
    };
    for code in [
        &b"(dp0\nVa\np1\nI5\ns."[..],
        b"(S'a'\nL5L\nd.",
        b"}(U\x01aK\x05u.",
        b"}(T\x01\0\0\0a\x8b\x01\0\0\0\x05u.",
        b"\x80\x04\x95\0\0\0\0\0\0\0\0}\x94(\x8c\x01a\x94K\x05u.",
        b"\x80\x05}(\x8d\x01\0\0\0\0\0\0\0aK\x05N0(K\x0121u.",
    ] {
        assert_eq!(entries(code).0, Some(5), "{}", code.escape_ascii());
    }
    for (code, kind) in [
        (&b"C\x01x"[..], "bytes"),
        (b"B\x01\0\0\0x", "bytes"),
        (b"\x8e\x01\0\0\0\0\0\0\0x", "bytes"),
        (b"\x96\x01\0\0\0\0\0\0\0x", "bytes"),
        (b"X\x02\0\0\0\xff\xff", "bytes"),
        (b"\x8f(K\x01\x90", "a set"),
        (b"F1.5\n", "a number"),
        (b"\x8a\x09123456789", "a number"),
        (b"I01\n", "a truth value"),
        (b"(K\x01l", "a list"),
    ] {
        let code = [b"}(X\x01\0\0\0a", code, b"u."].concat();
        assert_eq!(entries(&code).1, kind, "{}", code.escape_ascii());
    }
}

/// As Python's pickler writes them in each protocol: paths, NumPy values, sets, own classes, functions, modules, and so
/// on.
#[test]
fn objects_that_nobody_needs_are_inert() {
    for bytes in [
        &include_bytes!("../../tests/import/objects2.pt")[..],
        include_bytes!("../../tests/import/objects4.pt"),
        include_bytes!("../../tests/import/objects5.pt"),
        include_bytes!("../../tests/import/objects-legacy.pt"),
    ] {
        let DirectionFile::Linear(found) = direction(bytes).unwrap() else {
            panic!("one direction")
        };
        assert_eq!(found.values, [0.5, -1.0, 2.0, 0.25]);
        let file = open(bytes).unwrap();
        let kind = |name: &str| file.root().get(name).unwrap().kind().into_owned();
        assert_eq!(kind("array"), "a NumPy array");
        assert_eq!(kind("scalar"), "a NumPy number");
        assert_eq!(kind("set"), "a set");
        assert!(kind("path").contains("PosixPath"), "{}", kind("path"));
        let attribute = file.root().get("namespace").unwrap().get("a").unwrap();
        assert_eq!(attribute.int(), Some(1));
        let item = file.root().get("settings").unwrap().get("a").unwrap();
        assert_eq!(item.int(), Some(1));
    }

    let object = b"cpathlib\nPosixPath\nX\x01\0\0\0a\x85R".to_vec();
    let parts = Parts::tiny();
    let whole = convert(&parts.write(), Dtype::F32).unwrap();
    let beside = parts.write_as(|state, latent_avg, opts| {
        let mut state = state.to_vec();
        state.push(("odd", object.clone()));
        dict(&[
            ("state_dict", dict(&state)),
            ("latent_avg", latent_avg.to_vec()),
            ("opts", opts.to_vec()),
            ("where", object.clone()),
        ])
    });
    assert!(convert(&beside, Dtype::F32).unwrap() == whole);
    // Where it is needed it is named.
    let instead = parts.write_as(|state, _, opts| {
        dict(&[
            ("state_dict", dict(state)),
            ("latent_avg", object.clone()),
            ("opts", opts.to_vec()),
        ])
    });
    assert_eq!(
        refusal(&instead),
        "tensor \"latent_avg\": is the Python object \"pathlib.PosixPath\" instead of a tensor"
    );
    let first = parts.write_as(|state, latent_avg, opts| {
        let mut state = state.to_vec();
        state[0].1 = object.clone();
        dict(&[
            ("state_dict", dict(&state)),
            ("latent_avg", latent_avg.to_vec()),
            ("opts", opts.to_vec()),
        ])
    });
    assert!(refusal(&first).starts_with(
        "tensor \"encoder.input_layer.0.weight\": is the Python object \"pathlib.PosixPath\""
    ));
}

#[test]
fn names_are_freed_of_wrappers_if_all_fit_then() {
    let parts = Parts::tiny();
    let whole = convert(&parts.write(), Dtype::F32).unwrap();
    let renamed = |name: &dyn Fn(&str) -> String| {
        parts.write_as(|state, latent_avg, opts| {
            let names: Vec<_> = state.iter().map(|(n, _)| name(n)).collect();
            let state: Vec<_> = names
                .iter()
                .zip(state)
                .map(|(name, (_, code))| (name.as_str(), code.clone()))
                .collect();
            dict(&[
                ("state_dict", dict(&state)),
                ("latent_avg", latent_avg.to_vec()),
                ("opts", opts.to_vec()),
            ])
        })
    };
    let names: [&dyn Fn(&str) -> String; 8] = [
        &|name| format!("module.{name}"),
        &|name| format!("_orig_mod.{name}"),
        &|name| format!("_orig_mod.module.{name}"),
        &|name| format!("net.{name}"),
        &|name| format!("model.net.{name}"),
        &|name| name.replacen('.', ".module.", 1),
        &|name| name.replacen('.', "._orig_mod.", 1),
        &|name| match name.starts_with("encoder.") {
            true => format!("module.{name}"),
            false => name.to_owned(),
        },
    ];
    for (index, name) in names.iter().enumerate() {
        let files = convert(&renamed(name), Dtype::F32);
        assert!(files.unwrap() == whole, "naming {index}");
    }

    let nested = |path: &[&'static str], inside: bool| {
        parts.write_as(|state, latent_avg, opts| {
            let latent_avg = ("latent_avg", latent_avg.to_vec());
            let opts = ("opts", opts.to_vec());
            let mut state = state.to_vec();
            if inside {
                state.push(latent_avg.clone());
            }
            let mut code = dict(&state);
            for name in path.iter().rev() {
                code = dict(&[(*name, code)]);
            }
            // One dictionary cannot be taken apart here: what lies beside is added to it.
            let beside = [text(opts.0), opts.1].concat();
            let beside = match inside {
                true => beside,
                false => [beside, text(latent_avg.0), latent_avg.1].concat(),
            };
            [code, b"(".to_vec(), beside, b"u".to_vec()].concat()
        })
    };
    for path in [
        &["model"][..],
        &["g_ema"],
        &["net", "state_dict"],
        &["state_dict", "module"],
        &[],
    ] {
        for inside in [true, false] {
            let files = convert(&nested(path, inside), Dtype::F32);
            assert!(files.unwrap() == whole, "{path:?}, inside: {inside}");
        }
    }

    // One name that does not fit, and two models.
    let broken = renamed(&|name| match name {
        "encoder.input_layer.0.weight" => "encoder.first.weight".to_owned(),
        name => format!("module.{name}"),
    });
    assert_eq!(
        refusal(&broken),
        "1 of the model's tensors missing: encoder.input_layer.0.weight"
    );
    let two = parts.write_as(|state, latent_avg, opts| {
        // Another one, in which one tensor is that of another name.
        let mut other = state.to_vec();
        let place = |name: &str| state.iter().position(|(found, _)| *found == name).unwrap();
        let weight = place("encoder.input_layer.1.weight");
        other[place("encoder.input_layer.1.bias")].1 = state[weight].1.clone();
        dict(&[
            ("a", dict(state)),
            ("b", dict(&other)),
            ("latent_avg", latent_avg.to_vec()),
            ("opts", opts.to_vec()),
        ])
    });
    assert_eq!(
        refusal(&two),
        "holds 2 models, \"a\", \"b\"; save the one to use by itself"
    );
}

#[test]
fn arrays_of_every_type_and_order_are_read() {
    let expected = [1.0, 0.0, 2.0, 3.0, 0.0, 4.0, 5.0, 100.0];
    let truth = expected.map(|value: f32| f32::from(u8::from(value != 0.0)));
    let wide = unzipped(include_bytes!("../../tests/import/wide.npz"));
    assert_eq!(wide.len(), 48);
    for (name, bytes) in &wide {
        let DirectionFile::Linear(found) = direction(bytes).unwrap() else {
            panic!("one direction")
        };
        assert_eq!(found.shape, [2, 4], "{name}");
        let expected = if name.starts_with("b1") {
            truth
        } else {
            expected
        };
        assert_eq!(found.values, expected, "{name}");
        // Alone in an archive, stored or deflated.
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let archive = zipped(&[(name.clone(), bytes.clone())], method);
            let DirectionFile::Linear(found) = direction(&archive).unwrap() else {
                panic!("one direction")
            };
            assert_eq!(found.values, expected, "{name}");
        }
    }

    let data = bytes_of(&[1.0, 2.0, 3.0, 4.0]);
    let values = |version, header: &str| match direction(&npy_file(version, header, &data)) {
        Ok(DirectionFile::Linear(found)) => found.values,
        other => panic!("{header}: {other:?}"),
    };
    for version in [1, 2, 3] {
        for header in [
            "{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }",
            "{\"shape\": (1, 4), \"descr\": \"<f4\", \"fortran_order\": False}  \n",
            "{'descr':'=f4','fortran_order':True,'shape':(4L,)}",
            " { u'descr' : u'f4', u'fortran_order' : False , u'shape' : ( 1 , 4 ) , } ",
        ] {
            assert_eq!(values(version, header), [1.0, 2.0, 3.0, 4.0], "{header}");
        }
    }
    // Upper halves of 32-bit floats, which NumPy calls nothing.
    let halves = [0x3f80u16, 0x4000, 0xc040, 0]
        .map(u16::to_le_bytes)
        .concat();
    let header = "{'descr': '<V2', 'fortran_order': False, 'shape': (4,), }";
    let DirectionFile::Linear(found) = direction(&npy_file(1, header, &halves)).unwrap() else {
        panic!("one direction")
    };
    assert_eq!(found.values, [1.0, 2.0, -3.0, 0.0]);
}

#[test]
fn arrays_of_other_things_are_refused_with_the_reason() {
    let data = [0; 16];
    let refused = |version, header: &str| {
        let error = direction(&npy_file(version, header, &data)).unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with("a .npy file ") && !message.contains('\n'),
            "{message}"
        );
        message
    };
    for (descr, reason) in [
        (
            "'|O'",
            "of Python objects, which only running them would restore (\"|O\")",
        ),
        ("'<c8'", "of complex numbers (\"<c8\"); save it as float32"),
        ("'<U4'", "of text"),
        ("'|S4'", "of text"),
        ("'<M8[ns]'", "of dates or times"),
        ("'<f16'", "of floats whose width depends on the machine"),
        ("'|V8'", "of raw bytes"),
        ("'<x4'", "of an unknown type"),
        (
            "[('a', '<f4'), ('b', '<f4', (2,))]",
            "of records with named fields",
        ),
        ("5", "whose header describes no array"),
    ] {
        let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1, 4), }}");
        let message = refused(1, &header);
        assert!(message.contains(reason), "{message}, expected {reason}");
    }
    let deep = format!("{{'descr': {}", "[".repeat(50_000));
    assert!(refused(1, &deep).contains("whose header describes no array"));
    for shape in ["(-1,)", "(1, 4", "4", "(99999999999999999999,)", "(1.5,)"] {
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
        assert!(
            refused(2, &header).contains("whose header describes no array"),
            "{shape}"
        );
    }
    assert!(refused(4, "{}").contains("of version 4, which is not known"));
    assert!(refused(1, "{}").contains("whose header describes no array"));
    let zeros = "{'descr': '<f4', 'fortran_order': True, 'shape': (0, 9223372036854775807, 4), }";
    assert!(direction(&npy_file(1, zeros, &[])).is_err());
    let many = vec![0; (8 << 20) + 1];
    let header = format!(
        "{{'descr': '|u1', 'fortran_order': False, 'shape': ({},), }}",
        many.len()
    );
    let error = direction(&npy_file(1, &header, &many))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("of 8388609 values; at most 8388608 are read"),
        "{error}"
    );
}

#[test]
fn a_basis_of_ganspace_is_read_from_its_archive() {
    let bytes = include_bytes!("../../tests/import/ganspace.npz");
    let entries = unzipped(bytes);
    let folder: Vec<_> = entries
        .iter()
        .map(|(name, bytes)| (format!("out\\{name}"), bytes.clone()))
        .collect();
    for bytes in [
        bytes.to_vec(),
        zipped(&entries, CompressionMethod::Stored),
        zipped(&folder, CompressionMethod::Deflated),
    ] {
        let DirectionFile::Basis { comp, mean, std } = direction(&bytes).unwrap() else {
            panic!("a basis")
        };
        assert_eq!(
            (comp.shape, mean.shape, std.values),
            (vec![3, 1, 4], vec![1, 4], vec![3.0, 2.0, 1.0])
        );
        assert_eq!(mean.values, [0.5; 4]);
        assert_eq!(comp.values[4..8], [0.0, 1.0, 0.0, 0.0]);
    }
    assert_eq!(
        refusal(bytes),
        "a NumPy archive (.npz), not written by torch.save"
    );
    let some: Vec<_> = entries
        .into_iter()
        .filter(|(name, _)| !name.contains("mean"))
        .collect();
    let error = direction(&zipped(&some, CompressionMethod::Stored))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("tensors found: act_comp, act_stdev, lat_comp, lat_stdev"),
        "{error}"
    );
    let objects = npy_file(
        1,
        "{'descr': '|O', 'fortran_order': False, 'shape': (), }",
        b"x",
    );
    let archive = zipped(&[("a.npy".to_owned(), objects)], CompressionMethod::Stored);
    let error = direction(&archive).unwrap_err().to_string();
    assert!(
        error.starts_with("entry \"a.npy\": a .npy file of Python objects"),
        "{error}"
    );
}

#[test]
fn safetensors_of_every_width_are_read() {
    use safetensors::Dtype as Stored;
    let bytes = |values: &[u64], width: usize| -> Vec<u8> {
        let little = values
            .iter()
            .flat_map(|v| v.to_le_bytes()[..width].to_vec());
        little.collect()
    };
    for (dtype, data) in [
        (Stored::F8_E4M3, bytes(&[0x38, 0xc0, 0x01, 0x7e], 1)),
        (Stored::F8_E5M2, bytes(&[0x3c, 0xc0, 0x18, 0x5f], 1)),
        (Stored::F16, bytes(&[0x3c00, 0xc000, 0x1800, 0x5f00], 2)),
        (Stored::BF16, bytes(&[0x3f80, 0xc000, 0x3b00, 0x43e0], 2)),
        (
            Stored::F64,
            [1.0f64, -2.0, 0.001953125, 448.0]
                .map(f64::to_le_bytes)
                .concat(),
        ),
    ] {
        let view = safetensors::tensor::TensorView::new(dtype, vec![1, 4], &data).unwrap();
        let file = safetensors::serialize([("a", view)], None).unwrap();
        let DirectionFile::Linear(found) = direction(&file).unwrap() else {
            panic!("one direction")
        };
        assert_eq!(found.values, [1.0, -2.0, 0.001953125, 448.0], "{dtype:?}");
    }
    let data = [0; 4];
    let view = safetensors::tensor::TensorView::new(Stored::F8_E8M0, vec![1, 4], &data).unwrap();
    let file = safetensors::serialize([("a", view)], None).unwrap();
    let error = direction(&file).unwrap_err().to_string();
    assert_eq!(error, "tensor \"a\": is F8_E8M0; save it as float32");
}

#[test]
fn archives_that_were_packed_again_are_read() {
    let original = Parts::tiny().write();
    let whole = convert(&original, Dtype::F32).unwrap();
    let renamed = |name: fn(&str) -> String| -> Vec<_> {
        let entries = unzipped(&original).into_iter();
        entries.map(|(old, bytes)| (name(&old), bytes)).collect()
    };
    for entries in [
        renamed(|name| name.to_owned()),
        renamed(|name| name.trim_start_matches("archive/").to_owned()),
        renamed(|name| format!("./deeper/{name}")),
        renamed(|name| name.replace('/', "\\")),
    ] {
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let packed = zipped(&entries, method);
            assert!(
                convert(&packed, Dtype::F32).unwrap() == whole,
                "{}",
                entries[0].0
            );
        }
    }
    let big: Vec<_> = unzipped(&original)
        .into_iter()
        .map(|(name, bytes)| match name.as_str() {
            "archive/byteorder" => (name, b"big".to_vec()),
            other if other.starts_with("archive/data/") => {
                let swapped = bytes
                    .chunks(4)
                    .flat_map(|value| value.iter().rev().copied());
                (name.clone(), swapped.collect())
            }
            _ => (name, bytes),
        })
        .collect();
    let packed = zipped(&big, CompressionMethod::Stored);
    assert!(convert(&packed, Dtype::F32).unwrap() == whole);

    // Damage in what was deflated is found, as its checksum is compared.
    let mut damaged = zipped(&unzipped(&original), CompressionMethod::Deflated);
    for offset in (0..damaged.len()).step_by(389) {
        damaged[offset] ^= 0x10;
        if let Ok(files) = convert(&damaged, Dtype::F32) {
            assert!(
                files == whole,
                "damage at byte {offset} changed the weights"
            );
        }
        damaged[offset] ^= 0x10;
    }
}

#[test]
fn archives_of_other_kinds_are_named() {
    let direct = |bytes: &[u8]| direction(bytes).unwrap_err().to_string();
    let entry = |name: &str, bytes: &[u8]| vec![(name.to_owned(), bytes.to_vec())];
    let inner = zipped(&entry("smile.pt", DIRECTION), CompressionMethod::Stored);
    assert_eq!(
        direct(&inner),
        "a zip archive around \"smile.pt\"; unpack it and choose that file"
    );
    assert_eq!(
        direct(&zipped(&[], CompressionMethod::Stored)),
        "an empty zip archive"
    );
    // Compression by another method, and a password, by their fields in both headers.
    let packed = zipped(&unzipped(DIRECTION), CompressionMethod::Deflated);
    let altered = |local: usize, central: usize, from: u8, to: u8| {
        let mut bytes = packed.clone();
        for at in 0..bytes.len() - 46 {
            let field = match &bytes[at..at + 4] {
                b"PK\x03\x04" => at + local,
                b"PK\x01\x02" => at + central,
                _ => continue,
            };
            assert_eq!(bytes[field], from);
            bytes[field] = to;
        }
        direct(&bytes)
    };
    let error = altered(8, 10, 8, 93);
    assert!(
        error.contains("is compressed by Zstandard, which is not read; pack the archive again without compression"),
        "{error}"
    );
    let error = altered(6, 8, 0, 1);
    assert!(
        error.contains("is encrypted; unpack the archive with its password"),
        "{error}"
    );

    for (bytes, found) in [
        (&b"<!DOCTYPE html>"[..], ": it is a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1",
            ": it is only a pointer",
        ),
        (b"\x1f\x8b\x08", ": it is packed by gzip; unpack it first"),
        (
            b"\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94.",
            ": it is a Python pickle",
        ),
    ] {
        for error in [refusal(bytes), direct(bytes)] {
            assert!(
                error.starts_with("not a PyTorch file") && error.contains(found),
                "{error}"
            );
        }
    }
    assert!(refusal(&npy("<f4", &[4], &[1.0; 4])).ends_with(": it is a NumPy array"));
    assert!(
        refusal(&safetensors(&[sample_tensor("a", &[4])])).ends_with(": it is a safetensors file")
    );
}

#[test]
fn archives_that_unpack_without_end_are_refused() {
    // 300 MB of zeros, in a file of 300 kB: no f32 of a checkpoint.
    let count = 75_000_000;
    let code = pickle(tensor("0", count, 0, &[1, 4], &[4, 1]));
    let entries = [
        ("a/data.pkl".to_owned(), code),
        ("a/data/0".to_owned(), vec![0; 4 * count]),
    ];
    let bomb = zipped(&entries, CompressionMethod::Deflated);
    assert!(bomb.len() < 400_000);
    let error = direction(&bomb).unwrap_err().to_string();
    assert!(
        error.contains("unpacks to 300 MB, far more than an archive of "),
        "{error}"
    );
    let array = npy_file(
        1,
        "{'descr': '|u1', 'fortran_order': False, 'shape': (40000000,), }",
        &vec![0; 40_000_000],
    );
    let bomb = zipped(&[("a.npy".to_owned(), array)], CompressionMethod::Deflated);
    let error = direction(&bomb).unwrap_err().to_string();
    assert!(error.contains("at most 32000000 are read here"), "{error}");
    // Storages that take turns, too large to be kept at the same time: each unpacking counts.
    let large = 20_000_000;
    let names: Vec<_> = (0..8).map(|index| format!("t{index}")).collect();
    let views: Vec<_> = (names.iter().enumerate())
        .map(|(index, name)| {
            let key = ["0", "1"][index % 2];
            (name.as_str(), tensor(key, large, 0, &[1, 4], &[4, 1]))
        })
        .collect();
    let entries = [
        ("a/data.pkl".to_owned(), pickle(dict(&views))),
        ("a/data/0".to_owned(), vec![0; 4 * large]),
        ("a/data/1".to_owned(), vec![0; 4 * large]),
    ];
    let bomb = zipped(&entries, CompressionMethod::Deflated);
    let mut file = open(&bomb).unwrap();
    let mut read = 0;
    for name in &names {
        let tensor = file.root().get(name).unwrap().tensor().unwrap().clone();
        match file.read_tensor(name, &tensor) {
            Ok(_) => read += 1,
            Err(error) => assert!(error.to_string().contains("unpacks to 80 MB"), "{error}"),
        }
    }
    // The one that was unpacked last is still there.
    assert!((4..8).contains(&read), "{read} were read");
}

/// Counts the bytes that are read of a file.
struct Counted<'a> {
    file: Cursor<&'a [u8]>,
    read: Rc<Cell<usize>>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.set(self.read.get() + count);
        Ok(count)
    }
}

impl Seek for Counted<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Every view of a storage of a megabyte, one after another and in turns with those of another storage.
#[test]
fn a_storage_that_tensors_share_is_read_once() {
    let (count, views) = (250_000, 50);
    let part = count / views;
    let values: Vec<_> = (0..count).map(|at| at as f32).collect();
    let names: Vec<_> = (0..2 * views).map(|index| index.to_string()).collect();
    let entries: Vec<_> = (names.iter().enumerate())
        .map(|(index, name)| {
            let (key, at) = (["a", "b"][index % 2], index / 2 * part);
            (name.as_str(), tensor(key, count, at, &[part], &[1]))
        })
        .collect();
    let storages = ["a", "b"].map(|key| (key.to_owned(), bytes_of(&values)));
    let stored = torch_zip(&pickle(dict(&entries)), &storages);
    let deflated = zipped(&unzipped(&stored), CompressionMethod::Deflated);
    for bytes in [stored, deflated] {
        let read = Rc::new(Cell::new(0));
        let counted = Counted {
            file: Cursor::new(&bytes[..]),
            read: read.clone(),
        };
        let mut file = TorchFile::open(counted).unwrap();
        for (index, name) in names.iter().enumerate() {
            let tensor = file.root().get(name).unwrap().tensor().unwrap().clone();
            let found = file.read_tensor(name, &tensor).unwrap().values;
            assert_eq!(found, values[index / 2 * part..][..part], "{name}");
        }
        // Once to verify them, and once more what the views need.
        let read = read.get();
        assert!(read < 5 * bytes.len() / 2, "{read} of {}", bytes.len());
    }
    // Damage is found by the first view, wherever it lies, and by all others.
    let mut damaged = torch_zip(&pickle(dict(&entries)), &storages);
    let last = bytes_of(&values[count - 4..]);
    let at = damaged.windows(16).position(|bytes| bytes == last).unwrap();
    damaged[at] ^= 1;
    let mut file = open(&damaged).unwrap();
    for name in ["0", "0", "2"] {
        let tensor = file.root().get(name).unwrap().tensor().unwrap().clone();
        let error = file.read_tensor(name, &tensor).unwrap_err().to_string();
        assert!(
            error.contains("archive/data/a") && error.contains("damaged"),
            "{error}"
        );
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
    assert!(many(9).is_err_and(|error| {
        error
            .to_string()
            .ends_with("far more objects than a file of weights has")
    }));
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

/// A model that holds itself is as many models, each with all that lie within it.
#[test]
fn models_inside_themselves_are_refused_before_they_are_compared() {
    let bytes = Parts::tiny().write_as(|state, latent_avg, opts| {
        let beside = [("latent_avg", latent_avg.to_vec()), ("opts", opts.to_vec())];
        let model = dict(&[state, &beside].concat());
        let items = &model[2..model.len() - 1];
        [b"}q\x00(", items, &text("a"), b"h\x00u"].concat()
    });
    let error = refusal(&bytes);
    assert!(
        error.starts_with("holds too many nested dictionaries"),
        "{error}"
    );
}

/// A kernel of one stored value, repeated 64 million times.
#[test]
fn kernels_of_another_shape_are_not_read() {
    let mut parts = Parts::tiny();
    let mut blur = parts.tensors.iter_mut();
    let blur = blur.find(|t| t.name.ends_with(".kernel")).unwrap();
    (blur.shape, blur.values) = (vec![8000, 8000], vec![0.0]);
    let error = refusal(&parts.write());
    assert!(error.contains("is another blur"), "{error}");
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
fn a_mapping_network_is_kept_if_it_is_whole() {
    let mut parts = Parts::tiny();
    let is_mapping = |name: &str| name.starts_with("decoder.style.");
    parts.tensors.retain(|tensor| !is_mapping(&tensor.name));
    for layer in 1..=8 {
        let name = |part| format!("decoder.style.{layer}.{part}");
        parts.tensors.push(sample_tensor(&name("weight"), &[4, 4]));
        parts.tensors.push(sample_tensor(&name("bias"), &[4]));
    }
    let (manifest, tensors) = decode(&convert(&parts.write(), Dtype::F32).unwrap());
    assert_eq!(manifest.config.mapping_layers, 8);
    (manifest.check_tensors(&crate::networks::tensor_shapes(&manifest.config))).unwrap();
    let kept = tensors.iter().filter(|tensor| is_mapping(&tensor.name));
    let mapping = parts
        .tensors
        .iter()
        .filter(|tensor| is_mapping(&tensor.name));
    assert!(kept.clone().eq(mapping) && kept.count() == 16);

    parts.tensors.pop();
    let bytes = parts.write();
    let checkpoint = Checkpoint::open(Cursor::new(&bytes[..])).unwrap();
    assert_eq!(checkpoint.config().mapping_layers, 0);
    let dropped = checkpoint.report().dropped.iter();
    let mapping = dropped.filter(|(_, reason)| *reason == DropReason::Mapping);
    assert_eq!(mapping.count(), 15);
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
    let broken = refused(|p| p.tensors[0].name = "encoder.styles\n.weight".to_owned());
    assert!(!broken.contains('\n'), "{broken}");
    let negative = refused(|p| {
        let mut variance = p.tensors.iter_mut();
        let variance = variance.find(|t| t.name.ends_with(".running_var"));
        variance.unwrap().values[1] = -1.0;
    });
    assert!(
        negative.contains(".running_var\": value 1 is -1, but variances are not negative"),
        "{negative}"
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
        parts.tensors.push(sample_tensor("DIP.spx.weight", &[1]));
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
    assert_eq!(
        odd,
        "state_dict: no style heads \"encoder.styles.*\": not an SDIC checkpoint"
    );
}

#[test]
fn other_files_are_refused() {
    let unknown = "not a PyTorch file (zip archive or legacy format)";
    assert_eq!(refusal(b""), format!("{unknown}: it is empty"));
    assert_eq!(refusal(b"PK"), unknown);
    assert_eq!(refusal(&[0; 4096]), unknown);
    assert_eq!(
        refusal(b"\x89PNG\r\n\x1a\n and so on"),
        format!("{unknown}: it is a PNG picture")
    );
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("picture.png", zip::write::SimpleFileOptions::default())
        .unwrap();
    let other = zip.finish().unwrap().into_inner();
    assert_eq!(
        refusal(&other),
        "a zip archive without data.pkl: not written by torch.save; it holds picture.png"
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
    // Of its two tensors only one is of floats.
    assert!(matches!(direction(LEGACY).unwrap(), DirectionFile::Linear(t) if t.name == "first"));
    let two = [
        sample_tensor("first", &[4]),
        sample_tensor("second", &[2, 4]),
    ];
    assert!(refused(&safetensors(&two)).contains("tensors found: first, second"));
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
fn style_channels_are_read_layer_by_layer() {
    let config = tiny_config();
    let widths = config.style_channels();
    let layer = |name: &str, index: usize| Tensor {
        name: name.to_owned(),
        shape: vec![1, widths[index]],
        values: vec![1.0 + index as f32; widths[index]],
    };
    let directions = |layers: &[Tensor]| {
        let file = direction(&safetensors(layers)).unwrap();
        file.into_directions(&config, &Naming::new("lips"))
    };
    let whole: Vec<f32> = (0..widths.len())
        .flat_map(|index| layer("", index).values)
        .collect();
    // In the order of the numbers in the names, whatever that of the letters.
    let name = |index: usize| format!("s.{index}.bias");
    let all: Vec<_> = (0..widths.len())
        .rev()
        .map(|i| layer(&name(i), i))
        .collect();
    let (tensors, made) = directions(&all).unwrap();
    let kind = DirectionKind::StyleSpace {
        tensor: "directions.lips".to_owned(),
    };
    assert_eq!((made[0].name.as_str(), &made[0].kind), ("lips", &kind));
    assert_eq!(
        (&tensors[0].shape, &tensors[0].values),
        (&vec![whole.len()], &whole)
    );
    // The convolutions alone.
    let convs = (0..widths.len()).filter(|layer| layer % 3 != 1);
    let convs: Vec<_> = convs.map(|index| layer(&name(index), index)).collect();
    let (tensors, _) = directions(&convs).unwrap();
    let mut expected = whole.clone();
    let mut at = 0;
    for (index, width) in widths.iter().enumerate() {
        if index % 3 == 1 {
            expected[at..at + width].fill(0.0);
        }
        at += width;
    }
    assert_eq!(tensors[0].values, expected);
    // All in one vector.
    let flat = |values: Vec<f32>| Tensor {
        name: "s".to_owned(),
        shape: vec![values.len()],
        values,
    };
    let (tensors, _) = directions(&[flat(whole.clone())]).unwrap();
    assert_eq!(tensors[0].values, whole);
    let of_convs = convs
        .iter()
        .flat_map(|layer| layer.values.clone())
        .collect();
    let (tensors, _) = directions(&[flat(of_convs)]).unwrap();
    assert_eq!(tensors[0].values, expected);

    let refused = |layers: &[Tensor]| directions(layers).unwrap_err().to_string();
    let said = refused(&all[1..]);
    assert!(
        said.contains("the style channels of this model's"),
        "{said}"
    );
    let still = widths.iter().enumerate().map(|(index, width)| Tensor {
        name: name(index),
        shape: vec![*width],
        values: vec![0.0; *width],
    });
    let said = refused(&still.collect::<Vec<_>>());
    assert!(said.contains("would change nothing"), "{said}");
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
    assert!(names(&crate::testing::models::tiny_config(), 80).is_empty());
}

#[test]
fn bases_live_side_by_side() {
    use crate::config::ModelConfig;
    let mut all = Vec::new();
    for name in ["pca", "other"] {
        let naming = Naming::of_person(name);
        let mut new = directions::basis_directions(&ModelConfig::face(), name, 80);
        directions::tell_apart(&mut new, &all, &naming);
        all.extend(new);
    }
    let unique = |texts: Vec<&str>| texts.iter().collect::<std::collections::HashSet<_>>().len();
    assert_eq!(all.len(), 22);
    assert_eq!(unique(all.iter().map(|d| d.name.as_str()).collect()), 22);
    assert_eq!(unique(all.iter().map(|d| d.label.as_str()).collect()), 22);
    let named = |index: usize| (all[index].name.as_str(), all[index].label.as_str());
    assert_eq!(named(0), ("eyes", "Eyes"));
    assert_eq!(named(11), ("other-eyes", "Other: Eyes"));
    assert_eq!(named(14), ("other-0", "Other: Component 0"));
    // The same basis once more is told of.
    let mut again = directions::basis_directions(&ModelConfig::face(), "pca", 80);
    directions::tell_apart(&mut again, &all, &Naming::of_person("pca"));
    assert!(
        again
            .iter()
            .any(|new| all.iter().any(|old| old.name == new.name))
    );
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
    // Commands have few letters, people all of them.
    for (file, name, label) in [
        ("Lächeln_groß.npy", "l-cheln-gro", "Lächeln groß"),
        ("étonné.pt", "tonn", "Étonné"),
        ("smile (old).pt", "smile-old", "Smile (old)"),
        ("微笑.npy", "direction", "微笑"),
        ("a=b,c.npy", "a-b-c", "A=b,c"),
        ("v1.2.pt", "v1-2", "V1.2"),
    ] {
        let naming = Naming::of_file(Path::new(file));
        assert_eq!(
            (naming.name.as_str(), naming.label.as_str()),
            (name, label),
            "{file}"
        );
    }
    let own = Naming::of_person("Mon sourire_2");
    assert_eq!(
        (own.name.as_str(), own.label.as_str()),
        ("Mon-sourire_2", "Mon sourire 2")
    );
    let known = Naming::of_person("smile");
    assert_eq!(
        (known.label.as_str(), known.group.as_str()),
        ("Smile", "Expression")
    );
}
