//! Random networks of all operators.
#![allow(clippy::unwrap_used)]

use arbtest::arbitrary::{Result, Unstructured};
use kompakt_graph::{
    BinaryFunction, Cell, Graph, Input, Node, Op, Padding, Pair, Reduction, UnaryFunction, Update,
};

/// A chain of nodes under construction.
struct Growing<'u, 'b> {
    u: &'u mut Unstructured<'b>,
    nodes: Vec<Node>,
    /// Shape of every value so far; value 0 is the input.
    shapes: Vec<Vec<usize>>,
    n_products: usize,
}

impl Growing<'_, '_> {
    /// Adds a node if the graph accepts it; returns whether it did.
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

    /// A value of `n` indices from 2 to 6 that no rounding changes: a constant, of numbers from 0.7 to 1.3, times 4.
    fn indices(&mut self, x: usize, n: usize) -> Result<usize> {
        self.push(Op::Constant { shape: vec![n] }, vec![x]);
        self.push(Op::Scale { factor: 4.0, offset: 0.0 }, vec![self.nodes.len()]);
        Ok(self.nodes.len())
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
        let (op, inputs) = match self.u.int_in_range(0..=44)? {
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
            // Products of products grow without bound.
            20 if self.n_products < 2 => {
                self.n_products += 1;
                (Op::Mul, vec![x, *self.u.choose(&others)?])
            }
            21 => {
                // Divides by values between 2 and 3.
                let y = *self.u.choose(&others)?;
                if !self.push(Op::Sigmoid, vec![y]) {
                    return Ok(());
                }
                self.push(Op::Scale { factor: 1.0, offset: 2.0 }, vec![self.nodes.len()]);
                (Op::Div, vec![x, self.nodes.len()])
            }
            22 => (Op::Scale { factor: self.number(-2.0, 2.0)?, offset: self.number(-1.0, 1.0)? }, vec![x]),
            23 => {
                let low = if self.u.arbitrary()? { 0.0 } else { self.number(-1.0, 0.0)? };
                (Op::Clip { low, high: self.number(0.0, 2.0)? }, vec![x])
            }
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
            34 => (Op::Unary { function: *self.u.choose(&GENTLE)? }, vec![x]),
            35 => {
                let function = *self.u.choose(&[BinaryFunction::Max, BinaryFunction::Min])?;
                (Op::Binary { function }, vec![x, *self.u.choose(&others)?])
            }
            36 => {
                let (c, y) = (*self.u.choose(&others)?, *self.u.choose(&like(&self.shapes))?);
                let offset = f32::from(self.u.arbitrary::<bool>()?);
                if !self.push(Op::Scale { factor: 0.0, offset }, vec![c]) {
                    return Ok(());
                }
                (Op::Select, vec![self.nodes.len(), x, y])
            }
            37 => {
                let all = [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min];
                let mut axes = Vec::new();
                for axis in 0..shape.len() {
                    if self.u.arbitrary()? {
                        axes.push(axis);
                    }
                }
                (Op::Reduce { function: *self.u.choose(&all)?, axes }, vec![x])
            }
            // A matrix and its transpose; a vector is made a row first.
            38 if self.n_products < 2 => {
                let mut x = x;
                if let &[n] = &shape[..] {
                    self.push(Op::Reshape { shape: vec![1, n] }, vec![x]);
                    x = self.nodes.len();
                }
                let mut axes: Vec<usize> = (0..self.shapes[x].len()).collect();
                let rank = axes.len();
                axes.swap(rank - 2, rank - 1);
                if !self.push(Op::Transpose { axes }, vec![x]) {
                    return Ok(());
                }
                self.n_products += 1;
                (Op::MatMul, vec![x, self.nodes.len()])
            }
            39 => (Op::Constant { shape }, vec![x]),
            40 => {
                let n = self.u.int_in_range(1..=5)?;
                let indices = self.indices(x, n)?;
                (Op::Embedding { rows: 6, features: self.u.int_in_range(1..=7)? }, vec![indices])
            }
            41 => {
                let n = self.u.int_in_range(1..=5)?;
                let indices = self.indices(x, n)?;
                (Op::Take { axis: self.u.choose_index(shape.len())? }, vec![x, indices])
            }
            42 => {
                let (n, m) = (shape[0], shape[1..].iter().product());
                if !self.push(Op::Reshape { shape: vec![n, m] }, vec![x]) {
                    return Ok(());
                }
                let (rows, k) = (self.nodes.len(), self.u.int_in_range(1..=3)?);
                let indices = self.indices(x, k)?;
                if !self.push(Op::Constant { shape: vec![k, m] }, vec![x]) {
                    return Ok(());
                }
                let update = *self.u.choose(&[Update::Set, Update::Add])?;
                (Op::Scatter { update }, vec![rows, indices, self.nodes.len()])
            }
            44 => {
                let cell = *self.u.choose(Cell::ALL)?;
                let (hidden, batch) = (self.u.int_in_range(1..=4)?, self.u.int_in_range(1..=2)?);
                let width = batch * hidden * cell.n_gates();
                let n: usize = shape.iter().product();
                let time = n / width;
                if time == 0 {
                    return Ok(());
                }
                // Its values do not grow: what it reads is between 0 and 1.
                self.push(Op::Sigmoid, vec![x]);
                self.push(Op::Flatten, vec![self.nodes.len()]);
                let part = Op::Slice { start: vec![0], end: vec![time * width], step: vec![1] };
                self.push(part, vec![self.nodes.len()]);
                let shape = vec![time, batch, width / batch];
                if !self.push(Op::Reshape { shape }, vec![self.nodes.len()]) {
                    return Ok(());
                }
                let gates = self.nodes.len();
                self.push(Op::Constant { shape: vec![batch, hidden] }, vec![gates]);
                let state = self.nodes.len();
                (Op::Recurrent { cell, hidden, reverse: self.u.arbitrary()? }, vec![gates, state, state])
            }
            43 => {
                let axis = self.u.choose_index(shape.len())?;
                let (k, largest) = (self.u.int_in_range(1..=shape[axis])?, self.u.arbitrary()?);
                (Op::TopK { axis, k, largest, indices: false }, vec![x])
            }
            _ => (Op::Relu, vec![x]),
        };
        self.push(op, inputs);
        Ok(())
    }
}

/// Functions whose slopes are at most 1.2, and whose values at 0 are at most 1.
const GENTLE: [UnaryFunction; 8] = [
    UnaryFunction::Abs,
    UnaryFunction::Sin,
    UnaryFunction::Cos,
    UnaryFunction::Atan,
    UnaryFunction::Asinh,
    UnaryFunction::Erf,
    UnaryFunction::Gelu,
    UnaryFunction::Softplus,
];

/// A random network of one input and one or two outputs.
pub fn graph(u: &mut Unstructured<'_>) -> Result<Graph> {
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
