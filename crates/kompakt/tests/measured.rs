//! `kompakt eval` over every kind of grayscale data set, compared with an evaluation in double precision.
#![allow(clippy::unwrap_used)]

#[path = "support/program.rs"]
mod program;

use kompakt_graph::networks;
use kompakt_model::{Model, Parameter};
use program::program;
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path};

const N: usize = 60;
const CLASSES: usize = 7;
const SIDE: usize = 4;

/// Deterministic bytes.
fn noise(i: usize) -> u8 {
    let x = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((x ^ x >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 56) as u8
}

fn pixels(image: usize) -> Vec<u8> {
    (0..SIDE * SIDE).map(|i| noise(image * 100 + i)).collect()
}

/// Images come class by class, so that every kind of source has them in the same order.
fn label(image: usize) -> usize {
    image * CLASSES / N
}

fn model() -> Model {
    let graph = networks::mlp(&[1, SIDE, SIDE], &[12], CLASSES).unwrap();
    let mut parameters = BTreeMap::new();
    for (at, param) in graph.params().iter().enumerate() {
        let values =
            (0..param.len()).map(|i| (f32::from(noise(7000 + 999 * at + i)) - 127.5) / 100.0).collect();
        parameters.insert(param.name.clone(), Parameter::dense(param.shape.clone(), values));
    }
    Model::new(graph, parameters).unwrap()
}

/// Top-1, top-5 and confusion counts, by the definition in double precision, of the test images.
fn by_definition(model: &Model) -> (usize, usize, usize, Vec<Vec<usize>>) {
    let values: Vec<Vec<f64>> = model
        .graph
        .params()
        .iter()
        .map(|p| model.parameters[&p.name].to_f32().into_iter().map(f64::from).collect())
        .collect();
    let mut confusion = vec![vec![0; CLASSES]; CLASSES];
    let (mut n, mut top1, mut top5) = (0, 0, 0);
    for image in (0..N).filter(|&i| kompakt_data::is_test(i)) {
        let x = pixels(image).into_iter().map(|b| f64::from(f32::from(b) / 255.0)).collect();
        let y = &kompakt_pack::reference::evaluate(&model.graph, vec![x], &|i| &values[i])[0].data;
        let mut order: Vec<usize> = (0..CLASSES).collect();
        order.sort_by(|&a, &b| y[b].total_cmp(&y[a]));
        n += 1;
        top1 += usize::from(order[0] == label(image));
        top5 += usize::from(order[..5].contains(&label(image)));
        confusion[label(image)][order[0]] += 1;
    }
    (n, top1, top5, confusion)
}

fn idx(dims: &[u32], content: &[u8]) -> Vec<u8> {
    let head = [0, 0, 8, dims.len() as u8];
    [&head[..], &dims.iter().flat_map(|d| d.to_be_bytes()).collect::<Vec<_>>(), content].concat()
}

fn npy(kind: &str, dims: &str, content: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({dims}), }}");
    let header = format!("{header:<117}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), content].concat()
}

/// Writes the images in every form; returns the sources.
fn sources(folder: &Path) -> Vec<String> {
    let (mut all, mut labels, mut list) = (Vec::new(), Vec::new(), String::new());
    for image in 0..N {
        let of_class = folder.join("photos").join(label(image).to_string());
        fs::create_dir_all(&of_class).unwrap();
        let path = of_class.join(format!("{image:03}.pgm"));
        let header = format!("P5 {SIDE} {SIDE} 255\n");
        fs::write(&path, [header.as_bytes(), &pixels(image)].concat()).unwrap();
        list += &format!("photos/{}/{image:03}.pgm\t{}\n", label(image), label(image));
        all.extend(pixels(image));
        labels.push(label(image) as u8);
    }
    let (n, side) = (N as u32, SIDE as u32);
    fs::write(folder.join("list.tsv"), list).unwrap();
    fs::write(folder.join("x-images-idx3-ubyte"), idx(&[n, side, side], &all)).unwrap();
    fs::write(folder.join("x-labels-idx1-ubyte"), idx(&[n], &labels)).unwrap();
    fs::write(folder.join("x.npy"), npy("|u1", &format!("{N}, {SIDE}, {SIDE}"), &all)).unwrap();
    fs::write(folder.join("x-labels.npy"), npy("|u1", &format!("{N},"), &labels)).unwrap();
    ["photos", "list.tsv", "x-images-idx3-ubyte", "x.npy"].map(String::from).to_vec()
}

fn kompakt(folder: &Path, arguments: &[&str]) -> String {
    let mut command = program(env!("CARGO_BIN_EXE_kompakt"));
    let output = command.current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_source_gives_the_figures_of_the_definition() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let model = model();
    model.write(&folder.join("m.safetensors")).unwrap();
    kompakt(folder, &["export", "m.safetensors", "-o", "m.onnx"]);
    kompakt(folder, &["compress", "m.onnx", "-o", "m.kompakt", "--noise", "0.001", "-q"]);
    let (n, top1, top5, confusion) = by_definition(&model);
    for source in sources(folder) {
        for file in ["m.safetensors", "m.onnx"] {
            let found = kompakt(folder, &["eval", file, "--data", &source, "--against", "m.onnx", "--json"]);
            let found: Value = serde_json::from_str(&found).unwrap();
            assert_eq!(found["n"], n, "{source}");
            assert_eq!(found["top1"], top1 as f64 / n as f64, "{source}");
            assert_eq!(found["top5"], top5 as f64 / n as f64, "{source}");
            assert_eq!(found["confusion"], serde_json::json!(confusion), "{source}");
            assert_eq!(found["against"]["same_answer"], 1.0);
            assert!(found["against"]["difference"].as_f64().unwrap() < 1e-9);
        }
        let text = kompakt(folder, &["eval", "m.kompakt", "--data", &source, "--against", "m.onnx"]);
        assert!(text.contains(&format!("{n} images")) && text.contains("the same answer"), "{text}");
    }
}

/// Classes that the model names are matched by name, in whatever order the folders are.
#[test]
fn classes_are_matched_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut model = model();
    model.labels = (0..CLASSES).rev().map(|i| i.to_string()).collect();
    model.write(&folder.join("m.safetensors")).unwrap();
    sources(folder);
    let found = kompakt(folder, &["eval", "m.safetensors", "--data", "photos", "--json"]);
    let found: Value = serde_json::from_str(&found).unwrap();
    let confusion = by_definition(&model).3;
    for (label, row) in confusion.iter().enumerate() {
        assert_eq!(found["confusion"][CLASSES - 1 - label], serde_json::json!(row));
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    model().write(&folder.join("m.safetensors")).unwrap();
    let try_it = |arguments: &[&str]| {
        let mut command = program(env!("CARGO_BIN_EXE_kompakt"));
        let output = command.current_dir(folder).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = try_it(&["eval", "m.safetensors", "--data", "digits"]);
    assert!(code == Some(3) && said.contains("[1, 28, 28]"), "{said}");
    let (code, said) = try_it(&["eval", "m.safetensors", "--data", "nowhere"]);
    assert!(code == Some(4) && said.contains("nowhere"), "{said}");
    let (code, _) = try_it(&["eval", "m.safetensors"]);
    assert_eq!(code, Some(2));
}
