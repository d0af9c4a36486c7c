//! `sdic edit` with several photos, and with looks.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A folder of its own, with two portraits, a file that is no picture, and a folder to write to.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("sdic-many-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("out")).unwrap();
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/samples");
        fs::copy(samples.join("01.webp"), folder.join("anna.webp")).unwrap();
        fs::copy(samples.join("02.webp"), folder.join("ben.webp")).unwrap();
        fs::write(folder.join("notes.jpg"), "no picture").unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Runs `sdic edit` on photos; returns the exit code and what was said.
    fn edit(&self, photos: &[&str], out: &str, options: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_sdic"))
            .current_dir(&self.0)
            .arg("edit")
            .args(photos)
            .args(["--out", out])
            .arg("--weights")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("weights"))
            .args(options)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_look_is_put_on_many_photos_and_what_failed_is_said() {
    let folder = Folder::new("look");
    let look = r#"{"sdicLook": 1, "name": "Warm", "strengths": {"smile": 1.5}}"#;
    fs::write(folder.path("warm.json"), look).unwrap();
    let photos = ["anna.webp", "notes.jpg", "ben.webp"];
    let (code, said) = folder.edit(&photos, "out", &["--look", "warm.json", "--format", "jpeg"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("sdic: notes.jpg: "), "{said}");
    assert!(said.contains("2 of 3 photos edited, in out"), "{said}");
    for name in ["anna.jpg", "ben.jpg"] {
        let file = fs::read(folder.path("out").join(name)).unwrap();
        assert!(file.starts_with(&[0xff, 0xd8]), "{name}");
    }
    // The same by the option, on one photo; strengths of one name add up.
    let options = [
        "--look",
        "warm.json",
        "--edit",
        "smile=-0.5",
        "--edit",
        "smile=0.5",
    ];
    let (code, said) = folder.edit(&["anna.webp"], "one.jpg", &options);
    assert_eq!(code, 0, "{said}");
    let [one, many] = ["one.jpg", "out/anna.jpg"].map(|name| fs::read(folder.path(name)).unwrap());
    assert!(one == many, "one photo is edited as many are");
}

#[test]
fn one_photo_goes_into_a_folder_under_its_own_name() {
    let folder = Folder::new("one");
    let (code, said) = folder.edit(&["ben.webp"], "out", &["--edit", "smile=1"]);
    assert_eq!(code, 0, "{said}");
    assert!(folder.path("out/ben.webp").exists());
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_written() {
    let folder = Folder::new("refused");
    fs::create_dir(folder.path("other")).unwrap();
    fs::copy(folder.path("ben.webp"), folder.path("other/anna.webp")).unwrap();
    fs::write(
        folder.path("later.json"),
        r#"{"sdicLook": 9, "name": "", "strengths": {}}"#,
    )
    .unwrap();
    let smile = ["--edit", "smile=1"].as_slice();
    let cases: [(&[&str], &str, &[&str], &str); 6] = [
        (
            &["anna.webp", "ben.webp"],
            "one.png",
            smile,
            "--out: one.png is not a folder",
        ),
        (
            &["anna.webp", "ben.webp"],
            ".",
            smile,
            "anna.webp itself would be replaced",
        ),
        (
            &["anna.webp", "other/anna.webp"],
            "out",
            smile,
            "a photo of the same name",
        ),
        (
            &["anna.webp", "ben.webp"],
            "out",
            &["--edit", "simle=1"],
            "no edit called \"simle\"",
        ),
        (
            &["anna.webp"],
            "out",
            &["--look", "later.json"],
            "--look: later.json: a look of version 9",
        ),
        (&["anna.webp"], "out", &[], "--edit"),
    ];
    for (photos, out, options, reason) in cases {
        let (code, said) = folder.edit(photos, out, options);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(reason), "{reason}: {said}");
    }
    assert_eq!(fs::read_dir(folder.path("out")).unwrap().count(), 0);
}
