//! The operations of a program. Axes count from the batch, which is axis 0.

use alloc::vec::Vec;
use kompakt_graph::{BinaryFunction, Cell, Padding, Pair, Reduction, UnaryFunction, Update};

/// The number of a parameter in the file: an index into [`kompakt_graph::Graph::params`].
pub type ParameterId = usize;

/// An operation without its operands. `x` is the first input, `y` the output.
#[derive(Debug, Clone, PartialEq)]
pub enum OperationKind {
    /// `y = W x`, then the epilogue; `x` `[batch, in]`, `W` `[out, in]`, `y` `[batch, out]`.
    Linear {
        /// `W`.
        weight: ParameterId,
        /// The epilogue of the sums.
        epilogue: Epilogue,
    },
    /// Cross-correlation, then the epilogue; `x` `[batch, in, h, w]`, weight `[out, in / groups, kh, kw]`.
    Convolution {
        /// The weight.
        weight: ParameterId,
        /// The window.
        window: ConvolutionWindow,
        /// The epilogue of the sums.
        epilogue: Epilogue,
    },
    /// Maximum over the window; `x` `[batch, channels, h, w]`.
    MaxPool(PoolingWindow),
    /// Mean over the window; `x` `[batch, channels, h, w]`.
    AveragePool {
        /// The window.
        window: PoolingWindow,
        /// Whether padding counts in the divisor.
        count_padding: bool,
    },
    /// Mean over height and width: `[batch, channels, h, w]` to `[batch, channels, 1, 1]`.
    GlobalAveragePool,
    /// A scale and a bias for each index of axis 1, then a ReLU if `relu`.
    Affine {
        /// Scale and bias.
        affine: Affine,
        /// Whether negative results become 0.
        relu: bool,
    },
    /// `x` where it is at least 0, else `slope x`, with one slope for each index of axis 1.
    Prelu {
        /// The slopes.
        slopes: ParameterId,
    },
    /// A function of each element.
    Unary(Unary),
    /// `exp(x) / sum exp(x)` along an axis.
    Softmax {
        /// The axis.
        axis: usize,
    },
    /// `x - log sum exp(x)` along an axis.
    LogSoftmax {
        /// The axis.
        axis: usize,
    },
    /// Two values of equal rank, element by element, then a ReLU if `relu`; dimensions of 1 are broadcast.
    Binary {
        /// The function.
        operator: Binary,
        /// Whether negative results become 0.
        relu: bool,
    },
    /// Joins values along an axis.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// The same elements in row-major order under the shape of `y`.
    Reshape,
    /// Elements `start`, `start + step`, … along each axis, as many as `y` has.
    Slice {
        /// First index, one per axis.
        start: Vec<usize>,
        /// Step, one per axis.
        step: Vec<usize>,
    },
    /// Zeros around `x`.
    Pad {
        /// Zeros before, one number per axis; the rest of `y`'s shape is padded after.
        before: Vec<usize>,
    },
    /// Axis `i` of `y` is axis `axes[i]` of `x`.
    Transpose {
        /// A permutation of the axes.
        axes: Vec<usize>,
    },
    /// Along an axis, element `i` of `y` is element `indices[i]` of `x`.
    Gather {
        /// The axis.
        axis: usize,
        /// One per element of `y` along the axis.
        indices: Vec<usize>,
    },
    /// Bilinear interpolation of axes 2 and 3: pixel `i` of `y` samples `x` at `i step + offset`, clamped to
    /// its first and last pixel.
    Resize {
        /// Vertical and horizontal step in `x` per pixel of `y`.
        step: [f32; 2],
        /// The position in `x` of the first pixel of `y`.
        offset: [f32; 2],
    },
    /// Pixels of axes 2 and 3 spread out, with zeros between them.
    Spread {
        /// The step between pixels of `x` in `y`.
        step: Pair,
    },
    /// `x / (bias + alpha / size * sum x^2)^beta`, the sum over `size` neighbours along axis 1.
    LocalResponseNorm {
        /// Channels in a sum: `(size - 1) / 2` before, `size / 2` after.
        size: usize,
        /// Factor of the mean square.
        alpha: f32,
        /// Exponent.
        beta: f32,
        /// Added before the power.
        bias: f32,
    },
    /// The second input where the first is not 0, else the third; dimensions of 1 are broadcast.
    Select,
    /// Reduces some axes, which are 1 in `y`.
    Reduce {
        /// The reduction.
        function: Reduction,
        /// The axes, ascending.
        axes: Vec<usize>,
    },
    /// Matrix products over the last two axes of two values; other axes of 1 are broadcast.
    MatMul,
    /// The numbers of a parameter, for each image; the input is not read.
    Constant {
        /// The parameter.
        value: ParameterId,
    },
    /// A row of a matrix for each element, which is its index: `x` `[batch, …]`, `y` `[batch, …, features]`.
    /// An index is truncated to an integer; negative ones count from the end; the result is clamped to the
    /// range.
    Embedding {
        /// The matrix.
        weight: ParameterId,
    },
    /// Gathers along an axis of the first input, image by image, at the indices of the second; the axis is
    /// replaced by theirs, without the batch. Indices as for [`OperationKind::Embedding`].
    Take {
        /// The axis.
        axis: usize,
    },
    /// Writes rows of the third input `[batch, k, m]` to those rows of the first `[batch, n, m]` that the second
    /// `[batch, k]` names, first to last. Indices as for [`OperationKind::Embedding`].
    Scatter {
        /// How a row is combined with the existing one.
        update: Update,
    },
    /// The largest or smallest elements along an axis, as many as `y` has; ties keep their order.
    TopK {
        /// The axis.
        axis: usize,
        /// Whether the largest.
        largest: bool,
        /// Whether `y` holds their indices instead of their values.
        indices: bool,
    },
    /// A recurrent layer; shapes as for [`kompakt_graph::Op::Recurrent`], with the batch of the program before them.
    Recurrent {
        /// The cell.
        cell: Cell,
        /// `[gates hidden, hidden]`.
        weight: ParameterId,
        /// `[gates hidden]`.
        bias: ParameterId,
        /// Whether time runs backwards.
        reverse: bool,
    },
}

