//! Random networks composed of what exporters write for common functions: each is imported and must pass the
//! check, which evaluates the file node by node.
#![allow(clippy::unwrap_used)]

#[path = "support/case.rs"]
#[allow(dead_code)]
mod case;
#[path = "support/onnx.rs"]
mod onnx;

use kompakt_format::Tier;
use kompakt_import::onnx::{Checked, ImportOptions, import_checked};
use onnx::{Attribute::*, Net};

/// The shape of all values between pieces.
const C: i64 = 8;
const SIDE: i64 = 6;

/// A function as an exporter writes it; the value keeps its shape.
type Piece = fn(&mut Net, &str) -> String;

fn conv(net: &mut Net, x: &str, inputs: i64, outputs: i64, k: i64) -> String {
    let w = net.random(&[outputs, inputs, k, k], 0.0, (3.0 / (inputs * k * k) as f32).sqrt());
    let pads = [k / 2; 4];
    net.add("Conv", &[x, &w], &[Ints("kernel_shape", &[k, k]), Ints("pads", &pads)])
}

fn norm(net: &mut Net, x: &str) -> String {
    let [w, b, mean] = [(1.0, 0.3), (0.0, 0.5), (0.0, 0.5)].map(|(c, r)| net.random(&[C], c, r));
    let variance = net.random(&[C], 1.0, 0.5);
    net.add("BatchNormalization", &[x, &w, &b, &mean, &variance], &[])
}

fn mean_over(net: &mut Net, x: &str, axes: &[i64]) -> String {
    net.add("ReduceMean", &[x], &[Ints("axes", axes)])
}

/// `min(max(x + 3, 0), 6)`.
fn ramp(net: &mut Net, x: &str) -> String {
    let [three, zero, six] = [3.0, 0.0, 6.0].map(|v| net.scalar(v));
    let y = net.add("Add", &[x, &three], &[]);
    net.add("Clip", &[&y, &zero, &six], &[])
}

fn with_number(net: &mut Net, op: &str, x: &str, v: f32) -> String {
    let v = net.scalar(v);
    net.add(op, &[x, &v], &[])
}

fn standardised(net: &mut Net, x: &str, axes: &[i64]) -> String {
    let mean = mean_over(net, x, axes);
    let d = net.add("Sub", &[x, &mean], &[]);
    let square = with_number(net, "Pow", &d, 2.0);
    let v = mean_over(net, &square, axes);
    let v = with_number(net, "Add", &v, 1e-4);
    let root = net.add("Sqrt", &[&v], &[]);
    net.add("Div", &[&d, &root], &[])
}

