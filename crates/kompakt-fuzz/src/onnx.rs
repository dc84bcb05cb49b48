//! Untrusted networks as ONNX.

use crate::Fixtures;
use kompakt_import::onnx::{ImportOptions, import};
use safetensors::SafeTensors;
use std::io::Write;

/// A model's file. What is imported is sound.
pub(crate) fn onnx(bytes: &[u8]) {
    let written = tempfile::Builder::new().suffix(".onnx").tempfile().and_then(|mut file| {
        file.write_all(bytes)?;
        Ok(file)
    });
    let Ok(file) = written else { return };
    if let Ok(model) = import(file.path(), &ImportOptions::default()) {
        assert!(model.check().is_ok(), "a model was imported that does not hold together");
    }
}

/// The models of the operator suite.
pub(crate) fn models(fixtures: &Fixtures) -> Vec<Vec<u8>> {
    let cases = fixtures.files("onnx", "safetensors");
    let model =
        |case: &Vec<u8>| Some(SafeTensors::deserialize(case).ok()?.tensor("model").ok()?.data().to_vec());
    cases.iter().filter_map(model).collect()
}
