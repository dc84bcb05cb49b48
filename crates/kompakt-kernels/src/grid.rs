//! How a convolution's input lies for [`TapMatrix`](crate::TapMatrix): sixteen parts of the plane side by side.
//!
//! ```text
//! plane of outputs          vectors of a tile            lane (i, j) of vector (r, s) is
//! +----+----+----+----+     (0,0) (0,1) .. (0,bw-1)      output row  i * bh + r
//! |0,0 |0,1 |0,2 |0,3 |     (1,0)  ..                    output col  j * bw + s
//! +----+----+----+----+      ..
//! |1,0 | ..           |     (bh-1,0)  ..                 and of the input the same, with what the kernel reaches
//! ```
//!
//! A kernel's step to the right is then the next *vector*, not the next element: every load is a whole cache line, with
//! nothing copied for each place of the kernel. (At any place of a row, a 64-byte load crosses a cache line, which halves
//! the rate: 30 G products a second for 47.) The lanes' parts overlap by the kernel's reach, which is what this costs.
//!
//! With a stride, each phase of the input lies apart, so that neighbours in the output are neighbours here too:
//!
//! ```text
//! stride 2     a b c d e        phase 0   a c e        output p reads phase 0 at p (tap 0),
//!                               phase 1   b d          phase 1 at p (tap 1), phase 0 at p + 1 (tap 2)
//! ```
//!
//! Large planes are cut into tiles, so that the tile's input of all channels stays in cache. Padding, stride and dilation
//! are a matter of this layout and of the taps' offsets alone.

use crate::{Isa, planes::copy};
use alloc::{vec, vec::Vec};

/// Parts of the plane: the floats of a vector.
pub const LANES: usize = 16;
/// The most vectors across a tile: more would not stay in registers.
const MAX_ACROSS: usize = 8;
/// The most vectors down a tile.
const MAX_DOWN: usize = 16;
/// Elements that four-wide copies may write or read past the end.
const SLACK: usize = 4;

/// A convolution of one group, without its weights. Lengths in elements, `[vertical, horizontal]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Input channels of the group.
    pub channels: usize,
    /// Output channels of the group.
    pub outputs: usize,
    /// Height and width of the input without padding.
    pub size: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Zeros above and to the left.
    pub before: [usize; 2],
    /// Step from output to output.
    pub stride: [usize; 2],
    /// Step from tap to tap.
    pub dilation: [usize; 2],
}

impl ConvShape {
    /// Elements from a kernel's first tap to its last, both included.
    fn reach(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// Phases of the stride that are read.
    fn phases(&self, axis: usize) -> usize {
        if self.dilation[axis] == 1 { self.stride[axis].min(self.kernel[axis]) } else { self.stride[axis] }
    }
}

/// See the [module page](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    shape: ConvShape,
    /// Lanes down and across: [`LANES`] together, across a multiple of four.
    lanes: [usize; 2],
    /// Outputs of a lane in a tile, down and across.
    block: [usize; 2],
}

/// Cycles of a kept weight beside its products, of a copied element, of a stored element. Measured on Zen 4; they choose
/// between grids that compute the same.
const TAP_CYCLES: f64 = 1.3;
const FILL_CYCLES: f64 = 1.5;
const STORE_CYCLES: f64 = 1.0;
/// The density that grids are chosen for.
const DENSITY: f64 = 0.3;
/// Bytes of a tile's input that stay in an L2.
const TILE_BYTES: usize = 640 << 10;

impl Grid {
    /// The grid that should be fastest for that shape.
    pub fn new(shape: ConvShape) -> Self {
        let mut best = (f64::INFINITY, Self { shape, lanes: [4, 4], block: [1, 1] });
        for lanes in [[4, 4], [2, 8], [1, 16]] {
            for across in 1..=MAX_ACROSS {
                for down in 1..=MAX_DOWN {
                    let grid = Self { shape, lanes, block: [down, across] };
                    let cost = grid.cost();
                    if cost < best.0 {
                        best = (cost, grid);
                    }
                }
            }
        }
        best.1
    }

