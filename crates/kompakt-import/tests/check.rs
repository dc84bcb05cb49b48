//! The check of an import: it detects errors, locates them, and reports what it did not compare.
#![allow(clippy::unwrap_used)]

#[path = "support/case.rs"]
#[allow(dead_code)]
mod case;

#[path = "support/onnx.rs"]
#[allow(dead_code)]
mod onnx;

use case::Case;
use kompakt_format::Tier;
use kompakt_graph::{Graph, Op};
use kompakt_import::onnx::{Checked, ImportOptions, OnnxError, import, import_checked};
use kompakt_model::{Model, Parameter};
use onnx::{Attribute, Net};
use std::path::PathBuf;

fn checked(name: &str, change: impl Fn(&mut Model)) -> Result<(Model, Checked), OnnxError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let cases = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/onnx");
    std::fs::write(&path, Case::named(&cases, name).model).unwrap();
    let mut run = |model: &Model, inputs: &[Vec<f32>], n: usize| {
        let mut model = model.clone();
        change(&mut model);
        case::run_on(&model, Tier::Direct, n, inputs, n)
    };
    import_checked(&path, &ImportOptions::default(), &mut run, &|_, _| ())
        .map(|(model, found, _)| (model, found))
}

#[test]
fn what_is_right_is_found_right() {
    let (_, found) = checked("net_resnet18", |_| ()).unwrap();
    assert!(matches!(found, Checked::Equal { difference } if difference < 1e-5), "{found:?}");
}

/// A wrong bias of any layer is detected, and the named node is the layer's, or the batch norm after it.
#[test]
fn what_is_wrong_is_named() {
    let (model, _) = checked("net_mobilenet_v2", |_| ()).unwrap();
    let layers: Vec<String> = model.parameters.keys().filter(|n| n.ends_with(".bias")).cloned().collect();
    assert!(layers.len() > 5);
    for layer in layers {
        let wrong = checked("net_mobilenet_v2", |model| {
            let parameter = model.parameters.get_mut(&layer).unwrap();
            let mut values = parameter.to_f32().to_vec();
            values[0] += 0.5;
            *parameter = Parameter::dense(vec![values.len()], values);
        });
        let Err(OnnxError::Differs { node, operator, difference }) = wrong else {
            panic!("{layer}: {:?}", wrong.map(|w| w.1))
        };
        assert!(difference > 1e-4);
        assert!(["BatchNormalization", "Gemm"].contains(&operator.as_str()), "{layer}: {node} ({operator})");
    }
}

/// A variance as the difference of two sums of squares: with a mean of 40 and a deviation of 0.3 it amplifies rounding
/// ten thousand times, whoever computes it. An answer that is off for that reason is right; a step that is off by as much
/// is not, with such a difference before it or without.
#[test]
fn rounding_that_the_file_amplifies_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let difference = |centre: f32, is_wrong: bool| {
        let mut net = Net::new(13, 1);
        let (shifted, scale) = (net.scalar(centre), net.scalar(0.3));
        let x = net.add("Mul", &["x", &scale], &[]);
        let x = net.add("Add", &[&x, &shifted], &[]);
        let square = net.add("Mul", &[&x, &x], &[]);
        let of_squares = net.add("ReduceMean", &[&square], &[Attribute::Ints("axes", &[1])]);
        let mean = net.add("ReduceMean", &[&x], &[Attribute::Ints("axes", &[1])]);
        let squared = net.add("Mul", &[&mean, &mean], &[]);
        let y = net.add("Sub", &[&of_squares, &squared], &[]);
        std::fs::write(&path, net.finish(&[64], &y)).unwrap();
        let mut run = |model: &Model, inputs: &[Vec<f32>], n: usize| {
            let mut model = model.clone();
            let (ports, mut nodes, outputs) = model.graph.into_parts();
            for node in &mut nodes {
                if let Op::Scale { offset, .. } = &mut node.op
                    && *offset == centre
                {
                    *offset += centre * f32::EPSILON;
                }
            }
            model.graph = Graph::new(ports, nodes, outputs).unwrap();
            let mut answers = case::run_on(&model, Tier::Direct, n, inputs, n)?;
            let last = answers.last_mut().unwrap();
            let largest = last.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            last[0] += if is_wrong { 4e-4 * largest } else { 0.0 };
            Ok(answers)
        };
        import_checked(&path, &ImportOptions::default(), &mut run, &|_, _| ()).map(|(_, found, _)| found)
    };
    assert!(matches!(difference(0.0, true), Err(OnnxError::Differs { .. })));
    assert!(matches!(difference(40.0, true), Err(OnnxError::Differs { .. })));
    let right = difference(40.0, false);
    assert!(matches!(right, Ok(Checked::Equal { difference }) if difference > 2e-4), "{right:?}");
}

#[test]
fn a_network_that_cannot_be_run_is_an_error() {
    let mut run = |_: &Model, _: &[Vec<f32>], _: usize| Err("no memory".to_string());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let cases = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/onnx");
    std::fs::write(&path, Case::named(&cases, "relu").model).unwrap();
    let error = import_checked(&path, &ImportOptions::default(), &mut run, &|_, _| ()).unwrap_err();
    assert!(matches!(error, OnnxError::NotRun(_)), "{error}");
}

