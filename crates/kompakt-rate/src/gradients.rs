//! The way back through one sparse layer on framed images: gradients of its inputs, weights and biases.
//!
//! ```text
//! dx[c][tile] = sum over readers of c  w dy[row][tile, moved back by the tap]
//! dw          = sum over tiles         x[tap][tile] dy[row][tile]
//! ```

use crate::{
    cells::Cells,
    conv::Conv,
    lanes::{self, Cell, zero},
    layer::{Geometry, SparseLayer},
    plane::clear_frames,
    tile::{ANY, Spans, Tile, add_cells, add_products, add_scaled, load},
};

/// For each input channel the connections that read it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readers {
    starts: Vec<u32>,
    /// Offset into the output's gradient for the first cell of the input, and the connection.
    reads: Vec<(u32, u32)>,
}

/// Sums of a layer's gradients, each in lanes.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    /// Two for each weight: of even and of odd cells.
    weight: Cells,
    bias: Vec<Cell>,
}

impl Sums {
    /// All zero, for so many weights and rows.
    pub(crate) fn clear(&mut self, weights: usize, rows: usize) {
        self.weight.clear(2 * weights);
        self.bias.clear();
        self.bias.resize(rows, zero());
    }

    /// The gradients of the weights.
    #[inline(always)]
    pub(crate) fn of_weights(&self) -> impl Iterator<Item = f32> {
        self.weight.as_chunks::<2>().0.iter().map(|[even, odd]| lanes::sum(even) + lanes::sum(odd))
    }

    /// The gradients of the biases.
    #[inline(always)]
    pub(crate) fn of_biases(&self) -> impl Iterator<Item = f32> {
        self.bias.iter().map(lanes::sum)
    }
}

impl Conv {
    /// Whether the gradient of the input can be gathered: the output's frame is as wide as a window moved back
    /// reaches.
    fn gathers(&self) -> bool {
        let reach = (self.kernel.0.max(self.kernel.1) - 1).checked_sub(self.padding);
        let is_even =
            self.starts.get(1).is_none_or(|s| *s as usize == self.starts[0] as usize + self.x.pitch());
        let is_covered = self.x.height + self.padding <= self.y.height + self.y.frame
            && self.x.width + self.padding <= self.y.width + self.y.frame;
        self.stride == 1 && is_even && is_covered && reach.is_some_and(|reach| reach <= self.y.frame)
    }

    /// The readers of each of the input's channels.
    pub(crate) fn readers(&self, layer: &SparseLayer, geometry: &Geometry) -> Readers {
        if !self.gathers() {
            return Readers::default();
        }
        let taps = self.kernel.0 * self.kernel.1;
        let n_channels = geometry.channels() * geometry.groups;
        let channels: Vec<usize> = (layer.row_of().iter().zip(&layer.column))
            .map(|(&row, &column)| geometry.channel(row as usize, column as usize))
            .collect();
        let mut starts = vec![0u32; n_channels + 1];
        channels.iter().for_each(|channel| starts[channel + 1] += 1);
        for c in 0..n_channels {
            starts[c + 1] += starts[c];
        }
        let mut next = starts.clone();
        let mut reads = vec![(0, 0); layer.len()];
        let back = self.padding + self.y.frame;
        for (i, (row, &column)) in layer.row_of().iter().zip(&layer.column).enumerate() {
            let (channel, tap) = (channels[i], column as usize % taps);
            let (r, c) = (tap / self.kernel.1, tap % self.kernel.1);
            let at = *row as usize * self.y.len() + (back - r) * self.y.pitch() + back - c;
            reads[next[channel] as usize] = (at as u32, i as u32);
            next[channel] += 1;
        }
        Readers { starts, reads }
    }

