//! Nodes of the graph as CBOR.
//!
//! ```text
//! 7                       an operator without attributes, on the value before it
//! [0, 300]                linear, 300 units; attributes at the end that have their default are left out
//! [[1, 4], 11]            add, on the values 1 and 4 back
//! ```

use crate::{
    cbor::{Cbor, major},
    error::{FormatError, broken},
};
use alloc::{string::String, vec, vec::Vec};
use kompakt_graph::{MAX_NODES, MAX_RANK, Node, Op, Padding, Pair};

/// The most indices of a gather.
const MAX_INDICES: usize = 1 << 16;

/// Codes of operators. Rule F-11.
pub mod code {
    #![allow(missing_docs, reason = "each is the operator of that name")]
    pub const LINEAR: u64 = 0;
    pub const CONV2D: u64 = 1;
    pub const BATCH_NORM: u64 = 2;
    pub const SCALE_BIAS: u64 = 3;
    pub const MAX_POOL: u64 = 4;
    pub const AVG_POOL: u64 = 5;
    pub const GLOBAL_AVG_POOL: u64 = 6;
    pub const RELU: u64 = 7;
    pub const SIGMOID: u64 = 8;
    pub const TANH: u64 = 9;
    pub const SOFTMAX: u64 = 10;
    pub const ADD: u64 = 11;
    pub const CONCAT: u64 = 12;
    pub const FLATTEN: u64 = 13;
    pub const RESHAPE: u64 = 14;
    pub const SLICE: u64 = 15;
    pub const PAD: u64 = 16;
    pub const MUL: u64 = 17;
    pub const SUB: u64 = 18;
    pub const DIV: u64 = 19;
    pub const SCALE: u64 = 20;
    pub const CLIP: u64 = 21;
    pub const LEAKY_RELU: u64 = 22;
    pub const PRELU: u64 = 23;
    pub const HARD_SIGMOID: u64 = 24;
    pub const HARD_SWISH: u64 = 25;
    pub const SILU: u64 = 26;
    pub const LOG_SOFTMAX: u64 = 27;
    pub const TRANSPOSE: u64 = 28;
    pub const GATHER: u64 = 29;
    pub const RESIZE: u64 = 30;
    pub const LOCAL_RESPONSE_NORM: u64 = 31;
    pub const SPREAD: u64 = 32;
}

/// Reads one node; `value` is the number of the value it makes. The name is left empty.
pub(crate) fn node(cbor: &mut Cbor<'_>, value: usize) -> Result<Node, FormatError> {
    // An item of another kind than expected is no node.
    read(cbor, value).map_err(|e| if e.rule == "F-7" { FormatError { rule: "F-11", ..e } } else { e })
}

fn read(cbor: &mut Cbor<'_>, value: usize) -> Result<Node, FormatError> {
    let offset = cbor.offset();
    if cbor.peek() == Some(major::UINT) {
        let code = cbor.uint()?;
        let op = Attributes::new(cbor, 0, offset).op(code)?;
        return Ok(Node { name: String::new(), op, inputs: vec![value.saturating_sub(1)] });
    }
    let n = cbor.array(MAX_NODES)?;
    let (inputs, before) = match cbor.peek() {
        Some(major::ARRAY) => (operands(cbor, value)?, 2),
        _ => (vec![value.saturating_sub(1)], 1),
    };
    let Some(left) = n.checked_sub(before).filter(|&left| left.saturating_add(before) > 1) else {
        return broken("F-10", offset, "a node of one number is that number, not an array");
    };
    let code = cbor.uint()?;
    let mut attributes = Attributes::new(cbor, left, offset);
    let op = attributes.op(code)?;
    attributes.finish()?;
    Ok(Node { name: String::new(), op, inputs })
}

