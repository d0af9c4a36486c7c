//! `sdic directions --fit`: what it says where there is nothing to be found.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A copy of a weights directory that a test may change.
struct Copy(PathBuf);

impl Copy {
    fn of(weights: &str, name: &str) -> Self {
        let copy = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&copy);
        fs::create_dir_all(&copy).unwrap();
        for entry in fs::read_dir(root().join(weights)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
            }
        }
        Self(copy)
    }

    fn fit(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sdic"));
        command
            .arg("directions")
            .arg(&self.0)
            .arg("--fit")
            .args(arguments);
        command.output().unwrap()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The last line that a command wrote to its errors.
fn complaint(output: &Output) -> String {
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().last().unwrap_or_default().to_owned()
}

fn manifest(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("manifest.json")).unwrap()
}

#[test]
fn a_model_from_which_nothing_can_be_drawn_is_told_at_once() {
    let weights = Copy::of("weights", "fit-without-mapping");
    let before = manifest(&weights.0);
    let complaint = complaint(&weights.fit(&[]));
    assert!(
        complaint.contains("no mapping network to draw faces from"),
        "{complaint}"
    );
    assert_eq!(manifest(&weights.0), before);
}

#[test]
fn too_few_faces_are_counted() {
    let weights = Copy::of("weights", "fit-of-few");
    let portraits = root().join("tests/face/portraits");
    let complaint = complaint(&weights.fit(&["--faces", portraits.to_str().unwrap()]));
    assert!(
        complaint.contains("12 faces are too few to find sliders"),
        "{complaint}"
    );
}

#[test]
fn the_rest_of_another_fit_is_refused() {
    let weights = Copy::of("weights", "fit-of-another");
    let kept = weights.0.join("fit.partial");
    fs::write(&kept, b"remember the milk").unwrap();
    let portraits = root().join("tests/face/portraits");
    let complaint = complaint(&weights.fit(&["--faces", portraits.to_str().unwrap()]));
    assert!(
        complaint.contains("fit.partial: what was kept of an earlier fit"),
        "{complaint}"
    );
    assert_eq!(fs::read(&kept).unwrap(), b"remember the milk");
}
