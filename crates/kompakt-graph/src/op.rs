//! Operators and their attributes.

use crate::functions::{BinaryFunction, Cell, Reduction, UnaryFunction, Update};
use alloc::{vec, vec::Vec};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A height and a width. Written in JSON as one number when both are equal, else as `[h, w]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Along the rows of the image.
    pub h: usize,
    /// Along the columns of the image.
    pub w: usize,
}

impl Pair {
    /// The same value for both.
    pub const fn square(n: usize) -> Self {
        Self { h: n, w: n }
    }
    const fn one() -> Self {
        Self::square(1)
    }
    fn is_one(&self) -> bool {
        *self == Self::one()
    }
}

/// Rows and columns added around an image. Written in JSON as one number when all four are equal, else as
/// `[top, left, bottom, right]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Columns to the left.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the right.
    pub right: usize,
}

impl Padding {
    /// The same value on all sides.
    pub const fn all(n: usize) -> Self {
        Self { top: n, left: n, bottom: n, right: n }
    }
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(usize),
    Many(Vec<usize>),
}

impl Serialize for Pair {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if self.h == self.w { OneOrMany::One(self.h) } else { OneOrMany::Many(vec![self.h, self.w]) }
            .serialize(s)
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match OneOrMany::deserialize(d) {
            Ok(OneOrMany::One(n)) => Ok(Self::square(n)),
            Ok(OneOrMany::Many(v)) if v.len() == 2 => Ok(Self { h: v[0], w: v[1] }),
            _ => Err(D::Error::custom("expected a number or [h, w]")),
        }
    }
}

impl Serialize for Padding {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if *self == Self::all(self.top) {
            OneOrMany::One(self.top)
        } else {
            OneOrMany::Many(vec![self.top, self.left, self.bottom, self.right])
        }
        .serialize(s)
    }
}

impl<'de> Deserialize<'de> for Padding {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match OneOrMany::deserialize(d) {
            Ok(OneOrMany::One(n)) => Ok(Self::all(n)),
            Ok(OneOrMany::Many(v)) if v.len() == 2 => {
                Ok(Self { top: v[0], left: v[1], bottom: v[0], right: v[1] })
            }
            Ok(OneOrMany::Many(v)) if v.len() == 4 => {
                Ok(Self { top: v[0], left: v[1], bottom: v[2], right: v[3] })
            }
            _ => Err(D::Error::custom(
                "expected a number, [vertical, horizontal] or [top, left, bottom, right]",
            )),
        }
    }
}

fn yes() -> bool {
    true
}
fn is_true(b: &bool) -> bool {
    *b
}
fn is_false(b: &bool) -> bool {
    !*b
}
fn one() -> usize {
    1
}
fn is_one(n: &usize) -> bool {
    *n == 1
}
fn batch_norm_eps() -> f32 {
    1e-5
}
fn unit() -> f32 {
    1.0
}
fn is_unit(x: &f32) -> bool {
    *x == 1.0
}
fn is_zero(x: &f32) -> bool {
    *x == 0.0
}
fn lowest() -> f32 {
    f32::MIN
}
fn is_lowest(x: &f32) -> bool {
    *x == f32::MIN
}
fn highest() -> f32 {
    f32::MAX
}
fn is_highest(x: &f32) -> bool {
    *x == f32::MAX
}

