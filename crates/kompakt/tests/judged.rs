//! `kompakt compress` never fails silently: labels, few images, ruined networks, damaged input.
#![allow(clippy::unwrap_used)]

#[path = "support/program.rs"]
mod program;

use kompakt_graph::{Graph, Input, Node, Op, networks};
use kompakt_model::{Model, Parameter};
use program::program;
use std::{collections::BTreeMap, fs, path::Path};

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

fn model() -> Model {
    let graph = networks::mlp(&[1, SIDE, SIDE], &[12], CLASSES).unwrap();
    let mut parameters = BTreeMap::new();
    for (at, param) in graph.params().iter().enumerate() {
        let values =
            (0..param.len()).map(|i| (f32::from(noise(7000 + 999 * at + i)) - 127.5) / 100.0).collect();
        parameters.insert(param.name.clone(), Parameter::dense(param.shape.clone(), values));
    }
    let mut model = Model::new(graph, parameters).unwrap();
    // Classes are equally likely: their mean answers are subtracted.
    let answers: Vec<Vec<f64>> = (0..500).map(|image| answer(&model, image)).collect();
    let mean = |c: usize| answers.iter().map(|a| a[c]).sum::<f64>() / answers.len() as f64;
    let name = model.graph.params().last().unwrap().name.clone();
    let bias = model.parameters[&name].to_f32();
    let bias = bias.iter().enumerate().map(|(c, b)| b - mean(c) as f32).collect();
    model.parameters.insert(name, Parameter::dense(vec![CLASSES], bias));
    model
}

/// The network's answers, in double precision.
fn answer(model: &Model, image: usize) -> Vec<f64> {
    answer_to(model, pixels(image).into_iter().map(|b| f64::from(f32::from(b) / 255.0)).collect())
}

fn answer_to(model: &Model, x: Vec<f64>) -> Vec<f64> {
    let values: Vec<Vec<f64>> = model
        .graph
        .params()
        .iter()
        .map(|p| model.parameters[&p.name].to_f32().into_iter().map(f64::from).collect())
        .collect();
    kompakt_pack::reference::evaluate(&model.graph, vec![x], &|i| &values[i])[0].data.clone()
}

/// The class that the network predicts: the label of every image here.
fn class(model: &Model, image: usize) -> usize {
    likeliest(&answer(model, image))
}

fn likeliest(y: &[f64]) -> usize {
    (0..CLASSES).fold(0, |best, i| if y[i] > y[best] { i } else { best })
}

fn picture(path: &Path, image: usize) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let header = format!("P5 {SIDE} {SIDE} 255\n");
    fs::write(path, [header.as_bytes(), &pixels(image)].concat()).unwrap();
}

/// Writes the images of some classes: a folder of folders with `name` of the class, and a list with its number. A list gives
/// the class `shift` further on.
fn images(folder: &Path, model: &Model, wanted: &[usize], range: std::ops::Range<usize>, shift: usize) {
    let mut list = String::new();
    for image in range {
        let class = class(model, image);
        if wanted.contains(&class) {
            picture(&folder.join(format!("photos/class {class}/{image:05}.pgm")), image);
            list += &format!("photos/class {class}/{image:05}.pgm\t{}\n", (class + shift) % CLASSES);
        }
    }
    fs::write(folder.join("list.tsv"), list).unwrap();
}

