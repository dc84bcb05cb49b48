//! The first round: counts what each matrix consists of, and settles how it is coded.

use super::cluster::{cost, entropy};
use super::{MAX_CLASSES, MAX_TABLES, MAX_TILE_WEIGHTS, Plan, symbols};
use crate::direct::layout::Kept;
use crate::{EntropyError, MaskedCodes};
use alloc::{vec, vec::Vec};
use core::ops::Range;

/// Caps that are tried, those with alphabets that fit registers first.
const CAPS: [u8; 12] = [3, 7, 11, 15, 21, 27, 31, 47, 63, 95, 127, 255];
/// What the time of a symbol is worth, in 2^-16 bits: a 64th of a bit.
const DENSE_TIME: u64 = 1 << 10;
/// A symbol of a sparse tile is also summed up or put into its place.
const SPARSE_TIME: u64 = 3 << 9;
/// Reaches that are tried.
const REACHES: [u32; 5] = [1, 2, 4, 8, 15];
/// The most different row counts that classes are cut from.
const MAX_BINS: usize = 48;

/// Counts the symbols of matrices, so that tables can be made for all of them.
#[derive(Debug, Clone, Default)]
pub struct Collector {
    pub(super) matrices: Vec<Counted>,
}

/// What is known of a matrix after the first round.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    pub(super) rows_per_tile: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Dense { has_zero: bool, counts: Vec<u64> },
    Sparse(CountedSparse),
}

#[derive(Debug, Clone)]
pub(super) struct CountedSparse {
    /// The highest kept count of each class but the last.
    pub(super) bounds: Vec<usize>,
    /// How many rows each class has, class 0 first. Empty if all are of class 1.
    pub(super) row_classes: Vec<u64>,
    /// The cap of each class, and its symbols.
    pub(super) gaps: Vec<(u8, Vec<u64>)>,
    pub(super) reach: u32,
    /// The codes, by context.
    pub(super) codes: [Vec<u64>; 3],
}

impl Collector {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one matrix, to be cut into tiles of `rows_per_tile` rows (the last may have fewer). Returns its
    /// number, 0 for the first.
    ///
    /// Errors: [`EntropyError::Weights`] where [`MaskedCodes::validate`] says so, where a side is 0, where a tile
    /// would have more than [`MAX_TILE_WEIGHTS`](super::MAX_TILE_WEIGHTS), or beyond the 4096th matrix.
    pub fn add(&mut self, weights: &MaskedCodes<'_>, rows_per_tile: usize) -> Result<usize, EntropyError> {
        weights.validate()?;
        let wrong = |problem| Err(EntropyError::weights(problem));
        if weights.is_empty() || rows_per_tile == 0 {
            return wrong("a matrix has a row and a column at least, and so has a tile");
        }
        let rows_per_tile = rows_per_tile.min(weights.rows);
        if rows_per_tile.saturating_mul(weights.row_len()) > MAX_TILE_WEIGHTS {
            return wrong("a tile would have more than 2^24 weights");
        }
        if self.matrices.len() == MAX_TABLES {
            return wrong("a file has at most 4096 matrices");
        }
        self.matrices.push(Counted { rows_per_tile, kind: count(weights, rows_per_tile) });
        Ok(self.matrices.len() - 1)
    }

    /// Makes the tables, and the models that say which matrix uses which.
    pub fn finish(self) -> Plan {
        Plan::new(self)
    }
}

fn count(weights: &MaskedCodes<'_>, rows_per_tile: usize) -> Kind {
    let kept = Kept::of(weights);
    let places = Kept::of_blocks(weights);
    let tiles = tiles(&places, rows_per_tile);
    let sparse = sparse(weights, &tiles, &places, &kept);
    let n_symbols = sparse.gaps.iter().flat_map(|(_, counts)| counts).sum::<u64>() + kept.codes.len() as u64;
    let sparse_cost = sparse.cost() + n_symbols * SPARSE_TIME;
    let has_zero = kept.is_pruned();
    if weights.n_levels + usize::from(has_zero) <= 256 {
        let mut counts = vec![0; weights.n_levels + usize::from(has_zero)];
        symbols::dense(weights, has_zero).into_iter().for_each(|symbol| counts[usize::from(symbol)] += 1);
        if cost(&counts) + weights.len() as u64 * DENSE_TIME <= sparse_cost {
            return Kind::Dense { has_zero, counts };
        }
    }
    Kind::Sparse(sparse)
}

/// The tiles of a matrix, each as its kept weights.
fn tiles(kept: &Kept, rows_per_tile: usize) -> Vec<Kept> {
    let mut first = 0;
    let tile = |counts: &[usize]| {
        let range = first..first + counts.iter().sum::<usize>();
        first = range.end;
        Kept {
            shape: crate::direct::TileShape { rows: counts.len(), ..kept.shape },
            gaps: kept.gaps[range.clone()].to_vec(),
            codes: kept.codes[range].to_vec(),
            counts: counts.to_vec(),
        }
    };
    kept.counts.chunks(rows_per_tile).map(tile).collect()
}

