//! The operators as a table: code in a container, name, default stem of node names, inputs, attributes.
//!
//! ```text
//! code  operator            name       stem    inputs  attributes, in the order in which a container has them
//!    0  Linear              "linear"   "fc"    One     out_features: Size, bias: Bool = true
//!    4  MaxPool             "max_pool" "pool"  One     kernel: Pair, stride: Pair = that of attribute 0, …
//! ```
//!
//! Containers are written and read from this table, and the tables of the specification and of the Python reader are
//! compared with it. An operator that is missing here does not compile.

use crate::op::{Op, Padding, Pair};
use alloc::vec::Vec;

/// Number of operands of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inputs {
    /// One.
    One,
    /// Two.
    Two,
    /// Three.
    Three,
    /// Two or more.
    TwoOrMore,
}

impl Inputs {
    /// Whether the operator takes `n` operands.
    pub fn allow(self, n: usize) -> bool {
        match self {
            Self::One => n == 1,
            Self::Two => n == 2,
            Self::Three => n == 3,
            Self::TwoOrMore => n >= 2,
        }
    }

    /// As worded in errors.
    pub fn describe(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
            Self::Three => "3",
            Self::TwoOrMore => "2 or more",
        }
    }
}

/// The type of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An integer of at least 0; also the number of a [function](crate::functions).
    Size,
    /// A boolean.
    Bool,
    /// A number in single precision.
    Float,
    /// Two of those, vertical and horizontal; they count as two attributes.
    Floats,
    /// A height and a width.
    Pair,
    /// Top, left, bottom, right.
    Padding,
    /// One integer per dimension, at most [`crate::MAX_RANK`].
    Dims,
    /// A list of integers, at most [`crate::MAX_INDICES`].
    Indices,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of [`Kind::Size`].
    Size(usize),
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::Float`].
    Float(f32),
    /// Of [`Kind::Floats`].
    Floats([f32; 2]),
    /// Of [`Kind::Pair`].
    Pair(Pair),
    /// Of [`Kind::Padding`].
    Padding(Padding),
    /// Of [`Kind::Dims`].
    Dims(Vec<usize>),
    /// Of [`Kind::Indices`].
    Indices(Vec<usize>),
}

/// The default of an attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Default {
    /// It must be given.
    None,
    /// This number.
    Size(usize),
    /// This boolean.
    Bool(bool),
    /// This number.
    Float(f32),
    /// This pair.
    Pair(Pair),
    /// This padding.
    Padding(Padding),
    /// The value of the attribute with that index.
    Same(usize),
}

/// An attribute of an operator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attribute {
    /// The field's name, as in JSON.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its default.
    pub default: Default,
}

impl Attribute {
    /// Its default value; `before` are the values of the attributes before it.
    pub fn default_value(&self, before: &[Value]) -> Option<Value> {
        match self.default {
            Default::None => None,
            Default::Size(n) => Some(Value::Size(n)),
            Default::Bool(b) => Some(Value::Bool(b)),
            Default::Float(x) => Some(Value::Float(x)),
            Default::Pair(pair) => Some(Value::Pair(pair)),
            Default::Padding(padding) => Some(Value::Padding(padding)),
            Default::Same(index) => before.get(index).cloned(),
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Operator {
    /// Its number in a container; `None` if it has no effect at inference: a packer drops it. Rule F-11.
    pub code: Option<u64>,
    /// Its name in JSON.
    pub name: &'static str,
    /// The stem of default node names: `conv` in `conv1`.
    pub stem: &'static str,
    /// Number of operands.
    pub inputs: Inputs,
    /// In the order in which a container has them.
    pub attributes: &'static [Attribute],
    build: fn(Vec<Value>) -> Option<Op>,
}

impl Operator {
    /// The operator of that code.
    pub fn by_code(code: u64) -> Option<&'static Self> {
        OPERATORS.iter().find(|operator| operator.code == Some(code))
    }

    /// The operator with these attributes; `None` if one is missing or of another kind.
    pub fn build(&self, attributes: Vec<Value>) -> Option<Op> {
        (self.build)(attributes)
    }
}

macro_rules! operators {
    ($($code:expr, $variant:ident, $name:literal, $stem:literal, $inputs:ident,
       { $($field:ident: $kind:ident = $default:expr),* };)*) => {
        /// Every operator, those of a container by ascending code.
        pub static OPERATORS: &[Operator] = &[$(Operator {
            code: $code,
            name: $name,
            stem: $stem,
            inputs: Inputs::$inputs,
            attributes: &[$(Attribute { name: stringify!($field), kind: Kind::$kind, default: $default }),*],
            build: |attributes| {
                let mut attributes = attributes.into_iter();
                let op = Op::$variant {
                    $($field: match attributes.next()? {
                        Value::$kind(value) => value.try_into().ok()?,
                        _ => return None,
                    }),*
                };
                attributes.next().is_none().then_some(op)
            },
        }),*];

        /// Indices into the table.
        #[derive(Clone, Copy)]
        enum Place { $($variant),* }

        impl Op {
            /// The operator's row of the table.
            pub fn operator(&self) -> &'static Operator {
                match self { $(Self::$variant { .. } => &OPERATORS[Place::$variant as usize]),* }
            }

            /// Its attributes, in the order of the table.
            pub fn attributes(&self) -> Vec<Value> {
                match self { $(Self::$variant { $($field),* } => {
                    Vec::from([$(Value::$kind(Into::into(Clone::clone($field)))),*])
                })* }
            }
        }
    };
}

const NONE: Default = Default::None;
const ONE: Default = Default::Pair(Pair { h: 1, w: 1 });
const UNPADDED: Default = Default::Padding(Padding { top: 0, left: 0, bottom: 0, right: 0 });
const YES: Default = Default::Bool(true);
const NO: Default = Default::Bool(false);

operators! {
    Some(0), Linear, "linear", "fc", One, { out_features: Size = NONE, bias: Bool = YES };
    Some(1), Conv2d, "conv2d", "conv", One, {
        out_channels: Size = NONE, kernel: Pair = NONE, stride: Pair = ONE, padding: Padding = UNPADDED,
        dilation: Pair = ONE, groups: Size = Default::Size(1), bias: Bool = YES
    };
    Some(2), BatchNorm, "batch_norm", "bn", One, { eps: Float = Default::Float(1e-5) };
    Some(3), ScaleBias, "scale_bias", "scale", One, {};
    Some(4), MaxPool, "max_pool", "pool", One, {
        kernel: Pair = NONE, stride: Pair = Default::Same(0), padding: Padding = UNPADDED, ceil_mode: Bool = NO
    };
    Some(5), AvgPool, "avg_pool", "pool", One, {
        kernel: Pair = NONE, stride: Pair = Default::Same(0), padding: Padding = UNPADDED, ceil_mode: Bool = NO,
        count_include_pad: Bool = YES
    };
    Some(6), GlobalAvgPool, "global_avg_pool", "pool", One, {};
    Some(7), Relu, "relu", "relu", One, {};
    Some(8), Sigmoid, "sigmoid", "sigmoid", One, {};
    Some(9), Tanh, "tanh", "tanh", One, {};
    Some(10), Softmax, "softmax", "softmax", One, {};
    Some(11), Add, "add", "add", Two, {};
    Some(12), Concat, "concat", "concat", TwoOrMore, {};
    Some(13), Flatten, "flatten", "flatten", One, {};
    Some(14), Reshape, "reshape", "reshape", One, { shape: Dims = NONE };
    Some(15), Slice, "slice", "slice", One, { start: Dims = NONE, end: Dims = NONE, step: Dims = NONE };
    Some(16), Pad, "pad", "pad", One, { before: Dims = NONE, after: Dims = NONE };
    Some(17), Mul, "mul", "mul", Two, {};
    Some(18), Sub, "sub", "sub", Two, {};
    Some(19), Div, "div", "div", Two, {};
    Some(20), Scale, "scale", "scale", One, {
        factor: Float = Default::Float(1.0), offset: Float = Default::Float(0.0)
    };
    Some(21), Clip, "clip", "clip", One, {
        low: Float = Default::Float(f32::MIN), high: Float = Default::Float(f32::MAX)
    };
    Some(22), LeakyRelu, "leaky_relu", "leaky_relu", One, { slope: Float = NONE };
    Some(23), Prelu, "prelu", "prelu", One, {};
    Some(24), HardSigmoid, "hard_sigmoid", "hard_sigmoid", One, { slope: Float = NONE, offset: Float = NONE };
    Some(25), HardSwish, "hard_swish", "hard_swish", One, {};
    Some(26), Silu, "silu", "silu", One, {};
    Some(27), LogSoftmax, "log_softmax", "log_softmax", One, {};
    Some(28), Transpose, "transpose", "transpose", One, { axes: Dims = NONE };
    Some(29), Gather, "gather", "gather", One, { axis: Size = NONE, indices: Indices = NONE };
    Some(30), Resize, "resize", "resize", One, { size: Pair = NONE, step: Floats = NONE, offset: Floats = NONE };
    Some(31), LocalResponseNorm, "local_response_norm", "lrn", One, {
        size: Size = NONE, alpha: Float = NONE, beta: Float = NONE, bias: Float = NONE
    };
    Some(32), Spread, "spread", "spread", One, { step: Pair = NONE };
    Some(33), Unary, "unary", "unary", One, { function: Size = NONE };
    Some(34), Binary, "binary", "binary", Two, { function: Size = NONE };
    Some(35), Select, "select", "select", Three, {};
    Some(36), Reduce, "reduce", "reduce", One, { function: Size = NONE, axes: Dims = NONE };
    Some(37), MatMul, "mat_mul", "matmul", Two, {};
    Some(38), Constant, "constant", "constant", One, { shape: Dims = NONE };
    Some(39), Embedding, "embedding", "embedding", One, { rows: Size = NONE, features: Size = NONE };
    Some(40), Take, "take", "take", Two, { axis: Size = NONE };
    Some(41), Scatter, "scatter", "scatter", Three, { update: Size = NONE };
    Some(42), TopK, "top_k", "topk", One, {
        axis: Size = NONE, k: Size = NONE, largest: Bool = YES, indices: Bool = NO
    };
    Some(43), Recurrent, "recurrent", "rnn", Three, {
        cell: Size = NONE, hidden: Size = NONE, reverse: Bool = NO
    };
    None, Dropout, "dropout", "dropout", One, { p: Float = NONE };
    None, Identity, "identity", "identity", One, {};
}

impl Op {
    /// The operator's name as in JSON.
    pub fn name(&self) -> &'static str {
        self.operator().name
    }

    /// The stem of default node names: `conv` in `conv1`.
    pub fn stem(&self) -> &'static str {
        self.operator().stem
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeSet, vec};

    /// Values that differ from every default and from one another.
    fn values(operator: &Operator) -> Vec<Value> {
        let value = |(i, attribute): (usize, &Attribute)| match attribute.kind {
            Kind::Size => Value::Size(3 + i),
            Kind::Bool => Value::Bool(attribute.default == NO),
            Kind::Float => Value::Float(0.25 + i as f32),
            Kind::Floats => Value::Floats([0.5, i as f32]),
            Kind::Pair => Value::Pair(Pair { h: 2, w: 5 + i }),
            Kind::Padding => Value::Padding(Padding { top: 1, left: 2, bottom: 3, right: i }),
            Kind::Dims => Value::Dims(vec![4, i]),
            Kind::Indices => Value::Indices(vec![7, 8, i]),
        };
        operator.attributes.iter().enumerate().map(value).collect()
    }

    #[test]
    fn operators_are_taken_apart_and_put_together() {
        for operator in OPERATORS {
            let values = values(operator);
            let op = operator.build(values.clone()).unwrap();
            assert_eq!(op.operator().name, operator.name);
            assert_eq!(op.attributes(), values);
            let one_too_many = [values.clone(), vec![Value::Size(0)]].concat();
            assert_eq!(operator.build(one_too_many), None, "{}", operator.name);
            if !values.is_empty() {
                assert_eq!(operator.build(values[1..].to_vec()), None, "{}", operator.name);
            }
        }
    }

    #[test]
    fn codes_and_names_are_unique_and_codes_have_no_gap() {
        let codes: Vec<u64> = OPERATORS.iter().filter_map(|o| o.code).collect();
        assert!(codes.iter().copied().eq(0..codes.len() as u64));
        let names: BTreeSet<&str> = OPERATORS.iter().map(|o| o.name).collect();
        assert_eq!(names.len(), OPERATORS.len());
        for operator in OPERATORS {
            let found = operator.code.and_then(Operator::by_code);
            assert_eq!(found.map(|o| o.name), operator.code.map(|_| operator.name));
        }
    }
}
