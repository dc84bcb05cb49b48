//! Layers over bytes multiply the integers that rule F-27 and the processor's int8 mode have.

use super::adapter::{gpu, session};
use kompakt_format::{Tier, ValueRange, ranged_values};
use kompakt_gpu::{Device, Gpu, GpuError, GpuExecutor, GpuOptions};
use kompakt_graph::{Graph, Input, Node, Op, Padding, Pair};
use kompakt_model::Model as Checkpoint;
use kompakt_pack::{InMemory, Options, write_to};
use kompakt_runtime::{Activations, Model, Session, SessionOptions};
use kompakt_testing::{
    models::{TIERS, checkpoint, pack},
    numbers,
};

const LOW: f32 = -0.7;
const HIGH: f32 = 1.3;

fn conv(channels: usize, kernel: usize, stride: usize, padding: usize, groups: usize) -> Op {
    Op::Conv2d {
        out_channels: channels,
        kernel: Pair::square(kernel),
        stride: Pair::square(stride),
        padding: Padding::all(padding),
        dilation: Pair::square(1),
        groups,
        bias: true,
    }
}

/// A chain of operators.
fn chain(shape: Vec<usize>, ops: Vec<Op>) -> Graph {
    let node = |(i, op)| Node { name: format!("n{i}"), op, inputs: vec![i] };
    let nodes: Vec<Node> = ops.into_iter().enumerate().map(node).collect();
    let last = nodes.len();
    Graph::new(vec![Input { name: "x".into(), shape }], nodes, vec![last]).unwrap()
}

fn with_ranges(model: &Checkpoint, tier: Tier) -> Vec<u8> {
    let values = ranged_values(&model.graph).into_iter();
    let mut source = InMemory::new(model.clone()).unwrap();
    source.set_ranges(values.map(|value| ValueRange { value, low: LOW, high: HIGH }).collect()).unwrap();
    let mut bytes = Vec::new();
    write_to(&mut source, &Options::new(tier), &mut bytes, &|_, _| ()).unwrap();
    bytes
}

fn int8() -> GpuOptions {
    let mut options = GpuOptions::default();
    options.activations = Activations::Int8;
    options
}

/// The numbers that bytes stand for, by rule F-27.
fn as_bytes(x: &[f32]) -> Vec<f32> {
    let step = HIGH / 255.0 - LOW / 255.0;
    let zero = (-LOW / step).round_ties_even();
    x.iter().map(|x| (((x / step).round_ties_even() + zero).clamp(0.0, 255.0) - zero) * step).collect()
}

/// The same network whose weights are the numbers that its bytes stand for.
fn with_weights_of_bytes(model: &Checkpoint) -> Vec<u8> {
    let bytes = pack(model, Tier::Direct);
    let opened = Model::from_bytes(&bytes).unwrap();
    let mut parameters = opened.parameters().unwrap();
    let mut changed = model.clone();
    for (index, param) in model.graph.params().iter().enumerate() {
        if param.role != kompakt_graph::ParamRole::Weight {
            continue;
        }
        let rows = parameters.rows(index).unwrap();
        let of = kompakt_kernels::Int8Rows::new(&rows, 1);
        let dense = rows.to_dense();
        let n_cols = rows.n_cols();
        let values = dense.iter().enumerate().map(|(i, weight)| {
            let scale = of.scales()[i / n_cols];
            (weight / scale).round_ties_even().clamp(-127.0, 127.0) * scale
        });
        let values = values.collect();
        changed
            .parameters
            .insert(param.name.clone(), kompakt_model::Parameter::dense(param.shape.clone(), values));
    }
    pack(&changed, Tier::Direct)
}

/// One layer: the integers are exact, so that answers differ by the rounding of floats alone.
fn one_layer(gpu: &Gpu, shape: &[usize], op: &Op, (density, n_levels): (f32, usize), max_batch: usize) {
    let model = checkpoint(chain(shape.to_vec(), vec![op.clone()]), 3, |_| (density, n_levels));
    let what = format!("{op:?} {density} {n_levels} {max_batch}");
    let n = 3;
    // Some are beyond the range.
    let x: Vec<f32> = numbers(4, shape.iter().product::<usize>() * n).iter().map(|v| v * 1.1 + 0.3).collect();
    let expected_bytes = with_weights_of_bytes(&model);
    let expected_model = Model::from_bytes(&expected_bytes).unwrap();
    let mut expected = Session::new(&expected_model, &SessionOptions::default()).unwrap();
    let expected = expected.run(&as_bytes(&x), n).unwrap();
    let largest = expected.iter().fold(0f32, |m, v| m.max(v.abs()));
    let bytes = with_ranges(&model, TIERS[n_levels % 3]);
    let file = Model::from_bytes(&bytes).unwrap();
    let mut on_gpu = session(gpu, &file, max_batch, &int8());
    let layer = on_gpu.plan().layers[0].clone();
    assert!(layer.form.starts_with("int8") && layer.int8_error.is_some(), "{what}: {layer:?}");
    let found = on_gpu.run(&x, n).unwrap();
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= 2e-5 * largest, "{what}: element {i} is {f}, not {e}, largest {largest}");
    }
}

