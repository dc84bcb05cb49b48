//! Centroids in training: their gradient, and what comes out.
#![allow(clippy::unwrap_used)]

use kompakt_cluster::NumberFormat;
use kompakt_engine::{
    CentroidGradient, CrossEntropy, Engine, ExampleTable, Network, Optimizer, Schedule, TrainOptions,
    Trainable,
};
use kompakt_graph::networks;
use kompakt_model::{Model, Numbers, Parameter};
use kompakt_training::{
    Data, NoProgress, Outcome,
    finetune::{FinetuneError, Options, Select, finetune, settled},
};
use std::collections::BTreeMap;

/// Two layers of shared weights, one of them pruned, on 6 inputs and 3 classes.
fn shared() -> Model {
    let graph = networks::mlp(&[6], &[5], 3).unwrap();
    let codes = |n: usize, k: usize, mask: Option<&[bool]>| -> Vec<u8> {
        (0..n).map(|i| if mask.is_none_or(|m| m[i]) { (i * 7 % 11 % k) as u8 } else { 0 }).collect()
    };
    let mask: Vec<bool> = (0..30).map(|i| i % 3 != 1).collect();
    let parameters = BTreeMap::from([
        (
            "fc1.weight".to_string(),
            Parameter::Shared {
                shape: vec![5, 6],
                codebook: Numbers::F16(vec![0xb800, 0x3400, 0x3a00]),
                codes: codes(30, 3, Some(&mask)),
                mask: Some(mask),
            },
        ),
        (
            "fc1.bias".to_string(),
            Parameter::Dense {
                shape: vec![5],
                values: Numbers::Scaled { scale: 0.01, integers: vec![10, 5, 127, -8, 3] },
                mask: None,
            },
        ),
        (
            "fc2.weight".to_string(),
            Parameter::Shared {
                shape: vec![3, 5],
                codebook: Numbers::F32(vec![-0.7, 0.4]),
                codes: codes(15, 2, None),
                mask: None,
            },
        ),
        ("fc2.bias".to_string(), Parameter::dense(vec![3], vec![0.0, 0.1, -0.1])),
    ]);
    Model::new(graph, parameters).unwrap()
}

/// Inputs whose class is the pair of features that is largest.
fn examples() -> ExampleTable {
    let n = 60;
    let values: Vec<f32> = (0..6 * n).map(|i| ((i * i) as f32 * 0.37).sin()).collect();
    let label =
        |x: &[f32]| (0..3).max_by(|&a, &b| (x[2 * a] + x[2 * a + 1]).total_cmp(&(x[2 * b] + x[2 * b + 1])));
    let labels = values.chunks_exact(6).map(|x| label(x).unwrap()).collect();
    ExampleTable { shape: vec![6], values, labels }
}

fn options(epochs: usize, learning_rate: f32) -> Options {
    Options {
        centroid_gradient: CentroidGradient::Sum,
        select: Select::Last,
        train: TrainOptions {
            epochs,
            batch: 60,
            learning_rate,
            optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false },
            schedule: Schedule::Constant,
            ..TrainOptions::default()
        },
        threads: 1,
    }
}

fn run(model: &mut Model, options: &Options) -> Outcome {
    let examples = examples();
    let data = Data { training: &examples, validation: Some(&examples), loss: &CrossEntropy::default() };
    finetune(model, options, &data, &mut NoProgress).unwrap()
}

fn loss(model: &Model) -> f64 {
    Engine::new(&Network::from_model(model).unwrap(), 1).unwrap().evaluate(&examples()).unwrap().loss
}

fn codebook(model: &Model, name: &str) -> Vec<f32> {
    match &model.parameters[name] {
        Parameter::Shared { codebook, .. } => codebook.to_f32(),
        Parameter::Dense { .. } => panic!("{name} is dense"),
    }
}

/// Everything in f32, so that steps are not rounded away.
fn in_f32(mut model: Model) -> Model {
    for parameter in model.parameters.values_mut() {
        match parameter {
            Parameter::Dense { values: n, .. } | Parameter::Shared { codebook: n, .. } => {
                *n = Numbers::F32(n.to_f32());
            }
        }
    }
    model
}

