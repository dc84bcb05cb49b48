//! Depthwise convolutions (each output channel reads one input channel), on planes in their original layout.
//!
//! ```text
//! 3 x 3, step 1     rows of x    a     y0 += a b c        each row of x is loaded once for each column of
//!                                b     y1 += b c d        the kernel, and added to all rows of y that read it, which
//!                                c     y2 += c d e        stay in registers: seven at a time
//! ```
//!
//! Nothing is padded or copied: elements outside a row are loaded as zeros, under a mask, and rows outside
//! the plane are skipped. With step 2 a row is loaded in pairs of vectors, whose even and odd elements are
//! deinterleaved.
//!
//! The weights are a [`TapMatrix`] whose columns are the kernel positions. They are expanded into registers
//! row by row, pruned ones as zeros.
//!
//! Kernels other than those of [`Depthwise::new`] run as ordinary convolutions, over
//! [`Planes`](crate::Planes).

#![expect(unsafe_code, reason = "what runs over vectors is behind their features")]

use crate::{
    ConvShape, Epilogue, Isa, TapMatrix,
    arch::Arch,
    conv::strips,
    epilogue::RowEpilogue,
    isa::{Job, run},
};
use core::ops::Range;

/// The maximum number of kernel positions.
pub(super) const MAX_PLACES: usize = 25;

/// See the [module page](self).
///
/// `kernel` and `stride` are among those supported; sizes are arbitrary and checked by
/// [`apply`](Self::apply).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depthwise {
    /// Output channels that read the same input channel.
    outputs: usize,
    pub(super) size: [usize; 2],
    pub(super) output: [usize; 2],
    pub(super) before: [usize; 2],
    /// Height and width of the kernel: 3 or 5.
    pub(super) kernel: usize,
    /// Step, down and across: 1 or 2.
    pub(super) stride: usize,
}

/// The location of the planes of a run.
#[derive(Debug, Clone, Copy)]
pub struct PlanesAt {
    /// The input channel that is first in `x`.
    pub first: usize,
    /// Stride of input channels, in floats.
    pub x_plane: usize,
    /// Stride of output channels, in floats.
    pub y_plane: usize,
}

impl Depthwise {
    /// A group's convolution, if it is one of these: one input channel, a kernel of 3 x 3 or 5 x 5 without dilation, and
    /// the same step of 1 or 2 down and across.
    pub fn new(shape: &ConvShape) -> Option<Self> {
        let ConvShape { channels, outputs, size, output, kernel, before, stride, dilation } = *shape;
        let is_one = channels == 1 && dilation == [1; 2] && kernel[0] == kernel[1] && stride[0] == stride[1];
        let is_known = matches!(kernel[0], 3 | 5) && matches!(stride[0], 1 | 2) && outputs > 0;
        (is_one && is_known).then_some(Self {
            outputs,
            size,
            output,
            before,
            kernel: kernel[0],
            stride: stride[0],
        })
    }

    /// Kernel positions: columns of the weights.
    pub fn n_places(&self) -> usize {
        self.kernel * self.kernel
    }

    /// The part of the plane that some rows of the output read, and this convolution on that part only.
    pub fn band(&self, rows: Range<usize>) -> (Range<usize>, Self) {
        let first = (rows.start * self.stride).saturating_sub(self.before[0]);
        let end = ((rows.end - 1) * self.stride + self.kernel).saturating_sub(self.before[0]);
        let end = end.min(self.size[0]).max(first);
        let before = self.before[0].saturating_sub(rows.start * self.stride);
        let (size, output) = ([end - first, self.size[1]], [rows.len(), self.output[1]]);
        (first..end, Self { size, output, before: [before, self.before[1]], ..*self })
    }

