//! The receptive fields of a convolution, laid out as a matrix (im2col).
//!
//! ```text
//! patches [K, P]   K = channels of a group × taps, P = positions
//! y = W patches        dW = dy patchesᵀ        dx = fold(Wᵀ dy)
//! ```

use crate::product::{Matrix, add_product};
use kompakt_graph::{Convolution, Op};

/// A convolution whose patches are visited in contiguous runs.
#[derive(Debug, Clone)]
pub(crate) struct Window(Convolution);

impl Window {
    /// For a convolution with the shapes of its input and output; `None` for another operator.
    pub(crate) fn new(op: &Op, from: &[usize], to: &[usize]) -> Option<Self> {
        Convolution::of(op, from, to).map(Self)
    }

    /// Rows of a group, columns, positions.
    fn size(&self) -> [usize; 3] {
        [self.0.n_outputs(), self.0.n_weights(), self.0.n_positions()]
    }

    /// Whether the patch matrix is the image itself.
    fn is_plain(&self) -> bool {
        self.0.is_pointwise()
    }

    /// For a tap and a row of the output: the row of the input, the columns of the output that see it, and
    /// the first column of the input that is seen.
    fn line(&self, tap: [usize; 2], row: usize) -> Option<(usize, std::ops::Range<usize>, usize)> {
        let y = self.0.row(row, tap[0])?;
        let (before, stride) = (self.0.padding.left, self.0.stride.w);
        let shift = tap[1] * self.0.dilation.w;
        let first = before.saturating_sub(shift).div_ceil(stride);
        let end = (self.0.input[2] + before).saturating_sub(shift).div_ceil(stride).min(self.0.output[2]);
        (first < end).then(|| (y, first..end, first * stride + shift - before))
    }

    /// Visits runs of patches: offset in `[K, P]`, offset in a group's channels, length; the latter advances
    /// by the stride.
    fn runs(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let [_, n_cols, n_positions] = self.size();
        let kernel = self.0.kernel;
        let taps = kernel.h * kernel.w;
        for col in 0..n_cols {
            let (channel, tap) = (col / taps, [col % taps / kernel.w, col % kernel.w]);
            for row in 0..self.0.output[1] {
                if let Some((y, cols, x)) = self.line(tap, row) {
                    let to = col * n_positions + row * self.0.output[2] + cols.start;
                    visit(to, (channel * self.0.input[1] + y) * self.0.input[2] + x, cols.len());
                }
            }
        }
    }

    /// The gradient of the input: `weights` `[out, in / groups, kh, kw]`, `dy` as the output.
    pub(crate) fn back(&self, weights: &[f32], dy: &[f32]) -> Vec<f32> {
        let [rows, cols, positions] = self.size();
        let part = self.0.input.iter().product::<usize>() / self.0.groups;
        let mut dx = vec![0.0; part * self.0.groups];
        let mut patches = vec![0f32; if self.is_plain() { 0 } else { cols * positions }];
        for (group, dx) in dx.chunks_exact_mut(part).enumerate() {
            let w = Matrix::rows(&weights[group * rows * cols..][..rows * cols], cols).transposed();
            let dy = Matrix::rows(&dy[group * rows * positions..][..rows * positions], positions);
            if self.is_plain() {
                add_product(w, dy, [cols, rows, positions], dx);
                continue;
            }
            patches.fill(0.0);
            add_product(w, dy, [cols, rows, positions], &mut patches);
            let stride = self.0.stride.w;
            self.runs(|to, from, n| {
                let target = dx[from..].iter_mut().step_by(stride);
                target.zip(&patches[to..to + n]).for_each(|(x, p)| *x += p);
            });
        }
        dx
    }

    /// The gradient of the weights: `x` as the input, `dy` as the output.
    pub(crate) fn weights(&self, x: &[f32], dy: &[f32]) -> Vec<f32> {
        let [rows, cols, positions] = self.size();
        let part = x.len() / self.0.groups;
        let mut dw = vec![0.0; self.0.groups * rows * cols];
        let mut patches = vec![0f32; if self.is_plain() { 0 } else { cols * positions }];
        for (group, dw) in dw.chunks_exact_mut(rows * cols).enumerate() {
            let x = &x[group * part..][..part];
            let dy = Matrix::rows(&dy[group * rows * positions..][..rows * positions], positions);
            if !self.is_plain() {
                // Cells outside stay 0.
                let stride = self.0.stride.w;
                self.runs(|to, from, n| {
                    let source = x[from..].iter().step_by(stride);
                    patches[to..to + n].iter_mut().zip(source).for_each(|(p, x)| *p = *x);
                });
            }
            let seen = if self.is_plain() { x } else { &patches };
            add_product(dy, Matrix::rows(seen, positions).transposed(), [rows, positions, cols], dw);
        }
        dw
    }
}
