//! Tests of networks of framed images: results against the reference, gradients against finite differences.

use crate::{
    lanes::{Tiled, Vectors, zero},
    layer::Probe,
    loss::{Distillation, Targets, slopes, softmax},
    net::Net,
    residual::{Gradient, Room, Stages},
};
use kompakt_graph::{Graph, Input, Node, Op, Padding, Pair};
use kompakt_model::{Model, Parameter};
use std::collections::BTreeMap;

const LABELS: [u8; 8] = [0, 1, 2, 0, 1, 2, 0, 1];

fn conv(out_channels: usize, kernel: usize, stride: usize, padding: usize) -> Op {
    grouped(out_channels, kernel, stride, padding, 1)
}

fn grouped(out_channels: usize, kernel: usize, stride: usize, padding: usize, groups: usize) -> Op {
    Op::Conv2d {
        out_channels,
        kernel: Pair::square(kernel),
        stride: Pair::square(stride),
        padding: Padding::all(padding),
        dilation: Pair::square(1),
        groups,
        bias: true,
    }
}

/// A block with a plain shortcut, one whose shortcut is cut and padded, one with a strided convolution, and a pool.
fn graph() -> Graph {
    let slice = |end: [usize; 3], step: [usize; 3]| Op::Slice {
        start: vec![0; 3],
        end: end.to_vec(),
        step: step.to_vec(),
    };
    let ops: Vec<(Op, Vec<usize>)> = vec![
        (conv(3, 3, 1, 1), vec![0]),
        (Op::Relu, vec![1]),
        (conv(4, 3, 1, 1), vec![2]),
        (Op::Relu, vec![3]),
        (conv(3, 3, 1, 1), vec![4]),
        (Op::Add, vec![5, 2]),
        (Op::Relu, vec![6]),
        (conv(5, 3, 2, 1), vec![7]),
        (slice([3, 9, 10], [1, 2, 1]), vec![7]),
        (slice([3, 5, 9], [1, 1, 2]), vec![9]),
        (Op::Pad { before: vec![1, 0, 0], after: vec![1, 0, 0] }, vec![10]),
        (Op::Add, vec![8, 11]),
        (Op::Relu, vec![12]),
        (conv(6, 3, 1, 1), vec![13]),
        (conv(6, 1, 1, 0), vec![13]),
        (Op::Add, vec![14, 15]),
        (Op::Relu, vec![16]),
        (
            Op::MaxPool {
                kernel: Pair::square(2),
                stride: Pair::square(1),
                padding: Padding::default(),
                ceil_mode: false,
            },
            vec![17],
        ),
        (Op::GlobalAvgPool, vec![18]),
        (Op::Flatten, vec![19]),
        (Op::Linear { out_features: 3, bias: true }, vec![20]),
    ];
    let nodes = ops.into_iter().enumerate();
    let nodes = nodes.map(|(i, (op, inputs))| Node { name: format!("n{i}"), op, inputs }).collect();
    Graph::new(vec![Input { name: "input".to_string(), shape: vec![2, 10, 10] }], nodes, vec![21]).unwrap()
}

/// Groups of several channels, and one for each channel: with a step of one and of two, with more rows than channels.
fn graph_of_groups() -> Graph {
    let ops: Vec<(Op, usize)> = vec![
        (conv(6, 3, 1, 1), 0),
        (Op::Relu, 1),
        (grouped(6, 3, 1, 1, 6), 2),
        (Op::Relu, 3),
        (grouped(9, 3, 2, 1, 3), 4),
        (Op::Relu, 5),
        (grouped(18, 3, 1, 1, 9), 6),
        (Op::Relu, 7),
        (conv(4, 1, 1, 0), 8),
        (Op::GlobalAvgPool, 9),
        (Op::Flatten, 10),
        (Op::Linear { out_features: 3, bias: true }, 11),
    ];
    let nodes = ops.into_iter().enumerate();
    let nodes =
        nodes.map(|(i, (op, input))| Node { name: format!("n{i}"), op, inputs: vec![input] }).collect();
    Graph::new(vec![Input { name: "input".to_string(), shape: vec![2, 10, 10] }], nodes, vec![12]).unwrap()
}

fn model() -> Model {
    model_with(1)
}

/// A model in which each third weight is missing, from `missing` on: none if it is 3 or more.
fn model_with(missing: usize) -> Model {
    of_graph(graph(), missing)
}

