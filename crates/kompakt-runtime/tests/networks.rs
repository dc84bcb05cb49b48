//! Random networks of all operators, in every tier, on every instruction set, against f64.
#![allow(clippy::unwrap_used)]

use kompakt_format::Tier;
use kompakt_graph::{Graph, Input, Node, Op, networks, table::OPERATORS};
use kompakt_runtime::{Isa, Model, RuntimeError, Session, SessionOptions};
use kompakt_testing::cases::cases;
use kompakt_testing::models::{TIERS, checkpoint, expected, in_steps, pack};
use kompakt_testing::numbers;
use kompakt_testing::random_network;

/// The number of random networks.
const CASES: u32 = 90;

fn options(isa: Isa, max_batch: usize) -> SessionOptions {
    let mut options = SessionOptions::default();
    options.isa = isa;
    options.max_batch = max_batch;
    options
}

/// The smallest budget that a session runs in, from its error.
fn least_budget(model: &Model<'_>, options: &SessionOptions) -> usize {
    let mut options = options.clone();
    options.ram_budget = Some(0);
    match Session::new(model, &options) {
        Err(RuntimeError::Budget { least, .. }) => least,
        other => panic!("a budget of nothing: {other:?}"),
    }
}

#[test]
fn every_operator_every_tier_every_instruction_set() {
    cases(CASES, |u| {
        let graph = random_network::graph(u)?;
        let seed: u64 = u.arbitrary()?;
        let choices = (0..graph.params().len())
            .map(|_| Ok((*u.choose(&[0.05, 0.2, 0.6, 1.0])?, *u.choose(&[0, 2, 16, 31, 32, 100, 256])?)))
            .collect::<arbtest::arbitrary::Result<Vec<(f32, usize)>>>()?;
        let mut next = choices.into_iter();
        let model = checkpoint(graph, seed, |_| next.next().unwrap());
        let batch = u.int_in_range(1..=5)?;
        let max_batch = u.int_in_range(1..=4)?;
        let len: usize = model.graph.shape(0).iter().product();
        let x: Vec<f32> = numbers(seed ^ 99, len * batch);
        let mut reference = None;
        // Neither the tier nor the budget changes a bit.
        let mut bits: Vec<Vec<Vec<f32>>> = Isa::available().map(|_| Vec::new()).collect();
        for tier in TIERS {
            let bytes = pack(&model, tier);
            let expected = reference.get_or_insert_with(|| expected(&bytes, std::slice::from_ref(&x), batch));
            let opened = Model::from_bytes(&bytes).unwrap();
            opened.verify().unwrap();
            for (isa, bits) in Isa::available().zip(&mut bits) {
                let mut options = options(isa, max_batch);
                for budget in [None, Some(least_budget(&opened, &options))] {
                    options.ram_budget = budget;
                    let mut session = Session::new(&opened, &options).unwrap();
                    session.run_all(&[&x], batch).unwrap();
                    for i in 0..expected.values.len() {
                        let what = format!("{tier:?} {isa} budget {budget:?} {:?}", model.graph);
                        expected.assert_close(&what, i, session.output(i));
                        if bits.len() <= i {
                            bits.push(session.output(i).to_vec());
                        }
                        assert_eq!(bits[i], session.output(i), "{what}");
                    }
                    // Into the caller's memory: the same.
                    let mut given: Vec<Vec<f32>> = bits.iter().map(|y| vec![f32::NAN; y.len()]).collect();
                    let mut outputs: Vec<&mut [f32]> = given.iter_mut().map(Vec::as_mut_slice).collect();
                    session.run_all_into(&[&x], batch, &mut outputs).unwrap();
                    assert_eq!(&given, bits, "{tier:?} {isa} budget {budget:?} {:?}", model.graph);
                    assert!(session.output(0).is_empty());
                }
            }
        }
        Ok(())
    });
}

#[test]
fn random_networks_have_every_operator() {
    let found = std::cell::RefCell::new(std::collections::BTreeSet::new());
    cases(CASES, |u| {
        found.borrow_mut().extend(random_network::graph(u)?.nodes().iter().map(|n| n.op.name()));
        Ok(())
    });
    let all = OPERATORS.iter().filter(|o| o.code.is_some()).map(|o| o.name);
    assert_eq!(found.into_inner(), all.collect());
}

#[test]
fn the_papers_networks() {
    for (name, densities) in [
        ("lenet-300-100", vec![("fc1", 0.08, 64), ("fc2", 0.09, 64), ("fc3", 0.26, 64)]),
        ("lenet5", vec![("conv1", 0.66, 256), ("conv2", 0.12, 256), ("fc1", 0.08, 32), ("fc2", 0.19, 32)]),
    ] {
        let graph = networks::by_name(name, &[1, 28, 28], 10).unwrap().unwrap();
        let model = checkpoint(graph, 5, |name| {
            let &(_, density, levels) = densities.iter().find(|d| name.starts_with(d.0)).unwrap();
            (density, levels)
        });
        let x: Vec<f32> = numbers(8, 784 * 20).iter().map(|v| v.max(0.0)).collect();
        let mut results: Vec<Vec<f32>> = Vec::new();
        for tier in TIERS {
            let bytes = pack(&model, tier);
            let expected = expected(&bytes, std::slice::from_ref(&x), 20);
            let opened = Model::from_bytes(&bytes).unwrap();
            for isa in Isa::available() {
                for max_batch in [1, 16] {
                    let mut session = Session::new(&opened, &options(isa, max_batch)).unwrap();
                    let y = session.run(&x, 20).unwrap();
                    expected.assert_close(&format!("{name} {tier:?} {isa} in batches of {max_batch}"), 0, y);
                    if isa == Isa::best() && max_batch == 1 {
                        results.push(y.to_vec());
                    }
                }
            }
        }
        assert!(results.windows(2).all(|r| r[0] == r[1]), "tiers of one content give the same bits");
    }
}

