//! Version 2 of the container: a small network in one stream, which begins with the directory.

use crate::{
    adaptive::PoolEncoder,
    content::{About, Source},
    convert, directory,
    error::PackError,
    write::{Layout, Written},
};
use kompakt_format::{
    COMPACT_VERSION, ContentHash, Decoded, MAGIC,
    limits::{MAX_COMPACT_BYTES, MAX_HEAD_BYTES},
    rows_and_cols,
};
use std::{io::Write, sync::Arc};

/// Whether a network may have this form: it goes into one pool, and all its sizes are fixed.
pub(crate) fn suits(about: &About, layout: &Layout) -> bool {
    let graph = &about.graph;
    graph.sizes().is_none()
        && graph.n_parameters() <= layout.pool_elements
        && graph.params().iter().all(|param| param.len() <= layout.raw_from)
}

/// Writes the network; `None` if its file would be longer than the form allows.
pub(crate) fn pack(
    about: &About,
    source: &mut dyn Source,
    out: &mut dyn Write,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Option<Written>, PackError> {
    let total = about.graph.n_parameters() as u64;
    let mut done = 0;
    let mut parameters: Vec<Arc<Decoded>> = Vec::new();
    for (index, param) in about.graph.params().iter().enumerate() {
        parameters.push(source.parameter(index)?);
        done += param.len() as u64 / 2;
        progress(done, total);
    }
    let descriptors: Vec<_> = parameters.iter().map(|decoded| convert::descriptor(decoded)).collect();
    let content = directory::content(&about.graph, about.pipeline.as_ref(), &descriptors)?;
    let head = directory::head(&content);
    if head.len() > MAX_HEAD_BYTES {
        return Ok(None);
    }
    let mut pool = PoolEncoder::compact(&head);
    let mut hash = ContentHash::default();
    for (decoded, param) in parameters.iter().zip(about.graph.params()) {
        hash.parameter(decoded, rows_and_cols(&param.shape).1);
        pool.parameter(&about.graph, decoded)?;
        done += param.len() as u64 / 2;
        progress(done.min(total), total);
    }
    progress(total, total);
    let content_hash = hash.finish(&content.keys, &content.sizes);
    let file = file(content_hash, &pool.stream.finish());
    if file.len() > MAX_COMPACT_BYTES {
        return Ok(None);
    }
    out.write_all(&file).map_err(PackError::io("writing the container"))?;
    out.flush().map_err(PackError::io("writing the container"))?;
    Ok(Some(Written { bytes: file.len() as u64, content_hash }))
}

/// The file of a stream.
fn file(content_hash: [u8; 8], stream: &[u8]) -> Vec<u8> {
    let start = [&MAGIC[..], &[COMPACT_VERSION]].concat();
    let mut crc = crc32fast::Hasher::new();
    for part in [&start[..], &content_hash, stream] {
        crc.update(part);
    }
    [&start[..], &crc.finalize().to_le_bytes(), &content_hash, stream].concat()
}
