//! Networks compressed without training: targets are met or missed aloud, and knowledge of the inputs helps.
#![allow(clippy::unwrap_used)]

use kompakt_compress::{CompressError, Images, Options, Scan, Target, compress, sense};
use kompakt_format::{Container, Tier};
use kompakt_graph::{BinaryFunction, Graph, Input, Node, Op, Reduction, networks};
use kompakt_model::{Model, Parameter};
use std::collections::BTreeMap;

/// Numbers between -1 and 1, always the same.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / 8_388_608.0 - 1.0
    }
    fn bell(&mut self) -> f32 {
        (0..4).map(|_| self.next()).sum::<f32>() * 0.87
    }
}

/// A network with weights of the size that training gives them.
fn model(graph: Graph) -> Model {
    let mut numbers = Numbers(7);
    let mut parameters = BTreeMap::new();
    for param in graph.params() {
        let fan_in: usize = param.shape[1..].iter().product();
        let scale = if param.shape.len() > 1 { (2.0 / fan_in as f32).sqrt() } else { 0.1 };
        let values = (0..param.len()).map(|_| scale * numbers.bell()).collect();
        parameters.insert(param.name.clone(), Parameter::dense(param.shape.clone(), values));
    }
    Model::new(graph, parameters).unwrap()
}

fn mlp() -> Model {
    model(networks::mlp(&[1, 20, 20], &[100, 50], 10).unwrap())
}

/// Images whose neighbouring pixels are correlated, as in photographs.
fn images(n: usize, len: usize) -> Images {
    Images::from_values(values_of(n, len), n, Vec::new())
}

fn values_of(n: usize, len: usize) -> Vec<f32> {
    let mut numbers = Numbers(3);
    let mut values = Vec::new();
    for _ in 0..n {
        let mut at = 0.0;
        for _ in 0..len {
            at = 0.9 * at + 0.3 * numbers.bell();
            values.push(f32::max(at, 0.0));
        }
    }
    values
}

fn options(target: Target) -> Options {
    Options { target, ..Options::new(None, None, None, Tier::Smallest) }
}

fn quiet(_: &str, _: f64) {}

/// Of a network whose units are put into another order, too: at equal bytes less is lost along a trellis. Every tier holds the same network.
#[test]
fn a_trellis_loses_less_in_as_many_bytes() {
    let (model, x) = (mlp(), images(256, 400));
    let made = |trellis: bool| {
        let options = Options { trellis, ..options(Target::Bytes(12_000)) };
        compress(&model, &options, Some(&x), None, None, &quiet).unwrap()
    };
    let (single, along) = (made(false), made(true));
    let lost = |made: &kompakt_compress::Compressed| made.outcome.difference.unwrap();
    assert!(along.outcome.met && single.outcome.met);
    assert!(lost(&along) < 0.97 * lost(&single), "{} {}", lost(&along), lost(&single));
    let follows = |bytes: &[u8]| {
        let container = Container::parse(bytes).unwrap();
        let n = container.descriptors().iter().filter(|descriptor| descriptor.trellis).count();
        (n, container.content_hash())
    };
    assert!(follows(&along.packed).0 > 0 && follows(&single.packed).0 == 0);
    for tier in [Tier::Smallest, Tier::Stream, Tier::Direct] {
        let packed = kompakt_compress::packed(&along.model, tier).unwrap();
        assert_eq!(follows(&packed), follows(&along.packed));
    }
}

#[test]
fn a_size_is_met_and_an_impossible_one_is_missed_aloud() {
    let model = mlp();
    for bytes in [30_000, 9_000] {
        let made = compress(&model, &options(Target::Bytes(bytes)), None, None, None, &quiet).unwrap();
        assert!(made.outcome.met);
        assert!(
            made.outcome.bytes <= bytes && made.outcome.bytes * 10 >= bytes * 9,
            "{}",
            made.outcome.bytes
        );
        made.model.check().unwrap();
    }
    let made = compress(&model, &options(Target::Bytes(100)), None, None, None, &quiet).unwrap();
    assert!(!made.outcome.met && made.outcome.bytes > 100);
}