/// Name and spelling.
const PIECES: &[(&str, Piece)] = &[
    ("convolution", |net, x| conv(net, x, C, C, 3)),
    ("convolution and batch norm", |net, x| {
        let y = conv(net, x, C, C, 1);
        norm(net, &y)
    }),
    ("batch norm", norm),
    ("hard-swish", |net, x| {
        let y = ramp(net, x);
        let y = net.add("Mul", &[x, &y], &[]);
        with_number(net, "Div", &y, 6.0)
    }),
    ("hard-swish, gate first", |net, x| {
        let y = ramp(net, x);
        let y = with_number(net, "Mul", &y, 1.0 / 6.0);
        net.add("Mul", &[&y, x], &[])
    }),
    ("hard-sigmoid", |net, x| {
        let y = ramp(net, x);
        with_number(net, "Div", &y, 6.0)
    }),
    ("SiLU", |net, x| {
        let y = net.add("Sigmoid", &[x], &[]);
        net.add("Mul", &[x, &y], &[])
    }),
    ("GELU by Erf", |net, x| {
        let y = with_number(net, "Div", x, std::f32::consts::SQRT_2);
        let y = net.add("Erf", &[&y], &[]);
        let y = with_number(net, "Add", &y, 1.0);
        let y = net.add("Mul", &[x, &y], &[]);
        with_number(net, "Mul", &y, 0.5)
    }),
    ("GELU by Tanh", |net, x| {
        let cube = with_number(net, "Pow", x, 3.0);
        let cube = with_number(net, "Mul", &cube, 0.044715);
        let y = net.add("Add", &[x, &cube], &[]);
        let y = with_number(net, "Mul", &y, 0.797_884_6);
        let y = net.add("Tanh", &[&y], &[]);
        let y = with_number(net, "Add", &y, 1.0);
        let y = net.add("Mul", &[x, &y], &[]);
        with_number(net, "Mul", &y, 0.5)
    }),
    ("layer norm over channels", |net, x| standardised(net, x, &[1])),
    ("instance norm in parts", |net, x| standardised(net, x, &[2, 3])),
    ("instance norm", |net, x| {
        let (w, b) = (net.random(&[C], 1.0, 0.5), net.random(&[C], 0.0, 0.5));
        net.add("InstanceNormalization", &[x, &w, &b], &[])
    }),
    ("group norm", |net, x| {
        let (to, back) = (net.ints(&[0, 4, -1]), net.ints(&[-1, C, SIDE, SIDE]));
        let (w, b) = (net.floats(&[4], &[1.0; 4]), net.floats(&[4], &[0.0; 4]));
        let y = net.add("Reshape", &[x, &to], &[]);
        let y = net.add("InstanceNormalization", &[&y, &w, &b], &[]);
        let y = net.add("Reshape", &[&y, &back], &[]);
        let (w, b) = (net.random(&[C, 1, 1], 1.0, 0.5), net.random(&[C, 1, 1], 0.0, 0.5));
        let y = net.add("Mul", &[&y, &w], &[]);
        net.add("Add", &[&y, &b], &[])
    }),
    ("squeeze and excite", |net, x| {
        let s = net.add("GlobalAveragePool", &[x], &[]);
        let s = conv(net, &s, C, 2, 1);
        let s = net.add("Relu", &[&s], &[]);
        let s = conv(net, &s, 2, C, 1);
        let s = net.add("HardSigmoid", &[&s], &[Float("alpha", 1.0 / 6.0)]);
        net.add("Mul", &[x, &s], &[])
    }),
    ("channel shuffle", |net, x| {
        let (to, back) = (net.ints(&[-1, 2, C / 2, SIDE, SIDE]), net.ints(&[-1, C, SIDE, SIDE]));
        let y = net.add("Reshape", &[x, &to], &[]);
        let y = net.add("Transpose", &[&y], &[Ints("perm", &[0, 2, 1, 3, 4])]);
        net.add("Reshape", &[&y, &back], &[])
    }),
    ("padding same", |net, x| {
        let w = net.random(&[C, C, 2, 2], 0.0, 0.3);
        net.add("Conv", &[x, &w], &[Text("auto_pad", "SAME_LOWER")])
    }),
    ("a pad before a convolution", |net, x| {
        let (pads, w) = (net.ints(&[0, 0, 0, 1, 0, 0, 2, 1]), net.random(&[C, 1, 3, 3], 0.0, 0.5));
        let y = net.add("Pad", &[x, &pads], &[]);
        net.add("Conv", &[&y, &w], &[Int("group", C)])
    }),
    ("pixel shuffle and back", |net, x| {
        let y = net.add("DepthToSpace", &[x], &[Int("blocksize", 2), Text("mode", "CRD")]);
        net.add("SpaceToDepth", &[&y], &[Int("blocksize", 2)])
    }),
    ("upsampling and a pool", |net, x| {
        let scales = net.floats(&[4], &[1.0, 1.0, 2.0, 2.0]);
        let mode = Text("coordinate_transformation_mode", "pytorch_half_pixel");
        let y = net.add("Resize", &[x, "", &scales], &[Text("mode", "linear"), mode]);
        net.add("MaxPool", &[&y], &[Ints("kernel_shape", &[2, 2]), Ints("strides", &[2, 2])])
    }),
    ("a bias", |net, x| {
        let b = net.random(&[1, C, 1, 1], 0.0, 1.0);
        net.add("Add", &[&b, x], &[])
    }),
    ("constants behind Identity and Cast", |net, x| {
        let w = net.random(&[C, C, 1, 1], 0.0, 0.5);
        let w = net.add("Identity", &[&w], &[]);
        let w = net.add("Cast", &[&w], &[Int("to", 1)]);
        net.add("Conv", &[x, &w], &[])
    }),
    ("transposed weights on images last", |net, x| {
        let y = net.add("Transpose", &[x], &[Ints("perm", &[0, 2, 3, 1])]);
        let w = net.random(&[C, C], 0.0, 0.5);
        let w = net.add("Transpose", &[&w], &[]);
        let b = net.random(&[C], 0.0, 0.5);
        let y = net.add("MatMul", &[&y, &w], &[]);
        let y = net.add("Add", &[&y, &b], &[]);
        net.add("Transpose", &[&y], &[Ints("perm", &[0, 3, 1, 2])])
    }),
    ("ReLU", |net, x| net.add("Relu", &[x], &[])),
    ("a scale", |net, x| with_number(net, "Mul", x, -0.75)),
    ("an offset", |net, x| with_number(net, "Sub", x, 0.5)),
];

/// A network of random pieces, some of which an earlier value is added to, and one of which nobody reads.
fn network(seed: u64) -> (Vec<u8>, Vec<&'static str>) {
    let mut net = Net::new(13, seed);
    let mut values = vec!["x".to_string()];
    let mut names = Vec::new();
    for _ in 0..2 + net.below(6) {
        let (name, piece) = PIECES[net.below(PIECES.len())];
        names.push(name);
        let x = values[values.len() - 1].clone();
        let mut y = piece(&mut net, &x);
        if net.below(4) == 0 {
            let unread = net.below(PIECES.len());
            PIECES[unread].1(&mut net, &x);
        }
        if net.below(3) == 0 {
            let other = values[net.below(values.len())].clone();
            y = net.add("Add", &[&y, &other], &[]);
            names.push("added");
        }
        values.push(y);
    }
    let mut y = values.pop().unwrap();
    if net.below(2) == 0 {
        y = net.add("GlobalAveragePool", &[&y], &[]);
        y = net.add("Flatten", &[&y], &[]);
        let (w, b) = (net.random(&[C, 5], 0.0, 0.5), net.random(&[5], 0.0, 0.5));
        y = net.add("Gemm", &[&y, &w, &b], &[]);
        names.push("classes");
    }
    (net.finish(&[C, SIDE, SIDE], &y), names)
}

#[test]
fn random_networks_of_all_spellings_pass_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let mut run = |model: &_, inputs: &[Vec<f32>], n: usize| case::run_on(model, Tier::Direct, n, inputs, n);
    let mut wrong = Vec::new();
    for seed in 0..150 {
        let (bytes, names) = network(seed);
        std::fs::write(&path, bytes).unwrap();
        match import_checked(&path, &ImportOptions::default(), &mut run, &|_, _| ()) {
            Ok((_, Checked::Equal { .. }, _)) => {}
            Ok((_, other, _)) => wrong.push(format!("{seed} {names:?}: {other:?}")),
            Err(error) => wrong.push(format!("{seed} {names:?}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{} networks:\n{}", wrong.len(), wrong.join("\n"));
}
