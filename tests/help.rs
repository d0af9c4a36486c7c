//! What the program says: the book's help is its own, and it may be cut off.

use std::{fs, io, path::Path, process::Command};

fn read(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs")
        .join(name);
    fs::read_to_string(&file).unwrap_or_else(|problem| panic!("{}: {problem}", file.display()))
}

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sdic"))
        .args(arguments)
        .arg("--help")
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// The names below "Commands:".
fn commands(help: &str) -> Vec<&str> {
    let list = help.split("Commands:\n").nth(1).unwrap();
    let list = list.split("\n\n").next().unwrap();
    let names = list
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    names.filter(|&name| name != "help").collect()
}

#[test]
fn the_book_has_the_help_of_every_command() {
    let chapter = read("src/command-line.md");
    let all = help(&[]);
    let names = commands(&all);
    assert!(names.len() > 5, "{names:?}");
    for name in [&["sdic"], names.as_slice()].concat() {
        let (own, arguments) = match name {
            "sdic" => (all.clone(), "".to_owned()),
            _ => (help(&[name]), format!("{name} ")),
        };
        let file = format!("help/{name}.txt");
        assert_eq!(
            read(&file),
            own,
            "docs/{file} is out of date: sdic {arguments}--help > docs/{file}"
        );
        let included = format!("{{{{#include ../{file}}}}}");
        assert!(chapter.contains(&included), "{included} is not in it");
    }
}

/// The writing end of a pipe that nobody reads.
fn closed() -> io::PipeWriter {
    let (_, writer) = io::pipe().unwrap();
    writer
}

#[test]
fn a_reader_that_wants_no_more_is_no_failure() {
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights");
    let mut inspect = Command::new(env!("CARGO_BIN_EXE_sdic"));
    inspect.arg("inspect").arg(&weights).stdout(closed());
    let output = inspect.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_failure_that_nobody_hears_of_is_one() {
    let mut inspect = Command::new(env!("CARGO_BIN_EXE_sdic"));
    inspect.args(["inspect", "no such folder"]).stderr(closed());
    assert_eq!(inspect.status().unwrap().code(), Some(2));
}
