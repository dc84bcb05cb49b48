//! Moving elements: transposes, and boxes in boxes.

/// `y` is `x` with rows and columns exchanged; `x` `[rows, cols]`.
pub(crate) fn transpose(x: &[f32], rows: usize, cols: usize, y: &mut [f32]) {
    const TILE: usize = 16;
    if rows == 1 || cols == 1 {
        y.copy_from_slice(x);
        return;
    }
    for r0 in (0..rows).step_by(TILE) {
        for c0 in (0..cols).step_by(TILE) {
            for c in c0..(c0 + TILE).min(cols) {
                let to = &mut y[c * rows + r0..c * rows + (r0 + TILE).min(rows)];
                for (r, to) in (r0..).zip(to) {
                    *to = x[r * cols + c];
                }
            }
        }
    }
}

/// Calls `visit(inner, outer)` for every element of a box of shape `inner` that lies in one of shape `outer`, at
/// `start`, `step` apart; both as row-major numbers.
pub(super) fn for_each_place(
    inner: &[usize],
    outer: &[usize],
    start: &[usize],
    step: &[usize],
    visit: &mut dyn FnMut(usize, usize),
) {
    let total: usize = inner.iter().product();
    for number in 0..total {
        let (mut left, mut at, mut stride) = (number, 0, 1);
        for axis in (0..inner.len()).rev() {
            let i = left % inner[axis];
            left /= inner[axis];
            at += (start[axis] + i * step[axis]) * stride;
            stride *= outer[axis];
        }
        visit(number, at);
    }
}

#[cfg(test)]
mod tests {
    use super::transpose;
    use alloc::{vec, vec::Vec};

    #[test]
    fn transposing_twice_changes_nothing() {
        for (rows, cols) in [(1, 5), (5, 1), (3, 7), (64, 100), (33, 17)] {
            let x: Vec<f32> = (0..rows * cols).map(|i| i as f32).collect();
            let (mut y, mut z) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            transpose(&x, rows, cols, &mut y);
            assert_eq!(y[rows - 1 + (cols - 1) * rows], x[x.len() - 1]);
            assert_eq!(y[rows * (cols / 2)], x[cols / 2]);
            transpose(&y, cols, rows, &mut z);
            assert_eq!(x, z);
        }
    }
}
