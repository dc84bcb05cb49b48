//! Guarantees of training: masks hold, shared weights stay shared, the same bits on any number of threads and after
//! a stop, batch norms that fold away.
#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use kompakt_engine::{
    Batch, CentroidGradient, CrossEntropy, Distillation, Engine, ExampleTable, Gradients, Hooks, Network,
    Optimizer, Parameterization, Random, Schedule, Step, TrainOptions, Trainable, Trainer,
};
use kompakt_graph::{Graph, Node, Op, Padding, Pair, networks};

/// Images of one bright row or column; the class is which.
fn stripes(n: usize, size: usize) -> ExampleTable {
    let mut random = Random::at(&[n as u64]);
    let mut values = Vec::new();
    let mut labels = Vec::new();
    for _ in 0..n {
        let label = random.below(2 * size);
        for y in 0..size {
            for x in 0..size {
                let bright = if label < size { y == label } else { x == label - size };
                values.push(random.between(0.0, 0.6) + if bright { 0.4 } else { 0.0 });
            }
        }
        labels.push(label);
    }
    ExampleTable { shape: vec![1, size, size], values, labels }
}

fn convolutional(batch_norm: bool) -> Graph {
    let convolution = Op::Conv2d {
        out_channels: 6,
        kernel: Pair::square(3),
        stride: Pair::square(1),
        padding: Padding::all(1),
        dilation: Pair::square(1),
        groups: 1,
        bias: !batch_norm,
    };
    let mut ops = vec![convolution];
    if batch_norm {
        ops.push(Op::BatchNorm { eps: 1e-5 });
    }
    ops.push(Op::Relu);
    ops.push(Op::MaxPool {
        kernel: Pair::square(2),
        stride: Pair::square(2),
        padding: Padding::default(),
        ceil_mode: false,
    });
    ops.push(Op::Flatten);
    ops.push(Op::Dropout { p: 0.2 });
    ops.push(Op::Linear { out_features: 16, bias: true });
    Graph::chain(&[1, 8, 8], ops).unwrap()
}

fn options() -> TrainOptions {
    TrainOptions {
        epochs: 3,
        batch: 32,
        learning_rate: 5e-3,
        clip_norm: Some(5.0),
        ..TrainOptions::default()
    }
}

fn train(network: Network, options: &TrainOptions, threads: usize) -> Network {
    let mut trainer = Trainer::new(network, options.clone(), threads).unwrap();
    let data = stripes(500, 8);
    while !trainer.is_finished() {
        trainer.epoch(&data, &CrossEntropy { label_smoothing: 0.05 }, &mut ()).unwrap();
    }
    trainer.into_network()
}

fn bits(network: &Network) -> Vec<u32> {
    network.effective().concat().iter().map(|w| w.to_bits()).collect()
}

/// Prunes every second weight of each layer.
fn prune(network: &mut Network) {
    for p in network.parameters_mut() {
        if p.name.ends_with(".weight") && p.shape.len() > 1 {
            let mask: Vec<bool> = (0..p.len()).map(|i| i % 2 == 0).collect();
            let values = p.weights.effective(p.len());
            p.weights = Trainable::Masked { values, mask };
            p.weights.hold();
        }
    }
}

#[test]
fn networks_learn() {
    for optimizer in [Optimizer::SGD, Optimizer::NESTEROV, Optimizer::ADAM, Optimizer::ADAMW] {
        let is_adam = optimizer.name().starts_with("adam");
        let learning_rate = if is_adam { 1e-2 } else { 0.1 };
        let options = TrainOptions { epochs: 20, optimizer, learning_rate, weight_decay: 1e-4, ..options() };
        for graph in
            [convolutional(false), convolutional(true), networks::mlp(&[1, 8, 8], &[32], 16).unwrap()]
        {
            let network = train(Network::random(&graph, 1).unwrap(), &options, 2);
            let error = Engine::new(&network, 2).unwrap().evaluate(&stripes(300, 8)).unwrap().error();
            assert!(error < 0.05, "{}: error {error}", optimizer.name());
        }
    }
}

#[test]
fn threads_change_nothing() {
    for graph in [convolutional(false), convolutional(true), networks::mlp(&[1, 8, 8], &[32], 16).unwrap()] {
        let network = Network::random(&graph, 3).unwrap();
        let one = train(network.clone(), &options(), 1);
        for threads in [2, 3, 4] {
            assert_eq!(bits(&one), bits(&train(network.clone(), &options(), threads)), "{threads} threads");
        }
        let evaluate = |threads| Engine::new(&one, threads).unwrap().evaluate(&stripes(700, 8)).unwrap();
        assert_eq!(evaluate(1), evaluate(2));
    }
}