#[test]
fn a_step_goes_against_the_gradient_measured_by_differences() {
    let before = in_f32(shared());
    let rate = 1e-2;
    let mut after = before.clone();
    run(&mut after, &options(1, rate));
    for name in ["fc1.weight", "fc2.weight"] {
        for (i, (old, new)) in codebook(&before, name).iter().zip(codebook(&after, name)).enumerate() {
            let at = |step: f32| {
                let mut moved = before.clone();
                if let Some(Parameter::Shared { codebook: Numbers::F32(v), .. }) =
                    moved.parameters.get_mut(name)
                {
                    v[i] += step;
                }
                loss(&moved)
            };
            let h = 1e-3;
            let gradient = (at(h) - at(-h)) / (2.0 * f64::from(h));
            let step = f64::from(new - old) / f64::from(rate);
            assert!(
                (step + gradient).abs() < 5e-3 * gradient.abs().max(0.1),
                "{name} {i}: {step}, {gradient}"
            );
        }
    }
}

#[test]
fn the_mean_is_the_sum_over_the_number_of_weights() {
    let before = in_f32(shared());
    let step = |centroid_gradient| {
        let mut after = before.clone();
        run(&mut after, &Options { centroid_gradient, ..options(1, 1e-2) });
        let (old, new) = (codebook(&before, "fc2.weight"), codebook(&after, "fc2.weight"));
        old.iter().zip(new).map(|(a, b)| b - a).collect::<Vec<f32>>()
    };
    let Parameter::Shared { codes, .. } = &before.parameters["fc2.weight"] else { panic!("dense") };
    for (entry, (sum, mean)) in
        step(CentroidGradient::Sum).into_iter().zip(step(CentroidGradient::Mean)).enumerate()
    {
        let n = codes.iter().filter(|&&c| usize::from(c) == entry).count() as f32;
        assert!((sum - mean * n).abs() < 1e-5, "{entry}: {sum}, {mean} of {n}");
    }
}

#[test]
fn training_learns_and_keeps_codes_masks_and_formats() {
    let before = shared();
    let mut after = before.clone();
    let outcome = run(&mut after, &options(200, 0.1));
    assert!(outcome.after.unwrap().loss < 0.9 * outcome.before.unwrap().loss, "{outcome:?}");
    assert_eq!((loss(&before), loss(&after)), (outcome.before.unwrap().loss, outcome.after.unwrap().loss));
    for (name, old) in &before.parameters {
        let new = &after.parameters[name];
        new.check(name).unwrap();
        assert_eq!(old.mask(), new.mask());
        let format = |p: &Parameter| match p {
            Parameter::Dense { values: n, .. } | Parameter::Shared { codebook: n, .. } => NumberFormat::of(n),
        };
        assert_eq!(format(old), format(new), "{name}");
    }
    assert_ne!(before.parameters["fc1.bias"], after.parameters["fc1.bias"]);
}

#[test]
fn the_best_epoch_goes_out_and_may_be_the_first() {
    // A rate so large that every epoch makes it worse.
    let before = shared();
    let mut after = before.clone();
    let mut o = options(3, 30.0);
    o.select = Select::Best;
    o.train.clip_norm = Some(1.0);
    let outcome = run(&mut after, &o);
    assert!(outcome.after.unwrap().n_errors <= outcome.before.unwrap().n_errors);
    if outcome.epoch == 0 {
        assert_eq!(after, before);
    }
}

#[test]
fn centroids_that_cross_or_meet_come_out_in_order() {
    let model = shared();
    let mut network = Network::from_model(&model).unwrap();
    if let Trainable::Shared { codebook, .. } = &mut network.parameter_mut("fc1.weight").unwrap().weights {
        *codebook = vec![0.75, -0.25, 0.75];
    }
    if let Trainable::Shared { codebook, .. } = &mut network.parameter_mut("fc2.weight").unwrap().weights {
        *codebook = vec![0.4, 0.0];
    }
    let result = settled(&model, &network).unwrap();
    assert_eq!(codebook(&result, "fc1.weight"), [-0.25, 0.75]);
    let expected = &network.effective()[0];
    assert_eq!(&result.parameters["fc1.weight"].to_f32(), expected);
    // What reached zero stays next to it, and no weight is pruned by that.
    let small = codebook(&result, "fc2.weight");
    assert!(small[0] != 0.0 && small[0].abs() < 1e-30 && small[1] == 0.4);
    assert_eq!(result.parameters["fc2.weight"].mask(), None);
}

