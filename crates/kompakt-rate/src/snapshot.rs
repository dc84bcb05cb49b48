//! A run's state on disk, so that a killed run resumes where it was.

use crate::{error::RateError, train::State};
use serde::{Deserialize, Serialize};
use std::{io::Write, path::PathBuf};

/// Where a run's state is stored; nowhere, if no path was given.
pub(crate) struct Snapshot<'a> {
    path: Option<PathBuf>,
    key: &'a str,
}

#[derive(Serialize)]
struct Out<'a> {
    key: &'a str,
    state: &'a State,
}

#[derive(Deserialize)]
struct In {
    key: String,
    state: State,
}

impl<'a> Snapshot<'a> {
    /// `key` identifies the run.
    pub(crate) fn new(path: Option<PathBuf>, key: &'a str) -> Self {
        Self { path, key }
    }

    /// The state, if there is one.
    ///
    /// Errors: a file that is not a state, or of another run.
    pub(crate) fn read(&self) -> Result<Option<State>, RateError> {
        let Some(path) = &self.path else { return Ok(None) };
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.failed("cannot read", source)),
        };
        let found: In = serde_json::from_slice(&text).map_err(|e| RateError::Snapshot(e.to_string()))?;
        if found.key != self.key {
            return Err(RateError::Snapshot("options, data or model differ".to_string()));
        }
        Ok(Some(found.state))
    }

    /// Replaces the state on disk.
    pub(crate) fn write(&self, state: &State) -> Result<(), RateError> {
        let Some(path) = &self.path else { return Ok(()) };
        let write = || -> std::io::Result<()> {
            let mut file = kompakt_files::Sibling::of(path)?;
            file.write_all(&serde_json::to_vec(&Out { key: self.key, state })?)?;
            file.persist()
        };
        write().map_err(|source| self.failed("cannot write", source))
    }

    /// Removes the state: the run is done.
    pub(crate) fn remove(&self) {
        if let Some(path) = &self.path {
            // A state that stays behind is recognised as that of a finished run.
            let _ = std::fs::remove_file(path);
        }
    }

    fn failed(&self, what: &str, source: std::io::Error) -> RateError {
        let name = self.path.as_deref().map(|p| p.display().to_string()).unwrap_or_default();
        RateError::Io { what: format!("{what} {name}"), source }
    }
}
