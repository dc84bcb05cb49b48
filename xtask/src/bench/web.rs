//! `cargo xtask bench web`: the loader beside onnxruntime-web and TensorFlow.js, in Chromium.
//!
//! ```text
//! networks ─► target/web/bench/NAME: two tiers, ONNX, dense ─┐
//! web/dist (`cargo xtask web`) ──────────────────────────────┼─► web/bench/run.mjs ─► results/web.md
//! npm, by web/bench/package-lock.json ───────────────────────┘
//! ```

use super::peers::{
    networks::{InputKind, Kept, Network, network},
    onnx,
    weights::{Normal, seeded},
};
use anyhow::{Context, Result, bail};
use kompakt_format::Tier;
use kompakt_graph::{Graph, Op, Padding, Pair};
use kompakt_pack::{InMemory, Options};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The networks in the order of the tables.
const NAMES: [&str; 5] = ["features", "lenet5", "mobilenet-v2", "resnet18", "efficientnet-lite0"];
/// Inputs of the network on gradient features.
const N_FEATURES: usize = 716;

/// Measure the loader beside onnxruntime-web and TensorFlow.js in Chromium
///
/// Needs Node, npm and Chromium (CHROMIUM names one that is not /usr/bin/chromium), and the modules of `cargo xtask web`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Turns that every engine gets
    #[arg(long, value_name = "N", default_value_t = 15)]
    rounds: usize,
    /// Which networks [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    nets: Vec<String>,
    /// Instead of the page: one thread and this many, beside onnxruntime-web on as many, as a table that is printed
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Where the page goes
    #[arg(long, value_name = "FILE", default_value = "results/web.md")]
    output: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let folder = root.join("target/web/bench");
    let package = root.join("web");
    if !package.join("dist/kompakt-simd.wasm").exists() {
        bail!("the modules are not built: run `cargo xtask web` first");
    }
    let names = match arguments.nets.as_slice() {
        [] => NAMES.map(String::from).to_vec(),
        names => names.to_vec(),
    };
    let mut titles = Vec::new();
    for name in &names {
        let network = named(name)?;
        titles.push(json!({ "name": name, "title": network.title }));
        make(&network, &folder.join(name)).with_context(|| name.clone())?;
    }
    std::fs::write(folder.join("networks.json"), serde_json::to_vec(&titles)?)?;
    let modules = folder.join("npm");
    std::fs::create_dir_all(&modules)?;
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(package.join("bench").join(file), modules.join(file)).with_context(|| file)?;
    }
    let npm = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--prefix"];
    call(Command::new("npm").args(npm).arg(&modules))?;
    let mut node = Command::new("node");
    if let Some(threads) = arguments.threads {
        node.arg(package.join("bench/threads.mjs")).args([&folder, &package, &modules]);
        return call(node.args([threads.to_string(), arguments.rounds.to_string()]));
    }
    node.arg(package.join("bench/run.mjs")).args([&folder, &package, &modules]);
    call(node.arg(root.join(&arguments.output)).arg(arguments.rounds.to_string()))
}

fn named(name: &str) -> Result<Network> {
    if name != "features" {
        return network(name);
    }
    let graph = kompakt_graph::networks::mlp(&[N_FEATURES], &[300, 100], 10)?;
    let layers = [0.08, 0.09, 0.26].map(|density| Kept { density, n_levels: 64 }).to_vec();
    let title = "MLP 716-300-100-10 on features";
    Ok(Network { name: "features", title, graph, layers, batches: &[1], input: InputKind::Normal })
}

/// The network's files, where they are not there yet.
fn make(network: &Network, folder: &Path) -> Result<()> {
    if folder.join("complete").exists() {
        return Ok(());
    }
    crate::say(&format!("{}: making files", network.name));
    std::fs::create_dir_all(folder)?;
    let shape = network.graph.shape(0).to_vec();
    let mut normal = Normal::new(99);
    let input: Vec<u8> =
        (0..shape.iter().product()).flat_map(|_: usize| normal.next().to_le_bytes()).collect();
    std::fs::write(folder.join("input.f32"), input)?;
    std::fs::write(folder.join("shape.json"), serde_json::to_vec(&json!({ "shape": shape }))?)?;
    let model = seeded(network)?;
    onnx::write(&model, folder)?;
    std::fs::write(folder.join("model.onnx"), kompakt_import::onnx::export(&model)?)?;
    let mut source = InMemory::new(model)?;
    for tier in [Tier::Smallest, Tier::Stream] {
        let path = folder.join(format!("{}.kompakt", tier.name()));
        kompakt_pack::write(&mut source, &Options::new(tier).minimal(), &path, &|_, _| {})?;
    }
    std::fs::write(folder.join("complete"), "")?;
    Ok(())
}

/// A network that is worth several threads, for the package's tests: convolutions, and a layer of four million weights.
pub(crate) fn make_large(path: &Path) -> Result<()> {
    let conv = |out_channels, stride| Op::Conv2d {
        out_channels,
        kernel: Pair::square(3),
        stride: Pair::square(stride),
        padding: Padding::all(1),
        dilation: Pair::square(1),
        groups: 1,
        bias: true,
    };
    let linear = |out_features| Op::Linear { out_features, bias: true };
    let ops =
        vec![conv(32, 1), Op::Relu, conv(64, 2), Op::Relu, Op::Flatten, linear(256), Op::Relu, linear(10)];
    let graph = Graph::chain(&[16, 32, 32], ops)?;
    let layers = vec![Kept { density: 0.2, n_levels: 32 }; 4];
    let input = InputKind::Normal;
    let network = Network { name: "large", title: "for tests", graph, layers, batches: &[1], input };
    let mut source = InMemory::new(seeded(&network)?)?;
    kompakt_pack::write(&mut source, &Options::new(Tier::Stream).minimal(), path, &|_, _| {})?;
    Ok(())
}

fn call(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed ({status})");
    }
    Ok(())
}
