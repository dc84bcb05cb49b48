//! The window before a weight in its picture: the seven nearest columns of the three picture rows above, and the
//! three weights on the left.
//!
//! ```text
//!   # # # # # # #
//!   # # # # # # #
//!   # # # # # # #
//!   # # # x
//! ```

use super::{picture::Picture, priors, tables::ratio};
use alloc::{vec, vec::Vec};

/// How far it reaches, up and to both sides.
const REACH: usize = 3;

/// Kept weights and what was expected, in 1/65536.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    kept: u64,
    expected: u64,
}

impl Sum {
    fn plus(self, kept: u8, expected: u32) -> Self {
        Self { kept: self.kept + u64::from(kept), expected: self.expected + u64::from(expected) }
    }
}

/// Sums over the window of what was kept and of what was expected, as the coder walks along a picture row.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// Expected, for every weight of the row so far, in 1/65536.
    expected: Vec<u32>,
    /// Over the three picture rows above, all columns before each.
    above: Vec<Sum>,
    /// The last three weights of this picture row, the latest first.
    recent: [(u8, u32); REACH],
}

impl Window {
    pub(crate) fn new(row_len: usize, picture: &Picture) -> Self {
        let above = vec![Sum::default(); picture.width + 1];
        Self { expected: vec![0; row_len], above, recent: [(0, 0); REACH] }
    }

    /// Starts picture row `y`, whose first weight is `start`; `kept` is the row of weights so far.
    pub(crate) fn start(&mut self, picture: &Picture, y: usize, start: usize, kept: &[u8]) {
        let width = picture.width;
        self.recent = [(0, 0); REACH];
        for x in 0..width {
            let above = (1..=REACH.min(y)).map(|up| start + x - up * width);
            let sum = above.fold(self.above[x], |sum, i| sum.plus(kept[i], self.expected[i]));
            self.above[x + 1] = sum;
        }
    }

    /// The logarithm of kept against expected before the weight in column `x`.
    #[inline]
    pub(crate) fn surprise(&self, picture: &Picture, x: usize) -> i32 {
        let (first, last) =
            (self.above[x.saturating_sub(REACH)], self.above[(x + REACH + 1).min(picture.width)]);
        let above = Sum { kept: last.kept - first.kept, expected: last.expected - first.expected };
        let sum = self.recent.iter().fold(above, |sum, &(kept, expected)| sum.plus(kept, expected));
        ratio((sum.kept << 16) + priors::WINDOW_PRIOR, sum.expected + priors::WINDOW_PRIOR)
    }

    /// Moves on behind weight `at`.
    #[inline]
    pub(crate) fn push(&mut self, at: usize, kept: bool, expected: u32) {
        self.expected[at] = expected;
        self.recent = [(u8::from(kept), expected), self.recent[0], self.recent[1]];
    }

    /// Calls `visit` with every kept weight of the window and its nearness, `64 / distance²`, rounded down.
    pub(crate) fn visit(
        picture: &Picture,
        [y, x]: [usize; 2],
        at: usize,
        kept: &[u8],
        mut visit: impl FnMut(usize, u32),
    ) {
        for up in (0..=REACH.min(y)).rev() {
            let last = if up == 0 { x } else { (x + REACH + 1).min(picture.width) };
            for column in x.saturating_sub(REACH)..last {
                let index = at - x - up * picture.width + column;
                if kept[index] == 1 {
                    let across = column.abs_diff(x);
                    visit(index, (64 / (up * up + across * across)) as u32);
                }
            }
        }
    }
}
