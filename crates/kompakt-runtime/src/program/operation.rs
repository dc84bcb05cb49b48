//! What a program's operations do. Axes count from the batch, which is axis 0.

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
        /// What is done to the sums.
        epilogue: Epilogue,
    },
    /// Cross-correlation, then the epilogue; `x` `[batch, in, h, w]`, weight `[out, in / groups, kh, kw]`.
    Convolution {
        /// The weight.
        weight: ParameterId,
        /// How the window moves.
        window: ConvolutionWindow,
        /// What is done to the sums.
        epilogue: Epilogue,
    },
    /// Largest value under the window; `x` `[batch, channels, h, w]`.
    MaxPool(PoolingWindow),
    /// Mean under the window; `x` `[batch, channels, h, w]`.
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
    /// Changes each element on its own.
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
    /// Two values of equal rank, element by element, then a ReLU if `relu`; dimensions of 1 are repeated.
    Binary {
        /// What is done.
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
    /// Elements `start`, `start + step`, … along every axis, as many as `y` has.
    Slice {
        /// First index, one an axis.
        start: Vec<usize>,
        /// Distance, one an axis.
        step: Vec<usize>,
    },
    /// Zeros around `x`.
    Pad {
        /// How many come before, one an axis; what is missing of `y`'s shape comes after.
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
        /// One an element of `y`.
        indices: Vec<usize>,
    },
    /// Bilinear interpolation of axes 2 and 3: pixel `i` of `y` is taken at `i step + offset` of `x`, clamped to its first
    /// and last pixel.
    Resize {
        /// Vertical and horizontal distance in `x` of neighbours in `y`.
        step: [f32; 2],
        /// Where in `x` the first pixel of `y` lies.
        offset: [f32; 2],
    },
    /// Pixels of axes 2 and 3 moved apart, zeros between.
    Spread {
        /// Distance of neighbours.
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
    /// The second input where the first is not 0, else the third; dimensions of 1 are repeated.
    Select,
    /// Makes one element of all along some axes, which are 1 in `y`.
    Reduce {
        /// What it makes.
        function: Reduction,
        /// The axes, ascending.
        axes: Vec<usize>,
    },
    /// Products of matrices in the last two axes of two values; other axes of 1 are repeated.
    MatMul,
    /// The numbers of a parameter, for each image; the input is not read.
    Constant {
        /// The parameter.
        value: ParameterId,
    },
    /// A row of a matrix for each element, which is its index: `x` `[batch, …]`, `y` `[batch, …, features]`. An index is cut
    /// to a whole number; below 0 it counts from the end; beyond an end it is that end.
    Embedding {
        /// The matrix.
        weight: ParameterId,
    },
    /// Along an axis of the first input, image by image, what is at the indices that the second holds; the axis is replaced
    /// by theirs, batch left out. Indices as for [`OperationKind::Embedding`].
    Take {
        /// The axis.
        axis: usize,
    },
    /// Writes rows of the third input `[batch, k, m]` to those rows of the first `[batch, n, m]` that the second
    /// `[batch, k]` names, first to last. Indices as for [`OperationKind::Embedding`].
    Scatter {
        /// What a row does to the one that is there.
        update: Update,
    },
    /// The greatest or least elements along an axis, as many as `y` has; of equals the first comes first.
    TopK {
        /// The axis.
        axis: usize,
        /// Whether the greatest.
        largest: bool,
        /// Whether where they are is asked for, rather than what they are.
        indices: bool,
    },
    /// A recurrent layer; shapes as for [`kompakt_graph::Op::Recurrent`], with the batch of the program before them.
    Recurrent {
        /// How a state is made of the one before.
        cell: Cell,
        /// `[gates hidden, hidden]`.
        weight: ParameterId,
        /// `[gates hidden]`.
        bias: ParameterId,
        /// Whether from the last time to the first.
        reverse: bool,
    },
}

/// What a layer does to its sums: `y = relu((sum + bias) * scale + shift)`, without what is not there.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Epilogue {
    /// One number an output channel.
    pub bias: Option<ParameterId>,
    /// Scale and shift.
    pub affine: Option<Affine>,
    /// Whether negative results become 0.
    pub relu: bool,
}

/// A scale and a bias for each channel, by the numbers of their parameters.
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

/// How the window of a convolution moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvolutionWindow {
    /// Height and width of the kernel.
    pub kernel: Pair,
    /// Step.
    pub stride: Pair,
    /// Zeros around `x`.
    pub padding: Padding,
    /// Distance between neighbours of the kernel.
    pub dilation: Pair,
    /// Groups of channels that do not mix.
    pub groups: usize,
}

/// How the window of a pooling moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolingWindow {
    /// Height and width.
    pub kernel: Pair,
    /// Step.
    pub stride: Pair,
    /// Cells around `x`.
    pub padding: Padding,
}

/// What changes each element on its own.
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
        /// What every element is multiplied by.
        factor: f32,
        /// What is then added.
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

/// What is done with two values.
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
