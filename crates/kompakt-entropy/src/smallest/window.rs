//! The window before a weight in its picture: the seven nearest columns of the three picture rows above, and the
//! three weights on the left.
//!
//! ```text
//!   # # # # # # #
//!   # # # # # # #
//!   # # # # # # #
//!   # # # x
//! ```

use super::{
    picture::Picture,
    priors,
    tables::{LOG_KEPT, log},
};
use alloc::{vec, vec::Vec};

/// How far it reaches, up and to both sides.
const REACH: usize = 3;

/// Most weights in a window.
pub(crate) const MAX_KEPT: usize = REACH * (2 * REACH + 1) + REACH;

/// How many are kept, in the upper half; how many were expected, in 1/65536, in the lower. A difference of two sums
/// is right even where a sum has run over.
#[derive(Debug, Clone, Copy, Default)]
struct Sum(u64);

impl Sum {
    #[inline(always)]
    fn of(kept: bool, expected: u32) -> Self {
        Self(u64::from(kept) << 32 | u64::from(expected))
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    #[inline(always)]
    fn is_kept(self) -> bool {
        self.0 >> 32 != 0
    }

    /// The logarithm of kept against expected.
    #[inline(always)]
    fn surprise(self) -> i32 {
        let kept = (self.0 >> 32) as usize;
        i32::from(LOG_KEPT.at(kept.min(MAX_KEPT)) as i16)
            - log((self.0 & u64::from(u32::MAX)) + priors::WINDOW_PRIOR)
    }
}

/// Sums over the window of what was kept and of what was expected, as the coder walks along a picture row.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// Every weight of the row so far.
    seen: Vec<Sum>,
    /// Over the three picture rows above, all columns before each; with some on either side.
    above: Vec<Sum>,
    /// The last three weights of this picture row.
    recent: [Sum; REACH],
}

impl Window {
    pub(crate) fn new(row_len: usize, picture: &Picture) -> Self {
        let above = vec![Sum::default(); picture.width + 1 + 2 * REACH];
        Self { seen: vec![Sum::default(); row_len], above, recent: [Sum::default(); REACH] }
    }

    /// Starts picture row `y`, whose first weight is `start`.
    #[inline(always)]
    pub(crate) fn start(&mut self, picture: &Picture, y: usize, start: usize) {
        self.recent = [Sum::default(); REACH];
        let width = picture.width;
        let n_above = REACH.min(y);
        let above = &self.seen[start - n_above * width..start];
        let sums = &mut self.above[REACH + 1..];
        let mut sum = Sum::default();
        for x in 0..width {
            for up in 0..n_above {
                sum = sum.plus(above[up * width + x]);
            }
            sums[x] = sum;
        }
        sums[width..].fill(sum);
    }

    /// The logarithm of kept against expected before the weight in column `x`.
    #[inline(always)]
    pub(crate) fn surprise(&self, x: usize) -> i32 {
        let above = &self.above[x..x + 2 * REACH + 2];
        let above = above[2 * REACH + 1].0.wrapping_sub(above[0].0);
        self.recent.iter().fold(Sum(above), |sum, &weight| sum.plus(weight)).surprise()
    }

    /// Moves on behind weight `at`.
    #[inline(always)]
    pub(crate) fn push(&mut self, at: usize, kept: bool, expected: u32) {
        let seen = Sum::of(kept, expected);
        self.seen[at] = seen;
        self.recent = [seen, self.recent[0], self.recent[1]];
    }

    /// Calls `visit` with every kept weight of the window and its nearness, `64 / distance²`, rounded down.
    #[inline(always)]
    pub(crate) fn visit(
        &self,
        picture: &Picture,
        [y, x]: [usize; 2],
        at: usize,
        mut visit: impl FnMut(usize, u32),
    ) {
        for up in (0..=REACH.min(y)).rev() {
            let last = if up == 0 { x } else { (x + REACH + 1).min(picture.width) };
            let first = x.saturating_sub(REACH);
            let start = at - x - up * picture.width;
            for (i, seen) in self.seen[start + first..start + last].iter().enumerate() {
                if seen.is_kept() {
                    visit(start + first + i, u32::from(NEARNESS[up][i + REACH - (x - first)]));
                }
            }
        }
    }
}

/// By rows up and columns from three on the left.
static NEARNESS: [[u8; 2 * REACH + 1]; REACH + 1] = {
    let mut table = [[0; 2 * REACH + 1]; REACH + 1];
    let mut up = 0;
    while up <= REACH {
        let mut i = 0;
        while i <= 2 * REACH {
            let across = i.abs_diff(REACH);
            if up + across > 0 {
                table[up][i] = (64 / (up * up + across * across)) as u8;
            }
            i += 1;
        }
        up += 1;
    }
    table
};