/// Exit code, stdout and stderr.
fn kompakt(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = program(env!("CARGO_BIN_EXE_kompakt"));
    let output = command.current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn compress(folder: &Path, more: &[&str]) -> (Option<i32>, String) {
    let (code, _, said) =
        kompakt(folder, &[&["compress", "m.safetensors", "-o", "m.kompakt"], more].concat());
    (code, said)
}

fn top1(folder: &Path, data: &str) -> f64 {
    let (code, out, said) =
        kompakt(folder, &["eval", "m.kompakt", "--data", data, "--split", "whole", "--metric", "top1"]);
    assert_eq!(code, Some(0), "{said}");
    out.trim().parse().unwrap()
}

/// `kompakt run --data` matches labels as `kompakt eval` does, and refuses what it refuses, in the same words.
#[test]
fn run_reads_labels_as_eval_does() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut model = model();
    images(folder, &model, &[1, 3, 4, 6], 0..60, 0);
    for (name, names) in [("named", true), ("plain", false)] {
        model.labels = if names { (0..CLASSES).map(|i| format!("Class_{i}")).collect() } else { Vec::new() };
        model.write(&folder.join("m.safetensors")).unwrap();
        assert_eq!(
            kompakt(folder, &["pack", "m.safetensors", "-q", "-o", &format!("{name}.kompakt")]).0,
            Some(0)
        );
    }
    let list = fs::read_to_string(folder.join("list.tsv")).unwrap();
    fs::write(folder.join("beyond.tsv"), list.replace("\t6\n", "\t7\n")).unwrap();
    fs::write(folder.join("words.tsv"), list.replace("\t6\n", "\temu\n")).unwrap();
    fs::write(folder.join("gone.tsv"), "none.pgm\t1\n").unwrap();
    let mut refused = 0;
    for model in ["named.kompakt", "plain.kompakt"] {
        for data in ["photos", "list.tsv", "beyond.tsv", "words.tsv", "gone.tsv"] {
            let data = ["--data", data, "--split", "whole"];
            let (code, top1, said) =
                kompakt(folder, &[&["eval", model, "--metric", "top1"][..], &data].concat());
            let (run_code, out, run_said) = kompakt(folder, &[&["run", model, "--json"][..], &data].concat());
            assert_eq!((run_code, &run_said), (code, &said), "{model} {data:?}");
            if code == Some(0) {
                let error =
                    serde_json::from_str::<serde_json::Value>(&out).unwrap()["error"].as_f64().unwrap();
                assert!(
                    (error - (1.0 - top1.trim().parse::<f64>().unwrap())).abs() < 1e-12,
                    "{model} {data:?}"
                );
            } else {
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 7);
}

/// A folder with some of the classes, and a list with some of the numbers, mean the same to `compress` as to `eval`.
#[test]
fn some_of_the_classes_are_enough() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut model = model();
    model.labels = (0..CLASSES).map(|i| format!("class {i}")).collect();
    model.write(&folder.join("m.safetensors")).unwrap();
    images(folder, &model, &[1, 3, 4, 6], 0..1600, 0);
    for data in ["photos", "list.tsv"] {
        let (code, said) = compress(folder, &["--data", data, "--max-drop", "5"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("accuracy before: 100.00 %"), "{said}");
        assert!(top1(folder, data) > 0.9, "{data}");
        // The summary printed at the end.
        for word in
            ["density", "% after", "the same answer as the original", "multiplications are left", "us"]
        {
            assert!(said.contains(word), "{word}: {said}");
        }
    }
}

#[test]
fn a_label_beyond_the_outputs_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let model = model();
    model.write(&folder.join("m.safetensors")).unwrap();
    let list: String = (0..60)
        .map(|image| {
            picture(&folder.join(format!("{image}.pgm")), image);
            format!("{image}.pgm\t{}\n", if image % 2 == 0 { 9 } else { 1 })
        })
        .collect();
    fs::write(folder.join("list.tsv"), list).unwrap();
    for command in [&["compress", "m.safetensors", "-o", "x.kompakt"][..], &["eval", "m.safetensors"]] {
        let (code, _, said) = kompakt(folder, &[command, &["--data", "list.tsv"]].concat());
        assert!(code == Some(3) && said.contains("label 9 is beyond the network's 7 outputs"), "{said}");
    }
    assert!(!folder.join("x.kompakt").exists());
}

/// Labels that belong to other outputs, images that are not prepared: it stops before it starts.
#[test]
fn an_original_that_is_no_better_than_chance_stops_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let model = model();
    model.write(&folder.join("m.safetensors")).unwrap();
    images(folder, &model, &[0, 1, 2, 3, 4, 5, 6], 0..1000, 1);
    let (code, said) = compress(folder, &["--data", "list.tsv", "--max-drop", "5"]);
    assert!(code == Some(3) && said.contains("no better than chance") && said.contains("--prep"), "{said}");
    assert!(!folder.join("m.kompakt").exists());
    let (code, said) = compress(folder, &["--data", "list.tsv", "--ignore-labels", "--noise", "0.01"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = kompakt(folder, &["eval", "m.safetensors", "--data", "list.tsv"]);
    assert!(code == Some(0) && said.contains("no better than chance") && said.contains("--prep"), "{said}");
}

#[test]
fn a_few_images_cannot_keep_a_promise_and_others_may_judge() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut model = model();
    model.labels = (0..CLASSES).map(|i| format!("class {i}")).collect();
    model.write(&folder.join("m.safetensors")).unwrap();
    let all = [0, 1, 2, 3, 4, 5, 6];
    images(folder, &model, &all, 0..700, 0);
    let (code, said) = compress(folder, &["--data", "photos", "--max-drop", "1"]);
    assert!(code == Some(2) && said.contains("more are needed") && said.contains("--judge"), "{said}");
    assert!(!folder.join("m.kompakt").exists());
    images(&folder.join("others"), &model, &all, 5000..5600, 0);
    let (code, said) = compress(folder, &["--data", "photos", "--judge", "others/photos", "--max-drop", "3"]);
    assert!(code == Some(0) && said.contains("600 validation images (others/photos)"), "{said}");
    assert!(top1(folder, "photos") > 0.93);
}

/// Without labels the original's answers are the reference.
#[test]
fn agreement_needs_no_labels() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    model().write(&folder.join("m.safetensors")).unwrap();
    (0..1500).for_each(|image| picture(&folder.join(format!("plain/{image:05}.pgm")), image));
    let (code, said) = compress(folder, &["--data", "plain", "--max-drop", "5"]);
    assert!(code == Some(2) && said.contains("--min-agreement"), "{said}");
    let (code, said) = compress(folder, &["--data", "plain", "--min-agreement", "96"]);
    assert_eq!(code, Some(0), "{said}");
    let eval = ["eval", "m.kompakt", "--data", "plain", "--split", "whole"];
    let metric = |name: &str| -> f64 {
        let (code, out, said) =
            kompakt(folder, &[&eval[..], &["--against", "m.safetensors", "--metric", name]].concat());
        assert_eq!(code, Some(0), "{said}");
        out.trim().parse().unwrap()
    };
    assert!(metric("agreement") >= 0.95);
    assert!(metric("cosine") > 0.95 && metric("snr") > 10.0 && metric("mse") < 1.0);
    let (code, _, said) = kompakt(folder, &eval);
    assert!(code == Some(2) && said.contains("--against"), "{said}");
}