    /// `y = epilogue(w * x)` for some rows of `taps`, which are output channels of all groups.
    ///
    /// Shapes: `taps` `[rows, places]` in one block, column `ky * kernel + kx`; `x` input channels `[h, w]` from
    /// `at.first` on; `y` one `[oh, ow]` for each row, first to last; `epilogue` counts rows from the matrix's first,
    /// groups count rows from `first_row` before that.
    /// Panics: if `x` or `y` is too short, or there are no such rows.
    #[expect(clippy::too_many_arguments, reason = "a kernel's operands")]
    pub fn apply(
        &self,
        isa: Isa,
        taps: &TapMatrix,
        rows: Range<usize>,
        first_row: usize,
        x: &[f32],
        at: PlanesAt,
        epilogue: Epilogue<'_>,
        y: &mut [f32],
    ) {
        // Products and sums that do not fit are more than any slice has.
        let ([x_len, y_len], n) = ([self.size, self.output].map(|[h, w]| h.saturating_mul(w)), rows.len());
        if n == 0 || y_len == 0 {
            return;
        }
        assert!(rows.end <= taps.n_rows() && taps.n_cols() == self.n_places(), "rows or places");
        epilogue.check(rows.end);
        let [first, last] =
            [rows.start, rows.end - 1].map(|row| row.saturating_add(first_row) / self.outputs);
        assert!(first >= at.first, "an input channel before the first");
        let x_end = (last - at.first).saturating_mul(at.x_plane).saturating_add(x_len);
        let y_end = (n - 1).saturating_mul(at.y_plane).saturating_add(y_len);
        assert!(x.len() >= x_end, "x is too short");
        assert!(n == 1 || at.y_plane >= y_len, "planes of y overlap");
        assert!(y.len() >= y_end, "y is too short");
        run(isa, Channels { shape: self, taps, rows, first_row, x, at, epilogue, y });
    }
}

/// A job whose sizes [`Depthwise::apply`] has checked.
pub(super) struct Channels<'a> {
    pub(super) shape: &'a Depthwise,
    taps: &'a TapMatrix,
    pub(super) rows: Range<usize>,
    first_row: usize,
    /// It contains all planes that the rows read.
    x: &'a [f32],
    pub(super) at: PlanesAt,
    epilogue: Epilogue<'a>,
    /// It contains a plane for each row.
    pub(super) y: &'a mut [f32],
}

/// One output channel.
pub(super) struct Channel<'a> {
    pub(super) weights: [f32; MAX_PLACES],
    /// `[h, w]`.
    pub(super) x: &'a [f32],
    pub(super) epilogue: RowEpilogue,
}

impl<'a> Channels<'a> {
    #[inline(always)]
    pub(super) fn channel(&self, row: usize) -> Channel<'a> {
        let mut weights = [0.0; MAX_PLACES];
        self.taps.spread_row(row, &mut weights[..self.shape.n_places()]);
        let from = ((row + self.first_row) / self.shape.outputs - self.at.first) * self.at.x_plane;
        let x = &self.x[from..from + self.shape.size[0] * self.shape.size[1]];
        Channel { weights, x, epilogue: self.epilogue.row(row) }
    }
}

impl Job for Channels<'_> {
    type Output = ();

    fn define(mut self) {
        let y = core::mem::take(&mut self.y);
        let Depthwise { size: [h, w], output: [oh, ow], before: [top, left], kernel, stride, .. } =
            *self.shape;
        for (row, y) in self.rows.clone().zip(y.chunks_mut(self.at.y_plane.max(oh * ow))) {
            let channel = self.channel(row);
            for (at, y) in y[..oh * ow].iter_mut().enumerate() {
                let (oy, ox) = (at / ow * stride, at % ow * stride);
                let mut sum = 0.0;
                for place in 0..kernel * kernel {
                    let iy = (oy + place / kernel).wrapping_sub(top);
                    let ix = (ox + place % kernel).wrapping_sub(left);
                    if iy < h && ix < w {
                        sum += channel.weights[place] * channel.x[iy * w + ix];
                    }
                }
                *y = channel.epilogue.apply(sum);
            }
        }
    }

    #[inline(always)]
    unsafe fn run<A: Arch>(self) {
        // SAFETY: promised by the caller; `apply` checked that all planes lie in `x` and `y`.
        unsafe { strips::run::<A>(self) }
    }
}
