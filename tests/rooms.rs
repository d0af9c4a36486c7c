//! The order of the house: which room of `src` may import from which, and that no two files import from each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The rooms, each of which may import from those before it only.
const ROOMS: [&str; 9] = [
    "config", "pixels", "kernels", "weights", "networks", "face", "import", "editing", "web",
];
/// Rooms that compute with plain slices, and know nothing of Burn.
const WITHOUT_BURN: [&str; 3] = ["config", "pixels", "kernels"];

/// Every Rust file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let mut found: Vec<_> = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect();
    found.extend(folders.iter().flat_map(|folder| self::files(folder)));
    found.sort();
    found
}

/// A file's code without comments and without its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The first names after `root` in all paths that begin with it, such as `a` and `b` of `root::{a::X, b}`.
fn names_after(root: &str, code: &str) -> BTreeSet<String> {
    let identifier = |text: &str| {
        let letters = text.trim_start().chars();
        let name: String = letters
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        name
    };
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(root) {
        let rest = &code[at + root.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            found.insert(identifier(rest));
            continue;
        };
        let mut depth = 1;
        found.insert(identifier(list));
        for (at, letter) in list.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => {
                    found.insert(identifier(&list[at + 1..]));
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found.remove("");
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The room of a file of `src`.
fn room(path: &Path) -> String {
    let path = path.strip_prefix(src()).unwrap();
    let first = path.components().next().unwrap();
    let first = first.as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn names_are_found_behind_a_root() {
    let names = |code: &str| names_after("crate::", code).into_iter().collect::<Vec<_>>();
    assert_eq!(names("use crate::face::{Face, Quad};"), ["face"]);
    assert_eq!(
        names("use crate::{\n    face::{self, Face},\n    weights,\n};"),
        ["face", "weights"]
    );
    assert_eq!(names("let x = crate::pixels::length(y);"), ["pixels"]);
}

#[test]
fn no_room_imports_from_a_later_one() {
    let mut wrong = Vec::new();
    for path in files(&src()) {
        let room = room(&path);
        if ["lib", "bin", "testing"].contains(&room.as_str()) {
            continue;
        }
        let rank = |name: &str| ROOMS.iter().position(|known| *known == name);
        let own = rank(&room).unwrap_or_else(|| panic!("{room} is no known room"));
        let code = code(&path);
        for name in names_after("crate::", &code) {
            if rank(&name).is_some_and(|other| other > own) {
                wrong.push(format!("{} imports from {name}", path.display()));
            }
        }
        if WITHOUT_BURN.contains(&room.as_str()) && code.contains("burn::") {
            wrong.push(format!("{} imports burn", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_files_of_a_room_import_in_a_circle() {
    let mut rooms: BTreeMap<PathBuf, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for path in files(&src()) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name != "mod" {
            let folder = path.parent().unwrap().to_owned();
            rooms
                .entry(folder)
                .or_default()
                .insert(name, names_after("super::", &code(&path)));
        }
    }
    for (folder, imports) in rooms {
        // Files that import from no file that is left are taken away until none is left.
        let mut left: BTreeSet<&String> = imports.keys().collect();
        while !left.is_empty() {
            let (free, bound): (Vec<_>, Vec<_>) = left.iter().copied().partition(|name| {
                imports[*name]
                    .iter()
                    .all(|other| other == *name || !left.contains(other))
            });
            assert!(
                !free.is_empty(),
                "a circle in {}: {bound:?}",
                folder.display()
            );
            left = bound.into_iter().collect();
        }
    }
}
