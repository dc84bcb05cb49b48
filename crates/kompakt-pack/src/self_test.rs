//! Self-tests: inputs derived from a number, and the network's outputs for them.

use crate::{content::About, error::PackError, reference};
use kompakt_format::{SelfTest, self_test_input};

/// Makes `n` tests for a network with these parameters, zeros included.
pub(crate) fn make(about: &About, parameters: &[Vec<f32>], n: usize) -> Result<Vec<SelfTest>, PackError> {
    let [input] = about.graph.inputs() else {
        return Err(PackError::unsupported("self-test", "the network has more than one input"));
    };
    let dense: Vec<Vec<f64>> =
        parameters.iter().map(|p| p.iter().copied().map(f64::from).collect()).collect();
    let raw_len = match &about.pipeline {
        Some(pipeline) => pipeline.input_shape().len(),
        None => input.shape.iter().product(),
    };
    let test = |seed: u64| {
        let raw = self_test_input(seed, raw_len);
        let prepared = about.pipeline.as_ref().map_or(raw.clone(), |p| p.apply_to(&raw));
        let x = prepared.into_iter().map(f64::from).collect();
        let outputs = reference::evaluate(&about.graph, vec![x], &|i| &dense[i]);
        let expected = outputs[0].data.iter().map(|&v| v as f32).collect();
        SelfTest { seed, expected }
    };
    Ok((0..n as u64).map(test).collect())
}
