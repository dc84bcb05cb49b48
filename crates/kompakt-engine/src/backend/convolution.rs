//! Two-dimensional convolution and its gradients on slices: those of step 1 as in `direct.rs`, others by patch matrices.
//!
//! ```text
//! patches (K, P)   K = in/groups * kh * kw taps, P = positions of a few images side by side
//! forward          Y (out, P)  = W (out, K) @ patches
//! by weight        dW (out, K) = dY (out, P) @ patches^T
//! by input         dpatches    = W^T @ dY, then every tap is added back to the pixel it came from
//! ```
//!
//! Patches are built anew in the backward pass: copying them out of cache costs less than keeping them. Images are
//! taken a few at a time, so that a patch matrix stays in cache. Sums over images run in an order that depends on
//! the number of images alone, whatever the number of threads.

use super::{
    direct::{Direct, Runner, WeightGradient},
    matrix::{Matrix, Write, multiply},
};
use kompakt_graph::Convolution as Geometry;
use rayon::prelude::*;
use std::ops::Deref;

/// The geometry of a convolution, for any number of images.
#[derive(Debug, Clone)]
pub(crate) struct Convolution(pub(crate) Geometry);

impl Deref for Convolution {
    type Target = Geometry;

    fn deref(&self) -> &Geometry {
        &self.0
    }
}

/// Gradients of a loss by the operands of a convolution.
pub(crate) struct ConvolutionGradients {
    /// `[n, in, h, w]`, if requested.
    pub(crate) input: Option<Vec<f32>>,
    /// `[out, in / groups, kh, kw]`.
    pub(crate) weight: Vec<f32>,
    /// `[out]`.
    pub(crate) bias: Vec<f32>,
}

/// Approximate number of patch matrix columns per block.
const COLUMNS: usize = 256;
/// Groups of images whose weight gradients are summed separately, then added in order.
const SUMS: usize = 4;

impl Convolution {
    fn taps(&self) -> usize {
        self.n_weights()
    }
    fn positions(&self) -> usize {
        self.n_positions()
    }
    fn input_len(&self) -> usize {
        self.input.iter().product()
    }
    fn output_len(&self) -> usize {
        self.output.iter().product()
    }
    fn images_at_once(&self) -> usize {
        (COLUMNS / self.positions()).max(1)
    }

    /// `y = conv(x, w) + b`; `x` `[n, in, h, w]`, `w` `[out, in / groups, kh, kw]`, result `[n, out, oh, ow]`.
    pub(crate) fn forward(&self, x: &[f32], w: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let n = x.len() / self.input_len();
        let mut y = vec![0.0; n * self.output_len()];
        if let Some(direct) = Direct::of(self) {
            let weights = direct.weights(w);
            let images = y.par_chunks_mut(self.output_len()).zip(x.par_chunks(self.input_len()));
            let runner = || Runner::new(&direct, &weights);
            images.for_each_init(runner, |runner, (y, x)| {
                runner.run(x, y);
                self.add_bias(bias, y);
            });
            return y;
        }
        let at_once = self.images_at_once();
        y.par_chunks_mut(at_once * self.output_len())
            .zip(x.par_chunks(at_once * self.input_len()))
            .for_each_init(Scratch::default, |scratch, (y, x)| self.forward_few(x, w, bias, y, scratch));
        y
    }

    fn forward_few(&self, x: &[f32], w: &[f32], bias: Option<&[f32]>, y: &mut [f32], scratch: &mut Scratch) {
        let (k, p, out) = (self.taps(), self.positions(), self.output[0] / self.groups);
        let n = x.len() / self.input_len();
        for group in 0..self.groups {
            self.patches(x, group, &mut scratch.patches);
            let w = Matrix::rows(&w[group * out * k..][..out * k], k);
            let patches = Matrix::rows(&scratch.patches, n * p);
            if n == 1 {
                multiply([out, k, p], w, patches, &mut y[group * out * p..][..out * p], Write::Replace);
            } else {
                scratch.result.resize(out * n * p, 0.0);
                multiply([out, k, n * p], w, patches, &mut scratch.result, Write::Replace);
                self.exchange(group, &scratch.result, n, |from, at| y[at..at + p].copy_from_slice(from));
            }
        }
        self.add_bias(bias, y);
    }