/// A network that is small enough losslessly loses nothing: weights of few values, dense or as codes.
#[test]
fn a_target_that_is_met_without_loss_is_met_so() {
    let dense = mlp();
    let mut few = dense.clone();
    for (name, parameter) in &mut few.parameters {
        if name.ends_with(".weight") {
            let values = parameter.to_f32().iter().map(|w| (w * 64.0).round() / 64.0).collect();
            *parameter = Parameter::dense(parameter.shape().to_vec(), values);
        }
    }
    let seen = images(64, 400);
    let target = |bytes| options(Target::Bytes(bytes));
    let made = compress(&few, &target(40_000), Some(&seen), None, None, &quiet).unwrap();
    assert!(made.outcome.met && made.outcome.noise == 0.0 && made.outcome.bytes <= 40_000);
    assert_eq!((made.outcome.agreement, made.outcome.difference), (Some(1.0), Some(0.0)));
    for (name, parameter) in &few.parameters {
        assert_eq!(made.model.parameters[name].to_f32(), parameter.to_f32(), "{name}");
    }
    let again = compress(&made.model, &target(40_000), None, None, None, &quiet).unwrap();
    assert!(again.outcome.met && again.outcome.noise == 0.0);
    // In a smaller file something is lost; and a network of many distinct values is not stored losslessly.
    let smaller = compress(&few, &target(made.outcome.bytes / 2), None, None, None, &quiet).unwrap();
    assert!(smaller.outcome.met && smaller.outcome.noise > 0.0);
    assert!(compress(&dense, &target(40_000), None, None, None, &quiet).unwrap().outcome.noise > 0.0);
    // An error that is allowed is not made where nothing is gained by it.
    let fine = compress(&few, &options(Target::Noise(1e-5)), None, None, None, &quiet).unwrap();
    assert!(fine.outcome.noise == 0.0 && fine.outcome.met, "{}", fine.outcome.noise);
}

#[test]
fn the_error_that_is_allowed_is_used_and_not_exceeded() {
    let model = mlp();
    let seen = images(64, 400);
    let (mut sizes, mut differences) = (Vec::new(), Vec::new());
    for noise in [0.01, 0.1, 1.0] {
        let made = compress(&model, &options(Target::Noise(noise)), None, None, None, &quiet).unwrap();
        let found = made.outcome.noise;
        // Weights that compensate for the errors of those before them are themselves a little further off.
        assert!(found < 1.4 * noise && found > 0.5 * noise, "{found} where {noise} is allowed");
        sizes.push(made.outcome.bytes);
        differences.push(difference(&model, &made.model, &seen));
    }
    assert!(sizes.is_sorted_by(|a, b| a > b), "{sizes:?}");
    assert!(differences.is_sorted_by(|a, b| 3.0 * a < *b), "{differences:?}");
}

/// With images, the sensitivity from gradients is the measured effect of errors.
#[test]
fn sensitivities_are_what_errors_in_a_layer_do() {
    let model = mlp();
    let seen = images(64, 400);
    let scan = sense(&model, Some(&seen), &quiet).unwrap();
    let mut numbers = Numbers(11);
    let mut ratios = Vec::new();
    for layer in &scan.layers {
        let mut changed = model.clone();
        let Some(Parameter::Dense { values, shape, .. }) = model.parameters.get(&layer.name) else {
            panic!()
        };
        let weights = values.to_f32();
        let square: f64 = weights.iter().map(|w| f64::from(*w).powi(2)).sum();
        // Errors of equal variance everywhere, of a thousandth of the layer's energy.
        let size = (square / weights.len() as f64 * 1e-3).sqrt() as f32;
        let noisy = weights.iter().map(|w| w + size * numbers.bell()).collect();
        changed.parameters.insert(layer.name.clone(), Parameter::dense(shape.clone(), noisy));
        ratios.push(difference(&model, &changed, &seen) / 1e-3 / layer.sensitivity);
    }
    // Errors that later columns compensate count less: every layer's ratio is above 1, and they are alike.
    let (low, high) = ratios.iter().fold((f64::INFINITY, 0f64), |(l, h), r| (l.min(*r), h.max(*r)));
    assert!(low > 0.7 && high < 8.0 && high < 5.0 * low, "{ratios:?}");
}

