//! A temporary folder, removed when it is no longer needed.

use crate::{PREFIX, SUFFIX, folder_of, live};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A temporary folder. Removed with its content when dropped.
#[derive(Debug)]
pub struct Scratch {
    /// Taken only on drop.
    folder: Option<TempDir>,
    /// Its path.
    path: PathBuf,
}

impl Scratch {
    /// A new folder where the system keeps temporary files.
    pub fn new() -> io::Result<Self> {
        Self::within(&std::env::temp_dir())
    }

    /// A new folder in the folder of `path`: files in it can be renamed to `path`.
    pub fn beside(path: &Path) -> io::Result<Self> {
        Self::within(folder_of(path))
    }

    /// A new folder in `folder`.
    pub fn within(folder: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        let (made, path) = live::make(|| builder.tempdir_in(folder), TempDir::path)?;
        Ok(Self { folder: Some(made), path })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves the file of this name to `place`, complete and flushed to disk.
    pub fn persist(&self, name: &str, place: &Path) -> io::Result<()> {
        let from = self.path.join(name);
        File::open(&from)?.sync_all()?;
        // The lock of the end of a process is taken, so that no file is moved into place after it.
        live::end(Path::new(""), || fs::rename(&from, place))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take() {
            live::end(&self.path, || drop(folder));
        }
    }
}
