//! Damaged and hostile input on the command line: one line that says what and where, exit code 2, nothing left behind.

mod scratch;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use scratch::Scratch;

impl Scratch {
    /// A directory with a copy of the tiny golden model.
    fn with_model(name: &str) -> Self {
        let scratch = Self::new(name);
        fs::create_dir(scratch.0.join("model")).unwrap();
        for file in ["manifest.json", "shard-000.safetensors"] {
            let bytes = fixture(&format!("golden/tiny/{file}"));
            fs::write(scratch.0.join("model").join(file), bytes).unwrap();
        }
        scratch
    }

    fn names(&self) -> Vec<PathBuf> {
        let mut names = Vec::new();
        let mut left = vec![self.0.clone()];
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path.clone());
                }
                names.push(path);
            }
        }
        names.sort();
        names
    }

    /// Runs a command that must fail; returns its last line on stderr.
    fn failure(&self, arguments: &[&str]) -> String {
        let before = self.names();
        let output = Command::new(env!("CARGO_BIN_EXE_sdic"))
            .args(arguments)
            .current_dir(&self.0)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert_eq!(self.names(), before, "{arguments:?} left files behind");
        let errors: Vec<_> = stderr
            .lines()
            .filter(|line| line.starts_with("sdic: "))
            .collect();
        assert_eq!(errors.len(), 1, "{stderr}");
        assert!(stderr.ends_with(&format!("{}\n", errors[0])), "{stderr}");
        errors[0].to_owned()
    }

    /// Changes a file of the model in place.
    fn change(&self, file: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.0.join("model").join(file);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
    }

    fn replace(&self, from: &str, to: &str) {
        self.change("manifest.json", |bytes| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(text.contains(from));
            *bytes = text.replacen(from, to, 1).into_bytes();
        });
    }
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(name),
    )
    .unwrap()
}

#[test]
fn bad_checkpoints() {
    let kinds = fixture("import/kinds.pt");
    let hostile = fixture("import/hostile.pt");
    let cases: [(&[u8], &str); 5] = [
        (b"", "not a PyTorch file"),
        (b"{\"format\": 1}", "not a PyTorch file"),
        (
            &kinds[..kinds.len() - 100],
            "damaged or incomplete zip archive",
        ),
        (&hostile, "\"posix.system\" at byte "),
        (&kinds, "not an SDIC checkpoint"),
    ];
    for (bytes, part) in cases {
        let scratch = Scratch::new("checkpoint");
        fs::write(scratch.0.join("model.pt"), bytes).unwrap();
        let line = scratch.failure(&["import", "model.pt", "--out", "model"]);
        assert!(
            line.starts_with("sdic: model.pt: ") && line.contains(part),
            "{line}"
        );
    }
    let scratch = Scratch::new("missing-checkpoint");
    let line = scratch.failure(&["import", "nowhere.pt", "--out", "model"]);
    assert!(line.starts_with("sdic: nowhere.pt: "), "{line}");
}

#[test]
fn bad_directions() {
    let hostile = fixture("import/hostile.pt");
    let direction = fixture("import/direction.pt");
    let cases: [(&[u8], &str); 4] = [
        (b"", "not a PyTorch file"),
        (&hostile, "\"posix.system\" at byte "),
        (
            &direction[..direction.len() - 1],
            "damaged or incomplete zip archive",
        ),
        (&direction, "has shape [1, 4] instead of [1, 24] or [8, 24]"),
    ];
    for (bytes, part) in cases {
        let scratch = Scratch::with_model("direction");
        fs::write(scratch.0.join("smile.pt"), bytes).unwrap();
        let line = scratch.failure(&["import", "smile.pt", "--into", "model"]);
        assert!(
            line.starts_with("sdic: smile.pt: ") && line.contains(part),
            "{line}"
        );
        let (before, after) = (
            fixture("golden/tiny/manifest.json"),
            fs::read(scratch.0.join("model/manifest.json")),
        );
        assert_eq!(after.unwrap(), before);
    }
}

