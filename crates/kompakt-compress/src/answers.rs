//! The values of a network that count as its answers: those before a final softmax, sigmoid or choice.
//!
//! A softmax that is sure of its answer hides what an error in a layer does: its slope vanishes, and the layer would seem to
//! need no bits at all. So what it is computed from counts instead, also where values are moved in between (a softmax over
//! the last of several dimensions), where it is spelled out, and where it is a part of a concatenation (the classes of a
//! detector beside its boxes).

use kompakt_graph::{BinaryFunction, Graph, Op, Reduction, UnaryFunction};

/// One value or more for each output that the network computes, in the graph's order, each once.
pub(crate) fn answers(graph: &Graph) -> Vec<usize> {
    let mut all = Vec::new();
    for &output in graph.outputs() {
        let found = behind(graph, output).unwrap_or_else(|| vec![output]);
        all.extend(found.into_iter().filter(|&v| graph.producer(v).is_some()));
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// The values that `value` squashes; `None` where it squashes none.
fn behind(graph: &Graph, value: usize) -> Option<Vec<usize>> {
    let (op, inputs) = node(graph, value)?;
    match op {
        Op::Softmax | Op::LogSoftmax | Op::Sigmoid | Op::HardSigmoid { .. } => Some(vec![inputs[0]]),
        Op::Reduce { function: Reduction::ArgMax | Reduction::ArgMin, .. } => further(graph, inputs[0]),
        Op::TopK { .. } => further(graph, inputs[0]),
        Op::Binary {
            function:
                BinaryFunction::Less
                | BinaryFunction::LessOrEqual
                | BinaryFunction::Greater
                | BinaryFunction::GreaterOrEqual,
        } => {
            let is_fixed =
                |v: usize| matches!(node(graph, unmoved(graph, v)), Some((Op::Constant { .. }, _)) | None);
            match [is_fixed(inputs[0]), is_fixed(inputs[1])] {
                [false, true] => further(graph, inputs[0]),
                [true, false] => further(graph, inputs[1]),
                _ => None,
            }
        }
        // A softmax spelled out: powers over their sum.
        Op::Div | Op::Mul => {
            let (Op::Unary { function: UnaryFunction::Exp }, power) = node(graph, unmoved(graph, inputs[0]))?
            else {
                return None;
            };
            let power = unmoved(graph, power[0]);
            let len = |v: usize| graph.shape(v).iter().product::<usize>();
            match node(graph, power) {
                // The largest was subtracted before.
                Some((Op::Sub, sides)) if len(sides[1]) < len(sides[0]) => Some(vec![sides[0]]),
                _ => Some(vec![power]),
            }
        }
        Op::Concat => {
            let parts: Vec<Option<Vec<usize>>> = inputs.iter().map(|&v| behind(graph, v)).collect();
            if parts.iter().all(Option::is_none) {
                return None;
            }
            let part = |(part, &v): (Option<Vec<usize>>, &usize)| part.unwrap_or_else(|| vec![v]);
            Some(parts.into_iter().zip(inputs).flat_map(part).collect())
        }
        op if moves(op) => behind(graph, inputs[0]),
        _ => None,
    }
}

/// What a choice is made from, or what that squashes.
fn further(graph: &Graph, value: usize) -> Option<Vec<usize>> {
    behind(graph, value).or(Some(vec![value]))
}

fn node(graph: &Graph, value: usize) -> Option<(&Op, &[usize])> {
    graph.producer(value).map(|n| (&graph.nodes()[n].op, &graph.nodes()[n].inputs[..]))
}

/// Whether an operator keeps the elements of its input, or most, at other places.
pub(crate) fn moves(op: &Op) -> bool {
    matches!(
        op,
        Op::Reshape { .. }
            | Op::Flatten
            | Op::Transpose { .. }
            | Op::Slice { .. }
            | Op::Gather { .. }
            | Op::Dropout { .. }
            | Op::Identity
    )
}

/// The value before it was moved.
pub(crate) fn unmoved(graph: &Graph, value: usize) -> usize {
    match node(graph, value) {
        Some((op, inputs)) if moves(op) => unmoved(graph, inputs[0]),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kompakt_graph::{Input, Node};

    /// A graph of named nodes with the numbers of their inputs, whose last value is the output.
    fn graph(input: &[usize], nodes: Vec<(Op, Vec<usize>)>) -> Graph {
        let n = nodes.len();
        let nodes = nodes.into_iter().enumerate();
        let nodes = nodes.map(|(i, (op, inputs))| Node { name: format!("n{i}"), op, inputs }).collect();
        Graph::new(vec![Input { name: "x".into(), shape: input.to_vec() }], nodes, vec![n]).unwrap()
    }

    fn linear() -> Op {
        Op::Linear { out_features: 4, bias: true }
    }

    #[test]
    fn a_softmax_is_seen_through_however_it_is_written() {
        let turned = || Op::Transpose { axes: vec![1, 0] };
        let plain = graph(&[6], vec![(linear(), vec![0]), (Op::Softmax, vec![1])]);
        assert_eq!(answers(&plain), [1]);
        let moved = graph(
            &[5, 6],
            vec![(Op::Relu, vec![0]), (turned(), vec![1]), (Op::Softmax, vec![2]), (turned(), vec![3])],
        );
        assert_eq!(answers(&moved), [2]);
        let largest = Op::Reduce { function: Reduction::Max, axes: vec![0] };
        let spelled = vec![
            (linear(), vec![0]),
            (largest, vec![1]),
            (Op::Sub, vec![1, 2]),
            (Op::Unary { function: UnaryFunction::Exp }, vec![3]),
            (Op::Reduce { function: Reduction::Sum, axes: vec![0] }, vec![4]),
            (Op::Div, vec![4, 5]),
        ];
        assert_eq!(answers(&graph(&[6], spelled)), [1]);
        let chosen = Op::Reduce { function: Reduction::ArgMax, axes: vec![0] };
        assert_eq!(
            answers(&graph(&[6], vec![(linear(), vec![0]), (Op::Sigmoid, vec![1]), (chosen, vec![2])])),
            [1]
        );
    }

    #[test]
    fn parts_of_a_concatenation_count_each_for_itself() {
        let nodes =
            vec![(linear(), vec![0]), (linear(), vec![0]), (Op::Sigmoid, vec![2]), (Op::Concat, vec![1, 3])];
        assert_eq!(answers(&graph(&[6], nodes)), [1, 2]);
        let plain = vec![(linear(), vec![0]), (linear(), vec![0]), (Op::Concat, vec![1, 2])];
        assert_eq!(answers(&graph(&[6], plain)), [3]);
    }

    /// A sigmoid that scales something else is not an answer's.
    #[test]
    fn a_gate_is_none() {
        let nodes = vec![(linear(), vec![0]), (Op::Sigmoid, vec![1]), (Op::Mul, vec![2, 1])];
        assert_eq!(answers(&graph(&[6], nodes)), [3]);
    }
}