    /// Adds the bias to some images `y`.
    fn add_bias(&self, bias: Option<&[f32]>, y: &mut [f32]) {
        if let Some(bias) = bias {
            for (channel, y) in y.chunks_exact_mut(self.positions()).enumerate() {
                let b = bias[channel % bias.len()];
                y.iter_mut().for_each(|y| *y += b);
            }
        }
    }

    /// Calls `each` for every (channel, image) plane of a group held as `[out, n, p]`, with its place in
    /// `[n, out, p]`.
    fn exchange(&self, group: usize, planes: &[f32], n: usize, mut each: impl FnMut(&[f32], usize)) {
        let (p, out) = (self.positions(), self.output[0] / self.groups);
        for (index, plane) in planes.chunks_exact(p).enumerate() {
            let (channel, image) = (index / n, index % n);
            each(plane, (image * self.output[0] + group * out + channel) * p);
        }
    }

    /// Gradients by weight, bias and, if `by_input`, by `x`, from the gradient by the result `dy`.
    pub(crate) fn backward(&self, x: &[f32], w: &[f32], dy: &[f32], by_input: bool) -> ConvolutionGradients {
        let n = x.len() / self.input_len();
        let at_once = self.images_at_once();
        // An integral number of batches per sum, so that the order of additions depends on `n` alone.
        let images = n.div_ceil(SUMS).next_multiple_of(at_once);
        let mut dx = if by_input { vec![0.0; x.len()] } else { Vec::new() };
        let dx_chunks: Vec<&mut [f32]> = if by_input {
            dx.chunks_mut(images * self.input_len()).collect()
        } else {
            (0..n.div_ceil(images)).map(|_| &mut [][..]).collect()
        };
        let direct = Direct::of(self);
        let turned = direct.as_ref().map(|direct| (direct.turned(), direct.turned_weights(w)));
        let sums: Vec<(Vec<f32>, Vec<f32>)> = x
            .par_chunks(images * self.input_len())
            .zip(dy.par_chunks(images * self.output_len()))
            .zip(dx_chunks)
            .map(|((x, dy), dx)| {
                let mut dw = vec![0.0; w.len()];
                let mut db = vec![0.0; self.output[0]];
                if let (Some(direct), Some((turned, weights))) = (&direct, &turned) {
                    self.by_bias(dy, &mut db);
                    WeightGradient::new(direct).add(x, dy, &mut dw);
                    let mut runner = Runner::new(turned, weights);
                    let images =
                        dx.chunks_exact_mut(self.input_len()).zip(dy.chunks_exact(self.output_len()));
                    images.for_each(|(dx, dy)| runner.run(dy, dx));
                    return (dw, db);
                }
                let mut scratch = Scratch::default();
                let mut dx = dx;
                for (x, dy) in
                    x.chunks(at_once * self.input_len()).zip(dy.chunks(at_once * self.output_len()))
                {
                    let (now, rest) = dx.split_at_mut(if by_input { x.len() } else { 0 });
                    dx = rest;
                    self.backward_few(x, w, dy, (&mut dw, &mut db, now), &mut scratch);
                }
                (dw, db)
            })
            .collect();
        let mut sums = sums.into_iter();
        let (mut weight, mut bias) =
            sums.next().unwrap_or_else(|| (vec![0.0; w.len()], vec![0.0; self.output[0]]));
        for (dw, db) in sums {
            weight.iter_mut().zip(dw).for_each(|(a, b)| *a += b);
            bias.iter_mut().zip(db).for_each(|(a, b)| *a += b);
        }
        ConvolutionGradients { input: by_input.then_some(dx), weight, bias }
    }