/// Two 3x3 convolutions: 40,000 multiplications per pixel.
fn convolutions(rest: &[i64]) -> Vec<u8> {
    let mut net = Net::new(13, 1);
    let pads = Attribute::Ints("pads", &[1, 1, 1, 1]);
    let w = net.random(&[64, 3, 3, 3], 0.0, 0.3);
    let x = net.add("Conv", &["x", &w], std::slice::from_ref(&pads));
    let w = net.random(&[64, 64, 3, 3], 0.0, 0.1);
    let x = net.add("Conv", &[&x, &w], &[pads]);
    let y = net.add("Relu", &[&x], &[]);
    net.finish(rest, &y)
}

/// Large images are compared as smaller ones where the file leaves their size open, in each such direction;
/// those of a fixed size one at a time.
#[test]
fn much_work_is_made_less() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    for (rest, shape, images, picture) in [
        ([3, -1, -1], vec![3, 1024, 1024], 2, 32 * 32),
        ([3, -1, -1], vec![3, 48, 40], 2, 48 * 40),
        ([3, 32, -1], vec![3, 32, 4000], 2, 32 * 64),
        ([3, 160, 160], vec![3, 160, 160], 1, 160 * 160),
    ] {
        std::fs::write(&path, convolutions(&rest)).unwrap();
        let mut seen = Vec::new();
        let mut run = |model: &Model, inputs: &[Vec<f32>], n: usize| {
            seen.push((n, inputs[0].len() / n / 3));
            case::run_on(model, Tier::Direct, n, inputs, n)
        };
        let options =
            ImportOptions { input_shapes: vec![(String::new(), shape.clone())], ..ImportOptions::default() };
        let (model, found, _) = import_checked(&path, &options, &mut run, &|_, _| ()).unwrap();
        assert!(matches!(found, Checked::Equal { .. }), "{found:?}");
        assert_eq!(model.graph.inputs()[0].shape, shape, "what is imported is what was asked for");
        assert_eq!(seen, [(images, picture)], "{shape:?}");
    }
}

/// Two layers, one with a batch norm, and a replacement for one element of a tensor.
fn damaged(tensor: &str, value: f32) -> Vec<u8> {
    let mut net = Net::new(13, 1);
    let mut damaged = |name: &str, dims: &[i64], usual: f32| {
        let n: i64 = dims.iter().product();
        let mut values: Vec<f32> = (0..n).map(|i| usual + 0.01 * (i % 7) as f32).collect();
        if name == tensor {
            values[1] = value;
        }
        net.floats(dims, &values)
    };
    let w = damaged("weight", &[4, 3, 3, 3], 0.1);
    let scale = damaged("scale", &[4], 1.0);
    let shift = damaged("shift", &[4], 0.0);
    let mean = damaged("mean", &[4], 0.0);
    let variance = damaged("variance", &[4], 1.0);
    let x = net.add("Conv", &["x", &w], &[]);
    let y = net.add("BatchNormalization", &[&x, &scale, &shift, &mean, &variance], &[]);
    net.finish(&[3, 6, 6], &y)
}

/// Values that no trained network holds are refused, by the name of the node or of the tensor.
#[test]
fn damaged_numbers_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let import = |bytes: Vec<u8>| {
        std::fs::write(&path, bytes).unwrap();
        import(&path, &ImportOptions::default()).map_err(|e| e.to_string())
    };
    assert!(import(damaged("", 0.0)).is_ok());
    for value in [-0.5, f32::NAN, f32::INFINITY] {
        let said = import(damaged("variance", value)).unwrap_err();
        assert!(
            said.contains("(BatchNormalization)") && said.contains("channel 1 has a variance of"),
            "{said}"
        );
    }
    for tensor in ["weight", "scale", "shift", "mean"] {
        for value in [f32::NAN, f32::NEG_INFINITY] {
            let said = import(damaged(tensor, value)).unwrap_err();
            assert!(said.contains("NaN or infinity") && said.contains(" of v"), "{tensor}: {said}");
        }
    }
}

/// An output is named as in the file, unless it is that of a layer, whose parameters are named after it.
#[test]
fn an_output_keeps_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    for ends_in_a_layer in [false, true] {
        let mut net = Net::new(13, 1);
        let w = net.random(&[8, 4], 0.0, 1.0);
        let mut y = net.add("Gemm", &["x", &w], &[Attribute::Int("transB", 1)]);
        if !ends_in_a_layer {
            y = net.add("Sigmoid", &[&y], &[]);
        }
        std::fs::write(&path, net.finish(&[4], &y)).unwrap();
        let model = import(&path, &ImportOptions::default()).unwrap();
        let name = model.graph.value_name(model.graph.outputs()[0]).to_string();
        assert_eq!(name, if ends_in_a_layer { format!("Gemm of {y}") } else { y });
    }
}
