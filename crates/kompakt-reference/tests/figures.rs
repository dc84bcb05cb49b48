//! Operators against independent figures.
#![allow(clippy::unwrap_used)]

use kompakt_graph::{Graph, Op, Padding, Pair};
use kompakt_reference::evaluate;

/// PyTorch's own figures for the corners of a padded, strided, grouped convolution and an odd pool.
#[test]
fn windows_as_in_pytorch() {
    let conv = Op::Conv2d {
        out_channels: 2,
        kernel: Pair::square(3),
        stride: Pair::square(2),
        padding: Padding::all(1),
        dilation: Pair::square(1),
        groups: 2,
        bias: true,
    };
    let pool = Op::AvgPool {
        kernel: Pair::square(2),
        stride: Pair::square(2),
        padding: Padding::default(),
        ceil_mode: true,
        count_include_pad: true,
    };
    let graph = Graph::chain(&[2, 5, 5], vec![conv, pool]).unwrap();
    let x: Vec<f64> = (0..50).map(f64::from).collect();
    let weight = [1.0; 18];
    let bias = [0.5, -0.5];
    let params: [&[f64]; 2] = [&weight, &bias];
    let y = evaluate(&graph, vec![x], &|i| params[i]);
    // conv 0: [[12, 27, 24], [63, 108, 81], [72, 117, 84]] + 0.5; windows beyond the edge average what is there
    assert_eq!(y[0].shape, [2, 2, 2]);
    assert_eq!(y[0].data[..4], [53.0, 53.0, 95.0, 84.5]);
}

#[test]
fn slices_and_pads() {
    let slice = Op::Slice { start: vec![0, 1], end: vec![2, 4], step: vec![1, 2] };
    let pad = Op::Pad { before: vec![0, 1], after: vec![1, 0] };
    let graph = Graph::chain(&[2, 4], vec![slice, pad, Op::Softmax]).unwrap();
    let y = evaluate(&graph, vec![(0..8).map(f64::from).collect()], &|_| &[]);
    let e = |v: f64| v.exp();
    let total = e(1.0) + e(5.0) + 1.0;
    assert!((y[0].data[1] - e(1.0) / total).abs() < 1e-12);
    assert!((y[0].data[0] - 1.0 / 3.0).abs() < 1e-12);
}