/// With feedback between columns and corrected biases the answers are closer at the same size.
#[test]
fn knowing_the_inputs_helps() {
    let model = model(networks::mlp(&[1, 16, 16], &[64, 32], 10).unwrap());
    let seen = images(256, 256);
    let size = Target::Bytes(7_000);
    let blind = compress(&model, &options(size), None, None, None, &quiet).unwrap();
    let known = compress(&model, &options(size), Some(&seen), None, None, &quiet).unwrap();
    assert!(blind.outcome.met && known.outcome.met);
    // Measured with the blind network's weights put through the same images.
    let again =
        compress(&model, &options(Target::Bytes(1_000_000)), Some(&seen), None, None, &quiet).unwrap();
    assert!(again.outcome.difference.unwrap() < 1e-3);
    let blind_difference = difference(&model, &blind.model, &seen);
    let known_difference = known.outcome.difference.unwrap();
    assert!(known_difference < 0.7 * blind_difference, "{known_difference} {blind_difference}");
}

/// Squared difference of a plain f64 evaluation, around the mean answer.
fn difference(a: &Model, b: &Model, images: &Images) -> f64 {
    let answers = |m: &Model| -> Vec<Vec<f64>> {
        let values: Vec<Vec<f64>> = m
            .graph
            .params()
            .iter()
            .map(|p| m.parameters[&p.name].to_f32().iter().map(|&v| f64::from(v)).collect())
            .collect();
        values_of(images.n, images.len_each())
            .chunks_exact(images.len_each())
            .map(|x| {
                let x = x.iter().map(|&v| f64::from(v)).collect();
                kompakt_pack::reference::evaluate(&m.graph, vec![x], &|i| &values[i])[0].data.clone()
            })
            .collect()
    };
    let (a, b) = (answers(a), answers(b));
    let mean: Vec<f64> =
        (0..a[0].len()).map(|c| a.iter().map(|y| y[c]).sum::<f64>() / a.len() as f64).collect();
    let energy: f64 = a.iter().flat_map(|y| y.iter().zip(&mean).map(|(v, m)| (v - m).powi(2))).sum();
    let error: f64 = a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).powi(2)).sum();
    error / energy
}

#[test]
fn accuracy_is_kept_as_asked() {
    let model = model(networks::mlp(&[1, 12, 12], &[48], 10).unwrap());
    let seen = images(400, 144);
    let made = compress(&model, &options(Target::Drop(0.02)), Some(&seen), None, None, &quiet).unwrap();
    let paired = made.outcome.paired.unwrap();
    let (before, after) = (paired.share(paired.n_before), paired.share(paired.n_after));
    assert!(made.outcome.met && before == 1.0 && after >= 0.98 && paired.bound() <= 0.02, "{after}");
    // Not more accurate than it has to be.
    assert!(after < 1.0 && made.outcome.bytes < 7_000, "{after} {}", made.outcome.bytes);
    let error = compress(&model, &options(Target::Drop(0.02)), None, None, None, &quiet).unwrap_err();
    assert!(matches!(error, CompressError::NeedsImages(_)));
    let both = Options { most_bytes: Some(50), ..options(Target::Drop(0.02)) };
    assert!(!compress(&model, &both, Some(&seen), None, None, &quiet).unwrap().outcome.met);
}

#[test]
fn a_scan_is_kept_and_used_again() {
    let model = model(networks::mlp(&[1, 12, 12], &[48], 10).unwrap());
    let seen = images(64, 144);
    let scan = sense(&model, Some(&seen), &quiet).unwrap();
    let text = serde_json::to_string(&scan).unwrap();
    let scan: Scan = serde_json::from_str(&text).unwrap();
    assert!(scan.layers.iter().all(|l| l.sensitivity > 0.0) && scan.table().lines().count() == 3);
    let target = options(Target::Bytes(4_000));
    let with = compress(&model, &target, Some(&seen), None, Some(scan.clone()), &quiet).unwrap();
    let without = compress(&model, &target, Some(&seen), None, None, &quiet).unwrap();
    assert_eq!(with.model, without.model);
    assert_eq!(without.scan, Some(scan.clone()));
    let error = compress(&mlp(), &target, None, None, Some(scan), &quiet).unwrap_err();
    assert!(matches!(error, CompressError::OtherScan));
    let smaller = options(Target::Bytes(2_000));
    let error = compress(&with.model, &smaller, None, None, None, &quiet).err();
    assert!(matches!(error, Some(CompressError::WrongKind(_))));
}

