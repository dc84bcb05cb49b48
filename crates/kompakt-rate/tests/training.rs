//! Training for a size, on the embedded digits: sizes are met, runs are reproducible, and a killed run
//! resumes.
#![allow(clippy::unwrap_used)]

use kompakt_data::{Augmentation, Split, load};
use kompakt_graph::{Graph, Input, Node, Op, Padding, Pair, networks};
use kompakt_model::{Block, Model, Parameter};
use kompakt_rate::{Data, Distillation, Options, Outcome, RateError, Report, run};
use std::{collections::BTreeMap, path::PathBuf};

/// A network with random weights, of the size that the common initialisations have.
fn network(graph: Graph) -> Model {
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let mut parameters = BTreeMap::new();
    for param in graph.params() {
        let fan_in: usize = param.shape[1..].iter().product();
        let scale = if param.shape.len() > 1 { (6.0 / fan_in as f32).sqrt() } else { 0.0 };
        let values = (0..param.len()).map(|_| scale * random()).collect();
        parameters.insert(param.name.clone(), Parameter::dense(param.shape.clone(), values));
    }
    Model::new(graph, parameters).unwrap()
}

/// A residual block of eight channels between a strided convolution and a linear layer.
fn block() -> Graph {
    let conv = |stride| Op::Conv2d {
        out_channels: 8,
        kernel: Pair::square(3),
        stride: Pair::square(stride),
        padding: Padding::all(1),
        dilation: Pair::square(1),
        groups: 1,
        bias: true,
    };
    let linear = Op::Linear { out_features: 10, bias: true };
    let pool = Op::AvgPool {
        kernel: Pair::square(7),
        stride: Pair::square(7),
        padding: Padding::default(),
        ceil_mode: false,
        count_include_pad: true,
    };
    let ops = [conv(2), Op::Relu, conv(1), Op::Relu, conv(1), Op::Add, Op::Relu, pool, Op::Flatten, linear];
    let node = |(i, op): (usize, Op)| {
        let inputs = if op == Op::Add { vec![i, 2] } else { vec![i] };
        Node { name: format!("n{i}"), op, inputs }
    };
    let nodes = ops.into_iter().enumerate().map(node).collect();
    Graph::new(vec![Input { name: "input".into(), shape: vec![1, 28, 28] }], nodes, vec![10]).unwrap()
}

fn mlp() -> Model {
    network(networks::mlp(&[1, 28, 28], &[32], 10).unwrap())
}

fn options(target_bytes: u64) -> Options {
    Options {
        target_bytes,
        steps: 1500,
        batch: 64,
        learning_rate: 3e-3,
        first_density: vec![0.3],
        first_units: Vec::new(),
        block: Block::SINGLE,
        unit_bits: 0.0,
        levels: vec![6],
        level_bits: 7,
        bias_bits: 6,
        every: 50,
        regrow: 0.1,
        target_at: 0.6,
        share_from: 0.4,
        settle: (0.75, 0.93),
        distillation: Distillation { share: 0.0, temperature: 2.0 },
        seed: 1,
    }
}

fn data(teachers: &[Model], checkpoint: Option<PathBuf>) -> Data<'_> {
    Data {
        training: load("digits", Split::Train).unwrap(),
        validation: Some(load("digits", Split::Validation).unwrap()),
        augmentation: Augmentation::default(),
        copies: 1,
        teachers,
        cache: None,
        checkpoint,
    }
}

fn train(model: &mut Model, options: &Options, data: Data<'_>, tell: &mut dyn FnMut(&Report)) -> Outcome {
    run(model, options, data, &mut |_| (), tell).unwrap()
}

#[test]
fn the_size_asked_for_is_the_size_that_is_reached() {
    for target in [1200, 600] {
        let mut model = mlp();
        let outcome = train(&mut model, &options(target), data(&[], None), &mut |_| ());
        let bytes = outcome.report.bytes;
        assert!(bytes * 20 <= target * 21 && bytes * 20 >= target * 17, "{bytes} bytes for {target}");
        let error = outcome.report.validation_error.unwrap();
        assert!(error < 0.2 && error < outcome.error_before.unwrap(), "{target}: {error}");
        assert!(model.is_clustered());
        for (name, parameter) in model.in_order().filter(|(name, _)| name.ends_with("weight")) {
            let Parameter::Shared { codebook, .. } = parameter else { panic!("{name} is not shared") };
            assert!(codebook.len() <= 6);
        }
    }
}

