//! The windows that a convolution looks through, laid out as a matrix.
//!
//! ```text
//! patches [K, P]   K = channels of a group × taps, P = positions
//! y = W patches        dW = dy patchesᵀ        dx = fold(Wᵀ dy)
//! ```

use crate::product::{Matrix, add_product};
use kompakt_graph::Op;

/// A convolution's sizes.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// `[c, h, w]` of the input and of the output.
    from: [usize; 3],
    to: [usize; 3],
    kernel: [usize; 2],
    stride: [usize; 2],
    before: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
}

impl Window {
    /// Of a convolution with the shapes of its input and output; `None` for another operator.
    pub(crate) fn new(op: &Op, from: &[usize], to: &[usize]) -> Option<Self> {
        let Op::Conv2d { kernel, stride, padding, dilation, groups, .. } = op else { return None };
        Some(Self {
            from: from.try_into().ok()?,
            to: to.try_into().ok()?,
            kernel: [kernel.h, kernel.w],
            stride: [stride.h, stride.w],
            before: [padding.top, padding.left],
            dilation: [dilation.h, dilation.w],
            groups: *groups,
        })
    }

    /// Rows of a group, columns, positions.
    fn size(&self) -> [usize; 3] {
        let taps = self.kernel[0] * self.kernel[1];
        [self.to[0] / self.groups, self.from[0] / self.groups * taps, self.to[1] * self.to[2]]
    }

    /// Whether patches are the image itself.
    fn is_plain(&self) -> bool {
        self.kernel == [1, 1]
            && self.stride == [1, 1]
            && self.before == [0, 0]
            && self.from[1..] == self.to[1..]
    }

    /// For a tap and a line of the output: the line of the input, the columns of the output that see it, and the first
    /// column of the input that is seen.
    fn line(&self, tap: [usize; 2], row: usize) -> Option<(usize, std::ops::Range<usize>, usize)> {
        let [_, h, w] = self.from;
        let y = (row * self.stride[0] + tap[0] * self.dilation[0])
            .checked_sub(self.before[0])
            .filter(|&y| y < h)?;
        let shift = tap[1] * self.dilation[1];
        let first = self.before[1].saturating_sub(shift).div_ceil(self.stride[1]);
        let end = (w + self.before[1]).saturating_sub(shift).div_ceil(self.stride[1]).min(self.to[2]);
        (first < end).then(|| (y, first..end, first * self.stride[1] + shift - self.before[1]))
    }

    /// Visits runs of patches: place in `[K, P]`, place in a group's channels, length; the latter goes on by the stride.
    fn runs(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let [_, n_cols, n_positions] = self.size();
        let taps = self.kernel[0] * self.kernel[1];
        for col in 0..n_cols {
            let (channel, tap) = (col / taps, [col % taps / self.kernel[1], col % self.kernel[1]]);
            for row in 0..self.to[1] {
                if let Some((y, cols, x)) = self.line(tap, row) {
                    let to = col * n_positions + row * self.to[2] + cols.start;
                    visit(to, (channel * self.from[1] + y) * self.from[2] + x, cols.len());
                }
            }
        }
    }

    /// The gradient of the input: `weights` `[out, in / groups, kh, kw]`, `dy` as the output.
    pub(crate) fn back(&self, weights: &[f32], dy: &[f32]) -> Vec<f32> {
        let [rows, cols, positions] = self.size();
        let part = self.from.iter().product::<usize>() / self.groups;
        let mut dx = vec![0.0; part * self.groups];
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
            let stride = self.stride[1];
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
        let part = x.len() / self.groups;
        let mut dw = vec![0.0; self.groups * rows * cols];
        let mut patches = vec![0f32; if self.is_plain() { 0 } else { cols * positions }];
        for (group, dw) in dw.chunks_exact_mut(rows * cols).enumerate() {
            let x = &x[group * part..][..part];
            let dy = Matrix::rows(&dy[group * rows * positions..][..rows * positions], positions);
            if !self.is_plain() {
                // Cells outside stay 0.
                let stride = self.stride[1];
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
