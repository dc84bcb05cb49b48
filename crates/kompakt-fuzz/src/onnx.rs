//! Untrusted networks as ONNX.

use crate::{Fixtures, hostile_models};
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

/// The largest hostile model that is a seed: changes to it must be tried quickly.
const MAX_SEED_BYTES: usize = 4096;

/// The models of the operator suite, and the small ones of [`hostile_models`].
pub(crate) fn models(fixtures: &Fixtures) -> Vec<Vec<u8>> {
    let cases = fixtures.files("onnx", "safetensors");
    let model =
        |case: &Vec<u8>| Some(SafeTensors::deserialize(case).ok()?.tensor("model").ok()?.data().to_vec());
    let hostile = hostile_models().into_iter().map(|hostile| hostile.bytes);
    cases.iter().filter_map(model).chain(hostile.filter(|bytes| bytes.len() <= MAX_SEED_BYTES)).collect()
}