#[test]
fn layers_multiply_the_integers_of_the_rule() {
    let Some(gpu) = gpu() else { return };
    let layers = [
        (vec![70], Op::Linear { out_features: 33, bias: true }),
        (vec![5, 9, 9], conv(11, 3, 1, 1, 1)),
        (vec![6, 8, 8], conv(40, 1, 2, 0, 1)),
        (vec![24, 5, 5], conv(4, 3, 1, 1, 2)),
    ];
    let without = gpu.clone().without_packed_products().without_subgroups();
    for (i, (shape, op)) in layers.iter().enumerate() {
        for (j, weights) in [(1.0, 16), (0.2, 5), (0.5, 0), (0.8, 256)].into_iter().enumerate() {
            // Every kind of weights in both batches for some layer, on both kinds of GPU.
            let max_batch = if (i + j) % 2 == 0 { 1 } else { 16 };
            one_layer(if (i / 2 + j) % 2 == 0 { &gpu } else { &without }, shape, op, weights, max_batch);
        }
    }
}

#[test]
fn networks_answer_as_on_the_processor() {
    let Some(gpu) = gpu() else { return };
    let ops = vec![
        conv(24, 3, 1, 1, 1),
        Op::BatchNorm { eps: 1e-5 },
        Op::Relu,
        conv(24, 3, 2, 1, 24),
        conv(48, 1, 1, 0, 1),
        Op::Relu,
        Op::Flatten,
        Op::Linear { out_features: 60, bias: true },
        Op::Relu,
        Op::Linear { out_features: 10, bias: false },
    ];
    let model = checkpoint(chain(vec![5, 10, 10], ops), 3, |_| (0.6, 16));
    let bytes = with_ranges(&model, Tier::Stream);
    let file = Model::from_bytes(&bytes).unwrap();
    let x: Vec<f32> = numbers(4, 2 * 500).iter().map(|v| v + 0.3).collect();
    let mut options = SessionOptions::default();
    (options.max_batch, options.activations) = (2, Activations::Int8);
    let mut on_cpu = Session::new(&file, &options).unwrap();
    let expected = on_cpu.run(&x, 2).unwrap().to_vec();
    let device: Device = format!("gpu:{}", gpu.summary().name).parse().unwrap();
    let opened = kompakt_gpu::session(&file, &options, &device, &GpuOptions::default()).unwrap();
    let mut on_gpu = opened.session;
    // The depthwise convolution stays in floats.
    let n_int8 = on_gpu.plan().layers.iter().filter(|layer| layer.int8_error.is_some()).count();
    assert_eq!(n_int8, 4);
    let found = on_gpu.run(&x, 2).unwrap();
    let error: f32 = found.iter().zip(&expected).map(|(a, b)| (a - b).powi(2)).sum();
    let energy: f32 = expected.iter().map(|a| a * a).sum();
    assert!(error <= 3e-3 * energy, "{found:?} {expected:?}");
}

#[test]
fn what_does_not_go_together_is_refused_by_name() {
    let Some(gpu) = gpu() else { return };
    let model = checkpoint(chain(vec![8], vec![Op::Linear { out_features: 4, bias: true }]), 3, |_| (1.0, 4));
    let bytes = pack(&model, Tier::Direct);
    let file = Model::from_bytes(&bytes).unwrap();
    let error = GpuExecutor::new(&gpu, &file, 1, &int8()).unwrap_err().to_string();
    assert!(error.contains("kompakt calibrate"), "{error}");
    let bytes = with_ranges(&model, Tier::Direct);
    let file = Model::from_bytes(&bytes).unwrap();
    let mut options = int8();
    options.vram_budget = Some(1 << 20);
    let error = GpuExecutor::new(&gpu, &file, 1, &options).unwrap_err();
    assert!(matches!(&error, GpuError::Unsupported(all) if all[0].contains("int8")), "{error}");
}
