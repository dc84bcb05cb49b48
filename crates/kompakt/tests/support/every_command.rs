//! Every command that writes a file, with small inputs for it.

use kompakt_graph::networks;
use kompakt_model::{Model, Parameter, graph_to_json};
use std::{fs, path::Path, process::Command};

/// A call of a program that reads some files and writes others, all in one folder.
pub(crate) struct Call {
    /// `kompakt` or `kompakt-prep`.
    pub(crate) program: &'static str,
    /// Arguments without the output.
    pub(crate) arguments: Vec<&'static str>,
    /// The option of the output, and its name.
    pub(crate) output: (&'static str, &'static str),
    /// The files that are read, none of which may be the output.
    pub(crate) inputs: Vec<&'static str>,
}

fn call(arguments: &'static str, output: (&'static str, &'static str), inputs: &'static str) -> Call {
    Call {
        program: "kompakt",
        arguments: arguments.split_whitespace().collect(),
        output,
        inputs: inputs.split_whitespace().collect(),
    }
}

/// Every command that writes a file.
pub(crate) fn every_command() -> Vec<Call> {
    let o = |name| ("-o", name);
    let mut calls = vec![
        call("import model.onnx --labels labels.txt", o("i.safetensors"), "model.onnx labels.txt"),
        call("export b.kompakt", o("e.onnx"), "b.kompakt"),
        call("export b.kompakt", ("--c", "net.c"), "b.kompakt"),
        call("export dense.safetensors", o("e.onnx"), "dense.safetensors"),
        call("compress model.onnx --labels labels.txt -q", o("c.kompakt"), "model.onnx labels.txt"),
        call(
            "compress dense.safetensors -q --ignore-labels --data data-images-idx3-ubyte",
            o("d.kompakt"),
            "dense.safetensors data-images-idx3-ubyte",
        ),
        call("sense model.onnx", ("--scan", "scan.json"), "model.onnx"),
        call("sense model.onnx", ("--plot", "plot.svg"), "model.onnx"),
        call("unpack b.kompakt", o("u.safetensors"), "b.kompakt"),
        call("repack b.kompakt --tier direct", o("r.kompakt"), "b.kompakt"),
        call("diff --patch b.kompakt b.kompakt", o("d.patch"), "b.kompakt"),
        call("patch b.kompakt b.patch", o("n.kompakt"), "b.kompakt b.patch"),
        call("report run/summary.json", o("page.html"), "run/summary.json run/b.kompakt"),
        call("sign b.kompakt --key mine.key", o("b.minisig"), "b.kompakt mine.key"),
        call("cluster dense.safetensors -q", o("s.safetensors"), "dense.safetensors"),
        call("prune dense.safetensors --density 0.5 -q", o("p.safetensors"), "dense.safetensors"),
        call("pack shared.safetensors -q", o("k.kompakt"), "shared.safetensors"),
        call(
            "rate dense.safetensors --target-size 2000 --steps 100 --data data-images-idx3-ubyte --copies 1 -q",
            o("t.safetensors"),
            "dense.safetensors data-images-idx3-ubyte",
        ),
    ];
    if cfg!(feature = "train") {
        calls.extend([
            call(
                "train --net net.json --data data-images-idx3-ubyte --epochs 3 -q",
                o("n.safetensors"),
                "net.json data-images-idx3-ubyte",
            ),
            call(
                "finetune shared.safetensors --data data-images-idx3-ubyte --epochs 2 -q",
                o("f.safetensors"),
                "shared.safetensors data-images-idx3-ubyte",
            ),
            call(
                "compress trained.safetensors -q --data digits --finetune 2 --noise 0.05",
                o("w.kompakt"),
                "trained.safetensors",
            ),
            call(
                "prune dense.safetensors --density 0.5 --data data-images-idx3-ubyte --epochs 2 -q",
                o("q.safetensors"),
                "dense.safetensors data-images-idx3-ubyte",
            ),
        ]);
    }
    let prep = |arguments: &'static str, output, inputs: &'static str| Call {
        program: "kompakt-prep",
        ..call(arguments, output, inputs)
    };
    calls.push(prep(
        "--data data-images-idx3-ubyte --steps normalize",
        o("p.kds"),
        "data-images-idx3-ubyte data-labels-idx1-ubyte",
    ));
    calls.push(prep(
        "--data data-images-idx3-ubyte --pca 5",
        ("--pca-output", "pca.safetensors"),
        "data-images-idx3-ubyte data-labels-idx1-ubyte",
    ));
    calls
}

