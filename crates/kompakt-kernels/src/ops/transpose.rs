//! Permutes dimensions.

#![expect(unsafe_code, reason = "sixteen elements at a time, within slices whose lengths were checked")]

use crate::{
    Isa,
    arch::Arch,
    isa::{Job, run},
};
use alloc::vec::Vec;

/// Rows and columns that are exchanged together: their cache lines are used whole.
const TILE: usize = 16;

/// Dimension `i` of `y` is dimension `axes[i]` of `x`.
///
/// Panics: if `axes` is not a permutation of the dimensions of `from`, or a length is not that of `from`.
pub fn transpose(isa: Isa, x: &[f32], from: &[usize], axes: &[usize], y: &mut [f32]) {
    let n: usize = from.iter().product();
    assert!(x.len() == n && y.len() == n && axes.len() == from.len(), "lengths and dimensions");
    let mut is_there = [false; usize::BITS as usize];
    axes.iter().for_each(|&axis| is_there[axis] = true);
    assert!(is_there.iter().take(from.len()).all(|&is| is), "{axes:?} is not a permutation");
    let stride = |axis: usize| from[axis + 1..].iter().product::<usize>();
    // Size, stride in x and stride in y of each dimension of y with more than one element.
    let mut dims: Vec<[usize; 3]> = Vec::with_capacity(axes.len());
    let mut y_step = n;
    for &axis in axes.iter().filter(|&&axis| from[axis] != 1) {
        y_step /= from[axis].max(1);
        dims.push([from[axis], stride(axis), y_step]);
    }
    if n == 0 {
        return;
    }
    let Some([len, step, _]) = dims.pop() else {
        y.copy_from_slice(x);
        return;
    };
    if step == 1 {
        let mut lines = y.chunks_exact_mut(len);
        walk(&dims, |at, _| {
            if let Some(y) = lines.next() {
                y.copy_from_slice(&x[at..at + len]);
            }
        });
        return;
    }
    // The dimension that is contiguous in x, and the last of y.
    let contiguous = dims.iter().position(|dim| dim[1] == 1).unwrap_or(0);
    let [columns, x_apart, y_step] = dims.remove(contiguous);
    debug_assert_eq!(x_apart, 1, "one dimension of x is contiguous");
    walk(&dims, |at, to| {
        exchange(isa, &x[at..], step, &mut y[to..], y_step, [len, columns]);
    });
}

/// `y[c * y_step + r] = x[r * x_step + c]` for `[rows, columns]`. Panics: if a slice is too short.
pub fn exchange(isa: Isa, x: &[f32], x_step: usize, y: &mut [f32], y_step: usize, size: [usize; 2]) {
    let [rows, columns] = size;
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(x.len() >= (rows - 1) * x_step + columns, "x is too short");
    assert!(y.len() >= (columns - 1) * y_step + rows, "y is too short");
    run(isa, Exchange { x, x_step, y, y_step, size });
}

/// Visits all indices, with the matching offsets in x and y.
fn walk(dims: &[[usize; 3]], mut visit: impl FnMut(usize, usize)) {
    let mut index = alloc::vec![0; dims.len()];
    let (mut at, mut to) = (0, 0);
    for _ in 0..dims.iter().map(|dim| dim[0]).product() {
        visit(at, to);
        for (index, &[size, x_step, y_step]) in index.iter_mut().zip(dims).rev() {
            (*index, at, to) = (*index + 1, at + x_step, to + y_step);
            if *index < size {
                break;
            }
            (*index, at, to) = (0, at - size * x_step, to - size * y_step);
        }
    }
}

/// Made by [`exchange`], which has checked the lengths.
struct Exchange<'a> {
    x: &'a [f32],
    x_step: usize,
    y: &'a mut [f32],
    y_step: usize,
    size: [usize; 2],
}

impl Job for Exchange<'_> {
    type Output = ();

    fn define(self) {
        let Self { x, x_step, y, y_step, size: [rows, columns] } = self;
        for c in 0..columns {
            for r in 0..rows {
                y[c * y_step + r] = x[r * x_step + c];
            }
        }
    }

    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        let Self { x, x_step, y, y_step, size: [rows, columns] } = self;
        for c in (0..columns).step_by(TILE) {
            for r in (0..rows).step_by(TILE) {
                let (c_end, r_end) = (columns.min(c + TILE), rows.min(r + TILE));
                for c in (c..c_end).step_by(4) {
                    for r in (r..r_end).step_by(4) {
                        if c + 4 <= c_end && r + 4 <= r_end {
                            // SAFETY: four rows of four columns are in both; the features are promised.
                            unsafe {
                                let (x, y) =
                                    (x.as_ptr().add(r * x_step + c), y.as_mut_ptr().add(c * y_step + r));
                                A::transpose(x, x_step, y, y_step);
                            }
                            continue;
                        }
                        for c in c..c_end.min(c + 4) {
                            for r in r..r_end.min(r + 4) {
                                y[c * y_step + r] = x[r * x_step + c];
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn transposes_as_numpy_does() {
        // numpy.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)[1]
        let x: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let mut y = vec![0.0; 24];
        for isa in Isa::available() {
            transpose(isa, &x, &[2, 3, 4], &[2, 0, 1], &mut y);
            assert_eq!(y[6..12], [1.0, 5.0, 9.0, 13.0, 17.0, 21.0]);
            transpose(isa, &x, &[2, 3, 4], &[1, 0, 2], &mut y);
            assert_eq!(y[..8], [0.0, 1.0, 2.0, 3.0, 12.0, 13.0, 14.0, 15.0]);
        }
    }

    #[test]
    fn every_permutation_of_shapes_by_index() {
        let shapes = [[1, 1, 1, 1], [1, 5, 1, 7], [4, 4, 8, 4], [3, 17, 2, 21], [2, 33, 1, 20], [5, 1, 6, 1]];
        for from in shapes {
            let n: usize = from.iter().product();
            let x: Vec<f32> = (0..n).map(|i| i as f32).collect();
            for code in 0..256 {
                let axes = [code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6];
                if (0..4).any(|axis| !axes.contains(&axis)) {
                    continue;
                }
                let stride = |axis: usize| from[axis + 1..].iter().product::<usize>();
                for isa in Isa::available() {
                    let mut y = vec![-1.0; n];
                    transpose(isa, &x, &from, &axes, &mut y);
                    for (i, y) in y.iter().enumerate() {
                        let (mut left, mut at) = (i, 0);
                        for &axis in axes.iter().rev() {
                            at += left % from[axis] * stride(axis);
                            left /= from[axis];
                        }
                        assert_eq!(*y, at as f32, "{from:?} {axes:?} {isa}");
                    }
                }
            }
        }
    }
}
