//! Dead units are removed; the logits stay. Against the reference in f64, which knows nothing of masks.
#![allow(clippy::unwrap_used)]

use arbtest::{arbitrary, arbtest};
use kompakt_graph::{Graph, Input, Node, Op, Padding, Pair};
use kompakt_model::{Block, Model, Numbers, Parameter};
use kompakt_prune::{PruneError, Removed, remove_dead_units};
use std::collections::BTreeMap;

/// The first output, in f64.
fn run(model: &Model, input: &[f64]) -> Vec<f64> {
    let dense = |p: &Parameter| p.to_f32().into_iter().map(f64::from).collect::<Vec<f64>>();
    let parameters: Vec<Vec<f64>> = model.in_order().map(|(_, p)| dense(p)).collect();
    kompakt_reference::evaluate(&model.graph, vec![input.to_vec()], &|i| &parameters[i]).remove(0).data
}

// ---- networks --------------------------------------------------------------------------------------------------

fn conv(out_channels: usize, padding: usize) -> Op {
    Op::Conv2d {
        out_channels,
        kernel: Pair::square(3),
        stride: Pair::square(1),
        padding: Padding::all(padding),
        dilation: Pair::square(1),
        groups: 1,
        bias: true,
    }
}

fn pool(is_max: bool) -> Op {
    let (kernel, stride, padding) = (Pair::square(2), Pair::square(2), Padding::default());
    if is_max {
        Op::MaxPool { kernel, stride, padding, ceil_mode: false }
    } else {
        Op::AvgPool { kernel, stride, padding, ceil_mode: false, count_include_pad: true }
    }
}

fn fc(out_features: usize) -> Op {
    Op::Linear { out_features, bias: true }
}

/// Convolutions, pools, a batch norm and linear layers, with or without padding before the second convolution.
fn chain(padding: usize, is_max: bool, activation: Op) -> Graph {
    let ops = vec![
        conv(4, 0),
        Op::ScaleBias,
        activation.clone(),
        pool(is_max),
        conv(3, padding),
        Op::BatchNorm { eps: 1e-3 },
        Op::Flatten,
        Op::Dropout { p: 0.5 },
        fc(5),
        activation,
        fc(4),
    ];
    Graph::chain(&[2, 10, 10], ops).unwrap()
}

/// A model of random weights of which complete rows and columns are pruned, and single ones besides.
fn pruned(graph: Graph, u: &mut arbitrary::Unstructured) -> arbitrary::Result<Model> {
    let mut parameters = BTreeMap::new();
    for p in graph.params() {
        let number = |u: &mut arbitrary::Unstructured| Ok(f32::from(u.int_in_range(-64i8..=64)?) / 32.0);
        let mut values: Vec<f32> = (0..p.len()).map(|_| number(u)).collect::<arbitrary::Result<_>>()?;
        if p.name.ends_with("running_var") {
            values.iter_mut().for_each(|v| *v = v.abs() + 0.1);
        }
        let mut mask = None;
        if p.shape.len() > 1 {
            let taps: usize = p.shape[2..].iter().product();
            let rows: Vec<bool> = (0..p.shape[0]).map(|_| u.ratio(1, 2)).collect::<Result<_, _>>()?;
            let columns: Vec<bool> = (0..p.shape[1]).map(|_| u.ratio(1, 3)).collect::<Result<_, _>>()?;
            let is_kept = |i: usize| !rows[i / taps / p.shape[1]] && !columns[i / taps % p.shape[1]];
            let kept: Vec<bool> = (0..p.len()).map(is_kept).collect();
            values.iter_mut().zip(&kept).filter(|(_, kept)| !**kept).for_each(|(v, _)| *v = 0.0);
            mask = Some(kept);
        }
        let parameter = Parameter::Dense { shape: p.shape.clone(), values: Numbers::F32(values), mask };
        parameters.insert(p.name.clone(), parameter);
    }
    Ok(Model::new(graph, parameters).unwrap())
}