/// The command as it is started in `folder`, with its output under another name.
pub(crate) fn command(call: &Call, folder: &Path, output: &str) -> Command {
    let path = match call.program {
        "kompakt-prep" => env!("CARGO_BIN_EXE_kompakt-prep"),
        _ => env!("CARGO_BIN_EXE_kompakt"),
    };
    let mut command = super::program::program(path);
    command.current_dir(folder).args(&call.arguments).args([call.output.0, output]);
    command.stdin(std::process::Stdio::null());
    command
}

/// Puts all inputs into a folder.
pub(crate) fn fill(folder: &Path) {
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.join(name), bytes).unwrap();
    write("labels.txt", (0..10).map(|i| format!("{i}\n")).collect::<String>().into_bytes());
    let graph = networks::mlp(&[1, 28, 28], &[30], 10).unwrap();
    write("net.json", graph_to_json(&graph).to_string().into_bytes());
    let images: Vec<u8> = (0..N * 784).map(|i| (i * i / 7 % 251) as u8).collect();
    write("data-images-idx3-ubyte", [&idx(3, &[N, 28, 28])[..], &images].concat());
    let labels: Vec<u8> = (0..N).map(|i| (i % 10) as u8).collect();
    write("data-labels-idx1-ubyte", [&idx(1, &[N])[..], &labels].concat());
    let wave = |n: usize| (0..n).map(|i| (i as f32 * 0.7).sin() + 1e-3).collect();
    let parameters =
        graph.params().iter().map(|p| (p.name.clone(), Parameter::dense(p.shape.clone(), wave(p.len()))));
    let model = Model::new(graph.clone(), parameters.collect()).unwrap();
    model.write(&folder.join("dense.safetensors")).unwrap();
    let run = |words: &str| {
        let mut command = super::program::program(env!("CARGO_BIN_EXE_kompakt"));
        let output = command.current_dir(folder).args(words.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run("cluster dense.safetensors -q -o shared.safetensors");
    if cfg!(feature = "train") {
        run("train --net mlp --hidden 24 --data digits --epochs 3 --batch 32 -q -o trained.safetensors");
    }
    run("pack shared.safetensors -q -o b.kompakt");
    run("diff --patch b.kompakt b.kompakt -o b.patch");
    run("export dense.safetensors -o model.onnx");
    run("keygen mine --no-password");
    fs::create_dir(folder.join("run")).unwrap();
    fs::copy(folder.join("b.kompakt"), folder.join("run/b.kompakt")).unwrap();
    write("run/summary.json", SUMMARY.as_bytes().to_vec());
}

/// Images in the data set.
const N: usize = 600;

/// The start of an IDX file of bytes.
fn idx(n_dims: u8, dims: &[usize]) -> Vec<u8> {
    let dims = dims.iter().flat_map(|&d| (d as u32).to_be_bytes());
    [0, 0, 8, n_dims].into_iter().chain(dims).collect()
}

const SUMMARY: &str = r#"{"net": "mlp", "data": "file", "recipe": "test", "seed": 1, "dense_bytes": 95440, "rows": [
    {"stage": "pack", "file": "b.kompakt", "n_nonzero": 1, "n_bytes": 1, "compression_ratio": 1, "error": 0.5,
     "error_on": "validation", "wall_s": 1, "peak_rss_bytes": 1}]}"#;
