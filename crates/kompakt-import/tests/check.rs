//! The check of an import: it sees what is wrong, says where, and says where it did not look.
#![allow(clippy::unwrap_used)]

#[path = "support/case.rs"]
#[allow(dead_code)]
mod case;

use case::Case;
use kompakt_format::Tier;
use kompakt_import::onnx::{Checked, ImportOptions, OnnxError, import_checked};
use kompakt_model::{Model, Parameter};
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
    import_checked(&path, &ImportOptions::default(), &mut run)
}

#[test]
fn what_is_right_is_found_right() {
    let (_, found) = checked("net_resnet18", |_| ()).unwrap();
    assert!(matches!(found, Checked::Equal { difference } if difference < 1e-5), "{found:?}");
}

/// A wrong bias of any layer is seen, and the node that is named is the layer's, or the batch norm behind it.
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

#[test]
fn a_network_that_cannot_be_run_is_an_error() {
    let mut run = |_: &Model, _: &[Vec<f32>], _: usize| Err("no memory".to_string());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let cases = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/onnx");
    std::fs::write(&path, Case::named(&cases, "relu").model).unwrap();
    let error = import_checked(&path, &ImportOptions::default(), &mut run).unwrap_err();
    assert!(matches!(error, OnnxError::NotRun(_)), "{error}");
}
