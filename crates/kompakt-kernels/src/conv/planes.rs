//! An input layout of convolutions for [`TapMatrix`](crate::TapMatrix): padded, with one plane per phase of
//! the stride.
//!
//! ```text
//! stride 2     a b c d e        phase 0   a c e        output p reads phase 0 at p (tap 0),
//!                               phase 1   b d          phase 1 at p (tap 1), phase 0 at p + 1 (tap 2)
//! ```
//!
//! A strided convolution reads every second element; split by phase, each tap reads contiguous elements
//! again, and runs like one of stride 1. With stride 1 and no padding the input is used in place.

use super::fill::every;
use alloc::vec::Vec;

/// Shape, padding and stride of a convolution's input. Lengths in elements, `[vertical, horizontal]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planes {
    /// Channels.
    pub channels: usize,
    /// Height and width without padding.
    pub size: [usize; 2],
    /// Zeros above and to the left.
    pub before: [usize; 2],
    /// Zeros below and to the right.
    pub after: [usize; 2],
    /// Step of the convolution.
    pub stride: [usize; 2],
    /// Rows start at multiples of this many elements; 1: they are contiguous. Vectors that are read at any
    /// position of a row then cross fewer cache lines.
    pub row_align: usize,
}

/// Floats of a cache line.
const LINE: usize = 16;

impl Planes {
    /// The row alignment for a kernel of that size: cache lines, unless that wastes too much memory or the
    /// kernel is 1 x 1, whose window is a single line of positions.
    pub fn aligned_for(mut self, kernel: [usize; 2]) -> Self {
        self.row_align = 1;
        let width = self.row_stride();
        if kernel != [1, 1] && width.next_multiple_of(LINE) * 2 <= width * 3 {
            self.row_align = LINE;
        }
        self
    }

    /// Whether the input can be used in place.
    pub fn is_identity(&self) -> bool {
        let is_plain = self.before == [0; 2] && self.after == [0; 2] && self.stride == [1; 2];
        is_plain && self.row_stride() == self.size[1]
    }

    /// Height of a phase, and its row stride.
    fn phase(&self) -> [usize; 2] {
        let [h, w] = [0, 1].map(|i| (self.size[i] + self.before[i] + self.after[i]).div_ceil(self.stride[i]));
        [h, w.next_multiple_of(self.row_align.max(1))]
    }

    /// Elements of one channel, all phases.
    pub fn channel_len(&self) -> usize {
        let [h, w] = self.phase();
        h * w * self.stride[0] * self.stride[1]
    }

    /// Elements of all channels.
    pub fn len(&self) -> usize {
        self.channels * self.channel_len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The row stride.
    pub fn row_stride(&self) -> usize {
        self.phase()[1]
    }

    /// Where the element that tap `at` (kernel position times dilation) of channel `channel` reads for output 0 is.
    pub fn offset(&self, channel: usize, at: [usize; 2]) -> usize {
        let [h, w] = self.phase();
        let phase = (at[0] % self.stride[0]) * self.stride[1] + at[1] % self.stride[1];
        channel * self.channel_len() + phase * h * w + at[0] / self.stride[0] * w + at[1] / self.stride[1]
    }

    /// The offsets of all taps: `[channels, kernel h, kernel w]`, for `channels` of a group.
    pub fn offsets(&self, channels: usize, kernel: [usize; 2], dilation: [usize; 2]) -> Vec<u32> {
        let mut offsets = Vec::with_capacity(channels * kernel[0] * kernel[1]);
        for channel in 0..channels {
            for ky in 0..kernel[0] {
                for kx in 0..kernel[1] {
                    let at = [ky * dilation[0], kx * dilation[1]];
                    offsets.push(self.offset(channel, at) as u32);
                }
            }
        }
        offsets
    }

    /// Lays the input out. Shapes: `x` `[channels, h, w]`, `out` [`len`](Self::len).
    ///
    /// Panics: if they are shorter.
    pub fn fill(&self, x: &[f32], out: &mut [f32]) {
        let [h, w] = self.size;
        let channel_len = self.channel_len();
        assert!(x.len() >= self.channels * h * w && out.len() >= self.len(), "a plane is too short");
        for (x, out) in x.chunks_exact(h * w).zip(out.chunks_exact_mut(channel_len)).take(self.channels) {
            if self.stride == [1, 1] {
                self.fill_rows(x, 0, out);
            } else {
                self.fill_phases(x, out);
            }
        }
    }

    /// Lays out rows of one channel, padding included, from the one numbered `first` on, as many as `out` has; with a stride of
    /// one.
    // Not inlined: each transform of Winograd's method would have a copy.
    #[inline(never)]
    pub(super) fn fill_rows(&self, x: &[f32], first: usize, out: &mut [f32]) {
        let ([_, w], [top, left], right) = (self.size, self.before, self.after[1]);
        let (above, rest) = out.split_at_mut(out.len().min(top.saturating_sub(first) * self.row_stride()));
        above.fill(0.0);
        let mut rows = rest.chunks_exact_mut(self.row_stride());
        for (x, out) in x.chunks_exact(w).skip(first.saturating_sub(top)).zip(rows.by_ref()) {
            // The rest, up to the next row, is never read.
            let out = &mut out[..left + w + right];
            zero_ends(out, left, right);
            copy(x, &mut out[left..left + w]);
        }
        rows.for_each(|row| row.fill(0.0));
    }

    fn fill_phases(&self, x: &[f32], out: &mut [f32]) {
        let ([_, w], [top, left], [sh, sw]) = (self.size, self.before, self.stride);
        let [ph, pw] = self.phase();
        out.fill(0.0);
        for (y, x) in x.chunks_exact(w).enumerate() {
            let y = y + top;
            let row = (y % sh) * sw * ph * pw + y / sh * pw;
            for phase in 0..sw {
                // The first element of this phase, and its destination.
                let first = (phase + sw - left % sw) % sw;
                let to = row + phase * ph * pw + (first + left) / sw;
                let from = x.get(first..).unwrap_or(&[]);
                let to = &mut out[to..][..from.len().div_ceil(sw)];
                match sw {
                    2 => every::<2>(from, to),
                    4 => every::<4>(from, to),
                    _ => to.iter_mut().zip(from.iter().step_by(sw)).for_each(|(to, &x)| *to = x),
                }
            }
        }
    }
}

/// Writes zeros at both ends of a row. The elements between may be overwritten too.
#[inline(always)]
fn zero_ends(row: &mut [f32], left: usize, right: usize) {
    const FEW: usize = 4;
    let n = row.len();
    if left.max(right) <= FEW && n >= FEW {
        // A call for one element costs more than this.
        row[..FEW].copy_from_slice(&[0.0; FEW]);
        row[n - FEW..].copy_from_slice(&[0.0; FEW]);
    } else {
        row[..left].fill(0.0);
        row[n - right..].fill(0.0);
    }
}

/// Copies a row: short ones without a call, the last part overlapping the one before it.
#[inline(always)]
pub(crate) fn copy(x: &[f32], to: &mut [f32]) {
    let n = x.len();
    match n {
        4..8 => parts::<4>(x, to),
        8..16 => parts::<8>(x, to),
        16..128 => parts::<16>(x, to),
        _ => to[..n].copy_from_slice(x),
    }
}

#[inline(always)]
fn parts<const N: usize>(x: &[f32], to: &mut [f32]) {
    let mut at = 0;
    loop {
        to[at..at + N].copy_from_slice(&x[at..at + N]);
        if at + N >= x.len() {
            break;
        }
        at = (at + N).min(x.len() - N);
    }
}
