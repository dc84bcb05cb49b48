//! Generated source compiles without a warning, runs without undefined behaviour, and answers as the loader does.
#![allow(clippy::unwrap_used)]

mod c;
mod functions;
mod int8;
mod rust;

use kompakt_format::{Container, Tier};
use kompakt_micro::{Input, MicroError, c_source, rust_crate};
use kompakt_runtime::{Model, Session, SessionOptions};
use kompakt_testing::{
    cases::cases,
    models::{Expected, checkpoint, expected, pack},
    numbers, random_network,
};
use std::{
    cell::Cell,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A language of generated source.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Language {
    C,
    Rust,
}

const NAME: &str = "net";

/// Tolerance, relative to the largest sum of products behind an output.
const TOLERANCE: f64 = 1e-6;

/// The outputs of the program, concatenated.
fn run(program: &Path, inputs: &[Vec<f32>]) -> Vec<f32> {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes: Vec<u8> = inputs.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// Generates, compiles, runs and compares with the loader.
fn check(language: Language, what: &str, bytes: &[u8]) {
    let container = Container::parse(bytes).unwrap();
    let model = Model::from_bytes(bytes).unwrap();
    let mut session = Session::new(&model, &SessionOptions::default()).unwrap();
    let lengths: Vec<usize> = match container.pipeline() {
        Some(pipeline) => vec![pipeline.input_shape().len()],
        None => session.inputs().iter().map(|port| port.len).collect(),
    };
    // Pixels are 0 to 1; other inputs may be negative.
    let shift = |v: f32| if container.pipeline().is_some() { (v + 1.0) / 2.0 } else { v };
    let raw: Vec<Vec<f32>> = (lengths.iter().enumerate())
        .map(|(i, &n)| numbers(7 + i as u64, n).into_iter().map(shift).collect())
        .collect();
    let prepared: Vec<Vec<f32>> =
        raw.iter().map(|x| container.pipeline().map_or_else(|| x.clone(), |p| p.apply_to(x))).collect();
    let folder = tempfile::tempdir().unwrap();
    let n_outputs = session.outputs().len();
    let program = match language {
        Language::C => {
            let source = c_source(&container, NAME, Input::Floats).unwrap();
            c::program(folder.path(), &source, raw.len(), n_outputs)
        }
        Language::Rust => {
            let source = rust_crate(&container, NAME, Input::Floats).unwrap();
            rust::program(folder.path(), &source, raw.len(), n_outputs)
        }
    };
    let found = run(&program, &raw);
    session.run_all_raw(&raw.iter().map(Vec::as_slice).collect::<Vec<_>>(), 1).unwrap();
    let exact: Expected = expected(bytes, &prepared, 1);
    let mut rest = &found[..];
    for (i, magnitude) in exact.magnitudes.iter().enumerate() {
        let loader = session.output(i);
        let (own, after) = rest.split_at(loader.len());
        let largest = own.iter().zip(loader).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
        assert!(
            largest <= TOLERANCE * magnitude.max(1e-3),
            "{what} in {language:?}: output {i} is off by {largest:e} of {magnitude:e}"
        );
        rest = after;
    }
    assert!(rest.is_empty(), "{what}: more outputs than the network has");
}

fn golden_files(language: Language) {
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/good");
    let mut names: Vec<PathBuf> = fs::read_dir(good).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|e| e == "kompakt"));
    // Tiers hold the same content.
    names.retain(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        !name.ends_with("-stream") && !name.ends_with("-direct") || name.starts_with("aligned-direct")
    });
    assert!(names.len() >= 8, "{names:?}");
    names.iter().for_each(|path| check(language, &path.display().to_string(), &fs::read(path).unwrap()));
}

#[test]
fn golden_files_become_c_that_answers_as_the_loader_does() {
    golden_files(Language::C);
}

#[test]
fn golden_files_become_rust_that_answers_as_the_loader_does() {
    golden_files(Language::Rust);
}