/// `tiles` and `places` are of blocks, `kept` of weights.
fn sparse(weights: &MaskedCodes<'_>, tiles: &[Kept], places: &Kept, kept: &Kept) -> CountedSparse {
    let none = CountedSparse {
        bounds: Vec::new(),
        row_classes: Vec::new(),
        gaps: Vec::new(),
        reach: 0,
        codes: [const { Vec::new() }; 3],
    };
    if kept.codes.is_empty() {
        return none;
    }
    let mut best = none;
    let mut least = u64::MAX;
    for bounds in cuts(&places.counts, places.shape.cols) {
        let tried = classes(tiles, bounds);
        let cost = tried.cost();
        if cost < least {
            least = cost;
            best = tried;
        }
    }
    // The chain of links costs time; it has to save a fiftieth.
    best.codes = symbols::code_counts(kept, weights.n_negative, 0);
    let plain = best.cost();
    let mut least = plain - plain / 50;
    for reach in REACHES {
        let codes = symbols::code_counts(kept, weights.n_negative, reach);
        let cost = best.place_cost() + codes.iter().map(|counts| cost(counts)).sum::<u64>();
        if cost < least {
            least = cost;
            (best.reach, best.codes) = (reach, codes);
        }
    }
    best
}

/// Counts gaps and classes of rows cut at `bounds`.
fn classes(tiles: &[Kept], bounds: Vec<usize>) -> CountedSparse {
    let n_classes = bounds.len() + 1;
    let mut row_classes = vec![0; n_classes + 1];
    let mut gaps = vec![Vec::new(); n_classes];
    for tile in tiles {
        let rows = symbols::row_classes(&tile.counts, &bounds);
        rows.iter().for_each(|&class| row_classes[usize::from(class)] += 1);
        for (class, gaps) in (1..).zip(&mut gaps) {
            gaps.extend(symbols::gaps(tile, &rows, class));
        }
    }
    if n_classes == 1 && row_classes[0] == 0 {
        row_classes.clear();
    }
    let gaps = gaps.into_iter().map(best_cap).collect();
    CountedSparse { bounds, row_classes, gaps, reach: 0, codes: [const { Vec::new() }; 3] }
}

/// The cap that suits these gaps, and how often each symbol comes with it.
fn best_cap(mut gaps: Vec<u32>) -> (u8, Vec<u64>) {
    gaps.sort_unstable();
    let counted: Vec<(u32, u64)> =
        gaps.chunk_by(|a, b| a == b).map(|like| (like[0], like.len() as u64)).collect();
    let tried = CAPS.map(|cap| {
        let counts = with_cap(&counted, cap);
        (cost(&counts) + counts.iter().sum::<u64>() * SPARSE_TIME, cap, counts)
    });
    let least = tried.iter().map(|(cost, ..)| *cost).min().unwrap_or(0);
    // Smaller alphabets decode faster; a larger has to save a little.
    let first = tried.into_iter().find(|(cost, ..)| *cost <= least + least / 300);
    first.map_or_else(|| (CAPS[0], with_cap(&counted, CAPS[0])), |(_, cap, counts)| (cap, counts))
}

fn with_cap(gaps: &[(u32, u64)], cap: u8) -> Vec<u64> {
    let mut counts = vec![0; usize::from(cap) + 1];
    for &(gap, n) in gaps {
        counts[usize::from(cap)] += n * u64::from(gap / u32::from(cap));
        counts[(gap % u32::from(cap)) as usize] += n;
    }
    counts
}

impl CountedSparse {
    fn cost(&self) -> u64 {
        self.place_cost() + self.codes.iter().map(|counts| cost(counts)).sum::<u64>()
    }

    fn place_cost(&self) -> u64 {
        cost(&self.row_classes) + self.gaps.iter().map(|(_, counts)| cost(counts)).sum::<u64>()
    }
}

/// For every number of classes, the bounds that part rows by how many weights they keep such that, within each
/// class, a weight being kept or not takes least.
fn cuts(counts: &[usize], cols: usize) -> Vec<Vec<usize>> {
    let bins = bins(counts);
    let part = |range: Range<usize>| {
        let (rows, kept) =
            bins[range].iter().fold((0, 0), |(rows, kept), bin| (rows + bin.rows, kept + bin.kept));
        entropy_of_mask(rows * cols as u64, kept)
    };
    // least[k][j]: the first j bins as k + 1 classes, and where the last class starts.
    let mut least: Vec<Vec<(u64, usize)>> = vec![(0..=bins.len()).map(|j| (part(0..j), 0)).collect()];
    for k in 1..MAX_CLASSES.min(bins.len()) {
        let best = |j: usize| {
            let splits = (k..j).map(|i| (least[k - 1][i].0 + part(i..j), i));
            splits.min().unwrap_or((u64::MAX / 2, 0))
        };
        let row = (0..=bins.len()).map(best).collect();
        least.push(row);
    }
    let bounds = |k: usize| {
        let (mut bounds, mut end) = (Vec::new(), bins.len());
        for k in (1..=k).rev() {
            end = least[k][end].1;
            bounds.push(bins[end - 1].highest);
        }
        bounds.reverse();
        bounds
    };
    (0..least.len()).map(bounds).collect()
}

/// Rows of about the same kept count.
struct Bin {
    highest: usize,
    rows: u64,
    kept: u64,
}

fn bins(counts: &[usize]) -> Vec<Bin> {
    let mut sorted: Vec<usize> = counts.iter().copied().filter(|&n| n > 0).collect();
    sorted.sort_unstable();
    let per_bin = sorted.len().div_ceil(MAX_BINS);
    let mut bins: Vec<Bin> = Vec::new();
    for n in sorted {
        match bins.last_mut() {
            Some(bin) if bin.highest == n || bin.rows < per_bin as u64 => {
                bin.highest = n;
                bin.rows += 1;
                bin.kept += n as u64;
            }
            _ => bins.push(Bin { highest: n, rows: 1, kept: n as u64 }),
        }
    }
    bins
}

/// What it takes to say which `kept` of `n` weights are kept, in 2^-16 bits.
fn entropy_of_mask(n: u64, kept: u64) -> u64 {
    entropy(&[kept, n - kept])
}
