//! How a convolution is run here: its geometry, and how its input lies when it is multiplied.

use crate::program::ConvolutionWindow;
use kompakt_graph::Pair;
use kompakt_kernels::{ConvShape, Depthwise, Grid, Planes};

/// Geometry of a convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conv {
    /// One group.
    pub(crate) shape: ConvShape,
    pub(crate) groups: usize,
    pub(crate) method: Method,
}

/// How the input of a convolution lies when it is multiplied.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Method {
    /// As it is: kernels of one place.
    Line,
    /// As it is: each output channel reads one input channel. See [`Depthwise`].
    Depthwise(Depthwise),
    /// Padded, and apart by phases of the stride.
    Planes(Planes),
    /// See [`Grid`].
    Grid(Grid),
}

impl Conv {
    /// The convolution of an image `[channels, h, w]` to one of another such shape.
    pub(crate) fn new(window: &ConvolutionWindow, from: &[usize], to: &[usize]) -> Self {
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
        Self::of(shape, groups, [padding.bottom, padding.right])
    }

    fn of(shape: ConvShape, groups: usize, after: [usize; 2]) -> Self {
        let ConvShape { channels, size, before, stride, kernel, .. } = shape;
        let is_plain = before == [0; 2] && after == [0; 2] && stride == [1; 2];
        let depthwise = Depthwise::new(&shape).filter(|_| groups > 1);
        let method = if kernel == [1; 2] && is_plain {
            Method::Line
        } else if let Some(depthwise) = depthwise {
            Method::Depthwise(depthwise)
        } else {
            let planes = Planes { channels: groups * channels, size, before, after, stride, row_align: 1 };
            let planes = planes.aligned_for(kernel);
            let grid = Grid::new(shape);
            let is_one_to_one = channels == 1 && groups > 1;
            if is_one_to_one || grid.cost() > Grid::cost_without(&shape, !planes.is_identity()) {
                Method::Planes(planes)
            } else {
                Method::Grid(grid)
            }
        };
        Self { shape, groups, method }
    }

    /// Elements of an image's input.
    pub(crate) fn input_len(&self) -> usize {
        self.groups * self.shape.channels * self.shape.size[0] * self.shape.size[1]
    }

    /// Elements of an output channel.
    pub(crate) fn plane(&self) -> usize {
        self.shape.output[0] * self.shape.output[1]
    }

    /// What is laid out before the layer runs, if that is.
    pub(crate) fn planes(&self) -> Option<&Planes> {
        match &self.method {
            Method::Planes(planes) if !planes.is_identity() => Some(planes),
            _ => None,
        }
    }

    /// Whether it is a convolution of one place and one group, whose channels a depthwise one can take as they come.
    pub(crate) fn is_pointwise(&self) -> bool {
        matches!(self.method, Method::Line) && self.groups == 1
    }

    /// Whether each output channel reads one input channel, and no two the same.
    pub(crate) fn is_one_to_one_depthwise(&self) -> bool {
        matches!(self.method, Method::Depthwise(_)) && self.shape.outputs == 1
    }
}

/// Height and width as kernels take them.
pub(crate) fn pair(p: Pair) -> [usize; 2] {
    [p.h, p.w]
}
