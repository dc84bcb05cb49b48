//! Two-dimensional convolution and its gradients on slices, by patch matrices.
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

use super::matrix::{Matrix, Write, multiply};
use kompakt_graph::{Padding, Pair};
use rayon::prelude::*;

/// What a convolution looks like, for any number of images.
#[derive(Debug, Clone)]
pub(crate) struct Convolution {
    /// `[channels, height, width]` of an image.
    pub(crate) input: [usize; 3],
    /// `[channels, height, width]` of a result.
    pub(crate) output: [usize; 3],
    pub(crate) kernel: Pair,
    pub(crate) stride: Pair,
    pub(crate) padding: Padding,
    pub(crate) dilation: Pair,
    pub(crate) groups: usize,
}

/// Gradients of a loss by what goes into a convolution.
pub(crate) struct ConvolutionGradients {
    /// `[n, in, h, w]`, if asked for.
    pub(crate) input: Option<Vec<f32>>,
    /// `[out, in / groups, kh, kw]`.
    pub(crate) weight: Vec<f32>,
    /// `[out]`.
    pub(crate) bias: Vec<f32>,
}

/// Columns of a patch matrix that are worked on at once, about.
const COLUMNS: usize = 256;
/// Groups of images whose weight gradients are summed apart, then in order.
const SUMS: usize = 4;

impl Convolution {
    fn taps(&self) -> usize {
        self.input[0] / self.groups * self.kernel.h * self.kernel.w
    }
    fn positions(&self) -> usize {
        self.output[1] * self.output[2]
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
        if let Some(bias) = bias {
            for (channel, y) in y.chunks_exact_mut(p).enumerate() {
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
        // A whole number of batches a sum, so that the order of additions depends on `n` alone.
        let images = n.div_ceil(SUMS).next_multiple_of(at_once);
        let mut dx = if by_input { vec![0.0; x.len()] } else { Vec::new() };
        let dx_chunks: Vec<&mut [f32]> = if by_input {
            dx.chunks_mut(images * self.input_len()).collect()
        } else {
            (0..n.div_ceil(images)).map(|_| &mut [][..]).collect()
        };
        let sums: Vec<(Vec<f32>, Vec<f32>)> = x
            .par_chunks(images * self.input_len())
            .zip(dy.par_chunks(images * self.output_len()))
            .zip(dx_chunks)
            .map(|((x, dy), dx)| {
                let mut dw = vec![0.0; w.len()];
                let mut db = vec![0.0; self.output[0]];
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
        for (channel, dy) in dy.chunks_exact(p).enumerate() {
            db[channel % self.output[0]] += dy.iter().sum::<f32>();
        }
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
        vec_of(patches, self.taps() * columns);
        let [_, height, width] = self.input;
        self.each_row(n, group, |tap, column, source, run| {
            let to = &mut patches[tap * columns + column..][..self.output[2]];
            let Some((row_start, run)) = source.zip(run) else {
                to.fill(0.0);
                return;
            };
            let row = &x[row_start..row_start + width];
            to[..run.first].fill(0.0);
            to[run.end..].fill(0.0);
            let to = &mut to[run.first..run.end];
            if self.stride.w == 1 {
                to.copy_from_slice(&row[run.pixel..run.pixel + to.len()]);
            } else {
                let row = row[run.pixel..].iter().step_by(self.stride.w);
                to.iter_mut().zip(row).for_each(|(to, &from)| *to = from);
            }
        });
        debug_assert!(height > 0);
    }

    /// Adds every tap of `patches` to the pixel of `dx` that it was taken from.
    fn add_back(&self, patches: &[f32], group: usize, dx: &mut [f32]) {
        let n = dx.len() / self.input_len();
        let columns = n * self.positions();
        let width = self.input[2];
        self.each_row(n, group, |tap, column, source, run| {
            let Some((row_start, run)) = source.zip(run) else { return };
            let from = &patches[tap * columns + column..][run.first..run.end];
            let row = &mut dx[row_start + run.pixel..row_start + width];
            if self.stride.w == 1 {
                row.iter_mut().zip(from).for_each(|(to, &from)| *to += from);
            } else {
                row.iter_mut().step_by(self.stride.w).zip(from).for_each(|(to, &from)| *to += from);
            }
        });
    }

    /// Visits every (tap, image, output row): its place in the patch matrix, where the image row starts that the
    /// tap reads (none if it lies in the padding), and which columns read pixels.
    fn each_row(
        &self,
        n: usize,
        group: usize,
        mut visit: impl FnMut(usize, usize, Option<usize>, Option<Run>),
    ) {
        let [channels, height, width] = self.input;
        let [_, out_height, out_width] = self.output;
        let group_channels = channels / self.groups;
        let mut tap = 0;
        for channel in group * group_channels..(group + 1) * group_channels {
            for ky in 0..self.kernel.h {
                for kx in 0..self.kernel.w {
                    let run =
                        Run::new(kx * self.dilation.w, self.padding.left, self.stride.w, width, out_width);
                    for image in 0..n {
                        let plane = (image * channels + channel) * height * width;
                        for oy in 0..out_height {
                            let y = (oy * self.stride.h + ky * self.dilation.h).checked_sub(self.padding.top);
                            let source = y.filter(|&y| y < height).map(|y| plane + y * width);
                            visit(tap, (image * out_height + oy) * out_width, source, run);
                        }
                    }
                    tap += 1;
                }
            }
        }
    }
}

/// The output columns `first..end` for which a tap reads a pixel; the first of them reads `pixel`.
#[derive(Clone, Copy)]
struct Run {
    first: usize,
    end: usize,
    pixel: usize,
}

impl Run {
    /// Output column `o` reads pixel `o * stride + offset - padding`.
    fn new(offset: usize, padding: usize, stride: usize, width: usize, out_width: usize) -> Option<Self> {
        let first = padding.saturating_sub(offset).div_ceil(stride);
        let end = (width + padding).checked_sub(offset)?.div_ceil(stride).min(out_width);
        (first < end).then(|| Self { first, end, pixel: first * stride + offset - padding })
    }
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