    /// Adds the gradient by bias of some images.
    fn by_bias(&self, dy: &[f32], db: &mut [f32]) {
        for (channel, dy) in dy.chunks_exact(self.positions()).enumerate() {
            db[channel % self.output[0]] += sum(dy);
        }
    }

    fn backward_few(
        &self,
        x: &[f32],
        w: &[f32],
        dy: &[f32],
        (dw, db, dx): (&mut [f32], &mut [f32], &mut [f32]),
        scratch: &mut Scratch,
    ) {
        let (k, p, out) = (self.taps(), self.positions(), self.output[0] / self.groups);
        let n = x.len() / self.input_len();
        self.by_bias(dy, db);
        for group in 0..self.groups {
            self.patches(x, group, &mut scratch.patches);
            let dy_group = if n == 1 {
                &dy[group * out * p..][..out * p]
            } else {
                let planes = vec_of(&mut scratch.result, out * n * p);
                for (index, plane) in planes.chunks_exact_mut(p).enumerate() {
                    let (channel, image) = (index / n, index % n);
                    let at = (image * self.output[0] + group * out + channel) * p;
                    plane.copy_from_slice(&dy[at..at + p]);
                }
                planes
            };
            let dy_matrix = Matrix::rows(dy_group, n * p);
            let patches = Matrix::rows(&scratch.patches, n * p).transposed();
            let range = group * out * k..(group + 1) * out * k;
            multiply([out, n * p, k], dy_matrix, patches, &mut dw[range.clone()], Write::Add);
            if !dx.is_empty() {
                let w = Matrix::rows(&w[range], k).transposed();
                multiply([k, out, n * p], w, dy_matrix, &mut scratch.patches, Write::Replace);
                self.add_back(&scratch.patches, group, dx);
            }
        }
    }

    /// Fills `patches` `(K, n * P)` from the images `x`.
    fn patches(&self, x: &[f32], group: usize, patches: &mut Vec<f32>) {
        let n = x.len() / self.input_len();
        let columns = n * self.positions();
        let (width, out_width) = (self.input[2], self.output[2]);
        let patches = vec_of(patches, self.taps() * columns);
        for (tap, row) in self.taps_of(group).zip(patches.chunks_exact_mut(columns)) {
            let (Some(rows), Some(run)) = (tap.rows, tap.columns) else {
                row.fill(0.0);
                continue;
            };
            for (x, to) in x.chunks_exact(self.input_len()).zip(row.chunks_exact_mut(self.positions())) {
                to[..rows.first * out_width].fill(0.0);
                to[rows.end * out_width..].fill(0.0);
                let to = to[rows.first * out_width..rows.end * out_width].chunks_exact_mut(out_width);
                let from = x[tap.plane + rows.source * width..].chunks(width).step_by(self.stride.h);
                for (to, from) in to.zip(from) {
                    to[..run.first].fill(0.0);
                    to[run.end..].fill(0.0);
                    copy(&from[run.source..], &mut to[run.first..run.end], self.stride.w);
                }
            }
        }
    }

    /// Adds every tap of `patches` to the pixel of `dx` that it was taken from.
    fn add_back(&self, patches: &[f32], group: usize, dx: &mut [f32]) {
        let n = dx.len() / self.input_len();
        let columns = n * self.positions();
        let (width, out_width) = (self.input[2], self.output[2]);
        for (tap, row) in self.taps_of(group).zip(patches.chunks_exact(columns)) {
            let (Some(rows), Some(run)) = (tap.rows, tap.columns) else { continue };
            for (dx, from) in dx.chunks_exact_mut(self.input_len()).zip(row.chunks_exact(self.positions())) {
                let from = from[rows.first * out_width..rows.end * out_width].chunks_exact(out_width);
                let to = dx[tap.plane + rows.source * width..].chunks_mut(width).step_by(self.stride.h);
                for (to, from) in to.zip(from) {
                    add(&from[run.first..run.end], &mut to[run.source..], self.stride.w);
                }
            }
        }
    }

