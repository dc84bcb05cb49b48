//! The temporary files and folders that exist now.

use crate::{PREFIX, SUFFIX};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tempfile::NamedTempFile;

/// Files are made, renamed and removed with this lock held, so that [`remove_all`] misses none.
static LIVE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// How often a folder is emptied again while another thread is still writing into it.
const TRIES: usize = 100;

fn lock() -> MutexGuard<'static, Vec<PathBuf>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something new in `folder`, under a name that nothing has there, made by `make`.
///
/// Errors: those of `make` as they are. What `tempfile` opens itself has the temporary name in its errors, which nobody
/// has asked for.
pub(crate) fn named<T>(
    folder: &Path,
    make: impl FnMut(&Path) -> io::Result<T>,
) -> io::Result<NamedTempFile<T>> {
    tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).make_in(folder, make)
}

/// Creates something temporary and records its absolute path.
pub(crate) fn make<T>(
    make: impl FnOnce() -> io::Result<T>,
    path: impl Fn(&T) -> &Path,
) -> io::Result<(T, PathBuf)> {
    let mut live = lock();
    let made = make()?;
    let path = std::path::absolute(path(&made))?;
    live.push(path.clone());
    Ok((made, path))
}

/// Removes or renames something temporary, and drops its record.
pub(crate) fn end<T>(path: &Path, end: impl FnOnce() -> T) -> T {
    let mut live = lock();
    let result = end();
    live.retain(|p| p != path);
    result
}

/// Removes all temporary files and folders of this process. None can be made or renamed afterwards: whoever tries
/// waits. The process must end right after this.
pub fn remove_all() {
    let live = lock();
    for path in live.iter() {
        if path.is_dir() {
            let _ = (0..TRIES).find(|_| fs::remove_dir_all(path).is_ok() || !path.exists());
        } else {
            // Nothing can be done about one that cannot be removed.
            let _ = fs::remove_file(path);
        }
    }
    std::mem::forget(live);
}
