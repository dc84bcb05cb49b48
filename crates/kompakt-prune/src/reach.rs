//! The readers of one output unit: the layers that weigh it, and what happens to it on the way.
//!
//! ```text
//! conv1 ──► pool1 ──► flatten1 ──► fc1          unit u of conv1 is columns 16 u .. 16 u + 16 of fc1
//! ```

use kompakt_graph::{Graph, Op, Padding, Passage, Reader};

/// All layers that weigh the units of `node`, or `None` if a unit cannot be removed: see
/// [`Graph::channel_reach`].
pub(crate) fn readers(graph: &Graph, node: usize) -> Option<Vec<Reader>> {
    if graph.passage(node) != Passage::Weighed {
        return None;
    }
    let reach = graph.channel_reach(graph.value_of(node))?;
    // Parameters on the way have one value per unit as long as a unit is one channel.
    let is_single =
        |&(node, span): &(usize, usize)| span == 1 || graph.passage(node) != Passage::KeptWithParameters;
    reach.passed.iter().all(is_single).then_some(reach.readers)
}

/// The constant that a unit with the constant `value` becomes along `path`, or `None` if it is not constant
/// afterwards. `channel` returns the parameters of a batch norm or scale node for the unit, by suffix.
pub(crate) fn constant(
    graph: &Graph,
    path: &[(usize, usize)],
    value: f64,
    channel: impl Fn(usize, &str) -> f64,
) -> Option<f64> {
    let mut c = value;
    for &(node, _) in path {
        c = match graph.nodes()[node].op {
            Op::Relu => c.max(0.0),
            Op::Sigmoid => 1.0 / (1.0 + (-c).exp()),
            Op::Tanh => c.tanh(),
            Op::Scale { factor, offset } => c * f64::from(factor) + f64::from(offset),
            Op::Clip { low, high } => c.clamp(f64::from(low), f64::from(high)),
            Op::LeakyRelu { slope } => {
                if c < 0.0 {
                    c * f64::from(slope)
                } else {
                    c
                }
            }
            Op::HardSigmoid { slope, offset } => (c * f64::from(slope) + f64::from(offset)).clamp(0.0, 1.0),
            Op::HardSwish => c * (c / 6.0 + 0.5).clamp(0.0, 1.0),
            Op::Silu => c / (1.0 + (-c).exp()),
            Op::BatchNorm { eps } => {
                let deviation = (channel(node, "running_var") + f64::from(eps)).sqrt();
                (c - channel(node, "running_mean")) / deviation * channel(node, "weight")
                    + channel(node, "bias")
            }
            Op::ScaleBias => c * channel(node, "weight") + channel(node, "bias"),
            // Zeros at the border count in the mean; a window cut off at the border is read differently elsewhere.
            Op::AvgPool { padding, ceil_mode, .. } if padding != Padding::default() || ceil_mode => {
                if c != 0.0 {
                    return None;
                }
                c
            }
            Op::AvgPool { .. }
            | Op::MaxPool { .. }
            | Op::GlobalAvgPool
            | Op::Flatten
            | Op::Dropout { .. }
            | Op::Identity => c,
            // No path passes these.
            Op::Linear { .. }
            | Op::Conv2d { .. }
            | Op::Softmax
            | Op::Add
            | Op::Concat
            | Op::Reshape { .. }
            | Op::Slice { .. }
            | Op::Pad { .. }
            | Op::Mul
            | Op::Sub
            | Op::Div
            | Op::Prelu
            | Op::LogSoftmax
            | Op::Transpose { .. }
            | Op::Gather { .. }
            | Op::Resize { .. }
            | Op::LocalResponseNorm { .. }
            | Op::Spread { .. }
            | Op::Unary { .. }
            | Op::Binary { .. }
            | Op::Select
            | Op::Reduce { .. }
            | Op::MatMul
            | Op::Constant { .. }
            | Op::Embedding { .. }
            | Op::Take { .. }
            | Op::Scatter { .. }
            | Op::TopK { .. }
            | Op::Recurrent { .. } => return None,
        };
    }
    Some(c)
}
