//! A container of tier `smallest` from its directory and its content: the same bytes, whoever wrote them first, because
//! the adaptive streams of one content have one form.

use crate::{
    adaptive::{self, PoolEncoder},
    directory::header_of,
    error::PackError,
};
use kompakt_format::{Container, Decoded, FormatError, SectionKind, Tier};

/// Header and directory of a file of `total` bytes.
pub fn head(directory: &[u8], total: u64) -> Vec<u8> {
    [&header_of(directory, total)[..], directory].concat()
}

/// The file whose header and directory are those of `frame`, a container with any payloads.
///
/// `parameters` are all of the graph's, `None` for those with raw sections; `others` are the bytes of the sections that are
/// not adaptive, in the file's order.
///
/// Errors: the file is of another tier; a section has not the length that the directory says; a parameter is missing or
/// cannot be coded.
pub fn rebuild(
    frame: &Container<'_>,
    parameters: &[Option<Decoded>],
    others: &[Vec<u8>],
) -> Result<Vec<u8>, PackError> {
    if frame.tier() != Tier::Smallest {
        return Err(PackError::unsupported("tier", format!("{}, not smallest", frame.tier().name())));
    }
    let graph = frame.graph();
    let missing = |i: usize| PackError::unsupported(&graph.params()[i].name, "the parameter is missing");
    let mut others = others.iter();
    let mut bytes = vec![0; frame.bytes().len()];
    let end = frame.directory_span().end;
    bytes[..end].copy_from_slice(&frame.bytes()[..end]);
    for section in frame.sections() {
        let payload = match section.kind {
            SectionKind::Pool => {
                let mut pool = PoolEncoder::new();
                for index in 0..graph.params().len() {
                    match frame.section_of(index) {
                        Some(_) => pool.elsewhere(),
                        None => {
                            let decoded = parameters.get(index).and_then(Option::as_ref);
                            pool.parameter(graph, decoded.ok_or_else(|| missing(index))?)?;
                        }
                    }
                }
                pool.stream.finish()
            }
            SectionKind::Adaptive { parameter } => {
                let decoded = parameters.get(parameter).and_then(Option::as_ref);
                adaptive::section(graph, parameter, decoded.ok_or_else(|| missing(parameter))?)?
            }
            _ => others.next().cloned().unwrap_or_default(),
        };
        if payload.len() != section.length {
            let problem = "a section has not the length that the directory says".into();
            return Err(FormatError { rule: "F-22", offset: section.offset, problem }.into());
        }
        bytes[section.offset..section.end()].copy_from_slice(&payload);
        let sum = crc32fast::hash(&payload).to_le_bytes();
        bytes[section.end()..section.end() + sum.len()].copy_from_slice(&sum);
    }
    Ok(bytes)
}
