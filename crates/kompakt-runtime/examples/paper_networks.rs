//! Writes networks with seeded weights at the densities and bits of Han 2015, to measure the loader with.
//!
//! `cargo run --release -p kompakt-runtime --example paper_networks -- FOLDER [NAME...]` makes
//! `FOLDER/NAME.TIER.kompakt`; without names all but `vgg16`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/support/random_model.rs"]
mod random_model;

use kompakt_graph::{Graph, Op, Padding, Pair, networks};
use random_model::{TIERS, checkpoint, pack};
use std::path::Path;

/// For each layer its density and its number of levels.
type Layers = &'static [(f32, usize)];

const NAMES: [&str; 6] = ["lenet-300-100", "lenet5", "fc4096", "fc4096-32", "alexnet", "vgg16"];

fn conv(out_channels: usize, kernel: usize, stride: usize, padding: usize, groups: usize) -> Op {
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

fn pool(kernel: usize, stride: usize) -> Op {
    Op::MaxPool {
        kernel: Pair::square(kernel),
        stride: Pair::square(stride),
        padding: Padding::default(),
        ceil_mode: false,
    }
}

fn linear(out_features: usize) -> Op {
    Op::Linear { out_features, bias: true }
}

fn alexnet() -> Graph {
    let relu = Op::Relu;
    let ops = vec![
        conv(96, 11, 4, 0, 1),
        relu.clone(),
        pool(3, 2),
        conv(256, 5, 1, 2, 2),
        relu.clone(),
        pool(3, 2),
        conv(384, 3, 1, 1, 1),
        relu.clone(),
        conv(384, 3, 1, 1, 2),
        relu.clone(),
        conv(256, 3, 1, 1, 2),
        relu.clone(),
        pool(3, 2),
        Op::Flatten,
        linear(4096),
        relu.clone(),
        linear(4096),
        relu,
        linear(1000),
    ];
    Graph::chain(&[3, 227, 227], ops).unwrap()
}

fn vgg16() -> Graph {
    let mut ops = Vec::new();
    for (channels, n) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
        for _ in 0..n {
            ops.extend([conv(channels, 3, 1, 1, 1), Op::Relu]);
        }
        ops.push(pool(2, 2));
    }
    ops.extend([Op::Flatten, linear(4096), Op::Relu, linear(4096), Op::Relu, linear(1000)]);
    Graph::chain(&[3, 224, 224], ops).unwrap()
}

fn network(name: &str) -> (Graph, Layers) {
    let known = |name| networks::by_name(name, &[1, 28, 28], 10).unwrap().unwrap();
    let one = || Graph::chain(&[4096], vec![Op::Linear { out_features: 4096, bias: false }]).unwrap();
    match name {
        "lenet-300-100" => (known(name), &[(0.08, 64), (0.09, 64), (0.26, 64)]),
        "lenet5" => (known(name), &[(0.66, 256), (0.12, 256), (0.08, 32), (0.19, 32)]),
        "fc4096" => (one(), &[(0.09, 16)]),
        "fc4096-32" => (one(), &[(0.09, 32)]),
        "alexnet" => (
            alexnet(),
            &[
                (0.84, 256),
                (0.38, 256),
                (0.35, 256),
                (0.37, 256),
                (0.37, 256),
                (0.09, 32),
                (0.09, 32),
                (0.25, 32),
            ],
        ),
        "vgg16" => (
            vgg16(),
            &[
                (0.58, 256),
                (0.22, 256),
                (0.34, 256),
                (0.36, 256),
                (0.53, 256),
                (0.24, 256),
                (0.42, 256),
                (0.32, 256),
                (0.27, 256),
                (0.34, 256),
                (0.35, 256),
                (0.29, 256),
                (0.36, 256),
                (0.04, 32),
                (0.04, 32),
                (0.23, 32),
            ],
        ),
        _ => panic!("no network {name}; there are {NAMES:?}"),
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let folder = args.next().expect("a folder to write to");
    let names: Vec<String> = args.collect();
    let all = NAMES[..5].iter().map(|n| (*n).to_string()).collect();
    for name in if names.is_empty() { all } else { names } {
        let (graph, layers) = network(&name);
        let mut layers = layers.iter();
        let model = checkpoint(graph, 1, |_| *layers.next().unwrap());
        for tier in TIERS {
            let bytes = pack(&model, tier);
            let path = Path::new(&folder).join(format!("{name}.{}.kompakt", tier.name()));
            std::fs::write(&path, &bytes).unwrap();
            println!("{}\t{} B\t{} weights kept", path.display(), bytes.len(), model.n_nonzero());
        }
    }
}
