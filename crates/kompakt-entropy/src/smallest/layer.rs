//! The constants of a layer: its geometry, its levels, and the graph's information about its input channels.

use super::{
    cells::Cells,
    kept::N_PLACES,
    picture::{Kind, Picture},
    priors,
    stream::Hints,
    tables::{coarse, log},
};
use crate::{MaskedCodes, trellis::State};
use alloc::vec::Vec;

/// See the [module page](self).
pub(crate) struct LayerContext {
    pub(crate) picture: Picture,
    pub(crate) row_len: usize,
    pub(crate) has_mask: bool,
    /// Whether a mask keeps or removes blocks of weights.
    pub(crate) has_blocks: bool,
    /// Whether the codes of columns follow a trellis.
    pub(crate) trellis: bool,
    pub(crate) n_levels: usize,
    pub(crate) n_negative: usize,
    /// Sign and magnitude of every code.
    parts: [Part; 256],
    /// One per weight of a row.
    columns: Vec<Column>,
}

/// A code, split into its parts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Part {
    pub(crate) is_positive: bool,
    /// The middle of its share of its side, in 1/256 of the side.
    pub(crate) magnitude: i32,
}

/// What is known of a column before anything is coded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Half the logarithm of the producer's count against the mean; 0 without a producer.
    pub(crate) producer_logit: i32,
    /// The producer's count and the column's index as [`coarse`] has them.
    pub(crate) producer: u8,
    pub(crate) index: u8,
    /// How many columns before this one the first of its block is, which has the flag; 0 for that one.
    pub(crate) back: u32,
    /// Position within the plane, or in a line, of [`N_PLACES`].
    pub(crate) place: u16,
}

impl LayerContext {
    pub(crate) fn new<D: Cells>(cells: &D, hints: Hints<'_>) -> Self {
        let shape = cells.shape();
        let picture = Picture::new(&shape, &hints);
        let columns = columns(&shape, &picture, hints.producer);
        let (n_levels, n_negative) = (shape.n_levels, shape.n_negative);
        let part = |code: usize| match code.checked_sub(n_negative) {
            _ if code >= n_levels => Part::default(),
            Some(m) => Part { is_positive: true, magnitude: relative(m, n_levels - n_negative) },
            None => Part { is_positive: false, magnitude: relative(n_negative - 1 - code, n_negative) },
        };
        Self {
            picture,
            row_len: shape.row_len(),
            has_mask: shape.mask.is_some(),
            has_blocks: shape.block > 1,
            trellis: shape.trellis,
            n_levels,
            n_negative,
            parts: core::array::from_fn(part),
            columns,
        }
    }

    /// Sign and magnitude of a code.
    #[inline(always)]
    pub(crate) fn part(&self, code: u8) -> Part {
        self.parts[usize::from(code)]
    }

    /// Where codes follow a trellis: the state after a weight.
    #[inline(never)]
    pub(crate) fn next_state(&self, state: State, is_kept: bool, code: u8) -> State {
        if !is_kept {
            return state.after_pruned();
        }
        let code = usize::from(code);
        let magnitude =
            code.checked_sub(self.n_negative).unwrap_or_else(|| self.n_negative.wrapping_sub(1 + code));
        state.after_kept(magnitude)
    }

    /// What is fixed for a column.
    #[inline(always)]
    pub(crate) fn column(&self, index: usize) -> &Column {
        &self.columns[index]
    }
}

/// The middle of magnitude `m` of a side of `side` levels, in 1/256 of the side.
pub(crate) fn relative(m: usize, side: usize) -> i32 {
    ((2 * m + 1) * 128 / side) as i32
}

fn columns(shape: &MaskedCodes<'_>, picture: &Picture, producer: Option<&[u32]>) -> Vec<Column> {
    let counts = producer.unwrap_or(&[]);
    let sum: u64 = counts.iter().map(|&n| u64::from(n)).sum();
    let of = |n: u64| log(n + priors::PRODUCER_PRIOR);
    let mean = of((sum << 16) / counts.len().max(1) as u64);
    let column = |index: usize| {
        let count = counts.get(index / shape.taps).copied();
        let place = if picture.kind == Kind::Line { index } else { index % picture.area() };
        Column {
            producer_logit: count.map_or(0, |n| (of(u64::from(n) << 16) - mean) >> 1),
            producer: coarse(count.unwrap_or(0)) as u8,
            index: coarse(index as u32) as u8,
            back: shape.back(index) as u32,
            place: (place % N_PLACES) as u16,
        }
    };
    (0..shape.row_len()).map(column).collect()
}
