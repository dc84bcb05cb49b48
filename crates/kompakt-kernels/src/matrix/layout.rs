//! The offsets of a matrix's columns, in blocks within which an offset is a u16.

use alloc::{vec, vec::Vec};

/// The offsets of the columns of a [`TapMatrix`](crate::TapMatrix) in `x`, and their division into blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapLayout {
    pub(super) n_cols: usize,
    /// The offset of each column from its block's base; `None`: columns follow each other.
    pub(super) places: Option<Vec<u16>>,
    /// First column of each block, then `n_cols`.
    pub(super) bounds: Vec<u32>,
    /// The least offset of each block.
    pub(super) bases: Vec<u32>,
    /// The largest of all offsets.
    pub(super) max_offset: usize,
    /// Whether the columns are kernels of 3 x 3, which panels keep four channels together, place by place.
    pub(super) is_in_fours: bool,
}

impl TapLayout {
    /// The columns of a linear layer, in blocks of `block_cols` (at most 65,536).
    ///
    /// Panics: if there are more than 2^32 - 1 columns.
    pub fn linear(n_cols: usize, block_cols: usize) -> Self {
        assert!(u32::try_from(n_cols).is_ok(), "{n_cols} columns");
        let block_cols = block_cols.clamp(1, 1 << 16);
        let bases: Vec<u32> = (0..n_cols).step_by(block_cols).map(|c| c as u32).collect();
        let mut bounds = bases.clone();
        bounds.push(n_cols as u32);
        Self { n_cols, places: None, bounds, bases, max_offset: n_cols.saturating_sub(1), is_in_fours: false }
    }

    /// The columns of kernels of 3 x 3 that are transformed before they are multiplied.
    ///
    /// Panics: if there are more than 2^32 - 1 columns.
    pub(crate) fn kernels(channels: usize) -> Self {
        let linear = Self::linear(9 * channels, 1 << 16);
        Self { is_in_fours: channels.is_multiple_of(4), ..linear }
    }

    /// Columns at those offsets, in blocks that span at most `footprint` floats where possible.
    ///
    /// Panics: if there are more than 2^32 - 1 columns.
    pub fn planar(offsets: Vec<u32>, footprint: usize) -> Self {
        assert!(u32::try_from(offsets.len()).is_ok(), "{} columns", offsets.len());
        let reach = footprint.clamp(1, 1 << 16) as u32;
        let (mut bounds, mut bases) = (vec![], vec![]);
        let mut places = Vec::with_capacity(offsets.len());
        let mut first = 0;
        while first < offsets.len() {
            let (mut low, mut high, mut end) = (offsets[first], offsets[first], first + 1);
            while end < offsets.len() {
                let (l, h) = (low.min(offsets[end]), high.max(offsets[end]));
                if h - l >= reach {
                    break;
                }
                (low, high, end) = (l, h, end + 1);
            }
            bounds.push(first as u32);
            bases.push(low);
            places.extend(offsets[first..end].iter().map(|offset| (offset - low) as u16));
            first = end;
        }
        bounds.push(offsets.len() as u32);
        let max_offset = offsets.iter().copied().max().unwrap_or(0) as usize;
        Self { n_cols: offsets.len(), places: Some(places), bounds, bases, max_offset, is_in_fours: false }
    }

    /// The number of blocks.
    pub fn n_blocks(&self) -> usize {
        self.bases.len()
    }

    /// The offsets of all columns.
    pub(super) fn all_offsets(&self) -> impl Iterator<Item = u32> {
        let cols = |block: usize| self.bounds[block]..self.bounds[block + 1];
        (0..self.n_blocks()).flat_map(move |block| {
            cols(block).map(move |col| self.bases[block] + u32::from(self.index(block, col)))
        })
    }

    /// The bytes it holds.
    pub fn n_bytes(&self) -> usize {
        2 * self.places.as_ref().map_or(0, Vec::len) + 4 * (self.bounds.len() + self.bases.len())
    }

    /// Checks what [`index`](Self::index) relies on.
    ///
    /// Panics: unless columns ascend and are below the layout's.
    pub(super) fn check(&self, cols: &[u32]) {
        // Without an early exit, so that the loop vectorizes.
        let ascend = cols.windows(2).fold(true, |ascend, pair| ascend & (pair[0] < pair[1]));
        assert!(ascend, "columns do not ascend");
        if let Some(&last) = cols.last() {
            assert!((last as usize) < self.n_cols, "column {last} of {}", self.n_cols);
        }
    }

    /// Columns that passed [`check`](Self::check), cut at the blocks' bounds: each block, with its part.
    pub(super) fn cut<'c>(&'c self, cols: &'c [u32]) -> impl Iterator<Item = (usize, &'c [u32])> {
        let mut rest = cols;
        self.bounds[1..].iter().enumerate().map(move |(block, &end)| {
            let (part, after) = rest.split_at(rest.partition_point(|&c| c < end));
            rest = after;
            (block, part)
        })
    }

    /// Appends the offsets of columns that passed [`check`](Self::check) from their blocks' bases, and calls `end` after each
    /// block with the number of offsets so far.
    pub(super) fn append(&self, cols: &[u32], to: &mut Vec<u16>, mut end: impl FnMut(usize)) {
        if let Some(places) = &self.places {
            to.extend(cols.iter().map(|&col| places[col as usize]));
        }
        let (mut n, mut rest) = (to.len() - self.places.as_ref().map_or(0, |_| cols.len()), cols);
        for (block, &bound) in self.bounds[1..].iter().enumerate() {
            // All that are left are in the last block.
            let n_here = if block + 1 == self.n_blocks() { rest.len() } else { n_below(rest, bound) };
            let (here, after) = rest.split_at(n_here);
            if self.places.is_none() {
                to.extend(here.iter().map(|&col| (col - self.bases[block]) as u16));
            }
            (n, rest) = (n + n_here, after);
            end(n);
        }
    }

    /// The offset of a column from its block's base: at most 65,535 by the choice of blocks.
    #[inline]
    pub(super) fn index(&self, block: usize, col: u32) -> u16 {
        debug_assert!((self.bounds[block]..self.bounds[block + 1]).contains(&col));
        match &self.places {
            Some(places) => places[col as usize],
            None => (col - self.bases[block]) as u16,
        }
    }
}

/// How many of some ascending columns are below a bound, where few are: vectors of them are compared, and no branch depends on
/// one of them.
fn n_below(cols: &[u32], bound: u32) -> usize {
    const AT_ONCE: usize = 16;
    let below = |cols: &[u32]| cols.iter().map(|&col| u32::from(col < bound)).sum::<u32>() as usize;
    let mut n = 0;
    for some in cols.chunks(AT_ONCE) {
        let n_here = below(some);
        n += n_here;
        if n_here < AT_ONCE {
            break;
        }
    }
    n
}