    /// The gradient of the input, set if `is_first`, else added; tiles of up to `T` cells.
    #[inline(always)]
    pub(crate) fn input_gradient<const T: usize>(
        &self,
        layer: &SparseLayer,
        readers: &Readers,
        dy: &[Cell],
        dx: &mut [Cell],
        is_first: bool,
    ) {
        if !self.gathers() {
            if is_first {
                dx.fill(zero());
            }
            self.scatter(layer, dy, dx);
            return;
        }
        for channel in 0..readers.starts.len() - 1 {
            for line in 0..self.x.height {
                let spans = Spans::of::<T>(self.x.width);
                for at in spans.widest() {
                    self.gather::<T>(layer, readers, channel, dy, dx, is_first, (line, at));
                }
                for at in spans.eights() {
                    self.gather::<8>(layer, readers, channel, dy, dx, is_first, (line, at));
                }
                for at in spans.single() {
                    self.gather::<1>(layer, readers, channel, dy, dx, is_first, (line, at));
                }
            }
        }
    }

    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "all of it is one place of one loop")]
    fn gather<const T: usize>(
        &self,
        layer: &SparseLayer,
        readers: &Readers,
        channel: usize,
        dy: &[Cell],
        dx: &mut [Cell],
        is_first: bool,
        (line, at): (usize, usize),
    ) {
        let from = line * self.y.pitch() + at;
        let to = channel * self.x.len() + self.x.at(line, at);
        let mut acc = if is_first { [zero(); T] } else { load::<T, 1>(dx, to, 1) };
        let span = readers.starts[channel] as usize..readers.starts[channel + 1] as usize;
        for &(read, connection) in &readers.reads[span] {
            let value = layer.value[connection as usize];
            add_scaled::<T, 1>(&mut acc, dy, from + read as usize, 1, value);
        }
        dx[to..to + T].copy_from_slice(&acc);
    }

    /// Where windows do not move cell by cell: each output adds to what it read. The frame is cleared afterwards.
    #[inline(always)]
    fn scatter(&self, layer: &SparseLayer, dy: &[Cell], dx: &mut [Cell]) {
        for line in 0..self.y.height {
            for row in 0..layer.rows() {
                let dy = &dy[row * self.y.len() + self.y.at(line, 0)..][..self.y.width];
                let span = layer.row(row);
                for (&read, &value) in layer.reads[span.clone()].iter().zip(&layer.value[span]) {
                    let from = (self.starts[line] + read) as usize;
                    for (dx, dy) in dx[from..].iter_mut().step_by(self.stride).zip(dy) {
                        lanes::add_scaled(dx, dy, value);
                    }
                }
            }
        }
        if self.x.frame > 0 {
            clear_frames(self.x, dx);
        }
    }

    /// Adds the gradients of the weights that `reads` lists, row after row (`starts` is where each begins), and of
    /// the biases; tiles of up to `T` cells.
    #[inline(always)]
    pub(crate) fn weight_gradient<const T: usize>(
        &self,
        connections: (&[u32], &[u32]),
        x: &[Cell],
        dy: &[Cell],
        sums: &mut Sums,
    ) {
        if self.stride == 1 {
            self.products::<T, 1>(connections, x, dy, sums);
        } else {
            self.products::<T, ANY>(connections, x, dy, sums);
        }
    }

    #[inline(always)]
    fn products<const T: usize, const STRIDE: usize>(
        &self,
        (starts, reads): (&[u32], &[u32]),
        x: &[Cell],
        dy: &[Cell],
        sums: &mut Sums,
    ) {
        let weights = sums.weight.as_chunks_mut::<2>().0;
        for row in 0..starts.len() - 1 {
            let span = starts[row] as usize..starts[row + 1] as usize;
            let (reads, weights) = (&reads[span.clone()], &mut weights[span]);
            let bias = &mut sums.bias[row];
            for line in 0..self.y.height {
                let first = row * self.y.len() + self.y.at(line, 0);
                let from = self.starts[line] as usize;
                let spans = Spans::of::<T>(self.y.width);
                for at in spans.widest() {
                    let dy = load::<T, 1>(dy, first + at, 1);
                    let from = from + at * self.stride;
                    of_tile::<T, STRIDE>(reads, x, from, self.stride, &dy, weights, bias);
                }
                for at in spans.eights() {
                    let dy = load::<8, 1>(dy, first + at, 1);
                    let from = from + at * self.stride;
                    of_tile::<8, STRIDE>(reads, x, from, self.stride, &dy, weights, bias);
                }
                for at in spans.single() {
                    let dy = load::<1, 1>(dy, first + at, 1);
                    let from = from + at * self.stride;
                    of_tile::<1, STRIDE>(reads, x, from, self.stride, &dy, weights, bias);
                }
            }
        }
    }
}

/// The products of one tile of a row's gradient with what its connections read.
#[inline(always)]
fn of_tile<const T: usize, const STRIDE: usize>(
    reads: &[u32],
    x: &[Cell],
    from: usize,
    stride: usize,
    dy: &Tile<T>,
    weights: &mut [[Cell; 2]],
    bias: &mut Cell,
) {
    add_cells(bias, dy);
    for (&read, weight) in reads.iter().zip(weights) {
        add_products::<T, STRIDE>(weight, x, from + read as usize, stride, dy);
    }
}
