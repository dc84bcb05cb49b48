//! The arithmetic of one sparse layer on framed images: forward, and the gradients of inputs and weights.
//!
//! ```text
//! plane with its frame of zeros          one tile: 8 positions of a line, 8 examples each
//!   0 0 0 0 0 0
//!   0 x x x x 0      y[row][tile]  = bias + sum over connections  w x[tap][tile]
//!   0 x x x x 0      dx[c][tile]   =        sum over readers of c w dy[row][tile, moved back by the tap]
//!   0 0 0 0 0 0      dw            = sum over tiles               x[tap][tile] dy[row][tile]
//! ```
//!
//! Frames make padding free: a tap that reads outside the image reads a zero. Sums of a tile stay in registers, and
//! only kept connections are visited.

use crate::{
    lanes::{Lanes, add_product, add_scaled, zero},
    layer::{Geometry, SparseLayer},
};

/// Positions of a tile.
const TILE: usize = 8;
/// No cell: what a padded view reads there is zero.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// A plane of `height` by `width` cells with a frame on every side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plane {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) frame: usize,
}

impl Plane {
    /// A single cell.
    pub(crate) const CELL: Self = Self { height: 1, width: 1, frame: 0 };

    /// Cells from one line to the next.
    pub(crate) fn pitch(&self) -> usize {
        self.width + 2 * self.frame
    }

    /// Cells with the frame.
    pub(crate) fn len(&self) -> usize {
        (self.height + 2 * self.frame) * self.pitch()
    }

    /// The offset of a cell; `row` and `column` count from inside the frame.
    pub(crate) fn at(&self, row: usize, column: usize) -> usize {
        (row + self.frame) * self.pitch() + column + self.frame
    }

    /// The cells inside the frame, line by line.
    pub(crate) fn inside(&self) -> impl Iterator<Item = usize> {
        let plane = *self;
        (0..plane.height).flat_map(move |r| (0..plane.width).map(move |c| plane.at(r, c)))
    }
}

/// How a layer's window moves over its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conv {
    pub(crate) x: Plane,
    pub(crate) y: Plane,
    pub(crate) stride: usize,
    /// Kernel height and width.
    pub(crate) kernel: (usize, usize),
    /// For each line of the output, where the first tap of its first window reads.
    starts: Vec<u32>,
    padding: usize,
}

/// For each input channel the connections that read it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readers {
    starts: Vec<u32>,
    /// Offset into the output's gradient for the first cell of the input, and the connection.
    reads: Vec<(u32, u32)>,
}

/// Sums of a layer's gradients, each in lanes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sums<const K: usize> {
    pub(crate) weight: Vec<[Lanes<K>; 2]>,
    pub(crate) bias: Vec<Lanes<K>>,
}

