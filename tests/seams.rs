//! What Rust and JavaScript say of each other: types, and the codes of failures.

use std::{collections::BTreeSet, fs, path::Path};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The files of `src/web`, one after another.
fn web() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .collect();
    files.sort();
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    texts.collect()
}

/// What stands between `start` and the next `end` behind it.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text
        .split_once(start)
        .unwrap_or_else(|| panic!("no {start:?}"));
    rest.split_once(end)
        .unwrap_or_else(|| panic!("no {end:?} behind {start:?}"))
        .0
}

/// `left_eye` as `leftEye`, `r#box` as `box`.
fn camel_case(name: &str) -> String {
    let mut parts = name.trim_start_matches("r#").split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| {
        name + &part[..1].to_uppercase() + &part[1..]
    })
}

/// Fields of a Rust struct, as JavaScript sees them.
fn fields(source: &str, name: &str) -> BTreeSet<String> {
    let body = between(source, &format!("struct {name}"), "\n}");
    let (_, body) = body.split_once('{').unwrap();
    let lines = body
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with(['/', '#']));
    let named = lines.filter_map(|line| line.trim_start_matches("pub ").split_once(": "));
    named.map(|(name, _)| camel_case(name)).collect()
}

/// Properties of a TypeScript interface.
fn properties(source: &str, name: &str) -> BTreeSet<String> {
    let body = between(source, &format!("export interface {name} {{"), "}\n");
    let mut body = body.to_owned();
    while let Some((before, rest)) = body.split_once("/**") {
        body = before.to_owned() + rest.split_once("*/").unwrap().1;
    }
    let named = body.split(';').filter_map(|part| part.split_once(':'));
    named
        .map(|(name, _)| name.trim().trim_end_matches('?').to_owned())
        .collect()
}

#[test]
fn interfaces_have_the_fields_of_their_structs() {
    let (web, manifest) = (web(), read("src/weights/manifest.rs"));
    for (source, name, interface) in [
        (&web, "Thrown", "SdicError"),
        (&web, "ModelInfo", "ModelInfo"),
        (&web, "DirectionInfo", "DirectionInfo"),
        (&web, "FitInfo", "FitInfo"),
        (&web, "DroppedInfo", "DroppedInfo"),
        (&web, "FitProgress", "FitProgress"),
        (&web, "FaceJs", "Face"),
        (&web, "QuadPointsFields", "QuadPoints"),
        (&web, "ChangeJs", "FileChange"),
        (&manifest, "ShardEntry", "ShardInfo"),
        (&manifest, "Sample", "SampleInfo"),
    ] {
        let fields = fields(source, name);
        assert!(!fields.is_empty(), "{name}");
        assert_eq!(
            fields,
            properties(&web, interface),
            "{name} and {interface}"
        );
    }
}

#[test]
fn the_page_knows_the_codes_of_all_failures() {
    let web = web();
    let literals = |text: &str| -> Option<String> {
        let rest = text.trim_start().strip_prefix('"')?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let mut thrown: BTreeSet<String> = web
        .match_indices("thrown(")
        .filter_map(|(at, call)| literals(&web[at + call.len()..]))
        .collect();
    let arms = between(&web, "let code = match &error {", "};").split("=>");
    thrown.extend(arms.filter_map(literals));
    assert!(thrown.contains("device") && thrown.contains("face"));

    let failures = read("www/shared/failure.js");
    let listed = between(&failures, "engine: /** @type {const} */ ([", "])");
    let listed: BTreeSet<_> = listed.split(',').filter_map(literals).collect();
    assert_eq!(listed, thrown);
}