fn assert_same_function(before: &Model, after: &Model) {
    after.check().unwrap();
    let n: usize = before.graph.shape(0).iter().product();
    for phase in 0..3 {
        let input: Vec<f64> = (0..n).map(|i| ((i * 7 + phase * 3) as f64 * 0.37).sin()).collect();
        let (a, b) = (run(before, &input), run(after, &input));
        let scale = a.iter().fold(1.0f64, |m, v| m.max(v.abs()));
        for (a, b) in a.iter().zip(&b) {
            assert!((a - b).abs() <= 1e-5 * scale, "{a} became {b}");
        }
    }
}

#[test]
fn logits_stay_whatever_is_removed() {
    let mut n_removed = 0;
    arbtest(|u| {
        let activation = u.choose(&[Op::Relu, Op::Tanh, Op::Sigmoid])?.clone();
        let before = pruned(chain(u.int_in_range(0..=1)?, u.arbitrary()?, activation), u)?;
        let mut after = before.clone();
        let removed = remove_dead_units(&mut after, Block::SINGLE).unwrap();
        n_removed += removed.iter().map(|r| r.n_units).sum::<usize>();
        assert_same_function(&before, &after);
        assert_eq!(after.dense_parameters, before.dense_parameters);
        // Nothing more to find.
        assert_eq!(remove_dead_units(&mut after, Block::SINGLE).unwrap(), []);
        Ok(())
    })
    .budget_ms(2_000);
    assert!(n_removed > 100);
}

/// Sets some weights of `name` to zero, by index.
fn zero(model: &mut Model, name: &str, is_zero: impl Fn(usize) -> bool) {
    if let Some(Parameter::Dense { values: Numbers::F32(values), .. }) = model.parameters.get_mut(name) {
        values.iter_mut().enumerate().filter(|(i, _)| is_zero(*i)).for_each(|(_, v)| *v = 0.0);
    }
}

fn ramp(graph: Graph) -> Model {
    let value = |i: usize| (i as f32 * 0.7).sin() + 0.1;
    let parameters = graph
        .params()
        .iter()
        .map(|p| (p.name.clone(), Parameter::dense(p.shape.clone(), (0..p.len()).map(value).collect())))
        .collect();
    Model::new(graph, parameters).unwrap()
}

#[test]
fn a_unit_that_nothing_reads_goes_with_its_own_inputs() {
    // fc2 reads no output of unit 1 of fc1.
    let mut model = ramp(Graph::chain(&[4], vec![fc(3), Op::Relu, fc(2)]).unwrap());
    zero(&mut model, "fc2.weight", |i| i % 3 == 1);
    let before = model.clone();
    let removed = remove_dead_units(&mut model, Block::SINGLE).unwrap();
    assert_eq!(removed, [Removed { layer: "fc1".into(), n_units: 1 }]);
    assert_eq!(model.parameters["fc1.weight"].shape(), [2, 4]);
    assert_eq!(model.parameters["fc2.weight"].shape(), [2, 2]);
    assert_eq!(model.graph.n_parameters(), 2 * 4 + 2 + 2 * 2 + 2);
    assert_same_function(&before, &model);
}

#[test]
fn units_that_one_block_reads_go_together_or_stay() {
    // Units 0 to 3 of 10 have no input, of the block of units 4 to 7 only unit 5; nothing reads units 8 and 9.
    let mut model = ramp(Graph::chain(&[4], vec![fc(10), Op::Relu, fc(3)]).unwrap());
    zero(&mut model, "fc1.weight", |i| i < 16 || i / 4 == 5);
    zero(&mut model, "fc2.weight", |i| i % 10 >= 8);
    let before = model.clone();
    let removed = remove_dead_units(&mut model, Block::of_inputs(4).unwrap()).unwrap();
    assert_eq!(removed, [Removed { layer: "fc1".into(), n_units: 6 }]);
    assert_eq!(model.parameters["fc2.weight"].shape(), [3, 4]);
    assert_same_function(&before, &model);
    // Behind a flatten of 4 positions each unit has blocks of its own.
    let mut model = ramp(Graph::chain(&[1, 4, 4], vec![conv(3, 0), Op::Flatten, fc(2)]).unwrap());
    zero(&mut model, "conv1.weight", |i| i / 9 == 1);
    let before = model.clone();
    let removed = remove_dead_units(&mut model, Block::of_inputs(4).unwrap()).unwrap();
    assert_eq!(removed, [Removed { layer: "conv1".into(), n_units: 1 }]);
    assert_same_function(&before, &model);
}

