//! The window before a weight in its picture: the seven nearest columns of the three picture rows above, and the
//! three weights on the left.
//!
//! ```text
//!   # # # # # # #
//!   # # # # # # #
//!   # # # # # # #
//!   # # # x
//! ```

use super::picture::Picture;
use alloc::{vec, vec::Vec};

/// How far it reaches, up and to both sides.
const REACH: usize = 3;

/// Sums over the window of what was kept and of what was expected, as the coder walks along a picture row.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// Expected, for every weight of the row so far, in 1/65536.
    expected: Vec<u32>,
    /// Kept and expected in the rows above, summed over all columns before each.
    above: Vec<(u32, u64)>,
}

impl Window {
    pub(crate) fn new(row_len: usize, picture: &Picture) -> Self {
        Self { expected: vec![0; row_len], above: vec![(0, 0); picture.width + 1] }
    }

    /// Starts picture row `y`, whose first weight is `start`; `kept` is the row of weights so far.
    pub(crate) fn start(&mut self, picture: &Picture, y: usize, start: usize, kept: &[u8]) {
        let width = picture.width;
        for x in 0..width {
            let (mut n_kept, mut expected) = self.above[x];
            for up in 1..=REACH.min(y) {
                n_kept += u32::from(kept[start + x - up * width]);
                expected += u64::from(self.expected[start + x - up * width]);
            }
            self.above[x + 1] = (n_kept, expected);
        }
    }

    /// Kept and expected (in 1/65536) before the weight in column `x`, whose index is `at`.
    #[inline]
    pub(crate) fn sums(&self, picture: &Picture, x: usize, at: usize, kept: &[u8]) -> (u32, u64) {
        let (first, last) = (x.saturating_sub(REACH), (x + REACH + 1).min(picture.width));
        let (mut n_kept, mut expected) =
            (self.above[last].0 - self.above[first].0, self.above[last].1 - self.above[first].1);
        for back in 1..=REACH.min(x) {
            n_kept += u32::from(kept[at - back]);
            expected += u64::from(self.expected[at - back]);
        }
        (n_kept, expected)
    }

    /// Notes what was expected of weight `at`.
    #[inline]
    pub(crate) fn expect(&mut self, at: usize, p: u32) {
        self.expected[at] = p;
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
