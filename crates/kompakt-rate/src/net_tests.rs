//! Tests of the passes: gradients against finite differences of the loss.

use crate::{
    lanes::{Lanes, Vectors},
    layer::Probe,
    loss::{Distillation, Targets, slopes, softmax},
    net::{Net, Work},
    wiring::{Budget, narrow, rewire},
};
use kompakt_graph::{Graph, Op, Padding, Pair};
use kompakt_model::{Model, Parameter};
use std::collections::BTreeMap;

const LABELS: [u8; 8] = [0, 1, 2, 0, 1, 2, 0, 1];

/// Conv, pool, ReLU, and two linear layers, a third of the weights missing.
fn net() -> Net {
    let conv = Op::Conv2d {
        out_channels: 3,
        kernel: Pair::square(3),
        stride: Pair::square(1),
        padding: Padding::default(),
        dilation: Pair::square(1),
        groups: 1,
        bias: true,
    };
    let pool = Op::MaxPool {
        kernel: Pair::square(2),
        stride: Pair::square(2),
        padding: Padding::default(),
        ceil_mode: false,
    };
    let linear = |out_features| Op::Linear { out_features, bias: true };
    let ops = vec![conv, pool, Op::Relu, Op::Flatten, linear(7), Op::Relu, linear(3)];
    let graph = Graph::chain(&[2, 8, 8], ops).unwrap();
    let mut parameters = BTreeMap::new();
    for (p, param) in graph.params().iter().enumerate() {
        let value =
            |i: usize| if (i + p) % 3 == 1 { 0.0 } else { ((i * 37 + p * 11) % 29) as f32 / 40.0 - 0.35 };
        let values = (0..param.len()).map(value).collect();
        parameters.insert(param.name.clone(), Parameter::dense(param.shape.clone(), values));
    }
    Net::of_model(&Model::new(graph, parameters).unwrap()).unwrap()
}

fn fill(work: &mut Work<1>) {
    for (i, x) in work.values[0].iter_mut().enumerate() {
        for (l, x) in x[0].iter_mut().enumerate() {
            *x = ((i * 13 + l * 29) % 31) as f32 / 31.0;
        }
    }
}

fn loss(net: &Net, work: &mut Work<1>) -> f64 {
    fill(work);
    net.forward(work);
    let mut p = vec![[[0.0; 8]]; 3];
    f64::from(softmax(work.scores(), &LABELS, 1.0, &mut p).0)
}

fn backward(net: &mut Net, work: &mut Work<1>, probes: Option<&mut [Probe]>) {
    fill(work);
    net.forward(work);
    let how = Distillation { share: 0.0, temperature: 1.0 };
    let scores: Vec<Lanes<1>> = work.scores().to_vec();
    let (soft, last) = (&mut vec![[[0.0; 8]]; 3][..], work.slopes.last_mut().unwrap());
    slopes(how, 1.0, &scores, Targets { labels: &LABELS, others: &[], own: &[] }, None, (soft, last));
    net.backward(work, probes);
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    let mut net = net();
    let mut work = Work::new(&net);
    backward(&mut net, &mut work, None);
    for l in 0..net.layers.len() {
        for i in (0..net.layers[l].len()).step_by(5) {
            let (gradient, value) = (f64::from(net.layers[l].weight.gradient[i]), net.layers[l].value[i]);
            let mut at = |shift: f32| {
                net.layers[l].value[i] = value + shift;
                let found = loss(&net, &mut work);
                net.layers[l].value[i] = value;
                found
            };
            let wanted = (at(2e-3) - at(-2e-3)) / 4e-3;
            assert!((gradient - wanted).abs() <= 0.02 * wanted.abs() + 0.02, "{l} {i}: {gradient} {wanted}");
        }
        for row in 0..net.layers[l].rows() {
            let (gradient, value) =
                (f64::from(net.layers[l].bias.gradient[row]), net.layers[l].bias_value[row]);
            let mut at = |shift: f32| {
                net.layers[l].bias_value[row] = value + shift;
                let found = loss(&net, &mut work);
                net.layers[l].bias_value[row] = value;
                found
            };
            let wanted = (at(2e-3) - at(-2e-3)) / 4e-3;
            assert!(
                (gradient - wanted).abs() <= 0.02 * wanted.abs() + 0.02,
                "{l} {row}: {gradient} {wanted}"
            );
        }
    }
}

#[test]
fn a_probe_agrees_with_the_gradients_of_what_is_connected() {
    let mut net = net();
    let mut work = Work::new(&net);
    let mut probes: Vec<Probe> = net.geometry.iter().map(Probe::new).collect();
    backward(&mut net, &mut work, Some(&mut probes));
    for (layer, (geometry, probe)) in net.layers.iter().zip(net.geometry.iter().zip(&probes)) {
        for (i, row) in layer.row_of().iter().enumerate() {
            let found = probe.gradient[*row as usize * geometry.cols() + layer.column[i] as usize];
            assert_eq!(found, layer.weight.gradient[i]);
        }
    }
}

/// A pass over 32 examples there and back, as work for vectors.
struct Both<'a>(&'a mut Net, &'a mut Work<4>);