#[test]
fn large_layers_do_not_depend_on_threads() {
    let graph = networks::mlp(&[1, 8, 8], &[700, 300], 16).unwrap();
    let network = Network::random(&graph, 3).unwrap();
    let options = TrainOptions { epochs: 1, batch: 200, ..options() };
    let one = train(network.clone(), &options, 1);
    assert_eq!(bits(&one), bits(&train(network.clone(), &options, 2)));
    assert_eq!(bits(&one), bits(&train(network, &options, 5)));
}

#[test]
fn seeds_change_everything() {
    let network = Network::random(&convolutional(false), 3).unwrap();
    let other = TrainOptions { seed: 9, ..options() };
    assert_ne!(bits(&train(network.clone(), &options(), 2)), bits(&train(network, &other, 2)));
}

#[test]
fn masks_hold() {
    for optimizer in [Optimizer::SGD, Optimizer::ADAMW] {
        let mut network = Network::random(&convolutional(false), 3).unwrap();
        prune(&mut network);
        let before = network.effective();
        let trained = train(network, &TrainOptions { optimizer, weight_decay: 0.01, ..options() }, 2);
        for (p, before) in trained.parameters().iter().zip(before) {
            let Some(mask) = p.weights.mask() else { continue };
            let after = p.weights.effective(p.len());
            for ((w, old), kept) in after.iter().zip(before).zip(mask) {
                assert!(*kept && *w != old || !kept && *w == 0.0, "{}", p.name);
            }
        }
    }
}

/// Prunes in the second epoch and gives everything back in the third.
struct Gradual;

impl Hooks for Gradual {
    fn before_step(&mut self, step: &Step, network: &mut Network) {
        if step.count() == step.steps_per_epoch {
            prune(network);
        }
        if step.count() == 2 * step.steps_per_epoch {
            for p in network.parameters_mut() {
                if let Trainable::Masked { mask, .. } = &mut p.weights {
                    mask.fill(true);
                }
            }
        }
    }

    fn weight_gradients(&mut self, step: &Step, network: &Network, gradients: &Gradients) {
        // Pruned weights have gradients to regrow by.
        if step.epoch == 1 {
            let p = network.parameter("fc1.weight").unwrap();
            let at = network.graph().params().iter().position(|p| p.name == "fc1.weight").unwrap();
            let pruned = p.weights.mask().unwrap().iter().zip(gradients[at].as_ref().unwrap());
            assert!(pruned.filter(|(kept, _)| !**kept).any(|(_, g)| *g != 0.0));
        }
    }
}

#[test]
fn masks_may_change_while_training() {
    let network = Network::random(&convolutional(false), 3).unwrap();
    let mut trainer = Trainer::new(network, options(), 2).unwrap();
    let data = stripes(500, 8);
    let zeros = |t: &Trainer| t.network().effective().concat().iter().filter(|w| **w == 0.0).count();
    trainer.epoch(&data, &CrossEntropy::default(), &mut Gradual).unwrap();
    assert_eq!(zeros(&trainer), 0);
    trainer.epoch(&data, &CrossEntropy::default(), &mut Gradual).unwrap();
    assert_eq!(zeros(&trainer), (54 + 96 * 16) / 2);
    trainer.epoch(&data, &CrossEntropy::default(), &mut Gradual).unwrap();
    assert_eq!(zeros(&trainer), 0);
}

/// Shares the weights of each layer among `k` values.
fn share(network: &mut Network, k: usize, gradient: CentroidGradient) {
    for p in network.parameters_mut() {
        if p.name.ends_with(".weight") {
            let values = p.weights.effective(p.len());
            let largest = values.iter().fold(0f32, |a, w| a.max(w.abs()));
            let entry = |code: usize| largest * (2.0 * (code as f32 + 0.5) / k as f32 - 1.0);
            let code = |w: &f32| (((w / largest + 1.0) / 2.0 * k as f32) as usize).min(k - 1) as u8;
            let codes = values.iter().map(code).collect();
            let codebook = (0..k).map(entry).collect();
            p.weights = Trainable::Shared { codebook, codes, mask: None, gradient };
        }
    }
}

