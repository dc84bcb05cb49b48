//! Data movement: transposes and strided boxes.

use kompakt_kernels::{Isa, transpose::exchange};

/// `y` is `x` with rows and columns exchanged; `x` `[rows, cols]`.
pub(crate) fn transpose(isa: Isa, x: &[f32], rows: usize, cols: usize, y: &mut [f32]) {
    if rows == 1 || cols == 1 {
        y.copy_from_slice(x);
        return;
    }
    exchange(isa, x, cols, y, rows, [rows, cols]);
}

/// A line of elements of a box, and the matching ones of the box around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    /// Index of the first in the inner box, where they are contiguous.
    pub(super) inner: usize,
    /// Index of the first in the outer box.
    pub(super) outer: usize,
    /// How many.
    pub(super) len: usize,
    /// Stride in the outer box.
    pub(super) step: usize,
}

/// Calls `visit` for all elements, line by line, of a box of shape `inner` that lies in one of shape `outer`, at `start`,
/// `step` apart; numbers are row-major.
pub(super) fn for_each_line(
    inner: &[usize],
    outer: &[usize],
    start: &[usize],
    step: &[usize],
    visit: &mut dyn FnMut(Line),
) {
    // Trailing axes that are covered completely form one line, together with the axis before them if its step
    // is 1.
    let is_whole = |axis: &usize| inner[*axis] == outer[*axis] && step[*axis] == 1;
    let mut n_axes = inner.len() - (0..inner.len()).rev().take_while(is_whole).count();
    let whole: usize = inner[n_axes..].iter().product();
    let (mut len, mut apart, mut first) = (whole, 1, 0);
    if let Some(axis) = n_axes.checked_sub(1).filter(|&axis| step[axis] == 1 || whole == 1) {
        (len, apart, first, n_axes) = (inner[axis] * whole, step[axis], start[axis] * whole, axis);
    }
    let distance = |axis: usize| outer[axis + 1..].iter().product::<usize>();
    for number in 0..inner[..n_axes].iter().product() {
        let (mut left, mut at) = (number, first);
        for axis in (0..n_axes).rev() {
            at += (start[axis] + left % inner[axis] * step[axis]) * distance(axis);
            left /= inner[axis];
        }
        visit(Line { inner: number * len, outer: at, len, step: apart });
    }
}

#[cfg(test)]
mod tests {
    use super::{Isa, Line, for_each_line, transpose};
    use alloc::{vec, vec::Vec};

    #[test]
    fn transposing_twice_changes_nothing() {
        for (rows, cols) in [(1, 5), (5, 1), (3, 7), (64, 100), (33, 17)] {
            let x: Vec<f32> = (0..rows * cols).map(|i| i as f32).collect();
            let (mut y, mut z) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            let isa = Isa::available().next().unwrap();
            transpose(isa, &x, rows, cols, &mut y);
            assert_eq!(y[rows - 1 + (cols - 1) * rows], x[x.len() - 1]);
            assert_eq!(y[rows * (cols / 2)], x[cols / 2]);
            transpose(isa, &y, cols, rows, &mut z);
            assert_eq!(x, z);
        }
    }

    #[test]
    fn lines_are_all_elements_in_order() {
        arbtest::arbtest(|u| {
            let rank = u.int_in_range(0..=4)?;
            let (mut inner, mut outer, mut start, mut step) = (vec![], vec![], vec![], vec![]);
            for _ in 0..rank {
                let (n, by) = (u.int_in_range(1..=4)?, u.int_in_range(1..=3)?);
                let from = u.int_in_range(0..=2)?;
                inner.push(n);
                step.push(by);
                start.push(from);
                outer.push(from + (n - 1) * by + 1 + u.int_in_range(0..=1)?);
            }
            let mut expected = vec![0];
            for axis in 0..rank {
                let places = (0..inner[axis]).map(|i| start[axis] + i * step[axis]);
                expected = expected
                    .iter()
                    .flat_map(|at| places.clone().map(move |place| (at, place)))
                    .map(|(at, place)| at * outer[axis] + place)
                    .collect();
            }
            let mut found = vec![];
            for_each_line(&inner, &outer, &start, &step, &mut |line: Line| {
                assert_eq!(line.inner, found.len());
                found.extend((0..line.len).map(|i| line.outer + i * line.step));
            });
            assert_eq!(found, expected, "{inner:?} in {outer:?} at {start:?} by {step:?}");
            Ok(())
        });
    }
}
