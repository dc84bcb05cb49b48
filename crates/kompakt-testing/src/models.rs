//! Packed models with random weights, and their expected answers.
#![allow(clippy::unwrap_used)]

use crate::numbers;
use kompakt_format::Tier;
use kompakt_graph::{Graph, Op, ParamRole, Reduction};
use kompakt_model::{Model as Checkpoint, Numbers, Parameter};
use kompakt_pack::{InMemory, Options, reference, write};
use std::collections::BTreeMap;

/// The three tiers.
pub const TIERS: [Tier; 3] = [Tier::Smallest, Tier::Stream, Tier::Direct];

/// Shared weights of that density: `n_levels` levels, or individual values for 0.
pub fn weight(seed: u64, shape: &[usize], density: f32, n_levels: usize) -> Parameter {
    let n: usize = shape.iter().product();
    let fan_in = (n / shape[0]) as f32 * density.max(1.0 / n as f32);
    let size = 1.5 / fan_in.sqrt();
    let dice = numbers(seed ^ 1, n);
    let keep: Vec<bool> = dice.iter().map(|d| (d + 1.0) / 2.0 < density).collect();
    let mask = (!keep.iter().all(|&k| k)).then(|| keep.clone());
    if n_levels == 0 {
        let values =
            numbers(seed ^ 2, n).iter().zip(&keep).map(|(v, &k)| if k { v * size } else { 0.0 }).collect();
        return Parameter::Dense { shape: shape.to_vec(), values: Numbers::F32(values), mask };
    }
    let codebook: Vec<f32> = (0..n_levels)
        .map(|i| (i as f32 + 0.5 - n_levels as f32 / 2.0 + 0.01) / n_levels as f32 * 2.0 * size)
        .collect();
    let codes = numbers(seed ^ 3, n)
        .iter()
        .zip(&keep)
        .map(|(v, &k)| if k { ((v + 1.0) / 2.0 * n_levels as f32 * 0.9999) as u8 } else { 0 })
        .collect();
    Parameter::Shared { shape: shape.to_vec(), codebook: Numbers::F32(codebook), codes, mask }
}

/// The same model, but that the levels of shared weights are these numbers of a step, as many as they have, ascending.
pub fn in_steps(mut model: Checkpoint, steps: &[i16]) -> Checkpoint {
    for parameter in model.parameters.values_mut() {
        if let Parameter::Shared { codebook, .. } = parameter {
            // A step that is no sum of few powers of two.
            *codebook = Numbers::F32(steps.iter().map(|&n| f32::from(n) * 0.003_71).collect());
        }
    }
    model
}

/// Parameters for a graph: `choose` gives density and levels for each weight.
pub fn checkpoint(graph: Graph, seed: u64, mut choose: impl FnMut(&str) -> (f32, usize)) -> Checkpoint {
    let mut parameters = BTreeMap::new();
    for (i, param) in graph.params().iter().enumerate() {
        let seed = seed.wrapping_add(i as u64 * 977);
        let parameter = match param.role {
            ParamRole::Weight => {
                let (density, levels) = choose(&param.name);
                weight(seed, &param.shape, density, levels)
            }
            ParamRole::PerChannel => {
                let spread = if param.name.ends_with("var") { 0.4 } else { 0.3 };
                let middle =
                    if param.name.ends_with("bias") || param.name.ends_with("mean") { 0.0 } else { 1.0 };
                let values = numbers(seed, param.len()).iter().map(|v| middle + v * spread).collect();
                Parameter::dense(param.shape.clone(), values)
            }
        };
        parameters.insert(param.name.clone(), parameter);
    }
    Checkpoint::new(graph, parameters).unwrap()
}

/// The bytes of a container.
pub fn pack(model: &Checkpoint, tier: Tier) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.kompakt");
    let mut source = InMemory::new(model.clone()).unwrap();
    write(&mut source, &Options::new(tier), &path, &|_, _| {}).unwrap();
    std::fs::read(path).unwrap()
}

/// The expected answer of a network.
pub struct Expected {
    /// The outputs in f64, `[batch, len]` each.
    pub values: Vec<Vec<f64>>,
    /// For each output the largest sum of absolute products behind one of its elements: rounding errors are in
    /// proportion to it, also where the terms of a sum cancel and leave little.
    pub magnitudes: Vec<f64>,
}

