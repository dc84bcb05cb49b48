//! The second pass: writes tables and tiles.

use super::cluster::cluster;
use super::collect::{Counted, CountedSparse, Kind};
use super::model::{Class, Model, Sparse};
use super::wire::Coded;
use super::{Collector, MAX_TILE_WEIGHTS, symbols, tables};
use crate::direct::layout::Kept;
use crate::rans::{Encoder, MAX_LOG2_WAYS, Slots};
use crate::{EntropyError, MaskedCodes};
use alloc::vec::Vec;

/// How many kept weights a tile should have: its payload then pays for 64 ways, and what it decodes to fits the
/// second-level cache.
const TILE_KEPT: usize = 1 << 15;
/// How many weights a tile should have where most are kept.
const TILE_DENSE: usize = 1 << 18;

/// How many rows a tile of this matrix should have.
pub fn suggested_rows(weights: &MaskedCodes<'_>) -> usize {
    let (n_kept, row_len) = (weights.n_kept().max(1), weights.row_len().max(1));
    let n_rows = if n_kept >= weights.len() / 2 {
        TILE_DENSE / row_len
    } else {
        (TILE_KEPT * weights.rows / n_kept).min(MAX_TILE_WEIGHTS / row_len)
    };
    n_rows.min(weights.rows).max(1)
}

/// Tables and models for all matrices that a [`Collector`] has seen. Encodes them.
#[derive(Debug, Clone)]
pub struct Plan {
    tables: Vec<Coded>,
    slots: Vec<Slots>,
    matrices: Vec<Counted>,
    models: Vec<Model>,
}

impl Plan {
    pub(super) fn new(collector: Collector) -> Self {
        let mut tables = TableMaker::default();
        let matrices = collector.matrices;
        let gaps = tables.make(each_sparse(&matrices, |sparse| {
            sparse.gaps.iter().map(|(_, counts)| counts.clone()).collect()
        }));
        let row_classes = tables.make(each_sparse(&matrices, |sparse| {
            if sparse.row_classes.is_empty() { Vec::new() } else { [sparse.row_classes.clone()].into() }
        }));
        let codes = tables.make(matrices.iter().flat_map(code_counts).collect());
        let (mut gaps, mut row_classes) = (gaps.into_iter(), row_classes.into_iter());
        let mut codes = codes.into_iter();
        let mut code = || codes.next().unwrap_or(0);
        let model = |matrix: &Counted| match &matrix.kind {
            Kind::Dense { has_zero, .. } => Model::Dense { has_zero: *has_zero, table: code() },
            Kind::Sparse(sparse) if sparse.gaps.is_empty() => Model::Sparse(Sparse::default()),
            Kind::Sparse(sparse) => Model::Sparse(Sparse {
                row_classes: if sparse.row_classes.is_empty() { None } else { row_classes.next() },
                classes: (sparse.gaps.iter().zip(&mut gaps))
                    .map(|(&(cap, _), table)| Class { cap, table })
                    .collect(),
                reach: sparse.reach,
                codes: if sparse.reach == 0 { [code(); 3] } else { [code(), code(), code()] },
            }),
        };
        let models = matrices.iter().map(model).collect();
        let slots = tables.coded.iter().map(|coded| Slots::new(&coded.histogram)).collect();
        Self { tables: tables.coded, slots, matrices, models }
    }

    /// The bytes that [`super::Tables::parse`] reads.
    pub fn tables(&self) -> Vec<u8> {
        tables::write(&self.tables, &self.models)
    }

    /// The rows of each tile of that matrix, the last aside.
    pub fn rows_per_tile(&self, matrix: usize) -> usize {
        self.matrices[matrix].rows_per_tile
    }

    /// The tiles of a matrix, first rows first.
    ///
    /// Errors: [`EntropyError::Weights`] where these are not the weights that were counted under that number.
    pub fn encode(&self, matrix: usize, weights: &MaskedCodes<'_>) -> Result<Vec<Vec<u8>>, EntropyError> {
        let wrong = EntropyError::weights("these are not the weights that were counted");
        weights.validate()?;
        let (counted, model) = self.matrices.get(matrix).zip(self.models.get(matrix)).ok_or(wrong)?;
        let (n_rows, row_len) = (counted.rows_per_tile, weights.row_len());
        let mut tiles = Vec::new();
        for first in (0..weights.rows).step_by(n_rows) {
            let rows = n_rows.min(weights.rows - first);
            let range = first * row_len..(first + rows) * row_len;
            let part = MaskedCodes {
                rows,
                mask: weights.mask.map(|mask| &mask[range.clone()]),
                codes: &weights.codes[range],
                ..*weights
            };
            let tile = self.tile(counted, model, &part).ok_or(wrong)?;
            tiles.push(tile.finish(matrix, self));
        }
        Ok(tiles)
    }

