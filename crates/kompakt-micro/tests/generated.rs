//! The generated source compiles without a warning, runs without undefined behaviour, and answers as the
//! loader does.
#![allow(clippy::unwrap_used)]

use kompakt_format::{Container, Tier};
use kompakt_micro::{MicroError, Source, c_source};
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

const NAME: &str = "net";

/// Tolerance, relative to the largest sum of products behind an output.
const TOLERANCE: f64 = 1e-6;

/// A program that reads the inputs from stdin and writes the outputs to stdout. Memory is exactly as long as the header
/// says, and the sanitizers check it.
fn program(folder: &Path, source: &Source, n_inputs: usize, n_outputs: usize) -> PathBuf {
    let port = |kind: &str, n: usize, i: usize| if n == 1 { kind.to_string() } else { format!("{kind}_{i}") };
    let (mut body, mut arguments, mut after) = (String::new(), Vec::new(), String::new());
    for (kind, n) in [("input", n_inputs), ("output", n_outputs)] {
        for i in 0..n {
            let name = port(kind, n, i);
            let length = format!("NET_{}_LEN", name.to_uppercase());
            body += &format!("    float *{name} = malloc({length} * sizeof(float));\n");
            if kind == "input" {
                body += &format!(
                    "    if (fread({name}, sizeof(float), {length}, stdin) != {length}) return 1;\n"
                );
            } else {
                after += &format!("    fwrite({name}, sizeof(float), {length}, stdout);\n");
            }
            after += &format!("    free({name});\n");
            arguments.push(name);
        }
    }
    let main = format!(
        "#include \"net.h\"\n#include <stdio.h>\n#include <stdlib.h>\n\nint main(void) {{\n\
         float *arena = malloc(NET_ARENA_LEN * sizeof(float));\n{body}    net_run({}, arena);\n{after}    free(arena);\n    return 0;\n}}\n",
        arguments.join(", ")
    );
    fs::write(folder.join("net.c"), &source.code).unwrap();
    fs::write(folder.join("net.h"), &source.header).unwrap();
    fs::write(folder.join("main.c"), main).unwrap();
    let program = folder.join("net");
    let compiled = Command::new("cc")
        .current_dir(folder)
        .args("-std=c11 -O1 -Wall -Wextra -Werror -pedantic -Wconversion -Wno-sign-conversion".split(' '))
        .args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-ffp-contract=off"])
        .args(["net.c", "main.c", "-o", "net"])
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    program
}

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

/// Generates, compiles, runs and compares with the loader; returns whether the network can become C.
fn check(what: &str, bytes: &[u8]) -> bool {
    let container = Container::parse(bytes).unwrap();
    let source = match c_source(&container, NAME) {
        Ok(source) => source,
        Err(MicroError::Unsupported(nodes)) => {
            assert!(!nodes.is_empty() && nodes.iter().all(|node| node.ends_with(')')), "{nodes:?}");
            return false;
        }
        Err(error) => panic!("{what}: {error}"),
    };
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
    let program = program(folder.path(), &source, raw.len(), session.outputs().len());
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
            "{what}: output {i} is off by {largest:e} of {magnitude:e}"
        );
        rest = after;
    }
    assert!(rest.is_empty(), "{what}: more outputs than the network has");
    true
}

#[test]
fn golden_files_become_c_that_answers_as_the_loader_does() {
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/good");
    let mut names: Vec<PathBuf> = fs::read_dir(good).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|e| e == "kompakt"));
    // Tiers hold the same content.
    names.retain(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        !name.ends_with("-stream") && !name.ends_with("-direct") || name.starts_with("aligned-direct")
    });
    assert!(names.len() >= 8, "{names:?}");
    let checked =
        names.iter().filter(|path| check(&path.display().to_string(), &fs::read(path).unwrap())).count();
    assert!(checked >= 8, "{checked} of {names:?}");
}

#[test]
fn random_networks_become_c_that_answers_as_the_loader_does() {
    let checked = Cell::new(0);
    cases(60, |u| {
        let graph = random_network::graph(u)?;
        let seed: u64 = u.arbitrary()?;
        let densities = [0.05, 0.3, 0.9, 1.0];
        let model = checkpoint(graph, seed, |name| {
            let dice = name.bytes().map(usize::from).sum::<usize>() + seed as usize % 97;
            (densities[dice % 4], [0, 1, 3, 16, 40, 256][dice % 6])
        });
        if checked.get() < 24 && check("a random network", &pack(&model, Tier::Direct)) {
            checked.set(checked.get() + 1);
        }
        Ok(())
    });
    assert!(checked.get() >= 16, "only {} of the random networks can become C", checked.get());
}

#[test]
fn all_of_preprocessing_becomes_c() {
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
        assert!(check(&format!("pipeline {i}, {n} numbers"), &pack(&model, Tier::Direct)));
    }
}

#[test]
fn names_and_hostile_names() {
    let bytes =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/good/worked-example.kompakt"));
    let bytes = bytes.unwrap();
    let container = Container::parse(&bytes).unwrap();
    for name in ["", "1net", "a-b", "a b", "naïve", "x;"] {
        assert!(c_source(&container, name).unwrap_err().to_string().contains("cannot name"), "{name}");
    }
    let source = c_source(&container, "lenet_5").unwrap();
    assert!(source.header.contains("void lenet_5_run(const float *input, float *output, float *arena);"));
    assert!(source.header.contains("#define LENET_5_INPUT_LEN 4"), "{}", source.header);
}
