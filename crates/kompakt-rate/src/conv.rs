//! The arithmetic of one sparse layer on framed images: forward; [`gradients`](crate::gradients) has the way back.
//!
//! ```text
//! y[row][tile] = relu(bias + sum over connections  w x[tap][tile] + plus[tile])
//! ```
//!
//! Sums of a tile stay in registers, and only kept connections are visited.

use crate::{
    lanes::{Cell, add},
    layer::SparseLayer,
    plane::{NOWHERE, Plane},
    tile::{ANY, Spans, add_scaled},
};

/// How a layer's window moves over its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conv {
    pub(crate) x: Plane,
    pub(crate) y: Plane,
    pub(crate) stride: usize,
    /// Kernel height and width.
    pub(crate) kernel: (usize, usize),
    /// For each line of the output, where the first tap of its first window reads.
    pub(crate) starts: Vec<u32>,
    pub(crate) padding: usize,
}

/// What is added to a layer's result: a buffer, and where each value is read; an empty map: the same places.
pub(crate) type Plus<'a> = Option<(&'a [Cell], &'a [u32])>;

impl Conv {
    pub(crate) fn new(
        x: Plane,
        y: Plane,
        kernel: (usize, usize),
        stride: (usize, usize),
        padding: usize,
    ) -> Self {
        let corner = (x.frame - padding) * x.pitch() + x.frame - padding;
        let starts = (0..y.height).map(|row| (corner + row * stride.0 * x.pitch()) as u32).collect();
        Self { x, y, stride: stride.1, kernel, starts, padding }
    }

    /// Offsets of the taps of one channel.
    pub(crate) fn taps(&self) -> impl Iterator<Item = usize> {
        let (kernel, pitch) = (self.kernel, self.x.pitch());
        (0..kernel.0).flat_map(move |r| (0..kernel.1).map(move |c| r * pitch + c))
    }

    /// `y = relu(W x + b + plus)`, the last two where there are such; tiles of up to `T` cells.
    #[inline(always)]
    pub(crate) fn forward<const T: usize>(
        &self,
        layer: &SparseLayer,
        x: &[Cell],
        plus: Plus<'_>,
        has_relu: bool,
        y: &mut [Cell],
    ) {
        if self.stride == 1 {
            self.lines::<T, 1>(layer, x, plus, has_relu, y);
        } else {
            self.lines::<T, ANY>(layer, x, plus, has_relu, y);
        }
    }

    #[inline(always)]
    fn lines<const T: usize, const STRIDE: usize>(
        &self,
        layer: &SparseLayer,
        x: &[Cell],
        plus: Plus<'_>,
        has_relu: bool,
        y: &mut [Cell],
    ) {
        for row in 0..layer.rows() {
            for line in 0..self.y.height {
                let spans = Spans::of::<T>(self.y.width);
                for at in spans.widest() {
                    self.tile::<T, STRIDE>(layer, row, x, plus, has_relu, (line, at), y);
                }
                for at in spans.eights() {
                    self.tile::<8, STRIDE>(layer, row, x, plus, has_relu, (line, at), y);
                }
                for at in spans.single() {
                    self.tile::<1, STRIDE>(layer, row, x, plus, has_relu, (line, at), y);
                }
            }
        }
    }

    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "all of it is one place of one loop")]
    fn tile<const T: usize, const STRIDE: usize>(
        &self,
        layer: &SparseLayer,
        row: usize,
        x: &[Cell],
        plus: Plus<'_>,
        has_relu: bool,
        (line, at): (usize, usize),
        y: &mut [Cell],
    ) {
        let from = self.starts[line] as usize + at * self.stride;
        let to = row * self.y.len() + self.y.at(line, at);
        let mut acc = [[[layer.bias_value[row]; 8]]; T];
        let span = layer.row(row);
        for (&read, &value) in layer.reads[span.clone()].iter().zip(&layer.value[span]) {
            add_scaled::<T, STRIDE>(&mut acc, x, from + read as usize, self.stride, value);
        }
        match plus {
            None => {}
            Some((other, [])) => {
                for (acc, other) in acc.iter_mut().zip(&other[to..to + T]) {
                    add(acc, other);
                }
            }
            Some((other, map)) => {
                let dense = (row * self.y.height + line) * self.y.width + at;
                for (acc, &from) in acc.iter_mut().zip(&map[dense..dense + T]) {
                    if from != NOWHERE {
                        add(acc, &other[from as usize]);
                    }
                }
            }
        }
        if has_relu {
            for x in acc.as_flattened_mut().as_flattened_mut() {
                *x = x.max(0.0);
            }
        }
        y[to..to + T].copy_from_slice(&acc);
    }
}