#[test]
fn shared_weights_stay_shared_and_learn() {
    let longer = TrainOptions { epochs: 10, learning_rate: 1e-2, ..options() };
    let dense = train(Network::random(&convolutional(false), 3).unwrap(), &longer, 2);
    for (gradient, learning_rate) in [(CentroidGradient::Sum, 1e-3), (CentroidGradient::Mean, 3e-2)] {
        let mut network = dense.clone();
        share(&mut network, 8, gradient);
        let loss = |n: &Network| Engine::new(n, 1).unwrap().evaluate(&stripes(300, 8)).unwrap().loss;
        let before = loss(&network);
        let options = TrainOptions { optimizer: Optimizer::SGD, learning_rate, ..options() };
        let trained = train(network, &options, 2);
        assert!(loss(&trained) < 0.9 * before, "{gradient:?}: {before} to {}", loss(&trained));
        for p in trained.parameters().iter().filter(|p| p.name.ends_with(".weight")) {
            let mut values: Vec<u32> = p.weights.effective(p.len()).iter().map(|w| w.to_bits()).collect();
            values.sort_unstable();
            values.dedup();
            assert!(values.len() <= 8);
        }
        let model = trained.to_model().unwrap();
        assert!(model.is_clustered());
        assert_eq!(bits(&Network::from_model(&model).unwrap()), bits(&trained));
    }
}

#[test]
fn a_stopped_run_goes_on_as_if_it_had_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let data = stripes(300, 8);
    for optimizer in [Optimizer::SGD, Optimizer::ADAM] {
        for kind in 0..3 {
            let mut network = Network::random(&convolutional(kind == 2), 3).unwrap();
            match kind {
                0 => prune(&mut network),
                1 => share(&mut network, 5, CentroidGradient::Mean),
                _ => {}
            }
            let average = if kind == 1 { 0.9 } else { 0.0 };
            let options = TrainOptions { optimizer, epochs: 4, average, ..options() };
            let mut whole = Trainer::new(network.clone(), options.clone(), 1).unwrap();
            while !whole.is_finished() {
                whole.epoch(&data, &CrossEntropy::default(), &mut ()).unwrap();
            }
            // Killed after every epoch.
            let mut last = None;
            for epoch in 0..4 {
                let mut part = Trainer::new(network.clone(), options.clone(), 2).unwrap();
                if epoch > 0 {
                    part.restore(&path, "this run").unwrap();
                }
                assert_eq!(part.epochs_done(), epoch);
                part.epoch(&data, &CrossEntropy::default(), &mut ()).unwrap();
                part.save(&path, "this run").unwrap();
                last = Some(part);
            }
            let last = last.unwrap();
            assert_eq!(bits(last.network()), bits(whole.network()));
            assert_eq!(bits(&last.result()), bits(&whole.result()));
            assert_eq!(last.last_report(), whole.last_report());
        }
    }
}

/// The mean of the weights is a smoother network: with a rate at which the last weights jump about, its loss is lower.
#[test]
fn averaged_weights_jump_less() {
    let data = stripes(300, 8);
    let mut network = Network::random(&convolutional(true), 3).unwrap();
    prune(&mut network);
    let noisy = TrainOptions {
        optimizer: Optimizer::SGD,
        learning_rate: 0.2,
        schedule: Schedule::Constant,
        epochs: 6,
        batch: 8,
        ..options()
    };
    let loss = |average| {
        let mut trainer =
            Trainer::new(network.clone(), TrainOptions { average, ..noisy.clone() }, 1).unwrap();
        while !trainer.is_finished() {
            trainer.epoch(&data, &CrossEntropy::default(), &mut ()).unwrap();
        }
        let found = trainer.evaluate(&data).unwrap();
        let result = trainer.result();
        for p in result.parameters() {
            let pruned = p.weights.mask().into_iter().flatten().zip(p.weights.latent());
            assert!(pruned.into_iter().all(|(&kept, &w)| kept || w == 0.0));
        }
        assert_eq!(average == 0.0, bits(&result) == bits(trainer.network()));
        found.loss
    };
    let (last, mean) = (loss(0.0), loss(0.99));
    assert!(mean < last, "{mean} {last}");
}

