//! Steps that combine two buffers, or concatenate several.

use crate::schedule::{Combine, Layout};
use kompakt_graph::MAX_RANK;
use kompakt_kernels::{Isa, elementwise, pairwise};

impl Combine {
    /// Writes to `y` what [`run`](Self::run) makes of a copy of `a`.
    pub(super) fn run_to(&self, isa: Isa, a: &[f32], x: &[f32], y: &mut [f32], n: usize) {
        match self {
            Self::Add { relu } => elementwise::add_to(isa, a, x, *relu, y),
            Self::Pairwise { op, x: from, y: to, layout } => {
                let dims = from.len() + 1;
                let (from, to) = (with_images(from, *layout, n), with_images(to, *layout, n));
                pairwise::pairwise_to(isa, *op, a, (x, &from[..dims]), (y, &to[..dims]));
            }
        }
    }

    /// Changes `y` by `x`, for `n` images.
    pub(super) fn run(&self, isa: Isa, x: &[f32], y: &mut [f32], n: usize) {
        match self {
            Self::Add { relu } => elementwise::add(isa, x, *relu, y),
            Self::Pairwise { op, x: from, y: to, layout } => {
                let dims = from.len() + 1;
                let (from, to) = (with_images(from, *layout, n), with_images(to, *layout, n));
                pairwise::pairwise(isa, *op, (x, &from[..dims]), (y, &to[..dims]));
            }
        }
    }
}

/// A shape with the images as one more dimension: the first, or for vectors the last.
fn with_images(shape: &[usize], layout: Layout, n: usize) -> [usize; MAX_RANK + 1] {
    let mut all = [n; MAX_RANK + 1];
    let first = match layout {
        Layout::FeatureMajor => 0,
        Layout::ImageMajor => 1,
    };
    all[first..first + shape.len()].copy_from_slice(shape);
    all
}

/// Copies `x`, `len` elements per image, into each image of `y`, of `total` elements, at element `before`.
pub(super) fn put_side_by_side(
    x: &[f32],
    len: usize,
    before: usize,
    total: usize,
    y: &mut [f32],
    layout: Layout,
    n: usize,
) {
    let (n_blocks, width) = layout.blocks(n);
    for block in 0..n_blocks {
        let x = &x[block * len * width..(block + 1) * len * width];
        let at = (block * total + before) * width;
        y[at..at + x.len()].copy_from_slice(x);
    }
}
