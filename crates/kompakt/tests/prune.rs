//! The command line without retraining: plain files in, exit codes out.
#![allow(clippy::unwrap_used)]

use clap::Parser;
use kompakt::{
    process::{exit, exit_code},
    stages::{Stage, prune::Args},
};
use kompakt_model::{Model, Numbers, Parameter};
use safetensors::tensor::{Dtype, TensorView};
use std::{
    fs::{self, File},
    path::Path,
};

const GRAPH: &str = r#"{"inputs": [{"name": "x", "shape": [4]}],
    "nodes": [{"op": "linear", "out_features": 3}, {"op": "relu"}, {"op": "linear", "out_features": 2}]}"#;

/// A checkpoint as PyTorch writes it, and the network as a file; unit 1 of fc1 has the smallest weights.
fn pytorch(folder: &Path) {
    let floats = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let fc1 = floats(&[1.0, -2.0, 3.0, -4.0, 0.1, 0.2, -0.1, 0.2, 5.0, 6.0, -7.0, 8.0]);
    let fc2 = floats(&[1.0, 0.3, -3.0, 0.2, 2.0, 4.0]);
    let (b1, b2) = (floats(&[0.5, 2.0, -0.5]), floats(&[0.25, 0.0]));
    let view = |shape: &[usize], data| TensorView::new(Dtype::F32, shape.to_vec(), data).unwrap();
    let tensors = [
        ("fc1.weight", view(&[3, 4], &fc1)),
        ("fc1.bias", view(&[3], &b1)),
        ("fc2.weight", view(&[2, 3], &fc2)),
        ("fc2.bias", view(&[2], &b2)),
    ];
    fs::write(folder.join("torch.safetensors"), safetensors::serialize(tensors, None).unwrap()).unwrap();
    fs::write(folder.join("net.json"), GRAPH).unwrap();
}

fn run(folder: &Path, options: &str) -> anyhow::Result<()> {
    let in_folder = |word: &str| {
        if word.ends_with(".safetensors") || word.ends_with(".json") {
            folder.join(word).display().to_string()
        } else {
            word.to_string()
        }
    };
    let words = options.split_whitespace().map(in_folder);
    Args::try_parse_from(["kompakt-prune".to_string(), "-q".to_string()].into_iter().chain(words))?.run()
}

fn read(folder: &Path, name: &str) -> Model {
    Model::read(File::open(folder.join(name)).unwrap(), None).unwrap()
}

#[test]
fn a_plain_checkpoint_and_a_graph_are_enough() {
    let folder = tempfile::tempdir().unwrap();
    pytorch(folder.path());
    run(folder.path(), "torch.safetensors --graph net.json --density fc1=0.5,fc2=1 -o out.safetensors")
        .unwrap();
    let model = read(folder.path(), "out.safetensors");
    // Unit 1 lost its inputs: relu(2) = 2 of it went into the next biases, by weights 0.3 and 2.
    assert_eq!(model.parameters["fc1.weight"].shape(), [2, 4]);
    assert_eq!(model.parameters["fc1.weight"].n_kept(), 6);
    assert_eq!(model.parameters["fc2.weight"].to_f32(), [1.0, -3.0, 0.2, 4.0]);
    let bias = model.parameters["fc2.bias"].to_f32();
    assert!((bias[0] - 0.85).abs() < 1e-6 && (bias[1] - 4.0).abs() < 1e-6, "{bias:?}");
    assert_eq!(model.dense_parameters, 23);
    let record = &model.provenance[0];
    assert_eq!(record.options["density"], "fc1=0.5,fc2=1");
    assert_eq!((record.n_nonzero, record.options["pruning"].as_str()), (model.n_nonzero(), "one-shot"));
}

#[test]
fn dead_units_stay_if_asked() {
    let folder = tempfile::tempdir().unwrap();
    pytorch(folder.path());
    let options =
        "torch.safetensors --graph net.json --density fc1=0.5,fc2=1 --keep-dead-units -o out.safetensors";
    run(folder.path(), options).unwrap();
    assert_eq!(read(folder.path(), "out.safetensors").parameters["fc1.weight"].shape(), [3, 4]);
}

#[test]
fn mistakes_end_with_their_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    pytorch(folder.path());
    let code = |options: &str| {
        let options = format!("{options} -o out.safetensors");
        exit_code(&run(folder.path(), &options).unwrap_err())
    };
    let plain = "torch.safetensors --graph net.json";
    assert_eq!(code("torch.safetensors --density 0.5"), exit::INPUT);
    assert_eq!(code(&format!("{plain} --density 0")), exit::USAGE);
    assert_eq!(code(&format!("{plain} --density fc9=0.5")), exit::USAGE);
    assert_eq!(code(&format!("{plain} --density paper")), exit::INPUT);
    assert_eq!(code("nothing.safetensors --density 0.5"), exit::IO);
    assert!(!folder.path().join("out.safetensors").exists(), "a failed stage leaves nothing");

    run(folder.path(), &format!("{plain} --density 1 -o dense.safetensors")).unwrap();
    let mut model = read(folder.path(), "dense.safetensors");
    let shared = Parameter::Shared {
        shape: vec![3, 4],
        codebook: Numbers::F32(vec![1.0]),
        codes: vec![0; 12],
        mask: None,
    };
    model.parameters.insert("fc1.weight".into(), shared);
    model.write(&folder.path().join("shared.safetensors")).unwrap();
    assert_eq!(code("shared.safetensors --density 0.5"), exit::INPUT);
}