    /// The taps of a group, in the order of the patch matrix's rows.
    fn taps_of(&self, group: usize) -> impl Iterator<Item = Tap> {
        let [channels, height, width] = self.input;
        let [_, out_height, out_width] = self.output;
        let channels = channels / self.groups;
        let Geometry { kernel, stride, padding, dilation, .. } = self.0;
        (0..channels * kernel.h * kernel.w).map(move |i| {
            let (channel, ky, kx) = (i / (kernel.h * kernel.w), i / kernel.w % kernel.h, i % kernel.w);
            Tap {
                plane: (group * channels + channel) * height * width,
                rows: Run::new(ky * dilation.h, padding.top, stride.h, height, out_height),
                columns: Run::new(kx * dilation.w, padding.left, stride.w, width, out_width),
            }
        })
    }
}

/// One weight of a kernel: which pixels of an image it reads for which positions.
struct Tap {
    /// Where its channel's plane starts in an image.
    plane: usize,
    /// Rows of positions; none if it reads only padding.
    rows: Option<Run>,
    /// Columns of positions.
    columns: Option<Run>,
}

/// The positions `first..end` along one dimension for which a tap reads a pixel; the first of them reads `source`.
#[derive(Clone, Copy)]
struct Run {
    first: usize,
    end: usize,
    source: usize,
}

impl Run {
    /// Position `o` reads pixel `o * stride + offset - padding` of `size`.
    fn new(offset: usize, padding: usize, stride: usize, size: usize, positions: usize) -> Option<Self> {
        let first = padding.saturating_sub(offset).div_ceil(stride);
        let end = (size + padding).checked_sub(offset)?.div_ceil(stride).min(positions);
        (first < end).then(|| Self { first, end, source: first * stride + offset - padding })
    }
}

/// `to[i] = from[i * step]`. Rows are short: for common lengths a few moves replace a call of memcpy.
fn copy(from: &[f32], to: &mut [f32], step: usize) {
    if step != 1 {
        to.iter_mut().zip(from.iter().step_by(step)).for_each(|(to, &from)| *to = from);
        return;
    }
    let n = to.len();
    match n {
        4 => to[..4].copy_from_slice(&from[..4]),
        8 => to[..8].copy_from_slice(&from[..8]),
        16 => to[..16].copy_from_slice(&from[..16]),
        24 => to[..24].copy_from_slice(&from[..24]),
        28 => to[..28].copy_from_slice(&from[..28]),
        32 => to[..32].copy_from_slice(&from[..32]),
        _ => to.copy_from_slice(&from[..n]),
    }
}

/// `to[i * step] += from[i]`.
fn add(from: &[f32], to: &mut [f32], step: usize) {
    if step != 1 {
        to.iter_mut().step_by(step).zip(from).for_each(|(to, &from)| *to += from);
        return;
    }
    let to = &mut to[..from.len()];
    let (eights, rest) = to.as_chunks_mut::<8>();
    let (from_eights, from_rest) = from.as_chunks::<8>();
    for (to, from) in eights.iter_mut().zip(from_eights) {
        // Through a local array, so that the compiler sees that nothing overlaps.
        *to = std::array::from_fn(|i| to[i] + from[i]);
    }
    rest.iter_mut().zip(from_rest).for_each(|(to, from)| *to += from);
}

/// The sum, in eight lanes.
fn sum(values: &[f32]) -> f32 {
    let (eights, rest) = values.as_chunks::<8>();
    let mut lanes = [0.0f32; 8];
    for eight in eights {
        lanes.iter_mut().zip(eight).for_each(|(lane, value)| *lane += value);
    }
    lanes.iter().chain(rest).sum()
}

#[derive(Default)]
struct Scratch {
    patches: Vec<f32>,
    result: Vec<f32>,
}

fn vec_of(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    buffer.resize(len, 0.0);
    &mut buffer[..]
}
