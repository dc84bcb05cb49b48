//! Random networks with random weights, packed, and what they should answer.
#![allow(dead_code, clippy::unwrap_used)]

use arbtest::arbitrary::{Result, Unstructured};
use kompakt_format::Tier;
use kompakt_graph::{Graph, Input, Node, Op, Padding, Pair, ParamRole};
use kompakt_model::{Model as Checkpoint, Numbers, Parameter};
use kompakt_pack::{InMemory, Options, reference, write};
use std::collections::BTreeMap;

pub(crate) const TIERS: [Tier; 3] = [Tier::Smallest, Tier::Stream, Tier::Direct];

/// Numbers in -1..1 from a generator that does not run dry.
pub(crate) fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// Shared weights of that density: `n_levels` levels, or numbers of their own for 0.
pub(crate) fn weight(seed: u64, shape: &[usize], density: f32, n_levels: usize) -> Parameter {
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

/// Parameters for a graph: `choose` gives density and levels for each weight.
pub(crate) fn checkpoint(
    graph: Graph,
    seed: u64,
    mut choose: impl FnMut(&str) -> (f32, usize),
) -> Checkpoint {
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
pub(crate) fn pack(model: &Checkpoint, tier: Tier) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.kompakt");
    let mut source = InMemory::new(model.clone()).unwrap();
    write(&mut source, &Options::new(tier), &path, &|_, _| {}).unwrap();
    std::fs::read(path).unwrap()
}

/// What a network should answer.
pub(crate) struct Expected {
    /// The outputs in f64, `[batch, len]` each.
    pub(crate) values: Vec<Vec<f64>>,
    /// For each output the largest sum of absolute products behind one of its elements: rounding errors are in
    /// proportion to it, also where the terms of a sum cancel and leave little.
    pub(crate) magnitudes: Vec<f64>,
}

/// The outputs for `batch` inputs, in f64, from the weights as the container has them.
pub(crate) fn expected(bytes: &[u8], inputs: &[Vec<f32>], batch: usize) -> Expected {
    let container = kompakt_format::Container::parse(bytes).unwrap();
    let graph = container.graph();
    let params: Vec<Vec<f64>> = container
        .decode()
        .unwrap()
        .iter()
        .map(|d| d.to_f32().iter().map(|&v| f64::from(v)).collect())
        .collect();
    // What is subtracted and scaled is added: |x - mean| <= |x| + |mean|.
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

/// The same graph on sizes: what subtracts adds, what divides by something above 2 multiplies.
fn graph_of_sizes(graph: &Graph) -> Graph {
    rebuilt(graph, |op| {
        if op == Op::Sub {
            Op::Add
        } else if op == Op::Div {
            Op::Mul
        } else if let Op::Scale { factor, offset } = op {
            Op::Scale { factor: factor.abs(), offset: offset.abs() }
        } else {
            op
        }
    })
}

/// The same, with nothing in place of what makes an error smaller.
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
    pub(crate) fn assert_close(&self, what: &str, output: usize, found: &[f32]) {
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

/// A chain of nodes under construction.
struct Growing<'u, 'b> {
    u: &'u mut Unstructured<'b>,
    nodes: Vec<Node>,
    /// Shape of every value so far; value 0 is the input.
    shapes: Vec<Vec<usize>>,
    n_products: usize,
}

impl Growing<'_, '_> {
    /// Adds a node if the graph takes it; says whether it did.
    fn push(&mut self, op: Op, inputs: Vec<usize>) -> bool {
        let node = Node { name: format!("n{}", self.nodes.len()), op, inputs };
        self.nodes.push(node);
        let input = Input { name: "input".into(), shape: self.shapes[0].clone() };
        let last = self.nodes.len();
        match Graph::new(vec![input], self.nodes.clone(), vec![last]) {
            Ok(graph) if graph.shape(last).iter().product::<usize>() <= 3000 => {
                self.shapes.push(graph.shape(last).to_vec());
                true
            }
            _ => {
                self.nodes.pop();
                false
            }
        }
    }

    fn pair(&mut self, range: std::ops::RangeInclusive<usize>) -> Result<Pair> {
        Ok(Pair { h: self.u.int_in_range(range.clone())?, w: self.u.int_in_range(range)? })
    }

    /// A number with few digits, so that its products are exact.
    fn number(&mut self, low: f32, high: f32) -> Result<f32> {
        Ok(low + (high - low) * self.u.int_in_range(0..=16u8)? as f32 / 16.0)
    }

    fn padding(&mut self, most: usize) -> Result<Padding> {
        let mut side = || self.u.int_in_range(0..=most);
        Ok(Padding { top: side()?, left: side()?, bottom: side()?, right: side()? })
    }

    fn step(&mut self) -> Result<()> {
        let x =
            if self.u.ratio(4, 5)? { self.nodes.len() } else { self.u.int_in_range(0..=self.nodes.len())? };
        let shape = self.shapes[x].clone();
        let like =
            |all: &[Vec<usize>]| -> Vec<usize> { (0..all.len()).filter(|&v| all[v] == shape).collect() };
        let fits = |other: &[usize]| {
            other.len() == shape.len() && other.iter().zip(&shape).all(|(&a, &b)| a == b || a == 1 || b == 1)
        };
        let others: Vec<usize> = (0..self.shapes.len()).filter(|&v| fits(&self.shapes[v])).collect();
        let (op, inputs) = match self.u.int_in_range(0..=33)? {
            0..=3 if shape.len() == 1 => (
                Op::Linear { out_features: self.u.int_in_range(1..=40)?, bias: self.u.arbitrary()? },
                vec![x],
            ),
            0..=3 if shape.len() == 3 => {
                let groups = *self.u.choose(&[1, 1, 2, shape[0]])?;
                let op = Op::Conv2d {
                    out_channels: groups * self.u.int_in_range(1..=6)?,
                    kernel: self.pair(1..=5)?,
                    stride: self.pair(1..=3)?,
                    padding: self.padding(2)?,
                    dilation: self.pair(1..=2)?,
                    groups,
                    bias: self.u.arbitrary()?,
                };
                (op, vec![x])
            }
            4 => (Op::BatchNorm { eps: 1e-5 }, vec![x]),
            5 => (Op::ScaleBias, vec![x]),
            6 => {
                let (kernel, stride, padding) = (self.pair(1..=3)?, self.pair(1..=3)?, self.padding(1)?);
                (Op::MaxPool { kernel, stride, padding, ceil_mode: self.u.arbitrary()? }, vec![x])
            }
            7 => {
                let (kernel, stride, padding) = (self.pair(1..=3)?, self.pair(1..=3)?, self.padding(1)?);
                let (ceil_mode, count_include_pad) = (self.u.arbitrary()?, self.u.arbitrary()?);
                (Op::AvgPool { kernel, stride, padding, ceil_mode, count_include_pad }, vec![x])
            }
            8 => (Op::GlobalAvgPool, vec![x]),
            9 => (Op::Relu, vec![x]),
            10 => (Op::Sigmoid, vec![x]),
            11 => (Op::Tanh, vec![x]),
            12 => (Op::Add, vec![x, *self.u.choose(&like(&self.shapes))?]),
            13 => (Op::Concat, vec![x, *self.u.choose(&like(&self.shapes))?, x]),
            14 => (Op::Flatten, vec![x]),
            15 if shape.len() == 1 && shape[0].is_multiple_of(2) => {
                (Op::Reshape { shape: vec![2, 1, shape[0] / 2] }, vec![x])
            }
            16 => {
                let start = shape.iter().map(|&d| d / 3).collect();
                let step = shape.iter().map(|_| self.u.int_in_range(1..=2)).collect::<Result<_>>()?;
                (Op::Slice { start, end: shape.clone(), step }, vec![x])
            }
            17 => {
                let mut sides =
                    || shape.iter().map(|_| self.u.int_in_range(0..=2)).collect::<Result<Vec<_>>>();
                (Op::Pad { before: sides()?, after: sides()? }, vec![x])
            }
            18 => (Op::Add, vec![x, *self.u.choose(&others)?]),
            19 => (Op::Sub, vec![x, *self.u.choose(&others)?]),
            // Products of products grow without end.
            20 if self.n_products < 2 => {
                self.n_products += 1;
                (Op::Mul, vec![x, *self.u.choose(&others)?])
            }
            21 => {
                // By what is between 2 and 3.
                let y = *self.u.choose(&others)?;
                if !self.push(Op::Sigmoid, vec![y]) {
                    return Ok(());
                }
                self.push(Op::Scale { factor: 1.0, offset: 2.0 }, vec![self.nodes.len()]);
                (Op::Div, vec![x, self.nodes.len()])
            }
            22 => (Op::Scale { factor: self.number(-2.0, 2.0)?, offset: self.number(-1.0, 1.0)? }, vec![x]),
            23 => (Op::Clip { low: self.number(-1.0, 0.0)?, high: self.number(0.0, 2.0)? }, vec![x]),
            24 => (Op::LeakyRelu { slope: self.number(0.0, 1.0)? }, vec![x]),
            25 => (Op::Prelu, vec![x]),
            26 => {
                let (slope, offset) = (self.number(0.0, 0.5)?, self.number(0.0, 1.0)?);
                (Op::HardSigmoid { slope, offset }, vec![x])
            }
            27 => (self.u.choose(&[Op::HardSwish, Op::Silu])?.clone(), vec![x]),
            28 => (self.u.choose(&[Op::Softmax, Op::LogSoftmax])?.clone(), vec![x]),
            29 => {
                let mut left: Vec<usize> = (0..shape.len()).collect();
                let mut axes = Vec::new();
                while !left.is_empty() {
                    axes.push(left.remove(self.u.choose_index(left.len())?));
                }
                (Op::Transpose { axes }, vec![x])
            }
            30 => {
                let axis = self.u.choose_index(shape.len())?;
                let n = self.u.int_in_range(1..=shape[axis] + 2)?;
                let index = |u: &mut Unstructured<'_>| u.choose_index(shape[axis]);
                let indices = (0..n).map(|_| index(self.u)).collect::<Result<_>>()?;
                (Op::Gather { axis, indices }, vec![x])
            }
            31 => {
                let step = [self.number(0.0, 2.0)?, self.number(0.0, 2.0)?];
                let offset = [self.number(-1.0, 1.0)?, self.number(-1.0, 1.0)?];
                (Op::Resize { size: self.pair(1..=9)?, step, offset }, vec![x])
            }
            32 => {
                let size = self.u.int_in_range(1..=5)?;
                let (alpha, beta) = (self.number(0.0, 1.0)?, self.number(0.0, 1.0)?);
                (Op::LocalResponseNorm { size, alpha, beta, bias: 1.0 }, vec![x])
            }
            33 => (Op::Spread { step: self.pair(1..=3)? }, vec![x]),
            _ => (Op::Relu, vec![x]),
        };
        self.push(op, inputs);
        Ok(())
    }
}

/// A random network of one input and one or two outputs.
pub(crate) fn graph(u: &mut Unstructured<'_>) -> Result<Graph> {
    let shape = if u.ratio(1, 4)? {
        vec![u.int_in_range(1..=100)?]
    } else {
        vec![u.int_in_range(1..=3)?, u.int_in_range(1..=16)?, u.int_in_range(1..=20)?]
    };
    let n = u.int_in_range(1..=12)?;
    let mut growing = Growing { u, nodes: vec![], shapes: vec![shape.clone()], n_products: 0 };
    for _ in 0..n {
        growing.step()?;
    }
    if growing.nodes.is_empty() {
        growing.push(Op::Relu, vec![0]);
    }
    let last = growing.nodes.len();
    let also = growing.u.int_in_range(1..=last)?;
    let nodes = growing.nodes;
    let outputs = if u.ratio(1, 3)? { vec![last, also] } else { vec![last] };
    Ok(Graph::new(vec![Input { name: "input".into(), shape }], nodes, outputs).unwrap())
}
