//! Linear layers over the last of several dimensions, spelled as convolutions between transposes: every tier, budget,
//! instruction set and number of threads, against f64.
#![allow(clippy::unwrap_used)]

use kompakt_graph::{Graph, Input, Node, Op, Padding, Pair};
use kompakt_runtime::{Isa, Model, RuntimeError, Session, SessionOptions};
use kompakt_testing::models::{TIERS, checkpoint, expected, pack};
use kompakt_testing::numbers;

/// Layers of those features at `h` by `w` places, each with a constant and a ReLU.
fn graph([h, w]: [usize; 2], features: &[usize]) -> Graph {
    let mut nodes: Vec<Node> = Vec::new();
    let mut node = |op: Op, inputs: Vec<usize>| {
        nodes.push(Node { name: format!("n{}", nodes.len()), op, inputs });
        nodes.len()
    };
    let mut x = 0;
    for pair in features.windows(2) {
        let turned = node(Op::Transpose { axes: vec![2, 0, 1] }, vec![x]);
        let image = node(Op::Reshape { shape: vec![pair[0], h * w, 1] }, vec![turned]);
        let conv = Op::Conv2d {
            out_channels: pair[1],
            kernel: Pair::square(1),
            stride: Pair::square(1),
            padding: Padding::default(),
            dilation: Pair::square(1),
            groups: 1,
            bias: false,
        };
        let sums = node(conv, vec![image]);
        let image = node(Op::Reshape { shape: vec![pair[1], h, w] }, vec![sums]);
        let back = node(Op::Transpose { axes: vec![1, 2, 0] }, vec![image]);
        let constant = node(Op::Constant { shape: vec![1, 1, pair[1]] }, vec![0]);
        let sum = node(Op::Add, vec![back, constant]);
        x = node(Op::Relu, vec![sum]);
    }
    Graph::new(vec![Input { name: "x".into(), shape: vec![h, w, features[0]] }], nodes, vec![x]).unwrap()
}

#[test]
fn every_tier_budget_instruction_set_and_number_of_threads() {
    for (places, density, n_levels, max_batch) in [
        ([3, 5], 1.0, 16, 1),
        ([1, 37], 0.9, 31, 2),
        ([1, 37], 0.05, 16, 1),
        ([5, 9], 0.1, 200, 3),
        ([1, 1], 1.0, 0, 2),
        ([2, 4], 1.0, 0, 1),
    ] {
        let model = checkpoint(graph(places, &[24, 70, 10]), 5, |_| (density, n_levels));
        let batch = 3;
        let x = numbers(9, batch * model.graph.shape(0).iter().product::<usize>());
        for tier in TIERS {
            let bytes = pack(&model, tier);
            let expected = expected(&bytes, std::slice::from_ref(&x), batch);
            let opened = Model::from_bytes(&bytes).unwrap();
            for isa in Isa::available() {
                let mut bits: Option<Vec<f32>> = None;
                for (threads, is_small) in [(1, false), (2, false), (1, true), (2, true)] {
                    let mut options = SessionOptions::default();
                    (options.isa, options.max_batch, options.threads) = (isa, max_batch, threads);
                    if is_small {
                        options.ram_budget = Some(0);
                        let Err(RuntimeError::Budget { least, .. }) = Session::new(&opened, &options) else {
                            panic!("a budget of nothing")
                        };
                        options.ram_budget = Some(least);
                    }
                    let mut session = Session::new(&opened, &options).unwrap();
                    session.run_all(&[&x], batch).unwrap();
                    let what =
                        format!("{tier:?} {isa} {places:?} {density} {threads} threads, small {is_small}");
                    assert_eq!(session.plan().layers.len(), 2, "{what}");
                    expected.assert_close(&what, 0, session.output(0));
                    let bits = bits.get_or_insert_with(|| session.output(0).to_vec());
                    assert_eq!(bits, session.output(0), "{what}");
                }
            }
        }
    }
}