/// A network whose one linear layer is read as an output of this shape; images of 4 x 4 pixels.
fn shaped(shape: &[usize]) -> Model {
    let n: usize = shape.iter().product();
    let node = |name: &str, op, input| Node { name: name.into(), op, inputs: vec![input] };
    let nodes = vec![
        node("flat", Op::Flatten, 0),
        node("fc", Op::Linear { out_features: n, bias: true }, 1),
        node("shaped", Op::Reshape { shape: shape.to_vec() }, 2),
    ];
    let graph =
        Graph::new(vec![Input { name: "x".into(), shape: vec![1, SIDE, SIDE] }], nodes, vec![3]).unwrap();
    let parameters = graph.params().iter().enumerate().map(|(at, param)| {
        let values = (0..param.len()).map(|i| (f32::from(noise(500 + 999 * at + i)) - 127.5) / 40.0);
        (param.name.clone(), Parameter::dense(param.shape.clone(), values.collect()))
    });
    let parameters = parameters.collect();
    Model::new(graph, parameters).unwrap()
}

/// Networks that give no classes keep what their answers mean: `compress` and `eval` by the same figures.
#[test]
fn texts_boxes_and_angles_are_kept_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    (0..1000).for_each(|image| picture(&folder.join(format!("plain/{image:05}.pgm")), image));
    let data = ["--data", "plain"];
    let figure = |metric: &str| -> f64 {
        let eval =
            ["eval", "m.kompakt", "--split", "whole", "--against", "m.safetensors", "--metric", metric];
        let (code, out, said) = kompakt(folder, &[&eval[..], &data].concat());
        assert_eq!(code, Some(0), "{said}");
        out.trim().parse().unwrap()
    };
    let kept = |more: &[&str], says: &str| {
        let (code, said) = compress(folder, &[&data[..], more].concat());
        assert!(code == Some(0) && said.contains(says), "{more:?}: {said}");
    };
    let refused = |more: &[&str], says: &str| {
        let (code, said) = compress(folder, &[&data[..], more].concat());
        assert!(code == Some(2) && said.contains(says), "{more:?}: {said}");
    };
    shaped(&[6, 5]).write(&folder.join("m.safetensors")).unwrap();
    kept(&["--metric", "text", "--min-agreement", "90"], "the same answer as the original");
    assert!(figure("text") > 0.9);
    refused(&["--metric", "boxes", "--min-agreement", "90"], "[4 + classes, places]");
    refused(&["--min-agreement", "90"], "[6, 5]");
    refused(&["--metric", "cosine", "--min-agreement", "90"], "agreement, text, boxes");
    refused(&["--metric", "text", "--reach", "0.9"], "cosine, mse, snr, boxes");
    refused(&["--metric", "text"], "--min-agreement");
    kept(&["--metric", "cosine", "--reach", "0.99"], "cosine on the validation images");
    assert!(figure("cosine") > 0.985);
    let cosine = fs::metadata(folder.join("m.kompakt")).unwrap().len();
    kept(&["--metric", "snr", "--reach", "40"], "snr on the validation images");
    assert!(figure("snr") > 39.0 && fs::metadata(folder.join("m.kompakt")).unwrap().len() > cosine);
    let (code, said) = compress(folder, &[&data[..], &["--metric", "cosine", "--reach", "1.5"]].concat());
    assert!(code == Some(5) && said.contains("cosine of at least 1.5"), "{said}");
    // Boxes of about 20 by 20.
    let mut boxes = shaped(&[6, 8]);
    let mut bias = boxes.parameters["fc.bias"].to_f32();
    bias[16..32].iter_mut().for_each(|side| *side += 20.0);
    boxes.parameters.insert("fc.bias".into(), Parameter::dense(vec![48], bias));
    boxes.write(&folder.join("m.safetensors")).unwrap();
    kept(&["--metric", "boxes", "--min-agreement", "90"], "boxes on the validation images");
    assert!(figure("boxes") > 0.85);
}