impl pulp::NullaryFnOnce for Both<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.0.forward(self.1);
        let scores = self.1.scores().to_vec();
        self.1.slopes.last_mut().unwrap().copy_from_slice(&scores);
        self.0.backward(self.1, None);
    }
}

#[test]
fn all_vectors_give_the_same_bits() {
    let found = Vectors::all().map(|vectors| {
        let (mut net, mut work) = (net(), Work::new(&net()));
        for (i, x) in work.values[0].iter_mut().flatten().flatten().enumerate() {
            *x = (i * 13 % 31) as f32 / 31.0;
        }
        vectors.run(Both(&mut net, &mut work));
        let gradients: Vec<Vec<f32>> = net.layers.iter().map(|l| l.weight.gradient.clone()).collect();
        (work.scores().to_vec(), gradients)
    });
    let found: Vec<_> = found.collect();
    assert!(found[0].1.iter().all(|layer| layer.iter().any(|g| *g != 0.0)));
    assert!(found.iter().all(|other| *other == found[0]));
}

fn budget(bits: f64) -> Budget {
    Budget { bits, level_bits: 2.0, unit_bits: 0.0 }
}

#[test]
fn connections_die_to_the_budget_and_come_back_where_the_loss_asks() {
    let mut net = net();
    let mut work = Work::new(&net);
    let mut probes: Vec<Probe> = net.geometry.iter().map(Probe::new).collect();
    backward(&mut net, &mut work, Some(&mut probes));
    for layer in &mut net.layers {
        layer.weight.second = layer.weight.gradient.iter().map(|g| g * g + 1e-6).collect();
    }
    let n = net.n_connections();
    let change = rewire(&mut net, budget(400.0), 8, None);
    assert!(change.n_died > 0 && net.n_connections() <= n - change.n_died);
    let lengths = crate::code_length::CodeLengths::of(&net, 2.0);
    assert!(lengths.total < 440.0, "{}", lengths.total);

    let before = net.clone();
    let change = rewire(&mut net, budget(f64::INFINITY), 8, Some((&probes, 5)));
    assert_eq!((change.n_died, change.n_grown), (0, 5));
    assert!(
        net.n_connections() <= before.n_connections() + 5 && net.n_connections() > before.n_connections()
    );
}

#[test]
fn where_units_cost_the_emptiest_go_first() {
    let left = |unit_bits: f32| {
        let mut net = net();
        // The fuller a row of the hidden layer, the smaller its weights; all others are large.
        net.layers.iter_mut().for_each(|layer| layer.weight.latent.fill(10.0));
        let layer = &mut net.layers[1];
        let keep: Vec<bool> =
            layer.row_of().iter().zip(&layer.column).map(|(row, column)| column % 8 <= *row).collect();
        layer.rewire(&keep, &[]);
        layer.weight.latent = layer.row_of().iter().map(|&row| 2.0 - 0.17 * row as f32).collect();
        net.layers.iter_mut().for_each(|layer| layer.weight.second = vec![1.0; layer.len()]);
        net.refresh();
        let bits = crate::code_length::CodeLengths::of(&net, 2.0).total - 40.0;
        rewire(&mut net, Budget { bits, level_bits: 2.0, unit_bits }, 8, None);
        net.layers[1].row(0).len()
    };
    assert!(left(0.0) > 0);
    assert_eq!(left(1000.0), 0);
}

#[test]
fn dead_units_leave_without_a_change_of_the_scores() {
    let mut net = net();
    let mut work = Work::new(&net);
    // The first hidden unit reads nothing, the second is not read.
    let keep: Vec<bool> = net.layers[1].row_of().iter().map(|r| *r != 0).collect();
    net.layers[1].rewire(&keep, &[]);
    let keep: Vec<bool> = net.layers[2].column.iter().map(|c| *c != 1).collect();
    net.layers[2].rewire(&keep, &[]);
    net.layers[1].bias_value[0] = 0.7;
    net.refresh();
    // Its output as long as it is computed.
    net.layers[1].live.insert(0, 0);
    let before = loss(&net, &mut work);
    let change = rewire(&mut net, budget(f64::INFINITY), 8, None);
    assert_eq!(change.n_died, 0);
    assert!(!net.layers[1].live.contains(&0) && !net.layers[1].live.contains(&1));
    assert!((loss(&net, &mut work) - before).abs() < 1e-4);
}

#[test]
fn a_narrow_start_keeps_the_strongest_units() {
    let mut net = net();
    let weak = |layer: &mut crate::layer::SparseLayer, row: usize| {
        let span = layer.row(row);
        layer.weight.latent[span].iter_mut().for_each(|w| *w *= 1e-3);
    };
    weak(&mut net.layers[0], 1);
    (0..4).for_each(|row| weak(&mut net.layers[1], 2 * row));
    narrow(&mut net, &[2, 3]);
    assert_eq!((&net.layers[0].live[..], &net.layers[1].live[..]), (&[0, 2][..], &[1, 3, 5][..]));
    assert_eq!(net.layers[2].live.len(), 3);
    assert!(net.layers[1].column.iter().all(|column| column / 9 != 1));
}
