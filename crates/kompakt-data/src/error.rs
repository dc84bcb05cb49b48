//! What can go wrong with data.

use std::path::{Path, PathBuf};

/// Why data cannot be read or fetched. The message names the file and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A known data set that is not in the cache.
    #[error("{name} is not in {folder}; fetch it with `kompakt-prep --fetch --data {name}`, or with `cargo xtask data {name}` in the repository",
        folder = folder.display())]
    NotFetched {
        /// The data set.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// Neither a known name nor a path that exists.
    #[error("no data set {0:?}: it is none of {known}, and no such file or folder", known = crate::NAMES.join(", "))]
    Unknown(String),
    /// A file that cannot be opened, read or written.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// A file whose content is not what it should be.
    #[error("{path}: {problem}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
    /// A line of a list that cannot be used.
    #[error("{path}: line {line}: {problem}", path = path.display())]
    Line {
        /// The list.
        path: PathBuf,
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// Classes of a data set that cannot be matched with a network's outputs.
    #[error("{0}")]
    Classes(String),
    /// A data set without the requested part.
    #[error("{name} has no images for {what}")]
    Empty {
        /// The data set.
        name: String,
        /// The split or selection.
        what: String,
    },
    /// Images, labels and shapes that do not belong together.
    #[error("data set: {0}")]
    Inconsistent(String),
    /// A data set and a network whose steps differ.
    #[error("{0}")]
    Steps(String),
    /// No source had a data set.
    #[error(
        "{name} could not be fetched; every source failed:{tried}\n  without a network: put its files ({files}) into {} and \
         try again: they are checked by their hashes", folder.display()
    )]
    Fetch {
        /// The data set.
        name: String,
        /// Its files' names.
        files: String,
        /// Where they belong.
        folder: PathBuf,
        /// One line per source.
        tried: String,
    },
    /// Steps that do not fit.
    #[error("preprocessing: {0}")]
    Prep(kompakt_prep::PrepError),
}

impl From<kompakt_prep::PrepError> for DataError {
    fn from(error: kompakt_prep::PrepError) -> Self {
        Self::Prep(error)
    }
}

impl DataError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |error| Self::Io { path, error }
    }

    pub(crate) fn file(path: &Path, problem: impl Into<String>) -> Self {
        Self::File { path: path.to_path_buf(), problem: problem.into() }
    }
}
