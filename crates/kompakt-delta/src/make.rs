//! Makes a patch.

use crate::{
    apply::{limit, patch},
    body::{self, New, Old, is_raw},
    error::DeltaError,
    header::{Header, file_hash},
    matching,
    moves::Moves,
};
use kompakt_entropy::smallest::PatchStream;
use kompakt_format::{Container, Decoded, Tier};

/// A patch that makes `new` of `old`, both whole containers: `new` of tier `smallest`, `old` of any.
///
/// The bytes depend on the two files alone. The patch is applied once before it is returned. Memory: both networks, decoded.
/// Errors: one of the files is broken; `new` is of another tier.
pub fn diff(old: &[u8], new: &[u8]) -> Result<Vec<u8>, DeltaError> {
    let (from, to) = (Container::parse(old)?, Container::parse(new)?);
    if to.tier() != Tier::Smallest {
        let tier = to.tier().name();
        return Err(DeltaError::Unsupported(format!(
            "the new file is of tier {tier}, and patches make files of tier smallest: \
             `kompakt repack --tier smallest` it first; after patching, `kompakt repack --tier {tier}` gives the same content"
        )));
    }
    if to.is_compact() {
        return Err(DeltaError::Unsupported(
            "the new file is of version 2, and patches make files of version 1: `kompakt repack --tier smallest --minimal` it first; \
             after patching, `kompakt repack --tier smallest --compact` gives the same file"
                .to_string(),
        ));
    }
    let before = from.decode()?;
    let after: Vec<Option<Decoded>> = to
        .decode()?
        .into_iter()
        .enumerate()
        .map(|(index, decoded)| (!is_raw(&to, index)).then_some(decoded))
        .collect();
    let header = Header {
        old_content: from.content_hash(),
        old_file: file_hash(old),
        new_content: to.content_hash(),
        new_file: file_hash(new),
        new_length: new.len() as u64,
    };
    let old_side = Old { container: &from, parameters: &before };
    let fitting: Vec<Option<Decoded>> = to
        .graph()
        .params()
        .iter()
        .enumerate()
        .map(|(index, param)| old_side.parameter(index, &param.shape).cloned())
        .collect();
    let stay = Moves::default();
    let moves = matching::find(to.graph(), &fitting, &after);
    let write = |moves: &Moves| -> Result<Vec<u8>, DeltaError> {
        let mut stream = PatchStream::writer();
        let new_side = New { container: &to, parameters: &after, moves };
        body::code(&mut stream, &header, &old_side, Some(new_side))?;
        Ok([header.to_bytes(), stream.finish()?].concat())
    };
    let mut best = write(&stay)?;
    if !moves.orders.is_empty() {
        let moved = write(&moves)?;
        if moved.len() < best.len() {
            best = moved;
        }
    }
    if new.len() as u64 > limit(old, &best) || patch(old, &best)? != new {
        return Err(DeltaError::Unsupported(
            "the new file cannot be made of the old one by a patch".to_string(),
        ));
    }
    Ok(best)
}
