//! Dense values compressed with Zstandard, bytes of equal significance together; `kompakt_format` reads them
//! back. Block by block, some in parallel: a large tensor is not held a second time.

use crate::{ancillary::compress, error::PackError, raw, sections::Spool};
use kompakt_format::{Decoded, SectionKind, n_planes};
use rayon::prelude::*;

/// Zstandard's level: weights hold little that a higher one would find.
const LEVEL: i32 = 9;

/// Writes the raw section of a dense parameter: compressed, unless that would save less than a fiftieth.
pub(crate) fn section(
    spool: &mut Spool,
    kind: SectionKind,
    decoded: &Decoded,
    cols: usize,
) -> Result<(), PackError> {
    let length = raw::dense_len(decoded, cols);
    let mut section = spool.begin(kind)?;
    let is_packed = pack(decoded, cols, &mut |bytes| section.write(bytes))?;
    if is_packed && section.length() + length / 50 < length {
        section.end(Some(length));
        return Ok(());
    }
    section.undo()?;
    plain(spool, kind, decoded, cols)
}

/// Writes the raw section of a dense parameter uncompressed.
pub(crate) fn plain(
    spool: &mut Spool,
    kind: SectionKind,
    decoded: &Decoded,
    cols: usize,
) -> Result<(), PackError> {
    let mut section = spool.begin(kind)?;
    raw::blocks(decoded, cols).try_for_each(|block| section.write(&block))?;
    section.end(None);
    Ok(())
}

/// False if a block is not a single frame.
fn pack(
    decoded: &Decoded,
    cols: usize,
    write: &mut dyn FnMut(&[u8]) -> Result<(), PackError>,
) -> Result<bool, PackError> {
    let Decoded::Dense { numbers, .. } = decoded else { return Ok(false) };
    let n_planes = n_planes(numbers.format());
    let mut blocks = raw::blocks(decoded, cols);
    loop {
        let some: Vec<Vec<u8>> = blocks.by_ref().take(2 * rayon::current_num_threads()).collect();
        if some.is_empty() {
            return Ok(true);
        }
        let frames: Vec<Option<Vec<u8>>> = some
            .par_iter()
            .map(|block| {
                let plane = |p: usize| block.iter().skip(p).step_by(n_planes).copied();
                compress(&(0..n_planes).flat_map(plane).collect::<Vec<u8>>(), LEVEL)
            })
            .collect::<std::io::Result<_>>()
            .map_err(PackError::io("compressing dense numbers"))?;
        for frame in frames {
            let Some(frame) = frame else { return Ok(false) };
            write(&(frame.len() as u32).to_le_bytes())?;
            write(&frame)?;
        }
    }
}
