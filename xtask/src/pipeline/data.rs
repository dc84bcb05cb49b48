//! Which data set a run uses, and what happens when the wanted one cannot be had.

use anyhow::{Context, Result};
use kompakt_data::{Split, fetch, load};

/// The data set of a run that names none.
const DEFAULT: &str = "mnist";
/// The data set that is part of the programs.
const EMBEDDED: &str = "digits";

/// A data set that is there.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    /// Its name or path, as the stages take it.
    pub(crate) name: String,
    /// Printed first and last, where it is not the requested one.
    pub(crate) note: Option<String>,
}

/// Makes the wanted data set available.
///
/// A full run fetches it. A quick run works offline: what is not in the cache already is replaced by the embedded
/// digits. So is the default data set where no source answers; one requested by name (`explicit`) is an
/// error then.
pub(crate) fn choose(wanted: Option<&str>, explicit: bool, quick: bool) -> Result<Choice> {
    let name = wanted.unwrap_or(DEFAULT);
    if load(name, Split::Test).is_ok() {
        return Ok(Choice { name: name.to_string(), note: None });
    }
    if quick {
        let note = format!(
            "{name} is not in the cache, and a quick run works offline: this run uses the embedded 8x8 digits, \
             resized to 28x28 (`cargo xtask data {name}` fetches {name})"
        );
        return Ok(Choice { name: EMBEDDED.to_string(), note: Some(note) });
    }
    match fetch(name, &mut kompakt_data::Silent) {
        Ok(_) => Ok(Choice { name: name.to_string(), note: None }),
        Err(error) if !explicit => {
            crate::say(&format!("{error}"));
            let note = format!(
                "{name} could not be fetched: this run uses the embedded 8x8 digits, resized to 28x28; \
                 its figures are not those of {name}"
            );
            Ok(Choice { name: EMBEDDED.to_string(), note: Some(note) })
        }
        Err(error) => Err(error).with_context(|| format!("the data set {name} is not there")),
    }
}
