//! Dropout put into a network for its training and taken out afterwards.

use kompakt_graph::{Graph, GraphError, Node, Op};

/// The network with a dropout of probability `p` after every ReLU that a linear layer feeds.
pub fn with_dropout(graph: &Graph, p: f32) -> Result<Graph, GraphError> {
    if p == 0.0 {
        return Ok(graph.clone());
    }
    let follows_linear = |node: &Node| {
        let producer = graph.producer(node.inputs[0]).map(|i| &graph.nodes()[i].op);
        node.op == Op::Relu && matches!(producer, Some(Op::Linear { .. }))
    };
    rebuild(graph, |node| {
        let mut nodes = vec![node.clone()];
        if follows_linear(node) {
            nodes.push(Node {
                name: format!("{}.dropout", node.name),
                op: Op::Dropout { p },
                inputs: vec![],
            });
        }
        nodes
    })
}

/// The network without any dropout: what it computes when run is the same.
pub fn without_dropout(graph: &Graph) -> Result<Graph, GraphError> {
    rebuild(graph, |node| if matches!(node.op, Op::Dropout { .. }) { vec![] } else { vec![node.clone()] })
}

/// Replaces each node by a chain of nodes: the first reads what the node read, the others what comes before them,
/// and the last one's value stands for the node's. An empty chain stands for the node's input.
fn rebuild(graph: &Graph, replace: impl Fn(&Node) -> Vec<Node>) -> Result<Graph, GraphError> {
    let mut new_value: Vec<usize> = (0..graph.inputs().len()).collect();
    let mut nodes: Vec<Node> = Vec::new();
    for node in graph.nodes() {
        let mut inputs: Vec<usize> = node.inputs.iter().map(|&v| new_value[v]).collect();
        for mut new in replace(node) {
            new.inputs = inputs;
            nodes.push(new);
            inputs = vec![graph.inputs().len() + nodes.len() - 1];
        }
        new_value.push(inputs[0]);
    }
    let outputs = graph.outputs().iter().map(|&v| new_value[v]).collect();
    Graph::new(graph.inputs().to_vec(), nodes, outputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropout_comes_and_goes() {
        let graph = kompakt_graph::networks::mlp(&[1, 4, 4], &[8, 6], 3).unwrap();
        let with = with_dropout(&graph, 0.5).unwrap();
        assert_eq!(with.nodes().iter().filter(|n| matches!(n.op, Op::Dropout { .. })).count(), 2);
        assert_eq!(without_dropout(&with).unwrap(), graph);
        // A convolution's ReLU is left alone.
        let resnet = kompakt_graph::networks::cifar_resnet(&[3, 32, 32], 3, 10).unwrap();
        assert_eq!(with_dropout(&resnet, 0.5).unwrap(), resnet);
    }
}
