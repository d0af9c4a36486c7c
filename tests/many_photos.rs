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
    let control = |c: char| c.is_control() && c != '\n';
    assert!(
        !said.contains(control),
        "without a terminal there are only lines: {said:?}"
    );
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

/// What a terminal shows of what a program has written: the lines, without those that were wiped. Of a terminal's
/// commands it knows those that progress bars need; another one fails.
#[cfg(target_os = "linux")]
fn shown(written: &str) -> Vec<String> {
    let (mut lines, mut row) = (vec![String::new()], 0);
    let mut column = 0;
    let mut rest = written.chars();
    while let Some(c) = rest.next() {
        match c {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                if row == lines.len() {
                    lines.push(String::new());
                }
            }
            '\x1b' => {
                let mut command: String = rest.by_ref().take(1).collect();
                assert_eq!(command, "[", "{written:?}");
                command = String::new();
                let end = rest.by_ref().find(|c| {
                    command.push(*c);
                    c.is_ascii_alphabetic()
                });
                let count = command.trim_end_matches(char::is_alphabetic);
                let count = count.parse::<usize>().unwrap_or(1);
                match (end, command.as_str()) {
                    (_, "2K") => lines[row].clear(),
                    (_, "K" | "0K") => lines[row] = lines[row].chars().take(column).collect(),
                    (Some('A'), _) => row = row.saturating_sub(count),
                    (Some('B'), _) => row = (row + count).min(lines.len() - 1),
                    (Some('m'), _) => {}
                    _ => panic!("a terminal is told {command:?}"),
                }
            }
            _ => {
                let mut line: Vec<char> = lines[row].chars().collect();
                line.resize(line.len().max(column + 1), ' ');
                line[column] = c;
                lines[row] = line.into_iter().collect();
                column += 1;
            }
        }
    }
    let lines = lines.into_iter().map(|line| line.trim_end().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_has_a_bar_that_makes_way_for_what_is_said_and_goes_at_the_end() {
    let folder = Folder::new("terminal");
    // So small a portrait is warned of while the bar is there.
    let portrait = image::open(folder.path("ben.webp")).unwrap();
    portrait
        .thumbnail(90, 90)
        .save(folder.path("ben.png"))
        .unwrap();
    let command = "stty cols 100 rows 30; exec \"$SDIC\" edit anna.webp notes.jpg ben.png \
        --edit smile=1 --out out --weights \"$MODEL\"";
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", command, "/dev/null"])
        .current_dir(&folder.0)
        .env("SDIC", env!("CARGO_BIN_EXE_sdic"))
        .env(
            "MODEL",
            Path::new(env!("CARGO_MANIFEST_DIR")).join("weights"),
        )
        .env("TERM", "xterm")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("script, of util-linux, which gives a program a terminal");
    let written = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2), "{written}");
    // The bar grows, photo by photo.
    for step in ["0 of 3", "1 of 3", "2 of 3"] {
        let drawn = |line: &str| line.contains(step) && line.contains(['\u{2588}', '\u{2591}']);
        assert!(
            written.split(['\r', '\n']).any(drawn),
            "{step}: {written:?}"
        );
    }
    // What is left has no trace of it.
    let lines = shown(&written);
    let expected = [
        "loaded ",
        "sdic: notes.jpg: ",
        "ben.png: The face is very small",
        "2 of 3 photos edited, in out",
        "sdic: 1 of 3 photos were not edited, see above",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{expected}: {lines:#?}");
    }
}
