//! The order of the house: which room of `src` may import from which, that no two files import from each other, and
//! that a type's name means one thing.

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
/// What stands in `src` and is no room.
const NO_ROOMS: [&str; 3] = ["lib", "bin", "testing"];

/// Names that several types have, and why they may.
const SHARED_NAMES: [(&str, &str); 1] = [(
    "FaceFinder",
    "that of `web` is JavaScript's view of that of `face`",
)];

/// A module by its path, such as `["pixels", "header"]`.
type Module = Vec<String>;

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

/// A file's code without comments and tests, and the names of the files that hold tests only.
fn without_tests(text: &str) -> (String, Vec<String>) {
    let lines = text.lines().map(|line| {
        let code = line.split("//").next().unwrap_or_default();
        code.trim_end()
    });
    let (mut code, mut test_files) = (String::new(), Vec::new());
    let mut lines = lines.peekable();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            code += line;
            code.push('\n');
            continue;
        }
        while lines
            .next_if(|line| line.trim().starts_with("#["))
            .is_some()
        {}
        // An item ends with its first line, or with the bracket that stands as far to the left.
        let indent = &line[..line.len() - line.trim_start().len()];
        let first = lines.next().unwrap_or_default();
        if let Some((_, name)) = first.trim_end_matches(';').split_once("mod ")
            && first.ends_with(';')
        {
            test_files.push(name.to_owned());
        }
        if !first.ends_with([';', '}', ',']) {
            let last = |line: &&str| {
                let rest = line.strip_prefix(indent);
                rest.is_some_and(|rest| rest.starts_with(['}', ')']))
            };
            lines.by_ref().find(last);
        }
    }
    (code, test_files)
}

/// The code of all files of `src` by module; files of tests are left out.
fn modules() -> BTreeMap<Module, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = BTreeMap::new();
    let mut tests = Vec::new();
    for path in files(&src) {
        let name = path.strip_prefix(&src).unwrap().with_extension("");
        let parts = name.components();
        let mut module: Module = parts
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        module.pop_if(|last| last == "mod");
        let (code, test_files) = without_tests(&fs::read_to_string(&path).unwrap());
        tests.extend(test_files.into_iter().map(|name| child(&module, &name)));
        modules.insert(module, code);
    }
    modules.retain(|module, _| !tests.contains(module) && module[0] != "testing");
    modules
}

fn child(module: &[String], name: &str) -> Module {
    let mut module = module.to_vec();
    module.push(name.to_owned());
    module
}

/// The name at the beginning of a text, and what follows it.
fn identifier(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let text = text.strip_prefix("r#").unwrap_or(text);
    let other = |c: char| !(c.is_alphanumeric() || c == '_');
    text.split_at(text.find(other).unwrap_or(text.len()))
}

/// The paths that a text begins with, such as `a::X` and `a::b` of `a::{X, b}`, and what follows them.
fn paths_at(text: &str) -> (Vec<Module>, &str) {
    let (name, rest) = identifier(text);
    let Some(further) = rest.strip_prefix("::") else {
        return (vec![vec![name.to_owned()]], rest);
    };
    let (inner, rest) = match further.strip_prefix('{') {
        None => paths_at(further),
        Some(mut list) => {
            let mut all = Vec::new();
            loop {
                let (paths, rest) = paths_at(list);
                all.extend(paths);
                // What stands behind a name, such as `as X`, is of no interest.
                let Some(end) = rest.find([',', '}']) else {
                    break (all, rest);
                };
                list = &rest[end + 1..];
                let closed = rest[end..].starts_with('}');
                if closed || list.trim_start().starts_with('}') {
                    let skip = if closed {
                        0
                    } else {
                        list.find('}').unwrap() + 1
                    };
                    break (all, &list[skip..]);
                }
            }
        }
    };
    let with_name = |path: Module| [vec![name.to_owned()], path].concat();
    (inner.into_iter().map(with_name).collect(), rest)
}

/// All paths in a file's code that begin with `crate`, `super` or `self`.
fn paths(code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    let mut rest = code;
    let roots = ["crate::", "super::", "self::"];
    while let Some(at) = roots.iter().filter_map(|root| rest.find(root)).min() {
        let before = rest[..at].chars().next_back();
        let within = before.is_some_and(|c| c.is_alphanumeric() || "_:".contains(c));
        // `pub(in crate::room)` imports nothing.
        if within || rest[..at].ends_with("(in ") {
            rest = &rest[at + 1..];
            continue;
        }
        let (paths, after) = paths_at(&rest[at..]);
        found.extend(paths);
        rest = after;
    }
    found
}

/// The file that a path in a module leads to; empty for the crate itself.
fn target(from: &Module, path: &[String], modules: &BTreeMap<Module, String>) -> Module {
    let mut at = match path[0].as_str() {
        "crate" => Vec::new(),
        _ => from.clone(),
    };
    for name in path {
        let inner = child(&at, name);
        match name.as_str() {
            "crate" | "self" => {}
            "super" => drop(at.pop()),
            _ if modules.contains_key(&inner) => at = inner,
            _ => break,
        }
    }
    at
}

/// The name at the end of a text, if it is not a part of a longer path.
fn last_name(text: &str) -> &str {
    let other = |c: char| !(c.is_alphanumeric() || c == '_');
    let (before, name) = text.split_at(text.rfind(other).map_or(0, |at| at + 1));
    if before.ends_with("::") { "" } else { name }
}

