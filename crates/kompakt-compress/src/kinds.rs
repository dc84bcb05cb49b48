//! What kind of numbers a network's inputs are, as far as the network tells by what it does with them.
//!
//! ```text
//! input ──► embedding, take, scatter     whole numbers below the number of rows
//!       ──► equal to a list              one of the numbers of the list (one-hot coding)
//!       ──► condition, or a huge factor  a mask of 0 and 1
//!       ──► states of a recurrent layer  numbers between -1 and 1
//!       ──► convolution over a line      sound, over a plane: a picture
//! ```

use crate::answers::{moves, unmoved};
use kompakt_graph::{BinaryFunction, Op, UnaryFunction};
use kompakt_model::{Model, Parameter};

/// The fewest numbers of a list that stand for symbols.
const FEWEST_SYMBOLS: usize = 3;
/// A factor that only turns things off.
const HUGE: f32 = 1e3;
/// The shortest sound.
const SHORTEST: usize = 64;
/// The most channels of an image that comes with the channels last, or that a linear layer takes.
pub(crate) const MOST_CHANNELS: usize = 4;

/// The kind of an input.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// Whole numbers from 0 to below this: rows of a table.
    Index(usize),
    /// Each one of these.
    Symbols(Vec<f32>),
    /// 1 for what is there, then 0.
    Mask,
    /// The state of a recurrent layer.
    State,
    /// Samples of a sound.
    Sound,
    /// A picture: `[channels, height, width]`, or the channels last.
    Picture,
    /// Numbers of whatever kind.
    Unknown,
}

/// The kind of input `input`.
pub(crate) fn kind(model: &Model, input: usize) -> Kind {
    let graph = &model.graph;
    let mut uses = Uses::default();
    let mut seen = vec![false; graph.inputs().len() + graph.nodes().len()];
    follow(model, input, 1.0, &mut seen, &mut uses);
    let shape = dims(graph.shape(input));
    if let Some(n) = uses.rows {
        return Kind::Index(n);
    }
    if let Some(symbols) = uses.symbols {
        return Kind::Symbols(symbols);
    }
    if uses.is_mask {
        return Kind::Mask;
    }
    if uses.is_state {
        return Kind::State;
    }
    let long = shape.iter().copied().max().unwrap_or(0);
    let is_line = shape.iter().product::<usize>() == long && long >= SHORTEST;
    let channels = match shape {
        [h, w, c] if *c <= MOST_CHANNELS && h > c && w > c => *c,
        [c, h, w] if *h > 1 && *w > 1 => *c,
        _ => 0,
    };
    match () {
        () if is_line && uses.is_filtered => Kind::Sound,
        () if channels > 0 && (uses.is_filtered || channels <= MOST_CHANNELS) => Kind::Picture,
        () => Kind::Unknown,
    }
}

/// A shape without the dimensions of 1 before the last three.
pub(crate) fn dims(shape: &[usize]) -> &[usize] {
    match shape {
        [1, rest @ ..] if rest.len() >= 3 => dims(rest),
        _ => shape,
    }
}

/// What is done with an input.
#[derive(Default)]
struct Uses {
    rows: Option<usize>,
    symbols: Option<Vec<f32>>,
    is_mask: bool,
    is_state: bool,
    is_filtered: bool,
}

/// Notes what reads `value`, which is the input moved and multiplied by `factor`.
fn follow(model: &Model, value: usize, factor: f32, seen: &mut [bool], uses: &mut Uses) {
    let graph = &model.graph;
    if std::mem::replace(&mut seen[value], true) {
        return;
    }
    for reader in graph.consumers(value) {
        let node = &graph.nodes()[reader];
        let is_at = |place: usize| node.inputs.get(place) == Some(&value);
        let mut on = |factor: f32| follow(model, graph.value_of(reader), factor, seen, uses);
        match &node.op {
            Op::Embedding { rows, .. } => at_most(&mut uses.rows, *rows),
            Op::Take { axis } if is_at(1) => at_most(&mut uses.rows, graph.shape(node.inputs[0])[*axis]),
            Op::Scatter { .. } if is_at(1) => at_most(&mut uses.rows, graph.shape(node.inputs[0])[0]),
            Op::Binary { function: BinaryFunction::Equal } => {
                let other = if is_at(0) { node.inputs[1] } else { node.inputs[0] };
                let list = constant(model, other);
                match list {
                    Some(list) if list.len() >= FEWEST_SYMBOLS => uses.symbols = Some(list),
                    _ => uses.is_mask = true,
                }
            }
            Op::Binary { function: BinaryFunction::And | BinaryFunction::Or | BinaryFunction::Xor }
            | Op::Unary { function: UnaryFunction::Not } => uses.is_mask = true,
            Op::Select if is_at(0) => uses.is_mask = true,
            Op::Scale { factor: more, .. } => {
                let factor = factor * more;
                uses.is_mask |= factor.abs() >= HUGE;
                follow(model, graph.value_of(reader), factor, seen, uses);
            }
            Op::Recurrent { .. } if is_at(1) || is_at(2) => uses.is_state = true,
            Op::Conv2d { kernel, .. } => uses.is_filtered |= kernel.h > 1 || kernel.w > 1,
            Op::Concat
            | Op::Pad { .. }
            | Op::ScaleBias
            | Op::BatchNorm { .. }
            | Op::Sub
            | Op::Add
            | Op::Div
            | Op::Clip { .. }
            | Op::Resize { .. }
            | Op::Unary { function: UnaryFunction::Truncate | UnaryFunction::Floor | UnaryFunction::Round } =>
            {
                on(factor);
            }
            op if moves(op) => on(factor),
            _ => continue,
        }
    }
}

