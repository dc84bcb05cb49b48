//! From a container back to the interchange.

use crate::{
    convert,
    error::PackError,
    parts::{Checking, Parts},
};
use kompakt_format::{Container, Directory};
use kompakt_model::{Model, StageRecord};
use std::{cell::Cell, collections::BTreeMap, fs::File, path::Path};

/// Progress callback: the current step, and how much of it is done (0 to 1).
pub type Progress<'p> = dyn Fn(&str, f64) + 'p;

/// The model that a container holds: clustered as it was packed, or `dense`: all weights in single precision.
///
/// Sections missing from the file (left out by `--minimal`) get defaults: names by operator and count, no
/// history.
/// Errors: a payload is broken, or the history is not valid provenance.
pub fn unpack(container: &Container<'_>, dense: bool, progress: &Progress<'_>) -> Result<Model, PackError> {
    let (labels, provenance) = (container.labels()?, container.provenance()?);
    let mut model = without_parameters(container.directory(), labels, provenance)?;
    let (directory, mut bytes) = (container.directory(), container.bytes());
    let (pool, tables) = (directory.pool_from(&mut bytes)?, directory.tables_from(&mut bytes)?);
    let mut done = 0;
    for (index, param) in model.graph.params().iter().enumerate() {
        progress("unpacking", done as f64 / model.graph.n_parameters().max(1) as f64);
        let decoded = directory.parameter_from(&mut bytes, index, &pool, tables.as_ref())?;
        model.parameters.insert(param.name.clone(), convert::to_interchange(decoded, &param.shape, dense));
        done += param.len();
    }
    model.check()?;
    Ok(model)
}

/// Checks a container in a file ([`Container::verify`]) and writes the model that [`unpack`] returns to a new
/// file, one section in memory at a time.
///
/// Memory: the pool, one parameter in the interchange's form, and the bytes of one of its tensors.
/// Errors: as [`unpack`], and a file that cannot be read or written.
pub fn unpack_file(from: &Path, dense: bool, to: &Path, progress: &Progress<'_>) -> Result<(), PackError> {
    let file = File::open(from).map_err(PackError::io("opening the container"))?;
    let total = file.metadata().map_err(PackError::io("opening the container"))?.len();
    let parts = || Parts(&file);
    let total = usize::try_from(total).unwrap_or(usize::MAX);
    let directory = Directory::read(&mut parts(), total)?;
    directory.verify_from(&mut Checking::new(parts(), total, &|share| progress("checking", share)))?;
    let (labels, provenance) =
        (directory.labels_from(&mut parts())?, directory.provenance_from(&mut parts())?);
    let model = without_parameters(&directory, labels, provenance)?;
    let (pool, tables) = (directory.pool_from(&mut parts())?, directory.tables_from(&mut parts())?);
    let done = Cell::new(0);
    model.write_fetching(to, |name| {
        // Large ones are read up to three times.
        progress("unpacking", done.get() as f64 / (3 * model.graph.n_parameters()).max(1) as f64);
        let params = model.graph.params().iter().enumerate();
        let (index, param) = params
            .into_iter()
            .find(|(_, param)| param.name == name)
            .ok_or_else(|| PackError::unsupported(name, "the graph has no such parameter".to_string()))?;
        done.set(done.get() + param.len());
        let decoded = directory.parameter_from(&mut parts(), index, &pool, tables.as_ref())?;
        Ok(convert::to_interchange(decoded, &param.shape, dense))
    })
}

fn without_parameters(
    directory: &Directory,
    labels: Vec<String>,
    provenance: Option<String>,
) -> Result<Model, PackError> {
    let graph = directory.graph().clone();
    let provenance: Vec<StageRecord> = match provenance {
        None => Vec::new(),
        Some(json) => serde_json::from_str(&json)
            .map_err(|e| PackError::unsupported("provenance", format!("not the interchange's: {e}")))?,
    };
    Ok(Model {
        dense_parameters: directory.dense_parameters().unwrap_or(graph.n_parameters() as u64),
        preprocessing: directory.pipeline().and_then(|p| serde_json::to_value(p).ok()),
        labels,
        parameters: BTreeMap::new(),
        provenance,
        graph,
    })
}
