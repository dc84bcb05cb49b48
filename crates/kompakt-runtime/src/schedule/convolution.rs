//! Converts the program's convolutions to those of the kernels.

use crate::program::ConvolutionWindow;
use kompakt_graph::Pair;
use kompakt_kernels::{ConvShape, Convolution};

/// The convolution from an image `[channels, h, w]` to another.
pub(crate) fn convolution(window: &ConvolutionWindow, from: &[usize], to: &[usize]) -> Convolution {
    let ConvolutionWindow { kernel, stride, padding, dilation, groups } = *window;
    let shape = ConvShape {
        channels: from[0] / groups,
        outputs: to[0] / groups,
        size: [from[1], from[2]],
        output: [to[1], to[2]],
        kernel: pair(kernel),
        before: [padding.top, padding.left],
        stride: pair(stride),
        dilation: pair(dilation),
    };
    Convolution::new(shape, groups, [padding.bottom, padding.right])
}

/// Height and width in the kernels' types.
pub(crate) fn pair(p: Pair) -> [usize; 2] {
    [p.h, p.w]
}