#[test]
fn bad_weights_directories() {
    let inspect = |name: &str, damage: &dyn Fn(&Scratch)| {
        let scratch = Scratch::with_model(name);
        damage(&scratch);
        scratch.failure(&["inspect", "model"])
    };
    let line = inspect("newer", &|s| s.replace("\"format\": 1", "\"format\": 2"));
    assert!(
        line.contains("manifest.json: format 2 ") && line.contains("update this program"),
        "{line}"
    );
    let line = inspect("renamed", &|s| {
        s.replace(
            "\"encoder.input_layer.1.bias\"",
            "\"encoder.input_layer.1.shift\"",
        )
    });
    assert!(
        line.contains("missing: encoder.input_layer.1.bias; ")
            && line.contains(": encoder.input_layer.1.shift"),
        "{line}"
    );
    let line = inspect("flipped", &|s| {
        s.change("shard-000.safetensors", |bytes| bytes[300_000] ^= 1)
    });
    assert!(
        line.contains("shard-000.safetensors: SHA-256 is "),
        "{line}"
    );
    let line = inspect("short", &|s| {
        s.change("shard-000.safetensors", |bytes| bytes.truncate(1000))
    });
    assert!(
        line.contains("shard-000.safetensors: 1000 bytes instead of "),
        "{line}"
    );
    let line = inspect("no-shard", &|s| {
        fs::remove_file(s.0.join("model/shard-000.safetensors")).unwrap()
    });
    assert!(line.contains("shard-000.safetensors: "), "{line}");
    let line = inspect("no-json", &|s| {
        s.change("manifest.json", |bytes| bytes.truncate(100))
    });
    assert!(line.contains("manifest.json: "), "{line}");
    let line = inspect("no-manifest", &|s| {
        fs::remove_file(s.0.join("model/manifest.json")).unwrap()
    });
    assert!(line.contains("manifest.json: "), "{line}");
}

#[test]
fn bad_pictures() {
    let cases: [(&[u8], &str); 3] = [
        (b"", "face.png: "),
        (b"not a picture", "face.png: "),
        (b"\x89PNG\r\n\x1a\n", "face.png: "),
    ];
    for (bytes, part) in cases {
        let scratch = Scratch::with_model("picture");
        fs::write(scratch.0.join("face.png"), bytes).unwrap();
        let edit = [
            "edit",
            "face.png",
            "--weights",
            "model",
            "--aligned",
            "--edit",
            "tilt=1",
            "--out",
            "out.png",
        ];
        let line = scratch.failure(&edit);
        assert!(line.contains(part), "{line}");
    }
    let scratch = Scratch::with_model("no-picture");
    let line = scratch.failure(&[
        "invert",
        "nowhere.png",
        "--weights",
        "model",
        "--aligned",
        "--out",
        "out.png",
    ]);
    assert!(line.contains("nowhere.png: "), "{line}");
}

/// Runs a command whose arguments must be refused; returns all of stderr.
fn refusal(scratch: &Scratch, arguments: &[&str]) -> String {
    let before = scratch.names();
    let output = Command::new(env!("CARGO_BIN_EXE_sdic"))
        .args(arguments)
        .current_dir(&scratch.0)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    assert_eq!(scratch.names(), before, "{arguments:?} left files behind");
    stderr
}