#[test]
fn what_is_damaged_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let good = model();
    good.write(&folder.join("m.safetensors")).unwrap();
    // Weights of 3e38.
    let mut large = good.clone();
    let Some(Parameter::Dense { values, shape, .. }) = good.parameters.get("fc1.weight") else { panic!() };
    let mut weights = values.to_f32();
    weights[5] = 3e38;
    large.parameters.insert("fc1.weight".into(), Parameter::dense(shape.clone(), weights));
    large.write(&folder.join("large.safetensors")).unwrap();
    let (code, _, said) = kompakt(folder, &["compress", "large.safetensors", "-o", "x.kompakt"]);
    assert!(code == Some(3) && said.contains("fc1.weight") && said.contains("3e38"), "{said}");
    // In an ONNX file too, by whatever reads it.
    let (code, _, said) = kompakt(folder, &["export", "large.safetensors", "-o", "large.onnx"]);
    assert_eq!(code, Some(0), "{said}");
    for command in ["import", "compress"] {
        let (code, _, said) = kompakt(folder, &[command, "large.onnx", "-o", "x.kompakt"]);
        assert!(code == Some(3) && said.contains("fc1.weight") && said.contains("3e38"), "{said}");
    }
    // A batch norm whose variance is below 0.
    let nodes = vec![
        Node { name: "fc".into(), op: Op::Linear { out_features: 2, bias: true }, inputs: vec![0] },
        Node { name: "norm".into(), op: Op::BatchNorm { eps: 1e-5 }, inputs: vec![1] },
    ];
    let graph = Graph::new(vec![Input { name: "x".into(), shape: vec![4] }], nodes, vec![2]).unwrap();
    let parameters = graph
        .params()
        .iter()
        .map(|p| {
            let value = if p.name.ends_with("running_var") { -0.5 } else { 0.25 };
            (p.name.clone(), Parameter::dense(p.shape.clone(), vec![value; p.len()]))
        })
        .collect();
    Model::new(graph, parameters).unwrap().write(&folder.join("norm.safetensors")).unwrap();
    let (code, _, said) = kompakt(folder, &["compress", "norm.safetensors", "-o", "x.kompakt"]);
    assert!(code == Some(3) && said.contains("running_var") && said.contains("-0.5"), "{said}");
    // An image that holds NaN.
    fs::write(folder.join("x.npy"), npy("100, 4, 4", &[f32::NAN; 1600])).unwrap();
    let (code, said) = compress(folder, &["--data", "x.npy"]);
    assert!(code == Some(3) && said.contains("x.npy") && said.contains("NaN"), "{said}");
    // A network that is ruined.
    let (code, said) = compress(folder, &["--target-size", "10"]);
    assert!(code == Some(5) && said.contains("summed error"), "{said}");
    assert!(!folder.join("m.kompakt").exists() && !folder.join("x.kompakt").exists());
}

