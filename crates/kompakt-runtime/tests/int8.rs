//! Activations of 8 bits: near the answers in floats, the same from every tier, and refused without ranges.
#![allow(clippy::unwrap_used)]

use kompakt_format::{Container, Tier, ValueRange, ranged_values};
use kompakt_graph::{Graph, Input, Node, Op, Padding, Pair};
use kompakt_model::Model as Checkpoint;
use kompakt_pack::{InMemory, Options, write_to};
use kompakt_runtime::{Activations, Isa, Model, RuntimeError, Session, SessionOptions};
use kompakt_testing::{
    inverted_residuals::inverted_residuals,
    models::{TIERS, checkpoint, pack},
    numbers,
};

/// Convolutions of all kinds of strides and groups, then linear layers.
fn network() -> Graph {
    let conv = |channels, kernel, stride, padding, groups| Op::Conv2d {
        out_channels: channels,
        kernel: Pair::square(kernel),
        stride: Pair::square(stride),
        padding: Padding::all(padding),
        dilation: Pair::square(1),
        groups,
        bias: true,
    };
    let ops = vec![
        conv(24, 3, 1, 1, 1),
        Op::BatchNorm { eps: 1e-5 },
        Op::Relu,
        conv(32, 3, 2, 1, 1),
        Op::Relu,
        conv(48, 1, 1, 0, 1),
        conv(48, 3, 1, 1, 2),
        Op::Relu,
        Op::Flatten,
        Op::Linear { out_features: 200, bias: true },
        Op::Relu,
        Op::Linear { out_features: 10, bias: false },
    ];
    let node = |(i, op)| Node { name: format!("n{i}"), op, inputs: vec![i] };
    let nodes: Vec<Node> = ops.into_iter().enumerate().map(node).collect();
    let last = nodes.len();
    Graph::new(vec![Input { name: "x".into(), shape: vec![5, 18, 18] }], nodes, vec![last]).unwrap()
}

/// The bounds of the values that layers read.
fn ranges(model: &Checkpoint, x: &[f32], n: usize) -> Vec<ValueRange> {
    let values = ranged_values(&model.graph);
    let (inputs, nodes, _) = model.graph.clone().into_parts();
    let mut probe = model.clone();
    probe.graph = Graph::new(inputs, nodes, values[1..].to_vec()).unwrap();
    let bytes = pack(&probe, Tier::Direct);
    let file = Model::from_bytes(&bytes).unwrap();
    let mut session = Session::new(&file, &SessionOptions::default()).unwrap();
    session.run(x, n).unwrap();
    let all = (0..values.len()).map(|i| if i == 0 { x } else { session.output(i - 1) });
    let bound = |(&value, numbers): (&usize, &[f32])| {
        let (low, high) = numbers.iter().fold((0f32, 0f32), |(l, h), &v| (l.min(v), h.max(v)));
        ValueRange { value, low, high }
    };
    values.iter().zip(all).map(bound).collect()
}

fn with_ranges(model: &Checkpoint, ranges: Vec<ValueRange>, tier: Tier) -> Vec<u8> {
    let mut source = InMemory::new(model.clone()).unwrap();
    source.set_ranges(ranges).unwrap();
    let mut bytes = Vec::new();
    write_to(&mut source, &Options::new(tier), &mut bytes, &|_, _| ()).unwrap();
    Container::parse(&bytes).unwrap().verify().unwrap();
    bytes
}

fn options(isa: Isa, max_batch: usize) -> SessionOptions {
    let mut options = SessionOptions::default();
    (options.isa, options.max_batch, options.activations) = (isa, max_batch, Activations::Int8);
    options
}

/// Squared difference over squared size.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    let error: f32 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    error / a.iter().map(|a| a * a).sum::<f32>()
}

#[test]
fn near_the_floats_on_every_instruction_set_from_every_tier() {
    let n = 3;
    for (graph, density) in [(network(), 1.0), (network(), 0.3), (inverted_residuals(32), 0.5)] {
        let len: usize = graph.inputs()[0].shape.iter().product();
        let x: Vec<f32> = numbers(4, len * n).iter().map(|v| v + 0.3).collect();
        let depthwise = |name: &str| name.starts_with("n3.");
        let model = checkpoint(graph, 3, |name| (if depthwise(name) { 0.5 } else { density }, 16));
        let ranges = ranges(&model, &x, n);
        let plain = pack(&model, Tier::Direct);
        let file = Model::from_bytes(&plain).unwrap();
        let mut session = Session::new(&file, &SessionOptions::default()).unwrap();
        let floats = session.run(&x, n).unwrap().to_vec();
        for isa in Isa::available() {
            for max_batch in [1, 16] {
                let mut bits: Option<Vec<f32>> = None;
                // Scalars are slow, and see the same bytes.
                for tier in if isa == Isa::best() { &TIERS[..] } else { &TIERS[1..2] } {
                    let bytes = with_ranges(&model, ranges.clone(), *tier);
                    let file = Model::from_bytes(&bytes).unwrap();
                    let mut session = Session::new(&file, &options(isa, max_batch)).unwrap();
                    let y = session.run(&x, n).unwrap().to_vec();
                    let found = difference(&floats, &y);
                    let forms: Vec<&str> = session.plan().layers.iter().map(|l| l.form).collect();
                    let what = format!("{tier:?} on {isa}, batches of {max_batch}: {forms:?}");
                    assert!(found < 3e-3, "{what}: off by {found}");
                    let has_bytes = forms.iter().any(|form| form.starts_with("int8"));
                    assert_eq!(has_bytes, found > 1e-9, "{what}: off by {found}");
                    assert_eq!(bits.get_or_insert_with(|| y.clone()), &y, "{what}");
                }
            }
        }
    }
}

#[test]
fn the_plan_says_what_is_in_bytes() {
    let x = numbers(4, 5 * 18 * 18);
    let model = checkpoint(network(), 3, |_| (1.0, 16));
    let bytes = with_ranges(&model, ranges(&model, &x, 1), Tier::Stream);
    let file = Model::from_bytes(&bytes).unwrap();
    let mut options = options(Isa::best(), 1);
    let session = Session::new(&file, &options).unwrap();
    for layer in &session.plan().layers {
        let is_int8 = layer.form.starts_with("int8");
        assert_eq!(layer.int8_error.is_some(), is_int8, "{layer:?}");
        assert!(layer.int8_error.is_none_or(|error| error < 0.01), "{layer:?}");
    }
    // Layers over bytes stay in memory, whatever the option.
    (options.from_file, options.small_bytes) = (true, 0);
    let other = Session::new(&file, &options).unwrap();
    for (a, b) in session.plan().layers.iter().zip(&other.plan().layers) {
        assert!(a.form == b.form || (b.form == "from the file" && a.int8_error.is_none()), "{a:?} {b:?}");
    }
    options.ram_budget = Some(1000);
    assert!(matches!(Session::new(&file, &options), Err(RuntimeError::Budget { .. })));
}

#[test]
fn refused_without_ranges() {
    let bytes = pack(&checkpoint(network(), 3, |_| (1.0, 16)), Tier::Direct);
    let file = Model::from_bytes(&bytes).unwrap();
    let error = Session::new(&file, &options(Isa::best(), 1)).unwrap_err();
    assert!(matches!(error, RuntimeError::NoRanges), "{error}");
    assert!(error.to_string().contains("kompakt calibrate"), "{error}");
}