    fn tile(&self, counted: &Counted, model: &Model, part: &MaskedCodes<'_>) -> Option<TileRuns> {
        let mut tile = TileRuns::default();
        match (&counted.kind, model) {
            (Kind::Dense { .. }, Model::Dense { has_zero, table }) => {
                tile.add(self, *table, symbols::dense(part, *has_zero))?;
            }
            (Kind::Sparse(counted), Model::Sparse(model)) => {
                let (kept, places) = (Kept::of(part), Kept::of_blocks(part));
                if model.classes.is_empty() {
                    tile.is_empty = true;
                    return kept.codes.is_empty().then_some(tile);
                }
                let row_classes = symbols::row_classes(&places.counts, &counted.bounds);
                match model.row_classes {
                    Some(table) => tile.add(self, table, row_classes.clone())?,
                    None if row_classes.iter().all(|&class| class == 1) => {}
                    None => return None,
                }
                for (number, class) in (1..).zip(&model.classes) {
                    let gaps = symbols::gaps(&places, &row_classes, number);
                    let symbols = symbols::gap_symbols(&gaps, class.cap);
                    tile.counts.push(symbols.len());
                    tile.add(self, class.table, symbols)?;
                }
                for (context, symbols) in symbols::code_runs(&kept, part.n_negative, model.reach) {
                    tile.add(self, model.codes[context], symbols)?;
                }
            }
            _ => return None,
        }
        Some(tile)
    }
}

/// The counts of a matrix' codes, one for each table that its model names.
fn code_counts(matrix: &Counted) -> Vec<Vec<u64>> {
    match &matrix.kind {
        Kind::Dense { counts, .. } => [counts.clone()].into(),
        Kind::Sparse(sparse) if sparse.gaps.is_empty() => Vec::new(),
        Kind::Sparse(sparse) if sparse.reach == 0 => [sparse.codes[0].clone()].into(),
        Kind::Sparse(sparse) => sparse.codes.to_vec(),
    }
}

fn each_sparse(matrices: &[Counted], counts: impl Fn(&CountedSparse) -> Vec<Vec<u64>>) -> Vec<Vec<u64>> {
    let of = |matrix: &Counted| match &matrix.kind {
        Kind::Dense { .. } => Vec::new(),
        Kind::Sparse(sparse) => counts(sparse),
    };
    matrices.iter().flat_map(of).collect()
}

#[derive(Default)]
struct TableMaker {
    coded: Vec<Coded>,
}

impl TableMaker {
    /// Makes tables for symbols of one kind; only alphabets of the same size share one. Returns the table of
    /// each.
    fn make(&mut self, counts: Vec<Vec<u64>>) -> Vec<usize> {
        let mut table_of = alloc::vec![0; counts.len()];
        let mut sizes: Vec<usize> = counts.iter().map(Vec::len).collect();
        sizes.sort_unstable();
        sizes.dedup();
        for size in sizes {
            let (members, of_size): (Vec<usize>, Vec<Vec<u64>>) =
                counts.iter().cloned().enumerate().filter(|(_, counts)| counts.len() == size).unzip();
            let (groups, group_of) = cluster(&of_size);
            for (member, group) in members.into_iter().zip(group_of) {
                table_of[member] = self.coded.len() + group;
            }
            self.coded.extend(groups.iter().filter_map(|counts| Coded::smoothed(counts)));
        }
        table_of
    }
}

/// A tile as runs of symbols.
#[derive(Default)]
struct TileRuns {
    /// There is nothing but the model.
    is_empty: bool,
    counts: Vec<usize>,
    /// The table of each run, and its symbols.
    runs: Vec<(usize, Vec<u8>)>,
    /// In 2^-16 bits.
    cost: u64,
}

impl TileRuns {
    /// `None` if the table does not have all of the symbols.
    fn add(&mut self, plan: &Plan, table: usize, symbols: Vec<u8>) -> Option<()> {
        if symbols.is_empty() {
            return Some(());
        }
        let mut counts = alloc::vec![0; 256];
        symbols.iter().for_each(|&symbol| counts[usize::from(symbol)] += 1);
        self.cost += plan.tables.get(table)?.histogram.cost(&counts)?;
        self.runs.push((table, symbols));
        Some(())
    }

    fn finish(&self, model: usize, plan: &Plan) -> Vec<u8> {
        let log2_ways = log2_ways(self.cost >> 19);
        let mut bytes = Vec::new();
        write_varint(model * 8 + if self.is_empty { 0 } else { log2_ways as usize }, &mut bytes);
        if self.is_empty {
            return bytes;
        }
        self.counts.iter().for_each(|&n| write_varint(n, &mut bytes));
        let mut encoder = Encoder::new(log2_ways);
        for (table, symbols) in self.runs.iter().rev() {
            encoder.push(&plan.slots[*table], symbols);
        }
        bytes.extend(encoder.finish());
        bytes
    }
}

/// The number of ways that adds about 1 % to the bytes, at 3 bytes each.
fn log2_ways(n_bytes: u64) -> u32 {
    (0..MAX_LOG2_WAYS).find(|&log2| n_bytes < 200 << (log2 + 1)).unwrap_or(MAX_LOG2_WAYS)
}

fn write_varint(mut value: usize, to: &mut Vec<u8>) {
    while value >= 128 {
        to.push(value as u8 | 128);
        value >>= 7;
    }
    to.push(value as u8);
}