/// The outputs for `batch` inputs, in f64, from the weights stored in the container.
pub fn expected(bytes: &[u8], inputs: &[Vec<f32>], batch: usize) -> Expected {
    let container = kompakt_format::Container::parse(bytes).unwrap();
    let graph = container.graph();
    let params: Vec<Vec<f64>> = container
        .decode()
        .unwrap()
        .iter()
        .map(|d| d.to_f32().iter().map(|&v| f64::from(v)).collect())
        .collect();
    // Subtraction and scaling become addition: |x - mean| <= |x| + |mean|.
    let absolute: Vec<Vec<f64>> = (graph.params().iter().zip(&params))
        .map(|(param, values)| {
            let sign = if param.name.ends_with("running_mean") { -1.0 } else { 1.0 };
            values.iter().map(|v| v.abs() * sign).collect()
        })
        .collect();
    let [sizes_of, linear] = [graph_of_sizes(graph), without_saturation(graph)];
    let mut values = vec![Vec::new(); graph.outputs().len()];
    let mut magnitudes = vec![0f64; values.len()];
    for image in 0..batch {
        let one = |x: &Vec<f32>| -> Vec<f64> {
            let len = x.len() / batch;
            x[image * len..(image + 1) * len].iter().map(|&v| f64::from(v)).collect()
        };
        let found = reference::evaluate(graph, inputs.iter().map(one).collect(), &|i| &params[i]);
        for (all, value) in values.iter_mut().zip(found) {
            all.extend(value.data);
        }
        let sizes = |x: &Vec<f32>| one(x).iter().map(|v| v.abs()).collect();
        for graph in [&sizes_of, &linear] {
            let found = reference::evaluate(graph, inputs.iter().map(sizes).collect(), &|i| &absolute[i]);
            for (all, value) in magnitudes.iter_mut().zip(found) {
                *all = value.data.iter().fold(*all, |m, v| m.max(v.abs()));
            }
        }
    }
    Expected { values, magnitudes }
}

/// The same graph on absolute values: subtraction becomes addition, division by something above 2
/// multiplication.
fn graph_of_sizes(graph: &Graph) -> Graph {
    rebuilt(graph, |op| {
        if op == Op::Sub {
            Op::Add
        } else if op == Op::Div {
            Op::Mul
        } else if let Op::Scale { factor, offset } = op {
            Op::Scale { factor: factor.abs(), offset: offset.abs() }
        } else if let Op::Unary { .. } = op {
            // Those of random networks have slopes and values at 0 that are no larger.
            Op::Scale { factor: 1.2, offset: 1.0 }
        } else if let Op::Binary { .. } = op {
            Op::Add
        } else if let Op::Reduce { function: Reduction::Min, axes } = op {
            Op::Reduce { function: Reduction::Max, axes }
        } else if let Op::TopK { axis, k, indices, .. } = op {
            Op::TopK { axis, k, largest: true, indices }
        } else {
            op
        }
    })
}

/// The same, without operators that reduce an error.
fn without_saturation(graph: &Graph) -> Graph {
    rebuilt(&graph_of_sizes(graph), |op| {
        let saturates = matches!(
            op,
            Op::Sigmoid
                | Op::Tanh
                | Op::Softmax
                | Op::Clip { .. }
                | Op::HardSigmoid { .. }
                | Op::HardSwish
                | Op::Silu
                | Op::LocalResponseNorm { .. }
        );
        if saturates {
            Op::Identity
        } else if op == Op::LogSoftmax {
            Op::Scale { factor: 2.0, offset: 8.0 }
        } else {
            op
        }
    })
}

fn rebuilt(graph: &Graph, change: impl Fn(Op) -> Op) -> Graph {
    let (inputs, mut nodes, outputs) = graph.clone().into_parts();
    nodes.iter_mut().for_each(|node| node.op = change(node.op.clone()));
    Graph::new(inputs, nodes, outputs).unwrap()
}

impl Expected {
    /// The contract: `|a - b| <= 1e-5` of the largest sum of absolute products.
    pub fn assert_close(&self, what: &str, output: usize, found: &[f32]) {
        let (values, magnitude) = (&self.values[output], self.magnitudes[output]);
        assert_eq!(found.len(), values.len(), "{what}: length");
        for (i, (a, b)) in found.iter().zip(values).enumerate() {
            let off = (f64::from(*a) - b).abs();
            assert!(
                off <= 1e-5 * magnitude,
                "{what}: element {i} of output {output} is {a}, should be {b} (magnitude {magnitude})"
            );
        }
    }
}