fn at_most(rows: &mut Option<usize>, n: usize) {
    *rows = Some(rows.map_or(n, |rows| rows.min(n)));
}

/// The numbers of a constant value.
fn constant(model: &Model, value: usize) -> Option<Vec<f32>> {
    let graph = &model.graph;
    let node = &graph.nodes()[graph.producer(unmoved(graph, value))?];
    match node.op {
        Op::Constant { .. } => model.parameters.get(&format!("{}.value", node.name)).map(Parameter::to_f32),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kompakt_graph::{Graph, Input, Node, Padding, Pair, networks};
    use std::collections::BTreeMap;

    fn model(shapes: &[&[usize]], nodes: Vec<(Op, Vec<usize>)>) -> Model {
        let inputs = shapes.iter().enumerate();
        let inputs: Vec<Input> =
            inputs.map(|(i, s)| Input { name: format!("x{i}"), shape: s.to_vec() }).collect();
        let last = inputs.len() + nodes.len() - 1;
        let nodes = nodes.into_iter().enumerate();
        let nodes = nodes.map(|(i, (op, inputs))| Node { name: format!("n{i}"), op, inputs }).collect();
        let graph = Graph::new(inputs, nodes, vec![last]).unwrap();
        let mut parameters = BTreeMap::new();
        for p in graph.params() {
            let values = (0..p.len()).map(|i| i as f32).collect();
            parameters.insert(p.name.clone(), Parameter::dense(p.shape.clone(), values));
        }
        Model::new(graph, parameters).unwrap()
    }

    fn conv(kernel: Pair) -> Op {
        Op::Conv2d {
            out_channels: 2,
            kernel,
            stride: Pair::square(1),
            padding: Padding::default(),
            dilation: Pair::square(1),
            groups: 1,
            bias: true,
        }
    }

    #[test]
    fn what_is_done_with_an_input_tells_its_kind() {
        let table = || Op::Embedding { rows: 30, features: 4 };
        let shifted = Op::Scale { factor: 1.0, offset: 1.0 };
        let tokens = model(
            &[&[8], &[8]],
            vec![
                (shifted, vec![0]),
                (table(), vec![2]),
                (Op::Scale { factor: -1e9, offset: 1e9 }, vec![1]),
                (Op::Reshape { shape: vec![8, 1] }, vec![4]),
                (Op::Add, vec![3, 5]),
            ],
        );
        assert_eq!([kind(&tokens, 0), kind(&tokens, 1)], [Kind::Index(30), Kind::Mask]);
        let bytes = model(
            &[&[9]],
            vec![
                (Op::Reshape { shape: vec![9, 1] }, vec![0]),
                (Op::Constant { shape: vec![1, 5] }, vec![0]),
                (Op::Binary { function: BinaryFunction::Equal }, vec![1, 2]),
            ],
        );
        assert_eq!(kind(&bytes, 0), Kind::Symbols(vec![0.0, 1.0, 2.0, 3.0, 4.0]));
        let line = Op::Reshape { shape: vec![1, 1, 400] };
        let sound = model(&[&[1, 400]], vec![(line, vec![0]), (conv(Pair { h: 1, w: 9 }), vec![1])]);
        assert_eq!(kind(&sound, 0), Kind::Sound);
        let square = model(
            &[&[1, 3, 8, 8]],
            vec![(Op::Reshape { shape: vec![3, 8, 8] }, vec![0]), (conv(Pair::square(3)), vec![1])],
        );
        assert_eq!(kind(&square, 0), Kind::Picture);
        let mlp = networks::mlp(&[1, 8, 8], &[4], 3).unwrap();
        let (_, nodes, _) = mlp.into_parts();
        let ops = |nodes: Vec<Node>| nodes.into_iter().map(|n| (n.op, n.inputs)).collect::<Vec<_>>();
        assert_eq!(kind(&model(&[&[1, 8, 8]], ops(nodes)), 0), Kind::Picture);
        let table = model(&[&[16]], vec![(Op::Linear { out_features: 3, bias: true }, vec![0])]);
        assert_eq!(kind(&table, 0), Kind::Unknown);
    }
}
