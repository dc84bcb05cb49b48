//! Every function of the operators that come in many kinds, where random networks use gentle ones only.

use super::{Language, Tier, check, checkpoint, pack};
use kompakt_graph::{BinaryFunction, Cell, Graph, Input, Node, Op, Reduction, UnaryFunction, Update};

/// Factor and offset that bring numbers from -1 to 1 to where a function is defined and of moderate size.
fn domain(function: UnaryFunction) -> (f32, f32) {
    match function {
        UnaryFunction::Sqrt | UnaryFunction::Log | UnaryFunction::Acosh => (1.5, 2.75),
        UnaryFunction::Reciprocal => (1.0, 2.0),
        UnaryFunction::Tan | UnaryFunction::Atanh => (0.9, 0.0),
        UnaryFunction::Asin | UnaryFunction::Acos => (1.0, 0.0),
        UnaryFunction::Sin | UnaryFunction::Cos => (50.0, 3.0),
        _ => (4.0, 0.125),
    }
}

#[test]
fn all_functions_are_those_of_the_loader() {
    let mut nodes: Vec<Node> = Vec::new();
    let mut outputs = Vec::new();
    let mut add = |op: Op, inputs: Vec<usize>| {
        nodes.push(Node { name: format!("n{}", nodes.len()), op, inputs });
        nodes.len()
    };
    for &function in UnaryFunction::ALL {
        let (factor, offset) = domain(function);
        let x = add(Op::Scale { factor, offset }, vec![0]);
        outputs.push(add(Op::Unary { function }, vec![x]));
    }
    let square = add(Op::Reshape { shape: vec![6, 2, 4] }, vec![0]);
    // Values with many equal ones, and exponents that are integers.
    let rough = add(Op::Scale { factor: 2.0, offset: 0.0 }, vec![square]);
    let rough = add(Op::Unary { function: UnaryFunction::Round }, vec![rough]);
    let flipped = add(Op::Transpose { axes: vec![0, 2, 1] }, vec![rough]);
    let flipped = add(Op::Reshape { shape: vec![6, 2, 4] }, vec![flipped]);
    let positive = add(Op::Scale { factor: 0.5, offset: 2.0 }, vec![square]);
    for &function in BinaryFunction::ALL {
        let operands = match function {
            BinaryFunction::Pow => vec![positive, rough],
            BinaryFunction::Modulo | BinaryFunction::Remainder => vec![rough, positive],
            _ => vec![rough, flipped],
        };
        outputs.push(add(Op::Binary { function }, operands));
    }
    for &function in Reduction::ALL {
        outputs.push(add(Op::Reduce { function, axes: vec![0, 2] }, vec![rough]));
        outputs.push(add(Op::Reduce { function, axes: vec![1] }, vec![square]));
    }
    for (axis, k) in [(0, 3), (2, 4)] {
        for indices in [false, true] {
            for largest in [false, true] {
                outputs.push(add(Op::TopK { axis, k, largest, indices }, vec![rough]));
            }
        }
    }
    let indices = add(Op::Reshape { shape: vec![48] }, vec![rough]);
    let indices = add(Op::Slice { start: vec![0], end: vec![5], step: vec![1] }, vec![indices]);
    let rows = add(Op::Reshape { shape: vec![6, 8] }, vec![square]);
    let updates = add(Op::Slice { start: vec![1, 0], end: vec![6, 8], step: vec![1, 1] }, vec![rows]);
    for &update in Update::ALL {
        outputs.push(add(Op::Scatter { update }, vec![rows, indices, updates]));
    }
    outputs.push(add(Op::Take { axis: 1 }, vec![square, indices]));
    let words = add(Op::Scale { factor: 3.0, offset: 4.0 }, vec![indices]);
    for features in 1..=4 {
        outputs.push(add(Op::Embedding { rows: 9, features }, vec![words]));
    }
    let state = add(Op::Constant { shape: vec![2, 1] }, vec![0]);
    for &cell in Cell::ALL {
        let gates = cell.n_gates();
        let part = Op::Slice { start: vec![0], end: vec![48 / (2 * gates) * 2 * gates], step: vec![1] };
        let part = add(part, vec![0]);
        let input = add(Op::Reshape { shape: vec![48 / (2 * gates), 2, gates] }, vec![part]);
        for reverse in [false, true] {
            outputs.push(add(Op::Recurrent { cell, hidden: 1, reverse }, vec![input, state, state]));
        }
    }
    let input = Input { name: "input".into(), shape: vec![48] };
    let graph = Graph::new(vec![input], nodes, outputs).unwrap();
    // Weights of all forms: dense, sparse, of a codebook or of their own.
    let model = checkpoint(graph, 3, |name| {
        let dice = name.bytes().map(usize::from).sum::<usize>();
        ([1.0, 0.5, 0.1][dice % 3], [0, 3, 16][dice / 3 % 3])
    });
    for language in [Language::C, Language::Rust] {
        check(language, "all functions", &pack(&model, Tier::Direct));
    }
}