    /// Estimated cycles of the whole plane, for one input channel.
    pub fn cost(&self) -> f64 {
        let s = &self.shape;
        let per_output = s.outputs as f64 / s.channels as f64;
        let taps = (s.kernel[0] * s.kernel[1]) as f64 * DENSITY;
        let vectors = (self.block[0] * self.block[1]) as f64;
        let walks = self.block[0].div_ceil(crate::taps::rows_at_once(self.block[1])) as f64;
        let fill = (self.channel_len()) as f64 * FILL_CYCLES;
        let store = per_output * vectors * (STORE_CYCLES * LANES as f64 + 4.0);
        let mut compute = s.outputs as f64 * taps * (vectors + walks * TAP_CYCLES);
        if self.len() * 4 > TILE_BYTES {
            compute *= 1.3;
        }
        self.n_tiles() as f64 * (fill + store + compute)
    }

    /// The same where the input is only padded, or used where it is, and vectors begin anywhere.
    pub fn cost_without(shape: &ConvShape, is_padded: bool) -> f64 {
        let taps = (shape.outputs * shape.kernel[0] * shape.kernel[1]) as f64 * DENSITY;
        let [rows, across] = [shape.output[0], shape.output[1].div_ceil(LANES / 2)].map(|n| n as f64);
        let copied = if is_padded { (shape.size[0] * shape.size[1]) as f64 } else { 0.0 };
        // Half a cycle for half a vector, half of which cross a cache line.
        taps * (rows * across * 0.8 + across * rows / 12.0 * TAP_CYCLES) + copied
    }

    /// What it lays out.
    pub fn shape(&self) -> &ConvShape {
        &self.shape
    }

    /// Vectors of a tile of the output, down and across.
    pub fn block(&self) -> [usize; 2] {
        self.block
    }

    /// Floats of a tile of one output channel.
    pub fn tile_len(&self) -> usize {
        self.block[0] * self.block[1] * LANES
    }

    fn tiles(&self) -> [usize; 2] {
        [0, 1].map(|i| self.shape.output[i].div_ceil(self.lanes[i] * self.block[i]).max(1))
    }

    /// How many tiles the plane is cut into.
    pub fn n_tiles(&self) -> usize {
        self.tiles()[0] * self.tiles()[1]
    }

    /// Rows and vectors of one phase.
    fn phase(&self) -> [usize; 2] {
        [0, 1].map(|i| {
            let reach = (self.block[i] - 1) * self.shape.stride[i] + self.shape.reach(i);
            reach.div_ceil(self.shape.stride[i])
        })
    }

    /// Vectors from a row of a phase to the next.
    pub fn row_vectors(&self) -> usize {
        self.phase()[1] * self.shape.phases(1)
    }

    /// Floats of one channel of a tile.
    pub fn channel_len(&self) -> usize {
        self.phase()[0] * self.shape.phases(0) * self.row_vectors() * LANES
    }

    /// Floats of a tile of all input channels.
    pub fn len(&self) -> usize {
        self.shape.channels * self.channel_len()
    }