/// The operations on a layer's sums: `y = relu((sum + bias) * scale + shift)`; absent parts are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Epilogue {
    /// One number per output channel.
    pub bias: Option<ParameterId>,
    /// Scale and shift.
    pub affine: Option<Affine>,
    /// Whether negative results become 0.
    pub relu: bool,
}

/// A scale and a bias for each channel, as parameter numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Affine {
    /// `x * scale + bias`.
    ScaleBias {
        /// The scale.
        weight: ParameterId,
        /// The bias.
        bias: ParameterId,
    },
    /// `(x - mean) / sqrt(var + eps) * weight + bias`; the parameters weight, bias, mean and var follow each other.
    BatchNorm {
        /// The first of the four.
        weight: ParameterId,
        /// Added to the variance.
        eps: f32,
    },
}

/// The window of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvolutionWindow {
    /// Height and width of the kernel.
    pub kernel: Pair,
    /// Step.
    pub stride: Pair,
    /// Zeros around `x`.
    pub padding: Padding,
    /// Dilation.
    pub dilation: Pair,
    /// Groups of channels that do not mix.
    pub groups: usize,
}

/// The window of a pooling operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolingWindow {
    /// Height and width.
    pub kernel: Pair,
    /// Step.
    pub stride: Pair,
    /// Cells around `x`.
    pub padding: Padding,
}

/// A unary function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unary {
    /// `max(x, 0)`.
    Relu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
    /// `factor x + offset`.
    Scale {
        /// The factor.
        factor: f32,
        /// The offset.
        offset: f32,
    },
    /// `min(max(x, low), high)`.
    Clip {
        /// The least value.
        low: f32,
        /// The greatest value.
        high: f32,
    },
    /// `x` where it is at least 0, else `slope x`.
    LeakyRelu {
        /// The slope below 0.
        slope: f32,
    },
    /// `min(max(slope x + offset, 0), 1)`.
    HardSigmoid {
        /// The slope.
        slope: f32,
        /// The value at 0.
        offset: f32,
    },
    /// `x min(max(x / 6 + 0.5, 0), 1)`.
    HardSwish,
    /// `x / (1 + exp(-x))`.
    Silu,
    /// Another function.
    Function(UnaryFunction),
}

/// A binary function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// `a + b`.
    Add,
    /// `a - b`.
    Sub,
    /// `a b`.
    Mul,
    /// `a / b`.
    Div,
    /// Another function.
    Function(BinaryFunction),
}
