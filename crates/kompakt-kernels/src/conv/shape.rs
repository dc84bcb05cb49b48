//! The shape of a convolution.

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
    /// The same with a plane that is one element wide laid across: its elements, and the kernel's, have the same order
    /// either way, and vectors run across. `None` if the plane is wider, or padded at its sides by `after` or by itself.
    pub(super) fn across(&self, after: [usize; 2]) -> Option<Self> {
        let Self { size, output, kernel, before, stride, dilation, .. } = *self;
        let is_line = [size[1], output[1], kernel[1]] == [1; 3] && [before[1], after[1]] == [0; 2];
        let lay = |axes: [usize; 2], one: usize| [one, axes[0]];
        is_line.then_some(Self {
            size: lay(size, 1),
            output: lay(output, 1),
            kernel: lay(kernel, 1),
            before: lay(before, 0),
            stride: lay(stride, 1),
            dilation: lay(dilation, 1),
            ..*self
        })
    }

    /// Elements from a kernel's first tap to its last, both included.
    pub(super) fn reach(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilation[axis] + 1
    }

    /// Phases of the stride that are read.
    pub(super) fn phases(&self, axis: usize) -> usize {
        if self.dilation[axis] == 1 { self.stride[axis].min(self.kernel[axis]) } else { self.stride[axis] }
    }
}
