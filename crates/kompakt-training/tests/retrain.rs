//! Pruning while training: masks reach their target and are held, and what is left learns.
#![allow(clippy::unwrap_used)]

use kompakt_engine::{CrossEntropy, Engine, ExampleTable, Network, Optimizer, TrainOptions};
use kompakt_graph::networks;
use kompakt_model::{Block, Model, Parameter};
use kompakt_prune::{PruneError, Regrowth, Rule, Schedule, Target, remove_dead_units};
use kompakt_training::{
    Data, NoProgress, Outcome,
    retrain::{Options, RetrainError, retrain},
};

/// Inputs whose class is the largest of the first three features; the other nine are noise.
fn examples() -> ExampleTable {
    let n = 300;
    let values: Vec<f32> = (0..12 * n).map(|i| ((i * i) as f32 * 0.37).sin()).collect();
    let label = |x: &[f32]| (0..3).max_by(|&a, &b| x[a].total_cmp(&x[b])).unwrap();
    let labels = values.chunks_exact(12).map(label).collect();
    ExampleTable { shape: vec![12], values, labels }
}

fn options(target: Target, schedule: Schedule) -> Options {
    Options {
        target,
        schedule,
        block: Block::SINGLE,
        updates_per_epoch: 3,
        regrowth: None,
        train: TrainOptions {
            epochs: 30,
            batch: 20,
            learning_rate: 1e-2,
            optimizer: Optimizer::ADAM,
            ..TrainOptions::default()
        },
        threads: 1,
    }
}

fn run(options: &Options) -> (Model, Outcome) {
    let graph = networks::mlp(&[12], &[16], 3).unwrap();
    let mut model = Network::random(&graph, 1).unwrap().to_model().unwrap();
    let examples = examples();
    let data = Data { training: &examples, validation: Some(&examples), loss: &CrossEntropy::default() };
    let outcome = retrain(&mut model, options, &data, &mut NoProgress).unwrap();
    model.check().unwrap();
    (model, outcome)
}

fn n_kept(model: &Model) -> Vec<usize> {
    model.graph.weights().map(|p| model.parameters[&p.name].n_kept()).collect()
}

const SCHEDULES: [Schedule; 3] =
    [Schedule::OneShot, Schedule::Iterative { rounds: 4 }, Schedule::Gradual { ramp: 0.6 }];

#[test]
fn every_schedule_reaches_the_target_and_learns() {
    for schedule in SCHEDULES {
        let (model, outcome) = run(&options(Target::Layers(vec![0.25, 0.5]), schedule));
        assert_eq!(n_kept(&model), [48, 24], "{schedule:?}");
        let (before, after) = (outcome.before.unwrap(), outcome.after.unwrap());
        // At once, from random weights, is the hard way.
        let bound = if schedule == Schedule::OneShot { 0.3 } else { 0.1 };
        assert!(after.error() < bound && before.error() > 0.4, "{schedule:?}: {outcome:?}");
        // What is reported is what the model does.
        let measured = Engine::new(&Network::from_model(&model).unwrap(), 1).unwrap().evaluate(&examples());
        assert_eq!(measured.unwrap(), after);
    }
}

#[test]
fn an_overall_target_is_met_by_all_layers_together() {
    let target = Target::Overall { density: 0.2, rule: Rule::Lamp };
    let (model, _) = run(&options(target, SCHEDULES[2]));
    assert_eq!(n_kept(&model).iter().sum::<usize>(), (240.0f64 * 0.2).round() as usize);
}

#[test]
fn gradual_pruning_finds_the_features_that_matter() {
    let (mut model, _) = run(&options(Target::Layers(vec![0.1, 0.4]), SCHEDULES[2]));
    let Parameter::Dense { values, .. } = &model.parameters["fc1.weight"] else { panic!("shared") };
    let (mut useful, mut noise) = (0, 0);
    for (i, _) in values.to_f32().iter().enumerate().filter(|(_, v)| **v != 0.0) {
        if i % 12 < 3 { useful += 1 } else { noise += 1 }
    }
    assert!(useful > 3 * noise, "{useful} weights on features, {noise} on noise");
    let before = model.graph.n_parameters();
    assert!(!remove_dead_units(&mut model, Block::SINGLE).unwrap().is_empty());
    assert!(model.graph.n_parameters() < before);
}

#[test]
fn connections_regrow_if_asked_and_the_number_stays() {
    let target = Target::Layers(vec![0.25, 0.5]);
    let mut o = options(target, Schedule::OneShot);
    let (without, _) = run(&o);
    o.regrowth = Some(Regrowth { first: 0.3, until: 0.7 });
    let (with, outcome) = run(&o);
    assert!(outcome.after.unwrap().error() < 0.1);
    assert!(n_kept(&with).iter().zip(n_kept(&without)).all(|(a, b)| a.abs_diff(b) <= 1));
    assert_ne!(with.parameters["fc1.weight"].mask(), without.parameters["fc1.weight"].mask());
}

#[test]
fn blocks_are_held_and_regrow_whole() {
    let block = Block::of_inputs(4).unwrap();
    for regrowth in [None, Some(Regrowth { first: 0.3, until: 0.7 })] {
        let o = options(Target::Layers(vec![0.5, 0.5]), SCHEDULES[2]);
        let (model, outcome) = run(&Options { block, regrowth, ..o });
        assert_eq!(n_kept(&model), [96, 24]);
        for p in model.graph.weights() {
            assert!(block.divides(&p.shape, model.parameters[&p.name].mask().unwrap()), "{}", p.name);
        }
        assert!(outcome.after.unwrap().error() < 0.1, "{outcome:?}");
    }
}

#[test]
fn the_result_is_the_same_on_any_number_of_threads() {
    let mut o = options(Target::Layers(vec![0.25, 0.5]), SCHEDULES[2]);
    o.train.epochs = 3;
    o.regrowth = Some(Regrowth { first: 0.3, until: 0.7 });
    let (one, _) = run(&o);
    o.threads = 2;
    assert_eq!(run(&o).0, one);
}

#[test]
fn without_epochs_weights_go_at_once() {
    let mut o = options(Target::Layers(vec![0.25, 0.5]), SCHEDULES[2]);
    o.train.epochs = 0;
    let (model, outcome) = run(&o);
    assert_eq!(n_kept(&model), [48, 24]);
    assert_eq!(outcome.last, None);
}

#[test]
fn what_cannot_be_done_is_said_before_training() {
    let graph = networks::mlp(&[12], &[16], 3).unwrap();
    let mut model = Network::random(&graph, 1).unwrap().to_model().unwrap();
    let examples = examples();
    let data = Data { training: &examples, validation: None, loss: &CrossEntropy::default() };
    let mut refuse = |target, schedule| {
        retrain(&mut model, &options(target, schedule), &data, &mut NoProgress).unwrap_err()
    };
    assert!(matches!(
        refuse(Target::Layers(vec![0.5]), SCHEDULES[0]),
        RetrainError::Prune(PruneError::Count { .. })
    ));
    let schedule = Schedule::Gradual { ramp: 2.0 };
    assert!(matches!(
        refuse(Target::Layers(vec![0.5, 0.5]), schedule),
        RetrainError::Prune(PruneError::Schedule(_))
    ));
}
