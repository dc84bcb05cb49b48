//! The geometry of a convolution: which element of the input each tap of each position sees.
//!
//! ```text
//! position (y, x) of the output, tap (i, j)  ──►  row    y stride.h + i dilation.h - padding.top
//!                                                 column x stride.w + j dilation.w - padding.left   of the input
//! ```

use crate::{
    graph::Graph,
    op::{Op, Padding, Pair},
};

/// The sizes of a convolution, checked with its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// `[channels, height, width]` of the input.
    pub input: [usize; 3],
    /// `[channels, height, width]` of the output.
    pub output: [usize; 3],
    /// Taps along each dimension.
    pub kernel: Pair,
    /// Distance between positions.
    pub stride: Pair,
    /// Zeros around the input.
    pub padding: Padding,
    /// Distance between taps.
    pub dilation: Pair,
    /// Groups of channels that do not mix.
    pub groups: usize,
}

impl Convolution {
    /// For a convolution with these input and output shapes; `None` for another operator or other shapes.
    pub fn of(op: &Op, input: &[usize], output: &[usize]) -> Option<Self> {
        let &Op::Conv2d { kernel, stride, padding, dilation, groups, .. } = op else { return None };
        let (input, output) = (input.try_into().ok()?, output.try_into().ok()?);
        Some(Self { input, output, kernel, stride, padding, dilation, groups })
    }

    /// Weights per output channel: channels of a group times taps.
    pub fn n_weights(&self) -> usize {
        self.input[0] / self.groups * self.kernel.h * self.kernel.w
    }

    /// Output channels per group.
    pub fn n_outputs(&self) -> usize {
        self.output[0] / self.groups
    }

    /// Positions per output channel.
    pub fn n_positions(&self) -> usize {
        self.output[1] * self.output[2]
    }

    /// Whether the kernel has a single tap, which reads the input's element at the output's position.
    pub fn is_pointwise(&self) -> bool {
        self.kernel == Pair::square(1)
            && self.stride == Pair::square(1)
            && (self.padding.top, self.padding.left) == (0, 0)
            && self.input[1..] == self.output[1..]
    }

    /// The input row that kernel row `tap` reads at output row `position`; `None` for padding.
    pub fn row(&self, position: usize, tap: usize) -> Option<usize> {
        let row = position * self.stride.h + tap * self.dilation.h;
        row.checked_sub(self.padding.top).filter(|&row| row < self.input[1])
    }

    /// The column, likewise.
    pub fn column(&self, position: usize, tap: usize) -> Option<usize> {
        let column = position * self.stride.w + tap * self.dilation.w;
        column.checked_sub(self.padding.left).filter(|&column| column < self.input[2])
    }
}

impl Graph {
    /// The geometry of a convolution node; `None` for other nodes.
    pub fn convolution(&self, node: usize) -> Option<Convolution> {
        let n = self.nodes().get(node)?;
        Convolution::of(&n.op, self.shape(*n.inputs.first()?), self.shape(self.value_of(node)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// A kernel of `[2, 3]`, rows 2 apart, columns dilated by 2, one row of zeros above and two columns to the left.
    #[test]
    fn taps_see_what_they_should() {
        let conv = Op::Conv2d {
            out_channels: 4,
            kernel: Pair { h: 2, w: 3 },
            stride: Pair { h: 2, w: 1 },
            padding: Padding { top: 1, left: 2, bottom: 0, right: 0 },
            dilation: Pair { h: 1, w: 2 },
            groups: 2,
            bias: false,
        };
        let graph = Graph::chain(&[6, 5, 7], vec![conv, Op::Relu]).unwrap();
        let conv = graph.convolution(0).unwrap();
        assert_eq!(conv.output, [4, 3, 5]);
        assert_eq!((conv.n_weights(), conv.n_outputs(), conv.n_positions()), (18, 2, 15));
        assert_eq!([conv.row(0, 0), conv.row(0, 1), conv.row(2, 1)], [None, Some(0), Some(4)]);
        assert_eq!([conv.column(0, 0), conv.column(0, 1), conv.column(4, 2)], [None, Some(0), Some(6)]);
        assert!(!conv.is_pointwise());
        assert_eq!(graph.convolution(1), None);
    }
}
