//! Weights directories on the file system.

use std::fs;
use std::path::{Path, PathBuf};

use super::codec::Tensor;
use super::error::WeightsError;
use super::manifest::{MANIFEST_FILE, MAX_MANIFEST_BYTES, MAX_SHARD_BYTES, Manifest};
use super::packer::WeightsFile;

/// An existing weights directory.
#[derive(Debug)]
pub struct WeightsDir {
    path: PathBuf,
    manifest: Manifest,
}

impl WeightsDir {
    /// Reads and checks `manifest.json`; no shard is read yet.
    ///
    /// # Errors
    /// As [`Manifest::parse`], or the file system's reason.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, WeightsError> {
        let path = path.into();
        let manifest = Manifest::parse(&read_limited(
            &path.join(MANIFEST_FILE),
            MAX_MANIFEST_BYTES,
        )?)?;
        Ok(Self { path, manifest })
    }

    /// The checked manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Reads and checks one shard and decodes its tensors.
    ///
    /// # Errors
    /// As [`Manifest::decode_shard`], or the file system's reason.
    pub fn read_shard(&self, index: usize) -> Result<Vec<Tensor>, WeightsError> {
        let shard = self
            .manifest
            .shards
            .get(index)
            .ok_or(WeightsError::NoSuchShard {
                index,
                count: self.manifest.shards.len(),
            })?;
        let bytes = read_limited(&self.path.join(&shard.file), MAX_SHARD_BYTES)?;
        self.manifest.decode_shard(index, &bytes)?.collect()
    }

    /// Adds files and replaces the manifest. The old manifest stays in force until everything new is on disk, and new
    /// files are removed again if anything fails.
    ///
    /// # Errors
    /// The new manifest is not valid, a file exists already, or the file system's reason.
    pub fn extend(
        &mut self,
        files: &[WeightsFile],
        manifest: Manifest,
    ) -> Result<(), WeightsError> {
        let json = manifest.to_json()?;
        let mut added = Added(Vec::new());
        for file in files {
            let path = self.path.join(&file.name);
            if path.exists() {
                return Err(WeightsError::Exists(path));
            }
            added.write(path, &file.bytes)?;
        }
        let staged = self.path.join(format!("{MANIFEST_FILE}.partial"));
        added.write(staged.clone(), &json)?;
        let target = self.path.join(MANIFEST_FILE);
        fs::rename(&staged, &target).map_err(WeightsError::io(target))?;
        added.0.clear();
        self.manifest = manifest;
        Ok(())
    }
}

/// Files that are removed again unless the list is cleared.
struct Added(Vec<PathBuf>);

impl Added {
    fn write(&mut self, path: PathBuf, bytes: &[u8]) -> Result<(), WeightsError> {
        self.0.push(path.clone());
        fs::write(&path, bytes).map_err(WeightsError::io(path))
    }
}

impl Drop for Added {
    fn drop(&mut self) {
        for path in &self.0 {
            // The error that is already on its way matters more than a leftover file.
            let _ = fs::remove_file(path);
        }
    }
}

/// A directory that comes into being complete or not at all: files are written to a hidden sibling, which takes the
/// final name on [`StagedDir::commit`] and is removed when dropped before that.
#[derive(Debug)]
pub struct StagedDir {
    target: PathBuf,
    staging: PathBuf,
    committed: bool,
}

impl StagedDir {
    /// Prepares to create `target`, which must not exist or be an empty directory. Its parent must exist.
    ///
    /// # Errors
    /// `target` holds something, or the file system's reason.
    pub fn create(target: impl Into<PathBuf>) -> Result<Self, WeightsError> {
        let target = target.into();
        if target.exists() {
            let empty = fs::read_dir(&target).is_ok_and(|mut entries| entries.next().is_none());
            if !empty {
                return Err(WeightsError::Exists(target));
            }
        }
        let name = target
            .file_name()
            .ok_or_else(|| WeightsError::Exists(target.clone()))?;
        let staging = target.with_file_name(format!(
            ".{}.partial-{}",
            name.to_string_lossy(),
            std::process::id()
        ));
        fs::create_dir(&staging).map_err(WeightsError::io(&target))?;
        Ok(Self {
            target,
            staging,
            committed: false,
        })
    }

    /// Writes one file.
    ///
    /// # Errors
    /// The file system's reason.
    pub fn write(&self, file: &WeightsFile) -> Result<(), WeightsError> {
        let path = self.staging.join(&file.name);
        fs::write(&path, &file.bytes).map_err(WeightsError::io(path))
    }

    /// Gives the directory its final name.
    ///
    /// # Errors
    /// The file system's reason; what was written is removed then.
    pub fn commit(mut self) -> Result<(), WeightsError> {
        if self.target.exists() {
            fs::remove_dir(&self.target).map_err(WeightsError::io(&self.target))?;
        }
        fs::rename(&self.staging, &self.target).map_err(WeightsError::io(&self.target))?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for StagedDir {
    fn drop(&mut self) {
        if !self.committed {
            // The error that is already on its way matters more than a leftover directory.
            let _ = fs::remove_dir_all(&self.staging);
        }
    }
}

fn read_limited(path: &Path, limit: usize) -> Result<Vec<u8>, WeightsError> {
    let size = fs::metadata(path).map_err(WeightsError::io(path))?.len();
    if size > limit as u64 {
        return Err(WeightsError::io(path)(std::io::Error::other(format!(
            "{size} bytes; at most {limit} are read"
        ))));
    }
    fs::read(path).map_err(WeightsError::io(path))
}