/// A cache and what is joined to it along an inner dimension, as ONNX's `Concat` of another axis than the first is imported.
#[test]
fn values_are_joined_along_any_dimension() {
    let input = |name: &str, shape: [usize; 3]| Input { name: name.into(), shape: shape.to_vec() };
    let node = |name: &str, op, inputs: &[usize]| Node { name: name.into(), op, inputs: inputs.to_vec() };
    let turned = |axes: [usize; 3]| Op::Transpose { axes: axes.to_vec() };
    let nodes = vec![
        node("old", turned([1, 0, 2]), &[0]),
        node("new", turned([1, 0, 2]), &[1]),
        node("both", Op::Concat, &[2, 3]),
        node("joined", turned([1, 0, 2]), &[4]),
        node("relu", Op::Relu, &[5]),
    ];
    let graph = Graph::new(vec![input("cache", [2, 6, 4]), input("token", [2, 1, 4])], nodes, vec![5, 6]);
    let bytes = pack(&checkpoint(graph.unwrap(), 1, |_| (1.0, 0)), Tier::Direct);
    let x = [numbers(4, 5 * 48), numbers(5, 5 * 8)];
    let expected = expected(&bytes, &x, 5);
    let opened = Model::from_bytes(&bytes).unwrap();
    for max_batch in [1, 3] {
        let mut session = Session::new(&opened, &options(Isa::best(), max_batch)).unwrap();
        session.run_all(&[&x[0], &x[1]], 5).unwrap();
        (0..2).for_each(|i| expected.assert_close("joined", i, session.output(i)));
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let graph = networks::cifar_resnet(&[3, 32, 32], 1, 10).unwrap();
    let model = checkpoint(graph, 11, |_| (0.15, 16));
    let bytes = pack(&model, Tier::Direct);
    let opened = Model::from_bytes(&bytes).unwrap();
    let x = numbers(3, 3 * 32 * 32 * 3);
    for max_batch in [1, 3] {
        for small in [false, true] {
            let mut options = options(Isa::best(), max_batch);
            let mut first: Option<Vec<f32>> = None;
            for threads in [1, 2, 3, 8] {
                options.threads = threads;
                options.ram_budget = None;
                if small {
                    options.ram_budget = Some(least_budget(&opened, &options));
                }
                let mut session = Session::new(&opened, &options).unwrap();
                let y = session.run(&x, 3).unwrap();
                assert_eq!(first.get_or_insert_with(|| y.to_vec()), y, "{threads} threads");
            }
        }
    }
}

/// Levels as `compress` makes them: numbers of a step, most of them near zero. Layers that keep most weights hold them in bytes.
#[test]
fn levels_in_whole_steps() {
    for (far, near, density) in [
        (vec![], -40..=60, 0.9),
        // Few weights are far from the others; many.
        (vec![-300], -100..=140, 0.9),
        (vec![-300, -299, 250], -40..=60, 0.9),
        (vec![-4000, 4000], -40..=60, 1.0),
        (vec![], -40..=60, 0.3),
    ] {
        let graph = networks::by_name("lenet-300-100", &[1, 7, 9], 10).unwrap().unwrap();
        let mut steps: Vec<i16> = far.iter().copied().chain(near.filter(|n| *n != 0)).collect();
        steps.sort_unstable();
        let model = in_steps(checkpoint(graph, 5, |_| (density, steps.len())), &steps);
        let x = numbers(8, 63 * 3);
        for isa in Isa::available() {
            for max_batch in [1, 3] {
                let mut bits: Option<Vec<f32>> = None;
                for tier in TIERS {
                    let bytes = pack(&model, tier);
                    let expected = expected(&bytes, std::slice::from_ref(&x), 3);
                    let opened = Model::from_bytes(&bytes).unwrap();
                    for from_file in [false, true] {
                        let mut options = options(isa, max_batch);
                        (options.from_file, options.small_bytes) = (from_file, 0);
                        let mut session = Session::new(&opened, &options).unwrap();
                        let what = format!(
                            "{tier:?} {isa} {far:?} {density} in batches of {max_batch}, {from_file}"
                        );
                        expected.assert_close(&what, 0, session.run(&x, 3).unwrap());
                        let bits = bits.get_or_insert_with(|| session.output(0).to_vec());
                        assert_eq!(bits, session.output(0), "{what}");
                        let layer = &session.plan().layers[0];
                        if max_batch == 1
                            && isa.name().starts_with("avx")
                            && density > 0.5
                            && layer.form != "from the file"
                        {
                            assert_eq!(layer.form, "dense codes", "{what}");
                        }
                    }
                }
            }
        }
    }
}
