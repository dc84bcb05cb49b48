//! Dense numbers packed by Zstandard, the bytes of equal weight together; `kompakt_format` reads them back.

use crate::{ancillary::compress, error::PackError};
use kompakt_format::FRAME_BYTES;
use rayon::prelude::*;

/// Zstandard's effort: numbers hold little that more of it would find.
const LEVEL: i32 = 9;

/// The packed form of a raw section, or `None` where that would save less than a fiftieth.
pub(crate) fn pack(bytes: &[u8], n_planes: usize) -> Result<Option<Vec<u8>>, PackError> {
    let planes: Vec<u8> =
        (0..n_planes).flat_map(|p| bytes.iter().skip(p).step_by(n_planes).copied()).collect();
    let frames: Vec<Option<Vec<u8>>> = planes
        .par_chunks(FRAME_BYTES)
        .map(|chunk| compress(chunk, LEVEL))
        .collect::<std::io::Result<_>>()
        .map_err(PackError::io("compressing dense numbers"))?;
    let mut packed = Vec::new();
    for frame in frames {
        let Some(frame) = frame else { return Ok(None) };
        packed.extend((frame.len() as u32).to_le_bytes());
        packed.extend(frame);
    }
    Ok((packed.len() + bytes.len() / 50 < bytes.len()).then_some(packed))
}
