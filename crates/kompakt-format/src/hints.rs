//! What the graph tells the adaptive coder about a weight: the producer and layout of its input channels.
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
    /// The weight parameter whose output units, in order, produce the input channels: channel `c` comes from
    /// unit `c / span`.
    pub producer: Option<Producer>,
    /// Height and width of the image that a row represents: a kernel, or the image that was flattened.
    pub grid: Option<(usize, usize)>,
}

/// The producer of a weight's input channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    /// The index of its weight parameter.
    pub parameter: usize,
    /// The node that it belongs to.
    pub node: usize,
    /// How many adjacent channels each of its units produces.
    pub span: usize,
}

impl WeightHints {
    /// The hints for parameter `parameter` of `graph`; none for anything but a weight.
    pub fn of(graph: &Graph, parameter: usize) -> Self {
        let Some(param) = graph.params().get(parameter).filter(|p| p.role == ParamRole::Weight) else {
            return Self::default();
        };
        let Some(node) = graph.nodes().get(param.node) else { return Self::default() };
        let Some(&input) = node.inputs.first() else { return Self::default() };
        let source = graph.channel_source(input, MAX_HINT_STEPS);
        let producer = || {
            // Parameters are in the order of their nodes, a layer's weight first.
            let (node, span) = source.layer?;
            Some(Producer { parameter: graph.params().partition_point(|p| p.node < node), node, span })
        };
        // An image of one element carries no information.
        let grid = |size: Option<(usize, usize)>| size.filter(|&size| size != (1, 1));
        if let Op::Conv2d { kernel, .. } = &node.op {
            let is_mixed = node.op.groups() == 1;
            let producer = if is_mixed { producer() } else { None };
            return Self { producer, grid: grid(Some((kernel.h, kernel.w))) };
        }
        Self { producer: producer(), grid: grid(source.image) }
    }
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
