//! Shapes and parameter counts against figures from the papers, and the errors of malformed graphs.

use kompakt_graph::{Graph, GraphError, Input, Node, Op, Padding, Pair, networks};

#[test]
fn known_networks_have_their_published_parameter_counts() {
    assert_eq!(networks::mlp(&[1, 28, 28], &[300, 100], 10).unwrap().n_parameters(), 266_610);
    assert_eq!(networks::lenet5(&[1, 28, 28], 10).unwrap().n_parameters(), 431_080);
    // He 2015: 0.27 M for ResNet-20; exactly, with 1x1 shortcuts and four batch-norm vectors a layer.
    let resnet = networks::cifar_resnet(&[3, 32, 32], 3, 10).unwrap();
    let weights: usize = resnet.params().iter().filter(|p| p.shape.len() > 1).map(|p| p.len()).sum();
    assert_eq!(weights, 432 + 6 * 2304 + 4608 + 5 * 9216 + 512 + 18432 + 5 * 36864 + 2048 + 640);
}

#[test]
fn lenet5_shapes() {
    let g = networks::lenet5(&[1, 28, 28], 10).unwrap();
    let shapes: Vec<&[usize]> = (0..=8).map(|v| g.shape(v)).collect();
    let expected: [&[usize]; 9] =
        [&[1, 28, 28], &[20, 24, 24], &[20, 12, 12], &[50, 8, 8], &[50, 4, 4], &[800], &[500], &[500], &[10]];
    assert_eq!(shapes, expected);
    let names: Vec<&str> = g.nodes().iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["conv1", "pool1", "conv2", "pool2", "flatten1", "fc1", "relu1", "fc2"]);
}

#[test]
fn a_partial_pooling_window_counts_only_in_ceil_mode() {
    let pool = |size: usize, padding: usize, ceil_mode| {
        Graph::chain(
            &[1, size, size],
            vec![Op::MaxPool {
                kernel: Pair::square(3),
                stride: Pair::square(2),
                padding: Padding::all(padding),
                ceil_mode,
            }],
        )
        .unwrap()
        .shape(1)[1]
    };
    assert_eq!(pool(6, 0, false), 2);
    assert_eq!(pool(6, 0, true), 3);
    assert_eq!(pool(7, 0, true), 3);
    assert_eq!(pool(4, 1, true), 3);
}

#[test]
fn mistakes_are_named() {
    let linear = || Op::Linear { out_features: 3, bias: true };
    let shape_error = Graph::chain(&[1, 4, 4], vec![linear()]).unwrap_err();
    assert!(shape_error.to_string().contains("flatten"), "{shape_error}");

    let input = || vec![Input { name: "x".into(), shape: vec![4] }];
    let node = |name: &str, inputs| Node { name: name.into(), op: linear(), inputs };
    let order = Graph::new(input(), vec![node("a", vec![1])], vec![1]).unwrap_err();
    assert!(matches!(order, GraphError::Order { .. }));
    let twice = Graph::new(input(), vec![node("a", vec![0]), node("a", vec![1])], vec![2]).unwrap_err();
    assert!(matches!(twice, GraphError::Name { .. }));
    let arity = Graph::new(input(), vec![node("a", vec![0, 0])], vec![1]).unwrap_err();
    assert!(matches!(arity, GraphError::Arity { .. }));
    let output = Graph::new(input(), vec![node("a", vec![0])], vec![7]).unwrap_err();
    assert!(matches!(output, GraphError::Structure(_)));
    let huge = Graph::chain(&[usize::MAX], vec![linear()]).unwrap_err();
    assert!(matches!(huge, GraphError::Limit { .. }));
}
