//! From a container back to the interchange.

use crate::{convert, error::PackError};
use kompakt_checkpoint::{Model, StageRecord};
use kompakt_format::Container;
use std::{collections::BTreeMap, path::Path};

/// The model that a container holds: clustered as it was packed, or `dense`: every weight a single-precision number.
///
/// What is not in the file (left out by `--minimal`) gets its default: names by operator and count, no history.
/// Errors: a payload is broken, or the history is no provenance.
pub fn unpack(container: &Container<'_>, dense: bool) -> Result<Model, PackError> {
    let mut model = without_parameters(container)?;
    model.parameters = (model.graph.params().iter())
        .zip(container.decode()?)
        .map(|(param, decoded)| (param.name.clone(), convert::to_interchange(decoded, &param.shape, dense)))
        .collect();
    model.check()?;
    Ok(model)
}

/// Writes the model that [`unpack`] gives to a new file, decoding one parameter at a time.
///
/// Memory: one parameter in the interchange's form.
/// Errors: as [`unpack`], and a file that cannot be written.
pub fn unpack_to(container: &Container<'_>, dense: bool, path: &Path) -> Result<(), PackError> {
    let model = without_parameters(container)?;
    let pool = container.pool()?;
    model.write_fetching(path, |name| {
        let params = model.graph.params().iter().enumerate();
        let (index, param) = params
            .into_iter()
            .find(|(_, param)| param.name == name)
            .ok_or_else(|| PackError::unsupported(name, "the graph has no such parameter".to_string()))?;
        let decoded = container.decode_parameter(index, &pool)?;
        Ok(convert::to_interchange(decoded, &param.shape, dense))
    })
}

fn without_parameters(container: &Container<'_>) -> Result<Model, PackError> {
    let graph = container.graph().clone();
    let provenance: Vec<StageRecord> = match container.provenance()? {
        None => Vec::new(),
        Some(json) => serde_json::from_str(&json)
            .map_err(|e| PackError::unsupported("provenance", format!("not the interchange's: {e}")))?,
    };
    Ok(Model {
        dense_parameters: container.dense_parameters().unwrap_or(graph.n_parameters() as u64),
        preprocessing: container.pipeline().and_then(|p| serde_json::to_value(p).ok()),
        labels: container.labels()?,
        parameters: BTreeMap::new(),
        provenance,
        graph,
    })
}