/// An array as NumPy saves it.
fn npy(shape: &str, numbers: &[f32]) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
    let header = format!("{header:<117}\n");
    let bytes: Vec<u8> = numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), &bytes].concat()
}

/// A network for values around 0 gets them, and its file says how: by words, and by a mean image.
#[test]
fn preprocessing_is_written_in_words_and_goes_into_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let model = model();
    model.write(&folder.join("m.safetensors")).unwrap();
    let mut list = String::new();
    for image in 0..1000 {
        let x = pixels(image).into_iter().map(|b| (f64::from(b) / 255.0 - 0.5) / 0.25).collect();
        picture(&folder.join(format!("{image}.pgm")), image);
        list += &format!("{image}.pgm\t{}\n", likeliest(&answer_to(&model, x)));
    }
    fs::write(folder.join("list.tsv"), list).unwrap();
    fs::write(folder.join("mean.npy"), npy("4, 4", &[127.5; 16])).unwrap();
    for (prep, steps) in
        [("mean=0.5 std=0.25", "by normalize"), ("bytes mean=mean.npy std=63.75", "by subtract, normalize")]
    {
        let (code, said) = compress(folder, &["--data", "list.tsv", "--prep", prep, "--noise", "0.001"]);
        assert!(code == Some(0) && said.contains("accuracy before: 100.00 %"), "{said}");
        let (_, out, _) = kompakt(folder, &["inspect", "m.kompakt"]);
        assert!(out.contains(steps), "{out}");
        assert!(top1(folder, "list.tsv") > 0.95);
    }
    let (code, said) = compress(folder, &["--data", "list.tsv", "--prep", "mean=0.5 blur"]);
    assert!(code == Some(2) && said.contains("blur"), "{said}");
    let (code, out, _) = kompakt(folder, &["prep", "list"]);
    assert!(code == Some(0) && ["imagenet", "caffe", "resize=SIDE"].iter().all(|w| out.contains(w)), "{out}");
}

/// Errors that can be detected at the start are.
#[test]
fn wrong_outputs_missing_pictures_and_foreign_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    model().write(&folder.join("m.safetensors")).unwrap();
    let (code, _, said) = kompakt(folder, &["compress", "m.safetensors", "-o", "."]);
    assert!(code == Some(4) && said.contains("is a folder"), "{said}");
    let (code, _, said) = kompakt(folder, &["sense", "m.safetensors", "--plot", "nowhere/x.svg"]);
    assert!(code == Some(4) && said.contains("nowhere"), "{said}");
    picture(&folder.join("0.pgm"), 0);
    fs::write(folder.join("list.tsv"), "0.pgm\t1\n1.pgm\t2\n").unwrap();
    let (code, said) = compress(folder, &["--data", "list.tsv"]);
    assert!(code == Some(3) && said.contains("list.tsv: line 2") && said.contains("1.pgm"), "{said}");
    for (name, bytes, way) in [
        ("model.pt", &b"PK\x03\x04 model/data.pkl"[..], "torch.onnx.export"),
        ("renamed.bin", b"\x89HDF\r\n\x1a\n...", "tf2onnx.convert --keras"),
        ("model.tflite", b"\x1c\0\0\0TFL3....", "tf2onnx.convert --tflite"),
    ] {
        fs::write(folder.join(name), bytes).unwrap();
        for command in [&["compress", name, "-o", "x"][..], &["import", name, "-o", "x"], &["sense", name]] {
            let (code, _, said) = kompakt(folder, command);
            assert!(code == Some(3) && said.lines().count() == 1 && said.contains(way), "{said}");
        }
    }
    assert!(!folder.join("x").exists());
}

#[test]
fn inspect_prints_some_of_many_labels() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut model = model();
    model.labels = (0..1000).map(|i| format!("label{i}")).collect();
    model.write(&folder.join("m.safetensors")).unwrap();
    let (code, said) = compress(folder, &["-q"]);
    assert_eq!(code, Some(0), "{said}");
    let (_, out, _) = kompakt(folder, &["inspect", "m.kompakt"]);
    assert!(out.contains("label19, … and 980 more") && !out.contains("label20"), "{out}");
}