/// One operator with its attributes. Shapes leave out the batch; `x` is the first input.
///
/// In JSON an operator is an object whose `"op"` is the variant's name in snake case and whose other members are
/// the fields below; members at their default may be left out.
///
/// A `match` over operators has no wildcard arm anywhere in the workspace, so that the compiler reports every
/// place that must handle a new operator; a test of this crate checks this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Op {
    /// `y = W x + b`; `x` `[in]`, `W` `[out, in]`, `y` `[out]`.
    Linear {
        /// Length of `y`.
        out_features: usize,
        /// Whether `b` is there (default true).
        #[serde(default = "yes", skip_serializing_if = "is_true")]
        bias: bool,
    },
    /// Cross-correlation; `x` `[in, h, w]`, weight `[out, in / groups, kh, kw]`.
    Conv2d {
        /// Channels of `y`.
        out_channels: usize,
        /// Kernel height and width.
        kernel: Pair,
        /// Stride (default 1).
        #[serde(default = "Pair::one", skip_serializing_if = "Pair::is_one")]
        stride: Pair,
        /// Zeros around `x` (default none).
        #[serde(default, skip_serializing_if = "Padding::is_none")]
        padding: Padding,
        /// Distance between kernel taps (default 1).
        #[serde(default = "Pair::one", skip_serializing_if = "Pair::is_one")]
        dilation: Pair,
        /// Groups of channels that do not mix (default 1).
        #[serde(default = "one", skip_serializing_if = "is_one")]
        groups: usize,
        /// Whether a bias is there (default true).
        #[serde(default = "yes", skip_serializing_if = "is_true")]
        bias: bool,
    },
    /// `y = (x - running_mean) / sqrt(running_var + eps) * weight + bias`, per channel; by batch in training.
    BatchNorm {
        /// Added to the variance (default 1e-5).
        #[serde(default = "batch_norm_eps")]
        eps: f32,
    },
    /// `y = x * weight + bias`, per channel: a batch norm that could not be folded into a weight.
    ScaleBias,
    /// Maximum over each window.
    MaxPool {
        /// Window.
        kernel: Pair,
        /// Stride.
        stride: Pair,
        /// Cells around `x` that never win (default none).
        #[serde(default, skip_serializing_if = "Padding::is_none")]
        padding: Padding,
        /// Whether a window that starts inside but ends outside counts (default false).
        #[serde(default, skip_serializing_if = "is_false")]
        ceil_mode: bool,
    },
    /// Mean over each window.
    AvgPool {
        /// Window.
        kernel: Pair,
        /// Stride.
        stride: Pair,
        /// Zeros around `x` (default none).
        #[serde(default, skip_serializing_if = "Padding::is_none")]
        padding: Padding,
        /// Whether a window that starts inside but ends outside counts (default false).
        #[serde(default, skip_serializing_if = "is_false")]
        ceil_mode: bool,
        /// Whether padding counts in the divisor (default true).
        #[serde(default = "yes", skip_serializing_if = "is_true")]
        count_include_pad: bool,
    },
    /// Mean over height and width; `[c, h, w]` to `[c, 1, 1]`.
    GlobalAvgPool,
    /// `max(x, 0)`.
    Relu,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
    /// `exp(x) / sum exp(x)` over the first dimension (channels, or the entire vector).
    Softmax,
    /// `y = a + b`. Shapes have the same rank; where they differ, one of the two is 1 and is broadcast.
    Add,
    /// Concatenates along the first dimension (channels); two or more inputs.
    Concat,
    /// All elements in row-major order; any shape to `[n]`.
    Flatten,
    /// The same elements under another shape.
    Reshape {
        /// The new shape, batch left out.
        shape: Vec<usize>,
    },
    /// `y = x` at inference; in training each element is zeroed with probability `p`, others scaled up.
    Dropout {
        /// Probability of zeroing.
        p: f32,
    },
    /// `y = x`.
    Identity,
    /// Part of `x`: along each dimension `start`, `start + step`, … below `end`.
    Slice {
        /// First index, one per dimension.
        start: Vec<usize>,
        /// One past the last index, one per dimension.
        end: Vec<usize>,
        /// Step, one per dimension.
        step: Vec<usize>,
    },
    /// Zeros around `x`.
    Pad {
        /// Number of zeros before, one per dimension.
        before: Vec<usize>,
        /// Number of zeros after, one per dimension.
        after: Vec<usize>,
    },
    /// `y = a b`, element by element; shapes as for [`Op::Add`].
    Mul,
    /// `y = a - b`; shapes as for [`Op::Add`].
    Sub,
    /// `y = a / b`; shapes as for [`Op::Add`].
    Div,
    /// `y = factor x + offset`.
    Scale {
        /// The multiplier (default 1).
        #[serde(default = "unit", skip_serializing_if = "is_unit")]
        factor: f32,
        /// The addend (default 0).
        #[serde(default, skip_serializing_if = "is_zero")]
        offset: f32,
    },
    /// `min(max(x, low), high)`; ReLU6 is 0 and 6.
    Clip {
        /// The lower bound (default: the lowest number of single precision).
        #[serde(default = "lowest", skip_serializing_if = "is_lowest")]
        low: f32,
        /// The upper bound (default: the highest number of single precision).
        #[serde(default = "highest", skip_serializing_if = "is_highest")]
        high: f32,
    },
    /// `x` where it is at least 0, else `slope x`.
    LeakyRelu {
        /// Usually 0.01.
        slope: f32,
    },
    /// `x` where it is at least 0, else `weight x`, with one weight per channel.
    Prelu,
    /// `min(max(slope x + offset, 0), 1)`.
    HardSigmoid {
        /// 1/6 in MobileNetV3.
        slope: f32,
        /// Usually 0.5.
        offset: f32,
    },
    /// `x min(max(x / 6 + 0.5, 0), 1)`.
    HardSwish,
    /// `x / (1 + exp(-x))`, also called swish.
    Silu,
    /// `x - log sum exp(x)` over the first dimension.
    LogSoftmax,
    /// Dimensions in another order: dimension `i` of `y` is dimension `axes[i]` of `x`.
    Transpose {
        /// A permutation of the dimensions.
        axes: Vec<usize>,
    },
    /// Along dimension `axis`, element `i` of `y` is element `indices[i]` of `x`.
    Gather {
        /// The dimension.
        axis: usize,
        /// One per element of `y` along it.
        indices: Vec<usize>,
    },
    /// Bilinear interpolation: pixel `i` of `y` is taken at `i step + offset` of `x`, clamped to its first and last
    /// pixel; `x` `[c, h, w]`.
    Resize {
        /// Height and width of `y`.
        size: Pair,
        /// Vertical and horizontal distance in `x` of adjacent pixels of `y`.
        step: [f32; 2],
        /// The position in `x` of the first pixel of `y`.
        offset: [f32; 2],
    },
    /// `x / (bias + alpha / size * sum x^2)^beta`, the sum over the `size` channels around each, as in AlexNet: from
    /// `(size - 1) / 2` before to `size / 2` after, channels that are not there left out.
    LocalResponseNorm {
        /// Number of channels in a sum.
        size: usize,
        /// Usually 1e-4.
        alpha: f32,
        /// Usually 0.75.
        beta: f32,
        /// Usually 1.
        bias: f32,
    },
    /// Pixels of `x` `[c, h, w]` moved `step` apart with zeros between: `[c, (h - 1) step + 1, (w - 1) step + 1]`. A
    /// transposed convolution is this, a pad and a convolution with the kernel rotated by 180 degrees.
    Spread {
        /// Distance between adjacent pixels.
        step: Pair,
    },
    /// An elementwise function.
    Unary {
        /// Which function.
        function: UnaryFunction,
    },
    /// An elementwise function of two values; shapes as for [`Op::Add`].
    Binary {
        /// Which function.
        function: BinaryFunction,
    },
    /// `y = a` where `c` is not 0, else `b`, of inputs `c`, `a`, `b`. Shapes have the same number of
    /// dimensions; where they differ, all others are 1 and are broadcast.
    Select,
    /// Reduces all elements along some dimensions, which become 1.
    Reduce {
        /// The reduction.
        function: Reduction,
        /// The dimensions, ascending.
        axes: Vec<usize>,
    },
    /// `y = a b`, matrices in the last two dimensions: `a` `[…, m, k]`, `b` `[…, k, n]`, `y` `[…, m, n]`.
    /// Both have the same number of dimensions, at least 2; where those before the last two differ, one of
    /// them is 1 and is broadcast.
    MatMul,
    /// The elements of its parameter `value`, whatever its input is.
    Constant {
        /// Their shape, which is that of `y` too.
        shape: Vec<usize>,
    },
    /// One row of the weight per element of `x`, which is its index: `x` `[…]`, weight `[rows, features]`,
    /// `y` `[…, features]`. An index is truncated to an integer; a negative one counts from the end; one out
    /// of range is clamped.
    Embedding {
        /// Rows of the weight.
        rows: usize,
        /// Length of a row.
        features: usize,
    },
    /// Gathers elements of `x`, the first input, along dimension `axis` at the indices in the second input:
    /// the dimension is replaced by those of the indices. Indices as for [`Op::Embedding`].
    Take {
        /// The dimension.
        axis: usize,
    },
    /// Writes rows of the third input `[k, m]` to the rows of the first `[n, m]` that the second `[k]` names,
    /// first to last. Indices as for [`Op::Embedding`].
    Scatter {
        /// How a row combines with the existing one.
        update: Update,
    },
    /// The greatest, or least, `k` elements along dimension `axis`, sorted; of equals the first comes first.
    TopK {
        /// The dimension.
        axis: usize,
        /// How many.
        k: usize,
        /// Whether the greatest (default true).
        #[serde(default = "yes", skip_serializing_if = "is_true")]
        largest: bool,
        /// Whether to return their indices instead of their values (default false).
        #[serde(default, skip_serializing_if = "is_false")]
        indices: bool,
    },
    /// A recurrent layer: at each time step it computes the next state from the previous one and its input.
    /// First input `[time, batch, gates hidden]`: what the layer's input contributes to each gate. Second and
    /// third `[batch, hidden]`: `h` and `c` before the first step; `c` is read by an LSTM only. Weight
    /// `[gates hidden, hidden]`, bias `[gates hidden]`. `y` `[time, batch, hidden]`: all `h`; for an LSTM
    /// `[time, batch, 2 hidden]`: `h`, then `c`.
    Recurrent {
        /// How a state is computed.
        cell: Cell,
        /// Length of `h`.
        hidden: usize,
        /// Whether to run from the last time step to the first (default false).
        #[serde(default, skip_serializing_if = "is_false")]
        reverse: bool,
    },
}