/// A model with a layer of 6 levels whose codes follow a trellis, and one without.
fn along_a_trellis() -> Model {
    let graph = networks::mlp(&[6], &[32], 3).unwrap();
    let mask: Vec<bool> = (0..192).map(|i| i % 5 != 1).collect();
    let mut codes: Vec<u8> =
        mask.iter().enumerate().map(|(i, &kept)| u8::from(kept) * (i * 7 % 11 % 6) as u8).collect();
    kompakt_testing::trellis::follow(&mut codes, Some(&mask), 6, 6, 3);
    let codebook = Numbers::Scaled { scale: 0.125, integers: vec![-3, -2, -1, 1, 2, 3] };
    let weight = Parameter::Shared { shape: vec![32, 6], codebook, codes, mask: Some(mask) };
    let head: Vec<u8> = (0..96).map(|i| (i * 7 % 11 % 2) as u8).collect();
    let codebook = Numbers::F32(vec![-0.3, 0.2]);
    let parameters = BTreeMap::from([
        ("fc1.weight".to_string(), weight),
        ("fc1.bias".to_string(), Parameter::dense(vec![32], vec![0.0; 32])),
        (
            "fc2.weight".to_string(),
            Parameter::Shared { shape: vec![3, 32], codebook, codes: head, mask: None },
        ),
        ("fc2.bias".to_string(), Parameter::dense(vec![3], vec![0.0, 0.1, -0.1])),
    ]);
    Model::new(graph, parameters).unwrap()
}

#[test]
fn codes_follow_a_trellis_after_training_too() {
    let before = along_a_trellis();
    let parts = |model: &Model| match &model.parameters["fc1.weight"] {
        Parameter::Shared { codebook, codes, mask, .. } => (codebook.clone(), codes.clone(), mask.clone()),
        dense => panic!("{dense:?}"),
    };
    let (_, codes, mask) = parts(&before);
    assert!(kompakt_pack::follows_trellis(&before.parameters["fc1.weight"]));
    // Steps so large that centroids cross each other and zero.
    for learning_rate in [0.3, 30.0] {
        let mut options = options(4, learning_rate);
        options.train.clip_norm = Some(1.0);
        let mut after = before.clone();
        run(&mut after, &options);
        let (codebook, new_codes, new_mask) = parts(&after);
        assert_eq!((&new_codes, &new_mask), (&codes, &mask));
        let levels = codebook.to_f32();
        assert!(levels.is_sorted_by(|a, b| a < b) && levels[2] < 0.0 && levels[3] > 0.0, "{levels:?}");
        assert_ne!(levels, parts(&before).0.to_f32());
        assert!(kompakt_pack::follows_trellis(&after.parameters["fc1.weight"]));
    }
    // What is in order stays where training has put it.
    let mut network = Network::from_model(&before).unwrap();
    let centroids = [-0.41, -0.2, -0.13, 0.11, 0.29, 0.36];
    if let Trainable::Shared { codebook, .. } = &mut network.parameter_mut("fc1.weight").unwrap().weights {
        *codebook = centroids.to_vec();
    }
    let (codebook, ..) = parts(&settled(&before, &network).unwrap());
    let rounded = codebook.to_f32();
    assert!(rounded.iter().zip(centroids).all(|(r, c)| (r - c).abs() < 0.11 * 0.125), "{rounded:?}");
}

#[test]
fn a_model_without_shared_weights_is_refused() {
    let graph = networks::mlp(&[6], &[5], 3).unwrap();
    let mut model = Network::random(&graph, 1).unwrap().to_model().unwrap();
    let examples = examples();
    let data = Data { training: &examples, validation: None, loss: &CrossEntropy::default() };
    let error = finetune(&mut model, &options(1, 0.1), &data, &mut NoProgress).unwrap_err();
    assert!(matches!(error, FinetuneError::NotShared));
    assert!(error.to_string().contains("kompakt-cluster"));
}