/// Chains and networks of images; a pruned network too, whose blocks are completed.
#[test]
fn blocks_live_and_die_whole() {
    let block = Block::of_inputs(4).unwrap();
    let mut pruned = mlp();
    let weights = pruned.parameters.iter_mut().filter(|(name, _)| name.ends_with("weight"));
    for (_, weight) in weights {
        let mut values = weight.to_f32();
        values.iter_mut().enumerate().filter(|(i, _)| i % 3 > 0).for_each(|(_, value)| *value = 0.0);
        *weight = Parameter::dense(weight.shape().to_vec(), values);
    }
    let lenet = network(networks::lenet5(&[1, 28, 28], 10).unwrap());
    let residual = network(self::block());
    for (mut model, target, steps, density, error) in [
        (mlp(), 1200, 1500, 0.3, 0.2),
        (pruned, 1200, 600, 0.3, 0.3),
        (lenet, 4000, 300, 0.3, 0.4),
        (residual, 420, 600, 1.0, 0.6),
    ] {
        let options = Options { block, steps, every: 30, first_density: vec![density], ..options(target) };
        let outcome = train(&mut model, &options, data(&[], None), &mut |_| ());
        let (bytes, found) = (outcome.report.bytes, outcome.report.validation_error.unwrap());
        assert!(bytes * 20 <= target * 21 && bytes * 20 >= target * 16, "{bytes} bytes for {target}");
        assert!(found < error, "{target}: {found}");
        for (name, parameter) in model.in_order().filter(|(name, _)| name.ends_with("weight")) {
            let mask: Vec<bool> = parameter.to_f32().iter().map(|value| *value != 0.0).collect();
            assert!(block.divides(parameter.shape(), &mask), "{name} of {target}");
        }
    }
}

#[test]
fn a_convolutional_network_learns_from_a_teacher() {
    let mut model = network(networks::lenet5(&[1, 28, 28], 10).unwrap());
    let mut teacher = mlp();
    train(&mut teacher, &options(4000), data(&[], None), &mut |_| ());
    let mut options = Options { steps: 300, every: 20, ..options(4000) };
    options.distillation.share = 0.7;
    let teachers = [teacher];
    let outcome = train(&mut model, &options, data(&teachers, None), &mut |_| ());
    assert!(outcome.report.validation_error.unwrap() < 0.3, "{outcome:?}");
    assert!(outcome.error_of_teachers.unwrap() < 0.15, "{outcome:?}");
}

#[test]
fn a_residual_network_is_trained_on_any_number_of_threads() {
    let trained = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut model = network(block());
        let options = Options { steps: 600, every: 30, first_density: vec![0.9], ..options(1000) };
        let outcome = pool.install(|| train(&mut model, &options, data(&[], None), &mut |_| ()));
        (model.content_hash(), outcome)
    };
    let (hash, outcome) = trained(1);
    assert!(outcome.report.validation_error.unwrap() < 0.4, "{outcome:?}");
    assert!(outcome.report.bytes < 1050, "{outcome:?}");
    assert_eq!(hash, trained(2).0);
}

#[test]
fn the_same_seed_gives_the_same_model_on_any_number_of_threads() {
    let trained = |seed: u64, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut model = mlp();
        let options = Options { steps: 400, seed, ..options(900) };
        pool.install(|| train(&mut model, &options, data(&[], None), &mut |_| ()));
        model.content_hash()
    };
    let first = trained(1, 1);
    assert_eq!(first, trained(1, 2));
    assert_ne!(first, trained(2, 1));
}

#[test]
fn a_killed_run_goes_on_to_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let (state, copy) = (folder.path().join("state"), folder.path().join("copy"));
    let options = Options { steps: 400, ..options(900) };
    let mut whole = mlp();
    train(&mut whole, &options, data(&[], Some(state.clone())), &mut |report| {
        if report.step == 260 {
            std::fs::copy(&state, &copy).unwrap();
        }
    });
    assert!(!state.exists(), "a finished run leaves no state");
    let (mut resumed, mut steps) = (mlp(), Vec::new());
    train(&mut resumed, &options, data(&[], Some(copy.clone())), &mut |report| steps.push(report.step));
    assert_eq!(steps[0], 280);
    assert_eq!(resumed.content_hash(), whole.content_hash());

    std::fs::write(&copy, "{").unwrap();
    let broken = run(&mut mlp(), &options, data(&[], Some(copy)), &mut |_| (), &mut |_| ());
    assert!(matches!(broken, Err(RateError::Snapshot(_))));
}

#[test]
fn examples_that_were_kept_are_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { steps: 100, ..options(900) };
    let mut hashes = Vec::new();
    for round in 0..2 {
        let mut model = mlp();
        let data = Data { cache: Some(folder.path().to_path_buf()), ..data(&[], None) };
        let mut said = 0;
        run(&mut model, &options, data, &mut |_| said += 1, &mut |_| ()).unwrap();
        assert_eq!(said, 1 - round, "copies made");
        hashes.push(model.content_hash());
    }
    assert_eq!(hashes[0], hashes[1]);
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |options: Options, model: &mut Model| {
        run(model, &options, data(&[], None), &mut |_| (), &mut |_| ()).unwrap_err()
    };
    let bad = Options { batch: 60, ..options(900) };
    assert!(matches!(refused(bad, &mut mlp()), RateError::Option { .. }));
    let bad = Options { levels: vec![4, 4, 4], ..options(900) };
    assert!(matches!(refused(bad, &mut mlp()), RateError::Option { .. }));
    let bad = Options { first_units: vec![4; 3], ..options(900) };
    assert!(matches!(refused(bad, &mut network(block())), RateError::Option { .. }));
    let mut normed = network(networks::cifar_resnet(&[1, 28, 28], 1, 10).unwrap());
    assert!(matches!(refused(options(900), &mut normed), RateError::Unsupported { .. }));
    let mut wide = network(networks::mlp(&[1, 30, 30], &[8], 10).unwrap());
    assert!(matches!(refused(options(900), &mut wide), RateError::Data(_)));
}