impl<const K: usize> Sums<K> {
    /// All zero, for so many weights and rows.
    pub(crate) fn clear(&mut self, weights: usize, rows: usize) {
        self.weight.clear();
        self.weight.resize(weights, [zero(); 2]);
        self.bias.clear();
        self.bias.resize(rows, zero());
    }
}

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
        let n_channels = geometry.cols() / taps;
        let mut starts = vec![0u32; n_channels + 1];
        layer.column.iter().for_each(|&c| starts[c as usize / taps + 1] += 1);
        for c in 0..n_channels {
            starts[c + 1] += starts[c];
        }
        let mut next = starts.clone();
        let mut reads = vec![(0, 0); layer.len()];
        let back = self.padding + self.y.frame;
        for (i, (row, &column)) in layer.row_of().iter().zip(&layer.column).enumerate() {
            let (channel, tap) = (column as usize / taps, column as usize % taps);
            let (r, c) = (tap / self.kernel.1, tap % self.kernel.1);
            let at = *row as usize * self.y.len() + (back - r) * self.y.pitch() + back - c;
            reads[next[channel] as usize] = (at as u32, i as u32);
            next[channel] += 1;
        }
        Readers { starts, reads }
    }

    /// `y = relu(W x + b + plus)`, the last two where there are such.
    #[inline(always)]
    pub(crate) fn forward<const K: usize>(
        &self,
        layer: &SparseLayer,
        x: &[Lanes<K>],
        plus: Option<(&[Lanes<K>], &[u32])>,
        has_relu: bool,
        y: &mut [Lanes<K>],
    ) {
        for line in 0..self.y.height {
            let whole = self.y.width / TILE * TILE;
            for at in (0..whole).step_by(TILE) {
                self.forward_tile::<K, TILE>(layer, x, plus, has_relu, (line, at), y);
            }
            for at in whole..self.y.width {
                self.forward_tile::<K, 1>(layer, x, plus, has_relu, (line, at), y);
            }
        }
    }

    #[inline(always)]
    fn forward_tile<const K: usize, const T: usize>(
        &self,
        layer: &SparseLayer,
        x: &[Lanes<K>],
        plus: Option<(&[Lanes<K>], &[u32])>,
        has_relu: bool,
        (line, at): (usize, usize),
        y: &mut [Lanes<K>],
    ) {
        let from = self.starts[line] as usize + at * self.stride;
        let to = self.y.at(line, at);
        for row in 0..layer.rows() {
            let mut acc = [[[layer.bias_value[row]; 8]; K]; T];
            let span = layer.row(row);
            for (&read, &value) in layer.reads[span.clone()].iter().zip(&layer.value[span]) {
                let tile = load::<K, T>(x, from + read as usize, self.stride);
                for t in 0..T {
                    add_scaled(&mut acc[t], &tile[t], value);
                }
            }
            let to = row * self.y.len() + to;
            match plus {
                None => {}
                Some((other, [])) => {
                    for (acc, other) in acc.iter_mut().zip(&other[to..to + T]) {
                        crate::lanes::add(acc, other);
                    }
                }
                Some((other, map)) => {
                    let dense = (row * self.y.height + line) * self.y.width + at;
                    for (acc, &from) in acc.iter_mut().zip(&map[dense..dense + T]) {
                        if from != NOWHERE {
                            crate::lanes::add(acc, &other[from as usize]);
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

    /// The gradient of the input, set if `is_first`, else added.
    #[inline(always)]
    pub(crate) fn input_gradient<const K: usize>(
        &self,
        layer: &SparseLayer,
        readers: &Readers,
        dy: &[Lanes<K>],
        dx: &mut [Lanes<K>],
        is_first: bool,
    ) {
        if !self.gathers() {
            if is_first {
                dx.fill(zero());
            }
            self.scatter(layer, dy, dx);
            return;
        }
        for line in 0..self.x.height {
            let whole = self.x.width / TILE * TILE;
            for at in (0..whole).step_by(TILE) {
                self.gather::<K, TILE>(layer, readers, dy, dx, is_first, (line, at));
            }
            for at in whole..self.x.width {
                self.gather::<K, 1>(layer, readers, dy, dx, is_first, (line, at));
            }
        }
    }

    #[inline(always)]
    fn gather<const K: usize, const T: usize>(
        &self,
        layer: &SparseLayer,
        readers: &Readers,
        dy: &[Lanes<K>],
        dx: &mut [Lanes<K>],
        is_first: bool,
        (line, at): (usize, usize),
    ) {
        let from = line * self.y.pitch() + at;
        for channel in 0..readers.starts.len() - 1 {
            let to = channel * self.x.len() + self.x.at(line, at);
            let mut acc = if is_first { [zero(); T] } else { load::<K, T>(dx, to, 1) };
            let span = readers.starts[channel] as usize..readers.starts[channel + 1] as usize;
            for &(read, connection) in &readers.reads[span] {
                let value = layer.value[connection as usize];
                let tile = load::<K, T>(dy, from + read as usize, 1);
                for t in 0..T {
                    add_scaled(&mut acc[t], &tile[t], value);
                }
            }
            dx[to..to + T].copy_from_slice(&acc);
        }
    }

    /// Where windows do not move cell by cell: each output adds to what it read. The frame is cleared afterwards.
    #[inline(always)]
    fn scatter<const K: usize>(&self, layer: &SparseLayer, dy: &[Lanes<K>], dx: &mut [Lanes<K>]) {
        for line in 0..self.y.height {
            for row in 0..layer.rows() {
                let dy = &dy[row * self.y.len() + self.y.at(line, 0)..][..self.y.width];
                let span = layer.row(row);
                for (&read, &value) in layer.reads[span.clone()].iter().zip(&layer.value[span]) {
                    let from = (self.starts[line] + read) as usize;
                    for (dx, dy) in dx[from..].iter_mut().step_by(self.stride).zip(dy) {
                        add_scaled(dx, dy, value);
                    }
                }
            }
        }
        if self.x.frame > 0 {
            clear_frames(self.x, dx);
        }
    }

    /// Adds the gradients of the weights that `reads` lists, row after row (`starts` is where each begins), and of
    /// the biases.
    #[inline(always)]
    pub(crate) fn weight_gradient<const K: usize>(
        &self,
        (starts, reads): (&[u32], &[u32]),
        x: &[Lanes<K>],
        dy: &[Lanes<K>],
        sums: &mut Sums<K>,
    ) {
        for line in 0..self.y.height {
            for row in 0..starts.len() - 1 {
                let span = starts[row] as usize..starts[row + 1] as usize;
                let (reads, weights) = (&reads[span.clone()], &mut sums.weight[span]);
                let bias = &mut sums.bias[row];
                let first = row * self.y.len() + self.y.at(line, 0);
                let from = self.starts[line] as usize;
                let whole = self.y.width / TILE * TILE;
                for at in (0..whole).step_by(TILE) {
                    let dy = load::<K, TILE>(dy, first + at, 1);
                    let from = from + at * self.stride;
                    products::<K, TILE>(reads, x, from, self.stride, &dy, weights, bias);
                }
                for at in whole..self.y.width {
                    let dy = load::<K, 1>(dy, first + at, 1);
                    let from = from + at * self.stride;
                    products::<K, 1>(reads, x, from, self.stride, &dy, weights, bias);
                }
            }
        }
    }
}

/// The products of one tile of a row's gradient with what its connections read.
#[inline(always)]
fn products<const K: usize, const T: usize>(
    reads: &[u32],
    x: &[Lanes<K>],
    from: usize,
    stride: usize,
    dy: &[Lanes<K>; T],
    weights: &mut [[Lanes<K>; 2]],
    bias: &mut Lanes<K>,
) {
    for dy in dy {
        crate::lanes::add(bias, dy);
    }
    for (&read, weight) in reads.iter().zip(weights) {
        let tile = load::<K, T>(x, from + read as usize, stride);
        let mut acc = *weight;
        for t in 0..T {
            add_product(&mut acc[t % 2], &tile[t], &dy[t]);
        }
        *weight = acc;
    }
}

/// `T` cells, `stride` apart.
#[inline(always)]
fn load<const K: usize, const T: usize>(x: &[Lanes<K>], at: usize, stride: usize) -> [Lanes<K>; T] {
    let x = &x[at..=at + (T - 1) * stride];
    let mut tile = [zero(); T];
    if stride == 1 {
        tile.copy_from_slice(&x[..T]);
    } else {
        for t in 0..T {
            tile[t] = x[t * stride];
        }
    }
    tile
}

/// Sets the frames of all planes to zero.
#[inline(always)]
pub(crate) fn clear_frames<const K: usize>(plane: Plane, x: &mut [Lanes<K>]) {
    let (frame, pitch) = (plane.frame, plane.pitch());
    for plane_of_x in x.chunks_exact_mut(plane.len()) {
        let (above, rest) = plane_of_x.split_at_mut(frame * pitch);
        let (lines, below) = rest.split_at_mut(plane.height * pitch);
        above.fill(zero());
        below.fill(zero());
        for line in lines.chunks_exact_mut(pitch) {
            line[..frame].fill(zero());
            line[pitch - frame..].fill(zero());
        }
    }
}