impl Op {
    /// Whether a parameter `bias` is added to what a layer computes.
    pub fn has_bias(&self) -> bool {
        match self {
            Self::Linear { bias, .. } | Self::Conv2d { bias, .. } => *bias,
            Self::BatchNorm { .. }
            | Self::ScaleBias
            | Self::MaxPool { .. }
            | Self::AvgPool { .. }
            | Self::GlobalAvgPool
            | Self::Relu
            | Self::Sigmoid
            | Self::Tanh
            | Self::Softmax
            | Self::Add
            | Self::Concat
            | Self::Flatten
            | Self::Reshape { .. }
            | Self::Dropout { .. }
            | Self::Identity
            | Self::Slice { .. }
            | Self::Pad { .. }
            | Self::Mul
            | Self::Sub
            | Self::Div
            | Self::Scale { .. }
            | Self::Clip { .. }
            | Self::LeakyRelu { .. }
            | Self::Prelu
            | Self::HardSigmoid { .. }
            | Self::HardSwish
            | Self::Silu
            | Self::LogSoftmax
            | Self::Transpose { .. }
            | Self::Gather { .. }
            | Self::Resize { .. }
            | Self::LocalResponseNorm { .. }
            | Self::Spread { .. }
            | Self::Unary { .. }
            | Self::Binary { .. }
            | Self::Select
            | Self::Reduce { .. }
            | Self::MatMul
            | Self::Constant { .. }
            | Self::Embedding { .. }
            | Self::Take { .. }
            | Self::Scatter { .. }
            | Self::TopK { .. }
            | Self::Recurrent { .. } => false,
        }
    }

