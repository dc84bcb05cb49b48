//! Inputs to measure with, where none are given: always the same.

use super::{coded, wrong_input};
use anyhow::{Error, Result};
use kompakt_graph::{BinaryFunction, Op};
use kompakt_model::Model;
use kompakt_prep::byte_value;

/// Noise of this shape, as images are read: 0 to 1.
pub(super) fn pixels(shape: &[usize]) -> Vec<f32> {
    let mut state = 1u64;
    let mut pixel = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        byte_value((state >> 56) as u8)
    };
    (0..shape.iter().product()).map(|_| pixel()).collect()
}

/// Numbers of the kinds that the network takes, one list for each input, of its shape: row numbers of a table where it
/// looks them up, masks, states, sounds, pictures.
pub(super) fn inputs(file: &kompakt_runtime::Model<'_>) -> Result<Vec<Vec<f32>>> {
    let container = file.container().map_err(coded)?;
    let stored = container.graph();
    // A list that an input is compared with tells its kind; all other numbers only take time to decode.
    let is_equal = Op::Binary { function: BinaryFunction::Equal };
    let mut model = if stored.nodes().iter().any(|node| node.op == is_equal) {
        kompakt_pack::unpack(&container, false, &|_, _| ()).map_err(|e| wrong_input(e.to_string()))?
    } else {
        Model {
            graph: stored.clone(),
            parameters: Default::default(),
            dense_parameters: 0,
            preprocessing: None,
            labels: Vec::new(),
            provenance: Vec::new(),
        }
    };
    if !file.sizes().is_empty() {
        model.graph = stored.at_sizes(&file.sizes()).map_err(|e| Error::msg(e.to_string()))?;
    }
    Ok(kompakt_compress::synthetic_inputs(&model, 0))
}