/// Which values a node works on, as distances back from its own.
fn operands(cbor: &mut Cbor<'_>, value: usize) -> Result<Vec<usize>, FormatError> {
    let offset = cbor.offset();
    let distances = sizes(cbor, MAX_NODES)?;
    if distances == [1] || distances.is_empty() {
        return broken("F-10", offset, "the value before a node is its input without being listed");
    }
    let back = |&d: &usize| value.checked_sub(d).filter(|_| d > 0);
    match distances.iter().map(back).collect() {
        Some(inputs) => Ok(inputs),
        None => broken("F-11", offset, "a node works on a value that is not before it"),
    }
}

/// A list of at most `most` numbers.
pub(crate) fn sizes(cbor: &mut Cbor<'_>, most: usize) -> Result<Vec<usize>, FormatError> {
    let n = cbor.array(most)?;
    (0..n).map(|_| cbor.size()).collect()
}

/// A list of at most as many numbers as a shape has.
pub(crate) fn dims(cbor: &mut Cbor<'_>) -> Result<Vec<usize>, FormatError> {
    let offset = cbor.offset();
    let dims = sizes(cbor, MAX_RANK)?;
    if dims.is_empty() {
        return broken("F-11", offset, "a shape of no dimensions");
    }
    Ok(dims)
}

fn pair(cbor: &mut Cbor<'_>) -> Result<Pair, FormatError> {
    let offset = cbor.offset();
    if cbor.peek() == Some(major::UINT) {
        return Ok(Pair::square(cbor.size()?));
    }
    match *sizes(cbor, 4)? {
        [h, w] if h != w => Ok(Pair { h, w }),
        [_, _] => broken("F-10", offset, "a height and a width that are equal are one number"),
        _ => broken("F-11", offset, "a number or [height, width] is expected"),
    }
}

fn padding(cbor: &mut Cbor<'_>) -> Result<Padding, FormatError> {
    let offset = cbor.offset();
    if cbor.peek() == Some(major::UINT) {
        return Ok(Padding::all(cbor.size()?));
    }
    match *sizes(cbor, 4)? {
        [top, left, bottom, right] if [left, bottom, right] != [top; 3] => {
            Ok(Padding { top, left, bottom, right })
        }
        [_, _, _, _] => broken("F-10", offset, "four paddings that are equal are one number"),
        _ => broken("F-11", offset, "a number or [top, left, bottom, right] is expected"),
    }
}

/// The attributes of one node, read in their order.
struct Attributes<'c, 'a> {
    cbor: &'c mut Cbor<'a>,
    left: usize,
    /// Whether the last one read has the value it would have had anyway.
    last_is_default: bool,
    offset: usize,
}

impl<'c, 'a> Attributes<'c, 'a> {
    fn new(cbor: &'c mut Cbor<'a>, left: usize, offset: usize) -> Self {
        Self { cbor, left, last_is_default: false, offset }
    }

