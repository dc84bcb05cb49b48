//! Where channels go and come from, on the known networks.
#![allow(clippy::unwrap_used)]

use kompakt_graph::{ChannelSource, Graph, Op, Passage, networks};

#[test]
fn from_a_layer_to_those_that_weigh_it() {
    let graph = networks::lenet5(&[1, 28, 28], 10).unwrap();
    let node = |name: &str| graph.nodes().iter().position(|n| n.name == name).unwrap();
    let reach = graph.channel_reach(graph.value_of(node("conv2"))).unwrap();
    assert_eq!(reach.readers.len(), 1);
    let reader = &reach.readers[0];
    assert_eq!((reader.node, reader.span), (node("fc1"), 16));
    assert_eq!(reader.path, [(node("pool2"), 1), (node("flatten1"), 1)]);
    assert_eq!(reach.passed, reader.path);
    assert_eq!(graph.channel_reach(graph.value_of(node("fc2"))), None, "it leaves the graph");
    assert_eq!(graph.passage(node("flatten1")), Passage::Spread(16));
}

#[test]
fn from_a_layer_back_to_the_one_that_makes_its_columns() {
    let graph = networks::lenet5(&[1, 28, 28], 10).unwrap();
    let node = |name: &str| graph.nodes().iter().position(|n| n.name == name).unwrap();
    let before = |name: &str| graph.nodes()[node(name)].inputs[0];
    let source = graph.channel_source(before("fc1"), 64);
    assert_eq!(source, ChannelSource { layer: Some((node("conv2"), 16)), image: Some((4, 4)) });
    assert_eq!(graph.channel_source(before("conv1"), 64), ChannelSource::default());
    assert_eq!(graph.channel_source(before("fc1"), 1).layer, None, "as far as was asked for");
}

#[test]
fn a_chain_as_long_as_a_graph_may_be() {
    let ops = [vec![Op::Linear { out_features: 2, bias: true }], vec![Op::Relu; 2000]].concat();
    let graph = Graph::chain(&[1], [ops, vec![Op::Linear { out_features: 1, bias: true }]].concat()).unwrap();
    assert_eq!(graph.channel_reach(1).unwrap().passed.len(), 2000);
}
