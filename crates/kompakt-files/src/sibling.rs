//! A file under construction, renamed into place at the end.

use crate::{folder_of, live};
use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// A temporary file in the folder of its final path. Removed when dropped.
#[derive(Debug)]
pub struct Sibling {
    /// Taken only by [`Sibling::persist`] and on drop.
    file: Option<NamedTempFile>,
    /// Its current path.
    path: PathBuf,
    /// Its final path.
    place: PathBuf,
}

impl Sibling {
    /// A new empty file beside `place`, with the permissions of any new file.
    pub fn of(place: &Path) -> io::Result<Self> {
        let open = |path: &Path| File::options().read(true).write(true).create_new(true).open(path);
        let (file, path) = live::make(|| live::named(folder_of(place), open), NamedTempFile::path)?;
        Ok(Self { file: Some(file), path, place: place.to_path_buf() })
    }

    /// The open file.
    pub fn as_file_mut(&mut self) -> io::Result<&mut File> {
        match &mut self.file {
            Some(file) => Ok(file.as_file_mut()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Flushes the content to disk, then renames the file to its final path, replacing an existing file.
    pub fn persist(mut self) -> io::Result<()> {
        self.as_file_mut()?.sync_all()?;
        let Some(file) = self.file.take() else { return Ok(()) };
        live::end(&self.path, || file.persist(&self.place).map(drop).map_err(|e| e.error))
    }
}

impl Write for Sibling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.as_file_mut()?.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.as_file_mut()?.flush()
    }
}

impl Drop for Sibling {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            live::end(&self.path, || drop(file));
        }
    }
}
