//! Whether two names are one file, also through symbolic and hard links. No file is opened, which a pipe
//! would notice.

use crate::input::is_dash;
use std::{
    fs::{self, File, Metadata},
    path::{Path, PathBuf},
};

/// An existing file.
pub(crate) struct Identity {
    file: Key,
    /// Its path without symbolic links; none for a standard stream.
    path: Option<PathBuf>,
}

impl Identity {
    /// The regular file that an output would replace, or that stdout is; `None` if there is none.
    pub(crate) fn of_output(path: &Path) -> Option<Self> {
        if is_dash(path) {
            return Some(Self { file: key(stdout()?, None)?, path: None });
        }
        let metadata = fs::metadata(path).ok()?;
        let path = fs::canonicalize(path).ok()?;
        Some(Self { file: key(metadata, Some(&path))?, path: Some(path) })
    }

    /// Whether `input` is this file, or a folder with this file in it; `-` is stdin.
    pub(crate) fn is_in(&self, input: &Path) -> bool {
        if is_dash(input) {
            return stdin().and_then(|m| key(m, None)).is_some_and(|k| k == self.file);
        }
        let (Ok(metadata), Ok(path)) = (fs::metadata(input), fs::canonicalize(input)) else { return false };
        if metadata.is_dir() {
            return self.path.as_ref().is_some_and(|own| own.starts_with(&path));
        }
        key(metadata, Some(&path)).is_some_and(|k| k == self.file)
    }
}

/// Device and inode number of a file.
#[cfg(unix)]
type Key = (u64, u64);
#[cfg(not(unix))]
type Key = PathBuf;

/// The identity of a regular file; `None` for anything else.
#[cfg(unix)]
fn key(metadata: Metadata, _: Option<&Path>) -> Option<Key> {
    use std::os::unix::fs::MetadataExt;
    metadata.is_file().then(|| (metadata.dev(), metadata.ino()))
}
#[cfg(not(unix))]
fn key(metadata: Metadata, path: Option<&Path>) -> Option<Key> {
    path.filter(|_| metadata.is_file()).map(Path::to_path_buf)
}

#[cfg(unix)]
fn stdin() -> Option<Metadata> {
    use std::os::fd::AsFd;
    File::from(std::io::stdin().as_fd().try_clone_to_owned().ok()?).metadata().ok()
}
#[cfg(unix)]
fn stdout() -> Option<Metadata> {
    use std::os::fd::AsFd;
    File::from(std::io::stdout().as_fd().try_clone_to_owned().ok()?).metadata().ok()
}
#[cfg(not(unix))]
fn stdin() -> Option<Metadata> {
    None::<File>?.metadata().ok()
}
#[cfg(not(unix))]
fn stdout() -> Option<Metadata> {
    None::<File>?.metadata().ok()
}