    fn need<T>(
        &mut self,
        read: impl FnOnce(&mut Cbor<'a>) -> Result<T, FormatError>,
    ) -> Result<T, FormatError> {
        let Some(left) = self.left.checked_sub(1) else {
            return broken("F-11", self.offset, "an operator lacks an attribute");
        };
        self.left = left;
        self.last_is_default = false;
        read(self.cbor)
    }

    fn or<T: PartialEq>(
        &mut self,
        default: T,
        read: impl FnOnce(&mut Cbor<'a>) -> Result<T, FormatError>,
    ) -> Result<T, FormatError> {
        if self.left == 0 {
            return Ok(default);
        }
        let value = self.need(read)?;
        self.last_is_default = value == default;
        Ok(value)
    }

    fn finish(self) -> Result<(), FormatError> {
        if self.left > 0 {
            return broken("F-11", self.offset, "an operator has more attributes than it knows");
        }
        if self.last_is_default {
            return broken("F-10", self.offset, "a last attribute that has its default is left out");
        }
        Ok(())
    }

    fn op(&mut self, code: u64) -> Result<Op, FormatError> {
        let one = Pair::square(1);
        Ok(match code {
            code::LINEAR => {
                Op::Linear { out_features: self.need(Cbor::size)?, bias: self.or(true, Cbor::bool)? }
            }
            code::CONV2D => Op::Conv2d {
                out_channels: self.need(Cbor::size)?,
                kernel: self.need(pair)?,
                stride: self.or(one, pair)?,
                padding: self.or(Padding::default(), padding)?,
                dilation: self.or(one, pair)?,
                groups: self.or(1, Cbor::size)?,
                bias: self.or(true, Cbor::bool)?,
            },
            code::BATCH_NORM => Op::BatchNorm { eps: self.or(1e-5, Cbor::f32)? },
            code::SCALE_BIAS => Op::ScaleBias,
            code::MAX_POOL => {
                let kernel = self.need(pair)?;
                Op::MaxPool {
                    kernel,
                    stride: self.or(kernel, pair)?,
                    padding: self.or(Padding::default(), padding)?,
                    ceil_mode: self.or(false, Cbor::bool)?,
                }
            }
            code::AVG_POOL => {
                let kernel = self.need(pair)?;
                Op::AvgPool {
                    kernel,
                    stride: self.or(kernel, pair)?,
                    padding: self.or(Padding::default(), padding)?,
                    ceil_mode: self.or(false, Cbor::bool)?,
                    count_include_pad: self.or(true, Cbor::bool)?,
                }
            }
            code::GLOBAL_AVG_POOL => Op::GlobalAvgPool,
            code::RELU => Op::Relu,
            code::SIGMOID => Op::Sigmoid,
            code::TANH => Op::Tanh,
            code::SOFTMAX => Op::Softmax,
            code::ADD => Op::Add,
            code::CONCAT => Op::Concat,
            code::FLATTEN => Op::Flatten,
            code::RESHAPE => Op::Reshape { shape: self.need(dims)? },
            code::SLICE => {
                Op::Slice { start: self.need(dims)?, end: self.need(dims)?, step: self.need(dims)? }
            }
            code::PAD => Op::Pad { before: self.need(dims)?, after: self.need(dims)? },
            code::MUL => Op::Mul,
            code::SUB => Op::Sub,
            code::DIV => Op::Div,
            code::SCALE => Op::Scale { factor: self.or(1.0, Cbor::f32)?, offset: self.or(0.0, Cbor::f32)? },
            code::CLIP => {
                Op::Clip { low: self.or(f32::MIN, Cbor::f32)?, high: self.or(f32::MAX, Cbor::f32)? }
            }
            code::LEAKY_RELU => Op::LeakyRelu { slope: self.need(Cbor::f32)? },
            code::PRELU => Op::Prelu,
            code::HARD_SIGMOID => {
                Op::HardSigmoid { slope: self.need(Cbor::f32)?, offset: self.need(Cbor::f32)? }
            }
            code::HARD_SWISH => Op::HardSwish,
            code::SILU => Op::Silu,
            code::LOG_SOFTMAX => Op::LogSoftmax,
            code::TRANSPOSE => Op::Transpose { axes: self.need(dims)? },
            code::GATHER => {
                Op::Gather { axis: self.need(Cbor::size)?, indices: self.need(|c| sizes(c, MAX_INDICES))? }
            }
            code::RESIZE => Op::Resize {
                size: self.need(pair)?,
                step: [self.need(Cbor::f32)?, self.need(Cbor::f32)?],
                offset: [self.need(Cbor::f32)?, self.need(Cbor::f32)?],
            },
            code::LOCAL_RESPONSE_NORM => Op::LocalResponseNorm {
                size: self.need(Cbor::size)?,
                alpha: self.need(Cbor::f32)?,
                beta: self.need(Cbor::f32)?,
                bias: self.need(Cbor::f32)?,
            },
            code::SPREAD => Op::Spread { step: self.need(pair)? },
            _ => {
                let problem = alloc::format!("operator {code} is unknown; the file needs a newer reader");
                return broken("F-11", self.offset, problem);
            }
        })
    }
}
