//! From a container back to the interchange.

use crate::{convert, error::PackError};
use kompakt_checkpoint::{Model, StageRecord};
use kompakt_format::Container;

/// The model that a container holds: clustered as it was packed, or `dense`: every weight a single-precision number.
///
/// What is not in the file (left out by `--minimal`) gets its default: names by operator and count, no history.
/// Errors: a payload is broken, or the history is no provenance.
pub fn unpack(container: &Container<'_>, dense: bool) -> Result<Model, PackError> {
    let graph = container.graph().clone();
    let parameters = graph
        .params()
        .iter()
        .zip(container.decode()?)
        .map(|(param, decoded)| (param.name.clone(), convert::to_interchange(decoded, &param.shape, dense)))
        .collect();
    let provenance: Vec<StageRecord> = match container.provenance()? {
        None => Vec::new(),
        Some(json) => serde_json::from_str(&json)
            .map_err(|e| PackError::unsupported("provenance", format!("not the interchange's: {e}")))?,
    };
    let model = Model {
        dense_parameters: container.dense_parameters().unwrap_or(graph.n_parameters() as u64),
        preprocessing: container.pipeline().and_then(|p| serde_json::to_value(p).ok()),
        labels: container.labels()?,
        parameters,
        provenance,
        graph,
    };
    model.check()?;
    Ok(model)
}