fn random_networks(language: Language) {
    let checked = Cell::new(0);
    cases(24, |u| {
        let graph = random_network::graph(u)?;
        let seed: u64 = u.arbitrary()?;
        let densities = [0.05, 0.3, 0.9, 1.0];
        let model = checkpoint(graph, seed, |name| {
            let dice = name.bytes().map(usize::from).sum::<usize>() + seed as usize % 97;
            (densities[dice % 4], [0, 1, 3, 16, 40, 256][dice % 6])
        });
        check(language, "a random network", &pack(&model, Tier::Direct));
        checked.set(checked.get() + 1);
        Ok(())
    });
    assert!(checked.get() >= 16, "only {} random networks", checked.get());
}

#[test]
fn random_networks_become_c_that_answers_as_the_loader_does() {
    random_networks(Language::C);
}

#[test]
fn random_networks_become_rust_that_answers_as_the_loader_does() {
    random_networks(Language::Rust);
}

#[test]
fn all_of_preprocessing_becomes_source() {
    let steps = [
        r#"{"step": "invert"}, {"step": "median"}, {"step": "deskew", "max_shear": 1.0}"#,
        r#"{"step": "threshold", "level": 0.9}, {"step": "crop", "threshold": 0.95, "margin": 2, "height": 20, "width": 16}, {"step": "center"}"#,
        r#"{"step": "grayscale"}, {"step": "resize", "height": 9, "width": 13, "filter": "area"}, {"step": "resize", "height": 14, "width": 14, "filter": "bilinear"}, {"step": "gradients", "orientations": 8, "cells": [7, 4], "pixels": 5, "locality": 0.4, "roots": true}"#,
        r#"{"step": "channels", "order": [2, 0, 0]}, {"step": "center_crop", "height": 10, "width": 11}, {"step": "subtract", "height": 1, "width": 2, "values": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}, {"step": "normalize", "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}"#,
        r#"{"step": "normalize", "mean": [0.4], "std": [0.2]}, {"step": "deskew", "max_shear": 0.1}"#,
    ];
    for (i, steps) in steps.into_iter().enumerate() {
        let text = format!(r#"{{"input": [3, 18, 15], "steps": [{steps}]}}"#);
        let pipeline: kompakt_prep::Pipeline = serde_json::from_str(&text).unwrap();
        let n = pipeline.output_shape().len();
        let dims = pipeline.output_shape().dims();
        let mut ops = vec![kompakt_graph::Op::Identity];
        if dims.len() > 1 {
            ops.push(kompakt_graph::Op::Flatten);
        }
        ops.push(kompakt_graph::Op::Scale { factor: 0.5, offset: 0.25 });
        let graph = kompakt_graph::Graph::chain(&dims, ops).unwrap();
        let mut model = checkpoint(graph, 1, |_| (1.0, 0));
        model.preprocessing = Some(serde_json::from_str(&text).unwrap());
        for language in [Language::C, Language::Rust] {
            check(language, &format!("pipeline {i}, {n} numbers"), &pack(&model, Tier::Direct));
        }
    }
}

#[test]
fn names_and_hostile_names() {
    let bytes =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/good/worked-example.kompakt"));
    let bytes = bytes.unwrap();
    let container = Container::parse(&bytes).unwrap();
    for name in ["", "1net", "a-b", "a b", "naïve", "x;"] {
        for error in [
            c_source(&container, name, Input::Floats).unwrap_err(),
            rust_crate(&container, name, Input::Floats).unwrap_err(),
        ] {
            assert!(matches!(&error, MicroError::Name(other) if other == name), "{error}");
        }
    }
    let source = c_source(&container, "lenet_5", Input::Floats).unwrap();
    assert!(source.header.contains("void lenet_5_run(const float *input, float *output, float *arena);"));
    assert!(source.header.contains("#define LENET_5_INPUT_LEN 4"), "{}", source.header);
    let source = c_source(&container, "lenet_5", Input::Bytes).unwrap();
    assert!(source.header.contains("void lenet_5_run(const uint8_t *input, float *output, float *arena);"));
    assert_eq!((source.memory.input_bytes, source.memory.arena_len >= 4), (4, true));
}