    /// Floats that [`fill`](Self::fill) needs room for.
    pub fn room(&self) -> usize {
        self.len() + SLACK * LANES
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the taps lie, in vectors: `[channels, kernel h, kernel w]`.
    pub fn offsets(&self) -> Vec<u32> {
        let (s, [rows, _], row) = (&self.shape, self.phase(), self.row_vectors());
        let mut offsets = Vec::with_capacity(s.channels * s.kernel[0] * s.kernel[1]);
        for channel in 0..s.channels {
            for ky in 0..s.kernel[0] {
                for kx in 0..s.kernel[1] {
                    let [y, x] = [ky * s.dilation[0], kx * s.dilation[1]];
                    let line = (channel * s.phases(0) + y % s.stride[0]) * rows + y / s.stride[0];
                    offsets.push((line * row + x % s.stride[1] * self.phase()[1] + x / s.stride[1]) as u32);
                }
            }
        }
        offsets
    }

    /// First output row and column of a tile.
    fn corner(&self, tile: usize) -> [usize; 2] {
        let across = self.tiles()[1];
        [tile / across * self.lanes[0] * self.block[0], tile % across * self.lanes[1] * self.block[1]]
    }

    /// What all lanes read of one phase: rows, and elements of a row.
    fn reach(&self) -> [usize; 2] {
        [0, 1].map(|i| (self.lanes[i] - 1) * self.block[i] + self.phase()[i])
    }

    /// Floats that [`fill`](Self::fill) works in.
    pub fn pad(&self) -> usize {
        let [n_rows, width] = self.reach();
        self.shape.phases(0) * n_rows * self.shape.phases(1) * (width + SLACK)
    }

    /// Lays out a tile's input. `pad` is memory to work in.
    ///
    /// Shapes: `x` `[channels, h, w]`, `out` [`room`](Self::room). Panics: if they are shorter.
    pub fn fill(&self, isa: Isa, x: &[f32], tile: usize, pad: &mut Vec<f32>, out: &mut [f32]) {
        let s = &self.shape;
        let [h, w] = s.size;
        let n = s.channels.saturating_mul(h).saturating_mul(w);
        assert!(x.len() >= n && out.len() >= self.room(), "a plane is too short");
        pad.clear();
        pad.resize(self.pad(), 0.0);
        match isa.level() {
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the features are there: an Isa of this level proves it")]
            crate::isa::Level::Avx512 => {
                // SAFETY: the level stands for these features.
                unsafe { wide::fill(self, x, tile, pad, out) }
            }
            _ => self.fill_with::<Fours>(x, tile, pad, out),
        }
    }

    #[inline(always)]
    fn fill_with<T: Turn>(&self, x: &[f32], tile: usize, pad: &mut [f32], out: &mut [f32]) {
        let s = &self.shape;
        let [h, w] = s.size;
        let [top, left] = self.corner(tile);
        let [n_rows, width] = self.reach();
        let len = width + SLACK;
        let phases_x = s.phases(1);
        // Where nothing is padded and nothing skipped, rows are used where they are.
        let inside = |i: usize, n: usize| {
            let start = [top, left][i].checked_sub(s.before[i]).filter(|_| s.stride[i] == 1)?;
            (start + n <= s.size[i]).then_some(start)
        };
        let plain = inside(0, n_rows).zip(inside(1, width)).map(|(y, x)| y * w + x);
        for channel in 0..s.channels {
            let out = &mut out[channel * self.channel_len()..][..self.channel_len() + SLACK * LANES];
            let in_place = plain.map(|at| &x[channel * h * w + at..]);
            if let Some(rows) = in_place.filter(|rows| (n_rows - 1) * w + len <= rows.len()) {
                self.spread_channel::<T>(rows, w, n_rows, 0, out);
                continue;
            }
            let plane = &x[channel * h * w..(channel + 1) * h * w];
            let mut lines = pad.chunks_exact_mut(phases_x * len);
            for phase_y in 0..s.phases(0) {
                for (row, lines) in (0..n_rows).zip(&mut lines) {
                    let y = ((top + row) * s.stride[0] + phase_y).wrapping_sub(s.before[0]);
                    if y >= h {
                        lines.fill(0.0);
                        continue;
                    }
                    for (phase, line) in lines.chunks_exact_mut(len).enumerate() {
                        self.take(&plane[y * w..(y + 1) * w], left, phase, line);
                    }
                }
            }
            self.spread_channel::<T>(pad, phases_x * len, n_rows, len, out);
        }
    }

    /// Rows that begin `stride` apart, phase by phase `n_rows` of them, the phases of a row `len` apart, to the lanes of
    /// a channel.
    #[inline(always)]
    fn spread_channel<T: Turn>(
        &self,
        rows: &[f32],
        stride: usize,
        n_rows: usize,
        len: usize,
        out: &mut [f32],
    ) {
        let [down, across] = self.phase();
        // Where the first of each four lanes begins.
        let mut fours = [0; LANES / 4];
        for (four, from) in fours.iter_mut().enumerate() {
            let (part, lane) = (four * 4 / self.lanes[1], four * 4 % self.lanes[1]);
            *from = part * self.block[0] * stride + lane * self.block[1];
        }
        let mut at = 0;
        for phase_y in 0..self.shape.phases(0) {
            for row in 0..down {
                for phase_x in 0..self.shape.phases(1) {
                    let from = (phase_y * n_rows + row) * stride + phase_x * len;
                    T::spread(&rows[from..], fours, self.block[1], across, &mut out[at..]);
                    at += across * LANES;
                }
            }
        }
    }

    /// One phase of a row of the input from output column `left` on, padded.
    #[inline(always)]
    fn take(&self, row: &[f32], left: usize, phase: usize, line: &mut [f32]) {
        let (step, before) = (self.shape.stride[1], self.shape.before[1]);
        // Element t is `row[(left + t) * step + phase - before]`. Divisions by one are not for the processor.
        let divided = |n: usize| if step == 1 { n } else { n.div_ceil(step) };
        let first = left * step + phase;
        let skip = divided(before.saturating_sub(first)).min(line.len());
        let from = (first + skip * step).saturating_sub(before).min(row.len());
        let n = divided(row.len() - from).min(line.len() - skip);
        zeros(&mut line[..skip]);
        let (to, rest) = line[skip..].split_at_mut(n);
        match step {
            1 => copy(&row[from..from + n], to),
            2 => every::<2>(&row[from..], to),
            4 => every::<4>(&row[from..], to),
            _ => to.iter_mut().zip(row[from..].iter().step_by(step)).for_each(|(to, &x)| *to = x),
        }
        zeros(rest);
    }

    /// Writes one channel of a tile where it belongs in the plane.
    ///
    /// Shapes: `sums` the tile and four vectors more, `y` `[oh, ow]`. Panics: if they are shorter.
    pub fn store(&self, isa: Isa, sums: &[f32], tile: usize, y: &mut [f32]) {
        match isa.level() {
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the features are there: an Isa of this level proves it")]
            crate::isa::Level::Avx512 => {
                // SAFETY: the level stands for these features.
                unsafe { wide::store(self, sums, tile, y) }
            }
            _ => self.store_with(sums, tile, y),
        }
    }

    #[inline(always)]
    fn store_with(&self, sums: &[f32], tile: usize, y: &mut [f32]) {
        let [top, left] = self.corner(tile);
        let [oh, ow] = self.shape.output;
        let [down, across] = self.block;
        let mut line = [0.0; MAX_ACROSS * LANES + SLACK];
        let n = (self.lanes[1] * across).min(ow.saturating_sub(left));
        for part in 0..self.lanes[0] {
            for row in 0..down {
                let at = top + part * down + row;
                if at >= oh {
                    break;
                }
                let sums = &sums[row * across * LANES..];
                let to = &mut y[at * ow + left..];
                if to.len() >= line.len() && n == self.lanes[1] * across && across >= 4 {
                    collect(sums, across, self.lanes[1], part * self.lanes[1], to);
                } else {
                    collect(sums, across, self.lanes[1], part * self.lanes[1], &mut line);
                    copy(&line[..n], &mut to[..n]);
                }
            }
        }
    }
}

/// Zeros, of which there are mostly few: then a call would cost more than they do.
#[inline(always)]
fn zeros(line: &mut [f32]) {
    match line {
        [] => {}
        [a] => *a = 0.0,
        [a, b] => (*a, *b) = (0.0, 0.0),
        [a, b, c] => (*a, *b, *c) = (0.0, 0.0, 0.0),
        more => more.fill(0.0),
    }
}

/// Every `N`th element.
#[inline(always)]
pub(crate) fn every<const N: usize>(x: &[f32], to: &mut [f32]) {
    let (whole, rest) = x.as_chunks::<N>();
    let n = whole.len().min(to.len());
    to.iter_mut().zip(whole).for_each(|(to, x)| *to = x[0]);
    if let (Some(to), Some(&x)) = (to.get_mut(n), rest.first()) {
        *to = x;
    }
}

/// From rows to lanes.
trait Turn {
    /// `n` vectors: lane `4 i + j` gets the elements of `rows` from `fours[i] + j * step` on. Up to three vectors more
    /// are written.
    fn spread(rows: &[f32], fours: [usize; LANES / 4], step: usize, n: usize, out: &mut [f32]);
}

/// What [`Turn::spread`] reads and writes, up to four vectors at once. Panics: if that is not there.
#[inline(always)]
fn check_spread(rows: &[f32], fours: [usize; LANES / 4], step: usize, n: usize, out: &[f32]) {
    let last = fours[0].max(fours[1]).max(fours[2]).max(fours[3]);
    // What does not fit is more than any slice has.
    let end = last.saturating_add(step.saturating_mul(3)).saturating_add(n);
    assert!(end <= rows.len() && n.saturating_mul(LANES) <= out.len(), "a row is too short");
}

/// Four lanes at a time.
struct Fours;

impl Turn for Fours {
    #[inline(always)]
    fn spread(rows: &[f32], fours: [usize; LANES / 4], step: usize, n: usize, out: &mut [f32]) {
        let n = n.next_multiple_of(4);
        check_spread(rows, fours, step, n, out);
        for (i, from) in fours.into_iter().enumerate() {
            for t in (0..n).step_by(4) {
                turn(rows, from + t, step, out, t * LANES + 4 * i, LANES);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[path = "grid_wide.rs"]
mod wide;

/// The other way round: `n` elements from each lane, end to end. Up to four more are written.
#[inline(always)]
fn collect(sums: &[f32], n: usize, lanes: usize, lane: usize, line: &mut [f32]) {
    assert!(lanes * n + SLACK <= line.len() || (n >= 4 && lanes * n <= line.len()));
    assert!(n.max(4) * LANES <= sums.len() && lane + lanes <= LANES);
    for first in (0..lanes).step_by(4) {
        let mut t = 0;
        loop {
            turn(sums, t * LANES + lane + first, LANES, line, first * n + t, n);
            if t + 4 >= n {
                break;
            }
            // The last four begin earlier rather than end later: what follows them is written already.
            t = (t + 4).min(n - 4);
        }
    }
}

/// Four times four elements of `x`, `x_step` apart, to `y`, `y_step` apart, with rows and columns exchanged.
#[inline(always)]
#[cfg(not(target_arch = "x86_64"))]
fn turn(x: &[f32], from: usize, x_step: usize, y: &mut [f32], to: usize, y_step: usize) {
    for k in 0..4 {
        for j in 0..4 {
            y[to + k * y_step + j] = x[from + j * x_step + k];
        }
    }
}

/// Four times four elements of `x`, `x_step` apart, to `y`, `y_step` apart, with rows and columns exchanged.
#[inline(always)]
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "loads and stores of four; sixteen bounds checks cost more than they do")]
fn turn(x: &[f32], from: usize, x_step: usize, y: &mut [f32], to: usize, y_step: usize) {
    use core::arch::x86_64::*;
    debug_assert!(from + 3 * x_step + 4 <= x.len() && to + 3 * y_step + 4 <= y.len());
    // SAFETY: every x86-64 has SSE; `Fours` and `collect`, who alone call this, compared the last of their elements
    // with both lengths.
    unsafe {
        let from = x.as_ptr().add(from);
        let (a, b) = (_mm_loadu_ps(from), _mm_loadu_ps(from.add(x_step)));
        let (c, d) = (_mm_loadu_ps(from.add(2 * x_step)), _mm_loadu_ps(from.add(3 * x_step)));
        let (ab_low, ab_high) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
        let to = y.as_mut_ptr().add(to);
        _mm_storeu_ps(to, _mm_movelh_ps(ab_low, cd_low));
        _mm_storeu_ps(to.add(y_step), _mm_movehl_ps(cd_low, ab_low));
        _mm_storeu_ps(to.add(2 * y_step), _mm_movelh_ps(ab_high, cd_high));
        _mm_storeu_ps(to.add(3 * y_step), _mm_movehl_ps(cd_high, ab_high));
    }
}

/// Memory whose first element is at the start of a cache line.
#[derive(Debug, Clone, Default)]
pub struct Aligned {
    memory: Vec<f32>,
}

impl Aligned {
    /// The first `n` floats, made if they are not there; what is in them is left from before.
    pub fn room(&mut self, n: usize) -> &mut [f32] {
        if self.memory.len() < n + LANES {
            self.memory = vec![0.0; n + LANES];
        }
        let skip = self.memory.as_ptr().align_offset(LANES * size_of::<f32>()).min(LANES);
        &mut self.memory[skip..skip + n]
    }

    /// The bytes that room for `n` floats takes.
    pub fn estimate_bytes(n: usize) -> usize {
        4 * (n + LANES)
    }
}
