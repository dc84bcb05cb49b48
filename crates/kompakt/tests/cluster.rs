//! The command line: options reach the layers, mistakes get their exit codes.
#![allow(clippy::unwrap_used)]

use clap::Parser;
use kompakt::{
    process::{exit, exit_code},
    stages::{Stage, cluster::Args},
};
use kompakt_graph::networks;
use kompakt_model::{Model, Parameter};
use std::{fs::File, path::Path};

fn write_model(path: &Path) {
    let graph = networks::mlp(&[20], &[30], 4).unwrap();
    let wave = |n: usize| (0..n).map(|i| (i as f32 * 0.7).sin() + 1e-3).collect();
    let parameters =
        graph.params().iter().map(|p| (p.name.clone(), Parameter::dense(p.shape.clone(), wave(p.len()))));
    Model::new(graph.clone(), parameters.collect()).unwrap().write(path).unwrap();
}

fn run(folder: &Path, options: &str) -> anyhow::Result<Model> {
    let (input, output) = (folder.join("in.safetensors"), folder.join("out.safetensors"));
    let words = ["kompakt-cluster", "-q", input.to_str().unwrap(), "-o", output.to_str().unwrap()];
    Args::try_parse_from(words.into_iter().chain(options.split_whitespace()))?.run()?;
    Ok(Model::read(File::open(output)?, None)?)
}

fn n_levels(model: &Model) -> Vec<usize> {
    let levels = |name: &str| match &model.parameters[name] {
        Parameter::Shared { codebook, .. } => codebook.len(),
        Parameter::Dense { .. } => 0,
    };
    model.graph.weights().map(|p| levels(&p.name)).collect()
}

#[test]
fn bits_and_levels_reach_their_layers() {
    let folder = tempfile::tempdir().unwrap();
    write_model(&folder.path().join("in.safetensors"));
    let levels = |options: &str| n_levels(&run(folder.path(), options).unwrap());
    assert_eq!(levels("--bits 3,2"), [8, 4]);
    assert_eq!(levels("--bits 4,fc2=0"), [16, 1]);
    assert_eq!(levels("--levels 7,5 --method kmeans --init density"), [7, 5]);
    assert_eq!(levels(""), [32, 32]);
    let both = run(folder.path(), "--method ecsq --levels 32 --lambda 0.1").unwrap();
    assert!(n_levels(&both).iter().all(|&n| n < 32));
    assert_eq!(both.provenance[0].options["lambda"], "0.1");
}

#[test]
fn mistakes_end_with_their_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.safetensors");
    let code = |options: &str| exit_code(&run(folder.path(), options).unwrap_err());
    assert_eq!(code(""), exit::IO);
    write_model(&input);
    assert_eq!(code("--bits 9"), exit::USAGE);
    assert_eq!(code("--bits 1,2,3"), exit::USAGE);
    assert_eq!(code("--method ecsq --lambda=-1"), exit::USAGE);
    assert!(run(folder.path(), "--bits many").is_err());
    assert!(!folder.path().join("out.safetensors").exists(), "a failed stage leaves nothing");
    run(folder.path(), "").unwrap().write(&input).unwrap();
    assert_eq!(code(""), exit::INPUT);
}

#[test]
fn a_budget_chooses_the_levels() {
    let folder = tempfile::tempdir().unwrap();
    write_model(&folder.path().join("in.safetensors"));
    let levels = |budget: &str| n_levels(&run(folder.path(), &format!("--budget {budget}")).unwrap());
    // 600 and 120 weights: one bit each is 90 bytes, and codebooks come on top.
    let (few, many) = (levels("150"), levels("400"));
    assert!(few.iter().zip(&many).all(|(f, m)| f <= m) && few != many, "{few:?} {many:?}");
    let error = run(folder.path(), "--budget 20").unwrap_err();
    assert_eq!(exit_code(&error), exit::USAGE);
    assert!(run(folder.path(), "--budget 300 --bits 4").is_err());
}

#[test]
fn a_layer_in_groups_has_several_codebooks() {
    let folder = tempfile::tempdir().unwrap();
    write_model(&folder.path().join("in.safetensors"));
    let model = run(folder.path(), "--levels 7,5 --groups 1,fc1=4").unwrap();
    assert_eq!(n_levels(&model), [7, 7, 7, 7, 5]);
    let names: Vec<&str> = model.graph.nodes().iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names[..5], ["fc1.0", "fc1.1", "fc1.2", "fc1.3", "fc1"]);
    let rows = |i: usize| model.parameters[&format!("fc1.{i}.weight")].shape()[0];
    assert_eq!((0..4).map(rows).collect::<Vec<_>>(), [8, 8, 7, 7]);
    for (options, word) in [("--groups 31,1", "30 rows"), ("--groups 0,1", "from 1"), ("--groups 2,2,2", "3")]
    {
        let error = run(folder.path(), options).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