#[test]
fn threads_change_nothing() {
    let model = model(networks::lenet5(&[1, 28, 28], 10).unwrap());
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| compress(&model, &options(Target::Noise(0.01)), None, None, None, &quiet).unwrap())
    };
    let (one, three) = (with(1), with(3));
    assert!(one.scan == three.scan && one.packed == three.packed);
}

/// Rows a thousandfold different, as folded batch norms leave them: the next layer undoes it, and each row
/// keeps its own precision.
#[test]
fn rows_far_apart_do_not_drown_each_other() {
    let mut model = model(networks::mlp(&[1, 12, 12], &[64], 10).unwrap());
    let Some(Parameter::Dense { values, shape, .. }) = model.parameters.get("fc1.weight") else { panic!() };
    let scale = |row: usize| 10f32.powf(-3.0 * row as f32 / 64.0);
    let weights: Vec<f32> = values.to_f32().iter().enumerate().map(|(i, w)| w * scale(i / 144)).collect();
    let changed = Parameter::dense(shape.clone(), weights.clone());
    model.parameters.insert("fc1.weight".into(), changed);
    let next = model.parameters["fc2.weight"].to_f32();
    let next = next.iter().enumerate().map(|(i, w)| w / scale(i % 64)).collect();
    model.parameters.insert("fc2.weight".into(), Parameter::dense(vec![10, 64], next));
    let bias = model.parameters["fc1.bias"].to_f32();
    let bias = bias.iter().enumerate().map(|(i, b)| b * scale(i)).collect();
    model.parameters.insert("fc1.bias".into(), Parameter::dense(vec![64], bias));
    let made = compress(&model, &options(Target::Bytes(8_000)), None, None, None, &quiet).unwrap();
    let (shared, scales) =
        (made.model.parameters["fc1.weight"].to_f32(), made.model.parameters["fc1.scale.weight"].to_f32());
    for (row, &scale) in scales.iter().enumerate() {
        let at = row * 144..(row + 1) * 144;
        let energy: f64 = weights[at.clone()].iter().map(|w| f64::from(*w).powi(2)).sum();
        let error: f64 = at.map(|i| f64::from(shared[i] * scale - weights[i]).powi(2)).sum();
        assert!(error < 0.05 * energy, "row {row}: {}", error / energy);
    }
    let scan = sense(&model, None, &quiet).unwrap();
    let again = compress(&model, &options(Target::Bytes(8_000)), None, None, Some(scan), &quiet).unwrap();
    assert_eq!(again.model, made.model);
}

/// A softmax at the end, moved or spelled out, changes nothing: what it is computed from is what counts. A layer before one that
/// is sure of its answer would seem to need no bits at all.
#[test]
fn a_final_softmax_hides_nothing() {
    let mut plain = model(networks::mlp(&[1, 12, 12], &[48], 10).unwrap());
    for (name, parameter) in &mut plain.parameters {
        let scale = if name.starts_with("fc2") { 100.0 } else { 1.0 };
        let values = parameter.to_f32().iter().map(|w| w * scale).collect();
        *parameter = Parameter::dense(parameter.shape().to_vec(), values);
    }
    let (inputs, nodes, outputs) = plain.graph.clone().into_parts();
    let with = |more: Vec<(Op, Vec<usize>)>| {
        let mut nodes = nodes.clone();
        let first = outputs[0];
        for (i, (op, from)) in more.into_iter().enumerate() {
            nodes.push(Node {
                name: format!("end{i}"),
                op,
                inputs: from.iter().map(|v| first + v).collect(),
            });
        }
        let last = inputs.len() + nodes.len() - 1;
        let graph = Graph::new(inputs.clone(), nodes, vec![last]).unwrap();
        Model::new(graph, plain.parameters.clone()).unwrap()
    };
    let moved = with(vec![
        (Op::Softmax, vec![0]),
        (Op::Reshape { shape: vec![2, 5] }, vec![1]),
        (Op::Transpose { axes: vec![1, 0] }, vec![2]),
    ]);
    let reduce = |function| Op::Reduce { function, axes: vec![0] };
    let exp = Op::Unary { function: kompakt_graph::UnaryFunction::Exp };
    let spelled = with(vec![
        (reduce(Reduction::Max), vec![0]),
        (Op::Sub, vec![0, 1]),
        (exp, vec![2]),
        (reduce(Reduction::Sum), vec![3]),
        (Op::Div, vec![3, 4]),
    ]);
    let found = |model: &Model| -> Vec<f64> {
        sense(model, None, &quiet).unwrap().layers.iter().map(|l| l.sensitivity).collect()
    };
    assert_eq!([found(&moved), found(&spelled)], [found(&plain), found(&plain)]);
}