#[test]
fn what_is_asked_for_is_checked_and_the_option_at_fault_named() {
    let scratch = Scratch::with_model("options");
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/photos/files");
    fs::copy(files.join("png-rgb-8.png"), scratch.0.join("wide.png")).unwrap();
    fs::copy(files.join("jpeg-cut-at-60.jpg"), scratch.0.join("cut.jpg")).unwrap();
    fs::copy(files.join("canon.cr3"), scratch.0.join("raw.jpg")).unwrap();
    let invert = ["invert", "wide.png", "--weights", "model", "--aligned"];
    let edit = [
        "edit",
        "wide.png",
        "--weights",
        "model",
        "--aligned",
        "--out",
        "out.png",
    ];
    let portrait = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/samples/01.webp");
    fs::copy(portrait, scratch.0.join("face.webp")).unwrap();
    let of_face = ["edit", "face.webp", "--weights", "model", "--aligned"];
    let cases: [(&[&str], &[&str], &str); 28] = [
        (
            &invert,
            &["--out", "out.png"],
            "--aligned: wide.png: 48 x 32 pixels are not square; ",
        ),
        (
            &invert,
            &["--out", "out.tiff"],
            "--out: out.tiff: the name ends in no known format; ",
        ),
        (
            &invert,
            &["--out", "out"],
            "--out: out: the name ends in no known format; ",
        ),
        (
            &invert,
            &["--out", "out.png", "--format", "gif"],
            "--format",
        ),
        (
            &invert,
            &["--out", "none/out.png"],
            "--out: the folder none does not exist; ",
        ),
        (&invert, &["--out", "model"], "--out: model is a folder; "),
        (
            &invert,
            &["--out", "a.png", "--initial", "a.png"],
            "--initial: a.png is written already; ",
        ),
        (
            &invert,
            &["--out", "a.png", "--initial", "x/b.png"],
            "--initial: the folder x does not exist",
        ),
        (
            &invert,
            &["--out", "a.png", "--discrepancy", "b.x"],
            "--discrepancy: b.x: the name",
        ),
        (&invert, &["--out", "a.png", "--face", "0"], "--face"),
        (&invert, &["--out", "a.png", "--face", "-1"], "-1"),
        (&edit, &["--edit", "smile=nan"], "--edit"),
        (&edit, &["--edit", "smile=inf"], "--edit"),
        (&edit, &["--edit", "smile=1e9"], "--edit"),
        (&edit, &["--edit", "smile"], "--edit"),
        (
            &["align", "wide.png", "--out", "faces"],
            &["--size", "0"],
            "--size",
        ),
        (
            &["align", "wide.png", "--out", "faces"],
            &["--size", "1000000"],
            "--size",
        ),
        (
            &["align", "wide.png"],
            &["--out", "cut.jpg"],
            "--out: cut.jpg is a file; ",
        ),
        (
            &["align", "cut.jpg"],
            &["--out", "faces"],
            "cut.jpg: the JPEG is damaged: its end is missing; ",
        ),
        (
            &["align", "raw.jpg"],
            &["--out", "faces"],
            "raw.jpg: raw files of Canon cameras (CR3) are not read here; ",
        ),
        (
            &["sample", "--weights", "model", "--out", "a.png"],
            &["--truncation", "nan"],
            "--truncation",
        ),
        (
            &["trace", "wide.png", "--weights", "model"],
            &["--out", "x/a.safetensors"],
            "--out: the folder x",
        ),
        (
            &of_face,
            &["--out", "out.png", "--edit", "simle=1"],
            "--edit: this model has no edit called \"simle\"; it has: ",
        ),
        (
            &of_face,
            &["--out", "face.webp", "--edit", "tilt=1"],
            "--out: face.webp itself would be replaced; ",
        ),
        (
            &["invert", "face.webp", "--weights", "model", "--aligned"],
            &["--out", "a.png", "--initial", "./face.webp"],
            "--initial: ./face.webp itself would be replaced; ",
        ),
        (
            &["edit", "face.webp", "--aligned", "--edit", "tilt=1"],
            &["--out", "out.png", "--weights", "nowhere"],
            "--weights: nowhere is no folder; ",
        ),
        (
            &["align", "nowhere.png"],
            &["--out", "faces"],
            "nowhere.png: there is no such file; ",
        ),
        (
            &["align", "model"],
            &["--out", "faces"],
            "model: this is a folder; ",
        ),
    ];
    for (command, options, part) in cases {
        let arguments = [command, options].concat();
        let stderr = refusal(&scratch, &arguments);
        assert!(stderr.contains(part), "{arguments:?}: {stderr}");
    }
}
