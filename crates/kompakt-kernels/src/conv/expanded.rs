//! A 1 x 1 convolution fused with the depthwise one after it, some channels at a time, so that the
//! intermediate values stay in cache and are never stored in full.

use super::{
    convolution::{Convolution, Input},
    depthwise::{Depthwise, PlanesAt},
    grid::LANES,
    rows::ConvRows,
    scratch::ConvScratch,
};
use crate::{Epilogue, WindowMatrix};

/// The input size of a pointwise convolution, in floats, from which it is cut into bands.
const BAND_INPUT: usize = 1 << 14;
/// Rows of a band: twice the depthwise kernel's tile height. Bands overlap by its halo.
const BAND_ROWS: usize = 14;

/// A pointwise convolution and the depthwise one that reads it, run together so that the values between them stay in cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpandedDepthwise {
    expand: Convolution,
    depthwise: Depthwise,
    /// Elements of an output channel.
    plane: usize,
    /// Rows of the output per band.
    band_rows: usize,
}

impl ExpandedDepthwise {
    /// The pair, if the first is a 1 x 1 convolution of one group, and each output channel of the second
    /// reads one channel of it, all of them different.
    pub fn new(expand: &Convolution, to: &Convolution) -> Option<Self> {
        let is_pointwise = matches!(expand.input, Input::Lines) && expand.groups == 1;
        match to.input {
            Input::Depthwise(depthwise) if is_pointwise && to.shape.outputs == 1 => {
                Some(Self { expand: *expand, depthwise, plane: to.plane(), band_rows: band_rows(expand, to) })
            }
            _ => None,
        }
    }

    /// The first of the two.
    pub fn expand(&self) -> &Convolution {
        &self.expand
    }

    /// Elements of an output channel.
    pub fn plane(&self) -> usize {
        self.plane
    }

    /// Runs some channels of both for one image, the batch's `image`th: `part` are rows of the first convolution,
    /// `weights` and `epilogue` those of the second, all rows of it.
    ///
    /// Shapes: `x` the first's input, `y` one plane for each of the rows. Panics: if they are shorter, or the matrices
    /// have no such rows.
    #[expect(clippy::too_many_arguments, reason = "two layers' operands")]
    pub fn run(
        &self,
        part: &ConvRows<'_>,
        weights: &WindowMatrix,
        epilogue: Epilogue<'_>,
        x: &[f32],
        image: usize,
        scratch: &mut ConvScratch,
        y: &mut [f32],
    ) {
        let WindowMatrix::Taps(taps) = weights else { panic!("a depthwise convolution of panels") };
        let ([height, across], width) = (self.depthwise.output, self.depthwise.size[1]);
        let first = part.rows.start;
        for top in (0..height).step_by(self.band_rows) {
            let (from, band) = self.depthwise.band(top..height.min(top + self.band_rows));
            let positions = from.start * width..from.end * width;
            part.hidden(x, image, positions, scratch, |some, hidden, x_plane| {
                let y = &mut y[(some.start - first) * self.plane..(some.end - first) * self.plane];
                let at = PlanesAt { first: some.start, x_plane, y_plane: self.plane };
                band.apply(part.isa, taps, some, 0, hidden, at, epilogue, &mut y[top * across..]);
            });
        }
    }
}

/// Rows per band of the output of a depthwise layer that is fused with the layer before it, `expand`: all,
/// unless the latter's input is large; its part for a band then stays in cache over all channels.
fn band_rows(expand: &Convolution, to: &Convolution) -> usize {
    let ([h, w], [oh, _]) = (to.shape.size, to.shape.output);
    let is_large = expand.shape.channels * expand.plane() > BAND_INPUT && w.is_multiple_of(LANES);
    let (before, stride, kernel) = (to.shape.before[0], to.shape.stride[0], to.shape.kernel[0]);
    // Each row of the output reads a row of the input.
    let reads = before < kernel && oh > 0 && (oh - 1) * stride < h + before;
    if is_large && reads { BAND_ROWS.min(oh) } else { oh.max(1) }
}
