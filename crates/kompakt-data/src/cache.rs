//! The cache folder of fetched data sets.

use std::{env, path::PathBuf};

/// The folder of fetched data sets: `$KOMPAKT_DATA`, else `kompakt` in the user's cache folder, else `kompakt` in
/// the system's folder for temporary files. It may not exist yet.
pub fn cache_folder() -> PathBuf {
    if let Some(folder) = folder_in("KOMPAKT_DATA") {
        return folder;
    }
    user_cache().unwrap_or_else(env::temp_dir).join("kompakt")
}

fn folder_in(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn user_cache() -> Option<PathBuf> {
    if cfg!(windows) {
        folder_in("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        Some(folder_in("HOME")?.join("Library/Caches"))
    } else {
        folder_in("XDG_CACHE_HOME").or_else(|| Some(folder_in("HOME")?.join(".cache")))
    }
}