#[test]
fn removal_runs_backwards_through_the_layers() {
    // fc3 reads unit 0 of fc2 alone, which reads unit 2 of fc1 alone.
    let mut model = ramp(Graph::chain(&[4], vec![fc(3), Op::Relu, fc(3), Op::Relu, fc(2)]).unwrap());
    zero(&mut model, "fc3.weight", |i| i % 3 != 0);
    zero(&mut model, "fc2.weight", |i| i < 3 && i != 2);
    let before = model.clone();
    remove_dead_units(&mut model, Block::SINGLE).unwrap();
    assert_eq!(model.parameters["fc1.weight"].shape(), [1, 4]);
    assert_eq!(model.parameters["fc2.weight"].shape(), [1, 1]);
    assert_same_function(&before, &model);
}

#[test]
fn a_constant_moves_into_the_next_bias_unless_padding_shows_it() {
    for (padding, is_exact) in [(0, true), (1, false)] {
        let graph = Graph::chain(&[1, 8, 8], vec![conv(2, 0), conv(2, padding), Op::Flatten, fc(2)]).unwrap();
        let mut model = ramp(graph);
        zero(&mut model, "conv1.weight", |i| i >= 9);
        let before = model.clone();
        let removed = remove_dead_units(&mut model, Block::SINGLE).unwrap();
        assert_eq!(!removed.is_empty(), is_exact);
        assert_same_function(&before, &model);
        // With a bias of zero there is nothing to show.
        zero(&mut model, "conv1.bias", |i| i == 1);
        remove_dead_units(&mut model, Block::SINGLE).unwrap();
        assert_eq!(model.parameters["conv1.weight"].shape()[0], 1);
    }
}

#[test]
fn a_layer_that_reads_nothing_keeps_one_unit() {
    let mut model = ramp(Graph::chain(&[4], vec![fc(3), Op::Relu, fc(2)]).unwrap());
    zero(&mut model, "fc1.weight", |_| true);
    let before = model.clone();
    remove_dead_units(&mut model, Block::SINGLE).unwrap();
    assert_eq!(model.parameters["fc1.weight"].shape(), [1, 4]);
    assert_same_function(&before, &model);
}

#[test]
fn units_that_meet_others_stay() {
    let node = |name: &str, op: Op, inputs: &[usize]| Node { name: name.into(), op, inputs: inputs.to_vec() };
    let nodes = vec![
        node("a", fc(3), &[0]),
        node("b", fc(3), &[1]),
        node("sum", Op::Add, &[1, 2]),
        node("out", fc(2), &[3]),
    ];
    let graph = Graph::new(vec![Input { name: "x".into(), shape: vec![4] }], nodes, vec![4]).unwrap();
    let mut model = ramp(graph);
    zero(&mut model, "out.weight", |i| i % 3 == 1);
    zero(&mut model, "a.weight", |i| i < 4);
    let before = model.clone();
    assert_eq!(remove_dead_units(&mut model, Block::SINGLE).unwrap(), []);
    assert_eq!(model, before);
}

#[test]
fn shared_weights_are_refused() {
    let mut model = ramp(Graph::chain(&[2], vec![fc(1)]).unwrap());
    let shared = Parameter::Shared {
        shape: vec![1, 2],
        codebook: Numbers::F32(vec![1.0]),
        codes: vec![0, 0],
        mask: None,
    };
    model.parameters.insert("fc1.weight".into(), shared);
    assert!(matches!(remove_dead_units(&mut model, Block::SINGLE), Err(PruneError::AlreadyShared { .. })));
}