#[test]
fn a_snapshot_of_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let network = Network::random(&convolutional(false), 3).unwrap();
    let trainer = Trainer::new(network.clone(), options(), 1).unwrap();
    trainer.save(&path, "a").unwrap();
    let refused = |network: &Network, options, run: &str| {
        let error = Trainer::new(network.clone(), options, 1).unwrap().restore(&path, run).unwrap_err();
        error.to_string()
    };
    assert!(refused(&network, options(), "b").contains("other options or data"));
    let other = TrainOptions { batch: 31, ..options() };
    assert!(refused(&network, other, "a").contains("other options or data"));
    let other = Network::random(&convolutional(true), 3).unwrap();
    assert!(refused(&other, options(), "a").contains("another network"));
    let bytes = std::fs::read(&path).unwrap();
    for cut in [0, 7, 100, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        assert!(refused(&network, options(), "a").contains("damaged"), "{cut}");
    }
}

#[test]
fn batch_norms_fold_away() {
    let conv = |out_channels| Op::Conv2d {
        out_channels,
        kernel: Pair::square(3),
        stride: Pair::square(1),
        padding: Padding::all(1),
        dilation: Pair::square(1),
        groups: 1,
        bias: false,
    };
    let norm = Op::BatchNorm { eps: 1e-5 };
    let ops = vec![
        conv(4),
        norm.clone(),
        Op::Relu,
        norm.clone(), // after no layer: becomes a scale and a bias
        conv(3),
        Op::Flatten,
        Op::Linear { out_features: 16, bias: true },
        norm,
    ];
    let graph = Graph::chain(&[1, 8, 8], ops).unwrap();
    let trained = train(Network::random(&graph, 5).unwrap(), &options(), 2);
    let model = trained.to_model().unwrap();
    let folded = kompakt_model::fold_batch_norm(&model).unwrap();
    let count = |graph: &Graph, name: &str| graph.nodes().iter().filter(|n| n.op.name() == name).count();
    assert_eq!(count(&folded.graph, "batch_norm"), 0);
    assert_eq!(count(&folded.graph, "scale_bias"), 1);
    assert_eq!(folded.graph.nodes().len(), graph.nodes().len() - 2);
    assert_eq!(folded.dense_parameters, model.dense_parameters);
    let data = stripes(20, 8);
    let outputs =
        |model| Engine::new(&Network::from_model(model).unwrap(), 1).unwrap().outputs(&data.values).unwrap();
    for (a, b) in outputs(&model).iter().zip(outputs(&folded)) {
        assert!((a - b).abs() < 1e-4 * (1.0 + a.abs()), "{a} {b}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let network = Network::random(&convolutional(false), 3).unwrap();
    let mut trainer = Trainer::new(network.clone(), options(), 1).unwrap();
    let loss = CrossEntropy::default();
    let mut refused = |data: &ExampleTable| trainer.epoch(data, &loss, &mut ()).unwrap_err().to_string();
    assert!(refused(&stripes(10, 9)).contains("shape"));
    let mut data = stripes(10, 8);
    data.labels[3] = 16;
    assert!(refused(&data).contains("example 3"));
    data = stripes(10, 8);
    data.values[5] = f32::NAN;
    assert!(refused(&data).contains("diverged"));
    let bad = TrainOptions { learning_rate: 0.0, ..options() };
    assert!(Trainer::new(network, bad, 1).is_err());
    // Two outputs and an image as output: both are reported.
    let (inputs, nodes, _) = convolutional(false).into_parts();
    let graph = Graph::new(inputs, nodes, vec![1, 2]).unwrap();
    let network = Network::random(&graph, 1).unwrap();
    assert!(Engine::new(&network, 1).err().unwrap().to_string().contains("2 outputs"));
}

/// Weights rounded to multiples of a step; the gradient passes straight through.
#[derive(Debug, Clone)]
struct Rounded {
    latent: Vec<f32>,
    step: f32,
}

impl Parameterization for Rounded {
    fn latent(&self) -> &[f32] {
        &self.latent
    }
    fn latent_mut(&mut self) -> &mut [f32] {
        &mut self.latent
    }
    fn effective(&self, out: &mut [f32]) {
        out.iter_mut().zip(&self.latent).for_each(|(o, w)| *o = (w / self.step).round() * self.step);
    }
    fn pull_back(&self, by_weight: &[f32], by_latent: &mut [f32]) {
        by_latent.copy_from_slice(by_weight);
    }
    fn boxed_clone(&self) -> Box<dyn Parameterization> {
        Box::new(self.clone())
    }
}

#[test]
fn quantisers_of_the_callers_train_straight_through() {
    let mut network = Network::random(&networks::mlp(&[1, 8, 8], &[32], 16).unwrap(), 1).unwrap();
    for p in network.parameters_mut().iter_mut().filter(|p| p.name.ends_with(".weight")) {
        p.weights =
            Trainable::Custom(Box::new(Rounded { latent: p.weights.effective(p.len()), step: 0.125 }));
    }
    let trained = train(network, &TrainOptions { epochs: 20, learning_rate: 1e-2, ..options() }, 2);
    for p in trained.parameters().iter().filter(|p| p.name.ends_with(".weight")) {
        assert!(p.weights.effective(p.len()).iter().all(|w| (w / 0.125).fract() == 0.0));
    }
    let error = Engine::new(&trained, 1).unwrap().evaluate(&stripes(300, 8)).unwrap().error();
    assert!(error < 0.05, "{error}");
    // Zeros go out as pruned weights.
    let model = trained.to_model().unwrap();
    assert!(model.n_nonzero() < model.dense_parameters);
}

/// `decay / 2 * |w|^2` over the layers' weights.
struct Decay(f32);

impl Hooks for Decay {
    fn penalty(&mut self, _: &Step, network: &Network, gradients: &mut Gradients) -> f64 {
        let mut value = 0.0;
        for (p, gradient) in network.parameters().iter().zip(gradients) {
            let (true, Some(gradient)) = (p.name.ends_with(".weight"), gradient) else { continue };
            for (w, g) in p.weights.latent().iter().zip(gradient) {
                value += f64::from(self.0 / 2.0 * w * w);
                *g += self.0 * w;
            }
        }
        value
    }
}

#[test]
fn a_penalty_is_a_term_of_the_loss() {
    let network = Network::random(&networks::mlp(&[1, 8, 8], &[32], 16).unwrap(), 1).unwrap();
    let plain = TrainOptions { optimizer: Optimizer::SGD, learning_rate: 0.05, clip_norm: None, ..options() };
    let decayed = TrainOptions { weight_decay: 0.02, ..plain.clone() };
    let run = |options: &TrainOptions, hooks: &mut dyn Hooks| {
        let mut trainer = Trainer::new(network.clone(), options.clone(), 1).unwrap();
        let report = trainer.epoch(&stripes(300, 8), &CrossEntropy::default(), hooks).unwrap();
        (trainer.into_network().effective().concat(), report.penalty)
    };
    let (by_penalty, value) = run(&plain, &mut Decay(0.02));
    let (by_option, _) = run(&decayed, &mut ());
    assert!(value > 0.0);
    assert!(by_penalty.iter().zip(&by_option).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn a_network_learns_from_a_teacher() {
    let longer = TrainOptions { epochs: 10, learning_rate: 1e-2, ..options() };
    let teacher = train(Network::random(&convolutional(false), 3).unwrap(), &longer, 2);
    let teacher = Engine::new(&teacher, 1).unwrap();
    let ask = |batch: &Batch<'_>| teacher.outputs(batch.inputs).unwrap();
    let loss = Distillation { labels: CrossEntropy::default(), teacher: &ask, temperature: 2.0, share: 1.0 };
    // The labels are wrong; only the teacher knows.
    let mut data = stripes(500, 8);
    data.labels.fill(0);
    let student = Network::random(&networks::mlp(&[1, 8, 8], &[48], 16).unwrap(), 1).unwrap();
    let mut trainer = Trainer::new(student, TrainOptions { epochs: 20, ..longer }, 2).unwrap();
    while !trainer.is_finished() {
        trainer.epoch(&data, &loss, &mut ()).unwrap();
    }
    assert!(trainer.evaluate(&stripes(300, 8)).unwrap().error() < 0.1);
}

#[test]
fn a_softmax_at_the_end_is_no_part_of_the_loss() {
    let mlp = networks::mlp(&[1, 8, 8], &[32], 16).unwrap();
    let (inputs, mut nodes, outputs) = mlp.clone().into_parts();
    nodes.push(Node { name: "softmax".into(), op: Op::Softmax, inputs: outputs.clone() });
    let with = Graph::new(inputs, nodes, vec![outputs[0] + 1]).unwrap();
    let one = train(Network::random(&mlp, 1).unwrap(), &options(), 1);
    let other = train(Network::random(&with, 1).unwrap(), &options(), 1);
    assert_eq!(bits(&one), bits(&other));
    let data = stripes(10, 8);
    let (one, other) = (Engine::new(&one, 1).unwrap(), Engine::new(&other, 1).unwrap());
    assert_eq!(one.evaluate(&data).unwrap(), other.evaluate(&data).unwrap());
    let sum: f32 = other.outputs(&data.values[..64]).unwrap().iter().sum();
    assert!((sum - 1.0).abs() < 1e-5);
}