fn of_graph(graph: Graph, missing: usize) -> Model {
    let mut parameters = BTreeMap::new();
    for (p, param) in graph.params().iter().enumerate() {
        let value = |i: usize| {
            if (i + p) % 3 == missing { 0.0 } else { ((i * 37 + p * 11) % 29) as f32 / 40.0 - 0.33 }
        };
        let values = (0..param.len()).map(value).collect();
        parameters.insert(param.name.clone(), Parameter::dense(param.shape.clone(), values));
    }
    Model::new(graph, parameters).unwrap()
}

fn image(lane: usize) -> Vec<f32> {
    (0..1352).map(|i| ((i * 13 + lane * 29) % 31) as f32 / 31.0 - 0.3).collect()
}

#[inline(always)]
fn forward<const T: usize>(net: &Net, room: &mut Room) {
    let stages = net.stages.as_ref().unwrap();
    for lane in 0..8 {
        for (&at, x) in stages.input_at.iter().zip(image(lane)) {
            room.values[0][at as usize][0][lane] = x;
        }
    }
    stages.forward::<T>(&net.layers, room);
}

fn loss(net: &Net, room: &mut Room) -> f64 {
    forward::<8>(net, room);
    f64::from(softmax(room.scores(), &LABELS, 1.0, &mut [zero::<1>(); 3]).0)
}

#[inline(always)]
fn backward<const T: usize>(net: &Net, room: &mut Room, probes: Option<&mut [Probe]>) -> Vec<Gradient> {
    forward::<T>(net, room);
    let how = Distillation { share: 0.0, temperature: 1.0 };
    let scores = room.scores().to_vec();
    let soft = &mut [zero::<1>(); 3][..];
    slopes(
        how,
        1.0,
        &scores,
        Targets { labels: &LABELS, others: &[], own: &[] },
        None,
        (soft, room.slopes.last_mut().unwrap()),
    );
    net.stages.as_ref().unwrap().backward::<T>(&net.geometry, &net.layers, room, probes)
}

fn room(net: &Net) -> Room {
    Room::new(net.stages.as_ref().unwrap())
}

#[test]
fn scores_are_those_of_the_reference() {
    for model in [model(), of_graph(graph_of_groups(), 1)] {
        has_the_scores_of_the_reference(&model);
    }
}

fn has_the_scores_of_the_reference(model: &Model) {
    let net = Net::of_model(model).unwrap();
    let mut room = room(&net);
    forward::<8>(&net, &mut room);
    let doubles = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<f64>>();
    let named = |p: &kompakt_graph::Param| doubles(model.parameters[&p.name].to_f32());
    let parameters: Vec<Vec<f64>> = model.graph.params().iter().map(named).collect();
    for lane in 0..8 {
        let input = vec![doubles(image(lane)[..200].to_vec())];
        let wanted = &kompakt_reference::evaluate(&model.graph, input, &|i| &parameters[i])[0].data;
        for (class, wanted) in wanted.iter().enumerate() {
            let found = f64::from(room.scores()[class][0][lane]);
            assert!((found - wanted).abs() < 1e-4, "{lane} {class}: {found} {wanted}");
        }
    }
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    for model in [model(), of_graph(graph_of_groups(), 1)] {
        has_the_slopes_of_the_loss(&model);
    }
}

fn has_the_slopes_of_the_loss(model: &Model) {
    let mut net = Net::of_model(model).unwrap();
    let mut room = room(&net);
    let gradients = backward::<8>(&net, &mut room, None);
    let again = backward::<8>(&net, &mut room, None);
    assert!(gradients == again, "nothing is left over from the pass before");
    for (l, gradient_of) in gradients.iter().enumerate() {
        for i in (0..net.layers[l].len()).step_by(3) {
            let value = net.layers[l].value[i];
            let mut at = |shift: f32| {
                net.layers[l].value[i] = value + shift;
                let found = loss(&net, &mut room);
                net.layers[l].value[i] = value;
                found
            };
            let (gradient, wanted) = (f64::from(gradient_of.weight[i]), (at(1e-3) - at(-1e-3)) / 2e-3);
            assert!((gradient - wanted).abs() <= 0.03 * wanted.abs() + 0.02, "{l} {i}: {gradient} {wanted}");
        }
        for row in 0..net.layers[l].rows() {
            let value = net.layers[l].bias_value[row];
            let mut at = |shift: f32| {
                net.layers[l].bias_value[row] = value + shift;
                let found = loss(&net, &mut room);
                net.layers[l].bias_value[row] = value;
                found
            };
            let (gradient, wanted) = (f64::from(gradient_of.bias[row]), (at(1e-3) - at(-1e-3)) / 2e-3);
            assert!(
                (gradient - wanted).abs() <= 0.03 * wanted.abs() + 0.02,
                "{l} {row}: {gradient} {wanted}"
            );
        }
    }
}