/// Bytes are compared with a list of numbers, which stays what it is; the synthetic inputs are such bytes.
#[test]
fn one_hot_codes_survive() {
    let (len, n) = (24, 257);
    let ops = vec![
        (Op::Reshape { shape: vec![len, 1] }, vec![0]),
        (Op::Constant { shape: vec![1, n] }, vec![0]),
        (Op::Binary { function: BinaryFunction::Equal }, vec![1, 2]),
        (Op::Flatten, vec![3]),
        (Op::Linear { out_features: 8, bias: true }, vec![4]),
        (Op::Relu, vec![5]),
        (Op::Linear { out_features: 5, bias: true }, vec![6]),
        (Op::Softmax, vec![7]),
    ];
    let nodes = ops.into_iter().enumerate();
    let nodes = nodes.map(|(i, (op, inputs))| Node { name: format!("n{i}"), op, inputs }).collect();
    let graph = Graph::new(vec![Input { name: "bytes".into(), shape: vec![len] }], nodes, vec![8]).unwrap();
    let mut model = model(graph);
    let list: Vec<f32> = (0..n).map(|i| i as f32).collect();
    model.parameters.insert("n1.value".into(), Parameter::dense(vec![1, n], list.clone()));
    let made = compress(&model, &options(Target::Noise(0.005)), None, None, None, &quiet).unwrap();
    assert_eq!(made.model.parameters["n1.value"].to_f32(), list);
    let blind = made.outcome.blind.unwrap();
    assert!(blind.unknown.is_empty() && blind.difference.is_some_and(|d| d < 0.05), "{blind:?}");
}

/// Units that synthetic inputs leave idle keep their weights: real inputs may need them.
#[test]
fn an_idle_layer_is_not_thrown_away() {
    let mut model = model(networks::mlp(&[1, 12, 12], &[64, 32], 10).unwrap());
    // The first units hardly ever answer.
    model.parameters.insert("fc1.bias".into(), Parameter::dense(vec![64], vec![-1e3; 64]));
    let scan = sense(&model, None, &quiet).unwrap();
    assert!(scan.layers.iter().all(|l| l.sensitivity >= 0.05), "{:?}", scan.layers);
    let made = compress(&model, &options(Target::Noise(0.005)), None, None, None, &quiet).unwrap();
    assert!(made.layers.iter().all(|l| l.error < 0.15), "{:?}", made.layers);
    // Nothing reaches the answers: there is nothing to judge by.
    assert_eq!(made.outcome.blind.unwrap().difference, None);
}

/// Several inputs, and numbers of unknown kind.
#[test]
fn inputs_of_unknown_kind_are_named() {
    let linear = |out_features| Op::Linear { out_features, bias: true };
    let ops = [
        (linear(12), vec![0]),
        (linear(12), vec![1]),
        (Op::Add, vec![2, 3]),
        (Op::Relu, vec![4]),
        (linear(4), vec![5]),
    ];
    let nodes = ops.into_iter().enumerate();
    let nodes = nodes.map(|(i, (op, inputs))| Node { name: format!("n{i}"), op, inputs }).collect();
    let input = |name: &str, n| Input { name: name.into(), shape: vec![n] };
    let graph = Graph::new(vec![input("age", 6), input("pulse", 20)], nodes, vec![6]).unwrap();
    let made = compress(&model(graph), &options(Target::Noise(0.005)), None, None, None, &quiet).unwrap();
    let blind = made.outcome.blind.clone().unwrap();
    assert_eq!(blind.unknown, ["age", "pulse"]);
    assert!(blind.difference.is_some_and(|d| d < 0.05), "{blind:?}");
    let said = kompakt_compress::doubts(&made.outcome, Target::Noise(0.005)).unwrap();
    assert!(said.contains("\"age\", \"pulse\"") && said.contains("--data"), "{said}");
}
