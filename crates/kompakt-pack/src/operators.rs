//! Nodes as CBOR; `kompakt_format` reads them back.

use crate::{cbor::Cbor, error::PackError};
use kompakt_format::code;
use kompakt_graph::{Node, Op, Padding, Pair};

/// Attributes of a node in their order; those at the end that have their default are dropped.
#[derive(Default)]
struct Attributes {
    written: Vec<Vec<u8>>,
    /// How many are left when the defaults at the end are dropped.
    needed: usize,
}

impl Attributes {
    fn put(&mut self, is_default: bool, write: impl FnOnce(&mut Cbor) -> &mut Cbor) -> &mut Self {
        let mut cbor = Cbor::default();
        write(&mut cbor);
        self.written.push(cbor.0);
        if !is_default {
            self.needed = self.written.len();
        }
        self
    }
    fn need(&mut self, write: impl FnOnce(&mut Cbor) -> &mut Cbor) -> &mut Self {
        self.put(false, write)
    }
    fn size(&mut self, n: usize) -> &mut Self {
        self.need(|c| c.size(n))
    }
    fn pair(&mut self, pair: Pair, default: Option<Pair>) -> &mut Self {
        self.put(Some(pair) == default, |c| c.pair(pair))
    }
    fn padding(&mut self, padding: Padding) -> &mut Self {
        self.put(padding == Padding::default(), |c| c.padding(padding))
    }
    fn floats(&mut self, values: &[f32]) -> &mut Self {
        for &value in values {
            self.need(|c| c.float(f64::from(value)));
        }
        self
    }
    fn float_or(&mut self, value: f32, default: f32) -> &mut Self {
        self.put(value == default, |c| c.float(f64::from(value)))
    }
    fn bool(&mut self, value: bool, default: bool) -> &mut Self {
        self.put(value == default, |c| c.bool(value))
    }
}

/// Writes one node; `value` is the number of the value it makes.
pub(crate) fn node(cbor: &mut Cbor, node: &Node, value: usize) -> Result<(), PackError> {
    let (code, attributes) = operator(node)?;
    let distances: Vec<usize> = node.inputs.iter().map(|&input| value - input).collect();
    let listed = distances != [1];
    let n = usize::from(listed) + 1 + attributes.needed;
    if n > 1 {
        cbor.array(n);
    }
    if listed {
        cbor.sizes(&distances);
    }
    cbor.uint(code);
    for attribute in &attributes.written[..attributes.needed] {
        cbor.0.extend(attribute);
    }
    Ok(())
}

fn operator(node: &Node) -> Result<(u64, Attributes), PackError> {
    let mut a = Attributes::default();
    let one = Some(Pair::square(1));
    let code = match &node.op {
        Op::Linear { out_features, bias } => {
            a.size(*out_features).bool(*bias, true);
            code::LINEAR
        }
        Op::Conv2d { out_channels, kernel, stride, padding, dilation, groups, bias } => {
            a.size(*out_channels).pair(*kernel, None).pair(*stride, one).padding(*padding);
            a.pair(*dilation, one).put(*groups == 1, |c| c.size(*groups)).bool(*bias, true);
            code::CONV2D
        }
        Op::BatchNorm { eps } => {
            a.put(*eps == 1e-5, |c| c.float(f64::from(*eps)));
            code::BATCH_NORM
        }
        Op::ScaleBias => code::SCALE_BIAS,
        Op::MaxPool { kernel, stride, padding, ceil_mode } => {
            a.pair(*kernel, None).pair(*stride, Some(*kernel)).padding(*padding).bool(*ceil_mode, false);
            code::MAX_POOL
        }
        Op::AvgPool { kernel, stride, padding, ceil_mode, count_include_pad } => {
            a.pair(*kernel, None).pair(*stride, Some(*kernel)).padding(*padding);
            a.bool(*ceil_mode, false).bool(*count_include_pad, true);
            code::AVG_POOL
        }
        Op::GlobalAvgPool => code::GLOBAL_AVG_POOL,
        Op::Relu => code::RELU,
        Op::Sigmoid => code::SIGMOID,
        Op::Tanh => code::TANH,
        Op::Softmax => code::SOFTMAX,
        Op::Add => code::ADD,
        Op::Concat => code::CONCAT,
        Op::Flatten => code::FLATTEN,
        Op::Reshape { shape } => {
            a.need(|c| c.sizes(shape));
            code::RESHAPE
        }
        Op::Slice { start, end, step } => {
            for list in [start, end, step] {
                a.need(|c| c.sizes(list));
            }
            code::SLICE
        }
        Op::Pad { before, after } => {
            for list in [before, after] {
                a.need(|c| c.sizes(list));
            }
            code::PAD
        }
        Op::Mul => code::MUL,
        Op::Sub => code::SUB,
        Op::Div => code::DIV,
        Op::Scale { factor, offset } => {
            a.float_or(*factor, 1.0).float_or(*offset, 0.0);
            code::SCALE
        }
        Op::Clip { low, high } => {
            a.float_or(*low, f32::MIN).float_or(*high, f32::MAX);
            code::CLIP
        }
        Op::LeakyRelu { slope } => {
            a.floats(&[*slope]);
            code::LEAKY_RELU
        }
        Op::Prelu => code::PRELU,
        Op::HardSigmoid { slope, offset } => {
            a.floats(&[*slope, *offset]);
            code::HARD_SIGMOID
        }
        Op::HardSwish => code::HARD_SWISH,
        Op::Silu => code::SILU,
        Op::LogSoftmax => code::LOG_SOFTMAX,
        Op::Transpose { axes } => {
            a.need(|c| c.sizes(axes));
            code::TRANSPOSE
        }
        Op::Gather { axis, indices } => {
            a.size(*axis).need(|c| c.sizes(indices));
            code::GATHER
        }
        Op::Resize { size, step, offset } => {
            a.pair(*size, None).floats(step).floats(offset);
            code::RESIZE
        }
        Op::LocalResponseNorm { size, alpha, beta, bias } => {
            a.size(*size).floats(&[*alpha, *beta, *bias]);
            code::LOCAL_RESPONSE_NORM
        }
        Op::Spread { step } => {
            a.pair(*step, None);
            code::SPREAD
        }
        other => {
            let problem = format!("a container has no operator {}", other.name());
            return Err(PackError::unsupported(format!("node {:?}", node.name), problem));
        }
    };
    Ok((code, a))
}
