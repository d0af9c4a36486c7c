use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;
use crate::testing::models::{sample_tensor, tiny_model, tiny_tensors, tiny_with_directions};

/// A directory of its own for one test, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sdic-weights-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
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

fn decode_all(manifest: &Manifest, files: &[WeightsFile]) -> Result<Vec<Tensor>, WeightsError> {
    let mut tensors = Vec::new();
    for (index, file) in files.iter().enumerate() {
        for tensor in manifest.decode_shard(index, &file.bytes)? {
            tensors.push(tensor?);
        }
    }
    Ok(tensors)
}

/// A change that must be refused, and part of the message.
type Case<T> = (fn(&mut T), &'static str);

/// The message for the tiny f32 manifest after `change`, which must make it invalid.
fn refusal(change: impl FnOnce(&mut Value)) -> String {
    let (manifest, _) = tiny_model(Dtype::F32);
    let mut json: Value = serde_json::to_value(&manifest).unwrap();
    change(&mut json);
    let error = Manifest::parse(&serde_json::to_vec(&json).unwrap()).expect_err("must be refused");
    let message = error.to_string();
    assert!(!message.contains('\n'), "more than one line: {message}");
    message
}

#[test]
fn f32_round_trip_is_exact() {
    let (manifest, files) = tiny_model(Dtype::F32);
    assert_eq!(decode_all(&manifest, &files).unwrap(), tiny_tensors());
    let parsed = Manifest::parse(&manifest.to_json().unwrap()).unwrap();
    assert_eq!(parsed, manifest);
}

#[test]
fn f16_round_trip_rounds_to_nearest() {
    let (manifest, files) = tiny_model(Dtype::F16);
    for (found, expected) in decode_all(&manifest, &files)
        .unwrap()
        .iter()
        .zip(tiny_tensors())
    {
        assert_eq!(
            (&found.name, &found.shape),
            (&expected.name, &expected.shape)
        );
        for (found, expected) in found.values.iter().zip(expected.values) {
            // 11 significant bits, and steps of 2^-24 below 2^-14.
            let bound = (expected.abs() / 2048.0).max(1.0 / (1 << 25) as f32);
            assert!((found - expected).abs() <= bound, "{found} for {expected}");
        }
    }
}

#[test]
fn q8_error_is_at_most_half_a_step_of_its_channel() {
    // Channel c is 4^c times as large as channel 0: one scale for all would fail.
    for shape in [vec![5, 6, 3, 3], vec![1, 5, 6, 3, 3]] {
        let mut tensor = sample_tensor("weight", &shape);
        for (index, value) in tensor.values.iter_mut().enumerate() {
            *value *= 4f32.powi((index / 54) as i32);
        }
        let mut packer = ShardPacker::new();
        assert_eq!(packer.push(&tensor, Dtype::Q8).unwrap(), None);
        let packed = packer.finish().unwrap();
        let mut manifest = tiny_model(Dtype::F32).0;
        (manifest.tensors, manifest.shards) = (packed.tensors, packed.shards);
        let found = decode_all(&manifest, &[packed.last_shard.unwrap()])
            .unwrap()
            .remove(0);
        assert_eq!(found.shape, shape);
        for (found, expected) in found.values.chunks(54).zip(tensor.values.chunks(54)) {
            let largest = expected
                .iter()
                .fold(0f32, |largest, v| largest.max(v.abs()));
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() <= 0.5001 * largest / 127.0);
            }
        }
    }
}

#[test]
fn q8_keeps_zero_channels_and_scalars() {
    for (shape, values) in [
        (vec![2, 2], vec![0.0, 0.0, 1.0, -1.0]),
        (vec![1, 1], vec![0.5]),
    ] {
        let tensor = Tensor {
            name: "weight".to_owned(),
            shape,
            values,
        };
        let stored = codec::encode(&tensor, Dtype::Q8).unwrap();
        let scales = stored.scales.unwrap();
        let found =
            codec::decode("weight", &tensor.shape, Dtype::Q8, &stored.values, &scales).unwrap();
        assert_eq!(found, tensor);
    }
}

#[test]
fn precision_spares_small_tensors_and_non_weights() {
    let cases = [
        (
            "a.weight",
            vec![64, 64],
            [Dtype::F32, Dtype::F16, Dtype::Q8],
        ),
        ("noise", vec![64, 64], [Dtype::F32, Dtype::F16, Dtype::F16]),
        ("a.weight", vec![63, 64], [Dtype::F32; 3]),
        ("a.running_var", vec![8192], [Dtype::F32; 3]),
    ];
    for (name, shape, expected) in cases {
        let found = [Dtype::F32, Dtype::F16, Dtype::Q8].map(|dtype| dtype.for_tensor(name, &shape));
        assert_eq!(found, expected, "{name} {shape:?}");
    }
}

