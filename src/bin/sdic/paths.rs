//! What can be wrong with a path, in a person's words.

use std::{fs, io, path::Path};

use crate::commands::Failure;

/// Reads a file whole; an error names it.
pub fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    if path.is_dir() {
        return Err(format!("{}: this is a folder; name a file in it", path.display()).into());
    }
    fs::read(path).map_err(|error| {
        let path = path.display();
        match error.kind() {
            io::ErrorKind::NotFound => format!("{path}: there is no such file; check the name"),
            io::ErrorKind::PermissionDenied => format!("{path}: you may not read this file"),
            _ => format!("{path}: {error}"),
        }
        .into()
    })
}

/// Whether two paths lead to one file that there is.
pub fn same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

/// Refuses to write over the photo that is read.
pub fn spare(option: &str, out: &Path, photo: &Path) -> Result<(), Failure> {
    if same(out, photo) {
        let photo = out.display();
        return Err(
            format!("{option}: {photo} itself would be replaced; name another file").into(),
        );
    }
    Ok(())
}

/// Makes sure that there is a weights directory where `--weights` says.
pub fn check_weights(path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        return Ok(());
    }
    let (path, way) = (path.display(), "name a folder that `sdic import` has made");
    Err(format!("--weights: {path} is no folder; {way}").into())
}