#[test]
fn a_probe_agrees_with_the_gradients_of_what_is_connected() {
    for model in [model(), of_graph(graph_of_groups(), 1)] {
        has_a_probe_that_agrees(&model);
    }
}

fn has_a_probe_that_agrees(model: &Model) {
    let net = Net::of_model(model).unwrap();
    let mut room = room(&net);
    let mut probes: Vec<Probe> = net.geometry.iter().map(Probe::new).collect();
    let gradients = backward::<8>(&net, &mut room, Some(&mut probes));
    for ((layer, gradient), (geometry, probe)) in
        net.layers.iter().zip(&gradients).zip(net.geometry.iter().zip(&probes))
    {
        for (i, row) in layer.row_of().iter().enumerate() {
            let found = probe.gradient[*row as usize * geometry.cols() + layer.column[i] as usize];
            assert_eq!(found, gradient.weight[i]);
        }
    }
}

/// A pass there and back, as work for vectors; returns the scores and the gradients.
struct Pass<'a>(&'a Net, &'a mut Room);

impl Tiled for Pass<'_> {
    type Output = (Vec<[[f32; 8]; 1]>, Vec<Gradient>);

    #[inline(always)]
    fn call<const T: usize>(self) -> Self::Output {
        let gradients = backward::<T>(self.0, self.1, None);
        (self.1.scores().to_vec(), gradients)
    }
}

#[test]
fn all_vectors_give_the_same_bits() {
    // Tiles of sixteen cells, of eight and single ones, windows that move by one cell and by two.
    let ops = vec![
        conv(4, 3, 1, 1),
        Op::Relu,
        conv(6, 3, 2, 1),
        Op::Relu,
        conv(5, 3, 1, 1),
        Op::GlobalAvgPool,
        Op::Flatten,
        Op::Linear { out_features: 3, bias: true },
    ];
    let wide = Graph::chain(&[2, 26, 26], ops).unwrap();
    for model in [model(), of_graph(wide, 1), of_graph(graph_of_groups(), 1)] {
        let net = Net::of_model(&model).unwrap();
        let mut found =
            Vectors::all().map(|vectors| (vectors, vectors.run_tiled(Pass(&net, &mut room(&net)))));
        let (_, first) = found.next().unwrap();
        assert!(first.1.iter().any(|gradient| gradient.weight.iter().any(|g| *g != 0.0)));
        for (vectors, other) in found {
            assert!(first == other, "{vectors:?}");
        }
    }
}

#[test]
fn rows_that_nothing_reads_are_found_through_adds() {
    let mut net = Net::of_model(&model_with(3)).unwrap();
    let read = |net: &Net| -> Vec<Vec<bool>> {
        let stages: &Stages = net.stages.as_ref().unwrap();
        stages.rows_read(&net.geometry, &net.layers)
    };
    assert!(read(&net).concat().iter().all(|read| *read));
    // The last layer reads no more of channel 2; both layers whose sum it is lose it, and what they read stays.
    let last = net.layers.len() - 1;
    let keep: Vec<bool> = net.layers[last].column.iter().map(|c| *c != 2).collect();
    net.layers[last].rewire(&keep, &[]);
    let rows = read(&net);
    for layer in [last - 2, last - 1] {
        assert_eq!(rows[layer].iter().filter(|read| !**read).count(), 1);
        assert!(!rows[layer][2]);
    }
    assert!(rows[..last - 2].concat().iter().all(|read| *read));
}

#[test]
fn what_cannot_be_laid_out_is_refused() {
    let refused = |ops: Vec<Op>| {
        Net::of_model(&{
            let graph = Graph::chain(&[2, 8, 8], ops).unwrap();
            let zeros = |n: usize| vec![0.5f32; n];
            let parameters = graph.params().iter();
            let parameters = parameters
                .map(|p| (p.name.clone(), Parameter::dense(p.shape.clone(), zeros(p.len()))))
                .collect();
            Model::new(graph, parameters).unwrap()
        })
    };
    let linear = || Op::Linear { out_features: 3, bias: true };
    assert!(refused(vec![conv(3, 3, 1, 1), Op::Tanh, Op::Flatten, linear()]).is_err());
    assert!(refused(vec![conv(3, 3, 1, 1), Op::Flatten]).is_err());
    assert!(refused(vec![conv(3, 3, 1, 1), Op::Relu, Op::Flatten, linear()]).is_ok());
}