#[test]
fn values_that_cannot_be_stored_are_named() {
    let message = |value: f32, dtype: Dtype| {
        let mut tensor = sample_tensor("some.weight", &[2, 3]);
        tensor.values[4] = value;
        let error = ShardPacker::new()
            .push(&tensor, dtype)
            .expect_err("must be refused");
        error.to_string()
    };
    for dtype in [Dtype::F32, Dtype::F16, Dtype::Q8] {
        assert!(message(f32::NAN, dtype).contains("\"some.weight\": value 4 is NaN"));
        assert!(message(f32::INFINITY, dtype).contains("\"some.weight\": value 4 is inf"));
    }
    assert!(
        message(70000.0, Dtype::F16)
            .contains("\"some.weight\": value 4 is 70000, beyond the range of f16")
    );
}

#[test]
fn values_that_would_make_no_picture_are_refused_when_they_are_loaded() {
    for (name, value, problem) in [
        ("a.weight", f32::NAN, "is NaN, which is not a finite number"),
        (
            "a.weight",
            f32::INFINITY,
            "is inf, which is not a finite number",
        ),
        (
            "a.running_var",
            -0.25,
            "is -0.25, but variances are not negative",
        ),
    ] {
        let mut tensor = sample_tensor(name, &[2, 3]);
        let (mut manifest, _) = tiny_model(Dtype::F32);
        let mut packer = ShardPacker::new();
        packer.push(&tensor, Dtype::F32).unwrap();
        let packed = packer.finish().unwrap();
        let mut shard = packed.last_shard.unwrap();
        (manifest.tensors, manifest.shards) = (packed.tensors, packed.shards);
        // The value gets into the file behind the back of what writes it.
        let at = shard.bytes.len() - 4;
        shard.bytes[at..].copy_from_slice(&value.to_le_bytes());
        manifest.shards[0].sha256 = sha256(&shard.bytes);
        let error = decode_all(&manifest, &[shard]).unwrap_err().to_string();
        let expected = format!("tensor \"{name}\": value 5 {problem}");
        assert!(error.starts_with(&expected), "{error}");
        tensor.values[5] = value;
        let error = ShardPacker::new().push(&tensor, Dtype::F32).unwrap_err();
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[test]
fn shards_stay_below_their_limit() {
    let mut packer = ShardPacker::new();
    let mut files = Vec::new();
    for index in 0..9 {
        let tensor = sample_tensor(&format!("t{index}"), &[1200, 1000]);
        files.extend(packer.push(&tensor, Dtype::F32).unwrap());
    }
    let packed = packer.finish().unwrap();
    files.extend(packed.last_shard);
    let counts: Vec<_> = (0..3)
        .map(|i| packed.tensors.iter().filter(|t| t.shard == i).count())
        .collect();
    assert_eq!(counts, [3, 3, 3]);
    assert!(files.iter().all(|file| file.bytes.len() <= MAX_SHARD_BYTES));
    assert_eq!(files[2].name, "shard-002.safetensors");

    let mut packer = ShardPacker::new();
    let error = packer
        .push(&sample_tensor("huge", &[2049, 2048]), Dtype::F32)
        .unwrap_err();
    assert!(error.to_string().contains("\"huge\""), "{error}");
    packer
        .push(&sample_tensor("twice", &[1]), Dtype::F32)
        .unwrap();
    let error = packer
        .push(&sample_tensor("twice", &[1]), Dtype::F32)
        .unwrap_err();
    assert_eq!(error.to_string(), "tensor \"twice\": occurs twice");
    let error = packer
        .push(&sample_tensor("../x", &[1]), Dtype::F32)
        .unwrap_err();
    assert!(error.to_string().contains("\"../x\""), "{error}");
}

#[test]
fn other_format_versions_are_refused() {
    assert_eq!(
        refusal(|json| json["format"] = json!(2)),
        "manifest.json: format 2 is not format 1, which this program reads; update this program"
    );
    assert!(refusal(|json| json["format"] = json!(0)).contains("import the weights again"));
    // A newer version need not have any other field.
    let error = Manifest::parse(br#"{"format": 7, "shards": "elsewhere"}"#).unwrap_err();
    assert!(matches!(error, WeightsError::Format { found: 7, .. }));
    for json in [&b""[..], b"{", b"[]", b"{\"format\":1}", b"\xff"] {
        let error = Manifest::parse(json).expect_err("must be refused");
        assert!(matches!(error, WeightsError::Json(_)), "{error}");
    }
}

#[test]
fn unknown_fields_survive() {
    let (manifest, _) = tiny_model(Dtype::F32);
    let mut json = serde_json::to_value(&manifest).unwrap();
    json["trained_steps"] = json!(1200);
    let manifest = Manifest::parse(&serde_json::to_vec(&json).unwrap()).unwrap();
    let json: Value = serde_json::from_slice(&manifest.to_json().unwrap()).unwrap();
    assert_eq!(json["trained_steps"], json!(1200));
}

#[test]
fn a_manifest_tells_what_its_model_shows() {
    let (manifest, _) = tiny_model(Dtype::F32);
    let plain = serde_json::to_value(&manifest).unwrap();
    assert!(plain.get("depicts").is_none());
    let depicts = |crop: Option<[usize; 2]>, said: Option<&str>| {
        let mut json = plain.clone();
        json["config"]["crop"] = json!(crop);
        if let Some(said) = said {
            json["depicts"] = json!(said);
        }
        let manifest = Manifest::parse(&serde_json::to_vec(&json).unwrap()).unwrap();
        // It is the same when it was written again.
        let again = Manifest::parse(&manifest.to_json().unwrap()).unwrap();
        assert_eq!(again.depicts(), manifest.depicts());
        manifest.depicts()
    };
    assert_eq!(depicts(None, None), Depicts::Faces);
    assert_eq!(depicts(Some([16, 16]), None), Depicts::Faces);
    assert_eq!(depicts(Some([12, 16]), None), Depicts::Cars);
    assert_eq!(depicts(Some([12, 16]), Some("faces")), Depicts::Faces);
    assert_eq!(depicts(None, Some("cars")), Depicts::Cars);
    assert_eq!(depicts(None, Some("teapots")), Depicts::Other);
}

#[test]
fn manifests_that_contradict_themselves_name_the_field() {
    let cases: [Case<Value>; 15] = [
        (|j| j["config"]["image_size"] = json!(17), "image_size = 17"),
        (|j| j["preset"] = json!("face"), "exactly one of"),
        (|j| j["config"] = Value::Null, "exactly one of"),
        (
            |j| j["tensors"][3]["shard"] = json!(9),
            "tensors[3] \"encoder.input_layer.1.running_mean\": shard 9",
        ),
        (
            |j| j["tensors"][3]["name"] = j["tensors"][2]["name"].clone(),
            "occurs twice",
        ),
        (
            |j| j["tensors"][3]["name"] = json!("../a"),
            "tensors[3] \"../a\": names consist",
        ),
        (
            |j| j["tensors"][3]["shape"] = json!([u64::MAX / 2, 4]),
            "does not fit into its shard",
        ),
        (
            |j| j["tensors"][3]["dtype"] = json!("f64"),
            "unknown variant `f64`",
        ),
        (
            |j| j["shards"][0]["bytes"] = json!(16 << 20 | 1),
            "shards[0] \"shard-000.safetensors\": 16777217 bytes",
        ),
        (
            |j| j["shards"][0]["file"] = json!("../shard"),
            "shards[0] \"../shard\": not a plain file name",
        ),
        (
            |j| j["shards"][0]["file"] = json!("manifest.json"),
            "used twice",
        ),
        (|j| j["shards"][0]["sha256"] = json!("00"), "sha256"),
        (|j| j["model_card"] = json!("../../etc/x"), "model_card"),
        (
            |j| j["samples"] = json!([{"file": "/x.png", "label": "x"}]),
            "samples",
        ),
        (|j| j["name"] = json!(""), "name"),
    ];
    for (change, part) in cases {
        let message = refusal(change);
        assert!(
            message.starts_with("manifest.json: ") && message.contains(part),
            "{message}"
        );
    }
}

#[test]
fn samples_are_photos_unless_they_say_that_they_are_aligned() {
    let (mut manifest, _) = tiny_model(Dtype::F32);
    manifest.samples = [("photo.webp", false), ("face.png", true)]
        .map(|(file, aligned)| Sample {
            file: file.to_owned(),
            label: "A face".to_owned(),
            aligned,
        })
        .to_vec();
    let text = manifest.to_json().unwrap();
    assert_eq!(Manifest::parse(&text).unwrap(), manifest);
    let json: Value = serde_json::from_slice(&text).unwrap();
    let samples = &json["samples"];
    assert_eq!(samples[0].get("aligned"), None);
    assert_eq!(samples[1]["aligned"], json!(true));
}

#[test]
fn directions_are_checked() {
    let (manifest, shard) = tiny_with_directions();
    let parsed = Manifest::parse(&manifest.to_json().unwrap()).unwrap();
    assert_eq!(parsed, manifest);
    let tensors: Vec<_> = manifest.decode_shard(1, &shard.bytes).unwrap().collect();
    assert_eq!(tensors.len(), 7);

    let cases: [Case<Value>; 12] = [
        (
            |d| d[0]["shown"] = json!({"points": [48, 54]}),
            "missing field `range`",
        ),
        (
            |d| d[0]["name"] = json!("a b"),
            "directions[0] \"a b\": names",
        ),
        (
            |d| d[1]["name"] = json!("smile"),
            "directions[1] \"smile\": occurs twice",
        ),
        (
            |d| d[0]["tensor"] = json!("directions.frown"),
            "\"directions.frown\" is not in the tensor table",
        ),
        (
            |d| d[0]["tensor"] = json!("ganspace.std"),
            "has shape [3] instead of [1, 4] or [6, 4]",
        ),
        (
            |d| d[0]["kind"] = json!("stylespace"),
            "\"directions.smile\" has shape [1, 4] instead of [",
        ),
        (|d| d[0]["range"] = json!([1, 3]), "range [1, 3]"),
        (|d| d[0]["range"] = json!([-1e39, 3]), "range"),
        (
            |d| d[0]["styles"] = json!([4, 7]),
            "styles [4, 7] must be a range within 0..6",
        ),
        (|d| d[0]["kind"] = json!("magic"), "magic"),
        (
            |d| d[1]["component"] = json!(3),
            "component 3 does not exist; \"ganspace\" has 3",
        ),
        (
            |d| d[1]["basis"] = json!("pca"),
            "\"pca.comp\" is not in the tensor table",
        ),
    ];
    for (change, part) in cases {
        let mut json = serde_json::to_value(&manifest).unwrap();
        change(&mut json["directions"]);
        let error = Manifest::parse(&serde_json::to_vec(&json).unwrap()).expect_err(part);
        assert!(error.to_string().contains(part), "{error}");
    }
}

/// The tiny model whose shard holds what `change` makes of its tensors, with the size and digest of the result.
fn resealed(change: impl FnOnce(&mut Vec<Tensor>)) -> (Manifest, Vec<u8>) {
    let (mut manifest, _) = tiny_model(Dtype::F32);
    let mut tensors = tiny_tensors();
    change(&mut tensors);
    let mut packer = ShardPacker::new();
    for tensor in &tensors {
        packer.push(tensor, Dtype::F32).unwrap();
    }
    let packed = packer.finish().unwrap();
    manifest.shards = packed.shards;
    (manifest, packed.last_shard.unwrap().bytes)
}

#[test]
fn shards_that_disagree_with_the_table_name_the_tensor() {
    let cases: [Case<Vec<Tensor>>; 4] = [
        (
            |t| drop(t.remove(4)),
            "shard-000.safetensors: tensor \"encoder.input_layer.1.running_var\" is missing",
        ),
        (
            |t| t.push(sample_tensor("more", &[1])),
            "shard-000.safetensors: tensor \"more\" is not in the tensor table of manifest.json",
        ),
        (
            |t| t[4].name = "encoder.input_layer.1.variance".to_owned(),
            "shard-000.safetensors: tensor \"encoder.input_layer.1.running_var\" is missing",
        ),
        (
            |t| t[0].shape = vec![2, 27],
            "shard-000.safetensors: tensor \"encoder.input_layer.0.weight\" has shape [2, 27] instead of [2, 3, 3, 3]",
        ),
    ];
    for (change, expected) in cases {
        let (manifest, bytes) = resealed(change);
        let error = manifest.decode_shard(0, &bytes).err().expect(expected);
        assert_eq!(error.to_string(), expected);
    }
    let (mut manifest, files) = tiny_model(Dtype::F16);
    manifest.tensors[2].dtype = Dtype::F32;
    let error = manifest
        .decode_shard(0, &files[0].bytes)
        .err()
        .expect("wrong type");
    assert!(
        error
            .to_string()
            .contains("is stored as F16 instead of f32"),
        "{error}"
    );
    let error = manifest
        .decode_shard(1, &files[0].bytes)
        .err()
        .expect("no such shard");
    assert_eq!(
        error.to_string(),
        "shard 1 does not exist; manifest.json lists 1"
    );
}

#[test]
fn every_damaged_shard_is_refused() {
    let (manifest, files) = tiny_model(Dtype::Q8);
    let bytes = &files[0].bytes;
    for cut in (0..bytes.len()).step_by(499) {
        let error = manifest
            .decode_shard(0, &bytes[..cut])
            .err()
            .expect("cut short");
        assert!(matches!(error, WeightsError::ShardSize { .. }));
    }
    for offset in (0..bytes.len()).step_by(499) {
        let mut bytes = bytes.clone();
        bytes[offset] ^= 0x10;
        let error = manifest.decode_shard(0, &bytes).err().expect("damaged");
        assert!(
            error
                .to_string()
                .starts_with("shard-000.safetensors: SHA-256 is "),
            "{error}"
        );
        // Even with a matching digest no content may do worse than fail.
        let mut manifest = manifest.clone();
        manifest.shards[0].sha256 = sha256(&bytes);
        if let Ok(tensors) = manifest.decode_shard(0, &bytes) {
            assert_eq!(tensors.count(), manifest.tensors.len());
        }
    }
}

#[test]
fn damaged_manifests_never_panic() {
    let json = tiny_with_directions().0.to_json().unwrap();
    for offset in (0..json.len()).step_by(17) {
        let mut damaged = json.clone();
        damaged[offset] ^= 0x04;
        if let Err(error) = Manifest::parse(&damaged) {
            assert!(!error.to_string().contains('\n'));
        }
        if offset + 2 < json.len() {
            Manifest::parse(&json[..offset]).expect_err("cut short");
        }
    }
}

#[test]
fn directories_are_written_completely_or_not_at_all() {
    let scratch = Scratch::new("staged");
    let target = scratch.0.join("model");
    let (manifest, files) = tiny_model(Dtype::F16);
    let manifest_file = WeightsFile {
        name: MANIFEST_FILE.to_owned(),
        bytes: manifest.to_json().unwrap(),
    };

    let staged = StagedDir::create(&target).unwrap();
    staged.write(&files[0]).unwrap();
    drop(staged);
    assert!(scratch.names().is_empty());

    let staged = StagedDir::create(&target).unwrap();
    staged.write(&files[0]).unwrap();
    staged.write(&manifest_file).unwrap();
    staged.commit().unwrap();
    assert_eq!(scratch.names(), ["model"]);
    let dir = WeightsDir::open(&target).unwrap();
    assert_eq!(dir.manifest(), &manifest);
    assert_eq!(
        dir.read_shard(0).unwrap(),
        decode_all(&manifest, &files).unwrap()
    );

    let error = StagedDir::create(&target).unwrap_err();
    assert!(matches!(error, WeightsError::Exists(_)));
    let error = WeightsDir::open(scratch.0.join("nowhere")).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn extending_a_directory_keeps_the_old_one_on_failure() {
    let scratch = Scratch::new("extend");
    let (manifest, files) = tiny_model(Dtype::F32);
    fs::write(scratch.0.join(MANIFEST_FILE), manifest.to_json().unwrap()).unwrap();
    fs::write(scratch.0.join(&files[0].name), &files[0].bytes).unwrap();
    let (extended, shard) = tiny_with_directions();

    let mut dir = WeightsDir::open(&scratch.0).unwrap();
    let mut invalid = extended.clone();
    invalid.directions[0].range = [1.0, 2.0];
    dir.extend(std::slice::from_ref(&shard), invalid)
        .unwrap_err();
    let occupied = WeightsFile {
        name: files[0].name.clone(),
        ..shard.clone()
    };
    dir.extend(&[shard.clone(), occupied], extended.clone())
        .unwrap_err();
    assert_eq!(scratch.names(), [MANIFEST_FILE, "shard-000.safetensors"]);

    dir.extend(&[shard], extended.clone()).unwrap();
    assert_eq!(
        scratch.names(),
        [
            "directions-001.safetensors",
            MANIFEST_FILE,
            "shard-000.safetensors"
        ]
    );
    let dir = WeightsDir::open(&scratch.0).unwrap();
    assert_eq!(dir.manifest(), &extended);
    assert_eq!(dir.read_shard(1).unwrap().len(), 7);
}
