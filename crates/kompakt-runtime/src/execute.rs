//! Runs the steps of a program.

use crate::{
    arena::Arena,
    layer::{Layer, Scratch},
    operators,
    program::{Kind, Program, Segment, Step},
    threads::Threads,
};
use kompakt_kernels::{Isa, activations, elementwise, pool};
use std::time::{Duration, Instant};

/// All that a run works with.
pub(crate) struct Run<'r, 'm> {
    pub(crate) isa: Isa,
    pub(crate) threads: &'r Threads,
    pub(crate) program: &'r Program,
    pub(crate) layers: &'r [Layer<'m>],
    /// Scale and bias of each affine.
    pub(crate) affines: &'r [(Vec<f32>, Vec<f32>)],
    pub(crate) arena: &'r mut Arena,
    pub(crate) scratch: &'r mut [Scratch],
    /// Images.
    pub(crate) n: usize,
}

impl Run<'_, '_> {
    /// Runs all steps; with `times`, adds what each took.
    pub(crate) fn run(mut self, mut times: Option<&mut [Duration]>) {
        let n_images = self.n;
        for segment in &self.program.segments {
            for first in (0..n_images).step_by(segment.n_images) {
                self.n = segment.n_images.min(n_images - first);
                self.arena.first = first;
                self.steps(segment, times.as_deref_mut());
            }
        }
        self.arena.first = 0;
    }

    fn steps(&mut self, segment: &Segment, times: Option<&mut [Duration]>) {
        let steps = &self.program.steps[segment.steps.clone()];
        match times {
            None => steps.iter().for_each(|step| self.step(step)),
            Some(times) => {
                for (step, time) in steps.iter().zip(&mut times[segment.steps.clone()]) {
                    let start = Instant::now();
                    self.step(step);
                    *time += start.elapsed();
                }
            }
        }
    }

