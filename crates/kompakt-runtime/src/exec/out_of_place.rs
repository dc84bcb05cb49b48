//! Out-of-place steps with one input.

use super::movement::{Line, for_each_line, transpose};
use crate::schedule::{Layout, OutOfPlace};
use kompakt_kernels::{Isa, normalise, pool, rearrange, transpose as permute};

impl OutOfPlace {
    /// Runs it for `n` images.
    pub(super) fn run(&self, isa: Isa, x: &[f32], y: &mut [f32], n: usize) {
        match self {
            Self::MaxPool(window) => pool::max_pool(isa, window, x, y),
            Self::AveragePool(window, count_padding) => pool::avg_pool(isa, window, *count_padding, x, y),
            Self::GlobalAveragePool => pool::global_avg_pool(isa, x, y),
            Self::Copy => y.copy_from_slice(x),
            Self::ChangeLayout { to } => {
                let features = x.len() / n;
                match to {
                    Layout::FeatureMajor => transpose(isa, x, n, features, y),
                    Layout::ImageMajor => transpose(isa, x, features, n, y),
                }
            }
            Self::Slice { from, start, step, to, layout } => {
                let (n_blocks, width) = layout.blocks(n);
                let (x_len, y_len) = (x.len() / n_blocks, y.len() / n_blocks);
                for (x, y) in x.chunks_exact(x_len).zip(y.chunks_exact_mut(y_len)) {
                    for_each_line(to, from, start, step, &mut |line| {
                        let (x, y) = (&x[line.outer * width..], &mut y[line.inner * width..]);
                        copy_out(x, line, width, y);
                    });
                }
            }
            Self::Pad { from, before, to, layout } => {
                let (n_blocks, width) = layout.blocks(n);
                let (x_len, y_len) = (x.len() / n_blocks, y.len() / n_blocks);
                y.fill(0.0);
                let ones = [1; kompakt_graph::MAX_RANK];
                for (x, y) in x.chunks_exact(x_len).zip(y.chunks_exact_mut(y_len)) {
                    for_each_line(from, to, before, &ones, &mut |Line { inner, outer, len, .. }| {
                        y[outer * width..(outer + len) * width]
                            .copy_from_slice(&x[inner * width..(inner + len) * width]);
                    });
                }
            }
            Self::Transpose { from, axes } => {
                let len = y.len() / n;
                for (x, y) in x.chunks_exact(len).zip(y.chunks_exact_mut(len)) {
                    permute::transpose(isa, x, from, axes, y);
                }
            }
            Self::Gather { len, inner, layout, indices } => {
                rearrange::gather(x, *len, layout.distance(*inner, n), indices, y);
            }
            Self::Resize { size, rows, columns } => rearrange::resize(isa, x, size, rows, columns, y),
            Self::Spread { size, step } => rearrange::spread(x, *size, *step, y),
            Self::ResponseNorm { norm, plane, layout } => {
                let (len, plane) = (y.len() / layout.blocks(n).0, layout.distance(*plane, n));
                for (x, y) in x.chunks_exact(len).zip(y.chunks_exact_mut(len)) {
                    normalise::response_norm(isa, norm, plane, x, y);
                }
            }
            Self::LogSoftmax { inner, layout } => {
                let (len, inner) = (y.len() / layout.blocks(n).0, layout.distance(*inner, n));
                y.copy_from_slice(x);
                y.chunks_exact_mut(len).for_each(|y| kompakt_kernels::log_softmax(isa, inner, y));
            }
        }
    }
}

/// Gathers a strided line of elements, `width` images each, into contiguous memory.
fn copy_out(x: &[f32], line: Line, width: usize, y: &mut [f32]) {
    let Line { len, step, .. } = line;
    match (step, width) {
        (1, _) => y[..len * width].copy_from_slice(&x[..len * width]),
        (_, 1) => y[..len].iter_mut().zip(x.iter().step_by(step)).for_each(|(y, x)| *y = *x),
        _ => {
            for (y, x) in y.chunks_exact_mut(width).zip(x.chunks(step * width)).take(len) {
                y.copy_from_slice(&x[..width]);
            }
        }
    }
}
