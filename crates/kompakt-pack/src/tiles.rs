//! The tiers `direct` and `stream`: weights as tiles of rows.

use crate::{error::PackError, sections::Section};
use kompakt_entropy::{
    MaskedCodes, MaskedCodesBuf, direct,
    stream::{Collector, Plan, suggested_rows},
};
use kompakt_format::{Decoded, SectionKind};
use rayon::prelude::*;

/// Weights per tile, about: small enough to stay in cache, large enough that the tile's overhead does not
/// matter.
const TILE_WEIGHTS: usize = 1 << 17;
/// Rows per tile are a multiple of this where there are more.
const ROW_STEP: usize = 16;

/// Rows per tile of a matrix.
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
fn block<'a>(weights: &'a MaskedCodesBuf, first: usize, n: usize) -> MaskedCodes<'a> {
    let view = weights.view();
    let range = first * view.row_len()..(first + n) * view.row_len();
    MaskedCodes { rows: n, mask: view.mask.map(|m| &m[range.clone()]), codes: &view.codes[range], ..view }
}

/// The weights of parameter `index` as a section of direct tiles.
pub(crate) fn direct(
    name: &str,
    index: usize,
    weights: &MaskedCodesBuf,
    tile_rows: Option<usize>,
) -> Result<Section, PackError> {
    let rows = weights.rows;
    let step = tile_rows.map_or_else(|| rows_per_tile(rows, weights.view().row_len()), |n| n.clamp(1, rows));
    let tiles = (0..rows)
        .step_by(step)
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|first| {
            let tile = block(weights, first, step.min(rows - first));
            direct::encode_tile(&tile, direct::Choice::Fastest).map_err(PackError::coder(name))
        })
        .collect::<Result<_, _>>()?;
    Ok(section(SectionKind::DirectTiles { parameter: index }, step, tiles))
}

fn section(kind: SectionKind, rows_per_tile: usize, tiles: Vec<Vec<u8>>) -> Section {
    let lengths: Vec<usize> = tiles.iter().map(Vec::len).collect();
    let mut section = Section::new(kind, tiles.concat());
    if lengths.len() > 1 {
        section.tiles = Some((rows_per_tile, lengths));
    }
    section
}

/// The first pass of tier `stream`: statistics of all tensors.
pub(crate) struct Counting {
    collector: Collector,
    tile_rows: Option<usize>,
    /// For each parameter its index among the matrices.
    matrices: Vec<Option<usize>>,
}

impl Counting {
    pub(crate) fn new(tile_rows: Option<usize>) -> Self {
        Self { collector: Collector::new(), tile_rows, matrices: Vec::new() }
    }

    /// Counts the next parameter; one without codes is skipped.
    pub(crate) fn add(&mut self, name: &str, index: usize, decoded: &Decoded) -> Result<(), PackError> {
        debug_assert_eq!(index, self.matrices.len());
        let matrix = match decoded {
            Decoded::Dense { .. } => None,
            Decoded::Shared { weights, .. } => {
                let view = weights.view();
                let rows = self.tile_rows.unwrap_or_else(|| suggested_rows(&view));
                let added = self.collector.add(&view, rows.max(1));
                Some(added.map_err(PackError::coder(name))?)
            }
        };
        self.matrices.push(matrix);
        Ok(())
    }

    pub(crate) fn finish(self) -> StreamPlan {
        StreamPlan { plan: self.collector.finish(), matrices: self.matrices }
    }
}

/// The second pass: tables are fixed, tensors are coded.
pub(crate) struct StreamPlan {
    plan: Plan,
    matrices: Vec<Option<usize>>,
}

impl StreamPlan {
    /// The section of the tables, if there is any tensor with codes.
    pub(crate) fn tables(&self) -> Option<Section> {
        let any = self.matrices.iter().any(Option::is_some);
        any.then(|| Section::new(SectionKind::StreamTables, self.plan.tables()))
    }

    /// The weights of parameter `index`, which were counted.
    pub(crate) fn section(
        &self,
        name: &str,
        index: usize,
        weights: &MaskedCodesBuf,
    ) -> Result<Section, PackError> {
        let Some(matrix) = self.matrices.get(index).copied().flatten() else {
            return Err(PackError::unsupported(name, "it was not counted"));
        };
        let tiles = self.plan.encode(matrix, &weights.view()).map_err(PackError::coder(name))?;
        let kind = SectionKind::StreamTiles { parameter: index };
        Ok(section(kind, self.plan.rows_per_tile(matrix), tiles))
    }
}