    /// Groups of channels that do not mix; 1 for all but grouped convolutions.
    pub fn groups(&self) -> usize {
        match self {
            Self::Conv2d { groups, .. } => *groups,
            Self::Linear { .. }
            | Self::BatchNorm { .. }
            | Self::ScaleBias
            | Self::MaxPool { .. }
            | Self::AvgPool { .. }
            | Self::GlobalAvgPool
            | Self::Relu
            | Self::Sigmoid
            | Self::Tanh
            | Self::Softmax
            | Self::Add
            | Self::Concat
            | Self::Flatten
            | Self::Reshape { .. }
            | Self::Dropout { .. }
            | Self::Identity
            | Self::Slice { .. }
            | Self::Pad { .. }
            | Self::Mul
            | Self::Sub
            | Self::Div
            | Self::Scale { .. }
            | Self::Clip { .. }
            | Self::LeakyRelu { .. }
            | Self::Prelu
            | Self::HardSigmoid { .. }
            | Self::HardSwish
            | Self::Silu
            | Self::LogSoftmax
            | Self::Transpose { .. }
            | Self::Gather { .. }
            | Self::Resize { .. }
            | Self::LocalResponseNorm { .. }
            | Self::Spread { .. }
            | Self::Unary { .. }
            | Self::Binary { .. }
            | Self::Select
            | Self::Reduce { .. }
            | Self::MatMul
            | Self::Constant { .. }
            | Self::Embedding { .. }
            | Self::Take { .. }
            | Self::Scatter { .. }
            | Self::TopK { .. }
            | Self::Recurrent { .. } => 1,
        }
    }

    /// Whether the operator changes each element on its own and has no parameters, so that channels may be
    /// removed or reordered across it.
    pub fn is_elementwise(&self) -> bool {
        match self {
            Self::Relu
            | Self::Sigmoid
            | Self::Tanh
            | Self::Dropout { .. }
            | Self::Identity
            | Self::Scale { .. }
            | Self::Clip { .. }
            | Self::LeakyRelu { .. }
            | Self::HardSigmoid { .. }
            | Self::HardSwish
            | Self::Silu => true,
            Self::Linear { .. }
            | Self::Conv2d { .. }
            | Self::BatchNorm { .. }
            | Self::ScaleBias
            | Self::MaxPool { .. }
            | Self::AvgPool { .. }
            | Self::GlobalAvgPool
            | Self::Softmax
            | Self::Add
            | Self::Concat
            | Self::Flatten
            | Self::Reshape { .. }
            | Self::Slice { .. }
            | Self::Pad { .. }
            | Self::Mul
            | Self::Sub
            | Self::Div
            | Self::Prelu
            | Self::LogSoftmax
            | Self::Transpose { .. }
            | Self::Gather { .. }
            | Self::Resize { .. }
            | Self::LocalResponseNorm { .. }
            | Self::Spread { .. }
            | Self::Unary { .. }
            | Self::Binary { .. }
            | Self::Select
            | Self::Reduce { .. }
            | Self::MatMul
            | Self::Constant { .. }
            | Self::Embedding { .. }
            | Self::Take { .. }
            | Self::Scatter { .. }
            | Self::TopK { .. }
            | Self::Recurrent { .. } => false,
        }
    }
}
