//! The tier `direct`: weights as tiles of rows.

use crate::{error::PackError, sections::Section};
use kompakt_entropy::{Weights, WeightsBuf, direct};
use kompakt_format::SectionKind;
use rayon::prelude::*;

/// About how many weights a tile has: small enough to be worked on in cache, large enough that its own bytes do not
/// count.
const TILE_WEIGHTS: usize = 1 << 17;
/// Rows of a tile come in multiples of this where there are more.
const ROW_STEP: usize = 16;

/// How many rows the tiles of a matrix have.
fn rows_per_tile(rows: usize, cols: usize) -> usize {
    let fit = (TILE_WEIGHTS / cols.max(1)).max(1);
    if fit >= rows {
        rows
    } else if fit > ROW_STEP {
        fit / ROW_STEP * ROW_STEP
    } else {
        fit
    }
}

/// A view of rows `first..first + n`.
fn block<'a>(weights: &'a WeightsBuf, first: usize, n: usize) -> Weights<'a> {
    let view = weights.view();
    let range = first * view.row_len()..(first + n) * view.row_len();
    Weights { rows: n, mask: view.mask.map(|m| &m[range.clone()]), codes: &view.codes[range], ..view }
}

/// The weights of parameter `index` as a section of direct tiles.
pub(crate) fn direct(name: &str, index: usize, weights: &WeightsBuf) -> Result<Section, PackError> {
    let kind = SectionKind::DirectTiles { parameter: index };
    section(kind, weights, |tile| {
        direct::encode_tile(tile, direct::Choice::Fastest).map_err(PackError::coder(name))
    })
}

fn section(
    kind: SectionKind,
    weights: &WeightsBuf,
    encode: impl Fn(&Weights<'_>) -> Result<Vec<u8>, PackError> + Sync,
) -> Result<Section, PackError> {
    let rows = weights.rows;
    let step = rows_per_tile(rows, weights.view().row_len());
    let tiles: Vec<Vec<u8>> = (0..rows)
        .step_by(step)
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|first| encode(&block(weights, first, step.min(rows - first))))
        .collect::<Result<_, _>>()?;
    let lengths = tiles.iter().map(Vec::len).collect();
    let mut section = Section::new(kind, tiles.concat());
    if tiles.len() > 1 {
        section.tiles = Some((step, lengths));
    }
    Ok(section)
}
