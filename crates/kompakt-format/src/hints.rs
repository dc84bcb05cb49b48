//! What the graph tells the adaptive coder about a weight: who makes its input channels, and how they lie.
//!
//! ```text
//! conv1 [20,1,5,5] ─► pool ─► relu ─► flatten ─► fc1 [500, 20*h*w]
//!   └── producer of fc1's channels: unit c / (h*w) makes channel c; grid (h, w)
//! ```

use crate::limits::MAX_HINT_STEPS;
use kompakt_graph::{Graph, Op, ParamRole};

/// What the graph says about one weight parameter. Rule F-22.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WeightHints {
    /// The weight parameter whose output units, in order, make the input channels: channel `c` comes of unit
    /// `c / span`.
    pub producer: Option<Producer>,
    /// Height and width of the picture that a row shows: a kernel's, or that of the image that was flattened.
    pub grid: Option<(usize, usize)>,
}

/// Who makes the input channels of a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    /// The number of its weight parameter.
    pub parameter: usize,
    /// The node that it belongs to.
    pub node: usize,
    /// How many neighbouring channels each of its units makes.
    pub span: usize,
}

impl WeightHints {
    /// The hints for parameter `parameter` of `graph`; none for what is no weight.
    pub fn of(graph: &Graph, parameter: usize) -> Self {
        let Some(param) = graph.params().get(parameter).filter(|p| p.role == ParamRole::Weight) else {
            return Self::default();
        };
        let Some(node) = graph.nodes().get(param.node) else { return Self::default() };
        let source = walk_back(graph, node.inputs.first().copied());
        match &node.op {
            Op::Conv2d { kernel, groups, .. } => Self {
                producer: if *groups == 1 { source.producer } else { None },
                grid: Some((kernel.h, kernel.w)).filter(|&g| g != (1, 1)),
            },
            Op::Linear { .. } => Self { producer: source.producer, grid: source.grid },
            _ => Self::default(),
        }
    }
}

/// From a value back to the layer that makes it, through whatever keeps channels apart.
fn walk_back(graph: &Graph, mut value: Option<usize>) -> WeightHints {
    let mut found = WeightHints::default();
    let mut span = 1usize;
    for _ in 0..MAX_HINT_STEPS {
        let Some(v) = value else { return found };
        let Some(index) = graph.producer(v) else { return found };
        let Some(node) = graph.nodes().get(index) else { return found };
        let before = node.inputs.first().copied();
        match &node.op {
            Op::Linear { .. } | Op::Conv2d { .. } => {
                // Parameters are in the order of their nodes, a layer's weight first.
                let parameter = graph.params().partition_point(|p| p.node < index);
                found.producer = Some(Producer { parameter, node: index, span });
                return found;
            }
            Op::Flatten => {
                if let Some((_, rest)) = before.map(|b| graph.shape(b)).and_then(<[usize]>::split_first) {
                    span = rest.iter().fold(span, |n, &d| n.saturating_mul(d));
                    if let &[h, w] = rest {
                        found.grid = Some((h, w)).filter(|&g| g != (1, 1));
                    }
                }
            }
            Op::BatchNorm { .. }
            | Op::ScaleBias
            | Op::MaxPool { .. }
            | Op::AvgPool { .. }
            | Op::GlobalAvgPool => {}
            op if op.is_elementwise() => {}
            _ => return found,
        }
        value = before;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use kompakt_graph::networks;

    #[test]
    fn of_the_known_networks() {
        let graph = networks::lenet5(&[1, 28, 28], 10).unwrap();
        let of = |name: &str| {
            let index = graph.params().iter().position(|p| p.name == name).unwrap();
            let hints = WeightHints::of(&graph, index);
            (hints.producer.map(|p| (graph.params()[p.parameter].name.as_str(), p.span)), hints.grid)
        };
        assert_eq!(of("conv1.weight"), (None, Some((5, 5))));
        assert_eq!(of("conv2.weight"), (Some(("conv1.weight", 1)), Some((5, 5))));
        assert_eq!(of("fc1.weight"), (Some(("conv2.weight", 16)), Some((4, 4))));
        assert_eq!(of("fc2.weight"), (Some(("fc1.weight", 1)), None));
        assert_eq!(of("fc2.bias"), (None, None));

        let mlp = networks::mlp(&[1, 28, 28], &[300, 100], 10).unwrap();
        assert_eq!(WeightHints::of(&mlp, 0), WeightHints { producer: None, grid: Some((28, 28)) });
    }
}
