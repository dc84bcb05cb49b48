//! The executor interface: a program and its weights, run by code outside the loader, produce the same
//! results.
#![allow(clippy::unwrap_used)]

#[path = "support/f64_executor.rs"]
mod f64_executor;

use f64_executor::F64Executor;
use kompakt_format::Tier;
use kompakt_graph::{Graph, Input, Node, Op, networks};
use kompakt_runtime::{Model, RuntimeError, Session, SessionOptions, program::Program};
use kompakt_testing::cases::cases;
use kompakt_testing::models::{TIERS, checkpoint, expected, pack};
use kompakt_testing::numbers;
use kompakt_testing::random_network::graph;
use std::path::Path;

#[test]
fn another_executor_answers_as_the_reference() {
    cases(40, |u| {
        let graph = graph(u)?;
        let seed: u64 = u.arbitrary()?;
        let model = checkpoint(graph, seed, |_| (0.5, 16));
        let batch = u.int_in_range(1..=3)?;
        let len: usize = model.graph.shape(0).iter().product();
        let x: Vec<f32> = numbers(seed ^ 99, len * batch);
        let bytes = pack(&model, *u.choose(&TIERS)?);
        let expected = expected(&bytes, std::slice::from_ref(&x), batch);
        let opened = Model::from_bytes(&bytes).unwrap();
        let executor = F64Executor::new(&opened).unwrap();
        let mut session = Session::with_executor(&opened, Box::new(executor)).unwrap();
        session.run_all(&[&x], batch).unwrap();
        for output in 0..expected.values.len() {
            expected.assert_close(&format!("{:?}", model.graph), output, session.output(output));
        }
        Ok(())
    });
}

/// All golden files: together they have all operators.
#[test]
fn another_executor_answers_as_the_loader_on_the_golden_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/good");
    let mut n_files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "kompakt") {
            continue;
        }
        let model = Model::map(&path).unwrap();
        let mut loader = Session::new(&model, &SessionOptions::default()).unwrap();
        let mut other = Session::with_executor(&model, Box::new(F64Executor::new(&model).unwrap())).unwrap();
        let inputs: Vec<Vec<f32>> =
            loader.inputs().iter().enumerate().map(|(i, port)| numbers(i as u64, port.len * 2)).collect();
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        loader.run_all(&inputs, 2).unwrap();
        other.run_all(&inputs, 2).unwrap();
        assert_eq!(loader.outputs(), other.outputs());
        // An executor that writes vectors gives them to the caller too.
        let mut given: Vec<Vec<f32>> = other.outputs().iter().map(|port| vec![0.0; port.len * 2]).collect();
        let mut outputs: Vec<&mut [f32]> = given.iter_mut().map(Vec::as_mut_slice).collect();
        let executor = Box::new(F64Executor::new(&model).unwrap());
        Session::with_executor(&model, executor).unwrap().run_all_into(&inputs, 2, &mut outputs).unwrap();
        assert!(given.iter().enumerate().all(|(i, y)| y == other.output(i)), "{}", path.display());
        for (i, port) in loader.outputs().iter().enumerate() {
            let (a, b) = (loader.output(i), other.output(i));
            let largest = b.iter().fold(0f32, |m, v| m.max(v.abs()));
            let is_near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-4 * largest || a == b;
            assert!(a.iter().zip(b).all(is_near), "{}: {}: {a:?} {b:?}", path.display(), port.name);
        }
        n_files += 1;
    }
    assert!(n_files > 10);
}

#[test]
fn the_batch_changes_from_run_to_run_and_classes_come_from_any_executor() {
    let graph = networks::by_name("lenet-300-100", &[1, 28, 28], 10).unwrap().unwrap();
    let bytes = pack(&checkpoint(graph, 3, |_| (0.2, 16)), Tier::Stream);
    let model = Model::from_bytes(&bytes).unwrap();
    let mut options = SessionOptions::default();
    options.max_batch = 4;
    let mut loader = Session::new(&model, &options).unwrap();
    let mut other = Session::with_executor(&model, Box::new(F64Executor::new(&model).unwrap())).unwrap();
    let x: Vec<f32> = numbers(5, 784 * 6).iter().map(|v| v.abs()).collect();
    for batch in [1, 4, 2, 6, 3] {
        let x = &x[..784 * batch];
        let (a, b) = (loader.predict(x, batch).unwrap(), other.predict(x, batch).unwrap());
        assert!(a.len() == 10 * batch && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{batch}");
    }
    let class = |session: &mut Session<'_>| session.classify(&x[..784], 1).unwrap()[0].class;
    assert_eq!(class(&mut loader), class(&mut other));
}

#[test]
fn outputs_keep_the_names_of_nodes_that_change_nothing() {
    let node = |name: &str, op| Node { name: name.into(), op, inputs: vec![usize::from(name == "out")] };
    let nodes = vec![node("layer", Op::Linear { out_features: 3, bias: false }), node("out", Op::Identity)];
    let input = Input { name: "in".into(), shape: vec![4] };
    let graph = Graph::new(vec![input], nodes, vec![2, 1]).unwrap();
    let program = Program::new(&graph).unwrap();
    assert_eq!(program.output_names(), ["out", "layer"]);
    assert_eq!(program.outputs()[0], program.outputs()[1]);
}

#[test]
fn sizes_that_a_network_does_not_leave_open_are_refused() {
    let bytes = pack(&checkpoint(networks::mlp(&[4], &[3], 2).unwrap(), 1, |_| (1.0, 4)), Tier::Direct);
    let model = Model::from_bytes(&bytes).unwrap();
    assert_eq!(model.program().unwrap().symbols(), ["batch"]);
    let mut options = SessionOptions::default();
    options.max_sizes = vec![("height".into(), 224)];
    match Session::new(&model, &options) {
        Err(error @ RuntimeError::Size { .. }) => assert!(error.to_string().contains("batch"), "{error}"),
        other => panic!("{other:?}"),
    }
}
