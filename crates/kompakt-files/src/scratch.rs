//! A temporary folder, removed when it is no longer needed.

use crate::{folder_of, live};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// A temporary folder. Removed with its content when dropped.
#[derive(Debug)]
pub struct Scratch {
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
        // Kept at once: what drops it is below.
        let made = || Ok(live::named(folder, |path| fs::create_dir(path))?.into_temp_path().keep()?);
        let (_, path) = live::make(made, PathBuf::as_path)?;
        Ok(Self { path })
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
        // Nothing can be done about one that cannot be removed.
        let _ = live::end(&self.path, || fs::remove_dir_all(&self.path));
    }
}
