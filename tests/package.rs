//! What is in the crate's package; `./build.sh check rust` compiles it in a stranger's hands.

use std::{fs, path::Path, process::Command};

/// What a registry takes of a crate at most, in bytes; packed it is smaller than the files.
const MOST: u64 = 10_000_000;

#[test]
fn the_package_has_what_a_user_needs_and_is_small() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO"))
        .current_dir(root)
        .args([
            "package",
            "--list",
            "--allow-dirty",
            "--locked",
            "--offline",
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let list = String::from_utf8(output.stdout).unwrap();
    // Cargo names a few files that it makes itself.
    let sizes = list
        .lines()
        .filter_map(|file| fs::metadata(root.join(file)).ok());
    let size: u64 = sizes.map(|data| data.len()).sum();
    assert!((2_000_000..MOST).contains(&size), "{size} bytes");
    for needed in [
        "Cargo.lock",
        "README.md",
        "CHANGELOG.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "examples/edit.rs",
        "src/lib.rs",
        "weights/face/LICENSE",
        "weights/face/NOTICE",
        "weights/face/face.safetensors",
        "weights/face/manifest.json",
    ] {
        assert!(list.lines().any(|file| file == needed), "{needed}: {list}");
    }
    // The model is not free as the code is, and does not come with it.
    let model = |file: &str| file.starts_with("weights/") && !file.starts_with("weights/face/");
    assert!(!list.lines().any(model), "{list}");
}
