//! Where the value of one output unit goes: the layers that weigh it, and what happens to it on the way.
//!
//! ```text
//! conv1 ──► pool1 ──► flatten1 ──► fc1          unit u of conv1 is columns 16 u .. 16 u + 16 of fc1
//! ```

use kompakt_graph::{Graph, Op, Padding, ValueId};

/// A layer that weighs a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Consumer {
    /// The linear or convolution node.
    pub(crate) node: usize,
    /// How many of its inputs belong to one unit: more than 1 after a flatten.
    pub(crate) spread: usize,
    /// The nodes between, in the order they run.
    pub(crate) path: Vec<usize>,
}

/// All layers that weigh the units of `node`, or `None` if a unit cannot be taken out: it leaves the graph, meets
/// another value (add, concat), or passes an operator that is not known to treat units apart.
pub(crate) fn consumers(graph: &Graph, node: usize) -> Option<Vec<Consumer>> {
    match graph.nodes()[node].op {
        Op::Linear { .. } | Op::Conv2d { groups: 1, .. } => {
            let mut found = Vec::new();
            follow(graph, graph.value_of(node), 1, &mut Vec::new(), &mut found)?;
            Some(found)
        }
        _ => None,
    }
}

fn follow(
    graph: &Graph,
    value: ValueId,
    spread: usize,
    path: &mut Vec<usize>,
    found: &mut Vec<Consumer>,
) -> Option<()> {
    if graph.outputs().contains(&value) {
        return None;
    }
    for node in graph.consumers(value) {
        let spread = match &graph.nodes()[node].op {
            Op::Linear { .. } | Op::Conv2d { groups: 1, .. } => {
                found.push(Consumer { node, spread, path: path.clone() });
                continue;
            }
            op if op.is_elementwise() => spread,
            Op::MaxPool { .. } | Op::AvgPool { .. } | Op::GlobalAvgPool => spread,
            // One number a unit: fine as long as a unit is one channel.
            Op::BatchNorm { .. } | Op::ScaleBias if spread == 1 => spread,
            Op::Flatten => spread * graph.shape(value)[1..].iter().product::<usize>(),
            _ => return None,
        };
        path.push(node);
        follow(graph, graph.value_of(node), spread, path, found)?;
        path.pop();
    }
    Some(())
}

/// What a unit that is `value` everywhere becomes along `path`, or `None` if it is not the same everywhere after.
/// `channel` gives the parameters of a batch norm or scale node for the unit, by suffix.
pub(crate) fn constant(
    graph: &Graph,
    path: &[usize],
    value: f64,
    channel: impl Fn(usize, &str) -> f64,
) -> Option<f64> {
    let mut c = value;
    for &node in path {
        c = match graph.nodes()[node].op {
            Op::Relu => c.max(0.0),
            Op::Sigmoid => 1.0 / (1.0 + (-c).exp()),
            Op::Tanh => c.tanh(),
            Op::Scale { factor, offset } => c * f64::from(factor) + f64::from(offset),
            Op::Clip { low, high } => c.clamp(f64::from(low), f64::from(high)),
            Op::LeakyRelu { slope } if c < 0.0 => c * f64::from(slope),
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
            _ => c,
        };
    }
    Some(c)
}