    fn step(&mut self, step: &Step) {
        let (isa, n) = (self.isa, self.n);
        match &step.kind {
            Kind::Linear { layer } => {
                let (x, y) = self.arena.pair(step.reads[0], step.writes, n);
                self.layers[*layer].linear(isa, self.threads, self.scratch, x, y, n);
            }
            Kind::Conv { layer, conv } => {
                let mut from = step.reads[0];
                if let (Some(scratch), Some(planes)) = (step.scratch, conv.planes()) {
                    let (x, laid_out) = self.arena.pair(from, scratch, n);
                    let images =
                        x.chunks_exact(conv.input_len()).zip(laid_out.chunks_exact_mut(planes.len()));
                    for (x, out) in images {
                        planes.fill(x, out);
                    }
                    from = scratch;
                }
                let (x, y) = self.arena.pair(from, step.writes, n);
                self.layers[*layer].conv(isa, self.threads, self.scratch, conv, x, y, n);
            }
            Kind::Expanded { expand, layer, convs } => {
                let (x, y) = self.arena.pair(step.reads[0], step.writes, n);
                let (expand, layer) = (&self.layers[*expand], &self.layers[*layer]);
                layer.expanded(expand, convs, isa, self.threads, self.scratch, x, y, n);
            }
            Kind::MaxPool(window) => {
                let (x, y) = self.arena.pair(step.reads[0], step.writes, n);
                pool::max_pool(isa, window, x, y);
            }
            Kind::AvgPool(window, count_pad) => {
                let (x, y) = self.arena.pair(step.reads[0], step.writes, n);
                pool::avg_pool(isa, window, *count_pad, x, y);
            }
            Kind::GlobalAvgPool => {
                let (x, y) = self.arena.pair(step.reads[0], step.writes, n);
                pool::global_avg_pool(isa, x, y);
            }
            Kind::Affine { affine, channels, plane, is_vector, relu } => {
                let (scale, bias) = &self.affines[*affine];
                let y = self.arena.get_mut(step.writes, n);
                let len = if *is_vector { n } else { *plane };
                for (i, y) in y.chunks_exact_mut(len).enumerate() {
                    let channel = i % channels;
                    elementwise::affine(isa, scale[channel], bias[channel], *relu, y);
                }
            }
            Kind::Relu => elementwise::relu(isa, self.arena.get_mut(step.writes, n)),
            Kind::Sigmoid => elementwise::sigmoid(isa, self.arena.get_mut(step.writes, n)),
            Kind::Tanh => elementwise::tanh(isa, self.arena.get_mut(step.writes, n)),
            Kind::Softmax { inner, is_vector } => {
                let y = self.arena.get_mut(step.writes, n);
                if *is_vector {
                    elementwise::softmax(isa, n, y);
                } else {
                    let image = y.len() / n;
                    y.chunks_exact_mut(image).for_each(|y| elementwise::softmax(isa, *inner, y));
                }
            }
            Kind::Add { relu } => {
                let (x, y) = self.arena.pair(step.reads[0], step.writes, n);
                elementwise::add(isa, x, *relu, y);
            }
            Kind::Copy => {
                let (x, y) = self.arena.pair(step.reads[0], step.writes, n);
                y.copy_from_slice(x);
            }
            Kind::Turn { to_vector } => {
                let (x, y) = self.arena.pair(step.reads[0], step.writes, n);
                let features = x.len() / n;
                if *to_vector { turn(x, n, features, y) } else { turn(x, features, n, y) }
            }
            Kind::Concat { lengths, is_vector } => self.concat(step, lengths, *is_vector),
            Kind::Slice { from, start, step: stride, to, is_vector } => {
                let (x, y) = self.arena.pair(step.reads[0], step.writes, n);
                let (images, width) = if *is_vector { (1, n) } else { (n, 1) };
                let (x_len, y_len) = (x.len() / images, y.len() / images);
                for (x, y) in x.chunks_exact(x_len).zip(y.chunks_exact_mut(y_len)) {
                    each(to, from, start, stride, &mut |inner, outer| {
                        y[inner * width..(inner + 1) * width]
                            .copy_from_slice(&x[outer * width..(outer + 1) * width]);
                    });
                }
            }
            Kind::Map(map) => map.run(isa, self.arena.get_mut(step.writes, n)),
            Kind::Prelu { affine, channels, plane, is_vector } => {
                let (slopes, _) = &self.affines[*affine];
                let y = self.arena.get_mut(step.writes, n);
                let len = if *is_vector { n } else { *plane };
                for (i, y) in y.chunks_exact_mut(len).enumerate() {
                    activations::leaky_relu(isa, slopes[i % channels], y);
                }
            }
            Kind::Pairwise { op, x: from, y: to, is_vector } => {
                let (x, y) = self.arena.pair(step.reads[0], step.writes, n);
                operators::pairwise(isa, *op, (x, from), (y, to), *is_vector, n);
            }
            Kind::Apart(apart) => {
                let (x, y) = self.arena.pair(step.reads[0], step.writes, n);
                apart.run(isa, x, y, n);
            }
            Kind::Pad { from, before, to, is_vector } => {
                let (x, y) = self.arena.pair(step.reads[0], step.writes, n);
                let (images, width) = if *is_vector { (1, n) } else { (n, 1) };
                let (x_len, y_len) = (x.len() / images, y.len() / images);
                y.fill(0.0);
                let ones = [1; kompakt_graph::MAX_RANK];
                for (x, y) in x.chunks_exact(x_len).zip(y.chunks_exact_mut(y_len)) {
                    each(from, to, before, &ones, &mut |inner, outer| {
                        y[outer * width..(outer + 1) * width]
                            .copy_from_slice(&x[inner * width..(inner + 1) * width]);
                    });
                }
            }
        }
    }

    fn concat(&mut self, step: &Step, lengths: &[usize], is_vector: bool) {
        let n = self.n;
        let total: usize = lengths.iter().sum();
        let (images, width) = if is_vector { (1, n) } else { (n, 1) };
        let mut before = 0;
        for (&from, &len) in step.reads.iter().zip(lengths) {
            let (x, y) = self.arena.pair(from, step.writes, n);
            for image in 0..images {
                let x = &x[image * len * width..(image + 1) * len * width];
                let at = (image * total + before) * width;
                y[at..at + x.len()].copy_from_slice(x);
            }
            before += len;
        }
    }
}

/// `y` is `x` with rows and columns exchanged; `x` `[rows, cols]`.
pub(crate) fn turn(x: &[f32], rows: usize, cols: usize, y: &mut [f32]) {
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
fn each(
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
    use super::turn;

    #[test]
    fn turning_twice_changes_nothing() {
        for (rows, cols) in [(1, 5), (5, 1), (3, 7), (64, 100), (33, 17)] {
            let x: Vec<f32> = (0..rows * cols).map(|i| i as f32).collect();
            let (mut y, mut z) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            turn(&x, rows, cols, &mut y);
            assert_eq!(y[rows - 1 + (cols - 1) * rows], x[x.len() - 1]);
            assert_eq!(y[rows * (cols / 2)], x[cols / 2]);
            turn(&y, cols, rows, &mut z);
            assert_eq!(x, z);
        }
    }
}