/// The files from which each file imports.
fn imports() -> BTreeMap<Module, BTreeSet<Module>> {
    let modules = modules();
    let of = |module: &Module, code: &str| {
        let mut targets: BTreeSet<_> = paths(code)
            .iter()
            .map(|path| target(module, path, &modules))
            .collect();
        // The file of a folder names those in the folder without a root.
        for (at, _) in code.match_indices("::") {
            let inner = child(module, last_name(&code[..at]));
            targets.extend(modules.contains_key(&inner).then_some(inner));
        }
        targets.remove(module);
        targets
    };
    let files = modules.iter();
    files
        .filter(|(module, _)| !NO_ROOMS.contains(&module[0].as_str()))
        .map(|(module, code)| (module.clone(), of(module, code)))
        .collect()
}

/// The nodes from which a way leads back to themselves, and those between such nodes.
fn circles(imports: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    let mut left: BTreeSet<&Module> = imports.keys().collect();
    loop {
        let ends: Vec<_> = (left.iter().copied())
            .filter(|file| {
                let is_left = |other: &Module| left.contains(other);
                let imported = || left.iter().any(|other| imports[*other].contains(*file));
                !imports[*file].iter().any(is_left) || !imported()
            })
            .collect();
        if ends.is_empty() {
            break;
        }
        left.retain(|file| !ends.contains(file));
    }
    let text = |file: &&Module| {
        let others = imports[*file].iter().filter(|other| left.contains(other));
        let others: Vec<_> = others.map(|other| other.join("::")).collect();
        format!("{} imports from {}", file.join("::"), others.join(", "))
    };
    left.iter().map(text).collect()
}

#[test]
fn paths_are_found() {
    let found = |code: &str| {
        let paths = paths(code).into_iter();
        paths.map(|path| path.join("::")).collect::<Vec<_>>()
    };
    assert_eq!(
        found("use crate::face::{Face, Quad};"),
        ["crate::face::Face", "crate::face::Quad"]
    );
    assert_eq!(
        found("use crate::{\n    face::{self, Face as F},\n    weights,\n};\nlet x = self::y();"),
        [
            "crate::face::self",
            "crate::face::Face",
            "crate::weights",
            "self::y"
        ]
    );
    assert_eq!(
        found("use super::{super::a::B, c};\npub(in crate::x) d: crate::e::F,"),
        ["super::super::a::B", "super::c", "crate::e::F"]
    );
}

#[test]
fn tests_are_left_out_wherever_they_stand() {
    let text = "mod a;\n#[cfg(test)]\nmod golden;\nmod b;\n#[cfg(test)]\nmod tests {\n    use x;\n}\nfn c() {}\n";
    let (code, test_files) = without_tests(text);
    assert_eq!(code, "mod a;\nmod b;\nfn c() {}\n");
    assert_eq!(test_files, ["golden"]);
}

#[test]
fn circles_are_found_through_the_file_of_a_folder() {
    let module = |name: &str| name.split("::").map(str::to_owned).collect::<Module>();
    let graph = |edges: &[(&str, &[&str])]| {
        let edges = edges.iter();
        let imports = edges.map(|(from, to)| (module(from), to.iter().map(|to| module(to))));
        imports.map(|(from, to)| (from, to.collect())).collect()
    };
    let straight: &[(&str, &[&str])] =
        &[("a", &["a::b", "a::c"]), ("a::b", &["a::c"]), ("a::c", &[])];
    assert_eq!(circles(&graph(straight)), [""; 0]);
    let circle: &[(&str, &[&str])] = &[("a", &["a::b", "a::c"]), ("a::b", &["a"]), ("a::c", &[])];
    assert_eq!(
        circles(&graph(circle)),
        ["a imports from a::b", "a::b imports from a"]
    );
}

#[test]
fn no_room_imports_from_a_later_one() {
    let rank = |name: &str| ROOMS.iter().position(|known| *known == name);
    let mut wrong = Vec::new();
    for (module, imports) in imports() {
        let room = &module[0];
        let own = rank(room).unwrap_or_else(|| panic!("{room} is no known room"));
        for other in imports.iter().filter_map(|target| target.first()) {
            if rank(other).is_some_and(|other| other > own) {
                wrong.push(format!("{} imports from {other}", module.join("::")));
            }
        }
    }
    for (module, code) in modules() {
        if WITHOUT_BURN.contains(&module[0].as_str()) && code.contains("burn::") {
            wrong.push(format!("{} imports burn", module.join("::")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_files_import_in_a_circle() {
    let circles = circles(&imports());
    assert!(circles.is_empty(), "{circles:#?}");
}

/// The names of the types that a file's code declares, each once.
fn types(code: &str) -> BTreeSet<String> {
    let words = ["struct ", "enum ", "union ", "trait ", "type "];
    // Lines of blocks begin with a space: a type within a function is that function's affair.
    let declared = |line: &str| {
        let line = line.strip_prefix("pub").unwrap_or(line);
        let line = line.strip_prefix(' ').unwrap_or(line);
        let line = match line.strip_prefix('(') {
            Some(rest) => rest.split_once(") ")?.1,
            None => line,
        };
        let line = line.trim_start_matches("unsafe ");
        let rest = words.iter().find_map(|word| line.strip_prefix(word))?;
        Some(identifier(rest).0.to_owned())
    };
    code.lines().filter_map(declared).collect()
}

#[test]
fn a_type_s_name_means_one_thing() {
    let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (module, code) in modules() {
        for name in types(&code) {
            known.entry(name).or_default().push(module.join("::"));
        }
    }
    known.retain(|_, modules| modules.len() > 1);
    let (allowed, wrong): (Vec<_>, Vec<_>) = (known.into_iter())
        .partition(|(name, _)| SHARED_NAMES.iter().any(|(shared, _)| shared == name));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(
        allowed.len(),
        SHARED_NAMES.len(),
        "a name is no longer shared"
    );
}
